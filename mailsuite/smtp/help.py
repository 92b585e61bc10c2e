"""What HELP tells of each command of RFC 5321 (§4.1.1.8): its syntax, and what it is for."""

from collections.abc import Mapping

_HELLO = "Says who you are, and begins anew; the answer lists what is spoken here"

HELP: Mapping[str, tuple[str, ...]] = {
    "EHLO": ("EHLO host-name-or-address-literal", _HELLO),
    "LHLO": ("LHLO host-name-or-address-literal", _HELLO),
    "HELO": ("HELO host-name", "Says who you are, and begins anew, without extensions"),
    "MAIL": ("MAIL FROM:<address> [parameter ...]", "Begins a message; <> is the address of reports"),
    "RCPT": ("RCPT TO:<address> [parameter ...]", "Names one more recipient of the message"),
    "DATA": ("DATA", "Asks to send the message; it ends with a line that is a single dot"),
    "RSET": ("RSET", "Forgets the message"),
    "NOOP": ("NOOP [text]", "Does nothing"),
    "QUIT": ("QUIT", "Ends the session"),
    "HELP": ("HELP [command]", "Tells of all commands, or of one"),
    "VRFY": ("VRFY user-or-address", "Asks whether there is such an address; nobody is told"),
    "EXPN": ("EXPN list", "Asks for the members of a list; told to those who have logged in"),
}
