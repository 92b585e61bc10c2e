"""The same small site in every back end, over the real servers: what `test_backends` asks them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from passlib.hash import ldap_salted_sha1

from mailsuite.directory import postgresql_schema
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.backend import Backend
from mailsuite.directory.ldap import LdapBackend, Tree
from mailsuite.directory.ldap_searches import LdapServers
from mailsuite.directory.lookup import Directory
from mailsuite.directory.passwd_file import PasswdFileBackend
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.postgresql import PostgresBackend
from mailsuite.directory.remembered import Source, Terms
from mailsuite.directory.replies import chosen
from mailsuite.directory.secrets import Secrets, keeping
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import BoundedThreads
from mailsuite.maybe import Maybe, value_of
from mailsuite.transport.ldap import LdapConnector
from tests.directory.servers import (
    ADMIN,
    ADMIN_PASSWORD,
    BASE,
    READER,
    Postgres,
    Slapd,
    entry,
)
from tests.system.ports import free_ports
from tests.transport.loop import finish, reactor

USERS = ("postmaster", "alice", "bob", "off", "o'brien", "a*b")
DOMAINS = ("one.example", "two.example")
NOW = 1_800_000_000.0
PASSWORDS = Passwords(memory_kib=8, passes=1)
# One renewal of what is kept would be a change that no test has made.
WANTED = Secrets(["scram-sha-256"], 4096)


def password(name: str) -> str:
    """Return the password of the user *name*."""
    return f"secret of {name}"


class World:
    """A back end with the site in it. *can* names what it can say; *away* and *back* cut it off and bring it back."""

    can: frozenset[str] = frozenset({"aliases", "catch-all", "suspended", "other classes", "scram", "hosting", "caps"})

    def __init__(self) -> None:
        self.late = 0.0
        self.threads = BoundedThreads(reactor, 2)
        self.threads.start()
        self.backend = self.made()
        self.backend.start()
        self.fresh()

    def fresh(self) -> None:
        """Begin with nothing in the caches."""
        source = Source(self.backend.generation, self.seconds, Terms(60.0, 3600.0))
        self.directory = Directory(self.backend, source, lambda: NOW)
        self.authenticator = Authenticator(self.backend, source, PASSWORDS, self.threads.run, WANTED)

    def seconds(self) -> float:
        """Return the time: the reactor's, and *late* more."""
        return float(reactor.seconds()) + self.late

    def made(self) -> Backend:
        """Return the back end."""
        raise NotImplementedError

    def away(self) -> None:
        """Cut the back end off."""

    def back(self) -> None:
        """Bring it back."""

    def add(self, name: str) -> None:
        """Add the user *name* to one.example, as an administrator does."""

    def remove(self, name: str) -> None:
        """Remove that user again."""

    def ask(self, answer: Maybe[Any]) -> Any:
        """Return *answer*, for which the reactor turns while it is not there."""
        return finish(value_of(answer))

    def close(self) -> None:
        """Close everything."""
        finish(value_of(self.backend.stop()))
        self.threads.stop()


def fill(accounts: Accounts) -> None:
    """Write the site by the functions of the commands."""
    keep = keeping(PASSWORDS, WANTED)
    accounts.domains.add("one.example")
    for name in USERS[1:]:
        kept = keep(f"{name}@one.example", password(name))
        accounts.users.add(f"{name}@one.example", kept.hashed, kept.secrets)
    accounts.domains.add("two.example", catch_all="bob@one.example", postmaster=False)
    accounts.domains.add("relay.example", domain_class="relay")
    accounts.domains.add("backup.example", domain_class="backup")
    accounts.aliases.add("list@one.example", ["alice@one.example", "bob@one.example"])
    accounts.aliases.add("nested@two.example", ["list@one.example", "Friend@elsewhere.example"])
    accounts.aliases.add("bob@one.example", ["bob@one.example", "copy@elsewhere.example"])
    accounts.users.set_suspended("off@one.example", True)
    accounts.domains.add("like-one.example", postmaster=False)
    accounts.domains.set_alias_of("like-one.example", "one.example")
    accounts.aliases.add("team-*@one.example", ["alice@one.example"])
    accounts.users.add("cold@one.example", PASSWORDS.hash(password("cold")))
    accounts.users.set_frozen("cold@one.example", True)
    accounts.aliases.reject("closed@one.example", chosen(550, "Closed for good"))
    accounts.quotas.change_mailbox("alice@one.example", {"octets": 1 << 30})
    accounts.quotas.change_domain("one.example", {"octets": 1 << 40}, {"messages": 5})
    accounts.caps.set("alice@one.example", "messages", 3600, 10)
    accounts.caps.set("one.example", "recipients", 86_400, 500)


class SqlWorld(World):
    """What the commands change."""

    def accounts(self) -> Accounts:
        """Open the accounts for changes."""
        raise NotImplementedError

    def add(self, name: str) -> None:
        """See `World.add`."""
        with self.accounts() as accounts:
            accounts.users.add(f"{name}@one.example", PASSWORDS.hash(password(name)))

    def remove(self, name: str) -> None:
        """See `World.remove`."""
        with self.accounts() as accounts:
            accounts.users.remove(f"{name}@one.example")


class SqliteWorld(SqlWorld):
    """The accounts file."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "accounts.sqlite")
        with Accounts.open(self._path, create=True) as accounts:
            fill(accounts)
        super().__init__()

    def made(self) -> Backend:
        """See `World.made`."""
        return SqliteBackend(self._path, self.seconds, self.threads.run)

    def accounts(self) -> Accounts:
        """See `SqlWorld.accounts`."""
        return Accounts.open(self._path)

    def away(self) -> None:
        """The file is gone, and the server opens it anew."""
        os.rename(self._path, self._path + ".gone")
        finish(value_of(self.backend.stop()))

    def back(self) -> None:
        """See `World.back`."""
        os.rename(self._path + ".gone", self._path)


class PostgresWorld(SqlWorld):
    """PostgreSQL, in a database of its own."""

    timeout = 3.0

    def __init__(self, server: Postgres) -> None:
        self._server = server
        with closing(postgresql_schema.dial(server.dsn())) as connection:
            connection.execute("CREATE DATABASE mail")
        postgresql_schema.create(server.dsn("mail"))
        with self.accounts() as accounts:
            fill(accounts)
        super().__init__()

    def made(self) -> PostgresBackend:
        """See `World.made`."""
        nodes = f"host=127.0.0.1,127.0.0.1 port={free_ports(1)[0]},{self._server.port} target_session_attrs=read-write"
        return PostgresBackend(f"{self._server.dsn('mail')} {nodes}", reactor, 2, 0.2, self.timeout)

    def accounts(self) -> Accounts:
        """See `SqlWorld.accounts`."""
        return postgresql_schema.open_accounts(self._server.dsn("mail"))

    def freeze(self, frozen: bool) -> None:
        """Let the server say nothing any more, or go on."""
        self._server.signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def sessions(self) -> list[int]:
        """Return the processes of the server in which it answers us."""
        with closing(postgresql_schema.dial(self._server.dsn())) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'mail'").fetchall()
        return [pid for (pid,) in found]

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let the server live, and answer nothing about domains."""
        with closing(postgresql_schema.dial(self._server.dsn("mail"))) as connection, connection.transaction():
            connection.execute("LOCK TABLE domains")
            yield

    def cut(self) -> None:
        """End all sessions there are, as a server does that is started anew."""
        with closing(postgresql_schema.dial(self._server.dsn())) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'mail'")

    def away(self) -> None:
        """See `World.away`."""
        self._server.stop()

    def back(self) -> None:
        """See `World.back`."""
        self._server.start()


def directory_tree() -> str:
    """Return the site in LDIF."""

    def person(name: str, *more: tuple[str, str]) -> str:
        hashed = ldap_salted_sha1.hash(password(name))
        return entry(f"uid={name}", [
            ("objectClass", "inetOrgPerson"), ("objectClass", "inetLocalMailRecipient"), ("cn", name), ("sn", name),
            ("mail", f"{name}@one.example"), ("userPassword", hashed), *more,
        ])  # fmt: skip

    def alias(name: str, *targets: str) -> str:
        return entry(f"cn={name.partition('@')[0]}", [
            ("objectClass", "inetLocalMailRecipient"), ("objectClass", "organizationalRole"),
            ("mailLocalAddress", name), *(("mailRoutingAddress", each) for each in targets),
        ])  # fmt: skip

    routed = [("mailRoutingAddress", each) for each in ("bob@one.example",)]
    return "".join([
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n",
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: mail\n"
        f"userPassword: {ADMIN_PASSWORD}\n\n",
        person("postmaster"), person("alice", ("description", "1G")),
        person("bob", ("mailLocalAddress", "@two.example"), *routed),
        person("off", ("employeeType", "TRUE")), person("o'brien"), person("a*b"),
        alias("solo@one.example", "Friend@elsewhere.example"),
    ])  # fmt: skip


class LdapWorld(World):
    """slapd; each user is an entry. It has one value of mailRoutingAddress for each entry (its schema says so)."""

    can = frozenset({"catch-all", "suspended", "single aliases"})

    def __init__(self, server: Slapd, hashes: bool) -> None:
        self._server = server
        self._hashes = hashes
        super().__init__()

    def made(self) -> Backend:
        """See `World.made`. By LDAPS where hashes are read, else by StartTLS."""
        tree = Tree(
            BASE, DOMAINS, "", "mail", ("mail", "mailLocalAddress"), "mailRoutingAddress", "employeeType",
            self._hashes, "description",
        )  # fmt: skip
        connector = LdapConnector(reactor, self._server.certificate, True, 5.0)
        url = self._server.secure_url if self._hashes else self._server.url
        reader = (READER, ADMIN_PASSWORD) if self._hashes else ("", "")
        return LdapBackend(tree, LdapServers([url], connector.connect, *reader, 5.0, reactor))

    def away(self) -> None:
        """See `World.away`."""
        self._server.stop()

    def back(self) -> None:
        """See `World.back`."""
        self._server.start()

    def add(self, name: str) -> None:
        """See `World.add`."""
        hashed = ldap_salted_sha1.hash(password(name))
        attributes = [
            ("objectClass", "inetOrgPerson"), ("cn", name), ("sn", name), ("mail", f"{name}@one.example"),
            ("userPassword", hashed),
        ]  # fmt: skip
        self._change("ldapadd", entry(f"uid={name}", attributes))

    def remove(self, name: str) -> None:
        """See `World.remove`."""
        self._change("ldapdelete", f"uid={name},{BASE}\n")

    def _change(self, program: str, text: str) -> None:
        address = f"ldap://127.0.0.1:{self._server.port}"
        subprocess.run(
            [program, "-x", "-H", address, "-D", ADMIN, "-w", ADMIN_PASSWORD],
            input=text.encode(), check=True, capture_output=True,
        )  # fmt: skip


class PasswdFileWorld(World):
    """A passwd-file, one user without a domain in its name."""

    can: frozenset[str] = frozenset()

    def __init__(self, folder: Path) -> None:
        self._path = folder / "users"
        self._names = list(USERS)
        self._write()
        super().__init__()

    def made(self) -> Backend:
        """See `World.made`."""
        return PasswdFileBackend(str(self._path), DOMAINS, self.seconds, self.threads.run)

    def away(self) -> None:
        """See `World.away`."""
        self._path.rename(f"{self._path}.gone")

    def back(self) -> None:
        """See `World.back`."""
        Path(f"{self._path}.gone").rename(self._path)

    def add(self, name: str) -> None:
        """See `World.add`."""
        self._names.append(name)
        self._write()

    def remove(self, name: str) -> None:
        """See `World.remove`."""
        self._names.remove(name)
        self._write()

    def _write(self) -> None:
        lines = ["# users of the site", ""]
        for name in self._names:
            user = name if name == "alice" else f"{name}@one.example"
            extra = "nologin" if name == "off" else "userdb_mail=maildir:~/Maildir userdb_quota_rule=*:storage=1G"
            lines.append(f"{user}:{ldap_salted_sha1.hash(password(name))}:1000:1000::/home/{name}::{extra}")
        draft = Path(f"{self._path}.new")
        draft.write_text("\n".join(lines) + "\n")
        draft.rename(self._path)

