"""Copies of the product that are broken on purpose: the kit has to find out each of them."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.proof.kit import Search
from tests.proof.lives import ROOT


@dataclass(frozen=True, slots=True)
class Break:
    """What is done to a copy: in *file*, *old* (which is there once) becomes *new*; and *by* what it is found out."""

    told: str
    file: str
    old: str
    new: str
    by: Search

    def text(self) -> str:
        """Return the broken file. Raises `LookupError` where the product has changed too much for that."""
        whole = (ROOT / "mailsuite" / self.file).read_text()
        if whole.count(self.old) != 1:
            raise LookupError(f"{self.file} has not exactly one {self.old!r}: adapt tests/proof/breaks.py")
        return whole.replace(self.old, self.new)


BREAKS: Mapping[str, Break] = {
    "sync": Break(
        "mail is acknowledged without a sync",
        "mailbox/sync.py",
        "self._syncfs(self._volumes[device])",
        "pass",
        "power cuts",
    ),
    "order": Break(
        "the 250 leaves before the barrier",
        "service/intake.py",
        "return delivery.outcomes() if pending is None else self._settle(pending, delivery)",
        "return delivery.outcomes()",
        "power cuts",
    ),
    "queue": Break(
        "the queue's commits are not synced",
        "queue/schema.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        "power cuts",
    ),
    "content": Break(
        "the queue's files have no durable names",
        "queue/files.py",
        "            fsync(self._path)\n",
        "",
        "power cuts",
    ),
    "removal": Break(
        "what POP3 has removed is not synced",
        "mailbox/maildrop.py",
        "fsync_path(os.fsdecode(folder))",
        "pass",
        "power cuts",
    ),
    "promise": Break(
        "the 250 leaves before the queue's commit",
        "service/intake.py",
        "await self._dispatch.send_on(delivery.acceptance, delivery.draft, delivery.onward, late)",
        "__import__('twisted.internet.defer').internet.defer.Deferred.fromCoroutine("
        "self._dispatch.send_on(delivery.acceptance, delivery.draft, delivery.onward, late))",
        "crashes",
    ),
    "sum": Break(
        "after a crash mailboxes with a quota are not counted anew",
        "mailbox/recovery.py",
        "    if changed:\n        forget(mailbox)\n",
        "",
        "crashes",
    ),
    "brought": Break(
        "what an import has brought is told of before its names are synced",
        "mailbox/bringing.py",
        """for place in places.values()]
        self._sync.sync([receipt])
""",
        """for place in places.values()]
""",
        "imports",
    ),
    "tmp": Break(
        "messages are written where they are read",
        "mailbox/maildir.py",
        'path = f"{maildir(self.root, mailbox)}/{_TMP}/{name}"',
        'path = f"{maildir(self.root, mailbox)}/new/{name}"',
        "crashes",
    ),
}


@contextmanager
def broken(name: str) -> Iterator[Path]:
    """Make a broken copy of the product; yield its folder."""
    chosen = BREAKS[name]
    with tempfile.TemporaryDirectory(prefix="mailsuite-broken-") as folder:
        unwanted = shutil.ignore_patterns("__pycache__", "dropin.cache")
        for part in ("mailsuite", "twisted"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=unwanted)
        Path(folder, "mailsuite", chosen.file).write_text(chosen.text())
        yield Path(folder)
