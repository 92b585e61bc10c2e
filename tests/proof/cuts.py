"""A power cut at every moment of a life, and a server that starts with what the disk may hold then."""

import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.proof.account import Terms
from tests.proof.calls import Call, is_promise, promised
from tests.proof.crashes import Outcome, Runs
from tests.proof.disk import LEAST, MANNERS, Disk, Image, Manner
from tests.proof.workload import Journal, Offer, Removal
from tests.system.far_end import Taken


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment, and how the disk treats what was not synced then."""

    call: Call
    at: int
    manner: Manner

    @property
    def area(self) -> str:
        """The rule of the disk."""
        return f"{self.manner.rule} names"

    @property
    def label(self) -> str:
        """The last call before it."""
        return self.call.label


class Life:
    """One life that was written down, with all that its peers knew and when."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        runs.place.begin()
        self.disk = Disk(runs.place.root)
        self._journal = Journal()
        # The mark of a running service has the time of its start, or of a later barrier.
        self._began = time.time()
        seen = runs.live(runs.order(record=True), self._journal)
        assert seen.status == 0, runs.place.log
        self.calls: Sequence[Call] = sorted(seen.calls, key=lambda call: call.ended)
        self.disk.replay(self.calls)
        self._taken = list(runs.place.taken())
        self._seen: set[str] = set()

    def cuts(self) -> list[Cut]:
        """Return every moment at which something may be different, in every manner."""
        return [Cut(call, call.ended, manner) for manner in MANNERS for call in self.calls if not call.failed]

    def promises(self) -> list[Cut]:
        """Return the moments of promises, in the manners in which least is left of what was not synced.

        An import promises by its end.
        """
        last = self.calls[-1] if self._journal.brought else None
        return [cut for cut in self.cuts() if cut.manner in LEAST and (is_promise(cut.call) or cut.call is last)]

    def replay(self, cut: Cut, dice: random.Random) -> Outcome | None:
        """Start a server with what the cut has left, and make the account; ``None`` where that was done before."""
        image = self.disk.cut(cut.at, cut.manner, dice)
        journal, taken = self._known(cut)
        kept = sorted(name for name, offer in journal.offers.items() if offer.acknowledged)
        gone = [removal.promised for removal in journal.removals]
        state = f"{image.digest()} {kept} {len(taken)} {gone} {journal.brought}"
        if state in self._seen:
            return None
        self._seen.add(state)
        self._lay_out(image)
        findings = self._runs.recover(journal, [taken], Terms(damaged=True))
        return Outcome(cut.area, f"after {cut.call.label} ({cut.at}; {cut.manner})", True, findings)

    def _lay_out(self, image: Image) -> None:
        place = self._runs.place
        shutil.rmtree(place.folder / "life")
        place.root.mkdir(parents=True)
        image.write(place.root, self._began)

    def _known(self, cut: Cut) -> tuple[Journal, list[Taken]]:
        """Return what peers knew when the power went, and what next hops had got."""
        before = [call for call in self.calls if call.began < cut.at]
        kept = promised(before)
        known = Journal(brought=self._journal.brought and cut.call is self.calls[-1])
        for name, offer in self._journal.offers.items():
            text = b"250" if offer.id in kept else b""
            known.offers[name] = Offer(name, True, text, offer.id)
        gone = any(call.label == "unlink read mailbox" for call in before)
        goodbye = any(call.data.startswith(b"+OK Goodbye") for call in before)
        for removal in self._journal.removals:
            asked = removal.asked and gone
            text = b"+OK" if removal.asked and goodbye else b""
            known.removals.append(Removal(removal.user, removal.marked, asked, text))
        # What came while the last call was under way counts as not yet come: the server did not know of it.
        moment = max((call.at for call in before), default=0.0)
        return known, [taken for taken in self._taken if taken.at <= moment]
