"""Caps on submission: of a login, of a domain, and those that every login has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from mailsuite.admin.site import Site
from mailsuite.directory.accounts import Accounts
from mailsuite.meaning import Cap
from mailsuite.policy.caps import DAY, HOUR

Span: TypeAlias = Literal["hour", "day"]
SPANS: Mapping[Span, int] = {"hour": HOUR, "day": DAY}


def in_force(site: Site, accounts: Accounts, whom: str) -> Iterator[tuple[str, Cap]]:
    """Yield the caps that hold for *whom*, with who has said so: those of a domain; or those of a login, of
    all of its domain together, and of every login, where it has none of its own. Raises `NoSuch`."""
    own = accounts.caps.show(whom)
    yield from ((whom, each) for each in own)
    domain = whom.rpartition("@")[2]
    if domain == whom:
        return
    yield from ((f"all of {domain}", each) for each in accounts.caps.show(domain))
    said = {(each.counted, each.seconds) for each in own}
    yield from (("[caps]", each) for each in site.default_caps if (each.counted, each.seconds) not in said)


def as_json(by: str, cap: Cap) -> dict[str, Any]:
    """Return *cap* for programs; ``most`` is ``None`` where it lets any number pass."""
    return {"by": by, **_bare(cap)}


def listed_as_json(whom: str, caps: Sequence[Cap]) -> dict[str, Any]:
    """Return for programs who has caps of its own, with these."""
    return {"whom": whom, "caps": [_bare(each) for each in caps]}


def _bare(cap: Cap) -> dict[str, Any]:
    return {"counted": cap.counted, "seconds": cap.seconds, "most": cap.most or None}
