"""W3: mail from users, who log in under TLS, counted where it landed."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.loads.submission import submit
from benchmarks.peers.peer import SUBMISSION, Peer
from benchmarks.workloads.workload import Case, Scale, Workload, using, wait_for

_CLIENTS = 20
_USER = "sender"


@dataclass(frozen=True)
class SubmissionCase(Case):
    """So many *sessions* of so many *messages*."""

    sessions: int
    messages: int


class Submission(Workload[SubmissionCase]):
    """20 clients; each session is a connection, STARTTLS, AUTH PLAIN, its messages, and QUIT."""

    name = "submission"
    title = "W3: submission with TLS and AUTH"
    note = (
        "4 KiB to one mailbox, 20 clients, P-256 certificates, a full handshake for each session. Logins or messages"
        " a second, and microseconds of CPU for each. The client is Python too and takes much of the machine, so that"
        " CPU tells more than the rate."
    )

    @classmethod
    def all_cases(cls) -> Sequence[SubmissionCase]:
        """See `Workload.all_cases`."""
        return [
            SubmissionCase("logins", SUBMISSION, Scale.QUICK, 600, 0),
            SubmissionCase("1 message", SUBMISSION, Scale.QUICK, 600, 1),
            SubmissionCase("10 messages", SUBMISSION, Scale.QUICK, 120, 10),
        ]

    def users(self) -> Sequence[str]:
        """See `Workload.users`."""
        return [_USER]

    def measure(self, peer: Peer, case: SubmissionCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        sessions = self.messages(peer, case.sessions)
        messages = sessions * case.messages
        before = peer.landed([_USER])

        def work() -> None:
            submit(peer.submission_port, _USER, sessions, case.messages, _CLIENTS)
            wait_for(lambda: peer.landed([_USER]) - before, messages, "messages have landed")

        return using(peer, work).each(messages or sessions)
