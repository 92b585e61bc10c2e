"""The grammar of paths and parameters (RFC 5321 §4.1.2, RFC 6531 §3.3), as precompiled patterns with their ABNF."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from mailsuite.address import Address, a_labels

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
# Dot-string = Atom *("." Atom)
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
# Quoted-string = DQUOTE *QcontentSMTP DQUOTE; qtextSMTP = %d32-33 / %d35-91 / %d93-126;
# quoted-pairSMTP = %d92 %d32-126
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
# sub-domain = Let-dig [Ldh-str]; a trailing dot is no part of it.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
# address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
_LITERAL = r"\[[!-Z^-~]+\]"
# A-d-l = At-domain *( "," At-domain ): the source route, accepted and ignored (§3.3, §4.1.1.3, appendix C).
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"

# Mailbox = Local-part "@" ( Domain / address-literal )
_MAILBOX = re.compile(
    rf"<{_ROUTE}(?:(?P<dotted>{_DOT_STRING})|(?P<quoted>{_QUOTED}))"
    rf"@(?P<domain>{_DOMAIN}|{_LITERAL})>"
)
# RFC 6531 §3.3: atext =/ UTF8-non-ascii; qtextSMTP =/ UTF8-non-ascii; sub-domain =/ U-label. The replacement character
# stands for octets that are no UTF-8.
_WIDE = r"\x80-\ud7ff\ue000-\ufffc\ufffe-\U0010ffff"
_WIDE_ATEXT = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_WIDE}-]"
_WIDE_DOT_STRING = rf"{_WIDE_ATEXT}+(?:\.{_WIDE_ATEXT}+)*"
_WIDE_QUOTED = rf'"(?:[ !#-\[\]-~{_WIDE}]|\\[ -~])*"'
# What is a U-label in it is for IDNA to say.
_WIDE_DOMAIN = rf"[A-Za-z0-9.{_WIDE}-]+"
_WIDE_ROUTE = rf"(?:@{_WIDE_DOMAIN}(?:,@{_WIDE_DOMAIN})*:)?"
_WIDE_MAILBOX = re.compile(
    rf"<{_WIDE_ROUTE}(?:(?P<dotted>{_WIDE_DOT_STRING})|(?P<quoted>{_WIDE_QUOTED}))"
    rf"@(?P<domain>{_DOMAIN}|{_LITERAL}|{_WIDE_DOMAIN})>"
)
_HOST = re.compile(r"[!-~]{1,255}")
# esmtp-param = esmtp-keyword ["=" esmtp-value]; esmtp-value = 1*(%d33-60 / %d62-126)
_PARAMETER = re.compile(r"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~]+))?")
# esmtp-value =/ UTF8-non-ascii (RFC 6531 §3.3)
_WIDE_PARAMETER = re.compile(rf"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~{_WIDE}]+))?")
_ESCAPED = re.compile(r"\\(.)")
# hexchar = "+" 2(%x30-39 / %x41-46); xchar = %d33-42 / %d44-60 / %d62-126 (RFC 3461 §4)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
# Letters that are not seen and have their place in words all the same (RFC 5892, appendix A.1 and A.2).
_JOINERS = str.maketrans("", "", "\u200c\u200d")


class TooLong(ValueError):
    """An address is past a limit of RFC 5321 §4.5.3.1."""


class BadDomain(ValueError):
    """A domain is not ASCII, and no internationalized domain name either (RFC 5890)."""


def split_path(argument: str, keyword: str) -> tuple[str, str] | None:
    """Split what follows MAIL or RCPT into ``<path>`` and the text of the parameters.

    *keyword* is ``FROM`` or ``TO``. A space after the colon is taken, as everybody takes it (RFC 5321 §4.1.1.2
    forbids the client to send it). ``None`` where the form is another.
    """
    head = argument[: len(keyword) + 1]
    if head.upper() != keyword + ":":
        return None
    rest = argument[len(head) :].lstrip(" ")
    if not rest.startswith("<"):
        return None
    end = _path_end(rest)
    if end < 0:
        return None
    parameters = rest[end:]
    if parameters and not parameters.startswith(" "):
        return None
    return rest[:end], parameters.strip(" ")


def _path_end(text: str) -> int:
    """Return the index after the ``>`` that closes the path; a quoted string may hold others."""
    end = text.find(">")
    if '"' not in text[:end]:
        return end + 1 if end >= 0 else -1
    quoted = False
    index = 1
    while index < len(text):
        letter = text[index]
        if quoted and letter == "\\":
            index += 1
        elif letter == '"':
            quoted = not quoted
        elif letter == ">" and not quoted:
            return index + 1
        index += 1
    return -1


def mailbox(path: str, max_path: int, max_local: int, max_domain: int, utf8: bool = False) -> Address | None:
    """Return the address in ``<path>``; ``None`` where it is none. Raises `TooLong` past a limit.

    With *utf8* it may have other letters than ASCII (RFC 6531 §3.3): then it may raise `BadDomain`, too.
    """
    if utf8 and not path.isascii():
        return _wide_mailbox(path, max_path, max_local, max_domain)
    found = _MAILBOX.fullmatch(path)
    if found is None:
        return None
    dotted, quoted, domain = found.group("dotted", "quoted", "domain")
    written = dotted if dotted is not None else quoted
    # §4.5.3.1.3: the path counts with its punctuation; the limits of its parts count what was written.
    if len(path) > max_path or len(written) > max_local or len(domain) > max_domain:
        raise TooLong(path)
    if len(domain) > 63 and any(len(label) > 63 for label in domain.split(".")) and not domain.startswith("["):
        raise TooLong(path)
    if domain.startswith("[") and not is_literal(domain):
        return None
    local = dotted if dotted is not None else _ESCAPED.sub(r"\1", quoted[1:-1])
    return Address(local, domain)


def _wide_mailbox(path: str, max_path: int, max_local: int, max_domain: int) -> Address | None:
    """Limits are of octets, as ever; that of a domain is the one of its A-labels, which is what DNS gets to see."""
    found = _WIDE_MAILBOX.fullmatch(path)
    if found is None:
        return None
    dotted, quoted, domain = found.group("dotted", "quoted", "domain")
    written = dotted if dotted is not None else quoted
    if len(path.encode()) > max_path or len(written.encode()) > max_local:
        raise TooLong(path)
    name = domain if domain.isascii() else a_labels(domain)
    if name is None:
        raise BadDomain(domain)
    local = dotted if dotted is not None else _ESCAPED.sub(r"\1", quoted[1:-1])
    # With that, what is left to be judged is an address of ASCII.
    return None if mailbox(f"<a@{name}>", max_path, max_local, max_domain) is None else Address(local, domain)


def is_literal(text: str) -> bool:
    """Say whether *text* is an address literal that names an IP address (RFC 5321 §4.1.3)."""
    inside = text[1:-1]
    if "%" in inside:
        # A zone, which Python takes, means nothing on another host.
        return False
    try:
        if inside[:5].upper() == "IPV6:":
            IPv6Address(inside[5:])
        else:
            IPv4Address(inside)
    except AddressValueError:
        return False
    return True


def is_host(text: str) -> bool:
    """Say whether *text* can stand behind EHLO: printable ASCII without a space.

    More than RFC 5321 §4.1.1.1 allows, on purpose: §4.1.4 forbids to refuse a client for a name that does not
    check out, and many say one with an underscore.
    """
    return _HOST.fullmatch(text) is not None


def is_printable(text: str) -> bool:
    """Say whether *text* can be shown on one line, whatever the language; joiners between letters are no obstacle."""
    return text.isprintable() or text.translate(_JOINERS).isprintable()


def parameters(text: str, utf8: bool = False) -> Iterator[tuple[str, str | None]]:
    """Yield each parameter's keyword in upper case and its value. Raises `ValueError` on bad syntax.

    With *utf8* a value may have other letters than ASCII.
    """
    pattern = _WIDE_PARAMETER if utf8 else _PARAMETER
    for word in text.split(" "):
        if not word:
            continue
        found = pattern.fullmatch(word)
        if found is None:
            raise ValueError(word)
        yield found["keyword"].upper(), found["value"]


def xtext(value: str) -> str:
    """Decode xtext (RFC 3461 §4). Raises `ValueError` where it is none, or holds what is not UTF-8."""
    if _XTEXT.fullmatch(value) is None:
        raise ValueError("not xtext")
    octets = _HEXCHAR.sub(lambda found: bytes.fromhex(found[1].decode()), value.encode("ascii"))
    return octets.decode("utf-8")
