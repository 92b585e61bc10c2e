"""Questions to an LDAP server (RFC 4511): searches over one connection that is kept, and binds over one for each.

Filters are objects and never text, so that no name can be more than a name.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ldaptor.protocols import pureldap
from ldaptor.protocols.ldap import ldaperrors
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailsuite.directory.errors import Away, in_one_line

# Entries that one question may find; more than one is an error of who keeps them.
ENTRIES = 50
# What a server says to a password that is not the entry's, or where there is none.
_WRONG = frozenset({
    ldaperrors.LDAPInvalidCredentials.resultCode,
    ldaperrors.LDAPNoSuchObject.resultCode,
    ldaperrors.LDAPInappropriateAuthentication.resultCode,
    ldaperrors.LDAPConstraintViolation.resultCode,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry's name, and its attributes by their names in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[str]]

    def values(self, attribute: str) -> Sequence[str]:
        """Return the values of *attribute*; none where that is empty."""
        return self.attributes.get(attribute.lower(), ()) if attribute else ()


class LdapServers:
    """One of *servers* (URLs), the first that answers, asked as *bind_dn* with its *password*.

    *connect* returns an LDAP client; whatever it is asked is answered within *timeout* seconds, or counts as away.
    """

    def __init__(
        self,
        servers: Sequence[str],
        connect: Callable[[str], Awaitable[Any]],
        bind_dn: str,
        password: str,
        timeout: float,
        clock: IReactorTime,
    ) -> None:
        self._servers = servers
        self._connect = connect
        self._bind_dn = bind_dn
        self._password = password
        self._timeout = timeout
        self._clock = clock
        self._client: Any = None
        self._connecting = DeferredLock()

    def close(self) -> None:
        """End the connection; the next question makes another."""
        client, self._client = self._client, None
        if client is not None:
            _close(client)

    async def search(self, base: str, wanted: Any, attributes: Sequence[str]) -> Sequence[Entry]:
        """Return the entries below *base* that the filter *wanted* (`any_equal`) finds, with these *attributes*.

        A connection that was lost since it was used last says so by the first question: then it is made anew. Raises
        `Away`.
        """
        request = pureldap.LDAPSearchRequest(
            baseObject=base, sizeLimit=ENTRIES, timeLimit=int(self._timeout) or 1, filter=wanted,
            attributes=[name.encode() for name in attributes],
        )  # fmt: skip
        if self._client is not None:
            with suppress(Away):
                return await self._entries(self._client, request)
        return await self._entries(await self._ready(), request)

    async def binds(self, dn: str, password: str) -> bool:
        """Say whether *password* is that of the entry *dn*: by a bind (RFC 4513 §5.1.3). Raises `Away`."""
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

    async def _entries(self, client: Any, request: Any) -> Sequence[Entry]:
        found: list[Entry] = []
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
            self.close()
            raise Away(f"the LDAP server does not answer: {in_one_line(error)}") from error
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
                trouble = f"{url}: {in_one_line(error)}"
        raise Away(f"no LDAP server can be reached ({trouble})")

    async def _answer(self, client: Any, asked: "Deferred[Any]") -> Any:
        """Return what comes. Raises `Away` where that takes too long, or the connection is lost."""
        try:
            return await asked.addTimeout(self._timeout, self._clock)
        except Exception as error:
            client.transport.abortConnection()
            if client is self._client:
                self._client = None
            raise Away(f"the LDAP server does not answer: {in_one_line(error)}") from error


def any_equal(attributes: Sequence[str], value: str, object_class: str = "") -> Any:
    """Return the filter for entries of *object_class* (empty: of any) of which one of *attributes* is *value*."""
    any_of = [_equal(attribute, value) for attribute in attributes]
    chosen = any_of[0] if len(any_of) == 1 else pureldap.LDAPFilter_or(any_of)
    return pureldap.LDAPFilter_and([_equal("objectClass", object_class), chosen]) if object_class else chosen


def _equal(attribute: str, value: str) -> Any:
    return pureldap.LDAPFilter_equalityMatch(
        attributeDesc=pureldap.LDAPAttributeDescription(attribute),
        assertionValue=pureldap.LDAPAssertionValue(value.encode("utf-8", "surrogatepass")),
    )


def _entry(answer: Any) -> Entry:
    attributes: dict[str, list[str]] = {}
    for name, values in answer.attributes:
        key = _text(name).lower()
        attributes.setdefault(key, []).extend(_text(value) for value in values)
    return Entry(_text(answer.objectName), attributes)


def _text(octets: Any) -> str:
    value = getattr(octets, "value", octets)
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


def _close(client: Any) -> None:
    if client.connected:
        client.unbind()
