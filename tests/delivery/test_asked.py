"""What a sender has asked of a message's way, at the next host (RFC 2852, 6710, 8689), and its LIMITS (RFC 9422)."""

from typing import Any

import pytest

from mailsuite.asked import Asked
from mailsuite.delivery.asked import NO_DELIVERBY, NO_REQUIRETLS, TOO_LATE, with_delay
from mailsuite.delivery.tls_policy import Demand
from mailsuite.outcome import Deferred, Delivered, Failed
from mailsuite.queued import Job
from mailsuite.route import UNIX, Route
from tests.delivery.world import MX1, MX1_TOO, MX2, MX3, World
from tests.doubles_delivery import Objection, Scripted, job, recipient

NOW = 1_000_000.0
BOB = "bob@b.example"
ENOUGH = Demand("must")


def ehlo(*offers: str) -> str:
    """Return an answer to EHLO."""
    return "\n".join(f"250-{offer}" for offer in ("mx.example", "PIPELINING", *offers)) + "\n250 HELP"


def host(*offers: str, **replies: Any) -> Scripted:
    """Return a server that offers these beside PIPELINING, and STARTTLS."""
    return Scripted(ehlo=ehlo("STARTTLS", *offers), **replies)


def asking(*recipients: str, reverse_path: Any = ..., **asked: Any) -> Job:
    """Return a job for *recipients* of which this is asked."""
    sender = {} if reverse_path is ... else {"reverse_path": reverse_path}
    return job(*(recipients or (BOB,)), asked=Asked(**asked), **sender)


def mail(far: Scripted) -> list[str]:
    """Return the parameters of the MAIL commands that came."""
    return [line.partition("> ")[2] for line in far.commands if line.upper().startswith("MAIL")]


def rcpt(far: Scripted) -> list[str]:
    """Return the parameters of the RCPT commands that came."""
    return [line.partition("> ")[2] for line in far.commands if line.upper().startswith("RCPT")]


def everywhere(far: Scripted) -> dict[str, Scripted]:
    """Return *far* at each address of the destination."""
    return dict.fromkeys((MX1, MX1_TOO, MX2, MX3), far)


class TestDeliverBy:
    """RFC 2852 §4.1.4."""

    @pytest.mark.parametrize(
        ("asked", "passed_on"),
        [
            ({"by": NOW + 98.9, "by_mode": "R"}, "BY=98;R"),
            ({"by": NOW + 98.9, "by_mode": "R", "traced": True}, "BY=98;RT"),
            ({"by": NOW + 5, "by_mode": "N"}, "BY=5;N"),
            ({"by": NOW - 5, "by_mode": "N"}, "BY=-5;N"),
            ({"by": NOW + 1e12, "by_mode": "N"}, "BY=999999999;N"),
        ],
    )
    def test_what_is_left_is_passed_on(self, asked: dict[str, Any], passed_on: str) -> None:
        """As a span, counted when MAIL is said; below zero where it has passed."""
        far = host("DELIVERBY 30" if asked["by_mode"] == "R" else "DELIVERBY")
        outcome = World({MX1: far}).deliver_one(asking(**asked))

        assert isinstance(outcome, Delivered)
        assert mail(far) == [passed_on]

    @pytest.mark.parametrize(
        ("offer", "left", "failed"),
        [
            ("SIZE", 600.0, NO_DELIVERBY),
            ("DELIVERBY 240", 239.9, TOO_LATE),
            ("DELIVERBY", 0.0, TOO_LATE),
        ],
    )
    def test_what_must_be_returned_in_time(self, offer: str, left: float, failed: Failed) -> None:
        """§4.1.4.1: it goes to no host that does not know of times, or needs more of it; then it is undeliverable."""
        far = host(offer)

        assert World(everywhere(far)).deliver_one(asking(by=NOW + left, by_mode="R")) == failed
        assert mail(far) == []

    def test_a_host_that_needs_as_much_as_is_left(self) -> None:
        """That is enough."""
        far = host("DELIVERBY 240")

        assert isinstance(World({MX1: far}).deliver_one(asking(by=NOW + 240, by_mode="R")), Delivered)

    def test_the_next_exchanger_may_know_more(self) -> None:
        """§6, the second example."""
        better = host("DELIVERBY")
        world = World({MX1: host(), MX1_TOO: host(), MX2: better})

        assert isinstance(world.deliver_one(asking(by=NOW + 60, by_mode="R")), Delivered)
        assert mail(better) == ["BY=60;R"]

    @pytest.mark.parametrize(
        ("asked", "offers", "announced"),
        [
            ({"by": NOW + 5, "by_mode": "N"}, (), True),
            ({"by": NOW + 5, "by_mode": "N"}, ("DSN",), True),
            ({"by": NOW - 5, "by_mode": "N"}, (), False),
            ({"by": NOW + 5, "by_mode": "N"}, ("DELIVERBY",), False),
            ({"by": NOW + 5, "by_mode": "N", "traced": True}, ("DELIVERBY",), True),
            ({"by": NOW + 5, "by_mode": "R", "traced": True}, ("DELIVERBY",), True),
            ({"priority": 3}, (), False),
        ],
    )
    def test_who_hears_of_the_relaying(self, asked: dict[str, Any], offers: tuple[str, ...], announced: bool) -> None:
        """§4.1.4: who wants a trace; §4.1.4.2: whose time nobody will look at any more."""
        outcome = World({MX1: host(*offers)}).deliver_one(asking(**asked))

        assert isinstance(outcome, Delivered)
        assert outcome.announced is announced

    @pytest.mark.parametrize(
        ("notify", "asked_of_the_next"),
        [
            ("", "FAILURE,DELAY"),
            ("NEVER", "NEVER"),
            ("SUCCESS", "SUCCESS,DELAY"),
            ("FAILURE,DELAY", "FAILURE,DELAY"),
        ],
    )
    def test_the_next_host_is_asked_to_tell_of_delay(self, notify: str, asked_of_the_next: str) -> None:
        """§4.1.4.2: where it knows of reports and not of times."""
        far = host("DSN")
        message = job(recipient(BOB, notify=notify), asked=Asked(by=NOW + 5, by_mode="N"))
        World({MX1: far}).deliver_one(message)

        assert rcpt(far) == [f"NOTIFY={asked_of_the_next}"]
        assert with_delay(notify) == asked_of_the_next

    def test_nothing_of_that_for_lmtp(self) -> None:
        """§1: what puts it into a mailbox delivers it; it is neither refused nor told of."""
        far = Scripted(lhlo=ehlo())
        route = Route("b.example", "b.example", host="mx1.b.example", lmtp=True, tls="none", private=True)
        outcome = World({MX1: far}, route).deliver_one(asking(by=NOW + 5, by_mode="R", traced=True))

        assert isinstance(outcome, Delivered)
        assert outcome.announced is False


class TestPriority:
    """RFC 6710 §4.2, §4.3."""

    @pytest.mark.parametrize("priority", [-9, 0, 4])
    def test_it_is_passed_on(self, priority: int) -> None:
        """Whatever it is, to who offers it; and to nobody else."""
        knows, does_not = host("MT-PRIORITY MIXER"), host()
        for far in (knows, does_not):
            World({MX1: far}).deliver_one(asking(priority=priority))

        assert (mail(knows), mail(does_not)) == ([f"MT-PRIORITY={priority}"], [""])


class TestRequireTls:
    """RFC 8689 §4.2."""

    def test_it_is_passed_on(self) -> None:
        """Over TLS that is good enough, to a host that promises the same."""
        far = host("REQUIRETLS")
        world = World({MX1: far}, demand=ENOUGH)

        assert isinstance(world.deliver_one(asking(require_tls=True)), Delivered)
        assert mail(far) == ["REQUIRETLS"]
        assert world.demands.wishes == ["required"]

    def test_no_host_promises_it(self) -> None:
        """5.7.30, and nothing of the message was said."""
        far = host()

        assert World(everywhere(far), demand=ENOUGH).deliver_one(asking(require_tls=True)) == NO_REQUIRETLS
        assert mail(far) == []

    @pytest.mark.parametrize(
        "demand",
        [
            Demand("must", skip="nobody vouches for it"),
            Demand("must", proofs=(Objection(),)),
        ],
    )
    def test_no_host_is_safe_enough(self, demand: Demand) -> None:
        """5.7.10 at once: what is asked for there will not be had there later."""
        far = host("REQUIRETLS")
        outcome = World(everywhere(far), demand=demand).deliver_one(asking(require_tls=True))

        assert isinstance(outcome, Failed)
        assert outcome.status == "5.7.10"
        assert mail(far) == []

    def test_a_host_without_starttls(self) -> None:
        """The same."""
        far = Scripted(ehlo=ehlo("REQUIRETLS"))
        outcome = World(everywhere(far), demand=ENOUGH).deliver_one(asking(require_tls=True))

        assert isinstance(outcome, Failed)
        assert outcome.status == "5.7.10"

    def test_a_host_that_is_away_may_come_back(self) -> None:
        """Of the others nothing is given up as long as one of them was not asked."""
        outcome = World({MX2: host()}, demand=ENOUGH).deliver_one(asking(require_tls=True))

        assert isinstance(outcome, Deferred)

    def test_the_next_exchanger_may_be_better(self) -> None:
        """Steps 2 to 5 are gone through for each."""
        better = host("REQUIRETLS")
        world = World({MX1: host(), MX1_TOO: host(), MX2: better}, demand=ENOUGH)

        assert isinstance(world.deliver_one(asking(require_tls=True)), Delivered)
        assert mail(better) == ["REQUIRETLS"]

    def test_a_report_goes_all_the_same(self) -> None:
        """§5: nobody could be told of its loss; with the word where it is understood."""
        knows, does_not, in_the_clear = host("REQUIRETLS"), host(), host("REQUIRETLS")
        for far, demand in ((knows, Demand("may")), (does_not, Demand("may")), (in_the_clear, Demand("none"))):
            world = World({MX1: far}, demand=demand)
            assert isinstance(world.deliver_one(asking(require_tls=True, reverse_path=None)), Delivered)
            assert world.demands.wishes == [""]

        assert (mail(knows), mail(does_not), mail(in_the_clear)) == (["REQUIRETLS"], [""], [""])

    def test_a_session_that_waits_is_not_used(self) -> None:
        """It may have been begun with less TLS; one that was begun for such a message may be used for others."""
        far = host("REQUIRETLS")
        world = World({MX1: far}, demand=ENOUGH)
        world.deliver_one(job(BOB))
        world.deliver_one(asking(require_tls=True))
        world.deliver_one(job(BOB))

        assert far.connections == 2
        assert mail(far) == ["", "REQUIRETLS", ""]

    def test_a_socket_is_here(self) -> None:
        """Nothing goes over any wire."""
        far = Scripted(lhlo=ehlo())
        route = Route("b.example", "b.example", host=f"{UNIX}/run/lmtp", lmtp=True, tls="none")
        world = World({"/run/lmtp": far}, route)

        assert isinstance(world.deliver_one(asking(require_tls=True)), Delivered)
        assert world.demands.wishes == [""]


class TestTlsOptional:
    """RFC 8689 §4.2.2."""

    def test_the_policy_hears_of_it(self) -> None:
        """Which asks for less then; no other message goes over such a session."""
        far = host()
        world = World({MX1: far})
        world.deliver_one(asking(tls_optional=True))
        world.deliver_one(job(BOB))

        assert world.demands.wishes == ["optional", ""]
        assert far.connections == 2

    def test_a_session_that_waits_is_good_enough(self) -> None:
        """It has as much TLS as anybody wanted; it may be used again, too."""
        far = host()
        world = World({MX1: far})
        for each in (job(BOB), asking(tls_optional=True), job(BOB)):
            world.deliver_one(each)

        assert far.connections == 1


class TestLimits:
    """RFC 9422: what a host tells of itself is kept."""

    THREE = ("one@b.example", "two@b.example", "three@b.example")

    def test_recipients_of_a_transaction(self) -> None:
        """RCPTMAX: the others follow in the next one, over the same session."""
        far = host("LIMITS RCPTMAX=2")
        outcomes = World({MX1: far}).deliver(job(*self.THREE))

        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert [verb for verb in far.verbs() if verb in ("MAIL", "RCPT")] == ["MAIL", "RCPT", "RCPT", "MAIL", "RCPT"]
        assert far.connections == 1

    def test_messages_of_a_session(self) -> None:
        """MAILMAX: then comes another session."""
        far = host("LIMITS MAILMAX=2")
        world = World({MX1: far})
        for _ in range(5):
            world.deliver_one(job(BOB))

        assert far.connections == 3
        assert len(far.messages) == 5

    def test_one_message_may_take_several_sessions(self) -> None:
        """Both limits at once, and every recipient gets it."""
        far = host("LIMITS MAILMAX=1 RCPTMAX=1")
        outcomes = World({MX1: far}).deliver(job(*self.THREE))

        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert (far.connections, len(far.messages)) == (3, 3)

    def test_a_session_that_cannot_be_had_again(self) -> None:
        """Who got it has it; the others wait."""
        far = host("LIMITS MAILMAX=1 RCPTMAX=1", greeting=["220 mx.example", "421 4.3.2 busy"])
        outcomes = World({MX1: far}).deliver(job(*self.THREE))

        assert [type(outcome) for outcome in outcomes] == [Delivered, Deferred, Deferred]

    def test_domains_of_a_session(self) -> None:
        """RCPTDOMAINMAX: those of one domain go together, however the others lie between them."""
        far = host("LIMITS RCPTDOMAINMAX=1")
        route = Route("isp", "", host="mx1.b.example", tls="none", private=True)
        outcomes = World({MX1: far}, route).deliver(job("a@b.example", "b@c.example", "c@B.example"))

        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert [line.partition("<")[2].partition(">")[0] for line in far.commands if line.startswith("RCPT")] == [
            "a@b.example", "c@B.example", "b@c.example",
        ]  # fmt: skip
        assert far.connections == 2

    def test_who_says_nothing(self) -> None:
        """Is sent as many as we have."""
        far = host("LIMITS")
        World({MX1: far}).deliver(job(*self.THREE))

        assert far.verbs().count("MAIL") == 1
