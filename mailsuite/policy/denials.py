"""Who is refused by name: rules, each with lists of peers, HELO names, senders and recipients, and replies to them.

The checks are `mailsuite.policy.denied_peers` and its like; each looks at one of these lists. All of them judge a
RCPT, when everything is known that the log and its reader want to know (RFC 2505 §2.4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from mailsuite.address import ROLES
from mailsuite.case import Case
from mailsuite.domain_table import DomainTable
from mailsuite.envelope import Peer
from mailsuite.meaning import Foreign
from mailsuite.policy.address_table import AddressTable, written_pattern
from mailsuite.policy.networks import NetworkTable
from mailsuite.smtp import grammar
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.verdict import Verdict

Kind: TypeAlias = Literal["peer", "helo", "sender", "recipient"]
KINDS: tuple[Kind, ...] = get_args(Kind)

REACHED = Verdict(None, "postmaster and abuse of our own domains are reached by everybody")


class Entry(NamedTuple):
    """What stands in a list, as it was written, and what who fits it is told."""

    text: str
    reply: Reply


class Entries:
    """The lists of one rule. What was added first holds where two say the same."""

    def __init__(self) -> None:
        self.peers: NetworkTable[Entry] = NetworkTable()
        self.helos: DomainTable[Entry] = DomainTable()
        self.senders: AddressTable[Entry] = AddressTable()
        self.recipients: AddressTable[Entry] = AddressTable()
        self.count = 0

    def add(self, kind: Kind, text: str, reply: Reply) -> None:
        """Refuse by *reply* what *text* names. Raises `ValueError`, which says what was expected."""
        entry = Entry(text, reply)
        if kind == "peer":
            self.peers.add(text, entry)
        elif kind == "helo":
            self.helos.add(_written_helo(text), entry)
        elif kind == "sender":
            if text in ("", "<>"):
                # RFC 2505 §2.6.1: reports would not come back to our own users.
                raise ValueError("the null sender cannot be refused: it is that of reports")
            self.senders.add(text, entry)
        else:
            self.recipients.add(text, entry)
        self.count += 1


@dataclass(slots=True)
class DenyRule:
    """The rule *name*, for those peers for whom it *holds*. Its *entries* are replaced when they are read anew."""

    name: str
    entries: Entries
    holds: Callable[[Peer], bool]


def judged(
    rules: Sequence[DenyRule], case: Case, find: Callable[[Entries], Entry | None], what: str, passed: Verdict
) -> Verdict:
    """Return what the first of *rules* says that holds and in which *find* finds something; else *passed*."""
    for rule in rules:
        entry = find(rule.entries)
        if entry is not None and rule.holds(case.peer):
            if is_always_reached(case):
                return REACHED
            return Verdict(entry.reply, f"{what} is {entry.text} of [deny.{rule.name}]", f"deny.{rule.name}")
    return passed


def is_always_reached(case: Case) -> bool:
    """Say whether nobody may be kept from the recipient of *case*."""
    # RFC 5321 §4.5.1, RFC 2142 §4: who is refused by mistake must be able to say so.
    return case.recipient.key[0] in ROLES and not isinstance(case.meaning, Foreign)


def _written_helo(text: str) -> str:
    if text.startswith(".") and len(text) > 1:
        return written_pattern(text)
    if not grammar.is_host(text):
        raise ValueError(f"{text!r} is no name that can stand behind EHLO, nor .example.net for all below it")
    return text
