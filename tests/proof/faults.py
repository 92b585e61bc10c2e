"""A server whose system calls fail: it says so to those whom it concerns, keeps what it has promised, and goes on."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.proof.account import Terms
from tests.proof.calls import Call, numbered
from tests.proof.crashes import Outcome, Runs
from tests.proof.watching import Trouble
from tests.proof.workload import Journal

# What a disk may answer to each call; a name that cannot be made or removed may be a matter of permission.
_ERRORS = {
    "write": (errno.EIO, errno.ENOSPC), "pwrite64": (errno.EIO, errno.ENOSPC), "ftruncate": (errno.EIO,),
    "open": (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EMFILE), "mkdir": (errno.ENOSPC, errno.EACCES, errno.EROFS),
    "link": (errno.EIO, errno.ENOSPC, errno.EMLINK, errno.EXDEV, errno.EROFS),
    "rename": (errno.EIO, errno.ENOSPC, errno.EROFS), "unlink": (errno.EIO, errno.EACCES, errno.EROFS),
    "fsync": (errno.EIO, errno.ENOSPC), "fdatasync": (errno.EIO, errno.ENOSPC), "syncfs": (errno.EIO, errno.ENOSPC),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """A trouble, and what it befalls."""

    area: str
    trouble: Trouble

    @property
    def label(self) -> str:
        """The calls that fail."""
        return self.trouble.label


def list_faults(runs: Runs) -> list[Fault]:
    """Return all faults: of each kind of call that a life has, each error once, for good, and early and late."""
    runs.place.begin()
    seen = runs.live(runs.order(record=True), Journal())
    assert seen.status == 0, runs.place.log
    return list(_faults(seen.calls))


def _faults(calls: Sequence[Call]) -> Iterator[Fault]:
    numbers: dict[str, list[tuple[int, Call]]] = {}
    for label, number, call in numbered(list(calls)):
        if call.name in _ERRORS and not call.failed:
            numbers.setdefault(label, []).append((number, call))
    for label, found in numbers.items():
        call = found[0][1]
        # The first, the last and one between them; and from that one on.
        once = sorted({found[0][0], found[len(found) // 2][0], found[-1][0]})
        for error in _ERRORS[call.name]:
            for number in once:
                yield Fault(call.area, Trouble(label, error, number, number))
            yield Fault(call.area, Trouble(label, error, once[len(once) // 2]))


def meet(runs: Runs, fault: Fault) -> Outcome:
    """Let a life meet a fault; kill it when its peers are done, and look at everything after the next one."""
    runs.place.begin()
    journal = Journal()
    seen = runs.live(runs.order(trouble=fault.trouble), journal)
    terms = Terms(waits=True, noisy=True, stays=fault.trouble.label.startswith("unlink"))
    findings = runs.recover(journal, [runs.place.taken()], terms)
    return Outcome(fault.area, str(fault.trouble), bool(seen.met), findings)

