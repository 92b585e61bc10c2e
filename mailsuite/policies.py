"""The site's policy: what is denied and what is relayed, by the configuration, its lists and checks of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from mailsuite import own_objects
from mailsuite.config import Settings
from mailsuite.config.policy import LISTS, deny_listeners, relay_listeners
from mailsuite.config.replies import written_reply
from mailsuite.config.tables.policy import Check, Deny
from mailsuite.envelope import Peer
from mailsuite.interfaces import IMailboxDirectory, IPolicyCheck, IResolver
from mailsuite.peers import peers_in
from mailsuite.policy.address_table import AddressTable
from mailsuite.policy.denials import DenyRule, Entries
from mailsuite.policy.denied_helos import DeniedHelos
from mailsuite.policy.denied_peers import DeniedPeers
from mailsuite.policy.denied_recipients import DeniedRecipients
from mailsuite.policy.denied_senders import DeniedSenders
from mailsuite.policy.deny_file import BadDenyFile, read_into
from mailsuite.policy.own_check import OwnCheck
from mailsuite.policy.relay_rules import RelayRule
from mailsuite.policy.sender_domain import SenderDomain


class Denials:
    """The rules by which mail is refused. Empty until `load`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules = {name: DenyRule(name, Entries(), _holds(rule)) for name, rule in settings.deny.items()}

    def load(self) -> None:
        """Read all lists. Blocks. Raises `BadDenyFile`: what was read before stays."""
        found, wrong = self.read()
        for error in wrong.values():
            raise error
        self.take(found)

    def read(self) -> tuple[Mapping[str, Entries], Mapping[str, BadDenyFile]]:
        """Return what each rule lists now, for `take`, or why that cannot be known. Blocks, in any thread."""
        found: dict[str, Entries] = {}
        wrong: dict[str, BadDenyFile] = {}
        for name, rule in self._settings.deny.items():
            try:
                found[name] = read_rule(rule)
            except BadDenyFile as error:
                wrong[name] = error
        return found, wrong

    def take(self, found: Mapping[str, Entries]) -> None:
        """Go by *found* from now on; a rule that is not in it stays as it is."""
        for name, entries in found.items():
            self._rules[name].entries = entries

    def checks(self, listener: str) -> Sequence[IPolicyCheck]:
        """Return the checks of *listener*; they go by what is read later, too."""
        settings = self._settings
        here = [
            self._rules[name] for name, rule in settings.deny.items() if listener in deny_listeners(settings, rule)
        ]
        return (DeniedPeers(here), DeniedHelos(here), DeniedSenders(here), DeniedRecipients(here)) if here else ()


class SenderChecks:
    """Whether senders are looked up in DNS, and what becomes of those that it does not know."""

    def __init__(self, settings: Settings, resolver: IResolver, directory: IMailboxDirectory) -> None:
        self._settings = settings
        exempt = peers_in(settings.limits.exempt, unix=True)
        self._check = SenderDomain(resolver, directory, settings.smtp.verify_sender == "reject", exempt)

    def checks(self, listener: str) -> Sequence[IPolicyCheck]:
        """Return the check of *listener*, where it takes mail of strangers."""
        settings = self._settings
        wanted = settings.smtp.verify_sender != "off" and settings.listen[listener].service == "mta"
        return [self._check] if wanted else []


class BadCheck(Exception):
    """A check of the site's own cannot be used; the text says which, and why."""


class OwnChecks:
    """The site's own checks, each held to its time. Raises `BadCheck` where one cannot be made."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings = settings
        self._made = {name: own_check(name, table, reactor) for name, table in settings.check.items()}

    def checks(self, listener: str) -> Sequence[IPolicyCheck]:
        """Return those of *listener*, in the order of the configuration."""
        settings = self._settings
        return [
            self._made[name] for name, table in settings.check.items() if listener in deny_listeners(settings, table)
        ]


def load_own_checks(settings: Settings) -> None:
    """Load the modules of all checks of the site's own, while we may (see `mailsuite.backends.load`).

    Raises `BadCheck`.
    """
    for name, table in settings.check.items():
        with _told(name, table):
            own_objects.load(table.object)


def own_check(name: str, table: Check, reactor: Any) -> OwnCheck:
    """Return the check of ``[check.NAME]``. Raises `BadCheck`."""
    with _told(name, table):
        made = own_objects.make(table.object, table.options, reactor)
    try:
        verifyObject(IPolicyCheck, made, tentative=True)
    except Invalid as error:
        raise BadCheck(f"check.{name}: {table.object} made no IPolicyCheck: {error}") from error
    return OwnCheck(f"check.{name}", made, table.budget, table.on_failure == "pass", reactor)


@contextmanager
def _told(name: str, table: Check) -> Iterator[None]:
    try:
        yield
    except own_objects.CannotMake as error:
        raise BadCheck(f"check.{name}: {table.object} {error}") from error


def relay_rules(settings: Settings, listener: str) -> Sequence[RelayRule]:
    """Return the rules by which *listener* relays, in the order of the configuration."""
    return [
        RelayRule(
            name, peers_in(rule.networks), _table(rule.senders), _table(rule.recipients), rule.hourly_recipients
        )
        for name, rule in settings.relay.items()
        if listener in relay_listeners(settings, rule)
    ]


def _holds(rule: Deny) -> Callable[[Peer], bool]:
    within = peers_in(rule.networks) if rule.networks else None
    exempt = peers_in(rule.exempt)
    return lambda peer: (within is None or within(peer)) and not exempt(peer)


def read_rule(rule: Deny) -> Entries:
    """Return all that *rule* lists, its file read. Blocks. Raises `BadDenyFile`."""
    entries, reply = Entries(), written_reply(rule.reply)
    for key, kind in LISTS.items():
        for text in getattr(rule, key):
            entries.add(kind, text, reply)
    if rule.file:
        read_into(entries, rule.file, reply, written_reply)
    return entries


def _table(texts: Sequence[str]) -> AddressTable[str]:
    table: AddressTable[str] = AddressTable()
    for text in texts:
        table.add(text, text)
    return table
