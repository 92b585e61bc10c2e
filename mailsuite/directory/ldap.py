"""An LDAP directory as a back end (RFC 4511): it is only read, and tells nobody when it changes.

Who has a mailbox is an entry with a login attribute; its mailbox is named by that. An entry that has targets is an
alias, which keeps a copy where it is among its own. How it is asked is in `mailsuite.directory.ldap_searches`.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.directory.backend import Backend, Lookups
from mailsuite.directory.errors import BadName, NoAccounts
from mailsuite.directory.ldap_searches import Entry, LdapServers, any_equal
from mailsuite.directory.numbers import number_of
from mailsuite.directory.records import AddressRecord, Credential, DomainRecord, LoginRecord
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.secrets import stored_elsewhere
from mailsuite.directory.spelling import parse_address, parse_domain, parse_written
from mailsuite.directory.storage_rules import amount
from mailsuite.maybe import Maybe, step, value_of
from mailsuite.meaning import Login, Mailbox, Quota
from mailsuite.pathnames import mailbox_path, path_address

T = TypeVar("T")

# The entry's number for life (RFC 4530), by which a mailbox is told from one that is named alike later.
_NUMBER = "entryUUID"
_PASSWORD = "userPassword"  # noqa: S105 (the name of an attribute)

_log = Logger()


@dataclass(frozen=True, slots=True)
class Tree:
    """Where in the directory what is found: see ``[ldap]`` of the configuration."""

    base: str
    domains: tuple[str, ...]
    object_class: str
    login: str
    addresses: tuple[str, ...]
    targets: str
    suspended: str
    hashes: bool
    quota: str = ""


class LdapBackend(Backend):
    """The entries of *tree* on *servers*."""

    def __init__(self, tree: Tree, servers: LdapServers) -> None:
        if not (tree.base and tree.domains):
            raise NoAccounts("[ldap] needs servers, base and domains")
        try:
            self._domains = tuple(parse_domain(name) for name in tree.domains)
        except BadName as error:
            raise NoAccounts(f"[ldap] domains: {error}") from error
        self._tree = tree
        self._servers = servers
        names = (
            _NUMBER, tree.login, tree.targets, tree.suspended, tree.quota, _PASSWORD if tree.hashes else "",
        )  # fmt: skip
        self._wanted = [name for name in (*names, *tree.addresses) if name]

    def stop(self) -> None:
        """See `Backend.stop`."""
        self._servers.close()

    def read(self, ask: Callable[[Lookups], Coroutine[Any, Any, T]]) -> Maybe[T]:
        """See `Backend.read`: within one such question nothing is asked twice."""
        return step(ask(_Once(self)))

    def first_domain(self) -> str:
        """See `Backend.first_domain`."""
        return self._domains[0]

    def domains(self, domain_class: str) -> Sequence[str]:
        """See `Backend.domains`."""
        return self._domains if domain_class == LOCAL else ()

    def domain(self, name: str) -> Maybe[DomainRecord | None]:
        """See `Backend.domain`."""
        return self._domain(name) if name in self._domains else None

    def address(self, local: str, domain: str) -> Maybe[AddressRecord | None]:
        """See `Backend.address`."""
        return self._address(Address(local, domain)) if domain in self._domains else None

    async def login(self, name: str) -> LoginRecord | None:
        """See `Backend.login`."""
        found = await self._search([self._tree.login], name)
        if len(found) != 1:
            if found:
                _log.error("Several entries have the login {name}: it is nobody's", name=name)
            return None
        (entry,) = found
        box = self._mailbox(entry)
        if box is None:
            return None
        kept = [stored_elsewhere(each) for each in entry.values(_PASSWORD)]
        credentials = tuple(Credential(box.id, "", each.hashed) for each in kept)
        secrets = {kind: stored for each in kept for kind, stored in each.secrets.items()}
        return LoginRecord(Login(box.id, name, box), self._is_suspended(entry), credentials, secrets, entry.dn)

    async def current(self, mailbox: Mailbox) -> Mailbox | None:
        """See `Backend.current`."""
        address = path_address(mailbox.path)
        # Of a name that was too long for a path nothing can be found out.
        found = [] if address is None else await self._search([self._tree.login], str(address))
        boxes = [self._mailbox(entry) for entry in found]
        return mailbox if address is None or any(box is not None and box.id == mailbox.id for box in boxes) else None

    def check_password(self, record: LoginRecord | None, password: str) -> Maybe[bool] | None:
        """See `Backend.check_password`: by a bind of its own (RFC 4513 §5.1.3)."""
        if self._tree.hashes:
            return None
        return self._servers.binds(record.known_as if record is not None else f"cn=nobody,{self._tree.base}", password)

    async def _domain(self, name: str) -> DomainRecord:
        caught = await self._search(self._tree.addresses, f"@{name}")
        for entry in caught:
            login = self._login_of(entry)
            if login is not None:
                return DomainRecord(name, login)
        return DomainRecord(name, None)

    async def _address(self, address: Address) -> AddressRecord | None:
        found = await self._search(self._tree.addresses, str(address))
        own = [entry for entry in found if self._login_of(entry) == address] or found
        if not own:
            return None
        if len(own) > 1:
            # Each of them gets it, as by an alias.
            members = tuple(login for entry in own if (login := self._login_of(entry)) is not None)
            return AddressRecord(number_of(str(address)), None, False, members)
        (entry,) = own
        targets = tuple(filter(None, (_parsed(value, parse_written) for value in entry.values(self._tree.targets))))
        return AddressRecord(number_of(entry.dn), self._mailbox(entry), self._is_suspended(entry), targets)

    def _mailbox(self, entry: Entry) -> Mailbox | None:
        login = self._login_of(entry)
        if login is None:
            return None
        path = mailbox_path(login)
        said = (amount(value) for value in entry.values(self._tree.quota))
        octets = next((each for each in said if each is not None), None)
        return Mailbox(number_of(path, *entry.values(_NUMBER)), path, quota=Quota(octets))

    def _login_of(self, entry: Entry) -> Address | None:
        for value in entry.values(self._tree.login):
            login = _parsed(value, parse_address)
            if login is not None and login.domain in self._domains:
                return login
        return None

    def _is_suspended(self, entry: Entry) -> bool:
        return any(value.upper() != "FALSE" for value in entry.values(self._tree.suspended))

    async def _search(self, attributes: Sequence[str], value: str) -> Sequence[Entry]:
        tree = self._tree
        return await self._servers.search(tree.base, any_equal(attributes, value, tree.object_class), self._wanted)


class _Once:
    """What one question has found out so far."""

    def __init__(self, backend: LdapBackend) -> None:
        self._backend = backend
        self._known: dict[tuple[str, ...], Any] = {}

    def first_domain(self) -> str:
        """See `Lookups.first_domain`."""
        return self._backend.first_domain()

    async def domain(self, name: str) -> DomainRecord | None:
        """See `Lookups.domain`."""
        found: DomainRecord | None = await self._kept((name,), lambda: self._backend.domain(name))
        return found

    async def address(self, local: str, domain: str) -> AddressRecord | None:
        """See `Lookups.address`."""
        found: AddressRecord | None = await self._kept((local, domain), lambda: self._backend.address(local, domain))
        return found

    def wildcards(self, domain: str) -> Maybe[Sequence[str]]:
        """See `Lookups.wildcards`."""
        return self._backend.wildcards(domain)

    async def _kept(self, key: tuple[str, ...], ask: Callable[[], Maybe[Any]]) -> Any:
        if key not in self._known:
            self._known[key] = await value_of(ask())
        return self._known[key]


def _parsed(text: str, parse: Callable[[str], Address]) -> Address | None:
    try:
        return parse(text)
    except BadName:
        return None
