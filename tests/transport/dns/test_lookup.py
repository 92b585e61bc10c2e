"""Who is asked, how often and when, and who waits for whom. A name server here is a list of what it does."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from mailsuite.dns import MX, DnsTrouble
from mailsuite.transport.dns.answers import Answer
from mailsuite.transport.dns.cache import Cache
from mailsuite.transport.dns.lookup import LONGEST_PAUSE_SECONDS, PAUSE_SECONDS, QUESTIONS, Lookup, turns
from mailsuite.transport.dns.records import Question
from mailsuite.transport.dns.servers import Server, TrustAD
from mailsuite.transport.dns.wire import Message
from tests.transport.dns.questions import message, question

ONE, TWO, THREE = (Server(f"192.0.2.{number}") for number in (1, 2, 3))
OWN = Server("127.0.0.1")
HERE = question()
MX_LINE = "example.org. 60 IN MX 10 mx.example."
FOUND = message(HERE, MX_LINE)
SECURE = message(HERE, MX_LINE, flags="RD RA AD")
SERVFAIL = message(HERE, rcode="SERVFAIL")
REFUSED = message(HERE, rcode="REFUSED")
NOTHING = message(HERE)
SILENT = DnsTrouble("did not answer in 3 seconds")
Does = Message | Exception | Deferred[Message]


class Site:
    """A lookup whose servers do what they are told, in this order."""

    def __init__(
        self,
        *does: Does,
        servers: Sequence[Server] = (ONE,),
        tries: int = 4,
        cache: int = 10,
        trust_ad: TrustAD = "loopback",
    ) -> None:
        self.does = list(does)
        self.asked: list[Server] = []
        self.questions: list[Question[Any]] = []
        self.clock = Clock()
        kept = Cache(cache, self.clock.seconds)
        self.lookup = Lookup(self.ask, lambda: servers, kept, self.clock, tries, trust_ad)

    async def ask(self, server: Server, question: Question[object]) -> Message:
        self.asked.append(server)
        self.questions.append(question)
        does = self.does.pop(0)
        if isinstance(does, Deferred):
            return await does
        if isinstance(does, Exception):
            raise DnsTrouble(f"{server} {does}") if does is SILENT else does
        return does

    def find(self, asked: Question[MX] = HERE) -> "Deferred[Answer[MX]]":
        return Deferred.fromCoroutine(self.lookup.find(asked))

    def wait(self) -> None:
        """Let all pauses pass."""
        while self.clock.getDelayedCalls():
            self.clock.advance(LONGEST_PAUSE_SECONDS)

    def found(self) -> Answer[MX]:
        """Return the answer."""
        results: list[Answer[MX]] = []
        finding = self.find()
        finding.addCallback(results.append)
        self.wait()
        if not results:
            raise self.why(finding)
        return results[0]

    def trouble(self) -> str:
        """Return why there is no answer."""
        finding = self.find()
        self.wait()
        return str(self.why(finding))

    @staticmethod
    def why(finding: "Deferred[Any]") -> BaseException:
        """Return what *finding* failed with."""
        failures: list[Failure] = []
        finding.addErrback(failures.append)
        (failure,) = failures
        assert failure.value is not None
        return failure.value


class TestTries:
    """One server after the other."""

    def test_the_first_answer(self) -> None:
        """It is enough."""
        site = Site(FOUND, servers=(ONE, TWO))

        assert site.found().records == (MX(10, "mx.example"),)
        assert site.asked == [ONE]

    @pytest.mark.parametrize("trouble", [SERVFAIL, REFUSED, SILENT, message(HERE, rcode="NOTIMP")])
    def test_the_next(self, trouble: Does) -> None:
        """Who cannot answer gives way to the next, at once."""
        site = Site(trouble, FOUND, servers=(ONE, TWO))
        finding = site.find()

        assert finding.called
        assert site.asked == [ONE, TWO]

    @pytest.mark.parametrize("answer", [NOTHING, message(HERE, rcode="NXDOMAIN")])
    def test_nothing_is_an_answer(self, answer: Message) -> None:
        """Nobody else is asked."""
        site = Site(answer, servers=(ONE, TWO))

        assert site.found().records == ()
        assert site.asked == [ONE]

    def test_in_the_end(self) -> None:
        """Trouble says who said what, once each."""
        site = Site(SERVFAIL, SILENT, SERVFAIL, SILENT, servers=(ONE, TWO))

        assert site.trouble() == (
            "192.0.2.1 answered SERVFAIL for example.org MX; 192.0.2.2 did not answer in 3 seconds"
        )
        assert site.asked == [ONE, TWO, ONE, TWO]

    @pytest.mark.parametrize("tries", [1, 2, 3, 5])
    def test_tries(self, tries: int) -> None:
        """A question is asked so many times in all."""
        site = Site(*[SILENT] * tries, servers=(ONE, TWO, THREE), tries=tries)
        site.trouble()

        assert site.asked == [ONE, TWO, THREE, ONE, TWO][:tries]

    def test_pauses(self) -> None:
        """Before all are asked again there is a pause: a server may be starting."""
        site = Site(REFUSED, REFUSED, FOUND, servers=(ONE, TWO))
        finding = site.find()
        assert site.asked == [ONE, TWO]
        site.clock.advance(PAUSE_SECONDS - 0.01)
        assert not finding.called
        site.clock.advance(0.01)

        assert finding.called

    def test_pauses_grow(self) -> None:
        """Each is twice as long as the one before, to two seconds."""
        assert [pause for _, pause in turns([ONE], 8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
        assert list(turns([ONE, TWO], 3)) == [(ONE, 0.0), (TWO, 0.0), (ONE, 0.1)]

    def test_nobody_to_ask(self) -> None:
        """Without a server there is trouble, and no end of it is waited for."""
        assert Site(servers=()).trouble() == "there is no name server to ask"

    def test_unforeseen(self) -> None:
        """A mistake of ours is trouble too, and a traceback in the log."""
        site = Site(ZeroDivisionError("oops"))
        with capturedLogs() as logged:
            assert "oops" in site.trouble()

        assert "example.org MX" in logged[0]["question"]


class TestTrust:
    """Whose AD bit counts."""

    @pytest.mark.parametrize(
        ("server", "rule", "secure"),
        [(OWN, "loopback", True), (ONE, "loopback", False), (ONE, "always", True), (OWN, "never", False)],
    )
    def test_secure(self, server: Server, rule: TrustAD, secure: bool) -> None:
        """As configured."""
        assert Site(SECURE, servers=(server,), trust_ad=rule).found().secure is secure

    def test_forged(self) -> None:
        """RFC 4035 §5.5: SERVFAIL of a server that validates is not undone by one that does not."""
        site = Site(SERVFAIL, SERVFAIL, servers=(OWN, ONE), tries=2)

        assert site.trouble() == "127.0.0.1 answered SERVFAIL for example.org MX"
        assert site.asked == [OWN, OWN]

    def test_silent(self) -> None:
        """While the one that validates is away, the others are asked; their word on that does not count."""
        site = Site(SILENT, SECURE, servers=(OWN, ONE))

        assert site.found().secure is False

    def test_forged_for_all(self) -> None:
        """Where none is trusted, or all are, all are asked."""
        for rule in ("always", "never"):
            site = Site(SERVFAIL, FOUND, servers=(OWN, ONE), trust_ad=rule)
            site.found()
            assert site.asked == [OWN, ONE]


class TestCaching:
    """Answers are kept, trouble is not."""

    @pytest.mark.parametrize("answer", [FOUND, message(HERE, rcode="NXDOMAIN", authority=(
        "example.org. 60 IN SOA ns.example. root.example. 1 2 3 4 60",))])
    def test_kept(self, answer: Message) -> None:
        """For their time."""
        site = Site(answer, answer)
        first = site.found()
        assert site.found() == first
        assert len(site.asked) == 1
        site.clock.advance(60)
        site.found()

        assert len(site.asked) == 2

    def test_not_kept(self) -> None:
        """Whoever asks again may have better luck."""
        site = Site(SILENT, FOUND, tries=1)
        site.trouble()

        assert site.found().records


class TestSharing:
    """Who asks the same waits for the same answer."""

    def test_shared(self) -> None:
        """One question is asked once, and all get the answer."""
        coming: Deferred[Message] = Deferred()
        site = Site(coming)
        finding = [site.find(), site.find(question("EXAMPLE.ORG"))]
        assert len(site.asked) == 1
        coming.callback(message(HERE, "example.org. 0 IN MX 10 mx.example."))

        assert [each.result for each in finding] == [finding[0].result] * 2
        assert not site.lookup._waiting
        assert not site.lookup._asked

    def test_trouble_is_shared(self) -> None:
        """Each has an exception of his own."""
        coming: Deferred[Message] = Deferred()
        site = Site(coming, tries=1)
        finding = [site.find(), site.find()]
        coming.callback(SERVFAIL)
        first, second = (site.why(each) for each in finding)

        assert isinstance(first, DnsTrouble)
        assert isinstance(second, DnsTrouble)
        assert first is not second

    def test_who_gives_up(self) -> None:
        """One who does not wait any more spoils it for nobody."""
        coming: Deferred[Message] = Deferred()
        site = Site(coming)
        first, second = site.find(), site.find()
        first.cancel()
        assert isinstance(site.why(first), CancelledError)
        coming.callback(FOUND)

        assert second.called
        assert site.found().records
        assert len(site.asked) == 1

    def test_different_questions(self) -> None:
        """They do not wait for each other."""
        site = Site(Deferred(), Deferred())
        site.find()
        site.find(question("example.net"))

        assert len(site.asked) == 2


class TestRoom:
    """So many questions at a time."""

    def names(self, count: int) -> Iterable[Question[MX]]:
        return [question(f"a{number}.example") for number in range(count)]

    def test_others_wait(self) -> None:
        """256 are asked, the next when one of them has its answer, or trouble."""
        coming: list[Deferred[Message]] = [Deferred() for _ in range(QUESTIONS + 2)]
        site = Site(*coming, tries=1)
        finding = [site.find(each) for each in self.names(QUESTIONS + 2)]
        assert len(site.asked) == QUESTIONS
        coming[5].callback(SERVFAIL)
        assert len(site.asked) == QUESTIONS + 1
        coming[6].callback(FOUND)
        assert len(site.asked) == QUESTIONS + 2

        assert isinstance(site.why(finding[5]), DnsTrouble)
        assert site.questions[-1] == question(f"a{QUESTIONS + 1}.example")

    def test_stop(self) -> None:
        """All who wait get trouble, wherever their question is: on its way, in a pause, or waiting for room."""
        site = Site(SILENT, *[Deferred() for _ in range(QUESTIONS - 1)])
        finding = [site.find(each) for each in self.names(QUESTIONS + 1)]
        site.lookup.stop()

        assert all("service stops" in str(site.why(each)) for each in finding)
        assert site.clock.getDelayedCalls() == []
        assert len(site.asked) == QUESTIONS

    def test_after_the_stop(self) -> None:
        """Nobody is asked any more."""
        site = Site(FOUND)
        site.lookup.stop()

        assert "service stops" in site.trouble()
        assert site.asked == []
