"""How this program is started once more: as a worker, or in the place of a parent."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What a worker is started with: it stays where it is, and its parent keeps its log.
WORKER = ("--nodaemon", "--pidfile=", "--logger=mailsuite.workers.log.observer", "mailsuite")


@dataclass(frozen=True, slots=True)
class Program:
    """*arguments* are what twistd is given by who takes our place; *pidfile* is the one that twistd has written."""

    arguments: Sequence[str]
    pidfile: str = ""


def program(config: str, twistd: Mapping[str, Any]) -> Program:
    """Return the program that was started with the options of *twistd* for the configuration file *config*.

    To be called before twistd changes its folder. Who takes our place is in the background already, and is no root.
    """
    arguments = ["--nodaemon", "--pidfile="]
    if twistd.get("logger"):
        arguments.append(f"--logger={twistd['logger']}")
    elif twistd.get("syslog"):
        arguments += ["--syslog", f"--prefix={twistd['prefix']}"]
    elif twistd.get("logfile") == "-":
        arguments.append("--logfile=-")
    elif twistd.get("logfile") or not twistd.get("nodaemon"):
        arguments.append(f"--logfile={os.path.abspath(twistd['logfile'] or 'twistd.log')}")
    pidfile = twistd.get("pidfile") or ""
    if pidfile:
        pidfile = os.path.abspath(os.path.join(twistd["rundir"], pidfile))
    return Program([*arguments, "mailsuite", "--config", os.path.abspath(config)], pidfile)


def command(arguments: Sequence[str]) -> list[str]:
    """Return what runs twistd of this installation with *arguments*."""
    here = os.getcwd()
    # Python would look for modules in the current folder first: only where it does so for us.
    safe = [] if "" in sys.path or here in sys.path else ["-P"]
    return [sys.executable, *safe, "-m", "mailsuite.workers", *arguments]
