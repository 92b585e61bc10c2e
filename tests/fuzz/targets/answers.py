"""What servers say, as the client reads it: a cut changes nothing, and what is kept can be shown."""

from collections.abc import Iterable

from mailsuite.smtp.answers import AnswerReader, Garbled, ServerReply
from tests.fuzz.target import Target, choose, pieces


def run(data: bytes) -> None:
    """The first octet says how the rest is cut."""
    whole = replies([data[1:]])

    assert whole == replies(pieces(data[1:], choose(data, 0, range(1, 17))))
    for reply in whole:
        if isinstance(reply, ServerReply):
            answer = reply.answer
            assert 0 <= answer.code <= 999 and reply.kind == answer.code // 100
            assert all(line.isprintable() and line.isascii() for line in answer.lines)


def replies(segments: Iterable[bytes]) -> list[ServerReply | Garbled]:
    """Return what is read, up to the first thing that is no reply."""
    reader, found = AnswerReader(), list[ServerReply | Garbled]()
    for segment in segments:
        reader.receive(segment)
        while not (found and isinstance(found[-1], Garbled)) and (reply := reader.read()) is not None:
            found.append(reply)
    return found


PART = Target("answers", run)
