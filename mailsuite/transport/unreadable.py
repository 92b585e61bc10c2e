"""What keeps this process from a file, and what root types to let it through.

Certificates lie behind links into folders of root's own (certbot's ``live/`` and ``archive/``), and whoever may not
enter the first of them does not see where its links lead: so `way_to` can look as root, before `unreadable` judges.
"""

import grp
import os
import pwd
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# As many as the kernel follows.
_LINKS = 40
_JOIN = "usermod --append --groups"


class Step(NamedTuple):
    """A folder on the way to a file, or the file itself: the right that it takes, and what was seen of it, if it was.

    *right* is `os.X_OK` or `os.R_OK`, which are also the bits of a mode.
    """

    path: str
    right: int
    status: os.stat_result | None


def way_to(path: str) -> Sequence[Step]:
    """Return the folders that are passed on the way to *path*, which is absolute, and the file at its end.

    Links are followed.
    """
    *folders, file = dict.fromkeys(_passed(path))
    return [*(Step(folder, os.X_OK, _status(folder)) for folder in folders), Step(file, os.R_OK, _status(file))]


def unreadable(path: str, way: Sequence[Step] = ()) -> str | None:
    """Return ``None`` if this process can read *path*, otherwise the commands that would allow it.

    *way* is the way to it as it was seen by whoever may see more.
    """
    try:
        with open(path, "rb"):
            return None
    except OSError:
        return remedy(way or way_to(path))


def remedy(way: Sequence[Step]) -> str:
    """Return what root types so that we can go *way* and read the file at its end."""
    # Where nothing is closed by what one can see of it, it is the file that did not open.
    closed = [step for step in way if _is_closed(step)] or [way[-1]]
    commands = dict.fromkeys(map(_allow, closed))
    notes = []
    if any(command.startswith(_JOIN) for command in commands):
        notes.append("then restart the service")
    if any(step.status is None and _is_hidden(step) for step in way):
        notes.append("mailsuite check, as root, says what else is in the way")
    return " && ".join(commands) + ("  # " + "; ".join(notes) if notes else "")


def _passed(path: str) -> Iterator[str]:
    at, names, links = "/", path.split("/"), 0
    while names:
        name = names.pop(0)
        if name in ("", "."):
            continue
        yield at
        here = os.path.dirname(at) if name == ".." else os.path.join(at, name)
        target = _link(here) if links < _LINKS else ""
        if target:
            links += 1
            names = [*target.split("/"), *names]
            at = "/" if target.startswith("/") else at
        else:
            at = here
    yield at


def _link(path: str) -> str:
    """Return where the link *path* leads; empty where it is none, or one that we do not see."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _is_hidden(step: Step) -> bool:
    """Say whether we do not get as far as to see *step*."""
    try:
        os.stat(step.path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _is_closed(step: Step) -> bool:
    """Say whether *step* itself does not let us go on, by all that is known of it."""
    if _is_hidden(step):
        return step.status is not None and not _grants(step.status, step.right)
    return not os.access(step.path, step.right, effective_ids=os.access in os.supports_effective_ids)


def _grants(status: os.stat_result, right: int) -> bool:
    if status.st_uid == os.geteuid():
        return bool(status.st_mode >> 6 & right)
    ours = status.st_gid in (os.getegid(), *os.getgroups())
    return bool(status.st_mode >> (3 if ours else 0) & right)


def _allow(step: Step) -> str:
    status, user = step.status or _status(step.path), _user_name()
    path, right = shlex.quote(step.path), "x" if step.right == os.X_OK else "r"
    if status is not None and status.st_uid == os.geteuid():
        # An owner is judged by the rights of the owner, whatever the group may.
        return f"chmod u+{right} {path}"
    # What lets a group of others through must go on to do so (Debian's /etc/ssl/private is for the group ssl-cert).
    if user and status is not None and status.st_gid and status.st_mode >> 3 & step.right:
        group = _group_name(status.st_gid)
        if group:
            return f"{_JOIN} {shlex.quote(group)} {shlex.quote(user)}"
    group = shlex.quote(_group_name(os.getegid()) or str(os.getegid()))
    return f"chgrp {group} {path} && chmod g+{right} {path}"


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def _group_name(gid: int) -> str:
    """Return the name of the group *gid*; empty where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
