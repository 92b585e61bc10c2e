"""Mail goes in and comes out by the programs that people have, octet for octet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fetchers import FETCHERS, Door, fetch_all, pop3_session, retrieve
from tests.system.messages import message, same, samples, without_trace
from tests.system.programs import needs
from tests.system.senders import SENDERS, Way, smtp_session, with_smtplib
from tests.system.site import DOMAIN, Site

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
_USERS = [f"u{number:02}" for number in range(40)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve a site with many users."""
    with Site(users=["alice", *_USERS]) as site:
        yield site


@pytest.fixture(scope="module")
def _names() -> Iterator[str]:
    return iter(_USERS)


@pytest.fixture
def user(_names: Iterator[str]) -> str:
    """Return a user who has no mail yet."""
    return f"{next(_names)}@{DOMAIN}"


def _parts(name: str) -> list[pytest.MarkDecorator]:
    return [] if name in ("smtplib", "poplib") else [needs(name)]


@pytest.mark.parametrize("way", ["mta", "submission", "submissions"])
@pytest.mark.parametrize("sender", [pytest.param(name, marks=_parts(name)) for name in SENDERS])
def test_sends(site: Site, user: str, tmp_path: Path, sender: str, way: Way) -> None:
    """What a client sends by port 25, by STARTTLS or by implicit TLS lies in the mailbox unaltered."""
    sent = [SENDERS[sender](site, way, ALICE, user, each, tmp_path) for each in samples(ALICE)]
    same([without_trace(each) for each in fetch_all(site, user)], sent)


_DOORS = [
    pytest.param(name, door, marks=_parts(name), id=f"{name}-{door}")
    for name in FETCHERS
    for door in ("pop3", "pop3s")
    if (name, door) != ("getmail", "pop3")
]


@pytest.mark.parametrize("fetcher, door", _DOORS)
def test_fetches(site: Site, user: str, tmp_path: Path, fetcher: str, door: Door) -> None:
    """A client fetches all mail unaltered, nothing twice, and removes it from the server later."""
    sent = samples(ALICE)
    for each in sent[:-1]:
        with_smtplib(site, "mta", ALICE, user, each, tmp_path)
    fetch = FETCHERS[fetcher]
    same([without_trace(each) for each in fetch(site, door, user, tmp_path, False)], sent[:-1])
    assert fetch(site, door, user, tmp_path, False) == []
    assert len(fetch_all(site, user)) == len(sent) - 1
    with_smtplib(site, "mta", ALICE, user, sent[-1], tmp_path)
    same([without_trace(each) for each in fetch(site, door, user, tmp_path, True)], sent[-1:])
    fetch(site, door, user, tmp_path, True)
    assert site.on_disk(user) == site.on_disk(user, "cur") == []


def test_file_without_final_newline(site: Site, user: str) -> None:
    """A message that another program left without a last line end is served with one, and with its true size."""
    whole = message(ALICE, b"no line end")
    folder = site.maildir(user) / "new"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1700000000.foreign.host").write_bytes(whole.replace(b"\r\n", b"\n"))
    assert fetch_all(site, user) == [whole + b"\r\n"]


def test_lines_up_to_the_limit(site: Site, user: str, tmp_path: Path) -> None:
    """Lines far longer than RFC 5321 asks for are carried unaltered."""
    sent = message(ALICE, b"y" * 8190 + b"\r\n")
    with_smtplib(site, "submission", ALICE, user, sent, tmp_path)
    same([without_trace(each) for each in fetch_all(site, user)], [sent])


def test_reused_connection(site: Site, user: str) -> None:
    """Many messages over one connection, and their retrieval over one, keep their order and their content."""
    sent = [message(ALICE, b"number %d\r\n" % number, f"{number:03}") for number in range(100)]
    with smtp_session(site, "submission", ALICE) as session:
        for each in sent:
            session.sendmail(ALICE, [user], each)
    assert [without_trace(each) for each in fetch_all(site, user)] == sent


def test_restart_amid_a_session(site: Site, user: str, tmp_path: Path) -> None:
    """A server that stops removes nothing that was only marked, and neither does one that is killed."""
    sent = samples(ALICE)[:2]
    for each in sent:
        with_smtplib(site, "mta", ALICE, user, each, tmp_path)
    for stop in (site.stop, site.kill):
        session = pop3_session(site, user)
        session.dele(1)
        stop()
        session.close()
        site.start()
        same([without_trace(each) for each in fetch_all(site, user)], sent)


def test_deletes_only_at_quit(site: Site, user: str, tmp_path: Path) -> None:
    """DELE and a lost connection remove nothing; DELE and QUIT remove what was marked, and nothing else."""
    sent = samples(ALICE)[:3]
    for each in sent:
        with_smtplib(site, "mta", ALICE, user, each, tmp_path)
    session = pop3_session(site, user)
    session.dele(1)
    session.close()
    same([without_trace(each) for each in fetch_all(site, user)], sent)
    session = pop3_session(site, user)
    keep = without_trace(retrieve(session, 2))
    session.dele(1)
    session.dele(3)
    session.quit()
    same([without_trace(each) for each in fetch_all(site, user)], [keep])
