"""The loads: Postfix's ``smtp-source``, and a client of our own for where that is not installed."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from typing import TypeAlias

from benchmarks.servers import RECIPIENT

SENDER = "bench@client.example"


def smtp_source(
    port: int, messages: int, size: int, connections: int, reuse: bool, recipient: str = RECIPIENT
) -> None:
    """Send *messages* with ``smtp-source``; returns when the last was acknowledged. Raises `RuntimeError`."""
    command = ["smtp-source", "-s", str(connections), "-m", str(messages), "-l", str(size), "-f", SENDER]
    command += [*(["-d"] if reuse else []), "-t", recipient, f"127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source: {done.stderr}")


def has_smtp_source() -> bool:
    """Say whether ``smtp-source`` is installed (Debian's package postfix)."""
    return shutil.which("smtp-source") is not None


def own_client(port: int, messages: int, size: int, connections: int, reuse: bool) -> None:
    """Send *messages* with a client of our own, one command at a time. Raises `RuntimeError`."""
    message = _message(size)
    content = [(b"DATA\r\n", b"354"), (message + b".\r\n", b"250")]
    asyncio.run(_send_all(port, messages, b"HELO", content, connections, reuse))


def own_client_bdat(port: int, messages: int, size: int, connections: int, reuse: bool) -> None:
    """Send *messages* with it by BDAT (RFC 3030), each in one chunk. Raises `RuntimeError`."""
    message = _message(size)
    chunk = b"BDAT %d LAST\r\n%b" % (len(message), message)
    asyncio.run(_send_all(port, messages, b"EHLO", [(chunk, b"250")], connections, reuse))


# What is said of the content, and how the answers begin.
_Talk: TypeAlias = Sequence[tuple[bytes, bytes]]


async def _send_all(port: int, messages: int, hello: bytes, content: _Talk, connections: int, reuse: bool) -> None:
    left = iter(range(messages))
    await asyncio.gather(*(_sender(port, left, hello, content, reuse) for _ in range(connections)))


async def _sender(port: int, left: "object", hello: bytes, content: _Talk, reuse: bool) -> None:
    session: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for _ in left:  # type: ignore[attr-defined]
        if session is None:
            session = await asyncio.open_connection("127.0.0.1", port)
            await _reply(session[0], b"220")
            await _say(session, b"%b client.example\r\n" % hello, b"250")
        await _say(session, b"MAIL FROM:<%s>\r\n" % SENDER.encode(), b"250")
        await _say(session, b"RCPT TO:<%s>\r\n" % RECIPIENT.encode(), b"250")
        for said, code in content:
            await _say(session, said, code)
        if not reuse:
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


def _message(size: int) -> bytes:
    head = b"From: <bench@client.example>\r\nTo: <alice@example.test>\r\nSubject: benchmark\r\n\r\n"
    line = b"x" * 78 + b"\r\n"
    return head + line * ((size - len(head)) // len(line))
