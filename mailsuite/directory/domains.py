"""Domains of ours, each of a class: a local one has a postmaster (RFC 5321 §4.5.1, RFC 2142), perhaps a catch-all."""

from collections.abc import Iterator
from typing import Any

from mailsuite.address import POSTMASTER, Address
from mailsuite.counted import counted
from mailsuite.database import transaction
from mailsuite.directory.errors import Exists, StillNeeded, WrongClass
from mailsuite.directory.references import (
    adopt_targets,
    aliases_of,
    dangling,
    domain_id,
    prune,
    refuse_broken,
    refuse_dangling,
    refuse_lost,
)
from mailsuite.directory.rows import LOCAL, Domain, DomainClass, SenderRule, User
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.sql import Connection
from mailsuite.directory.users import NewUser, Users, delete_user, insert_user

_DOMAINS = """
    SELECT name, catch_all_local, catch_all_domain,
        (SELECT count(*) FROM addresses a WHERE a.domain_id = domains.id AND a.mailbox_id IS NOT NULL),
        (SELECT count(*) FROM addresses a WHERE a.domain_id = domains.id
            AND EXISTS (SELECT 1 FROM alias_targets WHERE address_id = a.id)),
        class, (SELECT o.name FROM domains o WHERE o.id = domains.alias_of) AS other, senders
    FROM domains"""
_NO_CATCH_ALL = "UPDATE domains SET catch_all_local = NULL, catch_all_domain = NULL"


class Domains:
    """Adds, changes and removes domains."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        name: str,
        catch_all: str | None = None,
        postmaster: bool = True,
        domain_class: DomainClass = LOCAL,
        alias_of: str | None = None,
    ) -> Domain:
        """Make *name* a domain of ours, a local one with a user postmaster@NAME unless *postmaster* says no.

        That user has no password yet; an alias of another domain has that one's postmaster. Raises `BadName`,
        `Exists`, `WrongClass` where a domain that is not local should have a catch-all, or what `set_alias_of` raises,
        or `LeadsNowhere` for the catch-all.
        """
        key = parse_domain(name)
        with transaction(self._connection):
            if self._connection.execute("SELECT 1 FROM domains WHERE name = ?", (key,)).fetchone():
                raise Exists(f"the domain {key} is here already; see: mailsuite domain show {key}")
            self._connection.execute("INSERT INTO domains (name, class) VALUES (?, ?)", (key, domain_class))
            if domain_class == LOCAL:
                self._settle(key, postmaster and alias_of is None)
            if alias_of is not None:
                self._point(key, domain_class, parse_domain(alias_of))
            if catch_all is not None:
                self._catch(key, domain_class, catch_all)
        return self.show(key)

    def show(self, name: str) -> Domain:
        """Return the domain *name*. Raises `NoSuch`."""
        key = parse_domain(name)
        domain_id(self._connection, key)
        return _domain(self._connection.execute(f"{_DOMAINS} WHERE name = ?", (key,)).fetchone())

    def list(self, after: str = "") -> Iterator[Domain]:
        """Yield every domain by name; only those whose name comes *after* that one."""
        return map(_domain, self._connection.execute(f"{_DOMAINS} WHERE name > ? ORDER BY name", (after,)))

    def set_catch_all(self, name: str, address: str | None) -> Domain:
        """Let mail for unknown addresses of the domain go to *address*; ``None`` refuses it again.

        Raises `NoSuch`, `WrongClass` where the domain is not local, or `LeadsNowhere` where *address* is not a user
        or alias of ours.
        """
        with transaction(self._connection):
            domain = self.show(name)
            if address is None:
                self._connection.execute(f"{_NO_CATCH_ALL} WHERE name = ?", (domain.name,))
            else:
                self._catch(domain.name, domain.domain_class, address)
        return self.show(domain.name)

    def set_alias_of(self, name: str, other: str | None, postmaster: bool = True) -> Domain:
        """Let what the domain has no address for be looked up in the domain *other*; ``None``: no more.

        It gets a postmaster then, unless *postmaster* says no. Raises `NoSuch`, or `WrongClass` where one of them is
        not local or *other* is an alias itself, `StillNeeded` where others are aliases of this one, or lead to what
        only *other* has.
        """
        with transaction(self._connection):
            domain = self.show(name)
            if other is not None:
                self._point(domain.name, domain.domain_class, parse_domain(other))
            elif domain.alias_of:
                before = dangling(self._connection, domain.name)
                self._connection.execute("UPDATE domains SET alias_of = NULL WHERE name = ?", (domain.name,))
                self._settle(domain.name, postmaster)
                refuse_dangling(self._connection, domain.name, before, domain.name)
        return self.show(domain.name)

    def set_senders(self, name: str, rule: SenderRule) -> Domain:
        """Let *rule* say who may send from addresses of the domain that are nobody's mailbox.

        Raises `NoSuch`, or `WrongClass` for an alias of a domain: that one's rule holds for it.
        """
        with transaction(self._connection):
            domain = self.show(name)
            if domain.alias_of:
                raise WrongClass(
                    f"{domain.name} is an alias of {domain.alias_of}, whose rule holds for it;"
                    f" to change that: mailsuite domain set {domain.alias_of} --senders {rule}"
                )
            self._connection.execute("UPDATE domains SET senders = ? WHERE name = ?", (rule, domain.name))
        return self.show(domain.name)

    def set_class(
        self, name: str, domain_class: DomainClass, force: bool = False, postmaster: bool = True
    ) -> Domain:
        """Let the domain be of *domain_class*; one that becomes local gets a postmaster, unless *postmaster* says no.

        Raises `NoSuch`; or `WrongClass` where users, aliases or a catch-all of the domain would be of no use any
        more (users of a domain that only sends are), or a catch-all of another domain leads here. With *force* the
        first stay as they are, out of use until the class is changed back, and the last is taken off.
        """
        with transaction(self._connection):
            domain = self.show(name)
            if domain_class != LOCAL:
                users = tuple(Users(self._connection).list(domain.name))
                self._refuse_alias(domain, domain_class)
                if not force:
                    _refuse_useless(domain, domain_class, users)
                self._release_catch_alls(domain.name, domain_class, force)
            self._connection.execute("UPDATE domains SET class = ? WHERE name = ?", (domain_class, domain.name))
            if domain_class == LOCAL != domain.domain_class:
                self._settle(domain.name, postmaster)
        return self.show(domain.name)

    def missing(self, name: str) -> tuple[str, ...]:
        """Return, in words, what leads into the domain and reaches nothing: targets that were elsewhere before."""
        return tuple(sorted(dangling(self._connection, parse_domain(name))))

    def remove(self, name: str, force: bool = False) -> tuple[User, ...]:
        """Remove the domain; return the users that went with it, whose mail stays on disk.

        Raises `StillNeeded` where it has users (but for a postmaster without a password) or aliases, or where
        addresses of other domains lead here; *force* removes the first and takes it out of the others. Addresses that
        lead to a domain whose mail did not end here are left: it goes on to where DNS says.
        """
        with transaction(self._connection):
            domain = self.show(name)
            users = tuple(Users(self._connection).list(domain.name))
            if not force:
                _refuse_inhabited(domain, users)
            before = dangling(self._connection, domain.name)
            for user in users:
                delete_user(self._connection, user, force=True)
            number = domain_id(self._connection, domain.name)
            aliases = aliases_of(self._connection, domain.name)
            if aliases and not force:
                raise StillNeeded(
                    f"{', '.join(aliases)} is an alias of {domain.name}; remove that first, or use --force, which"
                    " leaves it as a domain of its own"
                )
            self._connection.execute("UPDATE domains SET alias_of = NULL WHERE alias_of = ?", (number,))
            self._connection.execute("DELETE FROM addresses WHERE domain_id = ?", (number,))
            self._connection.execute("DELETE FROM domains WHERE id = ?", (number,))
            if domain.domain_class != LOCAL:
                return users
            if force:
                prune(self._connection, domain.name)
            else:
                refuse_dangling(self._connection, domain.name, before, domain.name)
        return users

    def _settle(self, key: str, postmaster: bool) -> None:
        """The domain is local from now on."""
        adopt_targets(self._connection, key)
        taken = self._connection.execute(
            "SELECT 1 FROM addresses WHERE domain_id = ? AND local = ?", (domain_id(self._connection, key), POSTMASTER)
        ).fetchone()
        if postmaster and taken is None:
            insert_user(self._connection, NewUser(Address(POSTMASTER, key), None))

    def _refuse_alias(self, domain: Domain, domain_class: DomainClass) -> None:
        """Refuse another class for a domain that is an alias or has such: only in local ones is anything looked up."""
        if domain.alias_of:
            raise WrongClass(
                f"{domain.name} is an alias of {domain.alias_of}, so it can only be local;"
                f" to change that: mailsuite domain set {domain.name} --no-alias-of"
            )
        aliases = aliases_of(self._connection, domain.name)
        if aliases:
            raise WrongClass(
                f"{domain.name} cannot be of class {domain_class}: {', '.join(aliases)} is an alias of it;"
                f" change that first: mailsuite domain set {aliases[0]} --no-alias-of"
            )

    def _point(self, key: str, domain_class: DomainClass, other: str) -> None:
        found = self.show(other)
        if key == other or domain_class != LOCAL or found.domain_class != LOCAL or found.alias_of:
            what = f"an alias of {found.alias_of} itself" if found.alias_of else f"of class {found.domain_class}"
            raise WrongClass(
                f"{key}, of class {domain_class}, cannot be an alias of {other}, which is {what}: both must be local,"
                " and one step is all that is gone"
            )
        aliases = aliases_of(self._connection, key)
        if aliases:
            raise StillNeeded(f"{key} cannot be an alias: {', '.join(aliases)} is one of it")
        self._connection.execute(
            "UPDATE domains SET alias_of = ? WHERE name = ?", (domain_id(self._connection, other), key)
        )

    def _catch(self, key: str, domain_class: DomainClass, address: str) -> None:
        if domain_class != LOCAL:
            raise WrongClass(f"a catch-all is for local domains, and {key} is of class {domain_class}")
        target = parse_address(address)
        refuse_lost(self._connection, target, f"the catch-all of {key}")
        refuse_broken(self._connection, target)
        self._connection.execute(
            "UPDATE domains SET catch_all_local = ?, catch_all_domain = ? WHERE name = ?",
            (target.local, target.domain, key),
        )

    def _release_catch_alls(self, key: str, domain_class: DomainClass, force: bool) -> None:
        """See to the catch-alls of other domains that lead to *key*, where no mail will end any more."""
        found = self._connection.execute(
            "SELECT name FROM domains WHERE catch_all_domain = ? AND name <> ? ORDER BY name", (key, key)
        ).fetchall()
        if found and not force:
            names = ", ".join(name for (name,) in found)
            raise WrongClass(
                f"{key} cannot be of class {domain_class}: the catch-all of {names} leads there;"
                " change that first, or use --force, which takes it off"
            )
        self._connection.execute(f"{_NO_CATCH_ALL} WHERE catch_all_domain = ? AND name <> ?", (key, key))


def _inhabitants(domain: Domain, users: tuple[User, ...]) -> int:
    """Count the users; one whom nobody has used yet, as `Domains.add` makes it, is none."""
    bare = f"{POSTMASTER}@{domain.name}"
    return sum(user.has_password or user.name != bare for user in users)


def _residents(users: int, aliases: int) -> str:
    return f"{counted(users, 'user')} and {counted(aliases, 'alias', 'aliases')}"


def _refuse_useless(domain: Domain, domain_class: DomainClass, users: tuple[User, ...]) -> None:
    inhabitants = 0 if domain_class == "send-only" else _inhabitants(domain, users)
    if inhabitants or domain.aliases or domain.catch_all:
        caught = " and a catch-all" if domain.catch_all else ""
        raise WrongClass(
            f"{domain.name} has {_residents(inhabitants, domain.aliases)}{caught} that would get no more mail if"
            f" it were of class {domain_class}; remove these first, or use --force, which leaves them out of use"
        )


def _refuse_inhabited(domain: Domain, users: tuple[User, ...]) -> None:
    inhabitants = _inhabitants(domain, users)
    if inhabitants or domain.aliases:
        raise StillNeeded(
            f"{domain.name} still has {_residents(inhabitants, domain.aliases)};"
            " remove these first, or use --force, which removes them too (mail stays on disk)"
        )


def _domain(row: tuple[Any, ...]) -> Domain:
    name, local, domain, users, aliases, domain_class, alias_of, senders = row
    catch_all = "" if local is None else str(Address(local, domain))
    return Domain(name, catch_all, users, aliases, domain_class, alias_of or "", senders)
