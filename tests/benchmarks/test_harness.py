"""The order of samples, and what becomes of them when something fails."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Self

import pytest

from benchmarks import machine
from benchmarks.harness import Harness, Plan
from benchmarks.peers.peer import Peer
from benchmarks.results import Results
from benchmarks.workloads.workload import Case, Scale, Workload, wait_for


class _Still(Peer):
    """A server that needs no process."""

    roles = frozenset({"inbound"})

    @classmethod
    def missing(cls) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        return "1"

    def configure(self) -> None:
        """Nothing is written."""

    def command(self) -> Sequence[str | Path]:
        return []

    def maildir(self, user: str) -> Path:
        return self.folder / user

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        _Work.ended.append(self.name)


class _Ours(_Still):
    name = "mailsuite"


class _Theirs(_Still):
    name = "postfix"


class _Broken(_Still):
    name = "exim"

    def __enter__(self) -> Self:
        raise RuntimeError("it does not start")


class _Work(Workload[Case]):
    """Tells what was asked of it; *disturb* may do more."""

    name = "inbound"
    title = "Work"
    note = "None."
    asked: ClassVar[list[str]] = []
    ended: ClassVar[list[str]] = []
    disturb: ClassVar[list[Callable[[str], object]]] = []

    @classmethod
    def all_cases(cls) -> Sequence[Case]:
        return [Case("a", "inbound", Scale.QUICK), Case("b", "inbound", Scale.CORE), Case("c", "inbound", Scale.FULL)]

    def measure(self, peer: Peer, case: Case, turn: int) -> dict[str, float]:
        what = f"{turn} {case.name} {peer.name}"
        self.asked.append(what)
        for each in self.disturb:
            each(what)
        return {"rate": 1.0}


class _Alone(_Work):
    alone = True


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(machine, "facts", lambda folder: {})
    _Work.asked.clear()
    _Work.ended.clear()
    yield
    _Work.disturb.clear()


def _run(
    tmp_path: Path, *peers: type[Peer], rounds: int = 1, kind: type[Workload[Case]] = _Work
) -> tuple[Results, list[int]]:
    kept: list[int] = []
    plan = Plan([kind], peers, rounds, Scale.CORE, folder=tmp_path)
    harness = Harness(plan, lambda results: kept.append(len(results.samples)), lambda text: None)
    results = harness.run()
    assert list(tmp_path.iterdir()) == []
    return results, kept


def test_every_second_round_goes_backwards(tmp_path: Path) -> None:
    """So that nobody always comes after the same."""
    results, _ = _run(tmp_path, _Ours, _Theirs, rounds=2)

    forwards = ["a mailsuite", "a postfix", "b mailsuite", "b postfix"]
    assert _Work.asked == [f"0 {each}" for each in forwards] + [f"1 {each}" for each in reversed(forwards)]
    assert results.complete
    assert len(results.samples) == 8


def test_steps_are_counted_before(tmp_path: Path) -> None:
    """A bar that ends elsewhere than at its end tells nothing."""
    plan = Plan([_Work], [_Ours, _Theirs], 3, Scale.CORE, folder=tmp_path)
    harness = Harness(plan, lambda results: None, lambda text: None)
    assert harness.steps() == 12
    harness.run()
    assert len(_Work.asked) == 12


class _FullOnly(_Work):
    @classmethod
    def all_cases(cls) -> Sequence[Case]:
        return [Case("c", "inbound", Scale.FULL)]


def test_nothing_is_started_for_no_case(tmp_path: Path) -> None:
    """A workload of the full table, in the usual one."""
    results, _ = _run(tmp_path, _Ours, kind=_FullOnly)
    assert (_Work.asked, _Work.ended, results.complete) == ([], [], True)


def test_servers_end_with_their_workload(tmp_path: Path) -> None:
    """The last one first."""
    _run(tmp_path, _Ours, _Theirs)
    assert _Work.ended == ["postfix", "mailsuite"]


def test_each_has_the_machine_to_itself_where_that_is_asked(tmp_path: Path) -> None:
    """Memory that was freed would hide what is needed."""
    _run(tmp_path, _Ours, _Theirs, kind=_Alone)
    assert _Work.ended == ["mailsuite", "postfix", "mailsuite", "postfix"]


def test_a_failure_spoils_no_other_sample(tmp_path: Path) -> None:
    """And is told; whoever failed is not asked the same again."""

    def disturb(what: str) -> None:
        if what.endswith("a postfix"):
            raise RuntimeError("it hung up")

    _Work.disturb.append(disturb)
    results, _ = _run(tmp_path, _Ours, _Theirs, rounds=2)

    (trouble,) = results.troubles
    assert (trouble.case, trouble.peer, trouble.turn, trouble.text) == ("a", "postfix", 0, "RuntimeError: it hung up")
    assert len(results.samples) == 6
    assert "1 a postfix" not in _Work.asked
    assert results.complete


def test_who_does_not_start_is_told_and_left_out(tmp_path: Path) -> None:
    """The others go on."""
    results, _ = _run(tmp_path, _Ours, _Broken)

    assert [(each.peer, each.text) for each in results.troubles] == [("exim", "it does not start")]
    assert {sample.peer for sample in results.samples} == {"mailsuite"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_there_is_is_kept_when_a_signal_comes(tmp_path: Path, number: signal.Signals) -> None:
    """A second one does not disturb the ending; all servers end, and handlers are as before."""
    before = signal.getsignal(number)

    def disturb(what: str) -> None:
        if what == "0 b mailsuite":
            os.kill(os.getpid(), number)

    _Work.disturb.append(disturb)
    results, kept = _run(tmp_path, _Ours, _Theirs, rounds=2)

    assert not results.complete
    assert [sample.case for sample in results.samples] == ["a", "a"]
    assert kept[-1] == 2
    assert _Work.ended == ["postfix", "mailsuite"]
    assert signal.getsignal(number) == before


def test_it_waits_no_longer_than_nothing_comes() -> None:
    """A count that stands still is an answer."""
    with pytest.raises(RuntimeError, match="2 of 3 messages"):
        wait_for(lambda: 2, 3, "messages", stalled=0.0)


def test_more_than_were_sent_is_wrong_too() -> None:
    """Something was delivered twice, or a sample before it was not over."""
    with pytest.raises(RuntimeError, match="1 messages more"):
        wait_for(lambda: 4, 3, "messages")
