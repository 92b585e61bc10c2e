"""The routes table: from a recipient to the way there, by the configuration alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from zope.interface import implementer

from mailsuite.address import Address, domain_key
from mailsuite.domain_table import DomainTable
from mailsuite.interfaces import IRouter
from mailsuite.queued import LOCAL
from mailsuite.route import Route

# Recipients name what domains they like: no more answers than these are remembered.
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One rule: mail for *recipients* or from *senders* goes the way of *route*.

    Both hold domains, or ``.example.org`` for all below example.org and not itself. A rule without either is for all
    mail. *route* is a template: its destination, domain and backup are filled in when it is used.
    """

    name: str
    route: Route
    recipients: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


@implementer(IRouter)
class Routes:
    """See `IRouter`. The recipient's domain decides before the sender's, an exact one before a suffix.

    *default* is the template for what no rule is for. *backups* says of a domain (`domain_key`) whether we are its
    backup MX. *next_hops* are the destinations that have other names than domains.
    """

    def __init__(
        self, rules: Sequence[RouteRule], default: Route, backups: Callable[[str], bool] = lambda domain: False
    ) -> None:
        self._backups = backups
        self._default = RouteRule("", replace(default, host=""))
        self._recipients = DomainTable[RouteRule]()
        self._senders = DomainTable[RouteRule]()
        for rule in rules:
            for pattern in rule.recipients:
                self._recipients.add(pattern, rule)
            for pattern in rule.senders:
                self._senders.add(pattern, rule)
            if not (rule.recipients or rule.senders):
                self._default = rule
        self.next_hops = tuple(sorted({_next_hop(rule) for rule in rules if rule.route.host}))
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._find)

    def route(self, recipient: Address, reverse_path: Address | None) -> Route:
        """See `IRouter.route`. The null reverse-path has no domain, so no sender's rule is for it."""
        domain = domain_key(recipient.domain)
        sender = domain_key(reverse_path.domain) if reverse_path is not None and self._senders else ""
        return self._remembered(domain, sender, self._backups(domain))

    def _find(self, domain: str, sender: str, backup: bool) -> Route:
        rule = self._recipients.find(domain) or self._senders.find(sender) or self._default
        template = rule.route
        if not template.host:
            return replace(template, destination=_destination(domain), domain=domain, backup=backup)
        # All mail that a next hop gets has one route, whatever its domains, so that it can share transactions; only
        # a domain that we back up is watched for itself.
        return replace(
            template, destination=_next_hop(rule), domain=domain if backup else template.host, backup=backup
        )


def _next_hop(rule: RouteRule) -> str:
    return f"route:{rule.name}"


def _destination(domain: str) -> str:
    # What goes into mailboxes of ours has a destination of its own, whatever domains there are in the world.
    return domain if domain != LOCAL else f"{LOCAL}."
