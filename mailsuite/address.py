"""Mail addresses as values: what was written, and how two of them are compared.

RFC 5321 §2.3.11 and §4.1.2 (local part and domain), §2.4 (domains match without regard to case),
RFC 5890 (A-labels and U-labels), RFC 6531 §3.3 (other letters than ASCII). Parsing an address off the wire is
`mailsuite.smtp.grammar`'s work.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

POSTMASTER = "postmaster"
# RFC 2142 §4 and §5: the names that every domain of ours answers to.
ROLES = frozenset({POSTMASTER, "abuse"})
_DOT_STRING = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010ffff]+"
                         r"(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010ffff]+)*")
# A domain name on the wire (RFC 5321 §4.1.2), and the most octets that one has (§4.5.3.1.2).
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_NAME_OCTETS = 255
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def domain_key(domain: str) -> str:
    """Return *domain* in the one form in which domains are compared: lower-case A-labels.

    An address literal (``[192.0.2.1]``) is only lower-cased. A name that IDNA refuses keeps its
    lower-case form, so that it equals itself and no valid name.
    """
    lowered = domain.lower()
    if lowered.isascii():
        return lowered
    return a_labels(lowered) or lowered


# The same domains come again and again.
@lru_cache(maxsize=1024)
def a_labels(domain: str) -> str | None:
    """Return *domain*, which is not ASCII, in lower case and as A-labels; ``None`` where that is no domain name.

    What IDNA 2008 refuses is none (RFC 5891 §5.4, RFC 5893). Case, width and composition make no difference (UTS 46);
    but only a full stop parts labels, so that everybody finds the same ones.
    """
    if len(domain) > _NAME_OCTETS:
        return None
    try:
        name = idna.encode(domain.lower(), uts46=True).decode("ascii")
    except UnicodeError:
        return None
    return name if name.count(".") == domain.count(".") and _NAME.fullmatch(name) else None


def local_key(local: str) -> str:
    """Return a local part in the form in which ours are compared: NFC, without regard to case."""
    if local.isascii():
        return local.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).casefold())


def subaddress(local: str) -> tuple[str, str]:
    """Return the user and the detail of which *local* is made; of what is no plus-address, all is user."""
    user, _, detail = local.partition("+")
    return (user, detail) if user else (local, "")


def unquoted(local: str) -> str:
    """Return the local part that *local* is written for: without quotes and backslashes where it is a quoted string,
    else as it is. ``"alice"``, ``"al\\ice"`` and ``alice`` are the same (RFC 5321 §4.1.2)."""
    quoted = _QUOTED.fullmatch(local)
    return _ESCAPED.sub(r"\1", quoted[1]) if quoted else local


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox address: *local* without quoting, *domain* as it was written.

    *domain* is empty only for ``<Postmaster>`` without a domain (RFC 5321 §4.1.1.3).
    ``str()`` gives the form for the wire, quoted where it must be (RFC 5321 §4.1.2).
    """

    local: str
    domain: str

    @property
    def key(self) -> tuple[str, str]:
        """The pair under which this address is looked up: `local_key` and `domain_key`."""
        return local_key(self.local), domain_key(self.domain)

    @property
    def in_a_labels(self) -> "Address":
        """This address with a domain that is ASCII, as A-labels (RFC 5890); one that IDNA refuses stays as it is."""
        return self if self.domain.isascii() else Address(self.local, domain_key(self.domain))

    @property
    def in_u_labels(self) -> "Address":
        """This address with a domain in the letters of those who use it, as U-labels (RFC 5890 §2.3.2.1)."""
        try:
            return Address(self.local, idna.decode(self.domain)) if "xn--" in self.domain.lower() else self
        except UnicodeError:
            return self

    @property
    def needs_utf8(self) -> bool:
        """Whether only SMTPUTF8 can carry it (RFC 6531 §3.2): a domain has A-labels for its letters, nothing else has.
        """
        return not self.local.isascii()

    def __str__(self) -> str:
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{local}@{self.domain}" if self.domain else local
