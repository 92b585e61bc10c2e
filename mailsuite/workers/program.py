"""How this program is started once more: as a worker, or in the place of a parent."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HERE = ("--nodaemon", "--pidfile=")
_LOG_FILE = "--logfile="
# What a worker is started with: it stays where it is, and its parent keeps its log.
WORKER = (*_HERE, "--logger=mailsuite.workers.log.observer", "mailsuite")


@dataclass(frozen=True, slots=True)
class Program:
    """What takes our place: it reads the configuration file *config* and logs by the options *log* of twistd.

    It is in the background already, if we are, and is no root any more. *pidfile* is the one that twistd has written.
    """

    config: str
    log: Sequence[str] = ()
    pidfile: str = ""

    @property
    def arguments(self) -> list[str]:
        """What twistd is given for it."""
        return [*_HERE, *self.log, "mailsuite", "--config", self.config]

    @property
    def rehearsal(self) -> list[str]:
        """The same for who only says whether it could start, and if not, why."""
        return [*_HERE, "--logger=mailsuite.workers.log.complaints", "mailsuite", "--config", self.config]

    def check_log(self) -> None:
        """Raise `OSError` where it could not write its log: twistd opens that as root, and we may be root no more."""
        for option in self.log:
            _, is_file, path = option.partition(_LOG_FILE)
            if is_file and path != "-":
                os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644))


def program(config: str, twistd: Mapping[str, Any]) -> Program:
    """Return the program that was started with the options of *twistd* for the configuration file *config*.

    To be called before twistd changes its folder.
    """
    log: list[str] = []
    if twistd.get("logger"):
        log.append(f"--logger={twistd['logger']}")
    elif twistd.get("syslog"):
        log += ["--syslog", f"--prefix={twistd['prefix']}"]
    elif twistd.get("logfile") == "-":
        log.append(f"{_LOG_FILE}-")
    elif twistd.get("logfile") or not twistd.get("nodaemon"):
        log.append(f"{_LOG_FILE}{os.path.abspath(twistd['logfile'] or 'twistd.log')}")
    pidfile = twistd.get("pidfile") or ""
    if pidfile:
        pidfile = os.path.abspath(os.path.join(twistd["rundir"], pidfile))
    return Program(os.path.abspath(config), log, pidfile)


def command(arguments: Sequence[str]) -> list[str]:
    """Return what runs twistd of this installation with *arguments*."""
    here = os.getcwd()
    # Python would look for modules in the current folder first: only where it does so for us.
    safe = [] if "" in sys.path or here in sys.path else ["-P"]
    return [sys.executable, *safe, "-m", "mailsuite.workers", *arguments]
