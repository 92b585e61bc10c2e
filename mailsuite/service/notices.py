"""What users and administrators are told by mail: that a mailbox is nearly full, that mail is held over a cap."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.meaning import Login, Mailbox, Quota
from mailsuite.message.notice import Notice
from mailsuite.pathnames import path_address

# Makes a message durable on its way to an address; `None` where that leads nowhere. Raises OSError.
Submit = Callable[[Address, bytes], Awaitable[str | None]]

_UNITS = ("octets", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_HELD = "Mail of {login} is held"
_HELD_TEXT = """\
{reason}.

The message, and those that follow while this is so, are kept in the queue, and are neither delivered nor lost. An
administrator looks at them, and releases or drops them. If it was not you who sent so much, change your password.
"""
_HELD_ADMIN_TEXT = """\
{reason}.

The message, and those that follow while this is so, are held in the queue.

  mailsuite queue list --held
  mailsuite queue release --sender {login}
  mailsuite queue remove --sender {login} --status held

If the password of {login} is known to others:

  mailsuite bans add {login} --forever
  mailsuite user passwd {login}
"""


@dataclass(frozen=True, slots=True)
class Texts:
    """What owners of mailboxes are told; see `warning_subject` and `warning_text` of ``[quota]``."""

    subject: str
    text: str


class Notices:
    """Sends them by *submit*. *now* gives POSIX time, *token* random text for ids.

    *admin* is told of mail that is held; ``None``: the postmaster of its sender's domain.
    """

    _log = Logger()

    def __init__(
        self,
        hostname: str,
        submit: Submit,
        now: Callable[[], float],
        token: Callable[[], str],
        texts: Texts,
        admin: Address | None,
    ) -> None:
        self._hostname = hostname
        self._submit = submit
        self._now = now
        self._token = token
        self._texts = texts
        self._admin = admin

    async def nearly_full(self, mailbox: Mailbox, octets: int, messages: int, quota: Quota) -> None:
        """Tell the owner of *mailbox* how much lies in it. Never fails: what cannot be sent is logged."""
        owner = path_address(mailbox.path)
        if owner is None:
            self._log.warn("The owner of {path} cannot be told that it is nearly full", path=mailbox.path)
            return
        marks = {
            "{percent}": str(percent(octets, messages, quota)),
            "{used}": in_units(octets),
            "{limit}": in_units(quota.octets) if quota.octets else "any size",
            "{messages}": str(messages),
            "{message_limit}": str(quota.messages) if quota.messages else "any number",
            "{mailbox}": str(owner),
        }
        await self._send(owner, _filled(self._texts.subject, marks), _filled(self._texts.text, marks))

    async def held(self, login: Login, reason: str) -> None:
        """Tell *login*, and who looks after the system, that its mail is held for *reason*. Never fails."""
        name, _, domain = login.name.rpartition("@")
        owner = Address(name, domain) if login.mailbox is None else path_address(login.mailbox.path)
        marks = {"{login}": login.name, "{reason}": reason}
        subject = _filled(_HELD, marks)
        admin = self._admin or Address("postmaster", domain)
        if owner is not None and owner.key != admin.key:
            await self._send(owner, subject, _filled(_HELD_TEXT, marks))
        await self._send(admin, subject, _filled(_HELD_ADMIN_TEXT, marks))

    async def _send(self, to: Address, subject: str, text: str) -> None:
        message_id = f"{self._token()}@{self._hostname}"
        try:
            notice = Notice(self._hostname, self._now(), message_id, to, subject, text)
            sent = await self._submit(to, notice.octets())
        except Exception:
            self._log.failure('{to} could not be told: "{subject}"', to=str(to), subject=subject)
            return
        if sent is None:
            self._log.warn('{to} leads nowhere, and was not told: "{subject}"', to=str(to), subject=subject)


def percent(octets: int, messages: int, quota: Quota) -> int:
    """Return how full a mailbox is: of the two limits by the one that is nearer."""
    shares = [used * 100 // most for used, most in ((octets, quota.octets), (messages, quota.messages)) if most]
    return max(shares, default=0)


def in_units(octets: int) -> str:
    """Return *octets* for people: ``1.5 GiB``."""
    amount, unit = float(octets), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{octets} {_UNITS[0]}" if not unit else f"{amount:.1f} {_UNITS[unit]}"


def _filled(text: str, marks: dict[str, str]) -> str:
    """Return *text* with what its marks stand for; what looks like another mark stays."""
    for mark, said in marks.items():
        text = text.replace(mark, said)
    return text
