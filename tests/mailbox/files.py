"""Real Maildirs for tests: one mail root, and what lies in it."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailsuite.mailbox.draft import Draft
from mailsuite.mailbox.layout import INCOMING
from mailsuite.mailbox.maildir import Names, Receipt, Writer
from mailsuite.meaning import Mailbox

NOW = 1_767_225_600.25
ALICE = Mailbox(1, "b.example/alice")
BOB = Mailbox(2, "b.example/bob")
CAROL = Mailbox(3, "c.example/carol")


class MailRoot:
    """A mail root with a writer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / INCOMING).mkdir(0o700)
        self.names = Names(lambda: NOW, "77")
        self.writer = Writer(str(root), self.names)

    def draft(self, content: bytes) -> Draft:
        """Return a draft of *content*."""
        draft = Draft(lambda: f"{self.root}/{INCOMING}/{self.names.next()}")
        draft.write(content)
        return draft

    def deliver(self, content: bytes, *mailboxes: Mailbox) -> Receipt:
        """Deliver *content*, and discard what is left of its draft, as a caller does."""
        draft = self.draft(content)
        receipt = self.writer.deliver(draft, mailboxes)
        draft.discard()
        return receipt

    def files(self, mailbox: Mailbox, folder: str = "new") -> list[Path]:
        """Return the files in one folder of *mailbox*."""
        path = self.root / mailbox.path / folder
        return sorted(path.iterdir()) if path.is_dir() else []

    def contents(self, mailbox: Mailbox) -> list[bytes]:
        """Return the messages of *mailbox*."""
        return [path.read_bytes() for path in self.files(mailbox)]

    def leftovers(self) -> list[Path]:
        """Return all files in tmp/ folders and among what is coming in."""
        return [
            path
            for path in self.root.rglob("*")
            if path.is_file() and (path.parent.name == "tmp" or path.parent.name == INCOMING)
        ]


def mode(path: Path) -> int:
    """Return the permissions of *path*."""
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def small_volume(folder: Path, octets: int) -> Iterator[Path]:
    """Mount a file system of *octets* on *folder*; skips the test where that is not allowed."""
    folder.mkdir(0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={octets}", "mailsuite-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs (root, and not in a locked container)")
    try:
        yield folder
    finally:
        # Lazily: a test that fails may still hold a descriptor.
        subprocess.run(["umount", "-l", str(folder)], check=True)
