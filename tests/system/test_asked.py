"""What senders ask of a message's way, through the whole service: DELIVERBY, MT-PRIORITY, FUTURERELEASE, and LIMITS.

(RFC 2852, RFC 6710, RFC 4865, RFC 9422. REQUIRETLS, RFC 8689, needs names in DNS: see test_secure_delivery.)
"""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.message import dsn
from tests.system.far_end import FarEnd, FarEnds
from tests.system.messages import message
from tests.system.senders import Way, smtp_session
from tests.system.site import DOMAIN, Site, until
from tests.system.story import logged

pytestmark = pytest.mark.system

ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
PLAIN = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")


class World:
    """A site with a route to each far end."""

    def __init__(self, site: Site, ends: Mapping[str, FarEnd]) -> None:
        self.site = site
        self.ends = ends

    def send(self, parameters: str, *recipients: str, way: Way = "submission") -> str:
        """Send a message of alice's with these parameters of MAIL; return the queue's id of it."""
        with smtp_session(self.site, way, ALICE) as session:
            session.ehlo_or_helo_if_needed()
            assert session.mail(ALICE, [parameters])[0] == 250
            for recipient in recipients:
                assert session.rcpt(recipient)[0] == 250
            code, words = session.data(message(ALICE, b"hello\r\n"))
            assert code == 250
        return words.decode().rpartition("[")[2].rstrip("]")

    def refused(self, parameters: str, way: Way = "submission") -> str:
        """Return the answer to MAIL with *parameters*, a refusal."""
        with smtp_session(self.site, way, ALICE) as session:
            session.ehlo_or_helo_if_needed()
            code, words = session.mail(ALICE, [parameters])
        assert code >= 500
        return f"{code} {words.decode()}"

    def delivered(self, recipient: str) -> dict[str, Any]:
        """Wait until mail for *recipient* is delivered; return what the mail log says."""
        found = until(lambda: logged(self.site, "delivery", to=recipient, result="delivered"), 20, "a delivery")
        return found[-1]

    def mail(self, name: str) -> list[str]:
        """Return the parameters of the MAIL commands that a far end has got."""
        return [line.partition("> ")[2] for _, line in self.ends[name].commands if line.startswith("MAIL")]

    def report(self, recipient: str) -> dsn.Checked:
        """Wait for a report to alice about *recipient*."""
        found = until(lambda: self._reports(recipient), 20, f"a report about {recipient}")
        return dsn.check(found[-1])

    def _reports(self, recipient: str) -> list[bytes]:
        wanted = b"\r\nFinal-Recipient: rfc822; %b\r\n" % recipient.encode()
        return [each.partition(b"\r\n")[2] for each in self.site.on_disk(ALICE) if wanted in each]

    def queued(self, message_id: str) -> list[dict[str, Any]]:
        """Return what ``mailsuite queue`` says of a message."""
        found: list[dict[str, Any]] = json.loads(self.site.cli("queue", "list", message_id, "--json").stdout)
        return found


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One site for all tests of this file; no second try comes by itself."""
    ends = {
        "timely": FarEnd((*PLAIN, "DELIVERBY 2")),
        "timeless": FarEnd((*PLAIN, "DSN")),
        "busy": FarEnd((*PLAIN, "DELIVERBY"), rcpt="450 4.2.1 Busy"),
        "ranked": FarEnd((*PLAIN, "MT-PRIORITY MIXER")),
        "narrow": FarEnd((*PLAIN, "LIMITS MAILMAX=2 RCPTMAX=2")),
    }
    options: dict[str, Mapping[str, object]] = {
        "queue": {"retry_first": 3000.0, "destination_deliveries": 1},
        "delivery": {"connection_idle": 5.0},
        "smtp": {"deliver_by_minimum": 2, "priority_policy": "MIXER"},
        "log": {"format": "json"},
        "limits": {"held_messages": 3},
    }
    with FarEnds() as far_ends:
        for name, end in ends.items():
            port = far_ends.listen(end)
            options[f"routes.{name}"] = {"recipients": [f"{name}.example"], "host": "127.0.0.1", "port": port}
        with Site(options, ["alice", "bob"]) as site:
            yield World(site, ends)


@pytest.mark.parametrize(
    ("way", "futurerelease"), [("mta", False), ("submission", True), ("submissions", True)]
)
def test_what_is_offered(world: World, way: Way, futurerelease: bool) -> None:
    """FUTURERELEASE on submission alone (RFC 4865 §4.2), REQUIRETLS inside TLS alone (RFC 8689 §2)."""
    with smtp_session(world.site, way, ALICE) as session:
        session.ehlo()
        offered = session.esmtp_features

    assert offered["deliverby"] == "2"
    assert offered["mt-priority"] == "MIXER"
    assert offered["limits"] == "MAILMAX=1000 RCPTMAX=1000"
    assert ("futurerelease" in offered) is futurerelease
    assert ("requiretls" in offered) is (way != "mta")


class TestDeliverBy:
    """RFC 2852."""

    def test_it_is_passed_on(self, world: World) -> None:
        """With what is left of the time."""
        world.send("BY=600;R", "bob@timely.example")
        world.delivered("bob@timely.example")

        assert world.mail("timely") in (["BY=600;R"], ["BY=599;R"])

    def test_it_goes_to_no_host_that_cannot_promise_it(self, world: World) -> None:
        """§4.1.4.1: the sender hears of it, and that host does not."""
        world.send("BY=600;R", "never@timeless.example")
        report = world.report("never@timeless.example")

        assert report.only["status"].strip() == "5.3.3"
        assert "deliver-by-date" in report.message
        assert not any("never@" in line for _, line in world.ends["timeless"].commands)

    def test_its_sender_hears_that_nobody_looks_at_the_time(self, world: World) -> None:
        """§4.1.4.2: relayed; and the next host is asked to tell of delay."""
        world.send("BY=600;N", "bob@timeless.example")
        report = world.report("bob@timeless.example")

        assert report.only["action"].strip() == "relayed"
        assert "RCPT TO:<bob@timeless.example> NOTIFY=FAILURE,DELAY" in [
            line for _, line in world.ends["timeless"].commands
        ]

    def test_it_is_returned_in_time(self, world: World) -> None:
        """§4.1.3: failed, 5.4.7, long before a next try would come."""
        identity = world.send("BY=2;R", "late@busy.example")
        report = world.report("late@busy.example")

        assert (report.only["action"].strip(), report.only["status"].strip()) == ("failed", "5.4.7")
        assert world.queued(identity) == []

    def test_its_sender_is_told_in_time(self, world: World) -> None:
        """§4.1.3: delayed, 4.4.7; it goes on being tried."""
        identity = world.send("BY=1;N", "slow@busy.example")
        report = world.report("slow@busy.example")

        assert (report.only["action"].strip(), report.only["status"].strip()) == ("delayed", "4.4.7")
        assert [each["state"] for each in world.queued(identity)] == ["waiting"]

    def test_what_is_too_soon(self, world: World) -> None:
        """§3: below what EHLO has said."""
        assert world.refused("BY=1;R").startswith("555 5.5.4")

    def test_a_mailbox_here(self, world: World) -> None:
        """It is there at once, whatever was set."""
        before = len(world.site.on_disk("bob"))
        world.send("BY=10;R", BOB)

        assert len(world.site.on_disk("bob")) == before + 1


class TestPriority:
    """RFC 6710."""

    def test_it_orders_the_queue(self, world: World) -> None:
        """What is the most urgent goes first, whenever it came; each says how urgent it is."""
        world.site.cli("queue", "hold", "--destination", "route:ranked")
        for priority in (-4, 0, 4):
            world.send(f"MT-PRIORITY={priority}", f"p{priority}@ranked.example")
        world.site.cli("queue", "release", "--destination", "route:ranked")
        until(lambda: len(world.ends["ranked"].taken) == 3, 20, "three messages")

        assert world.mail("ranked") == ["MT-PRIORITY=4", "MT-PRIORITY=0", "MT-PRIORITY=-4"]

    @pytest.mark.parametrize(("way", "granted"), [("submission", 4), ("mta", 0)])
    def test_nobody_gets_more_than_he_may(self, world: World, way: Way, granted: int) -> None:
        """The answer says what it is now (§4.1)."""
        with smtp_session(world.site, way, ALICE) as session:
            session.ehlo()
            code, words = session.mail(ALICE, ["MT-PRIORITY=9"])

        assert (code, words) == (250, f"2.3.6 {granted} is the new priority of the message".encode())


class TestFutureRelease:
    """RFC 4865."""

    def test_it_waits_until_its_time(self, world: World) -> None:
        """And no moment less, though its mailbox is here."""
        before = len(world.site.on_disk("bob"))
        release = datetime.fromtimestamp(int(time.time()) + 3, UTC)
        world.send(f"HOLDUNTIL={release:%Y-%m-%dT%H:%M:%SZ}", BOB)
        assert len(world.site.on_disk("bob")) == before
        until(lambda: len(world.site.on_disk("bob")) > before, 20, "its release")

        assert time.time() >= release.timestamp()

    def test_it_outlives_a_restart_and_yields_to_an_operator(self, world: World) -> None:
        """Here and for others; queue tells of it, and retry sends it now."""
        before = len(world.site.on_disk("bob"))
        identity = world.send("HOLDFOR=3600", BOB, "later@timely.example")
        world.site.restart()

        assert [each["state"] for each in world.queued(identity)] == ["scheduled", "scheduled"]
        assert "held by its sender until" in world.site.cli("queue", "show", identity).stdout
        assert len(world.site.on_disk("bob")) == before
        world.site.cli("queue", "retry", identity)
        world.delivered("later@timely.example")
        until(lambda: len(world.site.on_disk("bob")) > before, 20, "mail for bob")

    def test_a_report_tells_that_it_was_asked_for(self, world: World) -> None:
        """§5.1.2."""
        identity = world.send("HOLDFOR=3600", "given-up@timely.example")
        world.site.cli("queue", "bounce", identity, "--yes")
        report = world.report("given-up@timely.example")

        assert report.message["future-release-request"].strip() == "for;3600"

    @pytest.mark.parametrize(
        "parameters", ["HOLDFOR=2592001", "HOLDUNTIL=2001-01-01T00:00:00Z", "HOLDFOR=600 BY=60;R"]
    )
    def test_what_cannot_be(self, world: World, parameters: str) -> None:
        """§4.2, §5.2.2: too late, past, later than it has to be delivered."""
        assert world.refused(parameters).startswith("501 5.5.4")

    def test_the_quota_of_a_login(self, world: World) -> None:
        """§6 (3) to (5): over any sessions, to anybody; what waits no more does not count, nor what goes at once."""
        site, held = world.site, []
        for way in ("submission", "submissions"):
            with smtp_session(site, way, BOB) as session:
                session.ehlo()
                while session.mail(BOB, ["HOLDFOR=3600"])[0] == 250:
                    assert [session.rcpt(to)[0] for to in (BOB, "many@timely.example")] == [250, 250]
                    code, words = session.data(message(BOB, b"later\r\n"))
                    assert code == 250
                    held.append(words.decode().rpartition("[")[2].rstrip("]"))
                assert session.mail(BOB, ["HOLDFOR=3600"]) == (
                    552, b"5.7.16 Too many messages of yours wait for their time already",
                )  # fmt: skip
                assert session.mail(BOB)[0] == 250
        assert len(held) == 3
        assert {each["login"] for each in logged(site, "limit", limit="held_messages")} == {BOB}
        site.cli("queue", "remove", held[0], "--yes")
        with smtp_session(site, "submission", BOB) as session:
            session.ehlo()
            assert session.mail(BOB, ["HOLDFOR=3600"])[0] == 250
        for identity in held[1:]:
            site.cli("queue", "remove", identity, "--yes")

    def test_it_is_for_submission_alone(self, world: World) -> None:
        """§4.2, item 2."""
        assert world.refused("HOLDFOR=60", way="mta").startswith("555 5.5.4")


def test_limits_of_another_server(world: World) -> None:
    """RFC 9422: no transaction has more recipients, and no session more transactions, than it takes."""
    people = [f"{name}@narrow.example" for name in ("ann", "ben", "cay", "dan", "eve")]
    world.send("", *people)
    until(lambda: len(world.ends["narrow"].taken) == 3, 20, "three transactions")

    taken = world.ends["narrow"].taken
    assert sorted(address for each in taken for address in each.recipients) == people
    assert [(len(each.recipients), each.connection) for each in taken] == [(2, 1), (2, 1), (1, 2)]
