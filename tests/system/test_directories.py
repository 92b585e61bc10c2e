"""The whole service on accounts in PostgreSQL and LDAP, which are stopped and started under it."""

import json
import poplib
import signal
import smtplib
from pathlib import Path

import pytest

from mailsuite.directory.passwords import Passwords
from mailsuite.directory.postgresql_schema import create, open_accounts
from tests.directory.servers import BASE, Postgres, running_postgres, running_slapd
from tests.system.site import DOMAIN, Site, secret, until

pytestmark = pytest.mark.system


def made(server: Postgres) -> Site:
    """Return a site with the users alice and bob in *server*, not yet started."""
    site = Site(
        {"directory": {"backend": "postgresql"}, "postgresql": {"dsn": server.dsn(), "poll": 0.2, "connections": 2}}
    )
    site.make()
    # The commands do the same, one process each: docs/directories.rst, which is tested.
    create(server.dsn())
    with open_accounts(server.dsn()) as accounts:
        accounts.domains.add(DOMAIN)
        for name in ("alice", "bob"):
            accounts.users.add(f"{name}@{DOMAIN}", Passwords().hash(secret(f"{name}@{DOMAIN}")))
    return site


def replies(site: Site, *names: str) -> list[int]:
    """Return the codes of the replies to RCPT for these users."""
    with smtplib.SMTP("127.0.0.1", site.ports["mta"], timeout=30) as client:
        client.ehlo("client.example")
        client.mail("someone@elsewhere.example")
        return [client.rcpt(f"{name}@{DOMAIN}")[0] for name in names]


def explained(site: Site, name: str) -> str:
    """Return how ``mailsuite explain`` says that RCPT for this user is answered; it asks the directory itself."""
    status = 0 if name == "alice" else 1
    done = site.cli("explain", "rcpt", f"{name}@{DOMAIN}", "--peer", "192.0.2.7", "--json", status=status)
    return str(json.loads(done.stdout)["reply"])[:9]


def fetched(site: Site, name: str) -> int:
    """Log in by POP3 and return how many messages there are."""
    client = poplib.POP3_SSL("127.0.0.1", site.ports["pop3s"], context=site.tls(), timeout=30)
    try:
        client.user(f"{name}@{DOMAIN}")
        client.pass_(secret(f"{name}@{DOMAIN}"))
        return client.stat()[0]
    finally:
        client.quit()


def test_the_database_goes_and_comes_back() -> None:
    """Known users get and fetch mail throughout; nobody else is told that he does not exist, and all is well after."""
    with running_postgres() as server, made(server) as site:
        assert replies(site, "alice", "nobody") == [250, 550]
        assert fetched(site, "alice") == 0
        assert (explained(site, "alice"), explained(site, "nobody")) == ("250 2.1.5", "550 5.1.1")
        server.stop()
        assert explained(site, "bob") == "451 4.3.0"

        assert replies(site, "alice", "bob", "nobody-else") == [250, 451, 451]
        with smtplib.SMTP("127.0.0.1", site.ports["mta"], timeout=30) as client:
            client.sendmail("someone@elsewhere.example", [f"alice@{DOMAIN}"], "Subject: still here\r\n\r\n")
        assert fetched(site, "alice") == 1
        with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
            fetched(site, "bob")

        server.start()
        until(lambda: replies(site, "nobody-else") == [550], what="the database to be asked again")
        assert replies(site, "bob") == [250]
        assert fetched(site, "bob") == 0
        # A change is told by the server, before anybody looks for it.
        with open_accounts(server.dsn()) as accounts:
            accounts.users.add(f"new@{DOMAIN}")
        until(lambda: replies(site, "new") == [250], what="the new user")
        site.stop()
        server.stop(signal.SIGINT)
        # It starts without the database, too, and serves when that is there.
        site.start()
        assert replies(site, "alice") == [451]
        server.start()
        until(lambda: replies(site, "alice") == [250], what="the database at last")
        assert "The directory is away" in site.log
        assert (Path(site.folder) / "mail.log").exists()


def person(name: str) -> str:
    """Return a user in LDIF."""
    return (
        f"dn: uid={name},{BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nmail: {name}@{DOMAIN}\n"
        f"userPassword: {secret(f'{name}@{DOMAIN}')}\n\n"
    )


def looked_at(site: Site) -> None:
    """Have commands that need one user alone find Alice, and those that need a list of all say that there is none."""
    alice = f"alice@{DOMAIN}"
    shown = json.loads(site.cli("user", "show", alice, "--json").stdout)
    assert (shown["name"], shown["suspended"], "PLAIN" in shown["mechanisms"]) == (alice, False, True)
    assert alice in site.cli("settings", alice).stdout
    assert "Counted 1 mailbox" in site.cli("quota", "recalculate", alice).stdout
    assert "cannot be listed here" in site.cli("user", "list", status=1).stderr


def test_a_directory_goes_and_comes_back() -> None:
    """As with the database; the password is checked by the server, but for who was right a moment ago."""
    base = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n"
    with running_slapd(base + person("alice") + person("bob")) as server:
        keys = {
            "servers": [server.url], "ca_file": server.certificate, "base": BASE, "domains": [DOMAIN],
            "address_attributes": ["mail"],
        }  # fmt: skip
        site = Site({"directory": {"backend": "ldap"}, "ldap": keys})
        with site:
            assert replies(site, "alice", "nobody") == [250, 550]
            assert fetched(site, "alice") == 0
            assert explained(site, "alice") == "250 2.1.5"
            with pytest.raises(poplib.error_proto, match="AUTH"):
                fetched(site, "nobody")
            looked_at(site)
            server.stop()
            assert replies(site, "alice", "bob") == [250, 451]
            away = site.cli("settings", f"bob@{DOMAIN}", status=1)
            assert "Error: the accounts do not answer now: " in away.stderr
            assert fetched(site, "alice") == 0
            with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
                fetched(site, "bob")
            server.start()
            until(lambda: replies(site, "bob") == [250], what="the directory to be asked again")
            assert fetched(site, "bob") == 0
