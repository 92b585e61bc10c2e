"""Is there a certificate, does the key belong to it, is it for us, and for how long?"""

import datetime
from collections.abc import Iterator, Mapping, Sequence

from mailsuite.certificates import Pair, PairError, read_chain
from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.counted import counted
from mailsuite.transport.certificate_watch import usable_pair
from mailsuite.transport.unreadable import Step, unreadable, way_to

SOON = datetime.timedelta(days=14)


def certificate(settings: Settings, now: datetime.datetime) -> Iterator[Finding]:
    """Look at each pair of files, if any listener uses TLS, and at the issuers of our users' certificates."""
    if all(listener.tls == "none" for listener in settings.listen.values()):
        return
    yield from _pair("tls", settings.tls.certificate, settings.tls.key, settings, [settings.hostname], now)
    for title, table in settings.certificates.items():
        where = f"certificates.{title}"
        yield from _pair(where, table.certificate, table.key, settings, table.names, now)
    yield from _issuers(settings)


def ways(settings: Settings) -> Mapping[str, Sequence[Step]]:
    """Return the way to each file, for `renewal`: root sees where links lead."""
    return {path: way_to(path) for _, path in _files(settings)}


def renewal(settings: Settings, seen: Mapping[str, Sequence[Step]]) -> Iterator[Finding]:
    """As the user that the service runs as, look whether new files could be read while it runs.

    *seen* are their `ways`, as root saw them.
    """
    for where, path in _files(settings):
        if (remedy := unreadable(path, seen[path])) is not None:
            yield warning(where, f"{path} cannot be read after root is dropped: renewal would need a restart", remedy)


def _files(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from (("tls", path) for path in (settings.tls.certificate, settings.tls.key, settings.tls.client_ca) if path)
    for title, table in settings.certificates.items():
        yield from ((f"certificates.{title}", path) for path in (table.certificate, table.key))


def _pair(
    where: str, file: str, key: str, settings: Settings, names: Sequence[str], now: datetime.datetime
) -> Iterator[Finding]:
    try:
        pair = usable_pair(file, key, settings.tls.minimum)
    except PairError as problem:
        yield error(where, str(problem), f"put a matching certificate and key there, or correct [{where}]")
        return
    yield ok(where, f"{file} and its key belong together")
    yield from _names(f"{where}.certificate", pair, names)
    yield from _dates(f"{where}.certificate", pair, now)


def _issuers(settings: Settings) -> Iterator[Finding]:
    where, file = "tls.client_ca", settings.tls.client_ca
    asked = [name for name, each in settings.listen.items() if each.client_certificates == "ask"]
    if not file:
        return
    try:
        issuers = read_chain(file)
    except PairError as problem:
        yield error(where, str(problem), "put the issuers' certificates there, or leave client_ca empty")
        return
    if asked:
        yield ok(where, f"{len(issuers)} issuers of clients' certificates are trusted")
    else:
        yield warning(
            where, "no listener asks clients for a certificate", 'set client_certificates = "ask" where they log in'
        )


def _names(where: str, pair: Pair, names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        # A wildcard is for names below it, such as this one.
        if not pair.is_for(name.replace("*", "x", 1) if name.startswith("*.") else name):
            yield warning(
                where, f"it is for {pair.shown}, not for {name}: mail programs will complain",
                f"get a certificate that names {name} in its subjectAltName",
            )
    if pair.chain[0].issuer == pair.chain[0].subject:
        yield warning(
            where, "it is self-signed: mail programs will ask their users",
            "get one from a certificate authority and put its files in place; no restart is needed",
        )


def _dates(where: str, pair: Pair, now: datetime.datetime) -> Iterator[Finding]:
    left = pair.expires - now
    mend = "renew it and put the new files in place; no restart is needed"
    if left <= datetime.timedelta():
        yield error(where, f"it ended on {pair.expires:%Y-%m-%d}", mend)
    elif now < pair.begins:
        yield error(where, f"it begins only on {pair.begins:%Y-%m-%d}", "look at this machine's clock, or " + mend)
    elif left < SOON:
        yield warning(where, f"it ends in {counted(left.days, 'day')}", mend)
    else:
        yield ok(where, f"it is valid for {counted(left.days, 'more day')}")
