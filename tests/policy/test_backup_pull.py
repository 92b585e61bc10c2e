"""Fetching lists again and again, from files and over HTTPS."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from mailsuite.interfaces import IWebClient
from mailsuite.policy.backup_list import LIST_OCTETS
from mailsuite.policy.backup_pull import ListPull, ListSource
from mailsuite.policy.backup_store import ListStore
from mailsuite.route import CannotConnect
from tests.policy.lists import KEY, NOW, OTHER, Threads, signed_list

URL = "https://mail.example.net/list"


@implementer(IWebClient)
class Web:
    """Has one document, or trouble."""

    def __init__(self) -> None:
        self.document: bytes | Exception = signed_list("alice")
        self.asked: list[tuple[str, int]] = []

    async def get(self, url: str, limit: int) -> tuple[str, bytes]:
        self.asked.append((url, limit))
        if isinstance(self.document, Exception):
            raise self.document
        return "application/octet-stream", self.document

    async def post(
        self, url: str, form: Mapping[str, str], limit: int, login: tuple[str, str] | None = None
    ) -> tuple[str, bytes]:
        raise AssertionError("nobody is asked about lists")


class Pull:
    """Fetches the list of example.net from the web and that of example.org from a file."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.web = Web()
        self.threads = Threads()
        self.store = ListStore(str(folder))
        self.file = folder / "example.org.list"
        sources = [
            ListSource("example.net", URL, KEY, 900.0),
            ListSource("example.org", str(self.file), KEY, 60.0),
        ]
        self.pull = ListPull(sources, self.store, self.web, self.clock, lambda: NOW, self.threads.run)

    def made(self, domain: str = "example.net") -> int | None:
        """Return when the list that we have was made."""
        found = self.store.load(domain, KEY)
        return None if found is None else found.made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Pull]:
    """Everything, not started."""
    world = Pull(tmp_path)
    world.file.write_bytes(signed_list(domain="example.org"))
    yield world
    world.pull.stop()
    assert world.clock.getDelayedCalls() == []


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Levels and reasons of what is logged meanwhile."""
    events: list[str] = []

    def observe(event: LogEvent) -> None:
        events.append(f"{event['log_level'].name} {event.get('reason', '')}".strip())

    observer = cast(ILogObserver, observe)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


def test_lists_are_fetched_at_once_and_then_at_their_times(world: Pull) -> None:
    """Each in its own rhythm."""
    world.pull.start()
    assert (world.made(), world.made("example.org")) == (NOW, NOW)
    world.file.write_bytes(signed_list(domain="example.org", made=NOW + 1))
    world.web.document = signed_list("alice", made=NOW + 1)

    world.clock.advance(60.0)

    assert (world.made(), world.made("example.org")) == (NOW, NOW + 1)
    world.clock.advance(840.0)
    assert world.made() == NOW + 1
    assert world.web.asked == [(URL, LIST_OCTETS)] * 2


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (CannotConnect("refused"), "refused"),
        (b"<html>", "it is not a list of recipients, or one of a newer form"),
        (
            signed_list("alice", made=NOW + 5, by=OTHER),
            "its signature is wrong: it was changed, or signed with another key",
        ),
        (signed_list(domain="example.org", made=NOW + 5), "it is a list of example.org, not of example.net"),
        (signed_list("alice", made=NOW - 1), "it is older than the one that we have, by 1 second"),
    ],
)
def test_what_cannot_be_taken_leaves_the_old_list_and_is_said_once(
    world: Pull, logged: list[str], document: bytes | Exception, reason: str
) -> None:
    """Again only when the reason changes, or when all is well."""
    world.pull.start()
    logged.clear()
    world.web.document = document
    for _ in range(3):
        world.clock.advance(900.0)
    assert world.made() == NOW
    assert logged == [f"warn {reason}"]

    world.web.document = CannotConnect("another reason")
    world.clock.advance(900.0)
    world.web.document = signed_list("bob", made=NOW + 9)
    world.clock.advance(900.0)

    assert world.made() == NOW + 9
    assert logged[1:] == ["warn another reason", "info"]


def test_a_file_that_is_not_there_is_said(world: Pull, logged: list[str]) -> None:
    """With the system's words."""
    world.file.unlink()
    world.pull.start()

    assert [line for line in logged if line.startswith("warn [Errno 2] No such file")]
    assert world.made("example.org") is None


def test_an_unforeseen_trouble_is_not_the_end(world: Pull, logged: list[str]) -> None:
    """It is logged with its cause, and the next look comes."""
    world.web.document = ZeroDivisionError("?")
    world.pull.start()
    world.web.document = signed_list("alice")
    world.clock.advance(900.0)

    assert [line.split()[0] for line in logged if line.startswith("critical")] == ["critical"]
    assert world.made() == NOW


def test_looks_do_not_overtake_each_other(world: Pull) -> None:
    """A slow disk delays the next look; nothing piles up."""
    world.threads.at_once = False
    world.pull.start()
    for _ in range(5):
        world.clock.advance(900.0)

    assert len(world.web.asked) == 1
    assert len(world.threads.waiting) == 2
    world.threads.work()
    world.threads.at_once = True
    world.threads.work()
