"""Where the TLSA records of a mail server stand: RFC 7672 §2.2.1 to §2.2.3."""

from mailsuite.delivery.certificate_names import host_key
from mailsuite.delivery.dane import DANE_TA, Associations, usable
from mailsuite.dns import DnsTrouble, NoSuchDomain
from mailsuite.interfaces import IResolver
from mailsuite.route import Route


async def associations(resolver: IResolver, route: Route, host: str, host_secure: bool) -> Associations | None:
    """Return what the TLSA records of *host* ask for; ``None``: DANE does not apply.

    *host* is the next hop of *route* or comes from MX records that are secure, and has addresses; *host_secure* says
    whether they are validated. Raises `DnsTrouble`: then the host must not be used (RFC 7672 §2.1.2).
    """
    host = host_key(host)
    for base in await _candidates(resolver, host, host_secure):
        try:
            found = await resolver.tlsa(f"_{route.port}._tcp.{base}")
        except NoSuchDomain:
            continue
        if found.secure and found.records:
            records = usable(found.records)
            names: tuple[str, ...] = (base,)
            if any(record.usage == DANE_TA for record in records):
                names = await _names(resolver, route, host, base)
            return Associations(base, names, records)
    return None


async def _candidates(resolver: IResolver, host: str, host_secure: bool) -> tuple[str, ...]:
    """Return the names whose TLSA records count, best first."""
    try:
        found = await resolver.addresses(host)
    except NoSuchDomain as error:
        # It had addresses a moment ago.
        raise DnsTrouble(str(error)) from error
    expanded = host_key(found.name) or host
    if host_secure:
        return tuple(dict.fromkeys((expanded, host)))
    if expanded == host:
        # RFC 7672 §2.2.2: not asked, since name servers of unsigned zones often fail for this type.
        return ()
    # An alias out of a signed zone into an unsigned one. A first step that is not signed either shows in the answer.
    return (host,)


async def _names(resolver: IResolver, route: Route, host: str, base: str) -> tuple[str, ...]:
    """Return the names that a certificate may have (RFC 7672 §3.2.2)."""
    if route.host:
        return tuple(dict.fromkeys((base, host)))
    names = [base, host_key(route.domain)]
    try:
        mx = await resolver.mx(route.domain)
    except NoSuchDomain:
        # The domain has no MX records, nor anything else under its own name: it cannot be an alias.
        return tuple(dict.fromkeys(names))
    if mx.secure and mx.name:
        names.append(host_key(mx.name))
    return tuple(dict.fromkeys(names))
