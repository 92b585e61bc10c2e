"""Fields by which senders ask something of the transport: TLS-Required (RFC 8689 §3), MT-Priority (RFC 6758 §4)."""

import re

from mailsuite.message.headers import fields, unfold, without

_COMMENTS = r"(?:\s|\([^()\\]*\))*"
# priority-header-field = "MT-Priority:" [CFWS] priority-value [CFWS] CRLF (RFC 6758 §4)
_PRIORITY = re.compile(rf"{_COMMENTS}(-?[1-9]|0){_COMMENTS}", re.ASCII)


def tls_is_optional(header: bytes) -> bool:
    """Say whether *header* has the field ``TLS-Required: No``; of two, neither counts (RFC 8689 §3)."""
    found = _bodies(header, b"tls-required")
    return len(found) == 1 and found[0].lower() == "no"


def priority_of(header: bytes) -> int | None:
    """Return the priority that *header* names; ``None`` where it names none, or several (RFC 6758 §3.1)."""
    found = _bodies(header, b"mt-priority")
    value = _PRIORITY.fullmatch(found[0]) if len(found) == 1 else None
    return None if value is None else int(value[1])


def with_priority(header: bytes, priority: int) -> bytes:
    """Return *header* with one MT-Priority field, which says *priority* (RFC 6758 §3.3); as it is where it does."""
    if priority_of(header) == priority:
        return header
    return f"MT-Priority: {priority}\r\n".encode() + without(header, b"mt-priority")


def _bodies(header: bytes, wanted: bytes) -> list[str]:
    # A look that costs next to nothing, and of nearly every message is all.
    if wanted not in header.lower():
        return []
    return [unfold(body) for name, body, _ in fields(header) if name == wanted]
