"""Is there a certificate, does the key belong to it, is it for us, and for how long?"""

import datetime
from collections.abc import Iterator

from mailsuite.certificates import Pair, PairError
from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.transport.certificate_watch import unreadable, usable_pair

SOON = datetime.timedelta(days=14)


def certificate(settings: Settings, now: datetime.datetime) -> Iterator[Finding]:
    """Look at the pair of files, if any listener uses TLS."""
    if all(listener.tls == "none" for listener in settings.listen.values()):
        return
    try:
        pair = usable_pair(settings.tls.certificate, settings.tls.key, settings.tls.minimum)
    except PairError as problem:
        yield error("tls", str(problem), "put a matching certificate and key there, or correct [tls]")
        return
    yield ok("tls", f"{settings.tls.certificate} and its key belong together")
    yield from _names(settings, pair)
    yield from _dates(settings, pair, now)


def renewal(settings: Settings) -> Iterator[Finding]:
    """As the user that the service runs as, look whether new files could be read while it runs."""
    for path in (settings.tls.certificate, settings.tls.key):
        if (remedy := unreadable(path)) is not None:
            yield warning("tls", f"{path} cannot be read after root is dropped: renewal would need a restart", remedy)


def _names(settings: Settings, pair: Pair) -> Iterator[Finding]:
    where = "tls.certificate"
    if not pair.is_for(settings.hostname):
        yield warning(
            where, f"it is for {pair.shown}, not for {settings.hostname}: mail programs will complain",
            f"get a certificate that names {settings.hostname}",
        )
    if pair.chain[0].issuer == pair.chain[0].subject:
        yield warning(
            where, "it is self-signed: mail programs will ask their users",
            "get one from a certificate authority and put its files in place; no restart is needed",
        )


def _dates(settings: Settings, pair: Pair, now: datetime.datetime) -> Iterator[Finding]:
    where, left = "tls.certificate", pair.expires - now
    mend = "renew it and put the new files in place; no restart is needed"
    if left <= datetime.timedelta():
        yield error(where, f"it ended on {pair.expires:%Y-%m-%d}", mend)
    elif now < pair.begins:
        yield error(where, f"it begins only on {pair.begins:%Y-%m-%d}", "look at this machine's clock, or " + mend)
    elif left < SOON:
        yield warning(where, f"it ends in {left.days} days", mend)
    else:
        yield ok(where, f"it is valid for {left.days} more days")
