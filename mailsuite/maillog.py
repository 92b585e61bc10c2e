"""The mail log: one line for each SMTP transaction, login and POP3 session, in a file of its own.

It is formatted and written here, off the general logger's slow path (a fifth of a message's whole cost). No octet
of a peer's gets into it unescaped, so that nobody can forge a line or hide one.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Literal

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.interfaces import IMailLog

# A value that stands as it is; any other is written as a JSON string.
_PLAIN = re.compile(r"[A-Za-z0-9@.:/<>+_\-]+")
# Not `list | tuple`: that would be put together anew for each value.
_SEVERAL = (list, tuple)


@implementer(IMailLog)
class MailLog:
    """See `IMailLog`. *now* gives POSIX time. Call `open` once the process has its final identity."""

    log = Logger()

    def __init__(self, path: str, form: Literal["text", "json"], now: Callable[[], float]) -> None:
        self._path = path
        self._format = format_json if form == "json" else format_text
        self._now = now
        self._fd = -1
        self._failing = False
        # What comes before the next line: the end of one that was cut, if there is such a one.
        self._begin = b""

    def open(self) -> None:
        """Open the file, or open it anew after it was rotated. Raises `OSError`; an open file then stays."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.close()
        self._fd, self._begin = fd, b""

    def close(self) -> None:
        """Close the file; later records go nowhere."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def record(self, kind: str, fields: Mapping[str, object]) -> None:
        """See `IMailLog.record`. A full disk never stops the mail: the first failure is told to the general log."""
        if self._fd < 0:
            return
        line = self._begin + self._format(self._now(), kind, fields)
        try:
            written = os.write(self._fd, line)
            if written < len(line):
                self._take_back(written)
                raise OSError(f"only {written} of {len(line)} octets found room")
            self._begin = b""
            self._failing = False
        except OSError:
            if not self._failing:
                self._failing = True
                self.log.failure("Cannot write to the mail log {path}", path=self._path)

    def _take_back(self, written: int) -> None:
        """Take the last *written* octets back, or see to it that the next line does not go on where they end."""
        before, self._begin = self._begin, b"\n"
        end = os.lseek(self._fd, 0, os.SEEK_CUR)
        if os.fstat(self._fd).st_size == end:
            os.ftruncate(self._fd, end - written)
            self._begin = before
        else:
            # Another process has written behind it: its line went on where ours ended, and has ended both.
            self._begin = b""


def format_text(now: float, kind: str, fields: Mapping[str, object]) -> bytes:
    """Return one line: the time, *kind*, then ``key=value`` for every field that is not ``None``."""
    # One loop without a call for each value: this is done for every message.
    parts = [_time(now), kind]
    is_plain = _PLAIN.fullmatch
    for key, value in fields.items():
        if value is None:
            continue
        if isinstance(value, _SEVERAL):
            text = ",".join(map(_text, value)) or "-"
        else:
            text = str(value)
            if not is_plain(text):
                text = _quoted(text)
        parts.append(f"{key}={text}")
    return (" ".join(parts) + "\n").encode()


def format_json(now: float, kind: str, fields: Mapping[str, object]) -> bytes:
    """Return one line: a JSON object with ``time`` and ``kind``, ASCII throughout."""
    known = {key: value for key, value in fields.items() if value is not None}
    return (json.dumps({"time": _time(now), "kind": kind, **known}) + "\n").encode()


def _text(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _time(now: float) -> str:
    seconds, fraction = divmod(now, 1)
    return f"{_second(int(seconds))}.{int(fraction * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
