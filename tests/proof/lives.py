"""Lives of the whole server, each a process of its own, watched from outside or left alone.

A mother process has loaded everything once and forks, so that a life costs a tenth of what ``twistd`` takes to start;
what it then runs is what ``twistd`` runs: the service, on the real reactor, at real ports. `Order.twistd` takes the
real one. The mother is a program of its own (``python -m tests.proof.lives DESCRIPTOR``) with one thread, since it
forks, and with the product that lies in its working folder, which may be one that was broken on purpose.
"""

import gc
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.proof.ptrace import be_watched, follow
from tests.proof.watching import Point, Seen, Trouble, Watch

ROOT = Path(__file__).parents[2]
# A life that does not end in so many seconds after it was told to is a defect.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """One life in the site *root*: *record* keeps its calls, *point* is where it ends, *trouble* what it meets.

    It is the life of the server, or one that carries out *commands* (what follows ``mailsuite`` in each).
    """

    root: str
    record: bool = False
    point: Point | None = None
    trouble: Trouble | None = None
    twistd: bool = False
    commands: tuple[tuple[str, ...], ...] = ()

    @property
    def watched(self) -> bool:
        """Whether somebody looks at its calls."""
        return self.record or self.point is not None or self.trouble is not None


class Lives:
    """Starts one life after the other; a context manager. *product* is the folder with the package to run."""

    def __init__(self, product: Path = ROOT) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "tests.proof.lives", str(theirs.fileno())]
        self._mother = subprocess.Popen(command, cwd=product, env=environment, pass_fds=[theirs.fileno()])
        theirs.close()
        self._pipe = Connection(ours.detach())
        self._pid = 0

    def __enter__(self) -> "Lives":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pid:
            self.kill()
        self._pipe.close()
        self._mother.wait(PATIENCE)

    def begin(self, order: Order) -> None:
        """Begin a life; it is not yet known whether it can serve."""
        self._pipe.send(order)
        self._pid = self._received(PATIENCE)

    @property
    def over(self) -> bool:
        """Whether it has come to its end by itself, or at its point."""
        return self._pipe.poll()

    def stop(self) -> Seen:
        """Ask it to stop in good order (SIGTERM), unless it has ended."""
        return self._end(signal.SIGTERM)

    def kill(self) -> Seen:
        """End it as a crash does (SIGKILL)."""
        return self._end(signal.SIGKILL)

    def end(self) -> Seen:
        """Wait for its own end."""
        return self._end()

    def _end(self, number: int = 0) -> Seen:
        with suppress(ProcessLookupError):
            if number and not self.over:
                os.kill(self._pid, number)
        if not self._pipe.poll(PATIENCE):
            os.kill(self._pid, signal.SIGKILL)
            raise AssertionError(f"a life does not end within {PATIENCE} seconds")
        self._pid = 0
        seen: Seen = self._received(PATIENCE)
        return seen

    def _received(self, seconds: float) -> Any:
        if not self._pipe.poll(seconds):
            raise AssertionError("the process that starts servers says nothing")
        return self._pipe.recv()


# In the mother


def main(descriptor: int) -> None:
    """Carry out orders until there are no more."""
    pipe = Connection(descriptor)
    _load()
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        pid = os.fork()
        if pid == 0:
            pipe.close()
            _live(order)
        pipe.send(pid)
        pipe.send(_watched(order, pid))


def _watched(order: Order, pid: int) -> Seen:
    if not order.watched:
        return Seen(os.waitpid(pid, 0)[1])
    watch = Watch(order.root, order.record, order.point, order.trouble)
    watch.seen.status = follow(pid, watch)
    return watch.seen


def _load() -> None:
    """Load all that a server will need; what it hashes to have something to compare with is hashed once for all."""
    import mailsuite.app as app
    import mailsuite.cli  # noqa: F401
    from mailsuite.directory.passwords import Passwords

    hashed = Passwords().hash("anything")

    class QuickPasswords(Passwords):
        def hash(self, password: str) -> str:
            return hashed

    setattr(app, "Passwords", QuickPasswords)  # noqa: B010
    gc.collect()
    gc.freeze()


def _live(order: Order) -> None:
    """Never returns."""
    status = 1
    try:
        log = os.open(f"{order.root}/../log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        if order.watched:
            be_watched()
        if order.twistd:
            _be_twistd(order.root)
        if order.commands:
            status = _carry_out(order.commands)
        else:
            _serve(f"{order.root}/mailsuite.toml")
            status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _be_twistd(root: str) -> None:
    program = str(Path(sys.executable).parent / "twistd")
    arguments = ["--nodaemon", "--pidfile=", "mailsuite", "--config", f"{root}/mailsuite.toml"]
    os.environ["PYTHONPATH"] = f"{os.getcwd()}:{ROOT}"
    os.execv(program, [program, *arguments])


def _carry_out(commands: Sequence[Sequence[str]]) -> int:
    """Return what the first of *commands* that fails ends with, as a shell sees it."""
    from mailsuite.cli import main as mailsuite

    for command in commands:
        try:
            mailsuite(list(command))
        except SystemExit as error:
            if error.code:
                return int(error.code)
    return 0


def _serve(config: str) -> None:
    from twisted.internet import reactor as anything
    from twisted.logger import globalLogBeginner, textFileLogObserver

    from mailsuite.app import make_service
    from mailsuite.config import load
    from mailsuite.tap import run_by_steady_time

    reactor: Any = anything
    # The mother's has her descriptors: this process needs a poller and a waker of its own.
    reactor.__init__()
    run_by_steady_time(reactor)
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    service: Any = make_service(load(Path(config)), reactor)
    service.privilegedStartService()
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
