"""``make bench-check``: whether the suite's CPU per message has grown against what is recorded.

CPU is told as a ratio to the turn of a loop that is always the same work and is measured in the same run, so that
a slow machine is not taken for slow code. Exit code 1: something costs more than it may.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import workloads
from benchmarks.calibration import calibrate
from benchmarks.calls import count
from benchmarks.harness import Harness, Plan
from benchmarks.peers.suite import Suite
from benchmarks.results import OURS, Results
from benchmarks.workloads.workload import Scale

RECORD = Path(__file__).with_name("recorded.json")
# What may be on top of what is recorded: kernels and disks do not share the loop's speed.
TOLERANCE = 1.25
# Of calls, which are the same on every machine; it leaves room for another Python and another Twisted.
CALLS_TOLERANCE = 1.1
_ROUNDS = 3
_WORKLOADS = ("inbound", "relay", "submission", "pop3")
CASES = frozenset(
    {
        ("inbound", "4 KiB, 20 new"), ("inbound", "4 KiB, 20 reused"), ("relay", "4 KiB, 20 reused"),
        ("submission", "1 message"), ("pop3", "logins"), ("pop3", "read 5,000"),
    }
)  # fmt: skip


class Record(msgspec.Struct):
    """What is usual: *cpu* in turns of the loop, and *calls*, for each piece of work."""

    cpu: dict[str, float]
    calls: dict[str, float]


def main() -> int:
    """Measure and compare, or write down what is usual from now on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write down what is found as what is usual")
    parser.add_argument("--record-calls", action="store_true", help="the same for function calls, and nothing else")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"rounds (default: {_ROUNDS})")
    options = parser.parse_args()
    if options.record_calls:
        with tempfile.TemporaryDirectory(prefix="mailsuite-bench-") as folder:
            record(calls=count(Path(folder)))
        return 0
    if options.record:
        record(cpu=_measured(options.rounds))
        return 0
    usual = read().cpu
    if not usual:
        print(f"{RECORD} has nothing to compare with: --record, on a quiet machine, writes it", file=sys.stderr)
        return 1
    found = _measured(options.rounds)
    worse = grown(found, usual, TOLERANCE)
    for name, value in found.items():
        mark = "  MORE THAN IT MAY" if name in worse else ""
        print(f"{name:30} {value:8.1f} turns of the loop, usually {usual.get(name, 0):8.1f}{mark}")
    lost = sorted(usual.keys() - found.keys())
    for name in lost:
        print(f"{name:30} was not measured")
    return 1 if worse or lost else 0


def _measured(rounds: int) -> dict[str, float]:
    loops: list[float] = [calibrate()]

    def keep(results: Results) -> None:
        loops.append(calibrate())

    chosen = [each for each in workloads.ALL if each.name in _WORKLOADS]
    plan = Plan(chosen, [Suite], rounds, Scale.QUICK, 0.5)
    results = Harness(plan, keep, lambda text: print(f"  {text}", file=sys.stderr)).run()
    return turns(results, median(loops))


def turns(results: Results, loop: float) -> dict[str, float]:
    """Return the CPU for each message in turns of the loop, whose CPU in seconds is *loop*."""
    return {
        f"{workload}, {case}": median(values.values()) / (loop * 1e6)
        for workload in results.workloads()
        for case in results.cases(workload)
        if (workload, case) in CASES and (values := results.by_turn(workload, case, OURS, "cpu"))
    }


def grown(found: Mapping[str, float], usual: Mapping[str, float], tolerance: float) -> list[str]:
    """Return what costs more than *tolerance* times what is *usual*; what has no record is not compared."""
    return [name for name, value in found.items() if name in usual and value > usual[name] * tolerance]


def read() -> Record:
    """Return what is recorded."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Record)


def record(cpu: Mapping[str, float] | None = None, calls: Mapping[str, float] | None = None) -> None:
    """Record *cpu* or *calls* anew."""
    kept = read() if RECORD.exists() else Record({}, {})
    new = Record(dict(cpu or kept.cpu), dict(calls or kept.calls))
    rounded = Record(*({name: round(value, 1) for name, value in each.items()} for each in (new.cpu, new.calls)))
    RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(rounded), indent=1) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
