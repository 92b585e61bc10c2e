"""Following an alias to its mailboxes: nested aliases, loops, addresses elsewhere, limits that no alias outgrows."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from mailsuite.address import Address
from mailsuite.directory.records import AddressRecord
from mailsuite.meaning import Broken, Mailbox, Mailboxes, Meaning, Refused, Suspended

# Addresses that are followed for one alias, and how deep aliases of aliases go.
MEMBERS = 1000
DEPTH = 20

Look: TypeAlias = Callable[[Address], Awaitable[AddressRecord | None]]
IsRemote: TypeAlias = Callable[[Address], Awaitable[bool]]


class Expansion:
    """Follows one record. A member that cannot be reached does not keep the mail from the others.

    *is_remote* says of a member that its mail does not end here, so that nothing more is known of it. *now* is POSIX
    time: a record that has a reply of its own then leads nowhere.
    With *suspended_too*, suspended mailboxes get it as well.
    """

    def __init__(self, look: Look, is_remote: IsRemote, now: float, suspended_too: bool = False) -> None:
        self._look = look
        self._is_remote = is_remote
        self._now = now
        self._suspended_too = suspended_too
        self._mailboxes: dict[Mailbox, None] = {}
        self._onward: dict[Address, None] = {}
        self._done: set[int] = set()
        self._followed = 0
        self._suspended = False
        self._refused: Refused | None = None
        self._deepest = 0
        self._trouble = Broken("")
        self._too_large = ""

    @property
    def deepest(self) -> int:
        """How deep below what was followed the deepest alias was met: 0 where it was the only one."""
        return self._deepest

    async def meaning(self, record: AddressRecord) -> Meaning:
        """Say where *record* leads."""
        await self._follow(record, ())
        if self._too_large:
            return Broken(self._too_large, "far")
        if self._mailboxes or self._onward:
            return Mailboxes(tuple(self._mailboxes), tuple(self._onward))
        if self._refused is not None:
            return self._refused
        if self._suspended:
            return Suspended()
        return self._trouble

    async def _follow(self, record: AddressRecord, above: tuple[int, ...]) -> None:
        refused = record.refused(self._now)
        if refused is not None:
            self._refused = self._refused or refused
            return
        # An alias that names itself, at any depth, means its own mailbox there: so a user keeps a copy.
        if not record.targets or record.id in above:
            self._keep(record)
        elif len(above) >= DEPTH:
            self._too_large = f"aliases are nested deeper than {DEPTH}"
        elif record.id not in self._done:
            self._done.add(record.id)
            self._deepest = max(self._deepest, len(above))
            await self._follow_targets(record, (*above, record.id))

    async def _follow_targets(self, record: AddressRecord, above: tuple[int, ...]) -> None:
        for target in record.targets:
            self._followed += 1
            if self._followed > MEMBERS:
                self._too_large = f"the alias leads to more than {MEMBERS} addresses"
            if self._too_large:
                return
            if await self._is_remote(target):
                self._onward[target] = None
                continue
            member = await self._look(target)
            if member is None:
                self._trouble = Broken(f"{target} is in an alias and does not exist", "nowhere")
            else:
                await self._follow(member, above)

    def _keep(self, record: AddressRecord) -> None:
        if record.mailbox is None:
            self._trouble = Broken("aliases form a loop")
        elif record.suspended and not self._suspended_too:
            self._suspended = True
        else:
            self._mailboxes[record.mailbox] = None
