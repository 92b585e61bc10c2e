"""Bans by an operator's word: of an address, a network, or a login."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from mailsuite.admin.site import Done, Site
from mailsuite.admin.times import when
from mailsuite.directory.errors import AccountsError, NoSuch
from mailsuite.directory.spelling import parse_address
from mailsuite.policy.ban_file import BanFile
from mailsuite.policy.bans import ALL, LOGINS, OPERATOR, Ban, network_subject

# The widest network that somebody can mean to keep out: beyond it lies all the world.
WIDEST = {4: 8, 6: 16}


class BadBan(ValueError):
    """That cannot be banned, or not so; the text says what was expected."""


def subject(text: str) -> str:
    """Return what *text* names in its one form: an IP address, a network, or a login.

    Raises `BadBan`, or `BadName` for what looks like a login.
    """
    if "@" in text:
        return str(parse_address(text))
    try:
        return network_subject(text)
    except ValueError as error:
        raise BadBan(
            f"{text!r} is nothing that can be banned; expected an address such as 192.0.2.7, a network such as"
            " 192.0.2.0/24, or a login such as alice@example.com"
        ) from error


def add(
    site: Site, text: str, seconds: float | None, forever: bool, logins: bool, reason: str, now: float
) -> Done[Ban]:
    """Keep out whom *text* names from *now* on (POSIX seconds): for *seconds*, *forever*, or as long as the site does.

    *logins*: from logging in alone, which is all there is for a login. One that is there already is replaced. Raises
    `BadBan`, `BadName` or `BanFileError`.
    """
    key = _fit(subject(text))
    if not _is_text(reason):
        raise BadBan("the reason has to be text in UTF-8")
    lasts = seconds if seconds is not None else site.ban_time
    if not (forever or lasts):
        raise BadBan("[limits] ban_time is 0, so there is no usual time: say for how long, or that it is for ever")
    covers = LOGINS if logins or "@" in key else ALL
    ban = Ban(key, None if forever else now + lasts, reason, OPERATOR, covers, now)
    BanFile.of(site.state).keep([ban], [], now)
    return Done(ban, _notes(site, key))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fit(key: str) -> str:
    if "@" not in key:
        network = ip_network(key)
        least = WIDEST[network.version]
        if network.prefixlen < least:
            raise BadBan(f"{key} is a great part of the world; expected at most a /{least} for IPv{network.version}")
    return key


def _notes(site: Site, key: str) -> Sequence[str]:
    if "@" not in key:
        return ()
    try:
        with site.accounts() as accounts:
            accounts.users.show(key)
    except NoSuch:
        return (f"There is no login {key} here: whoever tries it is kept out, and nobody else.",)
    except AccountsError:
        # Kept elsewhere, or away: the ban holds all the same.
        return ()
    return ()


def as_json(ban: Ban) -> dict[str, Any]:
    """Return *ban* for programs."""
    return {
        "subject": ban.subject,
        "covers": ban.covers,
        "since": when(ban.since),
        "until": None if ban.until is None else when(ban.until),
        "by": ban.by,
        "reason": ban.reason,
    }
