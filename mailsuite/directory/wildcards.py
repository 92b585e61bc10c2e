"""Wildcard aliases: an asterisk in the local part stands for any characters, or for none."""

from collections.abc import Iterable

ANY = "*"
# Of one domain, so that looking through them costs little; and in one pattern.
WILDCARDS = 100
ASTERISKS = 4


def matches(pattern: str, local: str) -> bool:
    """Say whether *local* fits *pattern*; both in key form. In linear time."""
    first, *rest = pattern.split(ANY)
    if not rest:
        return pattern == local
    *middle, last = rest
    if not local.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = local.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return local.endswith(last) and len(local) - len(last) >= at


def best(patterns: Iterable[str], local: str) -> str | None:
    """Return the one of *patterns* that *local* fits and that says most of it: with the most characters of its own,
    and of several such the first by name."""
    fitting = [pattern for pattern in patterns if matches(pattern, local)]
    return min(fitting, key=lambda pattern: (pattern.count(ANY) - len(pattern), pattern), default=None)
