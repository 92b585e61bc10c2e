"""What a power cut leaves behind: files that lost their end, deliveries that never went on."""

import os
import poplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fetchers import fetch_all, pop3_session, retrieve
from tests.system.messages import message, without_trace
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve a fresh site."""
    with Site(users=["alice", "bob"]) as site:
        yield site


def _send(site: Site, count: int, size: int = 2000) -> list[bytes]:
    sent = [message(ALICE, b"%d\r\n" % number + b"x" * 70 * (size // 70) + b"\r\n") for number in range(count)]
    with smtp_session(site, "mta", ALICE) as session:
        for each in sent:
            session.sendmail(ALICE, [BOB], each)
    return sent


def _files(site: Site, folder: str = "new") -> list[Path]:
    place = site.maildir("bob") / folder
    return sorted(place.iterdir()) if place.exists() else []


def test_short_and_empty_files(site: Site) -> None:
    """After a crash, files that lost octets are in damaged/, logged and never served; the others are served."""
    sent = _send(site, 5)
    site.kill()
    files = _files(site)
    broken = {files[0]: 0, files[2]: 700, files[4]: files[4].stat().st_size - 1}
    for path, size in broken.items():
        os.truncate(path, size)
    site.start()
    session = pop3_session(site, BOB)
    assert session.stat()[0] == 2
    assert len(session.list()[1]) == len(session.uidl()[1]) == 2
    session.quit()
    assert [without_trace(each) for each in fetch_all(site, BOB)] == [sent[1], sent[3]]
    assert [path.name for path in _files(site, "damaged")] == [path.name for path in broken]
    for path in broken:
        assert f"{site.maildir('bob')}/damaged/{path.name}" in site.log


def test_damage_in_cur(site: Site) -> None:
    """A file that another program has moved to cur/ meanwhile is looked at too."""
    sent = _send(site, 2)
    site.kill()
    first, second = _files(site)
    os.truncate(first, 10)
    first.rename(site.maildir("bob") / "cur" / f"{first.name}:2,S")
    site.start()
    assert [without_trace(each) for each in fetch_all(site, BOB)] == [sent[1]]
    assert [path.name for path in _files(site, "damaged")] == [f"{first.name}:2,S"]
    assert second.exists()


def test_damage_after_a_clean_stop(site: Site) -> None:
    """A file that is cut while the server runs is refused when it is asked for, and never half served."""
    sent = _send(site, 2)
    os.truncate(_files(site)[0], 100)
    session = pop3_session(site, BOB)
    assert session.stat()[0] == 2
    with pytest.raises(poplib.error_proto, match="-ERR"):
        session.retr(1)
    assert without_trace(retrieve(session, 2)) == sent[1]
    session.quit()


def test_leftovers_of_deliveries(site: Site) -> None:
    """What a crash leaves in tmp/ is neither listed nor delivered; once it is old it is removed."""
    _send(site, 1)
    site.kill()
    tmp = site.maildir("bob") / "tmp"
    fresh, old = tmp / "1790000000.M1P1Q1", tmp / "1790000000.M1P1Q2"
    incoming = site.folder / "mail" / ".incoming" / "1790000000.M1P1Q3"
    for path in (fresh, old, incoming):
        path.write_bytes(message(ALICE, b"never acknowledged\r\n"))
    days = time.time() - 3 * 86_400
    os.utime(old, (days, days))
    site.start()
    assert len(fetch_all(site, BOB)) == 1
    assert fresh.exists()
    assert not old.exists()
    assert not incoming.exists()


def test_interrupted_body(site: Site) -> None:
    """A body that was under way when the server died, small or large, is not in any mailbox after the restart."""
    sent = _send(site, 1)
    for size in (1_000, 2_000_000):
        with Wire(site.ports["mta"]) as wire:
            wire.greet()
            wire.ask(b"MAIL FROM:<a@client.example>", 250)
            wire.ask(b"RCPT TO:<%s>" % BOB.encode(), 250)
            wire.ask(b"DATA", 354)
            wire.send(message(ALICE, b""))
            wire.send((b"y" * 78 + b"\r\n") * (size // 80))
            site.kill()
            site.start()
    assert [without_trace(each) for each in fetch_all(site, BOB)] == sent
    assert list((site.folder / "mail" / ".incoming").iterdir()) == []


def test_clean_stop_is_not_searched(site: Site) -> None:
    """After a clean stop nothing is searched for, and the log says nothing of damage."""
    _send(site, 1)
    site.restart()
    assert "unclean" not in site.log
    site.kill()
    site.start()
    assert "unclean" in site.log
