"""Whether a file is there, and whether we are let through to it: Python's own ``exists`` takes the one for the other.

A command run as root goes on as the user that the site belongs to, who need not get where root could.
"""

import errno
import os
import pwd
import shlex
import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Closed:
    """A folder that we may not pass: *what* says who is kept out by which, *mend* what lets us through.

    *private*: it is another user's, *owner*, and not root's.
    """

    what: str
    mend: str
    owner: str = ""
    private: bool = False


def present(path: str) -> bool:
    """Say whether there is something at *path*. Raises `OSError` where that cannot be known.

    Where it is a folder above that keeps us out, its ``strerror`` says who may not pass which, and how to mend it.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        found = closed_folder(path)
        if found is None:
            raise
        # What a user has closed to others is not to be opened to all of them for one.
        mend = f"run this as {found.owner}, or as root" if found.private else found.mend
        raise PermissionError(errno.EACCES, f"{found.what}; to mend it: {mend}", path) from error
    return True


def closed_folder(path: str) -> Closed | None:
    """Return the first folder on the way to *path* that this process may not pass, if there is one."""
    folder = os.sep
    for name in os.path.realpath(path).split(os.sep)[1:]:
        try:
            os.stat(os.path.join(folder, os.curdir))
        except PermissionError:
            return _closed(folder, os.stat(folder))
        except OSError:
            return None
        folder = os.path.join(folder, name)
    return None


def user_name(uid: int) -> str:
    """Return what to call the user *uid*, by name where there is one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"


def _closed(folder: str, status: os.stat_result) -> Closed:
    mode, owner, us = stat.S_IMODE(status.st_mode), user_name(status.st_uid), _class_of_us(status)
    what = (
        f"the user {user_name(os.geteuid())} may not pass the folder {folder}, which belongs to"
        f" {owner} and has the mode {mode:04o}"
    )
    return Closed(what, f"chmod {us}+x {shlex.quote(folder)}", owner, us == "o" and status.st_uid != 0)


def _class_of_us(status: os.stat_result) -> str:
    """Return by which permissions of a file we are judged, as chmod calls them."""
    if status.st_uid == os.geteuid():
        return "u"
    return "g" if status.st_gid in (os.getegid(), *os.getgroups()) else "o"
