"""What the loads send: the same, whichever of them is there."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.loads.smtp import Load, content, send, send_by_bdat, send_by_data
from benchmarks.peers.peer import installed, wait_for_greeting
from tests.system.ports import free_ports


class _Taken:
    """A server of SMTP that takes all, and what it was told."""

    def __init__(self) -> None:
        self.sessions = 0
        self.recipients: list[str] = []
        self.messages = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client."""
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if verb in ("HELO", "EHLO"):
                self.sessions += 1
            elif verb == "RCPT":
                self.recipients.append(rest.partition("<")[2].partition("@")[0])
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            elif verb == "BDAT":
                await reader.readexactly(int(rest.split()[0]))
            self.messages += verb in ("DATA", "BDAT")
            writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 fine\r\n")
        writer.close()


@contextmanager
def _server() -> Iterator[tuple[int, _Taken]]:
    taken = _Taken()
    loop = asyncio.new_event_loop()
    (port,) = free_ports(1)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    served = asyncio.run_coroutine_threadsafe(asyncio.start_server(taken.serve, "127.0.0.1", port), loop).result(30)
    try:
        wait_for_greeting(port, lambda: "")
        yield port, taken
    finally:
        loop.call_soon_threadsafe(served.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


_LOADS = [send_by_data, send_by_bdat, *([send] if installed("smtp-source") else [])]


@pytest.mark.parametrize("load", _LOADS)
@pytest.mark.parametrize("reuse", [True, False])
def test_so_many_messages_go_to_so_many(load: object, reuse: bool) -> None:
    """Over connections that are kept, or over one for each message."""
    with _server() as (port, taken):
        load(port, Load("many@example.test", 6, 512, 2, reuse, 3))  # type: ignore[operator]

        assert taken.messages == 6
        assert sorted(taken.recipients) == sorted(["many", "2many", "3many"] * 6)
        assert taken.sessions == (2 if reuse else 6)


def test_a_message_has_the_size_that_was_asked() -> None:
    """To a line."""
    assert 4096 - 80 < len(content(4096)) <= 4096
    assert len(content(1)) < 512
