"""Files with what is refused: a line for each, read anew at SIGHUP.

A line is a kind (``peer``, ``helo``, ``sender``, ``recipient``), what is meant, and perhaps a reply of its own, with
spaces between them: ``sender .spam.example 550 5.7.1 Not from you``. What begins with ``#`` is a comment.
"""

from collections.abc import Callable

from mailsuite.policy.denials import KINDS, Entries
from mailsuite.reach import closed_folder
from mailsuite.smtp.replies import Reply

# Some 400,000 lines; they take a second or two to read, in a thread.
FILE_OCTETS = 16_777_216


class BadDenyFile(Exception):
    """The file cannot be used: *what* says which one, which line, and what was expected, *mend* what helps."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; to mend it: {mend}")
        self.what = what
        self.mend = mend


def read_into(entries: Entries, path: str, reply: Reply, parse: Callable[[str], Reply]) -> None:
    """Add what the file *path* lists to *entries*: with *reply*, or that of the line by *parse* (`ValueError`).

    Blocks. Raises `BadDenyFile`.
    """
    try:
        with open(path, "rb") as file:
            octets = file.read(FILE_OCTETS + 1)
        if len(octets) > FILE_OCTETS:
            raise BadDenyFile(f"{path} has more than {FILE_OCTETS} octets", "part it, or refuse whole networks")
        text = octets.decode("utf-8-sig")
    except OSError as error:
        raise _unread(path, error) from error
    except UnicodeDecodeError as error:
        what = f"{path} is not UTF-8: {error.reason} at octet {error.start}"
        raise BadDenyFile(what, "write it in UTF-8") from error
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split(maxsplit=2)
        if words and not words[0].startswith("#"):
            try:
                _add(entries, words, reply, parse)
            except ValueError as error:
                raise BadDenyFile(f"{path}:{number}: {error}", "mend the line") from error


def _unread(path: str, error: OSError) -> BadDenyFile:
    closed = closed_folder(path)
    if closed is not None:
        return BadDenyFile(f"{path} cannot be read: {closed.what}", closed.mend)
    missing = isinstance(error, FileNotFoundError)
    mend = "make the file, which may be empty, or name another" if missing else "name a file that this user can read"
    return BadDenyFile(f"{path} cannot be read: {error.strerror}", mend)


def _add(entries: Entries, words: list[str], reply: Reply, parse: Callable[[str], Reply]) -> None:
    kind = next((kind for kind in KINDS if kind == words[0]), None)
    if kind is None or len(words) < 2:
        raise ValueError(f"expected one of {', '.join(KINDS)}, and what is refused: sender bob@example.net")
    entries.add(kind, words[1], parse(words[2].strip()) if len(words) > 2 else reply)
