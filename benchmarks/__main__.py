"""``make bench``, ``make bench-peers``: what the suite costs, alone or beside servers of other makes.

Servers take turns in every round; figures are medians, ratios those of one round. Trust ratios and CPU per message
before messages a second: the load shares the machine with the servers. What is measured so far is kept after each
sample, also when the run is cut short (Ctrl-C).
"""

import argparse
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import rich.table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import peers, workloads
from benchmarks.harness import Harness, Plan
from benchmarks.peers.peer import Peer
from benchmarks.peers.suite import Suite
from benchmarks.results import OURS, Results
from benchmarks.tables import Table, goal_table, workload_tables
from benchmarks.workloads.workload import Scale

_ROUNDS = 3
# Of what is not shown on a terminal.
_WIDTH = 140
# Of what is told of a failure; the file has all of it.
_LONGEST = 400
# What of the usual number of messages is sent for a first look.
_QUICK_SHARE = 0.25


def main() -> int:
    """Measure, keep the figures, and print tables. 1: something that was to be measured was not."""
    options = read_options()
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    console = Console()
    shown = console.is_terminal
    if not shown:
        console = Console(width=_WIDTH)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The servers inherit this.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 30_000)), hard))
    plan = plan_of(options)
    for name, why in plan.absent.items():
        console.print(f"Without {name}: {why}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None)
        done = -1

        def told(text: str) -> None:
            progress.update(bar, description=text)
            if not shown:
                print(text, file=sys.stderr, flush=True)

        def keep(results: Results) -> None:
            nonlocal done
            done += 1
            progress.update(bar, completed=done)
            if options.json:
                results.write(options.json)

        harness = Harness(plan, keep, told)
        progress.update(bar, total=harness.steps(), completed=0)
        results = harness.run()
    for table in (*workload_tables(results), goal_table(results, reached_only=True)):
        if table.rows:
            _show(console, table)
    for trouble in results.troubles:
        where = f"{trouble.workload}, {trouble.case}, {trouble.peer}, round {trouble.turn + 1}"
        # What a server says when it ends at once has its reason in its last line.
        text = trouble.text if len(trouble.text) < _LONGEST else f"... {trouble.text[-_LONGEST:]}"
        console.print(f"Not measured: {where}: {text}", highlight=False, markup=False)
    ours = any(trouble.peer == OURS for trouble in results.troubles)
    return 0 if results.complete and not ours else 1


def _show(console: Console, table: Table) -> None:
    shown = rich.table.Table(*table.header, title=table.title, caption=table.note.replace("*", ""))
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)


def plan_of(options: argparse.Namespace) -> Plan:
    """Return what is to be measured."""
    scale = Scale.QUICK if options.quick else Scale.FULL if options.full else Scale.CORE
    named = options.peers or [peer.name for peer in peers.ALL if scale == Scale.FULL or not peer.full_only]
    wanted = [peer for peer in peers.ALL if peer is Suite or (peer.name in named and not options.alone)]
    absent = {peer.name: why for peer in wanted if (why := peer.missing())}
    chosen = [each for each in workloads.ALL if not options.only or each.name in options.only]
    absent |= {each.name: why for each in chosen if (why := each.missing())}
    present: Sequence[type[Peer]] = [peer for peer in wanted if peer.name not in absent]
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    share = options.share or (_QUICK_SHARE if options.quick else 1.0)
    # What is named is wanted, though it is no part of the usual table.
    if options.only and not options.quick:
        scale = max(scale, *(min(case.scale for case in each.all_cases()) for each in chosen))
    return Plan(chosen, present, rounds, scale, share, options.case, options.dir, absent)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what is asked of the command by *arguments*, by default its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [each.name for each in workloads.ALL]
    parser.add_argument("--only", nargs="+", choices=names, metavar="WORKLOAD", help=f"some of {', '.join(names)}")
    parser.add_argument(
        "--case", nargs="+", default=(), metavar="TEXT", help='cases with TEXT in their names alone: "20 new"'
    )
    others = [each.name for each in peers.ALL if each is not Suite]
    parser.add_argument("--peers", nargs="+", choices=others, metavar="PEER", help=f"some of {', '.join(others)}")
    parser.add_argument("--alone", action="store_true", help="the suite alone")
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--quick", action="store_true", help="a first look: one round, few cases, a quarter of the mail")
    much.add_argument("--full", action="store_true", help="everything: hours, and some ten GiB of disk")
    parser.add_argument("--rounds", type=_count, help=f"rounds, of which medians are shown (default: {_ROUNDS})")
    parser.add_argument("--share", type=_share, help="which share of the usual number of messages (default: 1)")
    parser.add_argument("--dir", type=_folder, help="a folder on the disk to be measured (default: the temporary one)")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number <= 10:
        raise argparse.ArgumentTypeError("above 0, and at most 10")
    return number


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
