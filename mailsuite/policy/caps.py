"""Caps on what users submit: beyond them mail is not refused but held, and somebody is told once.

Messages are counted, and recipients to whom the login has sent nothing within a day. What is held does not count, so
that nobody stays over a cap for having been over it.
"""

from collections.abc import Callable, Mapping, Sequence

from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.counted import counted
from mailsuite.interfaces import ICaps, ISharedState
from mailsuite.meaning import Cap, Counted, Login

HOUR, DAY = 3600, 86_400
# For so long a recipient is no new one, in seconds.
KNOWN_SECONDS = DAY
_WORDS: Mapping[Counted, tuple[str, str]] = {
    "messages": ("message", "messages"),
    "recipients": ("recipient that is new to the sender", "recipients that are new to the sender"),
}
_SPANS = {HOUR: "an hour", DAY: "a day"}

# Tells that mail of a login is held from now on, and why.
Tell = Callable[[Login, str], None]


@implementer(ICaps)
class Caps:
    """See `ICaps`. *defaults* hold where the accounts have no cap of that kind for a login; counts are in *state*."""

    def __init__(self, defaults: Sequence[Cap], state: ISharedState, tell: Tell) -> None:
        self._defaults = tuple(defaults)
        self._state = state
        self._tell = tell

    def judge(self, login: Login, recipients: Sequence[Address]) -> str:
        """See `ICaps.judge`."""
        caps = self.of(login)
        if not caps:
            return ""
        new = self._new(login, recipients) if any(cap.counted == "recipients" for cap in caps) else ()
        amounts = {"messages": 1, "recipients": len(new)}
        for cap in caps:
            counter = _counter(login, cap)
            if self._state.read(counter, cap.seconds) + amounts[cap.counted] > cap.most and amounts[cap.counted]:
                return self._over(login, cap, counter)
        for cap in caps:
            if amounts[cap.counted]:
                self._state.add(_counter(login, cap), amounts[cap.counted], cap.seconds)
        for counter in new:
            self._state.add(counter, 1, KNOWN_SECONDS)
        return ""

    def of(self, login: Login) -> Sequence[Cap]:
        """Return the caps that hold for *login*."""
        if not login.caps:
            return self._defaults
        own = {(cap.counted, cap.seconds) for cap in login.caps if not cap.domain}
        default = [cap for cap in self._defaults if (cap.counted, cap.seconds) not in own]
        return [cap for cap in (*login.caps, *default) if cap.most]

    def _new(self, login: Login, recipients: Sequence[Address]) -> Sequence[str]:
        """Return, for each recipient that is new to *login*, the counter that says so."""
        counters = dict.fromkeys(f"known {login.id} {'@'.join(each.key)}" for each in recipients)
        return [counter for counter in counters if not self._state.read(counter, KNOWN_SECONDS)]

    def _over(self, login: Login, cap: Cap, counter: str) -> str:
        whose = f"All users of {cap.domain} together have" if cap.domain else f"{login.name} has"
        span = _SPANS.get(cap.seconds, counted(cap.seconds, "second"))
        reason = f"{whose} come to the cap of {counted(cap.most, *_WORDS[cap.counted])} in {span}"
        # Once, until nothing has been held for as long as the cap looks back.
        if self._state.add(f"told {counter}", 1, cap.seconds) == 1:
            self._tell(login, reason)
        return reason


def _counter(login: Login, cap: Cap) -> str:
    return f"{cap.counted} {cap.seconds} {cap.domain or login.id}"
