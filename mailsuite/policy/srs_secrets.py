"""The secrets of return addresses (`mailsuite.srs`): a file with a line for each, the newest first.

A line is the day on which the secret was made and its 32 octets in hexadecimal: ``2026-11-26 5f0c...``.
"""

import os
import secrets
from collections.abc import Sequence
from datetime import date, timedelta

from mailsuite.durable import make_file, replace_file

OCTETS = 32


class BadSecrets(Exception):
    """The file cannot be used; the text says what is wrong with it."""


class Secrets:
    """The secrets in the file *path*, as they were when it was last read; the newest first."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._secrets: Sequence[tuple[date, bytes]] = ()

    def __call__(self) -> Sequence[bytes]:
        """Return them."""
        return [secret for _, secret in self._secrets]

    def load(self, today: date) -> None:
        """Read the file; make it, with one secret, where there is none. Blocks. Raises `BadSecrets` or `OSError`;
        what was read before stays then."""
        if not os.path.exists(self._path):
            make_file(self._path, _text([(today, secrets.token_bytes(OCTETS))]))
        with open(self._path, encoding="utf-8", errors="replace") as file:
            found = [_line(self._path, number, line) for number, line in enumerate(file, 1) if line.strip()]
        if not found:
            raise BadSecrets(f"{self._path} has no secret in it: restore it, or remove it for a new one")
        self._secrets = found

    def rotate(self, today: date, days: int) -> int:
        """Put a new secret first, and drop those by which nothing was made for more than *days* days; return how many
        there are then. Call `load` before. Blocks. Raises `OSError`."""
        kept, since = [(today, secrets.token_bytes(OCTETS))], today
        for made, secret in self._secrets:
            # It was in use until the next one was made; a day for hosts whose clocks differ, as in restoring.
            if today - since <= timedelta(days + 1):
                kept.append((made, secret))
            since = made
        replace_file(self._path, _text(kept))
        self._secrets = kept
        return len(kept)


def _text(found: Sequence[tuple[date, bytes]]) -> bytes:
    return "".join(f"{made.isoformat()} {secret.hex()}\n" for made, secret in found).encode()


def _line(path: str, number: int, line: str) -> tuple[date, bytes]:
    day, _, secret = line.strip().partition(" ")
    try:
        made, octets = date.fromisoformat(day), bytes.fromhex(secret)
    except ValueError:
        octets = b""
    if len(octets) != OCTETS:
        raise BadSecrets(
            f"{path}:{number}: expected a day and {OCTETS} octets in hexadecimal, such as 2026-11-26 5f0c..., as"
            " mailsuite srs rotate writes them"
        )
    return made, octets
