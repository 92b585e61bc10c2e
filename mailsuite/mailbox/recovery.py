"""After an unclean stop: what a power cut has left short or empty is set aside before anybody can read it.

Every file of the time of the last barrier (`mailsuite.mailbox.run_mark`) less a minute, or younger, is compared with
the size in its name. One that does not fit was never acknowledged, or its disk has lied; either way it is not a
message. Mailboxes that have changed since then are counted anew when a quota next asks what lies in them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mailsuite.mailbox.aside import set_aside
from mailsuite.mailbox.layout import INCOMING, maildirs
from mailsuite.mailbox.maildirsize import FILE as SUM
from mailsuite.mailbox.maildirsize import forget

# What was written this long before the last recorded barrier is taken for durable, in seconds.
DOUBT_SECONDS = 60.0
# A process that has died changed mailboxes this long before at most, or was done with them, in seconds.
JUST_SECONDS = 10.0
# A file in tmp/ that is older belongs to a delivery that will never go on (36 hours: maildir(5)).
STALE_SECONDS = 36 * 3600.0

_SIZE = re.compile(r",S=(\d+)")
_SECONDS = re.compile(r"(\d+)\.")


@dataclass(slots=True)
class Swept:
    """What a sweep has found: where each damaged file lies now, and the folders that could not be looked at."""

    damaged: list[str] = field(default_factory=list)
    skipped: list[OSError] = field(default_factory=list)


def sweep(root: str, last_barrier: float, now: float) -> Swept:
    """Set aside what an unclean stop has damaged below *root*.

    Only mailboxes whose folders have changed since the last barrier are read. Stale files in ``tmp/`` and messages
    that were still coming in are removed. A folder that we may not read is skipped: nobody can fetch from it either.
    """
    swept = Swept()
    for mailbox in maildirs(root, swept.skipped.append):
        try:
            _sweep_mailbox(mailbox, last_barrier - DOUBT_SECONDS, now, swept)
        except OSError as error:
            swept.skipped.append(error)
    _remove_older(f"{root}/{INCOMING}", now)
    return swept


def forget_process(root: str, process: str, died: float) -> None:
    """Remove what came in by *process* (see `mailsuite.mailbox.maildir.Names`) when it *died*. Raises `OSError`.

    What it has written besides is made durable: in a mailbox no file of its is left that a power cut would shorten.
    Others are at work all the while.
    """
    os.sync()
    _remove_older(f"{root}/{INCOMING}", float("inf"), f"P{process}Q")
    for mailbox in maildirs(root, lambda error: None):
        if _changes(mailbox, died - JUST_SECONDS):
            with suppress(OSError):
                forget(mailbox)


def _sweep_mailbox(mailbox: str, since: float, now: float, swept: Swept) -> None:
    changed = _changes(mailbox, since)
    for folder in changed:
        if folder != SUM:
            swept.damaged += [set_aside(mailbox, path) for path in _misfits(f"{mailbox}/{folder}", since)]
    if changed:
        forget(mailbox)
    remove_stale(mailbox, now)


def remove_stale(mailbox: str, now: float) -> None:
    """Remove what deliveries that will never go on have left in *mailbox*'s ``tmp/``. Raises `OSError`."""
    _remove_older(f"{mailbox}/tmp", now - STALE_SECONDS)


def _changes(mailbox: str, since: float) -> list[str]:
    """Return what has changed *since* then: folders of messages, or their sum.

    If any, the sum may be wrong: a message has its name before it is counted, and neither is durable before the other.
    """
    return [name for name in ("new", "cur", SUM) if _changed(f"{mailbox}/{name}", since)]


def _changed(path: str, since: float) -> bool:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime >= since
    except FileNotFoundError:
        return False


def _misfits(folder: str, since: float) -> Iterator[str]:
    """Yield the files whose size is not the one in their name."""
    with os.scandir(folder) as entries:
        for entry in list(entries):
            size = _SIZE.search(entry.name)
            if size is None or _older(entry.name, since):
                continue
            status = entry.stat(follow_symlinks=False)
            if status.st_mtime >= since and status.st_size != int(size[1]):
                yield entry.path


def _older(name: str, since: float) -> bool:
    """Say whether the name of a delivery is from before *since*, which spares its `stat`."""
    began = _SECONDS.match(name)
    return began is not None and int(began[1]) + 1 < since


def _remove_older(folder: str, than: float, of: str = "") -> None:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if of not in entry.name:
            continue
        # A delivery that ends at this moment takes its file away.
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < than:
                os.unlink(entry.path)
