"""``python -m benchmarks.report FIGURES.json``: write the tables and the plots of ``docs/performance.rst``.

What lies between its two marks is made here and nowhere else.
"""

import argparse
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.plot import bars
from benchmarks.results import BadResults, Results, read
from benchmarks.tables import Table, goal_table, workload_tables

DOCUMENT = Path("docs/performance.rst")
FIGURES = Path("docs/figures")
BEGIN = ".. figures: from here on made by python -m benchmarks.report"
END = ".. figures: up to here"
_WIDTH = 119
# What stands there until there are figures.
NONE_YET = "No run is kept yet: ``make bench-peers`` and ``make bench-report`` make it.\n"
# What is plotted: workload, figure, what it says.
_PLOTS = (
    ("inbound", "cpu", "Mail in: CPU a message, in microseconds (less is better)"),
    ("inbound", "rate", "Mail in: messages a second (more is better)"),
    ("relay", "cpu", "Mail through: CPU a message, in microseconds (less is better)"),
    ("submission", "cpu", "Submission: CPU a login or message, in microseconds (less is better)"),
    ("idle", "mib", "Idle connections: memory in all, in MiB (less is better)"),
    ("growth", "cpu", "Growth: CPU a message, in microseconds (flat is good)"),
)


def main() -> int:
    """Write them. 1: the file has no figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("json", type=Path, help="what python -m benchmarks --json has kept")
    path = parser.parse_args().json
    try:
        results = read(path)
    except (BadResults, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    FIGURES.mkdir(exist_ok=True)
    for name, svg in plots(results):
        (FIGURES / name).write_text(svg)
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(), document(results)))
    results.write(FIGURES / "figures.json")
    return 0


def inserted(text: str, made: str) -> str:
    """Return *text* with *made* between the marks. Raises `ValueError` where these are not there."""
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        raise ValueError(f"{DOCUMENT} has lost its marks: {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n{made}\n{end}{after}"


def plots(results: Results) -> Iterator[tuple[str, str]]:
    """Yield the name of a file and its content for each plot that *results* have samples for."""
    for workload, figure, title in _PLOTS:
        svg = bars(results, workload, figure, title)
        if svg:
            yield f"{workload}-{figure}.svg", svg


def document(results: Results) -> str:
    """Return the part of the document that is made of *results*."""
    parts = [_about(results), _heading("Goals"), _table(goal_table(results))]
    shown = [name for name, _ in plots(results)]
    for workload, table in zip(results.workloads(), workload_tables(results), strict=True):
        images = [
            f".. image:: figures/{workload}-{figure}.svg\n   :alt: {title}\n"
            for plotted, figure, title in _PLOTS
            if plotted == workload and f"{workload}-{figure}.svg" in shown
        ]
        parts += [_heading(table.title), textwrap.fill(table.note, _WIDTH) + "\n", *images, _table(table)]
    if results.troubles:
        parts += [_heading("Not measured")]
        parts += [
            _item(f"{each.workload}, {each.case}, {each.peer}: {_line(each.text)}") + "\n" for each in results.troubles
        ]
    return "\n".join(parts)


def _about(results: Results) -> str:
    whole = "" if results.complete else " The run was cut short."
    lines = [f"Measured on {results.made[:10]} ({_listed(results.plan)}).{whole}\n"]
    lines += [_item(f"{name}: {value}") for name, value in results.facts.items()]
    lines += [""]
    for name, version in results.versions.items():
        lines.append(_item(f"**{name}** {version}: {results.settings.get(name, '')}"))
    lines += [_item(f"{name} was not there: {why}") for name, why in results.absent.items()]
    return "\n".join(lines) + "\n"


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _heading(title: str) -> str:
    return f"{title}\n{'-' * len(title)}\n"


def _item(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _line(text: str) -> str:
    return " ".join(text.split())[-200:].replace("*", r"\*").replace("`", "'")


def _table(table: Table) -> str:
    """Return a simple table of reStructuredText."""
    rows: Sequence[Sequence[str]] = [table.header, *table.rows]
    widths = [max(2, *(len(row[column]) for row in rows)) for column in range(len(table.header))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
