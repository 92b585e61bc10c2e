"""Can people log in by what the listeners offer, and is all there that it takes?"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from mailsuite.backends import reading
from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.cli.checks.listeners import USERS
from mailsuite.config import Settings
from mailsuite.config.tables.logins import OAuth
from mailsuite.counted import counted
from mailsuite.directory.certified import BadCertificateList, read_certificate_list
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.secrets import APOP, CRAM_MD5, DIGEST_MD5
from mailsuite.logins import mechanisms_of, takes_tokens
from mailsuite.policy.ban_file import BanFile, BanFileError
from mailsuite.tokens.keys import parse_keys


def logins(settings: Settings) -> Iterator[Finding]:
    """Look at mechanisms, secrets, certificates and tokens."""
    # What somebody could have of whom everything is kept.
    possible = set(mechanisms_of(settings, ["password", *settings.sasl.secrets]))
    for name, listener in settings.listen.items():
        allowed = set(listener.allowed_mechanisms)
        if allowed and listener.authentication == "off" and listener.service not in USERS:
            yield warning(f"listen.{name}.mechanisms", "nobody logs in here: auth is off", "set auth, or remove them")
        elif allowed and not allowed & possible:
            yield error(
                f"listen.{name}.mechanisms", "nobody can log in: what these need is not kept or not set up",
                "see [sasl] secrets and certificates, and [oauth]",
            )
    for kind in sorted({CRAM_MD5, DIGEST_MD5} & set(settings.sasl.secrets)):
        yield warning(
            "sasl.secrets", f"who steals the secrets of {kind} can log in with them",
            "keep them for as long as old clients need them; passwords that are set without them leave none",
        )
    if APOP in settings.sasl.secrets:
        yield from _apop(settings)
    yield from _lacking(settings)
    yield from _certificates(settings)
    yield from _tokens(settings)
    yield from _bans(settings)


def _bans(settings: Settings) -> Iterator[Finding]:
    file = BanFile.of(settings.state_dir)
    if not os.path.exists(file.path):
        return
    try:
        bans = file.bans(time.time())
    except BanFileError as trouble:
        yield error("state_dir", str(trouble), "do as it says: the service does not start before")
        return
    if bans:
        yield ok("state_dir", f"{len(bans)} banned, see mailsuite bans list")


def _apop(settings: Settings) -> Iterator[Finding]:
    yield warning(
        "sasl.secrets", "who steals the secrets of apop has the passwords themselves",
        "keep them for as long as old clients need them; passwords that are set without them leave none",
    )
    if not any(
        listener.service == "pop3" and (listener.tls == "implicit" or listener.authentication == "always")
        for listener in settings.listen.values()
    ):
        yield warning(
            "sasl.secrets", "APOP is offered by no listener: a greeting before TLS has no timestamp",
            'remove "apop", or add a listener for pop3 with tls = "implicit"',
        )


def _lacking(settings: Settings) -> Iterator[Finding]:
    # Where they cannot be read, that is said by the one who looks at the accounts.
    with suppress(AccountsError), reading(settings) as records:
        for kind in settings.sasl.secrets:
            count = records.lacking(kind)
            if count:
                users = counted(count, "user has", "users have")
                then = "is not offered" if settings.sasl.offer == "all" else "does not work for them"
                yield warning(
                    "sasl.secrets", f"{users} no {kind} secret yet, so that mechanism {then}",
                    "they get it by logging in by PLAIN or LOGIN, or by: mailsuite user passwd ADDRESS",
                )


def _certificates(settings: Settings) -> Iterator[Finding]:
    asked = any(listener.client_certificates == "ask" for listener in settings.listen.values())
    named = bool(settings.sasl.certificates) or settings.sasl.certificate_addresses
    if settings.sasl.certificates:
        try:
            count = len(read_certificate_list(settings.sasl.certificates))
        except BadCertificateList as problem:
            yield error("sasl.certificates", str(problem), "correct it, or leave the key empty")
        else:
            yield ok("sasl.certificates", f"{settings.sasl.certificates} has {count} certificates")
    if named and not asked:
        yield warning("sasl", "no listener asks for certificates", 'set client_certificates = "ask" in [listen.NAME]')
    if asked and not named:
        yield warning(
            "sasl", "clients are asked for certificates, which are nobody's",
            "set [sasl] certificates or certificate_addresses",
        )
    if settings.sasl.certificate_addresses and not settings.tls.client_ca:
        yield warning("sasl.certificate_addresses", "no issuer is trusted to name addresses", "set [tls] client_ca")


def _tokens(settings: Settings) -> Iterator[Finding]:
    oauth = settings.oauth
    if oauth != OAuth() and not takes_tokens(settings):
        yield warning("oauth", "no tokens are taken: nothing says how they are judged", "set keys or introspection")
    if oauth.secret_file and not os.access(oauth.secret_file, os.R_OK):
        yield error("oauth.secret_file", f"{oauth.secret_file} cannot be read", "put the client's password there")
    if oauth.keys and not oauth.keys.startswith("https://"):
        try:
            with open(oauth.keys, "rb") as file:
                count = len(parse_keys(file.read()))
        except (OSError, ValueError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else problem
            yield error("oauth.keys", f"{oauth.keys} has no keys: {reason}", "put the issuer's JWKS there")
        else:
            yield ok("oauth.keys", f"{oauth.keys} has {count} keys")
    if oauth.introspection and not (oauth.audience or oauth.scope):
        yield warning(
            "oauth", "each token of the issuer is taken, for whatever service it was given", "set audience or scope"
        )
