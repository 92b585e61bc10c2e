"""The policy that holds for a domain: announced, fetched, kept, renewed (RFC 8461 §3, §5.1)."""

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from mailsuite.delivery import mta_sts
from mailsuite.delivery.mta_sts import LOOK_SECONDS, MTASTS, RETRY_SECONDS
from mailsuite.delivery.mta_sts_cache import PolicyCache
from mailsuite.delivery.mta_sts_policy import POLICY_OCTETS, Policy
from tests.delivery.chains import result
from tests.delivery.test_mta_sts_cache import Threads
from tests.delivery.web import FixedWeb
from tests.doubles_dns import FixedResolver

DAY = 86_400
RECORD = "_mta-sts.b.example"
URL = "https://mta-sts.b.example/.well-known/mta-sts.txt"


def text(mode: str = "enforce", mx: str = "mx.b.example", age: int = DAY) -> tuple[str, bytes]:
    """Return a policy as it comes over the web."""
    return "text/plain", f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {age}\n".encode()


class World:
    """A domain with a policy, and we."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.names = FixedResolver(txt={RECORD: ["v=STSv1; id=1"]})
        self.web = FixedWeb({URL: text()})
        self.start()

    def start(self) -> None:
        """Begin, or begin anew with what is in the file."""
        self.cache = PolicyCache(str(self.path), self.clock, Threads())
        self.cache.load(self.clock.seconds())
        self.policies = MTASTS(self.names, self.web, self.cache, self.clock.seconds)

    def announce(self, *records: str) -> None:
        self.names.txt_records[RECORD] = records

    def ask(self, domain: str = "b.example") -> Policy | None:
        return result(self.policies.policy(domain))

    def mx(self) -> str:
        """Return the host of the policy that holds; empty: none does."""
        found = self.ask()
        return found.mx[0] if found else ""

    @property
    def fetches(self) -> int:
        return len(self.web.asked)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "mta-sts.json")


def test_a_policy_is_fetched_once(world: World) -> None:
    """What is kept and still announced is used as it is."""
    assert world.ask() == Policy("enforce", ("mx.b.example",), DAY)
    assert world.web.asked == [(URL, POLICY_OCTETS)]

    world.clock.advance(DAY / 2 - 1)
    assert world.ask("B.Example.") == Policy("enforce", ("mx.b.example",), DAY)

    assert world.fetches == 1
    assert set(world.names.asked) == {("txt", RECORD)}


def test_another_place(world: World) -> None:
    """Where policies lie can be said."""
    url = "https://mta-sts.b.example:8443/.well-known/mta-sts.txt"
    world.web.documents = {url: text()}
    policies = MTASTS(
        world.names, world.web, world.cache, world.clock.seconds, url.replace("b.example", "{domain}")
    )

    assert result(policies.policy("b.example")) is not None


@pytest.mark.parametrize("domain", ["[192.0.2.1]", "192.0.2.1", "2001:db8::1", "", "b..example", "a/b.example"])
def test_what_has_no_policy(world: World, domain: str) -> None:
    """RFC 8461 §3.4: address literals; and what is no name is not asked about."""
    assert world.ask(domain) is None
    assert world.names.asked == []


def test_other_alphabets(world: World) -> None:
    """They are asked about as A-labels."""
    world.names.txt_records["_mta-sts.xn--bcher-kva.example"] = ["v=STSv1; id=1"]
    world.web.documents["https://mta-sts.xn--bcher-kva.example/.well-known/mta-sts.txt"] = text()

    assert world.ask("Bücher.example") is not None


@pytest.mark.parametrize("records", [(), ("v=spf1 -all",), ("v=STSv1; id=1", "v=STSv1; id=2"), ("v=STSv1",)])
def test_nothing_announced(world: World, records: tuple[str, ...]) -> None:
    """Nothing is fetched."""
    world.announce(*records)

    assert world.ask() is None
    assert world.fetches == 0


def test_nobody_can_say(world: World) -> None:
    """Trouble with DNS, or a name that is not there: as though nothing were announced."""
    world.names.troubled = {RECORD}
    assert world.ask() is None

    world.names = FixedResolver()
    world.start()
    assert world.ask() is None


def test_what_is_kept_outlives_its_announcement(world: World) -> None:
    """RFC 8461 §3.1, §3.3: nothing announced does not end it; only time does."""
    assert world.mx()
    for trouble in ((), ("v=STSv1; id=bad-id",)):
        world.announce(*trouble)
        assert world.mx()
    world.names.troubled = {RECORD}
    assert world.mx()

    world.clock.advance(DAY - 1)
    assert world.mx()
    world.clock.advance(1)

    assert world.ask() is None
    assert world.fetches == 1


def test_a_restart_forgets_nothing(world: World) -> None:
    """An attacker who stops DNS while we restart gains nothing."""
    assert world.mx()
    result(world.cache.stop())
    world.announce()

    world.start()

    assert world.mx() == "mx.b.example"


def test_a_new_id_is_a_new_policy(world: World) -> None:
    """RFC 8461 §3.1: fetched at once, and in force."""
    assert world.mx() == "mx.b.example"
    world.web.documents[URL] = text(mx="new.b.example")
    assert world.mx() == "mx.b.example"

    world.announce("v=STSv1; id=2")

    assert world.mx() == "new.b.example"
    assert world.mx() == "new.b.example"
    assert world.fetches == 2


def test_half_its_time_is_over(world: World) -> None:
    """RFC 8461 §3.3: it is renewed before it ends."""
    world.mx()
    world.clock.advance(DAY / 2)
    assert world.mx()
    assert world.fetches == 2

    world.announce()
    world.clock.advance(DAY - 1)
    assert world.mx()


@pytest.mark.parametrize(
    "document",
    [
        None,
        ("text/html", text()[1]),
        ("", text()[1]),
        ("text/plain", b"<html>"),
        ("text/plain", b"x" * (POLICY_OCTETS + 1)),
    ],
)
def test_a_failure_leaves_what_is_kept(world: World, document: tuple[str, bytes] | None) -> None:
    """RFC 8461 §3.3: it holds until its time is over, and operators hear of it."""
    world.mx()
    world.announce("v=STSv1; id=2")
    world.web.documents = {URL: document} if document else {}

    with capturedLogs() as events:
        assert world.mx() == "mx.b.example"
    assert [event["domain"] for event in events] == ["b.example"]

    world.clock.advance(DAY)
    assert world.ask() is None


def test_a_failure_without_a_kept_policy(world: World) -> None:
    """RFC 8461 §3.3: as though there were none."""
    world.web.documents = {}

    assert world.ask() is None


def test_parameters_of_the_media_type(world: World) -> None:
    """RFC 8461 §3.2: they are ignored."""
    world.web.documents[URL] = ("text/plain; charset=latin-1", text()[1])

    assert world.mx()


def test_a_failure_is_not_repeated_soon(world: World) -> None:
    """RFC 8461 §3.3: five minutes for each version; another version is another matter."""
    world.web.documents = {}
    world.ask()
    world.clock.advance(RETRY_SECONDS - 1)
    world.ask()
    assert world.fetches == 1

    world.announce("v=STSv1; id=2")
    world.ask()
    assert world.fetches == 2

    world.announce("v=STSv1; id=1")
    world.clock.advance(1)
    world.web.documents = {URL: text()}
    assert world.mx()
    assert world.fetches == 3


def test_the_limit_of_failures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are remembered: beyond, the oldest is tried again."""
    monkeypatch.setattr(mta_sts, "FAILURES", 2)
    world.web.documents = {}
    for number in (1, 2):
        world.announce(f"v=STSv1; id={number}")
        world.ask()
    world.announce("v=STSv1; id=1")
    world.ask()
    assert world.fetches == 2

    world.announce("v=STSv1; id=3")
    world.ask()
    world.announce("v=STSv1; id=1")
    world.ask()

    assert world.fetches == 4


def test_mode_none_takes_a_policy_back(world: World) -> None:
    """RFC 8461 §8.3: nothing holds from then on, also when nothing is announced; and it is not fetched again."""
    assert world.mx()
    world.announce("v=STSv1; id=2")
    world.web.documents[URL] = text("none")

    assert world.ask() is None
    assert world.ask() is None
    assert world.fetches == 2
    world.announce()
    assert world.ask() is None


def test_a_failure_after_mode_none_is_nobodys_concern(world: World) -> None:
    """RFC 8461 §3.3: no alert."""
    world.web.documents[URL] = text("none")
    world.ask()
    world.announce("v=STSv1; id=2")
    world.web.documents = {}

    with capturedLogs() as events:
        assert world.ask() is None
    assert world.fetches == 2
    assert not events


def test_a_policy_without_time(world: World) -> None:
    """It holds for the message that it was fetched for."""
    world.web.documents[URL] = text(age=0)
    assert world.mx()

    world.announce()
    assert world.ask() is None


def test_testing_is_a_policy(world: World) -> None:
    """What it means is for others to say."""
    world.web.documents[URL] = text("testing")
    found = world.ask()

    assert found is not None
    assert found.mode == "testing"


def test_lookups_at_once_are_shared(world: World) -> None:
    """One fetch for all that wait; each domain has its own."""
    world.web.pending = Deferred()
    waiting = [Deferred.fromCoroutine(world.policies.policy("b.example")) for _ in range(3)]
    other = Deferred.fromCoroutine(world.policies.policy("c.example"))
    assert other.result is None
    assert not any(each.called for each in waiting)

    pending, world.web.pending = world.web.pending, None
    pending.callback(None)

    assert [each.result for each in waiting] == [Policy("enforce", ("mx.b.example",), DAY)] * 3
    assert world.fetches == 1
    world.announce("v=STSv1; id=2")
    assert world.mx()
    assert world.fetches == 2


@pytest.mark.parametrize("stopped", [0, 1, 2])
def test_one_that_no_longer_waits_harms_no_other(world: World, stopped: int) -> None:
    """A caller that was stopped is left out, be it the first one."""
    world.web.pending = Deferred()
    waiting = [Deferred.fromCoroutine(world.policies.policy("b.example")) for _ in range(3)]
    for each in waiting:
        each.addErrback(lambda failure: None)
    waiting[stopped].cancel()

    world.web.pending.callback(None)

    assert [each.result is None for each in waiting] == [number == stopped for number in range(3)]


def test_the_unforeseen_reaches_all_that_wait(world: World) -> None:
    """A fault of ours leaves nobody waiting for ever, and the next lookup begins anew."""
    world.web.pending = Deferred()
    failures: list[object] = []
    for _ in range(2):
        Deferred.fromCoroutine(world.policies.policy("b.example")).addErrback(failures.append)
    pending, world.web.pending = world.web.pending, None

    pending.errback(RuntimeError("a fault"))

    assert len(failures) == 2
    assert world.mx()


def test_refreshing(world: World) -> None:
    """RFC 8461 §3.3: what is kept is renewed though no mail goes there."""
    world.mx()
    world.clock.advance(DAY / 2)

    result(world.policies.refresh())

    assert world.fetches == 2
    world.announce()
    world.clock.advance(DAY - 1)
    assert world.mx()


@pytest.mark.parametrize("age", [2 * 3600, DAY, 2 * DAY, 7 * DAY])
def test_refreshing_whatever_dns_says(world: World, age: int) -> None:
    """RFC 8461 §10.2: an attacker who keeps the record from us has to stop the fetches as well, and for long."""
    world.web.documents[URL] = text(age=age)
    world.mx()
    world.names.troubled = {RECORD}
    looks = (2 * DAY + age) // int(LOOK_SECONDS)
    for _ in range(looks):
        world.clock.advance(LOOK_SECONDS)
        result(world.policies.refresh())

    assert world.mx() == "mx.b.example"
    # And it is not fetched more often than that takes: once a day, or as often as its time is half over.
    needed = looks * LOOK_SECONDS / min(DAY, age / 2)
    assert needed <= world.fetches <= 1.2 * needed + 1


def test_refreshing_that_fails_is_told(world: World) -> None:
    """RFC 8461 §3.3, §10.2: long before the policy ends, which holds until then."""
    world.web.documents[URL] = text(age=7 * DAY)
    world.mx()
    world.web.documents = {}
    world.clock.advance(DAY)

    with capturedLogs() as events:
        result(world.policies.refresh())

    assert [event["domain"] for event in events] == ["b.example"]
    assert world.mx() == "mx.b.example"


def test_refreshing_finds_a_policy_that_was_taken_back(world: World) -> None:
    """What its host says is the domain's word."""
    world.mx()
    world.web.documents[URL] = text("none")
    world.clock.advance(DAY / 2)

    result(world.policies.refresh())

    assert world.ask() is None


def test_a_new_id_after_refreshing(world: World) -> None:
    """A policy that came without its record is fetched again when the record is there: it may be another by then."""
    world.mx()
    world.clock.advance(DAY / 2)
    result(world.policies.refresh())
    world.web.documents[URL] = text(mx="new.b.example")

    world.announce("v=STSv1; id=2")

    assert world.mx() == "new.b.example"


def test_refreshing_goes_on_whatever_happens(world: World) -> None:
    """A fetch that does not end, and a fault of ours, keep no other policy from being renewed."""
    others = [f"{number}.example" for number in range(8)]
    for domain in others:
        world.names.txt_records[f"_mta-sts.{domain}"] = ["v=STSv1; id=1"]
        world.web.documents[f"https://mta-sts.{domain}/.well-known/mta-sts.txt"] = text(mx=f"mx.{domain}")
        assert world.ask(domain) is not None
    world.clock.advance(DAY / 2)
    hung, fault = Deferred[None](), RuntimeError("a fault")
    ended: list[object] = []
    fetch = world.web.get

    async def get(url: str, limit: int) -> tuple[str, bytes]:
        if "mta-sts.0." in url:
            await hung
        if "mta-sts.1." in url:
            raise fault
        return await fetch(url, limit)

    world.web.get = get  # type: ignore[method-assign]
    with capturedLogs() as events:
        Deferred.fromCoroutine(world.policies.refresh()).addBoth(ended.append)
    assert [event["log_failure"].value for event in events] == [fault]
    assert world.fetches == 14
    assert ended == []

    hung.callback(None)
    assert ended == [None]
    assert world.fetches == 15
