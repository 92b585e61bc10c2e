"""Surrogates for POP3 clients without UTF-8: as long as the message, however it comes, in ASCII where it matters."""

from mailsuite.message.headers import HEADER_OCTETS, header_end
from mailsuite.message.surrogate import Surrogate
from tests.fuzz.target import FIRST, Target, choose, pieces


def run(data: bytes) -> None:
    """The first octet chooses how the rest is cut; line ends are made CRLF."""
    message = data[1:].replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n")
    made = surrogate([message])

    assert len(made) == len(message)
    assert made == surrogate(pieces(message, choose(data, 0, range(1, 40)))), "a cut changes the surrogate"
    assert made == message or not message.isascii()
    end = header_end(message)
    if 0 < end <= HEADER_OCTETS and is_text(message[:end]):
        head = made[: header_end(made)]
        assert head.isascii(), "the header section is not ASCII"


def surrogate(segments: list[bytes]) -> bytes:
    """Make the surrogate of a message that comes in *segments*."""
    maker = Surrogate()
    return b"".join([*map(maker.take, segments), maker.end()])


def is_text(octets: bytes) -> bool:
    """Say whether *octets* are UTF-8."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def seeds() -> list[bytes]:
    """Return a message with all that is converted."""
    text = (
        "Subject: ä\nFrom: \"ö\" <a@b>, ü@ä (ö), ä: x@y;\nReceived: x\nDKIM-Signature: x\n"
        "Content-Type: multipart/mixed; boundary=b; x=ä\n\n--b\nContent-Type: message/rfc822\n\nSubject: ä\n\n"
        "--b\nContent-Type: multipart/digest; boundary=bb\n\n--bb\n\nTo: ä@b\n\n--bb--\n--b--\nä\n"
    )
    return [bytes([FIRST]) + text.encode()]


PART = Target("surrogate", run, seeds)
