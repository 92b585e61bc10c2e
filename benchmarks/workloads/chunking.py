"""Mail in by BDAT (RFC 3030) beside the same by DATA: chunks are searched for no end mark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.loads.smtp import Load, send_by_bdat, send_by_data
from benchmarks.peers.peer import INBOUND, Peer, address
from benchmarks.workloads.workload import Case, Scale, Workload, using, wait_for

_MIB = 1 << 20


@dataclass(frozen=True)
class ChunkingCase(Case):
    """So many *messages* of *size*, sent by *load*."""

    load: Callable[[int, Load], None]
    size: int
    messages: int


class Chunking(Workload[ChunkingCase]):
    """A client of our own, 20 connections that are reused."""

    name = "chunking"
    title = "BDAT and DATA"
    note = "The suite alone, 20 connections that are reused. Messages a second, and microseconds of CPU a message."
    ours_alone = True

    @classmethod
    def all_cases(cls) -> Sequence[ChunkingCase]:
        """See `Workload.all_cases`."""
        loads = (("DATA", send_by_data), ("BDAT", send_by_bdat))
        sizes = ((4096, "4 KiB", 1000), (_MIB, "1 MiB", 200))
        return [
            ChunkingCase(f"{size_name} by {name}", INBOUND, Scale.FULL, load, size, messages)
            for size, size_name, messages in sizes
            for name, load in loads
        ]

    def users(self) -> Sequence[str]:
        """See `Workload.users`."""
        return list(dict.fromkeys(f"w{case.size}" for case in self.cases))

    def measure(self, peer: Peer, case: ChunkingCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        user = f"w{case.size}"
        messages = self.messages(peer, case.messages)
        before = peer.landed([user])

        def work() -> None:
            case.load(peer.smtp_port, Load(address(user), messages, case.size))
            wait_for(lambda: peer.landed([user]) - before, messages, "messages have landed")

        return using(peer, work).each(messages)
