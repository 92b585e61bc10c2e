"""W2: mail through, from ``smtp-source`` to the server to ``smtp-sink``."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounts import RELAYED
from benchmarks.loads import sink
from benchmarks.loads.sink import Sink
from benchmarks.loads.smtp import Load, send
from benchmarks.peers.peer import RELAY, Ground, Peer
from benchmarks.workloads.workload import Case, Scale, Used, Workload, using, wait_for

_MESSAGES = 2000


@dataclass(frozen=True)
class RelayCase(Case):
    """So many *messages* over so many connections."""

    messages: int
    connections: int


class Relay(Workload[RelayCase]):
    """All connections are reused; it is over when the last message is in the sink."""

    name = "relay"
    title = "W2: mail through"
    note = "4 KiB. Messages a second, and microseconds of CPU a message, until the last one is in the sink."

    @classmethod
    def all_cases(cls) -> Sequence[RelayCase]:
        """See `Workload.all_cases`."""
        return [
            RelayCase("4 KiB, 20 reused", RELAY, Scale.QUICK, _MESSAGES, 20),
            RelayCase("4 KiB, 1 reused", RELAY, Scale.FULL, _MESSAGES // 4, 1),
            RelayCase("4 KiB, 100 reused", RELAY, Scale.FULL, _MESSAGES, 100),
        ]

    @classmethod
    def missing(cls) -> str:
        """See `Workload.missing`."""
        return sink.missing()

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`."""
        with ExitStack() as stack:
            self._sink = stack.enter_context(Sink(folder))
            yield self.start(stack, Ground(folder, self.users(), self._sink.port), peers)

    def measure(self, peer: Peer, case: RelayCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        messages = self.messages(peer, case.messages)
        return through(peer, self._sink, messages, case.connections).each(messages)


def through(peer: Peer, sink: Sink, messages: int, connections: int) -> Used:
    """Send *messages* through *peer* until the last is in *sink*. Raises `RuntimeError` if one does not come."""
    before = sink.taken()

    def work() -> None:
        send(peer.smtp_port, Load(f"somebody@{RELAYED}", messages, connections=connections))
        wait_for(lambda: sink.taken() - before, messages, "messages have come through")

    return using(peer, work)
