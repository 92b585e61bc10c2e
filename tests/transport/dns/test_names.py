"""Names: from what people write to labels, and back."""

import dns.name
import pytest
from dns.name import Name
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.dns import NoSuchDomain
from mailsuite.transport.dns.names import name_of, reverse_name, shown

LABEL_63 = "a" * 63
# 253 characters: with the length octet in front and that of the root 255 octets.
NAME_253 = ".".join([LABEL_63] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("example.org", (b"example", b"org")),
        ("Example.ORG.", (b"example", b"org")),
        ("bücher.example", (b"xn--bcher-kva", b"example")),
        ("例え.テスト.", (b"xn--r8jz45g", b"xn--zckzah")),
        ("_25._tcp.MX.example.org", (b"_25", b"_tcp", b"mx", b"example", b"org")),
        ("_25._TCP.Bücher.example.", (b"_25", b"_tcp", b"xn--bcher-kva", b"example")),
        ("_dmarc", (b"_dmarc",)),
        ("a b.example", (b"a b", b"example")),
        (LABEL_63, (b"a" * 63,)),
        (NAME_253, (*[b"a" * 63] * 3, b"b" * 61)),
        (NAME_253 + ".", (*[b"a" * 63] * 3, b"b" * 61)),
    ],
)
def test_names(text: str, labels: tuple[bytes, ...]) -> None:
    """Any form gives the same labels, in lower case and A-labels."""
    assert name_of(text).labels == (*labels, b"")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..example",
        ".example",
        "example..",
        LABEL_63 + "a",
        NAME_253 + "b",
        NAME_253 + "b.",
        "a" * 100_000,
        "é" * 100_000,
        "-ü-.example",
        "_25._tcp.-ü-.example",
        "\ud800.example",
        # Only a full stop parts labels.
        "例え。テスト。",
    ],
)
def test_no_names(text: str) -> None:
    """What cannot stand in the DNS does not exist there."""
    with pytest.raises(NoSuchDomain):
        name_of(text)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ((b"mx", b"example", b"org"), "mx.example.org"),
        ((), ""),
        ((b"_25", b"_tcp", b"a-b"), "_25._tcp.a-b"),
        ((b"a.b", b"example"), "a\\046b.example"),
        ((b"a\r\n\0\xff", b"\\"), "a\\013\\010\\000\\255.\\092"),
        ((b".",), "\\046"),
        ((b"Mx", b"EXAMPLE"), "mx.example"),
        ((b"[red]", b"a/b"), "\\091red\\093.a\\047b"),
    ],
)
def test_shown(labels: tuple[bytes, ...], text: str) -> None:
    """Nothing that is not plain reaches a log or a comparison as it stands."""
    assert shown(Name((*labels, b""))) == text


@given(st.lists(st.binary(min_size=1, max_size=63).map(bytes.lower), max_size=3))
def test_shown_is_unambiguous(labels: list[bytes]) -> None:
    """Another reader of the same notation finds the same labels."""
    text = shown(Name((*labels, b"")))

    assert text.isascii()
    assert text.isprintable()
    if text:
        assert dns.name.from_text(text).labels == (*labels, b"")


@given(st.text(alphabet=st.sampled_from("aÄ._-例\u3002\xad0 \\"), max_size=300))
def test_any_text(text: str) -> None:
    """Text is a name within the limits, or none; nothing else is raised."""
    try:
        name = name_of(text)
    except NoSuchDomain:
        return
    assert all(1 <= len(label) <= 63 for label in name.labels[:-1])
    assert name.labels[-1] == b""
    assert sum(map(len, name.labels)) + len(name.labels) <= 255
    assert name_of(text.upper()).labels == name.labels


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
        ("2001:db8::1", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"),
        ("::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa"),
        ("fe80::1%eth0", "1." + "0." * 28 + "8.e.f.ip6.arpa"),
    ],
)
def test_reverse_names(address: str, name: str) -> None:
    """Octets and nibbles, the last one first."""
    assert shown(reverse_name(address)) == name


@pytest.mark.parametrize(
    "address", ["", "mx.example.org", "192.0.2.256", "[192.0.2.1]", "192.0.2.1\n", "\ud800", "::1::", "::g", "%eth0"]
)
def test_no_reverse_names(address: str) -> None:
    """What is no address has no name."""
    with pytest.raises(NoSuchDomain):
        reverse_name(address)
