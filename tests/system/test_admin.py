"""Commands change what the running server does, within a second and without a restart."""

import json
import poplib
import shutil
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fetchers import fetch_all, pop3_session
from tests.system.messages import message
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site, secret, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve one site to all tests; each uses names of its own."""
    with Site(users=["alice", "bob"]) as site:
        yield site


def verdict(site: Site, recipient: str) -> str:
    """Return the code and the enhanced code of the answer to RCPT."""
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        wire.send(b"RCPT TO:<%s>\r\n" % recipient.encode())
        return wire.answer().decode()[:9]


def soon(site: Site, recipient: str, wanted: str) -> None:
    """Fail unless the answer to RCPT becomes *wanted* within a second."""
    until(lambda: verdict(site, recipient) == wanted, 1, f"{wanted} for {recipient}")


def deliver(site: Site, recipient: str, text: bytes) -> None:
    """Send a message to *recipient*."""
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [recipient], message(ALICE, text))


def holds(site: Site, user: str, text: bytes) -> int:
    """Return how many messages with *text* the user has on disk."""
    return sum(text in octets for octets in site.on_disk(user))


KNOWN, UNKNOWN, FOREIGN = "250 2.1.5", "550 5.1.1", "550 5.7.1"


def test_domain(site: Site) -> None:
    """A new domain is ours at once, with its postmaster and abuse; removed, it is foreign again."""
    assert verdict(site, "postmaster@new.example") == FOREIGN
    site.cli("domain", "add", "new.example")
    soon(site, "postmaster@new.example", KNOWN)
    soon(site, "ABUSE@New.Example", KNOWN)
    assert verdict(site, "carol@new.example") == UNKNOWN
    site.cli("user", "add", "carol@new.example", "--no-password")
    soon(site, "carol@new.example", KNOWN)
    site.cli("domain", "remove", "new.example", status=1)
    site.cli("domain", "remove", "new.example", "--force")
    soon(site, "carol@new.example", FOREIGN)


def test_user_and_password(site: Site) -> None:
    """A new user gets mail and logs in at once; a new password replaces the old one at once."""
    user = f"dave@{DOMAIN}"
    assert verdict(site, user) == UNKNOWN
    site.cli("user", "add", user, "--password-stdin", given=secret(user) + "\n")
    soon(site, user, KNOWN)
    deliver(site, user, b"welcome\r\n")
    assert len(fetch_all(site, user)) == 1
    site.cli("user", "passwd", user, "--password-stdin", given="hush-another\n")

    def refused() -> bool:
        try:
            pop3_session(site, user).quit()
        except poplib.error_proto:
            return True
        return False

    until(refused, 1, "the old password to be refused")
    assert pop3_session(site, user, password="hush-another").stat()[0] == 1
    assert "hush-another" not in site.log + site.mail_log


def test_suspended_and_removed_user(site: Site) -> None:
    """A suspended user neither gets mail nor logs in until resumed; a removed one is unknown, and its mail stays."""
    user = f"erin@{DOMAIN}"
    site.cli("user", "add", user, "--password-stdin", given=secret(user) + "\n")
    soon(site, user, KNOWN)
    deliver(site, user, b"before\r\n")
    site.cli("user", "set", user, "--suspend")
    soon(site, user, "550 5.2.1")
    with pytest.raises(poplib.error_proto):
        pop3_session(site, user)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        smtp_session(site, "submission", user)
    site.cli("user", "set", user, "--resume")
    soon(site, user, KNOWN)
    assert len(fetch_all(site, user)) == 1
    site.cli("user", "remove", user)
    soon(site, user, UNKNOWN)
    with pytest.raises(poplib.error_proto):
        pop3_session(site, user)
    assert holds(site, "erin", b"before") == 1


def test_a_user_who_is_removed_while_mail_waits(site: Site) -> None:
    """It is returned as to somebody unknown (RFC 3463 X.1.1), and no mailbox is made for it."""
    user = f"frank@{DOMAIN}"
    site.cli("user", "add", user, "--no-password")
    soon(site, user, KNOWN)
    box = site.maildir("frank")
    shutil.rmtree(box, ignore_errors=True)
    box.write_text("in the way of a mailbox")
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [user, BOB], message(ALICE, b"late\r\n"))
    until(lambda: user in site.cli("queue", "list").stdout, what="the queued message")
    site.cli("user", "remove", user)
    soon(site, user, UNKNOWN)
    box.unlink()

    site.cli("queue", "retry", "--recipient", user)

    until(lambda: holds(site, "alice", b"Status: 5.1.1"), what="the report")
    assert user not in site.cli("queue", "list").stdout
    assert holds(site, "bob", b"late") == 1
    assert not box.exists()


def test_alias(site: Site) -> None:
    """Mail for an alias goes to each target once, through other aliases too, and no more when it is removed."""
    site.cli("alias", "add", f"sales@{DOMAIN}", ALICE, f"team@{DOMAIN}", status=1)
    site.cli("alias", "add", f"team@{DOMAIN}", ALICE, BOB)
    site.cli("alias", "add", f"sales@{DOMAIN}", ALICE, f"team@{DOMAIN}")
    soon(site, f"sales@{DOMAIN}", KNOWN)
    deliver(site, f"sales@{DOMAIN}", b"to sales\r\n")
    assert holds(site, "alice", b"to sales") == holds(site, "bob", b"to sales") == 1
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [f"sales@{DOMAIN}", BOB, f"Team@{DOMAIN}"], message(ALICE, b"three ways\r\n"))
    assert holds(site, "alice", b"three ways") == holds(site, "bob", b"three ways") == 1
    site.cli("alias", "remove", f"sales@{DOMAIN}")
    soon(site, f"sales@{DOMAIN}", UNKNOWN)


def test_alias_loops(site: Site) -> None:
    """Aliases in a ring deliver once to whom they lead; a ring that leads nowhere cannot be made."""
    one, two = f"loop1@{DOMAIN}", f"loop2@{DOMAIN}"
    site.cli("alias", "add", one, BOB)
    site.cli("alias", "add", two, one)
    site.cli("alias", "add", one, two)
    soon(site, two, KNOWN)
    deliver(site, two, b"round and round\r\n")
    assert holds(site, "bob", b"round and round") == 1
    assert "loop" in site.cli("alias", "remove", one, BOB, status=1).stderr
    deliver(site, one, b"once more\r\n")
    assert holds(site, "bob", b"once more") == 1


def test_copy_for_another(site: Site) -> None:
    """A user whose own address is an alias to itself and another keeps a copy."""
    site.cli("user", "add", f"gina@{DOMAIN}", "--no-password")
    site.cli("alias", "add", f"gina@{DOMAIN}", f"gina@{DOMAIN}", BOB)
    soon(site, f"gina@{DOMAIN}", KNOWN)
    deliver(site, f"gina@{DOMAIN}", b"for both\r\n")
    assert holds(site, "gina", b"for both") == holds(site, "bob", b"for both") == 1


def test_the_alias_of_a_domain_and_a_wildcard(site: Site) -> None:
    """Both get mail at once, and who gets it may send from them; a rule of the domain lets others, too, or nobody."""
    site.cli("domain", "add", "other.example", "--alias-of", DOMAIN)
    site.cli("alias", "add", f"*-bills@{DOMAIN}", BOB)
    soon(site, "alice+x@other.example", KNOWN)
    soon(site, "may-bills@other.example", KNOWN)
    assert verdict(site, "nobody@other.example") == UNKNOWN
    deliver(site, "may-bills@other.example", b"a bill\r\n")
    assert holds(site, "bob", b"a bill") == 1
    asked = ((ALICE, "alice@other.example"), (BOB, "june-bills@other.example"), (ALICE, f"june-bills@{DOMAIN}"))

    def allowed() -> list[bool]:
        return [may_send(site, *each) for each in asked]

    assert allowed() == [True, True, False]
    site.cli("domain", "set", DOMAIN, "--senders", "domain")
    until(lambda: all(allowed()), 1, "all to be allowed")
    site.cli("domain", "set", DOMAIN, "--senders", "own")
    until(lambda: allowed() == [True, False, False], 1, "only one's own to be allowed")
    site.cli("domain", "set", DOMAIN, "--senders", "reached")


def may_send(site: Site, login: str, sender: str) -> bool:
    """Say whether *login* may send from *sender*."""
    with smtp_session(site, "submission", login) as session:
        session.ehlo()
        return session.mail(sender)[0] == 250


def test_frozen_rejected_and_gone(site: Site) -> None:
    """Mail of a frozen user is kept, and neither a new session nor one from before may send; a reply is what was
    chosen, and one who has left has it too."""
    user = f"iris@{DOMAIN}"
    site.cli("user", "add", user, "--password-stdin", given=f"{secret(user)}\n")
    soon(site, user, KNOWN)
    with smtp_session(site, "submission", user) as before:
        assert before.mail(user)[0] == 250
        before.rset()
        site.cli("user", "freeze", user)

        def refused() -> bool:
            before.rset()
            return before.mail(user)[0] == 550

        until(refused, 1, "the session to be of no use")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        smtp_session(site, "submission", user)
    deliver(site, user, b"kept\r\n")
    assert holds(site, "iris", b"kept") == 1
    site.cli("user", "thaw", user)
    until(lambda: may_send(site, user, user), 1, "the user to be back")
    site.cli("alias", "reject", user, "--code", "450", "--text", "Back tomorrow")
    soon(site, user, "450 4.2.1")
    site.cli("alias", "reject", user, "--off")
    soon(site, user, KNOWN)
    site.cli("user", "leave", user, "--until", "2020-01-01")
    soon(site, user, "550 5.1.6")


def test_plus_address(site: Site) -> None:
    """Mail for alice+anything is alice's, and she may send as it."""
    plus = f"alice+lists@{DOMAIN}"
    assert verdict(site, plus) == KNOWN
    deliver(site, plus, b"to a plus address\r\n")
    assert holds(site, "alice", b"to a plus address") == 1
    with smtp_session(site, "submission", ALICE) as session:
        session.sendmail(plus, [BOB], message(plus, b"from a plus address\r\n"))
        with pytest.raises(smtplib.SMTPSenderRefused):
            session.sendmail(BOB, [BOB], message(BOB, b"from another\r\n"))
    assert holds(site, "bob", b"from a plus address") == 1


def test_catch_all(site: Site) -> None:
    """A catch-all takes what nobody else takes, from the moment it is set to the moment it is not."""
    site.cli("domain", "add", "catch.example")
    site.cli("user", "add", "frank@catch.example", "--no-password")
    soon(site, "frank@catch.example", KNOWN)
    assert verdict(site, "who@catch.example") == UNKNOWN
    site.cli("domain", "set", "catch.example", "--catch-all", BOB)
    soon(site, "who@catch.example", KNOWN)
    deliver(site, "who@catch.example", b"caught\r\n")
    deliver(site, "frank@catch.example", b"frank's own\r\n")
    assert holds(site, "bob", b"caught") == 1
    assert holds(site, "bob", b"frank's own") == 0
    site.cli("domain", "set", "catch.example", "--no-catch-all")
    soon(site, "who@catch.example", UNKNOWN)


def test_postmaster(site: Site) -> None:
    """Postmaster, with and without a domain and in any case, and abuse reach the postmaster's mailbox."""
    addresses = [b"Postmaster", b"postMASTER@" + DOMAIN.encode(), b"abuse@" + DOMAIN.encode()]
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        for address in addresses:
            wire.ask(b"MAIL FROM:<>", 250)
            wire.ask(b"RCPT TO:<%s>" % address, 250)
            wire.ask(b"DATA", 354)
            wire.send(b"Subject: help\r\n\r\nto %s\r\n.\r\n" % address)
            wire.reply(250)
    for address in addresses:
        assert holds(site, "postmaster", b"to " + address) == 1


def test_import(site: Site) -> None:
    """Five hundred users are imported while the server serves; bad lines are named, the rest imported."""
    lines = [f"bulk{number}@{DOMAIN}:hush-bulk-{number}" for number in range(500)]
    lines[250:250] = ["no colon", f"bob@{DOMAIN}:hush-taken"]
    done = site.cli("user", "import", "-", given="\n".join(lines) + "\n", status=1)
    assert "Imported 500 users" in done.stdout
    assert "line 251:" in done.stderr
    assert "line 252:" in done.stderr
    soon(site, f"bulk499@{DOMAIN}", KNOWN)
    deliver(site, f"bulk499@{DOMAIN}", b"to the last\r\n")
    session = pop3_session(site, f"bulk499@{DOMAIN}", password="hush-bulk-499")
    assert session.stat()[0] == 1
    session.quit()


def test_exit_codes(site: Site, tmp_path: Path) -> None:
    """0 is done, 1 refused, 2 wrong usage or configuration; messages go to standard error."""
    assert site.cli("user", "add", BOB, "--no-password", status=1).stderr
    assert site.cli("user", "remove", f"nobody-here@{DOMAIN}", status=1).stderr
    assert site.cli("user", "add", "not-an-address", "--no-password", status=1).stderr
    assert site.cli("user", "add", "x@foreign.example", "--no-password", status=1).stderr
    assert site.cli("user", "frobnicate", status=2).stderr
    assert site.cli("domain", "set", DOMAIN, status=2).stderr
    missing = site.command_line("user", "list", "--config", str(tmp_path / "none.toml"))
    assert missing.returncode == 2
    assert "none.toml" in missing.stderr
    assert site.command_line("--help").returncode == 0


def test_json(site: Site) -> None:
    """With --json a program can read every list."""
    users = json.loads(site.cli("user", "list", DOMAIN, "--json").stdout)
    assert {BOB, ALICE, f"postmaster@{DOMAIN}"} <= {user["name"] for user in users}
    assert str(site.maildir("bob")) in {user["mail"] for user in users}
    assert DOMAIN in {domain["name"] for domain in json.loads(site.cli("domain", "list", "--json").stdout)}
    assert isinstance(json.loads(site.cli("alias", "list", "--json").stdout), list)
    assert json.loads(site.cli("user", "show", BOB, "--json").stdout)["name"] == BOB
    assert json.loads(site.cli("domain", "show", DOMAIN, "--json").stdout)["users"] > 2


def test_check(site: Site) -> None:
    """The check of a site that is being served finds no error."""
    done = site.command_line("check", "--config", str(site.config))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors" in done.stdout
