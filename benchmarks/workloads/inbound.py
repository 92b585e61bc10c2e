"""W1: mail in from other servers into Maildirs, counted where it landed."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.loads.smtp import Load, send
from benchmarks.peers.peer import INBOUND, Peer, address
from benchmarks.workloads.workload import Case, Scale, Workload, using, wait_for

# So many that a server which removes a file for each has begun to pay for that.
_MESSAGES = 5000
# Beside 20 connections: one is slow, and needs fewer to be steady.
_LONE_SHARE = 0.12
_MIB = 1 << 20
_SIZES = {4096: "4 KiB", 65536: "64 KiB", _MIB: "1 MiB"}
_MANY = "many"
_MOST = 100


@dataclass(frozen=True)
class InboundCase(Case):
    """*user* gets it, and where there are more *recipients*, mailboxes whose names are a number and *user*."""

    user: str
    messages: int
    size: int = 4096
    connections: int = 20
    reuse: bool = True
    recipients: int = 1

    def users(self) -> Sequence[str]:
        """Return in whose mailboxes it lands."""
        return Load(self.user, 1, recipients=self.recipients).addresses()


def case_name(size: int, connections: int, reuse: bool, recipients: int = 1) -> str:
    """Return what the case is called in the table."""
    many = f", {recipients} recipients" if recipients > 1 else ""
    return f"{_SIZES[size]}, {connections} {'reused' if reuse else 'new'}{many}"


def _case(scale: Scale, messages: int, size: int, connections: int, reuse: bool, recipients: int = 1) -> InboundCase:
    name = case_name(size, connections, reuse, recipients)
    user = f"w{size}c{connections}{'r' if reuse else 'n'}" if recipients == 1 else _MANY
    return InboundCase(name, INBOUND, scale, user, messages, size, connections, reuse, recipients)


class Inbound(Workload[InboundCase]):
    """``smtp-source`` to the server, until the last message lies in its Maildir."""

    name = "inbound"
    title = "W1: mail in"
    note = (
        "Messages a second, and microseconds of CPU a message; where there are several recipients, of each of them."
        " *in all*: memory after the run. *new*: a connection for each message, *reused*: kept open."
    )

    @classmethod
    def all_cases(cls) -> Sequence[InboundCase]:
        """See `Workload.all_cases`."""
        cases = [
            _case(
                Scale.QUICK if connections == 20 else Scale.CORE,
                round(_MESSAGES * (1 if connections > 1 else _LONE_SHARE)), 4096, connections, reuse,
            )
            for connections in (1, 20, 100)
            for reuse in (False, True)
        ]  # fmt: skip
        cases += [_case(Scale.CORE, 800, 65536, 20, True), _case(Scale.CORE, 100, _MIB, 20, True)]
        cases += [_case(Scale.FULL, 800, 65536, 20, False), _case(Scale.FULL, 100, _MIB, 20, False)]
        cases += [_case(Scale.FULL, 300, 65536, 1, True), _case(Scale.FULL, 60, _MIB, 1, True)]
        cases += [_case(Scale.CORE, 300, 4096, 20, True, 10), _case(Scale.CORE, 60, 4096, 20, True, _MOST)]
        return cases

    def users(self) -> Sequence[str]:
        """See `Workload.users`."""
        return list(dict.fromkeys(user for case in self.cases for user in case.users()))

    def measure(self, peer: Peer, case: InboundCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        users = case.users()
        messages = self.messages(peer, case.messages)
        load = Load(address(case.user), messages, case.size, case.connections, case.reuse, case.recipients)
        copies = messages * case.recipients
        before = peer.landed(users)

        def work() -> None:
            send(peer.smtp_port, load)
            wait_for(lambda: peer.landed(users) - before, copies, "messages have landed")

        figures = using(peer, work).each(copies)
        # Large ones are not to lie in memory.
        return {**figures, "mib": peer.memory_kib() / 1024} if case.size > 4096 else figures
