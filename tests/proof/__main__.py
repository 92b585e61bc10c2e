"""The proof kit: ``make proof``, or ``python -m tests.proof --crashes 100 --power-cuts 100``.

It prints what was found, hit and survived, and ends with 1 where a promise was broken. ``--break`` shows that it can:
it runs a copy of the product that is broken on purpose, and ends with 1 where that is *not* found.
"""

import json
import os
import platform
import secrets
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.proof import kit
from tests.proof.breaks import BREAKS, broken
from tests.proof.crashes import Outcome
from tests.proof.kit import PARTS, Part, Row
from tests.proof.lives import ROOT
from tests.proof.ptrace import SUPPORTED, WHY_NOT
from tests.system import test_kill, test_relay_kill, test_soak

# For each of both ways to the disk. Of crashes and faults that is more than there are.
ALL = 1_000_000
POWER_CUTS = 2500
# Among so many accounts a server is killed, too.
MANY = 1_000_000
_TOLD = 100
# What befalls a server from outside: disks, surroundings, other servers, clients, and anything in place of a protocol.
OUTSIDE = (
    "tests/system/test_disk.py", "tests/system/test_power_cut.py", "tests/system/test_faults.py",
    "tests/system/test_far_ends.py", "tests/system/test_abuse.py", "tests/queue/test_crash_points.py", "tests/fuzz",
)  # fmt: skip


@dataclass(slots=True)
class Load:
    """One run of another kind: tests, kills under load, traffic; *said* are its figures, or what went wrong."""

    name: str
    fine: bool
    said: str


@click.command()
@click.option("--crashes", default=ALL, help="Kills at a system call, for each way to the disk. [default: all points]")
@click.option("--recoveries", default=ALL, help="Kills of the server that starts after a kill. [default: all points]")
@click.option("--power-cuts", default=POWER_CUTS, show_default=True, help="Power cuts, for each way to the disk.")
@click.option("--faults", default=ALL, help="System calls that fail, for each way to the disk. [default: all]")
@click.option("--imports", default=ALL, help="The same while mail is imported, for each way to disk. [default: all]")
@click.option("--kills", default=50, show_default=True, help="Kills at any moment under load, local and relayed mail.")
@click.option("--soak", default=3600.0, show_default=True, help="Seconds of mixed traffic; 0 for none.")
@click.option("--outside/--no-outside", default=True, help="Tests of full disks, far ends, abuse, odd input as well.")
@click.option("--seed", type=int, help="Repeats a run, as far as threads can be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else on standard output.")
@click.option("--break", "breaks", multiple=True, type=click.Choice([*BREAKS, "all"]),
              help="Show that a product which is broken so is found out, and do nothing else. "
              + "; ".join(f"{name}: {each.told}" for name, each in BREAKS.items()) + ".")  # fmt: skip
def main(
    crashes: int, recoveries: int, power_cuts: int, faults: int, imports: int, kills: int, soak: float, outside: bool,
    seed: int | None, as_json: bool, breaks: tuple[str, ...],
) -> None:  # fmt: skip
    """Crash, cut and trouble the server at its system calls, and make the account of every message."""
    if not SUPPORTED:
        raise click.ClickException(WHY_NOT)
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    console = Console(stderr=as_json)
    if breaks:
        sys.exit(_break(list(BREAKS) if "all" in breaks else list(breaks), seed, console, as_json))
    counts: dict[Part, int] = dict(zip(PARTS, (crashes, recoveries, power_cuts, faults, imports), strict=True))
    begun = time.monotonic()
    rows = _run(counts, seed, console)
    loads = [*([_outside()] if outside else []), *_loads(kills, soak, seed)]
    _tell(list(rows), loads, seed, time.monotonic() - begun, console, as_json)
    sys.exit(bool(rows.losses) or not all(load.fine for load in loads))


def _run(counts: Mapping[Part, int], seed: int, console: Console) -> kit.Rows:
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    lock = threading.Lock()
    done = dict.fromkeys(PARTS, 0)
    # A bar for each part; how much there is to do shows only when it was listed.
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {part: progress.add_task(part, total=None) for part in PARTS if counts[part]}

        def tell(part: Part, outcome: Outcome) -> None:
            with lock:
                progress.advance(tasks[part])
                done[part] += 1
            if not progress.console.is_terminal and done[part] % _TOLD == 0:
                # Nobody sees the bar move, but a log wants to be followed.
                progress.console.print(f"{part}: {done[part]}")
            for loss in outcome.findings.losses:
                _print(progress.console, f"{part}: {outcome.what}: {loss}")

        return kit.run(counts, seed, tell)


def _outside() -> Load:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *OUTSIDE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    return Load("from outside", done.returncode == 0, lines[-1] if done.returncode == 0 else done.stdout[-5000:])


def _loads(kills: int, soak: float, seed: int) -> list[Load]:
    os.environ["MAILSUITE_TEST_SEED"] = str(seed)
    loads: list[Load] = []
    if kills:
        loads += [_load(f"{kills} kills, local mail", lambda: test_kill.run(kills))]
        loads += [_load(f"{kills} kills, relayed mail", lambda: test_relay_kill.run(kills))]
        loads += [_load(f"{kills} kills, {MANY:,} accounts", lambda: test_kill.run(kills, MANY))]
    if soak:
        loads += [_load(f"{soak:.0f} seconds of traffic", lambda: test_soak.soak(60, soak, 16_384))]
    return loads


def _load(name: str, work: Any) -> Load:
    try:
        # Tests print what they find; that is told in its turn.
        with redirect_stdout(sys.stderr):
            return Load(name, True, str(work()))
    except AssertionError:
        return Load(name, False, traceback.format_exc())


def _tell(
    rows: list[Row], loads: list[Load], seed: int, seconds: float, console: Console, as_json: bool
) -> None:
    if as_json:
        facts = {"seed": seed, "seconds": round(seconds), "python": platform.python_version()}
        facts |= {"kernel": platform.release(), "processors": os.cpu_count()}
        whole = {**facts, "rows": [asdict(row) for row in rows], "load": [asdict(load) for load in loads]}
        click.echo(json.dumps(whole, indent=2))
        return
    console.print(_table(rows))
    for load in loads:
        _print(console, f"{load.name}: {load.said}")
    broken_promises = [loss for row in rows for loss in row.losses]
    for loss in broken_promises[:50]:
        _print(console, f"BROKEN: {loss}")
    console.print(f"{len(broken_promises)} promises broken; seed {seed}, {seconds:.0f} seconds")


def _print(console: Console, text: str) -> None:
    """Print what may hold anything, as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    legend = (
        "found: places where it can happen; kept: promises that were; twice: copies sent again; extra: messages that"
        " stayed, or went on, though their 250 never left"
    )
    table = Table(title="What was done to the server, and what it survived", caption=legend, box=None)
    for name in ("", "area", "found", "hit", "missed", "survived", "kept", "twice", "extra"):
        table.add_column(name, justify="left" if name in ("", "area") else "right", no_wrap=True)
    for row in rows:
        figures = (row.found, row.hit, row.missed, row.survived, row.kept, row.twice, row.extra)
        table.add_row(row.part, row.area, *map("{:,}".format, figures))
    return table


def _break(names: list[str], seed: int, console: Console, as_json: bool) -> int:
    """Return how many broken products were not found out."""
    found: dict[str, str | None] = {}
    for name in names:
        with broken(name) as product:
            outcome = kit.search(product, BREAKS[name].by, seed)
        found[name] = None if outcome is None else f"{outcome.what}: {'; '.join(outcome.findings.losses)}"
        if not as_json:
            told = found[name] or "NOT FOUND OUT"
            _print(console, f"{name} ({BREAKS[name].told}): {told}")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    return sum(each is None for each in found.values())


if __name__ == "__main__":
    main()
