"""Terms that users of POP3 are held to: pauses between logins, and how long mail stays."""

import os
import poplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fetchers import pop3_session
from tests.system.messages import samples
from tests.system.senders import with_smtplib
from tests.system.site import DOMAIN, Site, secret, until
from tests.system.story import logged

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"
BRIEF = "brief.example"
CAROL = f"carol@{BRIEF}"
DAY = 86_400
OPTIONS: dict[str, dict[str, object]] = {
    "log": {"format": "json"},
    "pop3": {"expire": 30, "expire_interval": 1},
    f'domains."{BRIEF}"': {"pop3_expire": 0, "pop3_login_delay": 3600},
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site with a domain where mail stays for 30 days, and one where it does not."""
    site = Site(OPTIONS, ["alice", "bob"])
    site.make()
    site.cli("domain", "add", BRIEF)
    site.cli("user", "import", "-", given=f"{CAROL}:{secret(CAROL)}\n")
    with site:
        yield site


def put(site: Site, user: str, days: float, name: str) -> Path:
    """Put a message into *user*'s mailbox that came *days* ago."""
    path = site.maildir(user) / "cur" / f"{int(time.time() - days * DAY)}.{name}:2,S"
    path.write_bytes(b"Subject: old\n\nmail\n")
    os.utime(path)
    return path


def offers(session: poplib.POP3) -> dict[str, list[str]]:
    """Return what CAPA says."""
    return session.capa()


def test_mail_past_its_term_is_removed_though_nobody_logs_in(site: Site) -> None:
    """What is older goes, with a line in the log; what is younger stays."""
    younger = put(site, ALICE, 29.9, "younger")
    older = put(site, ALICE, 30.1, "older")
    until(lambda: not older.exists(), 20, "the removal")
    until(lambda: logged(site, "expired"), 10, "its line")

    (line,) = logged(site, "expired")
    assert (line["mailbox"], line["message"], line["days"]) == (
        f"{DOMAIN}/alice", older.name.partition(":")[0], 30,
    )
    assert younger.exists()


def test_a_session_loses_nothing(site: Site) -> None:
    """A mailbox that is in use is left alone until the session has ended; all others have their turn."""
    session = pop3_session(site, ALICE)
    old = put(site, ALICE, 40, "session")
    for number in range(2):
        # Bob's mailbox comes after Alice's: when it was looked through, hers was, too.
        other = put(site, BOB, 40, f"other{number}")
        until(lambda path=other: not path.exists(), 20, "a look through all mailboxes")  # type: ignore[misc]
    assert old.exists()
    session.quit()
    until(lambda: not old.exists(), 20, "the removal")


def test_terms_are_told_in_advance(site: Site) -> None:
    """Before the login the strictest of all, after it the user's own."""
    session = poplib.POP3_SSL(site.place.address, site.ports["pop3s"], timeout=30, context=site.tls())
    assert (offers(session)["EXPIRE"], offers(session)["LOGIN-DELAY"]) == (["0", "USER"], ["3600", "USER"])
    session.user(ALICE)
    session.pass_(secret(ALICE))
    assert (offers(session)["EXPIRE"], offers(session)["LOGIN-DELAY"]) == (["30"], ["0"])
    session.quit()


def test_where_nothing_may_be_left_and_nobody_may_hurry(site: Site, tmp_path: Path) -> None:
    """What RETR has fetched is gone after QUIT, what TOP has looked at is not; and the next login comes too soon."""
    for each in samples(ALICE)[:3]:
        with_smtplib(site, "mta", ALICE, CAROL, each, tmp_path)
    session = pop3_session(site, CAROL)
    assert (offers(session)["EXPIRE"], offers(session)["LOGIN-DELAY"]) == (["0"], ["3600"])
    session.retr(2)
    session.top(1, 5)
    kept = [row.split()[1].decode() for row in session.uidl()[1]]
    session.quit()

    with pytest.raises(poplib.error_proto, match=r"-ERR \[LOGIN-DELAY\] "):
        pop3_session(site, CAROL)
    left = sorted(path.name.partition(",")[0] for path in (site.folder / "mail" / BRIEF / "carol" / "new").iterdir())
    assert left == [kept[0], kept[2]]
