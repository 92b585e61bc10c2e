"""8-bit messages made 7-bit: nothing is lost, nothing else changes, what must not be touched is refused."""

import quopri
import time
from base64 import encodebytes
from email import message_from_bytes, policy
from email.message import Message
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.message.downgrade import NESTING, PARTS, CannotConvert, to_seven_bit
from mailsuite.message.headers import fields, header_end
from mailsuite.message.mime import BOUNDARY_OCTETS, FIELD_OCTETS, is_seven_bit

HEAD = b"From: a@a.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


def leaves(content: bytes) -> list[tuple[str, bytes]]:
    """Return type and decoded octets of every leaf, as Python's parser, which is not ours, sees them."""
    found: list[tuple[str, bytes]] = []
    for part in message_from_bytes(content, policy=policy.compat32).walk():
        if not part.is_multipart():
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found.append((part.get_content_type(), payload))
    return found


def encodings(content: bytes) -> list[str]:
    """Return the encoding that each entity says it has."""
    parts: list[Message] = list(message_from_bytes(content).walk())
    return [str(part.get("Content-Transfer-Encoding", "none")) for part in parts]


def multipart(*parts: bytes, boundary: bytes = b"b", minor: bytes = b"mixed", more: bytes = b"") -> bytes:
    """Return an entity that holds *parts*."""
    start = b"Content-Type: multipart/%s; boundary=%s\r\n%s\r\n" % (minor, boundary, more)
    return start + b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary


def refusal(content: bytes) -> str:
    """Return why *content* is not converted."""
    with pytest.raises(CannotConvert) as caught:
        to_seven_bit(content)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


# What is converted


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Subject: x\r\n\r\n",
        HEAD + b"Content-Transfer-Encoding: 8bit\r\n\r\nseven after all\r\n",
        HEAD + multipart(b"Content-Transfer-Encoding: binary\r\n\r\nx"),
        b"no message at all",
    ],
)
def test_seven_bit_content_is_returned_as_it_is(content: bytes) -> None:
    """There is nothing to do, whatever its labels say."""
    assert to_seven_bit(content) is content


def test_text_becomes_quoted_printable() -> None:
    """RFC 2045 §6.7; the label is corrected in its place, and every other field stays octet for octet."""
    before = (
        b"Received: from x\r\n\tby y\r\ncontent-TYPE:  text/plain;\r\n charset=utf-8 (really)\r\n"
        b"Content-Transfer-Encoding: 8BIT\r\nMIME-Version: 1.0\r\nX-Odd:   spaced  \r\n\r\nSch\xc3\xb6n = ja \r\n.\r\n"
    )

    assert to_seven_bit(before) == (
        b"Received: from x\r\n\tby y\r\ncontent-TYPE:  text/plain;\r\n charset=utf-8 (really)\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\nX-Odd:   spaced  \r\n\r\n"
        b"Sch=C3=B6n =3D ja=20\r\n=2E\r\n"
    )


@pytest.mark.parametrize(
    "label", [b"", b"Content-Transfer-Encoding: 7bit\r\n", b"Content-Transfer-Encoding: binary\r\n"]
)
def test_what_is_no_text_becomes_base64(label: bytes) -> None:
    """RFC 2045 §6.8, whatever the label said."""
    before = HEAD + b"Content-Type: image/png\r\n" + label + b"\r\n\x89PNG\r\n\x1a\xff"
    after = to_seven_bit(before)

    assert after.isascii()
    assert encodings(after) == ["base64"]
    assert leaves(after) == leaves(before)


def test_without_mime_it_becomes_mime() -> None:
    """RFC 1428 §3: the character set is unknown, and the message says so."""
    after = to_seven_bit(b"Subject: x\r\n\r\nSch\xf6n\r\n")

    assert after == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6n\r\n"
    )


def test_a_type_without_a_version_is_kept() -> None:
    """Such messages are shown by their type everywhere; a second Content-Type would help nobody."""
    after = to_seven_bit(b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>\xc3\xb6\r\n")

    assert after.startswith(b"Content-Type: text/html; charset=utf-8\r\nMIME-Version: 1.0\r\n")
    assert leaves(after) == [("text/html", b"<p>\xc3\xb6\r\n")]


def test_only_what_needs_it_is_changed() -> None:
    """RFC 2045 §6.4: multiparts say 7bit; parts of seven bits stay as they are, but for a label that says more."""
    png = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n"
    plain = b"\r\nplain\r\n"
    labelled = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain"
    eight = b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xb6\r\n"
    before = HEAD + b"Content-Transfer-Encoding: 8bit\r\n" + multipart(png, plain, labelled, eight)
    after = to_seven_bit(before)

    assert after == HEAD + b"Content-Transfer-Encoding: 7bit\r\n" + multipart(
        png,
        plain,
        labelled.replace(b"8bit", b"7bit"),
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=B6\r\n",
    )


def test_preamble_epilogue_and_padding_stay() -> None:
    """What is around the parts comes out as it was (RFC 2046 §5.1.1)."""
    before = (
        HEAD + b'Content-Type: multipart/mixed; boundary="a b:=\\?"\r\n\r\nFor old readers\r\n'
        b"--a b:=? \t\r\n\r\n\xc3\xb6"
        b"\r\n--a b:=?\r\n--a b:=?--\r\nThe end\r\n--a b:=?\r\n"
    )
    after = to_seven_bit(before)

    assert after.partition(b"\r\n\r\n")[2].startswith(b"For old readers\r\n--a b:=? \t\r\nContent-Type: text/plain;")
    assert after.endswith(b"=C3=B6\r\n--a b:=?\r\n--a b:=?--\r\nThe end\r\n--a b:=?\r\n")


def test_enclosed_messages_are_converted_too() -> None:
    """RFC 2046 §5.2.1: they cannot be encoded themselves; in a digest they need no label (§5.1.5)."""
    inner = HEAD + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xb6\r\n"
    enclosed = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + inner
    before = HEAD + multipart(enclosed, multipart(b"\r\n" + inner, boundary=b"d", minor=b"digest"))
    after = to_seven_bit(before)

    assert after.isascii()
    assert leaves(after) == leaves(before)
    assert encodings(after) == ["none", "7bit", "quoted-printable", "none", "none", "quoted-printable"]


@pytest.mark.parametrize("kind", [b"global", b"global-headers", b"global-delivery-status"])
def test_types_for_other_letters_may_be_encoded(kind: bytes) -> None:
    """RFC 6532 §3.7, RFC 6533 §4.4: unlike other messages within one."""
    octets = b"Subject: \xc3\xb6\r\n\r\n\xc3\xb6\r\n"
    part = b"Content-Type: message/" + kind + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + octets
    after = to_seven_bit(HEAD + multipart(part))

    assert after.isascii()
    assert b"message/" + kind + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =C3=B6\r\n" in after


def test_a_broken_line_never_looks_like_a_boundary() -> None:
    """Where quoted-printable would break a line just before one, the part is encoded in base64."""
    part = b"Content-Type: text/plain\r\n\r\n" + b"x" * 75 + b"--bbb and \xc3\xb6"
    before = HEAD + multipart(part, boundary=b"bbb")
    after = to_seven_bit(before)

    assert b"x=\r\n--bbb" in to_seven_bit(HEAD + part)
    assert encodings(after) == ["none", "base64"]
    assert leaves(after) == leaves(before)


def test_binary_labels_with_long_lines_are_encoded() -> None:
    """RFC 2045 §2.7, §6.2: what is called binary, and is no 7bit data for its lines, needs an encoding, too."""
    binary = b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    before = HEAD + multipart(binary + b"x" * 999, binary + b"x" * 998, binary + b"nul \0", b"\r\n\xc3\xb6")

    assert encodings(to_seven_bit(before)) == ["none", "base64", "7bit", "base64", "quoted-printable"]


# What is not


@pytest.mark.parametrize("minor", [b"signed", b"encrypted"])
def test_what_is_sealed_is_not_touched(minor: bytes) -> None:
    """RFC 1847 §2.1: alterations break the signature; a sealed part of seven bits stays as it is, beside others."""
    eight = b"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xb6"
    seven = b"Content-Transfer-Encoding: 8bit\r\n\r\no"

    assert f"multipart/{minor.decode()}" in refusal(HEAD + multipart(eight, minor=minor))
    assert f"multipart/{minor.decode()}" in refusal(HEAD + multipart(multipart(eight, boundary=b"s", minor=minor)))
    sealed = multipart(seven, boundary=b"s", minor=minor)
    assert sealed in to_seven_bit(HEAD + multipart(sealed, eight))


def test_headers_are_not_guessed_at() -> None:
    """Octets above 127 in a field, wherever it is: nobody said what they mean."""
    assert "header field" in refusal(b"Subject: \xc3\xb6\r\n\r\nx")
    assert "header field" in refusal(HEAD + multipart(b"Content-Type: text/plain; name=\xc3\xb6\r\n\r\nx"))
    assert "without an end" in refusal(b"Subject: \xc3\xb6\r\n")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n\xc3\xb6", "base64"),
        (HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n\xc3\xb6", "quoted-printable"),
        (HEAD + b"Content-Transfer-Encoding: x-mine\r\n\r\n\xc3\xb6", "x-mine"),
        (HEAD + b"Content-Transfer-Encoding: 8bit\r\n" * 2 + b"\r\n\xc3\xb6", "more than one"),
        (HEAD + b"Content-Type: text/plain\r\n" * 2 + b"\r\n\xc3\xb6", "more than one"),
        (HEAD + b"no field\r\n\r\n\xc3\xb6", "no field"),
        (HEAD + b"Content-Type: multipart\r\n\r\n\xc3\xb6", "none"),
        (HEAD + b"Content-Type: multipart/mixed\r\n\r\n\xc3\xb6", "without a boundary"),
        (HEAD + b"Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n\xc3\xb6", "several"),
        (HEAD + b'Content-Type: multipart/mixed; boundary=""\r\n\r\n\xc3\xb6', "empty"),
        (HEAD + b"Content-Type: multipart/mixed; boundary*=us-ascii''a\r\n\r\n\xc3\xb6", "2231"),
        (HEAD + b"Content-Type: multipart/mixed; boundary\r\n\r\n\xc3\xb6", "parameter"),
        (HEAD + b'Content-Type: text/plain; x="\r\n\r\n\xc3\xb6', "open"),
        (HEAD + b"Content-Type: message/partial; id=a\r\n\r\n\xc3\xb6", "message/partial"),
        (HEAD + b"Content-Type: message/delivery-status\r\n\r\n\xc3\xb6", "message/delivery-status"),
        (HEAD + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\xc3\xb6", "base64"),
        (HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xc3\xb6\r\n--b\r\n\r\nx\r\n--b--\r\n", "around"),
        (HEAD + multipart(b"\r\nx") + b"\xc3\xb6", "around"),
        (HEAD + multipart(b"no field \xc3\xb6"), "without an end"),
    ],
)
def test_what_is_not_clear_is_not_converted(content: bytes, why: str) -> None:
    """RFC 6152 §3: no loss of information, and valid MIME; else it is refused, with a reason."""
    assert why in refusal(content)


def test_broken_parts_of_seven_bits_stay() -> None:
    """They are no better and no worse than they were."""
    broken = b"Content-Type: multipart/mixed (8bit\r\n\r\nx"
    after = to_seven_bit(HEAD + multipart(broken, b"\r\n\xc3\xb6"))

    assert b"--b\r\n" + broken + b"\r\n--b" in after


# Limits


def nested(levels: int, inner: bytes) -> bytes:
    """Return *inner* within multiparts, *levels* deep."""
    for level in range(levels):
        inner = multipart(inner, boundary=b"b%d." % level)
    return inner


def test_nesting_at_the_cap_and_one_past() -> None:
    """Lesson 14: parts within parts, and messages within messages, have an end."""
    leaf = b"\r\n\xc3\xb6"
    assert to_seven_bit(HEAD + nested(NESTING - 1, leaf)).isascii()
    assert "too many" in refusal(HEAD + nested(NESTING, leaf))
    enclosed = b"Content-Type: message/rfc822\r\n\r\n"
    assert to_seven_bit(HEAD + enclosed * (NESTING - 1) + leaf).isascii()
    assert "too many" in refusal(HEAD + enclosed * NESTING + leaf)


def test_parts_at_the_cap_and_one_past() -> None:
    """Lesson 14: so have parts beside parts."""
    assert to_seven_bit(HEAD + multipart(*[b"\r\n\xc3\xb6"] * PARTS)).isascii()
    assert "too many" in refusal(HEAD + multipart(*[b"\r\n\xc3\xb6"] * (PARTS + 1)))


def test_boundaries_at_the_cap_and_one_past() -> None:
    """A longer one is nobody's honest one."""
    eight = b"\r\n\xc3\xb6"

    assert to_seven_bit(HEAD + multipart(eight, boundary=b"b" * BOUNDARY_OCTETS)).isascii()
    assert "boundary that is too long" in refusal(HEAD + multipart(eight, boundary=b"b" * (BOUNDARY_OCTETS + 1)))


def test_fields_at_the_cap_and_one_past() -> None:
    """What names the type of a part is short."""
    content = b"Content-Type: text/plain;x=%s\r\nMIME-Version: 1.0\r\n\r\n\xc3\xb6"
    start = len(b" text/plain;x=")

    assert to_seven_bit(content % (b"y" * (FIELD_OCTETS - start))).isascii()
    assert "too long" in refusal(content % (b"y" * (FIELD_OCTETS - start + 1)))


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"Content-Type: text/plain\r\n\r\n" + b"Sch\xc3\xb6ne Gr\xc3\xbc\xc3\x9fe\r\n" * 60_000,
        HEAD + b"Content-Type: image/png\r\n\r\n" + b"\xff" * 1_000_000,
        HEAD + nested(NESTING - 1, b"\r\n" + b"\xc3\xb6\r\n" * 250_000),
        HEAD + multipart(b"\r\n" + b"\r\n--bx" * 200_000 + b"\xc3\xb6"),
        HEAD + b'Content-Type: multipart/mixed; boundary="' + b'\\"' * 1000 + b"\r\n" + b"X: y\r\n" * 9000
        + b"\r\n\xff",
    ],
    ids=["text", "image", "nested", "almost boundaries", "header"],
)
def test_a_megabyte_is_quick(content: bytes) -> None:
    """Converting a megabyte takes well under a second, whatever it is made of."""
    began = time.process_time()
    try:
        to_seven_bit(content)
    except CannotConvert:
        pass

    assert time.process_time() - began < 2.0


# Any message

LINES = st.binary(max_size=40).map(lambda line: line.translate(None, b"\r\n"))
LONG_LINES = st.integers(60, 1100).map(lambda size: b"x" * size + b"\xc3\xb6")
ODD_LINES = st.sampled_from([b"--", b"--b", b"x ", b".", b"From x", b"=", b"=20"])
BODIES = st.lists(st.one_of(LINES, LONG_LINES, ODD_LINES), max_size=6).map(b"\r\n".join)
TYPES = st.sampled_from(
    [
        b"",
        b"Content-Type: text/plain; charset=utf-8\r\n",
        b"Content-Type: TEXT/HTML\r\n",
        b'Content-Type: application/octet-stream; name="a; boundary=b.doc"\r\n',
        b"Content-Type: image/png\r\n",
        b"Content-Type: text\r\n",
    ]
)
LABELS = st.sampled_from(
    [
        b"",
        b"Content-Transfer-Encoding: 7bit\r\n",
        b"Content-Transfer-Encoding: 8bit (yes)\r\n",
        b"Content-transfer-encoding:\r\n\tBinary\r\n",
    ]
)


def encoded(label: bytes, body: bytes) -> bytes:
    """Return the rest of an entity whose body is encoded already."""
    return b"Content-Transfer-Encoding: %s\r\n\r\n%s" % (label, body.replace(b"\n", b"\r\n"))


LEAVES = st.one_of(
    st.builds(lambda kind, label, body: kind + label + b"\r\n" + body, TYPES, LABELS, BODIES),
    st.builds(lambda kind, body: kind + encoded(b"base64", encodebytes(body)), TYPES, BODIES),
    st.builds(
        lambda kind, body: kind + encoded(b"quoted-printable", quopri.encodestring(body.replace(b"\r\n", b" "))),
        TYPES,
        BODIES,
    ),
)


def _wrapped(entities: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    @st.composite
    def made(draw: st.DrawFn) -> bytes:
        parts = draw(st.lists(entities, min_size=1, max_size=4))
        if draw(st.booleans()):
            label = draw(st.sampled_from([b"", b"Content-Transfer-Encoding: 8bit\r\n"]))
            version = draw(st.sampled_from([b"", b"MIME-Version: 1.0\r\n"]))
            return b"Content-Type: message/rfc822\r\n" + label + b"\r\nSubject: in\r\n" + version + parts[0]
        # A boundary of its own for each multipart, though one may begin like another.
        boundary = b"b%x" % crc32(b"".join(parts))
        more = draw(st.sampled_from([b"", b"Content-Transfer-Encoding: 8bit\r\n", b"X-More: yes\r\n"]))
        return multipart(*parts, boundary=boundary, more=more)

    return made()


ENTITIES = st.recursive(LEAVES, _wrapped, max_leaves=8)


def kept_fields(content: bytes) -> list[bytes]:
    """Return the fields of the outermost header that a conversion must not change."""
    header = content[: header_end(content)]
    touched = (b"content-transfer-encoding", b"mime-version", b"content-type")
    return [whole for name, _, whole in fields(header) if name not in touched]


@given(st.sampled_from([b"", b"MIME-Version: 1.0\r\n"]), ENTITIES)
def test_any_message_decodes_to_what_it_was(version: bytes, entity: bytes) -> None:
    """RFC 6152 §3: every part has its type and its octets still; the result is seven bits, and stays as it is."""
    before = b"Subject: out\r\nX-Folded: a\r\n b\r\n" + version + entity
    after = to_seven_bit(before)

    assert after.isascii()
    assert leaves(after) == leaves(before)
    assert kept_fields(after) == kept_fields(before)
    if not before.isascii():
        assert not {"8bit", "binary"} & {encoding.split()[0].lower() for encoding in encodings(after)}
    assert to_seven_bit(after) is after


SCRAPS = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"\r\n--b\r\n",
        b"\xc3\xb6",
        b"MIME-Version: 1.0\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n",
        b"Content-Type: text/plain\r\n",
    ]
)


@given(st.lists(st.one_of(st.binary(max_size=30), SCRAPS), max_size=12).map(b"".join))
def test_any_octets_are_converted_or_refused(content: bytes) -> None:
    """Lesson 14: whatever comes, it is ASCII or `CannotConvert`, and no other exception."""
    try:
        after = to_seven_bit(content)
    except CannotConvert as refused:
        assert refused.reason
    else:
        assert after.isascii()


def test_seven_bit_data() -> None:
    """RFC 2045 §2.7."""
    assert is_seven_bit(b"") and is_seven_bit(b"x" * 998 + b"\r\n" + b"y" * 998)
    for body in (b"x" * 999, b"\0", b"\x80", b"a\rb", b"a\nb", b"a\n\r", b"\r\n\n\r"):
        assert not is_seven_bit(body)
