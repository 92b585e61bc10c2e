"""What servers are made to do, a file each."""

from typing import Any

from benchmarks.workloads.backlog import Backlog
from benchmarks.workloads.chunking import Chunking
from benchmarks.workloads.growth import Growth
from benchmarks.workloads.idle import Idle
from benchmarks.workloads.imports import Imports
from benchmarks.workloads.inbound import Inbound
from benchmarks.workloads.known_logins import KnownLogins
from benchmarks.workloads.long_queue import LongQueue
from benchmarks.workloads.many_accounts import ManyAccounts
from benchmarks.workloads.pop3 import Pop3
from benchmarks.workloads.relay import Relay
from benchmarks.workloads.submission import Submission
from benchmarks.workloads.workload import Workload

ALL: tuple[type[Workload[Any]], ...] = (
    Inbound, Relay, Submission, Pop3, Idle, Growth, Chunking, Backlog, LongQueue, ManyAccounts,
    KnownLogins, Imports,
)  # fmt: skip
