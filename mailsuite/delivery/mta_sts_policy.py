"""What a domain publishes for MTA-STS, as text and as values: the TXT record (RFC 8461 §3.1), the policy (§3.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

Mode: TypeAlias = Literal["enforce", "testing", "none"]
# RFC 8461 §3.2: a year, in seconds.
MAX_AGE = 31_557_600
# RFC 8461 §3.3.
POLICY_OCTETS = 65_536
# So many mx patterns a policy may have. Real ones have up to ten.
PATTERNS = 100
# RFC 8461 §3.2, sts-policy-max-age-value.
_AGE = re.compile(r"[0-9]{1,10}")
_MODES = ("enforce", "testing", "none")
_VERSION = "STSv1"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,31}"
# sts-policy-field, whatever its name, without the white space at its end. Nothing is taken back: a line may be long.
_FIELD = re.compile(rf"({_NAME}):[ \t]*+([^\x00-\x1f\x7f]++)")
_LABEL = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_PATTERN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
# RFC 1035 §2.3.4, less what stands before a policy domain.
_DOMAIN_OCTETS = 253 - len("_mta-sts.")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATTERN_OCTETS = 255
# sts-text-record. Its delimiter may have white space before and after it.
_RECORD = re.compile(r"v=STSv1[ \t]*;.*", re.DOTALL)
_RECORD_FIELD = re.compile(rf"({_NAME})=([\x21-\x3a\x3c\x3e-\x7e]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")


class PolicyError(ValueError):
    """A policy that cannot be used; the text says why, in words of ours."""


@dataclass(frozen=True, slots=True)
class Policy:
    """An MTA-STS policy. *mx* are patterns in lower case, *max_age* is in seconds and at most a year."""

    mode: Mode
    mx: tuple[str, ...]
    max_age: int

    def allows(self, host: str) -> bool:
        """Say whether *host*, lower-case A-labels, is one of the domain's (RFC 8461 §4.1)."""
        first, _, rest = host.partition(".")
        return host in self.mx or (bool(first and rest) and f"*.{rest}" in self.mx)


def is_domain(name: str) -> bool:
    """Say whether *name*, as A-labels in lower case, may be a policy domain (RFC 8461 §3)."""
    return len(name) <= _DOMAIN_OCTETS and _DOMAIN.fullmatch(name) is not None


def policy_id(records: Sequence[str]) -> str:
    """Return the id that the TXT *records* of ``_mta-sts`` announce; empty: no policy is announced (RFC 8461 §3.1)."""
    ours = [record for record in records if _RECORD.fullmatch(record)]
    if len(ours) != 1:
        return ""
    parts = [part.strip(" \t") for part in ours[0].split(";")[1:]]
    if parts and not parts[-1]:
        parts.pop()
    fields: dict[str, str] = {}
    for part in parts:
        field = _RECORD_FIELD.fullmatch(part)
        if field is None:
            return ""
        # RFC 8461 §3.2: of a field that comes twice the first one counts.
        fields.setdefault(field[1], field[2])
    found = fields.get("id", "")
    return found if _ID.fullmatch(found) else ""


def parse_policy(body: bytes) -> Policy:
    """Parse a policy (RFC 8461 §3.2). Raises `PolicyError`, and nothing else.

    Lines end with LF or CRLF; unknown fields and empty lines are ignored; of a field that comes twice, but for mx, the
    first one counts. A *max_age* beyond a year is a year.
    """
    if len(body) > POLICY_OCTETS:
        raise PolicyError(f"it has more than {POLICY_OCTETS} octets")
    fields: dict[str, str] = {}
    mx: list[str] = []
    for name, value in _fields(body):
        if name == "mx":
            mx.append(value)
        else:
            fields.setdefault(name, value)
    if fields.get("version") != _VERSION:
        raise PolicyError(f"its version is not {_VERSION}")
    mode = fields.get("mode", "")
    if mode not in _MODES:
        raise PolicyError("its mode is not enforce, testing or none")
    age = fields.get("max_age", "")
    if not _AGE.fullmatch(age):
        raise PolicyError("its max_age is no number of seconds")
    return Policy(cast(Mode, mode), _patterns(mx, mode), min(int(age), MAX_AGE))


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PolicyError("it is not UTF-8") from error
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").rstrip(" \t")
        if not line:
            continue
        field = _FIELD.fullmatch(line)
        if field is None:
            raise PolicyError(f"its line {number} is no field")
        found.append((field[1], field[2]))
    return found


def _patterns(values: Sequence[str], mode: str) -> tuple[str, ...]:
    if not values and mode != "none":
        raise PolicyError("it names no mx")
    if len(values) > PATTERNS:
        raise PolicyError(f"it has more than {PATTERNS} mx fields")
    patterns = tuple(value.lower() for value in values)
    for pattern in patterns:
        if len(pattern) > _PATTERN_OCTETS or not _PATTERN.fullmatch(pattern):
            raise PolicyError("one of its mx fields is no host name and no *.domain")
    return patterns
