"""Accounts of other servers as their files tell of them: Dovecot's passwd-file and Courier's userdb.

Each reader yields what each line means, or why it cannot be used; what is to become of it is decided elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# What Courier keeps of passwords, by service; the first that is there is taken.
_COURIER_PASSWORDS = ("systempw", "pop3pw", "imappw", "hmac-md5pw", "esmtppw")
# How Dovecot writes that a location is a Maildir; others we cannot read.
_MAILDIR = "maildir:"


@dataclass(frozen=True, slots=True)
class OldAccount:
    """Who could log in there as *name*, with what is *stored* of the password, or nothing.

    *mail* is the Maildir, empty where the line does not say. *line* is counted from 1.
    """

    line: int
    name: str
    stored: str = field(repr=False)
    home: str = ""
    mail: str = ""


@dataclass(frozen=True, slots=True)
class BadLine:
    """Line *line*, counted from 1, cannot be used, for *reason*."""

    line: int
    reason: str


def passwd_file(lines: Iterable[str], scheme: str = "") -> Iterator[OldAccount | BadLine]:
    """Read Dovecot's passwd-file: ``user:password:uid:gid:gecos:home:shell:extra_fields``.

    *scheme* is that of passwords which name none; Dovecot's own is CRYPT.
    """
    for number, line in _lines(lines):
        fields = line.split(":", 7)
        if not fields[0]:
            yield BadLine(number, "expected user:password:uid:gid:gecos:home:shell:extra_fields")
            continue
        fields += [""] * (8 - len(fields))
        extra = dict(_pair(word, "=") for word in fields[7].split())
        home = extra.get("userdb_home", fields[5])
        where = extra.get("userdb_mail", "")
        if where and not where.startswith(_MAILDIR):
            yield BadLine(number, f"the mail of {fields[0]} is in {where.partition(':')[0]}, and only maildir is read:"
                          " convert it there with doveadm sync")  # fmt: skip
            continue
        stored = fields[1]
        if stored and scheme and not stored.startswith(("{", "$")):
            stored = f"{{{scheme}}}{stored}"
        mail = where.removeprefix(_MAILDIR).partition(":")[0]
        yield OldAccount(number, fields[0], stored, home, placed(mail, fields[0], home) if mail else "")


def userdb(lines: Iterable[str]) -> Iterator[OldAccount | BadLine]:
    """Read Courier's userdb: the name, a tab, and ``field=value`` parted by ``|``."""
    for number, line in _lines(lines):
        name, tab, rest = line.partition("\t")
        if not tab or not name:
            yield BadLine(number, "expected a name, a tab, and fields such as home=/home/alice|mail=Maildir")
            continue
        fields: Mapping[str, str] = dict(_pair(word, "=") for word in rest.split("|"))
        stored = next((fields[key] for key in _COURIER_PASSWORDS if fields.get(key)), "")
        home = fields.get("home", "")
        mail = fields.get("mail", "")
        yield OldAccount(number, name, stored, home, f"{home}/{mail}" if mail and mail[0] != "/" else mail)


def placed(pattern: str, name: str, home: str) -> str:
    """Return the path that *pattern* says for the user *name*: ``%u`` the name, ``%n`` and ``%d`` its local part and
    domain, ``%h`` or a tilde the home."""
    local, _, domain = name.partition("@")
    path = home + pattern[1:] if pattern.startswith("~") else pattern
    for variable, value in (("%u", name), ("%n", local), ("%d", domain), ("%h", home)):
        path = path.replace(variable, value)
    return path


def _lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if text.strip() and not text.startswith("#"):
            yield number, text


def _pair(word: str, sign: str) -> tuple[str, str]:
    name, _, value = word.partition(sign)
    return name, value
