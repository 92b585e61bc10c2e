"""What speaks another protocol on a mail port, by the first octets of a line.

A browser that was lured here sends its own request first and its attacker's lines later: nothing of them must be
obeyed. A client of TLS waits for an answer that plain text is not.
"""

import re

# How the log calls it.
OTHER_PROTOCOL = "other_protocol"
# The type of a handshake record, and the major version of all of TLS.
TLS_RECORD = b"\x16\x03"

# The methods of HTTP, RTSP and SIP that mean nothing in mail, a field of a request, what SSH says first, an array of
# Redis; and whatever ends as a request line does.
_FOREIGN = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI|PROPFIND|DESCRIBE|SETUP|PLAY|REGISTER|INVITE) "
    rb"|HOST:|SSH-\d|\*\d+$|[^\0]* (?:HTTP|RTSP|SIP)/\d\.\d$",
    re.IGNORECASE,
)


def is_foreign(line: bytes) -> bool:
    """Say whether *line*, which is no command, is another protocol's."""
    return line.startswith(TLS_RECORD) or _FOREIGN.match(line) is not None
