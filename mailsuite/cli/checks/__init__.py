"""What ``mailsuite check`` looks at: one module a subject, each a function from settings to findings."""

from dataclasses import dataclass
from typing import Literal

from mailsuite.reach import closed_folder


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: *where*, *what* was found there and, unless it is well, how to *mend* it.

    An ``error`` keeps the service from starting or mail from flowing; a ``warning`` will do harm later.
    """

    level: Literal["ok", "warning", "error"]
    where: str
    what: str
    mend: str = ""

    def __str__(self) -> str:
        text = f"{self.level:7}  {self.where}: {self.what}"
        return f"{text}; to mend it: {self.mend}" if self.mend else text


def ok(where: str, what: str) -> Finding:
    """All is well."""
    return Finding("ok", where, what)


def warning(where: str, what: str, mend: str) -> Finding:
    """It works, and should not stay so."""
    return Finding("warning", where, what, mend)


def error(where: str, what: str, mend: str) -> Finding:
    """It does not work."""
    return Finding("error", where, what, mend)


def unreachable(where: str, path: str) -> Finding | None:
    """Return the error that this user may not pass a folder above *path*, if that is so: it is not absent then."""
    closed = closed_folder(path)
    return None if closed is None else error(where, closed.what, closed.mend)
