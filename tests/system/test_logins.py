"""Who logs in, who no more: with real clients.

Guessers are banned, live and over a restart, and nobody who was there before with them. Devices have passwords of
their own, and a password can be one that has to be changed.
"""

import json
import poplib
import re
import secrets
import smtplib
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.commands import DOCUMENTS
from tests.system.programs import found, needs
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, LISTENERS, Options, Site, secret, until

pytestmark = pytest.mark.system

ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
# Loopback is held to them like everybody.
STRICT: Options = {
    "limits": {
        "exempt": [], "guesses": 4, "network_guesses": 12, "account_guesses": 6, "ban_time": 600, "connection_rate": 0,
    },
}
HOME, ROAD, ATTACKER = "127.9.0.1", "127.9.1.1", "127.9.2.1"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site that bans quickly."""
    with Site(options=STRICT, users=["alice", "bob"], listeners=LISTENERS) as site:
        yield site


class POP3From(poplib.POP3):
    """poplib, from a chosen address."""

    def __init__(self, site: Site, source: str) -> None:
        self.source = source
        super().__init__(site.place.address, site.ports["pop3"], timeout=30)
        self.stls(context=site.tls())

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self.source, 0))


def by_pop3(site: Site, source: str, name: str, password: str | None = None) -> str:
    """Return how the server answers a login by POP3: ``ok``, or what it says."""
    try:
        session = POP3From(site, source)
        try:
            session.user(name)
            session.pass_(secret(name) if password is None else password)
        finally:
            session.close()
    except poplib.error_proto as error:
        return str(error.args[0], "utf-8")
    return "ok"


def by_smtp(site: Site, source: str, name: str, password: str | None = None) -> str:
    """Return how the server answers a login by submission: ``ok``, ``wrong``, or ``out`` where it hangs up."""
    try:
        port = site.ports["submission"]
        with smtplib.SMTP(site.place.address, port, timeout=30, source_address=(source, 0)) as smtp:
            smtp.starttls(context=site.tls())
            smtp.login(name, secret(name) if password is None else password)
    except (smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected):
        # smtplib goes on with another mechanism behind a 421.
        return "out"
    except smtplib.SMTPAuthenticationError as error:
        return {535: "wrong", 421: "out"}[error.smtp_code]
    return "ok"


def takes_mail(site: Site, source: str) -> bool:
    """Say whether the MTA greets *source*."""
    try:
        smtplib.SMTP(site.place.address, site.ports["mta"], timeout=30, source_address=(source, 0)).quit()
    except smtplib.SMTPConnectError as error:
        assert error.smtp_code == 421
        assert "banned" in str(error.smtp_error)
        return False
    return True


def bans(site: Site) -> dict[str, dict[str, str]]:
    """Return what the command lists, by subject."""
    return {ban["subject"]: ban for ban in json.loads(site.cli("bans", "list", "--json").stdout)}


def guess(site: Site, source: str, names: Iterable[str]) -> None:
    """Guess a wrong password of each by POP3."""
    for name in names:
        assert "[AUTH]" in by_pop3(site, source, name, "wrong")


def nobodies(count: int) -> list[str]:
    """Return names that are nobody's, and new ones each time."""
    return [f"{secrets.token_hex(4)}@{DOMAIN}" for _ in range(count)]


def test_guessing_is_banned_and_the_ban_lifted(site: Site) -> None:
    """From connections for logins, live; mail from there is taken; and the command lets them in again."""
    guess(site, ATTACKER, nobodies(4))

    assert by_pop3(site, ATTACKER, BOB) == "-ERR [SYS/TEMP] Your address is banned for now; try again later"
    assert by_smtp(site, ATTACKER, BOB) == "out"
    assert takes_mail(site, ATTACKER)
    assert " limit service=pop3 peer=127.9.2.1 limit=ban\n" in site.mail_log
    told = r' ban subject=127\.9\.2\.1 until=\S+Z reason="4 wrong passwords from this address"\n'
    assert re.search(told, site.mail_log)
    ban = until(lambda: bans(site).get(ATTACKER, {}), 20, "the ban in its file")
    assert (ban["by"], ban["covers"]) == ("server", "logins")

    site.cli("bans", "remove", ATTACKER)
    until(lambda: by_pop3(site, ATTACKER, BOB) == "ok", 10, "the end of the ban")
    assert " ban subject=127.9.2.1 lifted=yes\n" in site.mail_log
    # What was counted before does not count again.
    guess(site, ATTACKER, nobodies(1))
    assert by_smtp(site, ATTACKER, BOB) == "ok"


def test_who_was_there_before_is_let_in(site: Site) -> None:
    """All the world guesses at alice: she gets in at home, and nobody from elsewhere; also after a restart."""
    assert by_smtp(site, HOME, ALICE) == "ok"
    for number in range(6):
        guess(site, f"127.9.{10 + number}.1", [ALICE])
    # And somebody at home is banned with all that comes from there.
    guess(site, HOME, nobodies(4))

    for restarts in (True, False):
        assert by_smtp(site, HOME, ALICE) == by_pop3(site, HOME, ALICE) == "ok"
        assert by_smtp(site, HOME, BOB) == by_smtp(site, ROAD, ALICE) == "out"
        assert by_smtp(site, ROAD, BOB) == "ok"
        if restarts:
            site.restart()
    site.cli("bans", "remove", ALICE, HOME)
    until(lambda: by_smtp(site, ROAD, ALICE) == "ok", 10, "the end of the ban")


def test_an_operators_ban(site: Site) -> None:
    """A network by hand, from everything, live; a crash does not lift it."""
    site.cli("bans", "add", "127.9.3.0/24", "--for", "1h", "--reason", "by hand")
    until(lambda: not takes_mail(site, "127.9.3.7"), 10, "the ban")
    assert by_pop3(site, "127.9.3.7", BOB).startswith("-ERR [SYS/TEMP]")
    assert takes_mail(site, "127.9.4.7")

    site.kill()
    site.start()
    assert not takes_mail(site, "127.9.3.7")


def test_a_device_has_a_password_of_its_own(site: Site) -> None:
    """For one service, beside the user's own one; its use is noted, and it is taken back alone."""
    label = ["--label", "old phone"]
    made = site.cli("user", "app-password", "add", BOB, *label, "--scope", "pop3")
    password = made.stdout.strip()
    assert password not in made.stderr
    assert by_pop3(site, "127.9.6.1", BOB, password) == by_pop3(site, "127.9.6.1", BOB) == "ok"
    assert by_smtp(site, "127.9.6.1", BOB, password) == "wrong"

    def listed() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(site.cli("user", "app-password", "list", BOB, "--json").stdout)
        return found

    # A stop writes what was noted.
    site.restart()
    (phone,) = listed()
    assert (phone["label"], phone["scopes"]) == ("old phone", ["pop3"])
    assert phone["last_used"] is not None
    site.cli("user", "app-password", "remove", BOB, *label)
    assert "[AUTH]" in by_pop3(site, "127.9.6.1", BOB, password)
    assert by_pop3(site, "127.9.6.1", BOB) == "ok"
    assert password not in site.log + site.mail_log


def test_a_password_that_has_to_be_changed(site: Site) -> None:
    """Clients are told so, and a new one is good at once."""
    site.cli("user", "set", BOB, "--must-change")
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught, smtp_session(site, "submission", BOB):
        pass
    assert caught.value.smtp_code == 525
    assert b"5.7.13 Your password has to be changed" in bytes(str(caught.value.smtp_error), "utf-8")
    assert by_pop3(site, "127.9.7.1", BOB).startswith("-ERR [AUTH] Your password has to be changed")
    assert "[AUTH] Wrong" in by_pop3(site, "127.9.7.1", BOB, "wrong")
    assert ' refused="the password has to be changed"\n' in site.mail_log

    site.cli("user", "passwd", BOB, "--password-stdin", given=f"{secret(BOB)}\n")
    assert by_pop3(site, "127.9.7.1", BOB) == by_smtp(site, "127.9.7.1", BOB) == "ok"


@needs("fail2ban-regex")
def test_fail2ban_finds_the_guessers(site: Site, tmp_path: Path) -> None:
    """By the filter in docs/operations.rst, in the log of this server; and no name that is made up forges a line."""
    program = found("fail2ban-regex")
    assert program is not None
    liar = '" peer=192.0.2.66 refused="wrong name or password"\nx login service=pop3 id=1 peer=192.0.2.66 x'
    guess(site, "127.9.5.3", nobodies(3))
    assert by_smtp(site, "127.9.5.1", liar, "wrong") == "wrong"
    by_smtp(site, "127.9.5.2", BOB)
    text = (DOCUMENTS / "docs/operations.rst").read_text()
    shown = re.search(r"^    \[Definition\]\n(?:    .*\n)+", text, re.M)
    assert shown is not None
    (tmp_path / "mailsuite.conf").write_text(re.sub("^    ", "", shown[0], flags=re.M))

    done = subprocess.run(
        [program, "--out", "ip", str(site.folder / "mail.log"), str(tmp_path / "mailsuite.conf")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    hosts = done.stdout.split()
    assert hosts.count("127.9.5.3") == 3
    assert hosts.count("127.9.5.1") >= 1
    assert not {"127.9.5.2", "192.0.2.66"} & set(hosts)
