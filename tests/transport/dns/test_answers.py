"""What a message says about a question."""

import pytest
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.dns import MX, DnsTrouble
from mailsuite.transport.dns.answers import (
    ALIASES,
    KEPT_SECONDS,
    NOTHING_KEPT_SECONDS,
    Answer,
    belongs,
    interpret,
)
from mailsuite.transport.dns.records import A_RECORDS, TLSA_RECORDS
from mailsuite.transport.dns.wire import RECORDS, Malformed, read
from mailsuite.transport.dns.wire import Message as Read
from tests.transport.dns.questions import answer, asking, header, question, record
from tests.transport.dns.world import reply

SOA = "example.org. 600 IN SOA ns.example.org. root.example.org. 1 2 3 4 300"
NS = "example.org. 60 IN NS ns.example.net."
HERE = question()
LONG = ".".join(["a" * 63] * 3)


class TestAnswers:
    """Records, or none."""

    def test_records(self) -> None:
        """All that stand under the name, once each."""
        lines = [f"EXAMPLE.org. 60 IN MX {mx}" for mx in ("10 a.example.", "20 b.example.", "10 A.example.")]

        made = answer(HERE, *lines)

        assert made == Answer(True, (MX(10, "a.example"), MX(20, "b.example")), False, "example.org", 60)

    def test_nothing(self) -> None:
        """The name is there, and has no such records."""
        assert answer(HERE, authority=(SOA,)) == Answer(True, (), False, "example.org", 300)

    def test_no_name(self) -> None:
        """The name is not there."""
        made = answer(HERE, authority=(SOA,), rcode="NXDOMAIN")

        assert made == Answer(False, (), False, "example.org", 300)

    def test_others_are_ignored(self) -> None:
        """Nobody may slip in what was not asked for: other names, other types, other classes."""
        others = (
            "example.net. 60 IN MX 10 evil.example.",
            "org. 60 IN MX 10 evil.example.",
            "a.example.org. 60 IN MX 10 evil.example.",
            "example.org. 60 IN A 192.0.2.66",
            "example.org. 60 CH MX 10 evil.example.",
            "www.example.org. 60 IN CNAME example.org.",
            "example.org. 60 IN DNAME evil.example.",
        )

        assert answer(HERE, *others, authority=(SOA,)).records == ()

    def test_denied_with_records(self) -> None:
        """A server that denies a name and gives its records makes no sense."""
        with pytest.raises(DnsTrouble, match="nonsense"):
            answer(HERE, "example.org. 60 IN MX 10 a.example.", rcode="NXDOMAIN")

    @pytest.mark.parametrize(
        "rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "YXDOMAIN", "NOTAUTH", "NOTZONE", "BADVERS", "12"]
    )
    def test_failures(self, rcode: str) -> None:
        """Nobody could say, whatever else stands in the answer."""
        with pytest.raises(DnsTrouble, match=f"^answered {rcode} for example.org MX$"):
            answer(HERE, "example.org. 60 IN MX 10 a.example.", rcode=rcode)

    def test_bad_data(self) -> None:
        """Data that cannot be read are no answer."""
        good, bad = (record(b"\1a\0", RdataType.TLSA, data) for data in (b"\3\1\0\xff", b"\3\1"))
        made = read(header(0, 2, 0, 0) + good + bad)
        with pytest.raises(DnsTrouble, match=r"^answered nonsense for a TLSA: a TLSA record is too short$"):
            interpret(made, question("a", kind=TLSA_RECORDS), True)

    def test_referral(self) -> None:
        """RFC 2308 §2.2: a server that only knows whom to ask has not said that there is nothing."""
        with pytest.raises(DnsTrouble, match="refers"):
            answer(HERE, authority=(NS,))

        assert answer(HERE, authority=(NS, SOA)).records == ()


class TestAliases:
    """CNAME and DNAME."""

    def test_chain(self) -> None:
        """Aliases are followed inside the answer, in whatever order they stand."""
        made = answer(
            HERE,
            "c.example. 60 IN MX 10 mx.example.",
            "b.example. 50 IN CNAME C.example.",
            "example.org. 70 IN CNAME b.EXAMPLE.",
        )

        assert made == Answer(True, (MX(10, "mx.example"),), False, "c.example", 50)

    def test_dname(self) -> None:
        """RFC 6672 §2.2: what stands above a name may be an alias for all below it."""
        made = answer(
            question("mail.a.example.org"),
            "example.org. 60 IN DNAME example.net.",
            "mail.a.example.net. 60 IN MX 10 mx.example.",
        )

        assert made.name == "mail.a.example.net"
        assert made.records == (MX(10, "mx.example"),)

    @pytest.mark.parametrize(
        ("asked", "alias"),
        [
            ("a", record(b"\1A\0", RdataType.CNAME, b"\1X\1B\0")),
            ("x.a", record(b"\1A\0", RdataType.DNAME, b"\1B\0")),
        ],
    )
    def test_case(self, asked: str, alias: bytes) -> None:
        """RFC 1035 §2.3.3: upper and lower case are the same, also where aliases lead to."""
        octets = header(0, 2, 0, 0) + alias + record(b"\1x\1b\0", RdataType.MX, b"\0\1\2Mx\0")

        made = interpret(read(octets), question(asked), False)

        assert (made.name, made.records) == ("x.b", (MX(1, "mx"),))

    def test_dname_of_the_root(self) -> None:
        """It can only lead in circles."""
        with pytest.raises(DnsTrouble, match="too many aliases"):
            answer(question("a.b"), ". 60 IN DNAME c.", "a.b.c. 60 IN MX 10 mx.example.")

    def test_dname_is_not_for_its_owner(self) -> None:
        """Its own name keeps its own records."""
        made = answer(HERE, "example.org. 60 IN DNAME example.net.", "example.org. 60 IN MX 10 mx.example.")

        assert made.name == "example.org"
        assert made.records == (MX(10, "mx.example"),)

    def test_dname_with_its_cname(self) -> None:
        """The CNAME that servers make of a DNAME comes first."""
        made = answer(
            question("a.example.org"),
            "example.org. 60 IN DNAME wrong.example.",
            "a.example.org. 60 IN CNAME a.example.net.",
            "a.example.net. 60 IN MX 10 mx.example.",
        )

        assert made.name == "a.example.net"

    def test_dname_makes_a_name_too_long(self) -> None:
        """RFC 6672 §2.2: there is no such name."""
        with pytest.raises(DnsTrouble, match="too long"):
            answer(question(f"{LONG}.example.org"), f"example.org. 60 IN DNAME {'b' * 62}.")
        assert answer(question(f"{LONG}.x"), f"x. 60 IN DNAME {'b' * 61}.").name == f"{LONG}.{'b' * 61}"

    @pytest.mark.parametrize("more", [0, 1])
    def test_as_many_as_allowed(self, more: int) -> None:
        """Sixteen aliases are followed."""
        length = ALIASES + more
        chain = [f"a{step}. 60 IN CNAME a{step + 1}." for step in range(length)]
        chain.append(f"a{length}. 60 IN MX 10 mx.example.")
        if more:
            with pytest.raises(DnsTrouble, match="too many aliases"):
                answer(question("a0"), *chain)
        else:
            assert answer(question("a0"), *chain).records == (MX(10, "mx.example"),)

    @pytest.mark.parametrize("target", ["example.org.", "b.example."])
    def test_circle(self, target: str) -> None:
        """Aliases that lead in a circle lead nowhere."""
        with pytest.raises(DnsTrouble, match="too many aliases"):
            answer(HERE, f"example.org. 60 IN CNAME {target}", "b.example. 60 IN CNAME example.org.")

    def test_to_nothing(self) -> None:
        """RFC 2308 §2.1: the response code is about the name at the end."""
        alias = "example.org. 60 IN CNAME b.example."

        assert answer(HERE, alias, authority=(SOA,)) == Answer(True, (), False, "b.example", 60)
        assert answer(HERE, alias, authority=(SOA,), rcode="NXDOMAIN") == Answer(False, (), False, "b.example", 60)

    def test_not_followed(self) -> None:
        """A server that does not look for the end of an alias has not said that there is nothing."""
        alias = "example.org. 60 IN CNAME b.example."
        with pytest.raises(DnsTrouble, match="does not follow"):
            answer(HERE, alias, flags="AA RD")

        assert answer(HERE, alias).records == ()


class TestSecurity:
    """The AD bit."""

    @pytest.mark.parametrize("trusted", [True, False])
    @pytest.mark.parametrize("flags", ["RD RA", "RD RA AD"])
    def test_secure(self, flags: str, trusted: bool) -> None:
        """It counts where we trust who set it: for records, for none, and for no name."""
        secure = trusted and "AD" in flags
        lines = ("example.org. 60 IN CNAME b.example.", "b.example. 60 IN MX 10 mx.example.")

        assert answer(HERE, *lines, flags=flags, trusted=trusted).secure is secure
        assert answer(HERE, authority=(SOA,), flags=flags, trusted=trusted).secure is secure
        assert answer(HERE, authority=(SOA,), rcode="NXDOMAIN", flags=flags, trusted=trusted).secure is secure


class TestSeconds:
    """For how long an answer is good."""

    @pytest.mark.parametrize(
        ("ttl", "seconds"),
        [(0, 0), (1, 1), (KEPT_SECONDS, KEPT_SECONDS), (KEPT_SECONDS + 1, KEPT_SECONDS), (0x7FFFFFFF, KEPT_SECONDS)],
    )
    def test_records(self, ttl: int, seconds: int) -> None:
        """The TTL, a day at most."""
        assert answer(HERE, f"example.org. {ttl} IN MX 10 a.example.").seconds == seconds

    def test_the_smallest(self) -> None:
        """Records and aliases count."""
        lines = ["example.org. 60 IN MX 10 a.example.", "example.org. 40 IN MX 20 b.example."]
        alias = "www.example. 30 IN CNAME example.org."

        assert answer(HERE, *lines).seconds == 40
        assert answer(question("www.example"), alias, *lines).seconds == 30

    @pytest.mark.parametrize(
        ("ttl", "minimum", "seconds"),
        [
            (600, 300, 300),
            (300, 600, 300),
            (0, 300, 0),
            (90_000, NOTHING_KEPT_SECONDS, NOTHING_KEPT_SECONDS),
            (90_000, NOTHING_KEPT_SECONDS + 1, NOTHING_KEPT_SECONDS),
            (90_000, 0xFFFFFFFF, NOTHING_KEPT_SECONDS),
        ],
    )
    @pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
    def test_nothing(self, ttl: int, minimum: int, seconds: int, rcode: str) -> None:
        """RFC 2308 §5: what the SOA record says, an hour at most."""
        soa = f"example.org. {ttl} IN SOA ns.example.org. root.example.org. 1 2 3 4 {minimum}"

        assert answer(HERE, authority=(soa,), rcode=rcode).seconds == seconds

    @pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
    def test_nothing_without_soa(self, rcode: str) -> None:
        """RFC 2308 §5: it is not kept."""
        assert answer(HERE, rcode=rcode).seconds == 0

    def test_bad_soa(self) -> None:
        """One that cannot be read makes no sense."""
        made = reply(asking(HERE), authority=(SOA,))
        made.use_edns(False)
        with pytest.raises(Malformed):
            read(made.to_wire()[:-1])


class TestBelonging:
    """Which messages answer our question (RFC 5452 §9.1)."""

    def heard(self, name: str = "example.org", number: int = 7, flags: str = "RD", rcode: str = "NOERROR") -> Read:
        """Return a response."""
        query = asking(question(name))
        query.id = number
        return read(reply(query, flags=flags, rcode=rcode).to_wire())

    def test_ours(self) -> None:
        """Id and question are repeated."""
        assert belongs(self.heard(), 7, HERE)

    def test_others(self) -> None:
        """Another id, another name, another type, a question instead of an answer, another kind of message."""
        assert not belongs(self.heard(number=8), 7, HERE)
        assert not belongs(self.heard("example.net"), 7, HERE)
        assert not belongs(self.heard(), 7, question(kind=A_RECORDS))
        assert not belongs(read(asking(HERE).to_wire()), 7, HERE)
        notify = self.heard()
        notify.flags |= 4 << 11
        assert not belongs(notify, 7, HERE)

    @pytest.mark.parametrize(
        ("rcode", "ours"),
        [("FORMERR", True), ("SERVFAIL", True), ("NOTIMP", True), ("REFUSED", True), ("NXDOMAIN", False)],
    )
    def test_without_question(self, rcode: str, ours: bool) -> None:
        """Who could not do anything with the question need not repeat it; who answers must."""
        heard = self.heard(rcode=rcode)
        heard.question = None

        assert belongs(heard, 7, HERE) is ours


NAMES = st.sampled_from(["example.org.", "a.example.org.", "b.example.", "a.b.example.", "example.", "."])


@given(
    asked=st.sampled_from(["example.org", "a.example.org", "a.b.example"]),
    links=st.lists(st.tuples(NAMES, st.sampled_from(["CNAME", "DNAME"]), NAMES), max_size=8),
    ends=st.lists(NAMES, max_size=3),
    rcode=st.sampled_from(["NOERROR", "NXDOMAIN"]),
)
def test_any_chain(asked: str, links: list[tuple[str, str, str]], ends: list[str], rcode: str) -> None:
    """Whatever aliases there are: an answer, or trouble."""
    lines = [f"{name} 60 IN {kind} {target}" for name, kind, target in links]
    lines += [f"{name} 60 IN MX 10 mx.example." for name in ends]
    try:
        made = answer(question(asked), *lines, rcode=rcode)
    except DnsTrouble:
        return
    if made.records:
        assert f"{made.name}." in ends or "." in ends


@given(st.binary(max_size=120))
def test_any_octets(data: bytes) -> None:
    """Whatever comes behind a good header: an answer, trouble, or no message."""
    try:
        interpret(read(b"\0\7\x81\x80\0\0\0\2\0\1\0\0" + data), HERE, True)
    except (DnsTrouble, Malformed):
        pass


@given(st.data())
def test_damaged_messages(data: st.DataObject) -> None:
    """A good answer with some octets changed, and cut off: an answer, trouble, or no message."""
    lines = ("example.org. 60 IN CNAME b.example.", "b.example. 60 IN MX 10 mx.example.")
    octets = bytearray(reply(asking(HERE), *lines, authority=(SOA,)).to_wire())
    for at in data.draw(st.lists(st.integers(2, len(octets) - 1), max_size=6)):
        octets[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(octets)))
    try:
        interpret(read(bytes(octets[:end])), HERE, True)
    except (DnsTrouble, Malformed):
        pass


def test_the_largest() -> None:
    """As many records as may be in a message, all of them ours."""
    lines = [f"example.org. 60 IN MX {number} mx.example." for number in range(RECORDS)]

    assert len(answer(HERE, *lines).records) == RECORDS
