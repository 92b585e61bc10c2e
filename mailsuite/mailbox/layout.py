"""Where mailboxes lie below the mail root, and how a Maildir is made (https://cr.yp.to/proto/maildir.html)."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator

from mailsuite.meaning import Mailbox

# What modified UTF-7 does not write as it is.
_RUNS = re.compile(r"&|[^\x20-\x7e]+")
FOLDERS = ("tmp", "new", "cur")
# Large messages on their way in; on the mail file system, so that they can be linked into mailboxes. No domain has
# this name.
INCOMING = ".incoming"
# What a crash has damaged, beside new/ and cur/ of a mailbox and read by no mail program.
DAMAGED = "damaged"
# The largest file that is read where it has a row for each message of a mailbox: some million.
MOST_OCTETS = 1 << 28


def maildir(root: str, mailbox: Mailbox) -> str:
    """Return the path of *mailbox*'s Maildir.

    A folder lies within it, with a dot before its name: Maildir++
    (https://www.courier-mta.org/imap/README.maildirquota.html), spelled as IMAP clients do (RFC 3501 §5.1.3).
    """
    path = f"{root}/{mailbox.path}"
    return f"{path}/.{modified_utf7(mailbox.folder)}" if mailbox.folder else path


def create_maildir(root: str, mailbox: Mailbox) -> list[str]:
    """Make *mailbox*'s folders where they are missing, with mode 0700.

    Return the folders in which something was made: their names are durable once these are synced. Raises `OSError`.
    """
    path = maildir(root, mailbox)
    changed: list[str] = []
    _make(os.path.dirname(path), changed)
    return changed + make_folders(path)


def make_folders(path: str) -> list[str]:
    """Make the Maildir *path*, or a Maildir++ folder, where its own folder is there; see `create_maildir`."""
    changed: list[str] = []
    _make(path, changed)
    for folder in FOLDERS:
        _make(f"{path}/{folder}", changed)
    return changed


def modified_utf7(name: str) -> str:
    """Return *name* in the modified UTF-7 of RFC 3501 §5.1.3: ASCII as it is, all else in a base64 of its own."""
    return _RUNS.sub(_shifted, name)


def _shifted(run: "re.Match[str]") -> str:
    if run[0] == "&":
        return "&-"
    octets = run[0].encode("utf-16-be", "surrogatepass")
    return "&" + b64encode(octets, b"+,").decode("ascii").rstrip("=") + "-"


def maildirs(root: str, skipped: Callable[[OSError], None]) -> Iterator[str]:
    """Yield the path of every mailbox below *root*; *skipped* is told of a domain's folder that cannot be read.

    There may be some that are none of ours: a ``lost+found``, say.
    """
    with os.scandir(root) as domains:
        for domain in domains:
            if domain.name.startswith(".") or not domain.is_dir(follow_symlinks=False):
                continue
            try:
                with os.scandir(domain.path) as mailboxes:
                    found = [box.path for box in mailboxes if box.is_dir(follow_symlinks=False)]
            except OSError as error:
                skipped(error)
                continue
            yield from found


def folders_of(path: str) -> list[str]:
    """Return the paths of the Maildir++ folders of the Maildir *path*, which need not be there. Raises `OSError`."""
    try:
        entries = os.scandir(path)
    except FileNotFoundError:
        return []
    with entries:
        found = [each.path for each in entries if each.name.startswith(".") and each.is_dir(follow_symlinks=False)]
    return sorted(found)


def _make(path: str, changed: list[str]) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    changed.append(os.path.dirname(path))
