"""Messages: fields are found and changed without another octet's change, and conversions keep what they must."""

from mailsuite.message import headers, mime, submission, trace
from mailsuite.message.downgrade import CannotConvert, to_seven_bit
from mailsuite.message.enclosed import is_sound
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """The octets are a message."""
    end = headers.header_end(data)
    header = data if end < 0 else data[:end]
    assert b"".join(whole for _, _, whole in headers.fields(header)) == header
    kept = headers.without(header, b"received", b"bcc")
    assert not headers.has_field(kept, b"received") and not headers.has_field(kept, b"bcc")
    assert trace.hops(header) >= 0
    trace.forwarded_from(header)
    assert not headers.has_field(trace.without_return_path(header), b"return-path")
    _complete(header)
    _convert(data)
    is_sound(data)
    for read in (mime.content_type, mime.encoding):
        try:
            read(header)
        except mime.Unclear:
            pass


def _complete(header: bytes) -> None:
    complete = submission.complete(header, 0.0, "x@y.example")
    assert headers.has_field(complete, b"date") and headers.has_field(complete, b"message-id")
    for address in submission.authors(header) or ():
        assert address.domain and f"{address}".isprintable()


def _convert(data: bytes) -> None:
    try:
        converted = to_seven_bit(data)
    except CannotConvert as error:
        assert error.reason
        return
    assert converted.isascii()
    # RFC 6152 §3: a message that was converted once needs no conversion.
    assert to_seven_bit(converted) is converted


PART = Target("message", run)
