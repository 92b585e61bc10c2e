"""Imports that are ended at their system calls: the same command goes on, and all is here once, as it was there.

An import is a life like that of a server: crashes, power cuts and faults befall it at the same kinds of calls. What it
promises is said by its end: all that it was told to bring is here.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.proof import old_server
from tests.proof.account import Findings, Terms
from tests.proof.crashes import Runs
from tests.proof.lives import Lives, Order
from tests.proof.old_server import ALL, DOMAIN, Letter
from tests.proof.place import PASSWORD, Place, hashed
from tests.proof.watching import Seen
from tests.proof.workload import Journal, connect, lines, log_in
from tests.system.far_end import Taken


class Imports(Runs):
    """Runs imports into the site of a place, one after the other."""

    def __init__(self, place: Place, lives: Lives) -> None:
        super().__init__(place, lives)
        self._old = place.folder / "old"
        if not self._old.exists():
            old_server.build(self._old, hashed(PASSWORD))

    def live(self, order: Order, journal: Journal) -> Seen:
        """Let one import go on to its end."""
        seen = self._import(order)
        journal.brought = seen.status == 0
        return seen

    def recover(self, journal: Journal, before: Sequence[Sequence[Taken]], terms: Terms) -> Findings:
        """Give the same commands again, unless all was said to be here; then let a server show what there is.

        Once all is here, the same commands change nothing.
        """
        wrong: list[str] = []
        if not journal.brought and (seen := self._import(self.order())).status:
            wrong.append(f"the same commands end with {seen.status}: {self.place.log[-2000:]}")
        there = self._names()
        if self._import(self.order()).status or self._names() != there:
            wrong.append(f"once more, the same commands change what is here: {self._names() ^ there}")
        findings = super().recover(Journal(), [], terms)
        findings.losses[:0] = wrong
        for user, letters in ALL.items():
            self._look_at(user, letters, findings, dated=not terms.damaged)
        if "Traceback" in self.place.log:
            findings.losses.append(f"somebody was shown a traceback: {self.place.log[-3000:]}")
        return findings

    def shown(self) -> list[str]:
        """Say also what is wrong with the mail that came."""
        return [*super().shown(), *(wrong for user, letters in ALL.items() for wrong in self._fetched(user, letters))]

    def _import(self, order: Order) -> Seen:
        commands = old_server.commands(self._old, f"{order.root}/mailsuite.toml")
        self.lives.begin(replace(order, commands=commands, twistd=False))
        return self.lives.end()

    def _maildir(self, user: str) -> Path:
        return self.place.root / "mail" / DOMAIN / user

    def _names(self) -> set[str]:
        """Return what the mailboxes hold, by name and by number of the file."""
        folders = (found for user in ALL for found in os.walk(self._maildir(user)))
        paths = (Path(path, name) for path, _, names in folders for name in names)
        return {f"{path} {path.stat().st_ino}" for path in paths if path.parent.name in ("new", "cur", "tmp")}

    def _look_at(self, user: str, letters: Iterable[Letter], findings: Findings, dated: bool) -> None:
        """Compare the files of the mailbox and its folders with what lay there, dates also where they are *dated*."""
        for folder in {letter.folder for letter in letters}:
            path = self._maildir(user) / folder
            if left := [*(path / "tmp").iterdir()]:
                findings.losses.append(f"{user} has {len(left)} files in tmp/")
            there = Counter(_seen(file, dated) for name in ("new", "cur") for file in (path / name).iterdir())
            wanted = Counter(
                (letter.octets, letter.flags, letter.modified if dated else 0)
                for letter in letters
                if letter.folder == folder
            )
            findings.kept += (there & wanted).total()
            findings.losses += [f"{user}{folder} lacks {_named(each)}" for each in wanted - there]
            findings.losses += [f"{user}{folder} has one more {_named(each)}" for each in there - wanted]

    def _fetched(self, user: str, letters: Iterable[Letter]) -> list[str]:
        wanted = {letter.unique_id: letter.octets.replace(b"\n", b"\r\n") for letter in letters if not letter.folder}
        try:
            got = _fetch(self.place.ports.pop3, f"{user}@{DOMAIN}", self.over)
        except (OSError, EOFError, AssertionError) as error:
            return [f"{user} cannot fetch mail: {error!r}"]
        return [] if got == wanted else [f"{user} is shown {sorted(got)}, and had {sorted(wanted)} (or other octets)"]


def _fetch(port: int, address: str, over: Callable[[], bool]) -> dict[str, bytes]:
    """Return the messages of a mailbox by their unique ids."""
    wire = connect(port, over)
    if wire is None:
        raise EOFError
    with wire:
        got: dict[str, bytes] = {}
        for number, unique_id in enumerate(log_in(wire, address), 1):
            wire.send(b"RETR %d\r\n" % number)
            got[unique_id] = b"".join(line + b"\r\n" for line in lines(wire))
        wire.send(b"QUIT\r\n")
        wire.ok()
        return got


def _seen(file: Path, dated: bool) -> tuple[bytes, str, int]:
    # (Of an mbox the lines end as on the wire.)
    octets = file.read_bytes().replace(b"\r\n", b"\n")
    return octets, file.name.partition(":2,")[2], int(file.stat().st_mtime) if dated else 0


def _named(each: tuple[bytes, str, int]) -> str:
    return f"message {each[0][-40:]!r} with flags {each[1]!r} of {each[2]}"
