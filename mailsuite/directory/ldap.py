"""An LDAP directory as a back end (RFC 4511): it is only read, and tells nobody when it changes.

Filters are objects and never text, so that no name can be more than a name. Who has a mailbox is an entry with a login
attribute; its mailbox is named by that. An entry that has targets is an alias, which keeps a copy where it is among
its own.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ldaptor.protocols import pureldap
from ldaptor.protocols.ldap import ldaperrors
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.address import Address
from mailsuite.directory.backend import Backend, Lookups
from mailsuite.directory.errors import Away, BadName, NoAccounts
from mailsuite.directory.numbers import number_of
from mailsuite.directory.records import AddressRecord, Credential, DomainRecord, LoginRecord
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.secrets import stored_elsewhere
from mailsuite.directory.spelling import parse_address, parse_domain, parse_written
from mailsuite.maybe import Maybe, step
from mailsuite.meaning import Login, Mailbox
from mailsuite.pathnames import mailbox_path, path_address

T = TypeVar("T")

# Entries that one question may find; more than one is an error of who keeps them.
ENTRIES = 50
_WRONG = frozenset({
    ldaperrors.LDAPInvalidCredentials.resultCode,
    ldaperrors.LDAPNoSuchObject.resultCode,
    ldaperrors.LDAPInappropriateAuthentication.resultCode,
    ldaperrors.LDAPConstraintViolation.resultCode,
})  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry's name, and its attributes by their names in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[str]]

    def values(self, attribute: str) -> Sequence[str]:
        """Return the values of *attribute*; none where that is empty."""
        return self.attributes.get(attribute.lower(), ()) if attribute else ()


class LdapBackend(Backend):
    """The entries of *tree* on one of *servers* (URLs), asked as *bind_dn* with its *password*.

    *connect* returns an LDAP client; whatever it is asked is answered within *timeout* seconds, or counts as away.
    """

    def __init__(
        self,
        tree: Tree,
        servers: Sequence[str],
        connect: Callable[[str], Awaitable[Any]],
        bind_dn: str,
        password: str,
        timeout: float,
        clock: IReactorTime,
    ) -> None:
        if not (servers and tree.base and tree.domains):
            raise NoAccounts("[ldap] needs servers, base and domains")
        try:
            self._domains = tuple(parse_domain(name) for name in tree.domains)
        except BadName as error:
            raise NoAccounts(f"[ldap] domains: {error}") from error
        self._tree = tree
        self._servers = servers
        self._connect = connect
        self._bind_dn = bind_dn
        self._password = password
        self._timeout = timeout
        self._clock = clock
        self._client: Any = None
        self._connecting = DeferredLock()
        names = (_NUMBER, tree.login, tree.targets, tree.suspended, _PASSWORD if tree.hashes else "")
        self._wanted = [name.encode() for name in (*names, *tree.addresses) if name]

    def stop(self) -> None:
        """See `Backend.stop`."""
        self._drop()

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
                _log.error("{count} entries have the login {name}: it is nobody's", count=len(found), name=name)
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
        return self._binds(record.known_as if record is not None else f"cn=nobody,{self._tree.base}", password)

    async def _binds(self, dn: str, password: str) -> bool:
        # RFC 4513 §5.1.2: with an empty password the server would say yes, to nobody.
        if not password:
            return False
        client = await self._connected()
        try:
            answer = await self._answer(client, client.send(pureldap.LDAPBindRequest(dn=dn, auth=password.encode())))
        finally:
            _close(client)
        if answer.resultCode == ldaperrors.Success.resultCode:
            return True
        if answer.resultCode in _WRONG:
            return False
        raise Away(f"the LDAP server cannot check passwords: {ldaperrors.get(answer.resultCode, answer.errorMessage)}")

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

    def _mailbox(self, entry: _Entry) -> Mailbox | None:
        login = self._login_of(entry)
        if login is None:
            return None
        path = mailbox_path(login)
        return Mailbox(number_of(path, *entry.values(_NUMBER)), path)

    def _login_of(self, entry: _Entry) -> Address | None:
        for value in entry.values(self._tree.login):
            login = _parsed(value, parse_address)
            if login is not None and login.domain in self._domains:
                return login
        return None

    def _is_suspended(self, entry: _Entry) -> bool:
        return any(value.upper() != "FALSE" for value in entry.values(self._tree.suspended))

    async def _search(self, attributes: Sequence[str], value: str) -> Sequence[_Entry]:
        """Return the entries of which one of *attributes* is *value*. Raises `Away`.

        A connection that was lost since it was used last says so by the first question: then it is made anew.
        """
        request = pureldap.LDAPSearchRequest(
            baseObject=self._tree.base, sizeLimit=ENTRIES, timeLimit=int(self._timeout) or 1,
            filter=self._filter(attributes, value), attributes=self._wanted,
        )  # fmt: skip
        if self._client is not None:
            with suppress(Away):
                return await self._entries(self._client, request)
        return await self._entries(await self._ready(), request)

    def _filter(self, attributes: Sequence[str], value: str) -> Any:
        any_of = [_equal(attribute, value) for attribute in attributes]
        chosen = any_of[0] if len(any_of) == 1 else pureldap.LDAPFilter_or(any_of)
        if not self._tree.object_class:
            return chosen
        return pureldap.LDAPFilter_and([_equal("objectClass", self._tree.object_class), chosen])

    async def _entries(self, client: Any, request: Any) -> Sequence[_Entry]:
        found: list[_Entry] = []
        done: Deferred[Any] = Deferred()

        def handle(answer: Any) -> bool:
            if isinstance(answer, pureldap.LDAPSearchResultDone):
                if not done.called:
                    done.callback(answer)
                return True
            if isinstance(answer, pureldap.LDAPSearchResultEntry) and len(found) < ENTRIES:
                found.append(_entry(answer))
            return False

        def lost(failure: Failure) -> None:
            if not done.called:
                done.errback(failure)

        try:
            client.send_multiResponse(request, handle).addErrback(lost)
        except Exception as error:
            self._drop()
            raise Away(f"the LDAP server does not answer: {_said(error)}") from error
        answer = await self._answer(client, done)
        if answer.resultCode in (ldaperrors.Success.resultCode, ldaperrors.LDAPNoSuchObject.resultCode):
            return found
        raise Away(f"the LDAP server does not answer: {ldaperrors.get(answer.resultCode, answer.errorMessage)}")

    async def _ready(self) -> Any:
        """Return the client for searches, connected and bound. Raises `Away`."""
        await self._connecting.acquire()
        try:
            if self._client is None or not self._client.connected:
                client = await self._connected()
                if self._bind_dn:
                    await self._bind(client)
                self._client = client
            return self._client
        finally:
            self._connecting.release()

    async def _bind(self, client: Any) -> None:
        request = pureldap.LDAPBindRequest(dn=self._bind_dn, auth=self._password.encode())
        answer = await self._answer(client, client.send(request))
        if answer.resultCode != ldaperrors.Success.resultCode:
            _close(client)
            reason = ldaperrors.get(answer.resultCode, answer.errorMessage)
            raise Away(f"the LDAP server does not take [ldap] bind_dn and its password: {reason}")

    async def _connected(self) -> Any:
        """Return a new connection to the first server that answers. Raises `Away`."""
        trouble = ""
        for url in self._servers:
            try:
                return await self._connect(url)
            except Exception as error:
                # Whatever it was: with this server nothing can be done now.
                trouble = f"{url}: {_said(error)}"
        raise Away(f"no LDAP server can be reached ({trouble})")

    async def _answer(self, client: Any, asked: "Deferred[Any]") -> Any:
        """Return what comes. Raises `Away` where that takes too long, or the connection is lost."""
        try:
            return await asked.addTimeout(self._timeout, self._clock)
        except Exception as error:
            client.transport.abortConnection()
            if client is self._client:
                self._client = None
            raise Away(f"the LDAP server does not answer: {_said(error)}") from error

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _close(client)


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
            found = ask()
            self._known[key] = await found if isinstance(found, Awaitable) else found
        return self._known[key]


def _equal(attribute: str, value: str) -> Any:
    return pureldap.LDAPFilter_equalityMatch(
        attributeDesc=pureldap.LDAPAttributeDescription(attribute),
        assertionValue=pureldap.LDAPAssertionValue(value.encode("utf-8", "surrogatepass")),
    )


def _entry(answer: Any) -> _Entry:
    attributes: dict[str, list[str]] = {}
    for name, values in answer.attributes:
        key = _text(name).lower()
        attributes.setdefault(key, []).extend(_text(value) for value in values)
    return _Entry(_text(answer.objectName), attributes)


def _text(octets: Any) -> str:
    value = getattr(octets, "value", octets)
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


def _parsed(text: str, parse: Callable[[str], Address]) -> Address | None:
    try:
        return parse(text)
    except BadName:
        return None


def _close(client: Any) -> None:
    if client.connected:
        client.unbind()


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
