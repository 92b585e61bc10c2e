"""What types cannot say about the policy's rules and checks: names, networks, replies, that nobody opens a relay."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import ip_network

from mailsuite.config.decoding import Problem
from mailsuite.config.forms import is_network
from mailsuite.config.replies import written_reply
from mailsuite.config.settings import Settings
from mailsuite.config.tables.listen import Listener
from mailsuite.config.tables.policy import Check, Deny, Relay
from mailsuite.directory.spelling import shown
from mailsuite.policy.address_table import AddressTable
from mailsuite.policy.denials import Entries, Kind
from mailsuite.smtp import replies

# The widest network whose owner can be one site.
WIDEST = {4: 8, 6: 16}
# The key of each list.
LISTS: Mapping[str, Kind] = {"peers": "peer", "helos": "helo", "senders": "sender", "recipients": "recipient"}


def deny_listeners(settings: Settings, rule: Deny | Check) -> Sequence[str]:
    """Return the names of the listeners where *rule* holds, or is asked."""
    return _listeners(settings, rule.listeners, _DENYING)


def relay_listeners(settings: Settings, rule: Relay) -> Sequence[str]:
    """Return the names of the listeners where *rule* holds."""
    return _listeners(settings, rule.listeners, _RELAYING)


def policy_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with rules that deny and rules that relay; their lists of peers are looked at elsewhere."""
    for name, deny in settings.deny.items():
        yield from _deny_problems(("deny", name), deny)
        yield from _listener_problems(("deny", name, "listeners"), deny.listeners, settings.listen, _DENYING)
    for name, check in settings.check.items():
        yield from _listener_problems(("check", name, "listeners"), check.listeners, settings.listen, _DENYING)
    for name, relay in settings.relay.items():
        yield from _relay_problems(("relay", name), relay)
        yield from _listener_problems(("relay", name, "listeners"), relay.listeners, settings.listen, _RELAYING)


_DENYING = ("mta", "submission")
_RELAYING = ("mta",)


def _listeners(settings: Settings, named: Sequence[str], services: Sequence[str]) -> Sequence[str]:
    return [
        name
        for name, listener in settings.listen.items()
        if listener.service in services and (not named or name in named)
    ]


def _deny_problems(path: tuple[str, str], rule: Deny) -> Iterator[Problem]:
    entries = Entries()
    for key, kind in LISTS.items():
        add = partial(entries.add, kind, reply=replies.NO_RELAY)
        yield from _unfit((*path, key), getattr(rule, key), add)
    try:
        written_reply(rule.reply)
    except ValueError as error:
        yield Problem((*path, "reply"), str(error))
    if not (rule.file or entries.count or any(getattr(rule, key) for key in LISTS)):
        yield Problem(path, f"refuses nobody: say {', '.join(LISTS)} or file")


def _relay_problems(path: tuple[str, str], rule: Relay) -> Iterator[Problem]:
    for key, texts in (("senders", rule.senders), ("recipients", rule.recipients)):
        yield from _unfit((*path, key), texts, partial(AddressTable[str]().add, value=""))
    if not rule.networks:
        yield Problem((*path, "networks"), "expected at least one address or network, or this rule is for nobody")
    for text in filter(is_network, rule.networks):
        network = ip_network(text)
        if network.prefixlen < WIDEST[network.version]:
            least = f"/{WIDEST[network.version]} for IPv{network.version}"
            text = f"{text} would make this an open relay: expected networks of one site, at most a {least}"
            yield Problem((*path, "networks"), text)


def _unfit(path: tuple[str, ...], texts: Sequence[str], add: Callable[[str], object]) -> Iterator[Problem]:
    for text in texts:
        try:
            add(text)
        except ValueError as error:
            yield Problem(path, str(error))


def _listener_problems(
    path: tuple[str, ...], named: Sequence[str], there: Mapping[str, Listener], services: Sequence[str]
) -> Iterator[Problem]:
    for name in named:
        if name not in there:
            yield Problem(path, f'there is no listener "{shown(name)}"; these are: {", ".join(there) or "none"}')
        elif there[name].service not in services:
            wanted = " or ".join(services)
            yield Problem(path, f'this is for listeners with service {wanted}; "{name}" has {there[name].service}')
