"""The queue's thread: one transaction for all that wait, failures that hit nobody else; and it never dies."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.queue.errors import QueueError
from mailsuite.queue.writer import BATCH, TURNS, Joint, Work, Writer, WriterReactor
from tests.queue.queues import PATIENCE, Queues, ThreadClock, names


class Refusing(sqlite3.Connection):
    """A connection whose COMMIT fails as often as it was told to."""

    refusals = 0
    code = sqlite3.SQLITE_FULL

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.refusals:
            self.refusals -= 1
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = self.code
            raise error
        return super().execute(sql, *arguments)


class Chores:
    """A file with one table; counts what the thread does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: Refusing | None = None
        self.begun = 0
        self.rests = 0
        self.rest_trouble: Exception | None = None
        self.rested = Event()
        self.patience = PATIENCE
        self.closed = False

    def open(self) -> sqlite3.Connection:
        self.connection = sqlite3.connect(self.path, isolation_level=None, factory=Refusing)
        self.connection.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER)")
        return self.connection

    def each(self, connection: sqlite3.Connection) -> None:
        assert connection.in_transaction
        self.begun += 1

    def undone(self) -> None:
        self.begun -= 1

    def pause(self) -> float:
        return self.patience

    def rest(self, connection: sqlite3.Connection) -> None:
        self.rests += 1
        if self.rests > 1:
            self.rested.set()
        if self.rest_trouble is not None:
            raise self.rest_trouble

    def close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        self.closed = True


class World:
    """A started writer, and what came of what it was asked."""

    def __init__(self, path: Path) -> None:
        self.reactor = ThreadClock()
        self.chores = Chores(path)
        self.writer = Writer(cast(WriterReactor, self.reactor), self.chores)
        self.results: dict[int, object] = {}
        self.undone: list[int] = []

    def put(self, number: int, trouble: Exception | None = None, then: Callable[[Work], object] = bool) -> None:
        """Ask for a row with *number*, and perhaps for trouble after it."""

        def operation(work: Work) -> int:
            work.connection.execute("INSERT INTO t VALUES (?)", (number,))
            then(work)
            if trouble is not None:
                raise trouble
            return number

        done = self.writer.ask(operation, lambda: self.undone.append(number))
        done.addBoth(lambda result: self.results.__setitem__(number, result))

    def turn(self) -> None:
        """End the reactor's turn, and let the thread answer what it was given."""
        self.reactor.advance(0)
        self.reactor.threads.get(timeout=PATIENCE)()

    def rows(self) -> list[int]:
        """What is durable."""
        with sqlite3.connect(self.chores.path) as connection:
            return [number for (number,) in connection.execute("SELECT x FROM t ORDER BY x")]

    def errno(self, number: int) -> int | None:
        """How what was asked for failed."""
        failure = self.results[number]
        assert isinstance(failure, Failure)
        assert isinstance(failure.value, OSError)
        return failure.value.errno


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A started writer."""
    made = World(tmp_path / "t.sqlite")
    made.writer.start()
    yield made
    made.writer.stop()


def test_what_one_turn_brings_is_one_transaction(world: World) -> None:
    """And nobody is told before it is durable."""
    for number in range(5):
        world.put(number)
    assert world.results == {}
    world.turn()

    assert world.results == {number: number for number in range(5)}
    assert world.rows() == list(range(5))
    assert world.chores.begun == 1


def test_a_batch_has_a_limit(world: World) -> None:
    """Other processes wait for the end of a transaction; one more than fits is in the next."""
    for number in range(BATCH + 1):
        world.put(number)
    world.turn()
    assert len(world.results) == BATCH
    world.turn()

    assert len(world.results) == BATCH + 1
    assert world.chores.begun == 2


@pytest.mark.parametrize(
    ("trouble", "number"),
    [
        (OSError(errno.EDQUOT, "quota"), errno.EDQUOT),
        (ValueError("a bug"), errno.EIO),
        (sqlite3.IntegrityError("x"), errno.EIO),
    ],
)
def test_an_operation_that_fails_is_undone_alone(world: World, trouble: Exception, number: int) -> None:
    """Whatever it did is gone; the others of its transaction are kept."""
    world.put(1)
    world.put(2, trouble)
    world.put(3)
    world.turn()

    assert world.rows() == [1, 3]
    assert world.errno(2) == number
    assert (world.results[1], world.results[3], world.undone) == (1, 3, [2])


def test_two_that_fail_take_nobody_with_them(world: World) -> None:
    """The transaction begins anew behind the first of them; what comes after it comes once."""
    after: list[int] = []
    for number in range(5):
        trouble = ValueError("a bug") if number in (1, 3) else None
        call = partial(after.append, number)
        world.put(number, trouble, lambda work, call=call: work.after.append(call))  # type: ignore[misc]
    world.turn()

    assert world.rows() == after == [0, 2, 4]
    assert [world.errno(1), world.errno(3), world.undone] == [errno.EIO, errno.EIO, [1, 3]]
    assert world.chores.begun == 1


def joint(world: World, calls: list[list[int]], trouble: Exception | None = None) -> Joint[int]:
    """Return an operation that adds a row for each of its items, and perhaps fails then."""

    def operation(items: list[int], work: Work) -> None:
        calls.append(list(items))
        for number in items:
            work.connection.execute("INSERT INTO t VALUES (?)", (number,))
        if trouble is not None:
            raise trouble

    return Joint(operation, world.undone.extend)


def two(world: World, joint_ones: bool) -> None:
    """Ask for rows 1 and 2: each by an operation of its own, or both by one that they have joined in."""
    both = joint(world, [])
    for number in (1, 2):
        if joint_ones:
            world.writer.join(both, [number])
        else:
            world.put(number)


def test_who_is_alone_waits_for_nobody(world: World) -> None:
    """One operation after the other: each begins at the end of its turn."""
    for number in range(3):
        world.put(number)
        world.reactor.turn()
        world.reactor.threads.get(timeout=PATIENCE)()

    assert world.rows() == [0, 1, 2]


@pytest.mark.parametrize("joint_ones", [False, True])
def test_where_several_have_come_the_next_batch_waits_for_company(world: World, joint_ones: bool) -> None:
    """Some turns, that is; it is the same whether each has its own operation, or they have joined in one."""
    two(world, joint_ones)
    world.turn()
    for number in range(TURNS):
        world.put(10 + number)
        world.reactor.turn()
    world.reactor.turn()
    world.reactor.threads.get(timeout=PATIENCE)()

    assert world.rows() == [1, 2, *range(10, 10 + TURNS)]


@pytest.mark.parametrize("joint_ones", [False, True])
def test_several_wait_for_company(world: World, joint_ones: bool) -> None:
    """Whatever was before."""
    two(world, joint_ones)
    for _ in range(TURNS):
        world.reactor.turn()
    world.put(3)
    world.reactor.turn()
    world.reactor.threads.get(timeout=PATIENCE)()

    assert world.rows() == [1, 2, 3]


def test_nobody_is_waited_for_who_could_not_join(world: World) -> None:
    """What is to be alone begins in its turn, and so does what is before it; so does a batch that is full."""
    world.put(1)
    world.put(2)
    world.turn()
    world.put(3)
    world.writer.ask(lambda work: None, alone=True)
    for number in range(BATCH):
        world.put(10 + number)
    for _ in range(3):
        world.reactor.turn()
        world.reactor.threads.get(timeout=PATIENCE)()

    assert world.rows() == [1, 2, 3, *range(10, 10 + BATCH)]


def test_the_end_while_others_are_waited_for(world: World) -> None:
    """What waits is done, once, and the turns that come later do no harm."""
    world.put(1)
    world.put(2)
    world.reactor.turn()
    world.writer.stop()
    for _ in range(TURNS + 1):
        world.reactor.turn()
    world.reactor.threads.get(timeout=PATIENCE)()

    assert world.rows() == [1, 2]
    assert world.results == {1: 1, 2: 2}


def test_a_joint_operation_takes_all_that_the_thread_has_not_begun_with(world: World) -> None:
    """One call for what several brought; what comes after it was handed over is for the next."""
    calls: list[list[int]] = []
    both = joint(world, calls)
    told = [world.writer.join(both, items) for items in ([1, 2], [], [3])]
    world.reactor.advance(0)
    told.append(world.writer.join(both, [4]))
    world.reactor.threads.get(timeout=PATIENCE)()
    assert [each.called for each in told] == [True, True, True, False]
    world.turn()

    assert calls == [[1, 2, 3], [4]]
    assert told[3].called
    assert world.rows() == [1, 2, 3, 4]


def test_a_joint_operation_fails_for_all_of_its_items(world: World) -> None:
    """And for nobody else."""
    failing = joint(world, [], OSError(errno.EIO, "no"))
    told = [world.writer.join(failing, [1]), world.writer.join(failing, [2])]
    world.put(3)
    world.turn()

    failures: list[Failure] = []
    for each in told:
        each.addErrback(failures.append)
    assert (world.rows(), world.undone) == ([3], [1, 2])
    assert [failure.type for failure in failures] == [OSError, OSError]


def test_a_joint_operation_that_comes_too_late_is_undone(world: World) -> None:
    """As every other one, when the queue is closed."""
    world.writer.stop()
    failures: list[Failure] = []
    world.writer.join(joint(world, []), [1]).addErrback(failures.append)

    assert world.undone == [1]
    assert isinstance(failures[0].value, OSError)


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (sqlite3.SQLITE_FULL, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR, errno.EIO),
        (sqlite3.SQLITE_BUSY, errno.EAGAIN),
        (sqlite3.SQLITE_READONLY, errno.EROFS),
    ],
)
def test_a_commit_that_fails_keeps_nothing(world: World, code: int, number: int) -> None:
    """Everybody in the batch is told so, what was taken for it is given back, and the next batch has its own luck."""
    assert world.chores.connection is not None
    world.chores.connection.refusals, world.chores.connection.code = 1, code
    after: list[int] = []
    world.put(1, then=lambda work: work.after.append(lambda: after.append(1)))
    world.put(2)
    world.turn()
    assert (world.rows(), world.undone, after) == ([], [1, 2], [])
    assert [world.errno(1), world.errno(2)] == [number] * 2
    world.put(3, then=lambda work: work.after.append(lambda: after.append(3)))
    world.turn()

    assert (world.rows(), world.results[3], after) == ([3], 3, [3])


def test_sqlite_may_undo_all_by_itself(world: World) -> None:
    """For some troubles it rolls back the whole transaction in the middle: then nothing of the batch is kept."""

    def rolled_back(work: Work) -> None:
        work.connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    world.put(1)
    world.put(2, then=rolled_back)
    world.put(3)
    world.turn()

    assert world.rows() == []
    assert world.undone == [1, 2, 3]
    assert [world.errno(number) for number in (1, 2, 3)] == [errno.EIO] * 3


def test_the_thread_survives_what_comes_after(world: World) -> None:
    """A file that cannot be unlinked is no reason to stop."""

    def fail() -> None:
        raise OSError(errno.EACCES, "no")

    world.put(1, then=lambda work: work.after.append(fail))
    world.turn()
    world.put(2)
    world.turn()

    assert world.results == {1: 1, 2: 2}


def test_the_thread_survives_its_rest(tmp_path: Path) -> None:
    """It is called again and again while there is no work, and its troubles stop nothing."""
    world = World(tmp_path / "t.sqlite")
    world.chores.patience = 0.001
    world.chores.rest_trouble = sqlite3.OperationalError("disk I/O error")
    world.writer.start()
    assert world.chores.rested.wait(PATIENCE)
    world.put(1)
    world.turn()
    world.writer.stop()

    assert world.results == {1: 1}


def test_what_was_asked_for_is_done_before_the_end(world: World) -> None:
    """Also what no turn has handed over yet, and more than one batch of it."""
    for number in range(BATCH + 1):
        world.put(number)
    world.writer.stop()

    assert len(world.rows()) == BATCH + 1
    assert world.chores.closed
    world.put(-1)
    assert world.errno(-1) == errno.ESHUTDOWN
    assert world.undone == [-1]


def test_a_start_that_fails_is_raised_where_it_was_asked_for(tmp_path: Path) -> None:
    """And there is nothing to stop."""
    world = World(tmp_path / "t.sqlite")

    def fail() -> sqlite3.Connection:
        raise QueueError("no")

    world.chores.open = fail  # type: ignore[method-assign]
    with pytest.raises(QueueError, match="no"):
        world.writer.start()
    world.writer.stop()

    assert not world.chores.closed


def test_deferreds_are_the_callers(world: World) -> None:
    """Each has its own."""
    one, two = world.writer.ask(bool), world.writer.ask(bool)

    assert isinstance(one, Deferred)
    assert one is not two


def test_a_full_disk_keeps_no_half_message(queues: Queues) -> None:
    """In the queue itself: the file may not grow, large content neither; later it goes on."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example")

    def limit(pages: int) -> None:
        statement = f"PRAGMA max_page_count = {pages}"
        queues.wait(queue._writer.ask(lambda work: work.connection.execute(statement).close()))

    limit(1)
    for body in (b"x" * 900_000, b"x" * 2_000_000):
        with pytest.raises(OSError, match="full") as caught:
            queues.accept(queue, *(f"r{index}@d.example" for index in range(2000)), body=body)
        assert caught.value.errno == errno.ENOSPC
    assert queues.files() == []
    limit(1_000_000)
    queues.accept(queue, "eve@d.example")

    assert names(queues.claim(queue)) == ["bob@b.example", "eve@d.example"]
