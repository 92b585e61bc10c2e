"""Quotas and caps, through the whole service: a mailbox is filled, refused, and emptied; mail over a cap is held."""

import json
import smtplib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.system.far_end import FarEnd, FarEnds
from tests.system.fetchers import pop3_session
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, LISTENERS, Site, until

pytestmark = pytest.mark.system

ALICE, BOB, CAROL = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))
POSTMASTER = f"postmaster@{DOMAIN}"
STRANGER = "a@client.example"
FRIEND = "friend@else.example"
HELD = b"Mail of bob@example.test is held"


class World:
    """A site with small mailboxes, where two messages an hour are enough; *friend* gets mail for another domain."""

    def __init__(self, site: Site, friend: FarEnd) -> None:
        self.site = site
        self.friend = friend

    def send(self, octets: int, *recipients: str) -> list[int]:
        """Let a message of so many *octets* come in; return the codes of the answers to RCPT."""
        with smtp_session(self.site, "mta", STRANGER) as session:
            session.ehlo_or_helo_if_needed()
            session.mail(STRANGER, [f"SIZE={octets}"])
            codes = [session.rcpt(each)[0] for each in recipients]
            if 250 in codes:
                head = b"Subject: so much\r\n\r\n"
                lines = (b"x" * 78 + b"\r\n") * (octets // 80 + 1)
                assert session.data(head + lines[: octets - len(head) - 2] + b"\r\n")[0] == 250
        return codes

    def submit(self, *recipients: str) -> None:
        """Let bob send a message."""
        with smtp_session(self.site, "submission", BOB) as session:
            session.sendmail(BOB, recipients, f"From: {BOB}\r\nSubject: hello\r\n\r\nhello\r\n")

    def usage(self, user: str) -> dict[str, Any]:
        """Return what the command shows of a mailbox."""
        (found,) = json.loads(self.site.cli("quota", "show", user, "--json").stdout)
        return dict(found)

    def lies(self, user: str) -> tuple[int, int]:
        """Return how much lies in a mailbox."""
        found = self.site.on_disk(user)
        return sum(map(len, found)), len(found)

    def told(self, user: str, subject: bytes) -> list[bytes]:
        """Return the messages of that subject that a user has got."""
        return [each for each in self.site.on_disk(user) if b"\r\nSubject: " + subject in each]

    def wait_for_notices(self, count: int) -> None:
        """Wait until sender and postmaster have been told so often that mail is held."""
        until(lambda: len(self.told(BOB, HELD)) == len(self.told(POSTMASTER, HELD)) == count, 30, "notices")

    def held(self) -> list[dict[str, Any]]:
        """Return what is held in the queue."""
        found: list[dict[str, Any]] = json.loads(self.site.cli("queue", "list", "--held", "--json").stdout)
        return found


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One site for all tests of this file."""
    friend = FarEnd()
    with FarEnds() as ends:
        options: dict[str, Mapping[str, object]] = {
            "quota": {"octets": 20_000, "warning_subject": "Voll: {percent} %", "warning_text": "{mailbox}: {used}\n"},
            "caps": {"messages_hour": 2},
            "routes.else": {"recipients": ["else.example"], "host": "127.0.0.1", "port": ends.listen(friend)},
        }
        ways = {**LISTENERS, "lmtp": {"service": "lmtp", "tls": "none"}}
        with Site(options, ["alice", "bob", "carol"], listeners=ways) as site:
            yield World(site, friend)


def test_a_mailbox_is_filled_refused_and_emptied(world: World) -> None:
    """By SMTP and LMTP; the owner is warned, POP3 makes room, and the file says what lies there."""
    assert world.send(10_000, ALICE) == [250]
    assert world.told(ALICE, b"Voll") == []
    assert world.send(8000, ALICE) == [250]
    (warning,) = until(lambda: world.told(ALICE, b"Voll"), what="a warning")
    assert b"Subject: Voll: 9" in warning
    assert ALICE.encode() + b": 17." in warning
    assert warning.startswith(b"Return-Path: <>\r\n")

    assert world.send(9000, ALICE, CAROL) == [452, 250]
    assert world.send(30_000, ALICE) == [552]
    with smtplib.LMTP("127.0.0.1", world.site.ports["lmtp"]) as session:
        session.ehlo_or_helo_if_needed()
        session.mail(STRANGER, ["SIZE=9000"])
        assert session.rcpt(ALICE) == (452, b"4.2.2 This mailbox is full, try again later")
    usage = world.usage(ALICE)
    assert (usage["octets"], usage["messages"]) == world.lies(ALICE)

    session_ = pop3_session(world.site, ALICE)
    session_.dele(1)
    session_.quit()
    usage = world.usage(ALICE)
    assert (usage["octets"], usage["messages"]) == world.lies(ALICE)
    assert world.send(9000, ALICE) == [250]
    assert world.send(9000, ALICE) == [452]
    assert f"refused=\"452 4.2.2 <{ALICE}>\"" in world.site.mail_log

    world.site.cli("quota", "set", ALICE, "--octets", "100K")
    until(lambda: world.send(9000, ALICE) == [250], what="the new quota to hold")
    assert (world.site.maildir(ALICE) / "maildirsize").read_bytes().startswith(b"102400S\n")
    assert world.site.cli("quota", "recalculate", DOMAIN).stdout.endswith("0 had another sum before.\n")


def test_mail_over_a_cap_is_held_told_and_released(world: World) -> None:
    """Its 250 is a promise, kill -9 or not; an operator lets it go, or drops it."""
    for _ in range(2):
        world.submit(FRIEND)
    until(lambda: len(world.friend.taken) == 2, what="mail to come")
    world.submit(FRIEND, CAROL)
    world.wait_for_notices(1)
    world.site.kill()
    world.site.start()

    held = world.held()
    assert sorted(each["recipient"] for each in held) == [CAROL, FRIEND]
    assert all(f"{BOB} has come to the cap of 2 messages in an hour" in each["last"]["reason"] for each in held)
    explained = world.site.cli("queue", "explain", held[0]["id"]).stdout
    assert "It was held when it came: 4.7.0 bob@example.test has come to the cap" in explained
    assert world.told(CAROL, b"hello") == []

    world.site.cli("queue", "release", "--sender", BOB)
    until(lambda: len(world.friend.taken) == 3 and world.told(CAROL, b"hello"), 30, "what was held to come")
    assert world.held() == []

    # A start forgets what was sent before.
    for _ in range(4):
        world.submit(CAROL)
    world.wait_for_notices(2)
    assert b"mailsuite queue release --sender bob@example.test" in world.told(POSTMASTER, HELD)[0]
    assert len(world.held()) == 2
    world.site.cli("queue", "remove", "--sender", BOB, "--held", "--yes")
    assert world.held() == []
