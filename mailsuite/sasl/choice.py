"""Which SASL mechanism a client uses: the best of those that it has, may use, and is offered."""

from collections.abc import Sequence

from mailsuite.discover import parts
from mailsuite.sasl import client
from mailsuite.sasl.initiator import Initiator, Secret, Unfit

MECHANISMS: dict[str, type[Initiator]] = {
    mechanism.name: mechanism for mechanism in sorted(parts(client), key=lambda part: -part.strength)
}


def choose(offered: Sequence[str], allowed: Sequence[str], secret: Secret) -> Initiator | None:
    """Return the first mechanism of *allowed* (empty: all of ours, in our order) that is *offered* and can be used."""
    for name in allowed or MECHANISMS:
        mechanism = MECHANISMS.get(name.upper())
        if mechanism is not None and mechanism.name in offered:
            try:
                return mechanism(secret)
            except Unfit:
                continue
    return None
