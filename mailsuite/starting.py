"""What all our services do to start and to be told to stop: look who we are, and tell plainly what is in the way."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning

from mailsuite.certificates import PairError
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError
from mailsuite.policies import BadCheck
from mailsuite.policy.deny_file import BadDenyFile
from mailsuite.policy.srs_secrets import BadSecrets
from mailsuite.queue.errors import QueueError
from mailsuite.transport.client_tls import IssuersError
from mailsuite.transport.ports import CannotListen


class RootRefused(Exception):
    """The service would run as root, and the configuration does not allow it."""


# The signals to stop.
STOPPING = (signal.SIGINT, signal.SIGTERM)
# What a start may stumble over, each with a text that says how to mend it.
START_TROUBLE = (
    RootRefused, CannotListen, PairError, IssuersError, AccountsError, QueueError, BadSecrets, BadDenyFile,
    BadCheck, OSError,
)  # fmt: skip


def refuse_root(uid: int, settings: Settings) -> None:
    """Raise `RootRefused` if *uid* is root's and `allow_root` is off."""
    if uid == 0 and not settings.allow_root:
        raise RootRefused(
            "mailsuite does not serve as root: start it with 'twistd --uid USER --gid GROUP mailsuite ...', which"
            " binds its ports and then becomes USER, or set allow_root = true in the configuration"
        )


def take_descriptors() -> None:
    """Let this process have as many descriptors as it may: the usual soft limit is for programs that use select()."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def told_plainly(foreground: bool) -> Iterator[None]:
    """Make one line, and the end, of `START_TROUBLE` if somebody watches: in the *foreground*."""
    try:
        yield
    except START_TROUBLE as error:
        if foreground:
            raise SystemExit(f"mailsuite: {error}") from error
        raise


def on_signal(reactor: Any, number: int, act: Callable[[], None]) -> None:
    """Do *act*, in the reactor, at each signal *number*."""
    signal.signal(number, lambda number, frame: reactor.callFromThread(act))


def stop_once(reactor: Any) -> None:
    """Let a second signal to stop be none, and one to reload neither once we stop.

    Who stops all processes of a service, as Ctrl-C and systemd do, stops each worker, and so does its parent.
    """
    stopping = False

    def begin() -> None:
        nonlocal stopping
        stopping = True
        # While the interpreter ends nobody would be there to hear them, and they would end us.
        for number in (signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

    def once(act: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
        def told(number: int, frame: FrameType | None) -> None:
            if not stopping:
                begin()
                act(number, frame)

        return told

    def take_over() -> None:
        for number in STOPPING:
            act = signal.getsignal(number)
            # Else it is ignored, or ends us at once.
            if callable(act):
                signal.signal(number, once(act))
        # Who takes another's place has let them wait until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    reactor.addSystemEventTrigger("before", "shutdown", begin)
    # It has its own by then.
    reactor.callWhenRunning(take_over)


def stop(reactor: Any) -> None:
    """Stop *reactor*, as soon as it runs, if it is not stopping already."""

    def stop_now() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    reactor.callWhenRunning(stop_now)
