"""Mail goes in and comes out by the graphical programs that people have, octet for octet."""

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fetchers import Door
from tests.system.messages import same, samples, without_trace
from tests.system.programs import needs
from tests.system.senders import Way, with_smtplib
from tests.system.site import DOMAIN, Site, until
from tests.system.sylpheed import Screen, Sylpheed
from tests.system.thunderbird import Thunderbird

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
_USERS = [f"u{number}" for number in range(10)]
# What is easily lost on the way: dots, letters that are not ASCII, blanks.
TEXT = "Hello Alice,\n.\n..\n.hidden\nGrüße aus Köln\n  two blanks  \nend.\n"

sylpheed = needs("sylpheed", "Xvfb")
sylpheed_that_sends = needs("sylpheed", "Xvfb", "xdotool")
thunderbird = needs("thunderbird")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve a site with many users."""
    with Site(users=["alice", *_USERS]) as site:
        yield site


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    """Run a screen that nobody sees."""
    with Screen() as screen:
        yield screen


@pytest.fixture(scope="module")
def _names() -> Iterator[str]:
    return iter(_USERS)


@pytest.fixture
def user(_names: Iterator[str]) -> str:
    """Return a user who has no mail yet."""
    return f"{next(_names)}@{DOMAIN}"


def deliver(site: Site, user: str, messages: list[bytes], home: Path) -> None:
    """Send *messages* to *user* from outside."""
    for each in messages:
        with_smtplib(site, "mta", ALICE, user, each, home)


def arrived(site: Site, sender: str) -> bytes:
    """Return the one message that lies in Alice's mailbox from *sender*, without its trace."""
    found = until(lambda: [each for each in site.on_disk(ALICE) if f"<{sender}>".encode() in each], 20, "the mail")
    assert len(found) == 1
    return without_trace(found[0])


def text_of(whole: bytes) -> str:
    """Return the text of a message, its encoding undone."""
    content = email.message_from_bytes(whole, policy=email.policy.default).get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


@sylpheed
@pytest.mark.parametrize("door", ["pop3", "pop3s"])
def test_sylpheed_fetches(site: Site, user: str, screen: Screen, tmp_path: Path, door: Door) -> None:
    """Sylpheed fetches all mail unaltered over TLS, nothing twice, and removes it from the server when told to."""
    sent = samples(ALICE)
    deliver(site, user, sent[:-1], tmp_path)
    with Sylpheed(screen, site, user, tmp_path, door) as program:
        program.receive()
        same([without_trace(each) for each in program.folder("inbox")], sent[:-1])
        program.receive()
        assert len(program.folder("inbox")) == len(sent) - 1
    assert len(site.on_disk(user) + site.on_disk(user, "cur")) == len(sent) - 1
    deliver(site, user, sent[-1:], tmp_path)
    with Sylpheed(screen, site, user, tmp_path, door, keep=False) as program:
        program.receive()
        same([without_trace(each) for each in program.folder("inbox")], sent)
    assert site.on_disk(user) == site.on_disk(user, "cur") == []


@pytest.mark.slow
@sylpheed_that_sends
@pytest.mark.parametrize("way", ["submission", "submissions"])
def test_sylpheed_sends(site: Site, user: str, screen: Screen, tmp_path: Path, way: Way) -> None:
    """What is written in Sylpheed's window and sent by a click lies in the mailbox as in Sylpheed's own copy."""
    with Sylpheed(screen, site, user, tmp_path, way=way) as program:
        program.send(ALICE, "Clicked", TEXT)
        received = arrived(site, user)
        assert until(lambda: program.folder("outbox"), 10, "Sylpheed's copy") == [received]
    assert text_of(received).rstrip("\n") == TEXT.rstrip("\n")


@pytest.mark.slow
@thunderbird
@pytest.mark.parametrize("door, way", [("pop3", "submissions"), ("pop3s", "submission")])
def test_thunderbird(site: Site, user: str, tmp_path: Path, door: Door, way: Way) -> None:
    """Thunderbird fetches all mail unaltered over TLS, nothing twice, removes it when told to, and sends."""
    sent = samples(ALICE)
    deliver(site, user, sent[:-1], tmp_path)
    with Thunderbird(site, user, tmp_path, door, way) as program:
        program.receive()
        same([without_trace(each) for each in program.inbox()], sent[:-1])
        program.receive()
        assert len(program.inbox()) == len(sent) - 1
        assert len(site.on_disk(user) + site.on_disk(user, "cur")) == len(sent) - 1
        deliver(site, user, sent[-1:], tmp_path)
        program.receive(keep=False)
        same([without_trace(each) for each in program.inbox()], sent)
        program.receive(keep=False)
        assert site.on_disk(user) == site.on_disk(user, "cur") == []
        program.send(ALICE, "By script", TEXT)
    assert arrived(site, user).partition(b"\r\n\r\n")[2] == TEXT.replace("\n", "\r\n").encode()
