"""Clients that send: Postfix's ``smtp-source``, and one of our own for where that is not installed, and for BDAT."""

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.peers.peer import address, installed

SENDER = "bench@client.example"
_SECONDS = 180.0


@dataclass(frozen=True)
class Load:
    """So many *messages* of *size* octets for *recipient*, over so many *connections* at a time.

    They are kept open where *reuse* says so, else each message has its own. A message has so many *recipients*, of
    which each but the first has its number before its address: ``smtp-source -r`` has it so.
    """

    recipient: str
    messages: int
    size: int = 4096
    connections: int = 20
    reuse: bool = True
    recipients: int = 1

    def addresses(self) -> Sequence[str]:
        """Return to whom each message goes."""
        return [f"{number if number > 1 else ''}{self.recipient}" for number in range(1, self.recipients + 1)]


def send(port: int, load: Load) -> None:
    """Send with ``smtp-source`` where it is, else with our own. Raises `RuntimeError` where one is refused."""
    if not installed("smtp-source"):
        send_by_data(port, load)
        return
    command = ["smtp-source", "-s", str(load.connections), "-m", str(load.messages), "-l", str(load.size)]
    command += ["-f", SENDER, *(["-d"] if load.reuse else []), "-t", load.recipient]
    command += [*(["-r", str(load.recipients)] if load.recipients > 1 else []), f"127.0.0.1:{port}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"smtp-source was not done after {_SECONDS:.0f} s") from error
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source: {done.stderr}")


def send_by_data(port: int, load: Load) -> None:
    """Send with a client of our own, one command at a time. Raises `RuntimeError` where one is refused."""
    message = content(load.size)
    asyncio.run(_send_all(port, load, b"HELO", [(b"DATA\r\n", b"354"), (message + b".\r\n", b"250")]))


def send_by_bdat(port: int, load: Load) -> None:
    """Send with it by BDAT (RFC 3030), each message in one chunk. Raises `RuntimeError` where one is refused."""
    message = content(load.size)
    asyncio.run(_send_all(port, load, b"EHLO", [(b"BDAT %d LAST\r\n%b" % (len(message), message), b"250")]))


def content(size: int, sender: str = SENDER) -> bytes:
    """Return a message of about *size* octets."""
    head = f"From: <{sender}>\r\nTo: <{address('somebody')}>\r\nSubject: benchmark\r\n\r\n".encode()
    line = b"x" * 78 + b"\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


# What is said of the content, and how the answers begin.
_Talk: TypeAlias = Sequence[tuple[bytes, bytes]]


async def _send_all(port: int, load: Load, hello: bytes, talk: _Talk) -> None:
    left = iter(range(load.messages))
    await asyncio.gather(*(_sender(port, load, left, hello, talk) for _ in range(load.connections)))


async def _sender(port: int, load: Load, left: Iterator[int], hello: bytes, talk: _Talk) -> None:
    session: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for _ in left:
        if session is None:
            session = await asyncio.open_connection("127.0.0.1", port)
            await _reply(session[0], b"220")
            await _say(session, b"%b client.example\r\n" % hello, b"250")
        await _say(session, b"MAIL FROM:<%b>\r\n" % SENDER.encode(), b"250")
        for recipient in load.addresses():
            await _say(session, b"RCPT TO:<%b>\r\n" % recipient.encode(), b"250")
        for said, code in talk:
            await _say(session, said, code)
        if not load.reuse:
            await _close(session)
            session = None
    if session is not None:
        await _close(session)


async def _close(session: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    await _say(session, b"QUIT\r\n", b"221")
    session[1].close()


async def _say(session: tuple[asyncio.StreamReader, asyncio.StreamWriter], octets: bytes, code: bytes) -> None:
    session[1].write(octets)
    await _reply(session[0], code)


async def _reply(reader: asyncio.StreamReader, code: bytes) -> None:
    line = await reader.readline()
    while line[3:4] == b"-":
        line = await reader.readline()
    if not line.startswith(code):
        raise RuntimeError(f"expected {code!r}, got {line!r}")
