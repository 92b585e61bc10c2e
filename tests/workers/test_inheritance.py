"""What a process leaves to another one, and how that is started."""

import os
import socket
import sys
from typing import Any

import msgspec
import pytest
from twisted.logger import Logger, LogLevel, LogPublisher

from mailsuite.config import Settings
from mailsuite.config.tables.pop3 import Domain
from mailsuite.workers import log
from mailsuite.workers.inheritance import Socket, ToParent, ToWorker, leave, take
from mailsuite.workers.program import command, program

OPTIONS = {
    "logger": None, "syslog": 0, "prefix": "twisted", "logfile": None, "nodaemon": False, "pidfile": "twistd.pid",
    "rundir": ".",
}  # fmt: skip


def test_it_is_found_once() -> None:
    """Whole, with settings of every form; and descriptors that no other program inherits."""
    read, write = os.pipe()
    settings = Settings(hostname="mail.example.org", workers="auto", domains={"a.example": Domain(pop3_expire=30)})
    left = ToWorker(
        sockets=[Socket("mta", "tcp:25", read)], certificates={"a\nb": [b"chain", b"key"]}, lock=write, number=2,
        parent=os.getpid(), channel=write, settings=settings,
    )  # fmt: skip
    environment: dict[str, str] = {}
    leave(left, environment)
    assert os.get_inheritable(read)

    found = take(environment)

    assert isinstance(found, ToWorker) and msgspec.structs.replace(found, sockets=left.sockets) == left
    assert list(found.sockets) == left.sockets
    assert not os.get_inheritable(read) and not os.get_inheritable(write)
    assert environment == {} and take(environment) is None
    os.close(read)
    os.close(write)


def test_what_is_inherited_says_for_whom() -> None:
    """A parent's and a worker's are told apart."""
    environment: dict[str, str] = {}
    left = ToParent(
        sockets=[], certificates={}, lock=1, folders=("a", "b"), log=(1, 2), workers={7: 1}, going={}, pidfile="",
        configuration="",
    )  # fmt: skip
    leave(left, environment)
    found = take(environment)
    assert isinstance(found, ToParent) and found.workers == {7: 1} and not found.rehearsal


def test_a_rehearsal_has_no_lock() -> None:
    """It may outlive who has asked for it, and keeps nobody from the site then."""
    left = ToParent(
        sockets=[Socket("mta", "tcp:25", 5)], certificates={}, lock=6, folders=("a", "b"), log=(7, 8), workers={},
        going={}, pidfile="", configuration="",
    )  # fmt: skip

    assert sorted(left.descriptors) == [5, 6, 7, 8]
    assert sorted(msgspec.structs.replace(left, rehearsal=True).descriptors) == [5, 7, 8]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"nodaemon": True}, []),
        ({"nodaemon": True, "logfile": "-"}, ["--logfile=-"]),
        ({}, [f"--logfile={os.getcwd()}/twistd.log"]),
        ({"logfile": "/var/log/mail"}, ["--logfile=/var/log/mail"]),
        ({"syslog": 1, "prefix": "mail"}, ["--syslog", "--prefix=mail"]),
        ({"logger": "a.b"}, ["--logger=a.b"]),
    ],
)
def test_who_takes_our_place_logs_where_we_do(options: dict[str, Any], expected: list[str]) -> None:
    """And finds the configuration from any folder."""
    found = program("mailsuite.toml", {**OPTIONS, **options})

    fixed = ["--nodaemon", "--pidfile="]
    assert found.arguments == [*fixed, *expected, "mailsuite", "--config", f"{os.getcwd()}/mailsuite.toml"]
    assert found.rehearsal[-3:] == found.arguments[-3:] and not set(expected) & set(found.rehearsal)
    assert found.pidfile == f"{os.getcwd()}/twistd.pid"


def test_a_strange_folder_gives_no_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python looks into the current folder only where it does so for us."""
    monkeypatch.setattr(sys, "path", ["/lib"])
    assert command(["x"]) == [sys.executable, "-P", "-m", "mailsuite.workers", "x"]
    monkeypatch.setattr(sys, "path", ["", "/lib"])
    assert command(["x"]) == [sys.executable, "-m", "mailsuite.workers", "x"]


def test_what_workers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours with level and name, of Twisted's what is bad, and what has no form as it is; nobody waits for a reader."""
    read, write = log.pair()
    with socket.socket(fileno=write) as said, socket.socket(fileno=os.dup(write)) as error:
        monkeypatch.setattr(sys, "__stderr__", error.makefile("w"))
        observe = LogPublisher(log.observer())
        ours, theirs = Logger("mailsuite.queue", observer=observe), Logger("twisted.internet", observer=observe)
        ours.warn("{what} {end}", what="one", end="line\nand another")
        theirs.info("starting up")
        theirs.error("trouble")
        said.send(b"Fatal Python error\n[1, 2\n")
        heard: list[tuple[Any, str, str]] = []
        reader = log.WorkersLog(read, lambda *told: heard.append(told))
        reader.doRead()
        reader.doRead()

        process = f"process {os.getpid()}: "
        assert heard == [
            (LogLevel.warn, "mailsuite.queue", f"{process}one line\nand another"),
            (LogLevel.error, "twisted.internet", f"{process}trouble"),
            (LogLevel.warn, "", "Fatal Python error"),
            (LogLevel.warn, "", "[1, 2"),
        ]
        for _ in range(1000):
            ours.info("x" * 10_000)
        reader.close()
        ours.info("to nobody")
