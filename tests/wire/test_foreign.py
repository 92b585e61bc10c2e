"""Other protocols on a mail port: known by their first line, and no command of ours is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.pop3.server import VERBS as POP3_VERBS
from mailsuite.smtp.commands import EXTENSION_VERBS, KNOWN, VERBS
from mailsuite.wire.foreign import TLS_RECORD, is_foreign

FIRST_LINES = [
    b"GET / HTTP/1.1",
    b"get / http/1.0",
    b"POST /x HTTP/1.1",
    b"CONNECT mail.example.org:25 HTTP/1.1",
    b"PROPPATCH /x HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"GET /",
    b"Host: mail.example.org",
    b"OPTIONS rtsp://mail.example.org/ RTSP/1.0",
    b"OPTIONS sip:nm SIP/2.0",
    b"SSH-2.0-OpenSSH_9.2",
    b"*1",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
OURS = sorted({*map(str.encode, (*VERBS, *EXTENSION_VERBS, *KNOWN)), *POP3_VERBS})


@pytest.mark.parametrize("line", FIRST_LINES)
def test_foreign_lines(line: bytes) -> None:
    """What clients of other protocols say first."""
    assert is_foreign(line)


@pytest.mark.parametrize("line", [b"", b" ", b"GETT x", b"*", b"*x", b"SSH", b"HTTP/1.1", b"\x16", b"NONSENSE", b"."])
def test_mere_nonsense(line: bytes) -> None:
    """An error like others."""
    assert not is_foreign(line)


@given(st.sampled_from(OURS), st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30))
def test_commands_are_never_foreign(verb: bytes, argument: str) -> None:
    """Unless they end as a request of HTTP does; and then only an unknown one is asked about."""
    line = verb + b" " + argument.encode()

    assert not is_foreign(line) or line[-2:-1] == b"."


@given(st.binary(max_size=60))
def test_any_octets_have_an_answer(line: bytes) -> None:
    """Quickly, whatever they are."""
    assert is_foreign(TLS_RECORD + line)
    assert is_foreign(line) in (True, False)
