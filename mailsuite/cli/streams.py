"""Standard input, output and error that were closed before we began: Python has nothing in their place then."""

import io
import os
import sys

import click


class _Closed(io.RawIOBase):
    """Stands for a standard input that is closed: whoever reads it says so, and a command that does not goes on."""

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def readinto(self, buffer: object) -> int:
        """Raise `click.ClickException`."""
        raise click.ClickException("standard input is closed, and this is read from it; an empty one is < /dev/null")


def stand_in() -> None:
    """Let there be three streams. Raises `click.ClickException` where nothing could be printed: a command that has
    nothing to say to anybody was most likely started by mistake so."""
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Closed()), encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for as long as we run)
    if sys.stdout is None:
        raise click.ClickException("standard output is closed; where nobody is to see it, use > /dev/null")
