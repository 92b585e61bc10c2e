"""The verified double for the domain name system: it knows what it was given."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.address import domain_key
from mailsuite.dns import MX, TLSA, DnsTrouble, Found, NoSuchDomain
from mailsuite.interfaces import IResolver

T = TypeVar("T")
# What is known of one type: the records of each name, or the whole answer.
Known: TypeAlias = Mapping[str, Sequence[T] | Found[T]]


@implementer(IResolver)
class FixedResolver:
    """Answers from dicts, in which names are in lower case without a last dot; *asked* holds (method, name).

    A name that stands under no type raises `NoSuchDomain`; one that stands under another type has no records.
    *aliases* (CNAME) are followed. *secure* are the names about which DNSSEC vouches for all that is said, also that
    they do not exist; *troubled* those that raise `DnsTrouble`, as (method, name) or the name alone for all methods.
    *trouble*, if set, is raised whatever is asked; *pending*, if set, is waited for first.
    """

    def __init__(
        self,
        mx: Known[MX] | None = None,
        addresses: Known[str] | None = None,
        txt: Known[str] | None = None,
        tlsa: Known[TLSA] | None = None,
        ptr: Known[str] | None = None,
        *,
        aliases: Mapping[str, str] | None = None,
        secure: Iterable[str] = (),
        troubled: Iterable[str | tuple[str, str]] = (),
    ) -> None:
        self.mx_records = dict(mx or {})
        self.address_records = dict(addresses or {})
        self.txt_records = dict(txt or {})
        self.tlsa_records = dict(tlsa or {})
        self.ptr_records = dict(ptr or {})
        self.aliases = dict(aliases or {})
        self.secure = set(secure)
        self.troubled = set(troubled)
        self.trouble: DnsTrouble | None = None
        self.pending: Deferred[None] | None = None
        self.asked: list[tuple[str, str]] = []

    async def mx(self, domain: str) -> Found[MX]:
        return await self._answer("mx", domain, self.mx_records)

    async def addresses(self, host: str) -> Found[str]:
        return await self._answer("addresses", host, self.address_records)

    async def txt(self, name: str) -> Found[str]:
        return await self._answer("txt", name, self.txt_records)

    async def tlsa(self, name: str) -> Found[TLSA]:
        return await self._answer("tlsa", name, self.tlsa_records)

    async def ptr(self, address: str) -> Found[str]:
        return await self._answer("ptr", address, self.ptr_records)

    async def _answer(self, method: str, asked: str, known: Known[T]) -> Found[T]:
        name = domain_key(asked.removesuffix("."))
        self.asked.append((method, name))
        if self.pending is not None:
            await self.pending
        if self.trouble is not None:
            raise self.trouble
        if name in self.troubled or (method, name) in self.troubled:
            raise DnsTrouble(f"192.0.2.53 answered SERVFAIL for {name}")
        secure = name in self.secure
        while name in self.aliases:
            name = self.aliases[name]
            secure = secure and name in self.secure
        if not self._exists(name):
            raise NoSuchDomain(name, secure)
        found = known.get(name, ())
        return found if isinstance(found, Found) else Found(tuple(found), secure, name)

    def _exists(self, name: str) -> bool:
        types = (self.mx_records, self.address_records, self.txt_records, self.tlsa_records, self.ptr_records)
        return any(name in records for records in types)
