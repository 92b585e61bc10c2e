"""Drives a server's core with what a fuzzer sends, as the transport would."""

from collections.abc import Callable, Iterable
from typing import Any

from mailsuite.wire.events import CLOSE, HANG_UP, START_TLS, SessionCore


def serve(core: SessionCore, respond: Callable[[Any], Any], segments: Iterable[bytes]) -> bytes:
    """Return what the server says to *segments*, up to the beginning of TLS.

    Only what respondents of tests raise on purpose (`RuntimeError`) is an answer; all else is a fault.
    """
    said = b""
    closed = False
    for segment in (b"", *segments):
        core.receive(segment)
        while (event := core.next_event()) is not None:
            assert not closed, f"{event} after the end"
            if event is START_TLS:
                said += core.bytes_to_send()
                core.tls_started()
                assert core.unread == 0, "what came before TLS is kept"
                return said
            if event is CLOSE or event is HANG_UP:
                closed = True
                continue
            try:
                answer = respond(event)
            except RuntimeError:
                core.fail()
                continue
            if event.asks:
                core.answer(answer)
        said += core.bytes_to_send()
    return said
