"""Another server that people leave: its accounts, Maildirs with lists of unique ids, an mbox, and who gets what."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.messages import message

DOMAIN = "moved.test"
_VALIDITY = 77
_SECONDS = 1_700_000_000
# When that was, as an mbox says it.
_MARK = b"From peer@client.example Tue Nov 14 22:%02d:%02d 2023\n"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message there, with LF: in which *folder* (``.Sent``; empty: the inbox), its flags, when it came, its id."""

    folder: str
    octets: bytes
    flags: str
    modified: int
    unique_id: str


def _letters(user: str, folder: str, *flags: str, size: int = 300) -> tuple[Letter, ...]:
    return tuple(
        Letter(folder, _octets(f"{user} {folder} {number}", size * number), each, _SECONDS + number,
               f"{number:08x}{_VALIDITY:08x}")
        for number, each in enumerate(flags, 1)
    )  # fmt: skip


def _octets(name: str, size: int) -> bytes:
    return message("old@client.example", f"{name}\r\n".encode() * (size // len(name)), name).replace(b"\r\n", b"\n")


# What a Maildir has, by user; one without flags is new.
MAILDIRS: Mapping[str, tuple[Letter, ...]] = {
    "heidi": (*_letters("heidi", "", "S", "FS", ""), *_letters("heidi", ".Sent", "S", "RS", size=60_000)),
    "ivan": _letters("ivan", "", "S"),
}
# What lies in an mbox, and goes to the inbox of this user.
READER = "ivan"
MBOX = tuple(
    Letter("", _octets(f"mbox {number}", 200), "S" if number % 2 else "", _SECONDS + number, f"qpop-{number}")
    for number in range(1, 4)
)
# All that has to be here in the end, by user.
ALL = {user: (*letters, *(MBOX if user == READER else ())) for user, letters in MAILDIRS.items()}


def build(folder: Path, hashed: str) -> None:
    """Make all of it in *folder*; *hashed* is everybody's password."""
    for user, letters in MAILDIRS.items():
        for place in {letter.folder for letter in letters}:
            _maildir(folder / user / place, [letter for letter in letters if letter.folder == place])
    (folder / "users").write_text("".join(f"{user}@{DOMAIN}:{hashed}\n" for user in MAILDIRS))
    (folder / "mbox").write_bytes(b"".join(map(_in_mbox, MBOX)))


def commands(folder: Path, config: str) -> tuple[tuple[str, ...], ...]:
    """Return what brings all of it here."""
    said = ("--config", config)
    return (
        ("import", "dovecot", f"{folder}/users", "--mail", f"{folder}/%n", *said),
        ("import", "mbox", f"{READER}@{DOMAIN}", f"{folder}/mbox", *said),
    )


def _maildir(path: Path, letters: list[Letter]) -> None:
    for name in ("tmp", "new", "cur"):
        (path / name).mkdir(parents=True)
    rows = [f"3 V{_VALIDITY} N{len(letters) + 1}"]
    for number, letter in enumerate(letters, 1):
        name = f"{letter.modified}.M{number}P1.old"
        file = path / "cur" / f"{name}:2,{letter.flags}" if letter.flags else path / "new" / name
        file.write_bytes(letter.octets)
        os.utime(file, (letter.modified, letter.modified))
        rows.append(f"{number} :{name}")
    (path / "dovecot-uidlist").write_text("".join(f"{row}\n" for row in rows))


def _in_mbox(letter: Letter) -> bytes:
    past = letter.modified - _SECONDS + 22 * 60 * 60 + 13 * 60 + 20
    status = b"Status: RO\n" if letter.flags else b""
    header, _, body = letter.octets.partition(b"\n\n")
    told = b"%b\nX-UIDL: %b\n%b" % (header, letter.unique_id.encode(), status)
    return _MARK % (past // 60 % 60, past % 60) + told + b"\n" + body + b"\n"
