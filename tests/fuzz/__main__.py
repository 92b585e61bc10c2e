"""Long fuzzing of each target in turn: ``make fuzz``, or ``python -m tests.fuzz --seconds 600 smtp_server``.

What an input reaches for the first time is kept in ``build/fuzz``, where the next run goes on. An input that breaks
a promise is kept in ``build/fuzz/crashes``, and it is said how to see it again.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mailsuite.discover import parts
from tests.fuzz import targets
from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "fuzz"
CRASHES = WORK / "crashes"
TARGETS: dict[str, Target] = {target.name: target for target in parts(targets)}
# An input may take so long, and need so much memory; it may have so many octets.
LIMITS = ["-timeout=20", "-rss_limit_mb=1024", "-max_len=4096"]
# #1234 NEW cov: 56 ft: 78 corp: 9/1234b ...
_PROGRESS = re.compile(r"#(\d+)\s+\S+\s+cov: (\d+) ft: \d+ corp: (\d+)/")

console = Console()


@click.command()
@click.option("--seconds", default=300.0, show_default=True, help="For how long, shared by the targets.")
@click.option("--replay", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Run just these inputs, in this process.")  # fmt: skip
@click.argument("names", nargs=-1, metavar="[TARGET]...", type=click.Choice(sorted(TARGETS)))
def main(seconds: float, replay: Sequence[Path], names: Sequence[str]) -> None:
    """Fuzz TARGETs; all of them where none is named."""
    chosen = [TARGETS[name] for name in names or TARGETS]
    if replay:
        for target in chosen:
            for path in replay:
                target.run(path.read_bytes())
        console.print(f"{len(replay)} inputs keep every promise")
        return
    if importlib.util.find_spec("atheris") is None:
        raise click.ClickException("Atheris is not installed here; make fuzz installs it (Linux)")
    found = list(fuzz_all(chosen, seconds))
    if found:
        sys.exit(1)
    console.print(f"nothing was found; what was reached is kept in {_shown(WORK)}")


def fuzz_all(chosen: Sequence[Target], seconds: float) -> Iterable[Path]:
    """Fuzz one target after the other; yield the inputs that break a promise, and say what to do about them."""
    share = max(seconds / len(chosen), 1.0)
    texts = [TextColumn("{task.description:12}"), TextColumn("{task.fields[said]}")]
    with Progress(texts[0], BarColumn(), TimeRemainingColumn(), texts[1], console=console) as progress:
        for target in chosen:
            before = set(CRASHES.iterdir()) if CRASHES.is_dir() else set()
            task = progress.add_task(target.name, total=share, said="starts")
            output = fuzz(target, share, progress, task)
            if not console.is_terminal:
                # Nobody sees the bar move, but a log wants to be followed.
                progress.console.print(f"{target.name}: {progress.tasks[task].fields['said']}")
            crashes = sorted(set(CRASHES.iterdir()) - before)
            for crash in crashes:
                _tell(progress.console, target, crash, output)
            yield from crashes
            if output and not crashes:
                raise click.ClickException(f"{target.name} did not run:\n{output}")


def fuzz(target: Target, seconds: float, progress: Progress, task: TaskID) -> str:
    """Fuzz one target for so many seconds; return what it said last where it failed."""
    kept, seeds = WORK / target.name / "kept", WORK / target.name / "seeds"
    for folder in (kept, seeds, CRASHES):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.inputs()):
        (seeds / str(number)).write_bytes(data)
    command = [sys.executable, "-m", "tests.fuzz.engine", target.name, f"-max_total_time={int(seconds) or 1}", *LIMITS]
    command += [f"-dict={target.dictionary}", f"-artifact_prefix={CRASHES}/{target.name}-", str(kept), str(seeds)]
    said: list[str] = []
    begun = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="backslashreplace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if (now := _PROGRESS.match(line)) is None:
                said = [*said[-60:], line]
            else:
                text = f"{int(now[1]):,} inputs, {now[2]} branches, {now[3]} kept"
                progress.update(task, completed=min(time.monotonic() - begun, seconds), said=text)
    progress.update(task, completed=seconds)
    return "".join(said) if process.returncode else ""


def _tell(out: Console, target: Target, crash: Path, output: str) -> None:
    lines = [
        output,
        f"{target.name} breaks a promise with {_shown(crash)}. To see it again:",
        f"    .venv/bin/python -m tests.fuzz {target.name} --replay {_shown(crash)}",
        f"Once it is mended, let it stay so: mv {_shown(crash)} {_shown(target.folder)}/",
    ]
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _shown(path: Path) -> str:
    return os.path.relpath(path, ROOT)


if __name__ == "__main__":
    main()
