"""What a check of the policy says of a recipient."""

from dataclasses import dataclass

from mailsuite.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Verdict:
    """Accepted, or the *refusal* that the peer is told; *reason* says in a sentence why, for people.

    *rule* is the table of the configuration that decided (``deny.NAME``, ``relay.NAME``), empty where none did.
    """

    refusal: Reply | None
    reason: str
    rule: str = ""
