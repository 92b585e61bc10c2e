"""Can the lists of what is denied and checks of the site's own be used, and who may relay?"""

from collections.abc import Iterator

from twisted.internet import reactor

from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.config.policy import relay_listeners
from mailsuite.counted import counted
from mailsuite.policies import BadCheck, own_check, read_rule
from mailsuite.policy.deny_file import BadDenyFile


def policy(settings: Settings) -> Iterator[Finding]:
    """Look at each rule that denies, each check of the site's own, and each rule that relays."""
    for name, deny in settings.deny.items():
        try:
            count = read_rule(deny).count
        except BadDenyFile as problem:
            yield error(f"deny.{name}.file", problem.what, f"{problem.mend}; the service does not start before")
            continue
        yield ok(f"deny.{name}", counted(count, "entry refuses mail", "entries refuse mail"))
    for name, check in settings.check.items():
        try:
            own_check(name, check, reactor)
        except BadCheck as problem:
            yield error(f"check.{name}.object", str(problem), "mend it; the service does not start before")
            continue
        yield ok(f"check.{name}", f"{check.object} can be made")
    for name, relay in settings.relay.items():
        where, networks = f"relay.{name}", ", ".join(relay.networks)
        if not relay_listeners(settings, relay):
            yield warning(where, "there is no listener with service mta for it", "add one, or remove the rule")
        elif not relay.senders and not relay.recipients:
            text = f"whatever runs in {networks} may send anything to anybody"
            yield warning(where, text, "name the senders that these devices use")
        else:
            yield ok(where, f"{networks} may send to others without a login")
