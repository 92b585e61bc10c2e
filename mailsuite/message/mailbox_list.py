"""Lists of mailboxes as people and programs write them (RFC 5322 §3.4, RFC 6532 §3.2), read in linear time.

Comments, groups, quoted local parts, address literals and whatever else there is are not read here.
"""

import re

from mailsuite.address import Address

_LETTERS = r"A-Za-z0-9\x80-\ud7ff\ue000-\U0010ffff"
_ATOM_LETTERS = rf"{_LETTERS}!#$%&'*+/=?^_`{{|}}~\-"
_ATOM = rf"[{_ATOM_LETTERS}]++"
_LABEL = rf"[{_LETTERS}][{_LETTERS}-]*+"
# addr-spec = local-part "@" domain
_ADDRESS = rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)"
# phrase = 1*word; a dot behind its beginning is obsolete (obs-phrase), and nobody reads it otherwise.
_WORD = rf'(?:[{_ATOM_LETTERS}.]++|"(?:[^"\\]|\\.)*")'
_PHRASE = rf"(?!\.){_WORD}(?:[ \t]++{_WORD})*"
# Whatever follows a repeated group differs from how the group begins, so that what was read as one thing fails at once
# as another. (Possessive are sets alone: Python before 3.11.5 loses its place in a possessive group, gh-106052.)
_MAILBOX = re.compile(rf"[ \t]*+(?:{_ADDRESS}|(?:{_PHRASE})?[ \t]*+<{_ADDRESS}>)[ \t]*+(?:,|\Z)")


def mailboxes(text: str) -> list[Address] | None:
    """Return the addresses in *text*, a field's body on one line; ``None`` where it has another form."""
    found: list[Address] = []
    start = 0
    while True:
        mailbox = _MAILBOX.match(text, start)
        if mailbox is None:
            return None
        local, domain = mailbox[1] or mailbox[3], mailbox[2] or mailbox[4]
        # An encoded word has no place in an address (RFC 2047 §5); there are programs that decode it all the same.
        if "=?" in local or not f"{local}{domain}".isprintable():
            return None
        found.append(Address(local, domain))
        start = mailbox.end()
        if text[start - 1] != ",":
            return found
