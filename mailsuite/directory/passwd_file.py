"""A passwd-file in Dovecot's format as a back end: read as a whole when it has changed, and never written.

Each line is ``user:password:uid:gid:gecos:home:shell:extra_fields``, where the first two fields are needed and the
second may be empty; empty lines and those that begin with ``#`` say nothing. Mail lies where ours does, so of the
fields behind the password the last alone is looked at: ``nologin`` there refuses the login and keeps the mail, and a
quota is taken as Dovecot writes it (`storage_rules`; extra fields are parted by spaces or tabs, ``name=value`` or a
name).

A password without ``{SCHEME}`` is of scheme CRYPT, as Dovecot has it; a scheme may say how it is encoded
(``{SSHA256.b64}``), which we take where that is its usual form.
"""

import os
import stat
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.directory.backend import Backend
from mailsuite.directory.errors import Away, BadName, NoAccounts
from mailsuite.directory.numbers import number_of
from mailsuite.directory.records import AddressRecord, Credential, DomainRecord, LoginRecord
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.secrets import stored_elsewhere
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.storage_rules import quota_of
from mailsuite.directory.threads import Run, TooBusy
from mailsuite.meaning import Login, Mailbox
from mailsuite.pathnames import mailbox_path

# How often the file's time is looked at, at most.
CHECK_SECONDS = 0.1
# What we read at most: a file this large has some million users, and should be a database.
FILE_OCTETS = 256 * 1024 * 1024

_log = Logger()


@dataclass(frozen=True, slots=True)
class _User:
    address: Address
    mailbox: Mailbox
    stored: str = field(repr=False)
    may_log_in: bool


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file of that time, size and number said."""

    time: int
    size: int
    number: int
    users: Mapping[tuple[str, str], _User]

    def is_of(self, state: os.stat_result) -> bool:
        """Say whether *state* is that of the same file."""
        return (self.time, self.size, self.number) == (state.st_mtime_ns, state.st_size, state.st_ino)


class PasswdFileBackend(Backend):
    """The users in the file *path*, in *domains*, whose mail ends here. *seconds* tells the time, *run* reads the file
    in a thread.

    Its generation goes with the file's time, size and number. Answers at once.
    """

    def __init__(self, path: str, domains: Sequence[str], seconds: Callable[[], float], run: Run) -> None:
        self._path = path
        self._seconds = seconds
        self._run = run
        self._domains = tuple(dict.fromkeys(_checked(name) for name in domains))
        self._looked = float("-inf")
        self._reading = False
        self._trouble: Away | None = None
        self._read = _Read(0, 0, 0, {})
        self._generation = 0
        self._by_number: dict[int, _User] = {}

    def start(self) -> None:
        """See `Backend.start`. Raises `NoAccounts` where the file cannot be read, or no domain is named."""
        if not self._domains:
            raise NoAccounts("[passwd_file] domains is empty: name the domains whose mail ends here")
        try:
            self._take(self._read_file())
        except Away as error:
            raise NoAccounts(str(error)) from error

    def generation(self) -> int:
        """See `Backend.generation`. Raises `Away` where the file is not there, or cannot be read."""
        now = self._seconds()
        if not 0 <= now - self._looked < CHECK_SECONDS:
            self._look()
            self._looked = now
        if self._trouble is not None:
            raise self._trouble
        return self._generation

    def domain(self, name: str) -> DomainRecord | None:
        """See `Backend.domain`."""
        return DomainRecord(name, None) if name in self._domains else None

    def domains(self, domain_class: str) -> Sequence[str]:
        """See `Backend.domains`."""
        return self._domains if domain_class == LOCAL else ()

    def address(self, local: str, domain: str) -> AddressRecord | None:
        """See `Backend.address`."""
        user = self._read.users.get((local, domain))
        return None if user is None else AddressRecord(user.mailbox.id, user.mailbox, False, ())

    def login(self, name: str) -> LoginRecord | None:
        """See `Backend.login`."""
        try:
            user = self._read.users.get(parse_address(name).key)
        except BadName:
            user = None
        if user is None:
            return None
        kept = stored_elsewhere(user.stored)
        login = Login(user.mailbox.id, str(user.address), user.mailbox)
        credentials = (Credential(user.mailbox.id, "", kept.hashed),) if kept.hashed else ()
        return LoginRecord(login, not user.may_log_in, credentials, kept.secrets)

    def mailboxes(self, domain: str, after: int) -> Sequence[Mailbox]:
        """See `Backend.mailboxes`."""
        found = (user.mailbox for user in self._read.users.values() if user.address.domain == domain)
        return sorted((box for box in found if box.id > after), key=lambda box: box.id)

    def current(self, mailbox: Mailbox) -> Mailbox | None:
        """See `Backend.current`."""
        user = self._by_number.get(mailbox.id)
        return None if user is None else user.mailbox

    def everybody_has(self, kinds: Collection[str]) -> frozenset[str]:
        """See `Backend.everybody_has`."""
        have = [stored_elsewhere(user.stored).secrets for user in self._read.users.values() if user.stored]
        return frozenset(kind for kind in kinds if all(kind in secrets for secrets in have))

    def _look(self) -> None:
        """Have the file read again if it is another than the one that was read."""
        try:
            state = os.stat(self._path)
        except OSError as error:
            self._trouble = Away(f"{self._path} cannot be read: {error.strerror}")
            return
        if self._read.is_of(state):
            self._trouble = None
        elif not self._reading:
            with suppress(TooBusy):
                reading = self._run(self._read_file)
                self._reading = True
                Deferred.fromCoroutine(self._take_later(reading))

    async def _take_later(self, reading: Awaitable["_Read"]) -> None:
        try:
            self._take(await reading)
        except Away as error:
            self._trouble = error
        finally:
            self._reading = False

    def _take(self, read: "_Read") -> None:
        self._read, self._trouble = read, None
        self._by_number = {user.mailbox.id: user for user in read.users.values()}
        self._generation += 1

    def _read_file(self) -> "_Read":
        """Read the file, in a thread. Raises `Away`."""
        try:
            with open(self._path, "rb", opener=_without_waiting) as file:
                state = os.fstat(file.fileno())
                if not stat.S_ISREG(state.st_mode):
                    raise Away(f"{self._path} is no regular file")
                text = file.read(FILE_OCTETS + 1)
        except OSError as error:
            raise Away(f"{self._path} cannot be read: {error.strerror}") from error
        if not text or len(text) > FILE_OCTETS:
            # Who writes a file in its place has made it empty first: that is not to say that nobody is left.
            raise Away(f"{self._path} is empty, or has more than {FILE_OCTETS} octets")
        users = self._parsed(text.decode("utf-8", "surrogateescape"))
        return _Read(state.st_mtime_ns, state.st_size, state.st_ino, users)

    def _parsed(self, text: str) -> dict[tuple[str, str], _User]:
        """Return the users that *text* names. Raises `Away` where that is nobody."""
        users: dict[tuple[str, str], _User] = {}
        left_out: list[tuple[int, str]] = []
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                user = self._user(line.rstrip("\r"))
            except BadName as error:
                left_out.append((number, str(error)))
                continue
            # Of two lines with one name Dovecot takes the first.
            users.setdefault(user.address.key, user)
        if not users:
            # Another file has got into its place; it is read again and again, and told once.
            raise Away(f"{self._path} has no line that names a user")
        for number, reason in left_out:
            _log.error("{path}:{line}: left out: {reason}", path=self._path, line=number, reason=reason)
        return users

    def _user(self, line: str) -> _User:
        fields = line.split(":", 7)
        if len(fields) < 2:
            # (Not shown: it may be the rest of a line that was broken within a hash.)
            raise BadName("it has no colon: a user's line goes on with one, also where there is no password")
        name = fields[0] if "@" in fields[0] else f"{fields[0]}@{self._domains[0]}"
        address = parse_address(name)
        if address.domain not in self._domains:
            raise BadName(f"{address} is in no domain that [passwd_file] domains names")
        stored = fields[1]
        extra = fields[7].split() if len(fields) > 7 else []
        nologin = any(word == "nologin" or word.startswith("nologin=") for word in extra)
        path = mailbox_path(address)
        return _User(address, Mailbox(number_of(path), path, quota=quota_of(extra)), stored, not nologin)


def _without_waiting(path: str, flags: int) -> int:
    """Open *path*, without waiting for who writes to it where it is a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)


def _checked(name: str) -> str:
    try:
        return parse_domain(name)
    except BadName as error:
        raise NoAccounts(f"[passwd_file] domains: {error}") from error
