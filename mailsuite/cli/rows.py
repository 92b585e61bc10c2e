"""Rows of files that many domains, users or aliases are made of: CSV with a header, or a JSON object in each line."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Literal, TypeAlias

import click

from mailsuite.counted import counted

Form: TypeAlias = Literal["csv", "json"]
# Of those who were there before so many are named.
_NAMED = 5
_NOBODY: Mapping[int, str] = MappingProxyType({})

form_option = click.option("--format", "form", type=click.Choice(("csv", "json")), default="csv", show_default=True,
                           help="CSV with a header, or JSON, an object in each line.")  # fmt: skip
# Octets that are no UTF-8 come through as surrogates, so that they spoil their own line only.
text_file = click.File(encoding="utf-8-sig", errors="surrogateescape")
stop_option = click.option("--stop", is_flag=True, help="Stop at the first row that cannot be used.")


@dataclass(frozen=True, slots=True)
class Row:
    """What line *number*, counted from 1, says: *fields* by their names; or why it cannot be used (*wrong*)."""

    number: int
    fields: Mapping[str, object]
    wrong: str = ""
    # It comes from a plain line, where a field that is empty was left out by mistake.
    in_text: bool = False

    def text(self, name: str) -> str:
        """Return the field *name*; empty where there is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> Sequence[str]:
        """Return the field *name* as a list; in CSV its parts are parted by spaces or commas."""
        value = self.fields.get(name)
        if isinstance(value, list):
            return [str(each) for each in value]
        return str(value or "").replace(",", " ").split()


def rows(file: Iterable[str], form: Form, known: Sequence[str]) -> Iterator[Row]:
    """Yield each row of *file*; the first of *known* fields is needed. What no row can tell ends the command."""
    yield from (_csv if form == "csv" else _json)(file, known)


def report(done: int, what: str, wrong: Mapping[int, str], there: Mapping[int, str] = _NOBODY) -> None:
    """Say how many were imported, and how many were *there* before, by the number of the line.

    Which lines were not imported is told on standard error, and makes the exit code 1. Of those who were there the
    first few are named there, too: what the line says of them was not heeded.
    """
    for number, reason in sorted(wrong.items()):
        click.echo(f"line {number}: {reason}", err=True)
    for number, name in islice(there.items(), _NAMED):
        click.echo(f"line {number}: {name} is a {what} already, and stays as it is", err=True)
    if len(there) > _NAMED:
        click.echo(f"({counted(len(there) - _NAMED, 'more is', 'more are')}, too)", err=True)
    before = f"; {counted(len(there), 'was', 'were')} here already" if there else ""
    click.echo(f"Imported {counted(done, what, f'{what}es' if what.endswith('s') else '')}{before}.")
    if wrong:
        raise click.ClickException(f"{counted(len(wrong), 'line was', 'lines were')} not imported")


def _csv(file: Iterable[str], known: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    names: list[str] | None = None
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield Row(reader.line_num, {}, f"this is no CSV: {error}")
            continue
        if values is None:
            return
        if names is None:
            names = [name.strip().lower() for name in values]
            if names[:1] == [] or known[0] not in names or not set(names) <= set(known):
                raise click.ClickException(
                    f"the first line has to name the fields, {known[0]} and others of: {', '.join(known[1:])}"
                )
        elif values and len(values) != len(names):
            has = counted(len(values), "field")
            yield Row(reader.line_num, {}, f"it has {has}, and the first line names {len(names)}")
        elif values:
            yield Row(reader.line_num, dict(zip(names, values, strict=True)))


def _json(file: Iterable[str], known: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, {}, f"this is no JSON: {error}")
            continue
        if not isinstance(found, dict) or not isinstance(found.get(known[0]), str) or not found.keys() <= set(known):
            wanted = ", ".join(known)
            yield Row(number, {}, f'expected an object with "{known[0]}", a text, and no others than: {wanted}')
        else:
            yield Row(number, found)
