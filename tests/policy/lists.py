"""Lists of recipients for tests, with the keys that sign them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred

from mailsuite.policy.backup_list import make

T = TypeVar("T")

OURS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = OURS.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SALT = b"0123456789abcdef"
NOW = 1_767_225_600


def signed_list(
    *locals_: str, domain: str = "example.net", made: int = NOW, everything: bool = False, by: Ed25519PrivateKey = OURS
) -> bytes:
    """Return a list of *domain*."""
    return make(domain, locals_, made, everything, SALT, by.sign)


class Threads:
    """Stands for ``deferToThread``: the work is done when the test says so, or at once."""

    def __init__(self) -> None:
        self.at_once = True
        self.waiting: list[Callable[[], None]] = []

    def run(self, work: Callable[[], T]) -> Awaitable[T]:
        """See `mailsuite.policy.backup.Run`."""
        done: Deferred[T] = Deferred()

        def do() -> None:
            try:
                done.callback(work())
            except Exception:
                done.errback()

        if self.at_once:
            do()
        else:
            self.waiting.append(do)
        return done

    def work(self) -> None:
        """Do what waits."""
        waiting, self.waiting = self.waiting, []
        for do in waiting:
            do()
