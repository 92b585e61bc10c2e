"""Can the service keep mail, accounts and logs where the configuration says?"""

import os
import shutil
import stat
from collections.abc import Iterator
from shlex import quote

from mailsuite.cli.checks import Finding, error, ok, unreachable, warning
from mailsuite.config import Settings
from mailsuite.mailbox.restore_mark import HalfRestored, RestoreMark
from mailsuite.queue.errors import NoQueue, QueueBusy, QueueError
from mailsuite.queue.schema import connect
from mailsuite.queue.store import DATABASE

MEBIBYTE = 1024 * 1024


def storage(settings: Settings) -> Iterator[Finding]:
    """Look at the folders, their owner and modes, and the space that is left."""
    if (closed := unreachable("state_dir", settings.state_dir)) is not None:
        yield closed
        return
    if not os.path.isdir(settings.state_dir):
        yield error("state_dir", f"{settings.state_dir} is not a folder", "make the site with mailsuite init")
        return
    yield from _restored(settings.state_dir)
    yield from _root(settings)
    yield from _folder("state_dir", settings.state_dir)
    yield from _mail(settings)
    log = os.path.dirname(settings.log.path)
    if log != settings.state_dir:
        yield from _folder("log.path", log)
    if (closed := unreachable("queue.path", settings.queue.path)) is not None:
        yield closed
    elif os.path.exists(settings.queue.path):
        yield from _folder("queue.path", settings.queue.path)
        yield from _queue(settings.queue.path)
    if os.path.isdir(settings.log.path):
        yield error("log.path", f"{settings.log.path} is a folder", "name a file in [log] path")
    elif os.path.exists(settings.log.path) and not os.access(settings.log.path, os.W_OK):
        yield error(
            "log.path", f"{settings.log.path} cannot be written by this user", f"chown USER {quote(settings.log.path)}"
        )


def _queue(path: str) -> Iterator[Finding]:
    """Say whether the service would refuse to start with the queue that is there."""
    try:
        connect(f"{path}/{DATABASE}").close()
    except (NoQueue, QueueBusy):
        return  # the service makes it, or has it in use
    except QueueError as problem:
        yield error("queue.path", str(problem), "do that: the service does not start before")


def _restored(path: str) -> Iterator[Finding]:
    try:
        RestoreMark(path).refuse()
    except HalfRestored as half:
        yield error("state_dir", str(half), "do that: the service does not start before")


def _root(settings: Settings) -> Iterator[Finding]:
    if os.stat(settings.state_dir).st_uid == 0 and not settings.allow_root:
        yield error(
            "state_dir", "it belongs to root, and the service refuses to run as root",
            f"chown -R USER {quote(settings.state_dir)}, or set allow_root = true",
        )


def _mail(settings: Settings) -> Iterator[Finding]:
    path = settings.store.path
    yield from _folder("store.path", path)
    if not os.path.isdir(path):
        return
    if os.stat(path).st_uid != os.stat(settings.state_dir).st_uid:
        yield error("store.path", f"{path} belongs to another user than state_dir", f"chown -R USER {quote(path)}")
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        yield warning("store.path", f"{path} is open to other users of this machine", f"chmod 700 {quote(path)}")
    yield _space(path, settings.store.free_floor)


def _folder(where: str, path: str) -> Iterator[Finding]:
    if (closed := unreachable(where, path)) is not None:
        yield closed
    elif not os.path.isdir(path):
        yield error(where, f"{path} is not a folder", f"mkdir -m 700 {quote(path)}, as the owner of state_dir")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        name = quote(path)
        yield error(where, f"{path} cannot be written by this user", f"chown USER {name} && chmod u+rwx {name}")
    elif os.stat(path).st_mode & stat.S_IWOTH:
        yield warning(where, f"everyone may write in {path}", f"chmod o-w {quote(path)}")
    else:
        yield ok(where, f"{path} can be written")


def _space(path: str, floor: int) -> Finding:
    free = shutil.disk_usage(path).free
    text = f"{free // MEBIBYTE} MiB are free at {path}"
    if free <= floor:
        return error("store.free_floor", f"{text}, no more than the floor: all mail is put off", "free some space")
    return ok("store.free_floor", f"{text}, the floor is {floor // MEBIBYTE} MiB")
