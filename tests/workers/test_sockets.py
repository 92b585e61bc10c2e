"""The listening sockets of a parent, and of the one that takes its place."""

import os
import socket
from pathlib import Path

import pytest

from mailsuite.config.tables.listen import Listener
from mailsuite.transport.ports import CannotListen
from mailsuite.workers.inheritance import Socket
from mailsuite.workers.sockets import Sockets
from tests.transport.loop import finish, reactor

TCP = "tcp:0:interface=127.0.0.1"


def listener(*endpoints: str) -> Listener:
    """Return the settings of a listener."""
    return Listener(service="lmtp", endpoint=list(endpoints))


def handed_over(sockets: Sockets) -> list[Socket]:
    """Return what another process has of *sockets*."""
    return [Socket(each.name, each.endpoint, os.dup(each.fd)) for each in sockets.bound]


def is_open(fd: int) -> bool:
    """Say whether *fd* is a listening socket."""
    try:
        with socket.socket(fileno=os.dup(fd)) as found:
            return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


def test_what_is_bound_is_taken_over_and_what_is_new_is_bound(tmp_path: Path) -> None:
    """The same sockets, in the order of the configuration; what nobody wants any more is closed when it is sure."""
    one, two, three = (f"unix:{tmp_path / name}" for name in ("one", "two", "three"))
    before = Sockets(reactor, {"a": listener(TCP, one), "b": listener(two)}, ())
    before.bind()
    inherited = handed_over(before)
    after = Sockets(reactor, {"b": listener(two, three), "a": listener(TCP)}, inherited)
    after.bind()

    names = [(each.name, each.endpoint) for each in after.bound]
    assert names == [("b", two), ("b", three), ("a", TCP)]
    assert after.bound[2].fd == inherited[0].fd
    assert is_open(inherited[1].fd) and (tmp_path / "one").exists()
    after.close_unwanted()
    assert not is_open(inherited[1].fd) and not (tmp_path / "one").exists()
    assert (tmp_path / "two").exists() and (tmp_path / "three").exists()
    finish(after.close())
    assert not any(is_open(each.fd) for each in inherited)
    assert not list(tmp_path.iterdir())
    # (Its paths are gone by now.)
    finish(before.close())


def test_a_rehearsal_leaves_all_as_it_was(tmp_path: Path) -> None:
    """What it has bound it closes, and nothing else."""
    one, two = (f"unix:{tmp_path / name}" for name in ("one", "two"))
    before = Sockets(reactor, {"a": listener(one)}, ())
    before.bind()
    inherited = handed_over(before)
    rehearsal = Sockets(reactor, {"b": listener(two)}, inherited)
    rehearsal.bind()
    finish(rehearsal.close_new())

    assert is_open(inherited[0].fd)
    assert {path.name for path in tmp_path.iterdir()} == {"one", "one.lock"}
    os.close(inherited[0].fd)
    finish(before.close())


def test_what_cannot_be_bound_is_told() -> None:
    """With the listener's name."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sockets = Sockets(reactor, {"a": listener(f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1")}, ())
        with pytest.raises(CannotListen, match=r"\[listen\.a\]"):
            sockets.bind()
