"""The lists of other servers: what each means by its ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.mailbox.uidl_sources import BadSource, courier, dovecot, header_id, plain

UIDLIST = b"""3 V1257945600 N10 G1234567890abcdef
1 :1257945601.M1P2.host,S=10,W=12
10 W1234 Gfeed00 :1257945602.M1P3.host:2,S
12 Pold-id-of-a-move W7 :1257945603.M1P4.host
broken
x :1257945604.M1P5.host
%b :1257945605.M1P6.host
""" % (b"9" * 5000)


class TestDovecot:
    """dovecot-uidlist and pop3_uidl_format."""

    @pytest.mark.parametrize(
        ("form", "first", "second"),
        [
            ("%08Xu%08Xv", b"000000014afaba00", b"0000000a4afaba00"),
            ("%v.%u", b"1257945600.1", b"1257945600.10"),
            ("%v-%u", b"1257945600-1", b"1257945600-10"),
            ("%u", b"1", b"10"),
            ("%f", b"1257945601.M1P2.host,S=10,W=12", b"1257945602.M1P3.host"),
            ("%Mf", b"9ee12510fd2b5241da2973399382c601", b"a1aeace275c4f43d12f48b9cd8e3490c"),
            ("%04u%%%Uf", b"0001%1257945601.M1P2.HOST,S=10,W=12", b"0010%1257945602.M1P3.HOST"),
            ("UID%3u", b"UID1", b"UID10"),
            ("%{uid | hex(8)}%{uidvalidity | hex(8)}", b"000000014afaba00", b"0000000a4afaba00"),
            ("UID%{uid}-%{uidvalidity|hex}", b"UID1-4afaba00", b"UID10-4afaba00"),
            ("%{filename | md5 | hexlify}", b"9ee12510fd2b5241da2973399382c601", b"a1aeace275c4f43d12f48b9cd8e3490c"),
            ("%{filename|upper}%{uidvalidity | hex(2)}%{uidvalidity | hex(-2)}",
             b"1257945601.M1P2.HOST,S=10,W=12004a", b"1257945602.M1P3.HOST004a"),
            ("%g", b"1257945601.M1P2.host,S=10,W=12", b"feed00"),
            ("%{guid}", b"1257945601.M1P2.host,S=10,W=12", b"feed00"),
        ],
    )
    def test_formats(self, form: str, first: bytes, second: bytes) -> None:
        """Each variable and each modifier; an id that the file itself has is kept whatever the format is."""
        found = list(dovecot(UIDLIST.splitlines(keepends=True), form))

        assert [name for name, _ in found] == [
            b"1257945601.M1P2.host,S=10,W=12",
            b"1257945602.M1P3.host",
            b"1257945603.M1P4.host",
        ]
        assert [unique_id for _, unique_id in found] == [first, second, b"old-id-of-a-move"]

    def test_first_version(self) -> None:
        """The head and the rows that Dovecot 1.0 wrote."""
        lines = [b"1 1257945600 3\n", b"1 1257945601.a.host\n", b"2 1257945602.b.host:2,\n"]

        assert list(dovecot(lines, "%v.%u")) == [
            (b"1257945601.a.host", b"1257945600.1"),
            (b"1257945602.b.host", b"1257945600.2"),
        ]

    @pytest.mark.parametrize(
        "lines", [[b"3 V%b N2\n" % (b"9" * 5000)], [b"2 V1 N2\n"], [b"/2 1 2\n"], [b"anything\n"]]
    )
    def test_what_it_is_not(self, lines: list[bytes]) -> None:
        """Another file is refused."""
        with pytest.raises(BadSource):
            list(dovecot(lines))

    def test_empty(self) -> None:
        """What to do is said: whoever copied it may have lost it."""
        with pytest.raises(BadSource, match="copy it again, or remove it"):
            list(dovecot([]))

    @pytest.mark.parametrize(
        "form",
        [
            "%m", "%x", "%", "%08Xq", "%Xf", "%09999u", "ü%u", "%u\n",
            "%{user}", "%{uid", "%{uid|who}", "%{uid|upper(2)}", "%{filename|hex}",
        ],
    )  # fmt: skip
    def test_formats_that_cannot_be_followed(self, form: str) -> None:
        """They are refused, before anybody gets a wrong id."""
        with pytest.raises(BadSource):
            list(dovecot(UIDLIST.splitlines(keepends=True), form))


class TestCourier:
    """courierpop3dsizelist."""

    @pytest.mark.parametrize("head", [b"/2 10 1257945600\n", b"/3 10 1257945600\n"])
    def test_versions(self, head: bytes) -> None:
        """Numbers with and without a validity, and ids from before there were numbers."""
        utf8 = b":1" if head[1:2] == b"3" else b""
        lines = [
            head,
            b"1257945601.a.host:2,S 1000 7:1257945600" + utf8 + b"\n",
            b"1257945602.b c.host 1000 8:0" + utf8 + b"\n",
            b"1257945603.c+'d.host:2,S 1000 0:0" + utf8 + b"\n",
            b"broken\n",
        ]

        assert list(courier(lines)) == [
            (b"1257945601.a.host:2,S", b"UID7-1257945600"),
            (b"1257945602.b c.host", b"UID8"),
            (b"1257945603.c+'d.host:2,S", b"1257945603.c+2B+27d.host"),
        ]

    def test_without_a_head(self) -> None:
        """The first version: names and numbers."""
        assert list(courier([b"1257945601.a.host 7\n", b"broken\n"])) == [(b"1257945601.a.host", b"UID7")]

    def test_a_version_to_come(self) -> None:
        """It is refused."""
        with pytest.raises(BadSource):
            list(courier([b"/4 1 2\n"]))


def test_plain_list() -> None:
    """Names and ids; empty lines and comments are passed over, all others refused by their number."""
    assert list(plain([b"# a list\n", b"\n", b"1.a  id-1\n", b"2.b\tid-2"])) == [(b"1.a", b"id-1"), (b"2.b", b"id-2")]
    with pytest.raises(BadSource, match="line 2"):
        list(plain([b"1.a id-1\n", b"1.b\n"]))


@pytest.mark.parametrize(
    ("message", "unique_id"),
    [
        (b"A: b\nX-UIDL: 52d4a1f3\n\nbody\n", b"52d4a1f3"),
        (b"x-uidl:\"#!\"!P9!!\r\nA: b\r\n\r\nbody\r\n", b'"#!"!P9!!'),
        (b"A: b\n\nX-UIDL: in the body\n", None),
        (b"A: b\nX-UIDL: two words \n\n", b"two words"),
        (b"A: b\nX-UIDL: \nC: d\n\n", None),
        (b"A: b\r\nX-UIDL: abc\r17\r\n\r\n", b"abc\r17"),
        (b"X-UIDL: a" + b" " * 65_000 + b"x\n\n", b"a" + b" " * 65_000 + b"x"),
        (b"", None),
    ],
)
def test_qpopper_header(message: bytes, unique_id: bytes | None) -> None:
    """X-UIDL counts in the header alone, as it stands there: fit or not."""
    assert header_id(message) == unique_id


@given(st.lists(st.binary(max_size=60)))
def test_any_lines(lines: list[bytes]) -> None:
    """Whatever is in a file, it is read or refused."""
    for reader in (dovecot, courier, plain):
        try:
            list(reader([line + b"\n" for line in lines]))
        except BadSource:
            continue
