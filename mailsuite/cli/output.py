"""What commands print: tables for people and for pipes, JSON, and progress."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, count: int = 1) -> object:
        """Say that *count* more items are done."""


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print *rows* under *headers*: framed on a terminal, otherwise as aligned plain text."""
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(headers, cells)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in [list(headers), *cells]:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_json(value: object) -> None:
    """Print *value* as JSON for other programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def printable(text: str) -> str:
    """Return *text* with escapes in the place of what would steer a terminal, begin a line, or be no UTF-8."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Advance]:
    """Yield ``advance(n)``, which moves a progress bar on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield _nothing
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def advance(count: int = 1) -> None:
            bar.advance(task, count)

        yield advance


def _nothing(count: int = 1) -> None:
    """There is no bar to move."""


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*headers)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
