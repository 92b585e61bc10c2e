"""Lines and dots: only CRLF ends a line, only CR LF . CR LF a message, and what is stuffed comes back."""

from collections.abc import Iterable

from mailsuite.wire.dots import DotReader, DotWriter
from mailsuite.wire.lines import Fault, Inbox
from tests.fuzz.target import Target, choose, pieces

LIMIT = 40
MARK = b"\r\n.\r\n"


def run(data: bytes) -> None:
    """The first octet says how the rest is cut."""
    segments = pieces(data[1:], choose(data, 0, range(1, 17)))
    text = data[1:]
    assert lines([text]) == lines(segments) == expected_lines(text)
    for normalize in (False, True):
        body, rest = read([text], normalize)
        assert (body, rest) == read(segments, normalize)
        if not normalize:
            assert (body, rest) == expected_body(text)
    assert written([text]) == written(segments)
    # Whatever is stored, a strict receiver gets it whole, and one message of it.
    closed = text if text.endswith(b"\r\n") or not text else text + b"\r\n"
    assert read([written(segments) + b"QUIT\r\n"], False) == (closed, b"QUIT\r\n")


def lines(segments: Iterable[bytes]) -> list[bytes | Fault]:
    """Return the lines that are read."""
    inbox, found = Inbox(), []
    for segment in segments:
        inbox.receive(segment)
        while (line := inbox.line(LIMIT)) is not None:
            found.append(line)
        assert inbox.unread <= LIMIT
    return found


def expected_lines(text: bytes) -> list[bytes | Fault]:
    """Return the lines that there are."""
    return [_line(line) for line in text.split(b"\r\n")[:-1]]


def _line(line: bytes) -> bytes | Fault:
    if len(line) + 2 > LIMIT:
        return Fault.TOO_LONG
    return Fault.BARE_NEWLINE if b"\r" in line or b"\n" in line else line


def read(segments: Iterable[bytes], normalize: bool) -> tuple[bytes, bytes | None]:
    """Return a body, and what follows its end mark."""
    reader, body = DotReader(LIMIT, normalize), b""
    rest: bytes | None = None
    for segment in segments:
        if rest is not None:
            rest += segment
            continue
        piece, rest = reader.read(segment)
        body += piece
    return body, rest


def expected_body(text: bytes) -> tuple[bytes, bytes | None]:
    """Return what `read` has to, but for what may be held back where no mark has come."""
    head, mark, rest = (b"\r\n" + text).partition(MARK)
    if mark:
        return (head + b"\r\n").replace(b"\r\n.", b"\r\n")[2:], rest
    held = next((size for size in (4, 3, 2, 1) if head.endswith(MARK[:size])), 0)
    return head[: len(head) - held].replace(b"\r\n.", b"\r\n")[2:], None


def written(segments: Iterable[bytes]) -> bytes:
    """Return the multi-line response that carries *segments*."""
    writer = DotWriter()
    return b"".join(map(writer.write, segments)) + writer.end()


PART = Target("wire", run)
