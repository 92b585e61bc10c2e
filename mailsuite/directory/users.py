"""Users: a login, the mailbox that it reads, and the address of both."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from mailsuite.address import POSTMASTER, Address
from mailsuite.database import transaction
from mailsuite.directory.errors import Exists, NoSuch, StillNeeded
from mailsuite.directory.records import PASSWORD
from mailsuite.directory.references import dangling, domain_id, inhabited_id, is_elsewhere, prune, refuse_dangling
from mailsuite.directory.rows import LOCAL, DomainClass, User
from mailsuite.directory.secrets import NO_SECRETS, NONE_POSSIBLE
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.sql import Connection
from mailsuite.meaning import Mailbox
from mailsuite.pathnames import mailbox_path

_USER = """
    SELECT l.name, l.suspended, EXISTS (SELECT 1 FROM credentials WHERE login_id = l.id), m.id, m.path, l.frozen,
        (SELECT min(coalesce(reject_from, 0)) FROM addresses WHERE mailbox_id = m.id AND reject_code IS NOT NULL),
        l.must_change"""
_USERS = f"{_USER} FROM logins l JOIN mailboxes m ON m.id = l.mailbox_id"
_OF_DOMAIN = " JOIN addresses a ON a.mailbox_id = m.id JOIN domains d ON d.id = a.domain_id WHERE d.name = ?"
_PUT_CREDENTIAL = """
    INSERT INTO credentials (login_id, kind, stored) SELECT id, ?, ? FROM logins WHERE name = ?
    ON CONFLICT (login_id, kind, label) DO UPDATE SET stored = excluded.stored"""
# Of which class a domain is that has users.
_INHABITED: tuple[DomainClass, ...] = (LOCAL, "send-only")
# What was made of the old password.
_DROP_SECRETS = """
    DELETE FROM credentials WHERE kind != 'password' AND login_id = (SELECT id FROM logins WHERE name = ?)"""
_KINDS = """
    SELECT DISTINCT kind FROM credentials c JOIN logins l ON l.id = c.login_id
    WHERE l.name = ? AND c.stored != ? ORDER BY kind"""

_OWNER = """
    SELECT a.local, d.name FROM addresses a JOIN domains d ON d.id = a.domain_id
    WHERE a.mailbox_id = ? ORDER BY d.name, a.local"""


class Users:
    """Adds, changes and removes users.

    Passwords come as hashes (`mailsuite.directory.passwords`), and with them the secrets that were made of them
    (`mailsuite.directory.secrets`).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, address: str, hashed: str | None = None, secrets: Mapping[str, str] = NO_SECRETS) -> User:
        """Make the user *address*; without a hash it gets mail and cannot log in.

        Raises `NoSuch`, `WrongClass` or `Exists`.
        """
        parsed = parse_address(address)
        with transaction(self._connection):
            return insert_user(self._connection, NewUser(parsed, hashed, secrets))

    def add_reader(
        self, name: str, owner: str, hashed: str | None = None, secrets: Mapping[str, str] = NO_SECRETS
    ) -> User:
        """Make the login *name*, which has no address and reads the mailbox of *owner* (`mailsuite.mailbox.sharing`).

        Raises `NoSuch`, `WrongClass` or `Exists`.
        """
        parsed = parse_address(name)
        with transaction(self._connection):
            box = self.show(owner).mailbox
            refuse_taken(self._connection, parsed)
            self._connection.execute("INSERT INTO logins (name, mailbox_id) VALUES (?, ?)", (str(parsed), box.id))
            if hashed is not None:
                _put_credentials(self._connection, str(parsed), hashed, secrets)
        return self.show(name)

    def readers(self, owner: str) -> Sequence[str]:
        """Return all logins that read the mailbox of *owner*, its own too. Raises `NoSuch`."""
        box = self.show(owner).mailbox
        rows = self._connection.execute("SELECT name FROM logins WHERE mailbox_id = ? ORDER BY name", (box.id,))
        return [name for (name,) in rows]

    def owner(self, reader: str) -> str:
        """Return the address of the mailbox that *reader* reads: its own, or whose it shares. Raises `NoSuch`."""
        row = self._connection.execute(_OWNER, (self.show(reader).mailbox.id,)).fetchone()
        return str(Address(*row)) if row is not None else str(parse_address(reader))

    def refuse_taken(self, address: str) -> None:
        """Raise what `add` would raise, and change nothing."""
        refuse_taken(self._connection, parse_address(address))

    def show(self, address: str) -> User:
        """Return the user *address*. Raises `NoSuch`."""
        name = str(parse_address(address))
        row = self._connection.execute(f"{_USERS} WHERE l.name = ?", (name,)).fetchone()
        if row is None:
            raise NoSuch(f"no user {name} here; add it with: mailsuite user add {name}")
        return _user(row)

    def list(self, domain: str | None = None, after: str = "") -> Iterator[User]:
        """Yield every user, or those of *domain*, by name; only those whose name comes *after* that one."""
        if domain is None:
            rows = self._connection.execute(f"{_USERS} WHERE l.name > ? ORDER BY l.name", (after,))
        else:
            name = parse_domain(domain)
            domain_id(self._connection, name)
            rows = self._connection.execute(f"{_USERS} {_OF_DOMAIN} AND l.name > ? ORDER BY l.name", (name, after))
        return map(_user, rows)

    def set_suspended(self, address: str, suspended: bool) -> User:
        """Switch the user off, or on again: no login, and mail for it is refused,
        but never that for postmaster and abuse (`mailsuite.directory.resolve`). Raises `NoSuch`."""
        name = self.show(address).name
        with transaction(self._connection):
            self._connection.execute("UPDATE logins SET suspended = ? WHERE name = ?", (int(suspended), name))
        return self.show(name)

    def set_frozen(self, address: str, frozen: bool) -> User:
        """Keep the user from logging in, or no more; its mail is kept either way. Raises `NoSuch`."""
        name = self.show(address).name
        with transaction(self._connection):
            self._connection.execute("UPDATE logins SET frozen = ? WHERE name = ?", (int(frozen), name))
        return self.show(name)

    def set_must_change(self, address: str, must_change: bool) -> User:
        """Let the user's own password be good for nothing until there is a new one, or for all again.

        App passwords stay what they are. Raises `NoSuch`.
        """
        name = self.show(address).name
        with transaction(self._connection):
            self._connection.execute("UPDATE logins SET must_change = ? WHERE name = ?", (int(must_change), name))
        return self.show(name)

    def set_password(self, address: str, hashed: str, secrets: Mapping[str, str] = NO_SECRETS) -> None:
        """Let *hashed* be the user's password from now on, and *secrets* what goes with it. Raises `NoSuch`."""
        name = self.show(address).name
        with transaction(self._connection):
            self._connection.execute(_DROP_SECRETS, (name,))
            self._connection.execute("UPDATE logins SET must_change = 0 WHERE name = ?", (name,))
            _put_credentials(self._connection, name, hashed, secrets)

    def kinds(self, address: str) -> tuple[str, ...]:
        """Return the kinds of what is stored so that the user can log in: ``password``, and those of secrets."""
        name = str(parse_address(address))
        return tuple(kind for (kind,) in self._connection.execute(_KINDS, (name, NONE_POSSIBLE)))

    def remove(self, address: str, force: bool = False) -> User:
        """Remove the user and return what it was; its mail stays where `User.mailbox` says.

        Raises `StillNeeded` for a postmaster, and where an alias or a catch-all leads there; with *force* these
        lose that target.
        """
        parsed = parse_address(address)
        with transaction(self._connection):
            user = self.show(address)
            if parsed.local == POSTMASTER and not (force or is_elsewhere(self._connection, parsed.domain)):
                raise StillNeeded(
                    f"{user.name} gets the domain's mail for postmaster and abuse, which RFC 2142 asks for;"
                    " remove the domain instead, or use --force if [directory] postmaster names another mailbox"
                )
            before = dangling(self._connection, parsed.domain, parsed)
            delete_user(self._connection, user, force)
            if force:
                prune(self._connection, parsed.domain, parsed)
            else:
                refuse_dangling(self._connection, parsed.domain, before, user.name, parsed)
        return user


class NewUser(NamedTuple):
    """A user who is to be: *hashed* is ``None`` for one who cannot log in yet."""

    address: Address
    hashed: str | None
    secrets: Mapping[str, str] = NO_SECRETS


def insert_user(connection: Connection, new: NewUser) -> User:
    """Make login, mailbox and address within the caller's transaction. Raises what `refuse_taken` does."""
    refuse_taken(connection, new.address)
    (user,) = insert_users(connection, [new])
    return user


def insert_users(connection: Connection, new: Sequence[NewUser]) -> Sequence[User]:
    """Make them within the caller's transaction, by few statements: some hundreds at a time, all of them `free`."""
    if not new:
        return ()
    homes = _homes(connection, {each.address.domain for each in new})
    names = [str(each.address) for each in new]
    paths = [mailbox_path(each.address) for each in new]
    boxes = dict(_insert(connection, "mailboxes (path)", [(path,) for path in paths], "path, id"))
    placed = list(zip(names, (boxes[path] for path in paths), strict=True))
    logins = dict(_insert(connection, "logins (name, mailbox_id)", placed, "name, id"))
    _insert(
        connection,
        "addresses (domain_id, local, mailbox_id)",
        [(homes[each.address.domain], each.address.local, box) for each, (_, box) in zip(new, placed, strict=True)],
    )
    _insert(
        connection,
        "credentials (login_id, kind, stored)",
        [
            (logins[name], kind, stored)
            for name, each in zip(names, new, strict=True)
            if each.hashed is not None
            for kind, stored in {PASSWORD: each.hashed, **each.secrets}.items()
        ],
    )
    return [
        User(name, suspended=False, has_password=each.hashed is not None, mailbox=Mailbox(boxes[path], path))
        for name, path, each in zip(names, paths, new, strict=True)
    ]


def _insert(
    connection: Connection, columns: str, rows: Sequence[Sequence[object]], returned: str = ""
) -> Sequence[tuple[str, int]]:
    if not rows:
        return ()
    statement = f"INSERT INTO {columns} VALUES {_placeholders(rows)}"  # noqa: S608 (our names, and placeholders)
    values = [value for row in rows for value in row]
    if not returned:
        connection.execute(statement, values)
        return ()
    return connection.execute(f"{statement} RETURNING {returned}", values).fetchall()


def _placeholders(rows: Sequence[Sequence[object]]) -> str:
    return ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))


def _put_credentials(connection: Connection, name: str, hashed: str, secrets: Mapping[str, str]) -> None:
    for kind, stored in {PASSWORD: hashed, **secrets}.items():
        connection.execute(_PUT_CREDENTIAL, (kind, stored, name))


def free(connection: Connection, addresses: Sequence[Address]) -> frozenset[Address]:
    """Return those of *addresses*, some hundreds, for which `refuse_taken` has nothing to raise."""
    homes = _homes(connection, {each.domain for each in addresses})
    possible = [each for each in addresses if each.domain in homes]
    if not possible:
        return frozenset()
    keys = [(homes[each.domain], each.local) for each in possible]
    names = [(str(each),) for each in possible]
    addressed = connection.execute(
        # (SQLite would look for pairs within IN through all addresses.)
        f"WITH wanted (domain_id, local) AS (VALUES {_placeholders(keys)}) SELECT a.domain_id, a.local"  # noqa: S608
        " FROM wanted w JOIN addresses a ON a.domain_id = w.domain_id AND a.local = w.local",
        [value for key in keys for value in key],
    )
    taken = {(number, local) for number, local in addressed}
    logins = connection.execute(
        f"SELECT name FROM logins WHERE name IN (VALUES {_placeholders(names)})",  # noqa: S608 (placeholders)
        [value for (value,) in names],
    )
    reading = {name for (name,) in logins}
    return frozenset(
        each
        for each, key, (name,) in zip(possible, keys, names, strict=True)
        if key not in taken and name not in reading
    )


def users_among(connection: Connection, addresses: Sequence[Address]) -> Mapping[str, User]:
    """Return the users, by their names, whose own address is one of *addresses*, some hundreds."""
    homes = _homes(connection, {each.domain for each in addresses})
    wanted = [(homes[each.domain], each.local, str(each)) for each in addresses if each.domain in homes]
    if not wanted:
        return {}
    rows = connection.execute(
        f"WITH wanted (domain_id, local, name) AS (VALUES {_placeholders(wanted)}) {_USER} FROM wanted w"
        " JOIN addresses a ON a.domain_id = w.domain_id AND a.local = w.local"
        " JOIN logins l ON l.name = w.name AND l.mailbox_id = a.mailbox_id JOIN mailboxes m ON m.id = l.mailbox_id",
        [value for row in wanted for value in row],
    )
    return {user.name: user for user in map(_user, rows)}


def refuse_taken(connection: Connection, address: Address) -> None:
    """Raise `NoSuch` or `WrongClass` where *address*'s domain can have no users, `Exists` where it is taken."""
    number = _home(connection, address)
    row = connection.execute(
        "SELECT mailbox_id, reject_code FROM addresses WHERE domain_id = ? AND local = ?", (number, address.local)
    ).fetchone()
    if row is None:
        if connection.execute("SELECT 1 FROM logins WHERE name = ?", (str(address),)).fetchone() is not None:
            raise Exists(f"{address} reads a shared mailbox; remove it first with: mailsuite user remove {address}")
        return
    if row[0] is None and row[1] is not None:
        raise Exists(
            f"{address} is answered with a reply; take that off first with: mailsuite alias reject {address} --off"
        )
    if row[0] is None:
        raise Exists(f"{address} is an alias; remove it first with: mailsuite alias remove {address}")
    raise Exists(f"{address} is a user already; for a new password: mailsuite user passwd {address}")


def _homes(connection: Connection, domains: Collection[str]) -> Mapping[str, int]:
    """Return the numbers of those of *domains* that may have users."""
    if not domains:
        return {}
    names = [(name,) for name in domains]
    found = connection.execute(
        f"SELECT name, id, class FROM domains WHERE name IN (VALUES {_placeholders(names)})",  # noqa: S608 (placeholders)
        list(domains),
    )
    return {name: number for name, number, domain_class in found if domain_class in _INHABITED}


def _home(connection: Connection, address: Address) -> int:
    return inhabited_id(connection, address.domain, "users", *_INHABITED)


def delete_user(connection: Connection, user: User, force: bool) -> None:
    """Remove login, mailbox and address within the caller's transaction; of who only reads it, the login alone."""
    if not _owns(connection, user):
        connection.execute("DELETE FROM logins WHERE name = ?", (user.name,))
        return
    others = connection.execute(
        "SELECT min(name) FROM logins WHERE mailbox_id = ? AND name != ?", (user.mailbox.id, user.name)
    ).fetchone()
    if others[0] is not None and not force:
        raise StillNeeded(f"{others[0]} reads this mailbox; remove it first with: mailsuite user remove {others[0]}")
    aliases = connection.execute(
        "SELECT count(*) FROM alias_targets t JOIN addresses a ON a.id = t.address_id WHERE a.mailbox_id = ?",
        (user.mailbox.id,),
    ).fetchone()
    if aliases[0] and not force:
        raise StillNeeded(f"{user.name} is an alias too; remove that first with: mailsuite alias remove {user.name}")
    connection.execute("DELETE FROM logins WHERE mailbox_id = ?", (user.mailbox.id,))
    connection.execute("DELETE FROM mailboxes WHERE id = ?", (user.mailbox.id,))


def _owns(connection: Connection, user: User) -> bool:
    """Say whether the mailbox has the user's own address."""
    address = parse_address(user.name)
    row = connection.execute(
        "SELECT 1 FROM addresses a JOIN domains d ON d.id = a.domain_id"
        " WHERE a.mailbox_id = ? AND d.name = ? AND a.local = ?",
        (user.mailbox.id, address.domain, address.local),
    ).fetchone()
    return row is not None


def _user(row: tuple[str, int, int, int, str, int, int | None, int]) -> User:
    name, suspended, has_password, box, path, frozen, leaves, must_change = row
    return User(name, bool(suspended), bool(has_password), Mailbox(box, path), bool(frozen), leaves, bool(must_change))
