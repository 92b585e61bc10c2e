"""Users and mailboxes as a back end tells of them whose records are kept elsewhere: only what it can be asked for."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from mailsuite.directory.backend import Backend
from mailsuite.directory.errors import BadName, CannotList, NoSuch
from mailsuite.directory.records import PASSWORD
from mailsuite.directory.rows import LOCAL, User
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.maybe import value_of
from mailsuite.meaning import Mailbox
from mailsuite.pathnames import path_address


@dataclass(frozen=True, slots=True)
class Told:
    """A user, where its mail goes (unless that is into its mailbox alone), and the kinds of what is stored of its
    password. One whose password only the back end can check is thought to have one."""

    user: User
    targets: tuple[str, ...]
    kinds: tuple[str, ...]


class Elsewhere:
    """Asks *backend*, which *name* in the configuration stands for."""

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._name = name

    async def show(self, address: str) -> Told:
        """Return the user *address*. Raises `NoSuch`."""
        parsed = parse_address(address)
        login = await value_of(self._backend.login(str(parsed)))
        if login is None or login.login.mailbox is None:
            raise NoSuch(f'no user {parsed} here; [directory] backend is "{self._name}": users are added there')
        taken = await value_of(self._backend.address(parsed.local, parsed.domain))
        # Who cannot log in and gets mail is what we call frozen.
        suspended = taken is not None and taken.suspended
        kinds = (PASSWORD,) if login.credentials or login.known_as else ()
        user = User(
            login.login.name, suspended, bool(kinds), login.login.mailbox, login.suspended and not suspended
        )
        targets = () if taken is None else tuple(map(str, taken.targets))
        return Told(user, targets, (*kinds, *login.secrets))

    async def users(self, domain: str | None) -> list[User]:
        """Return all users, or those of *domain*, by name. Raises `CannotList` or `NoSuch`."""
        found = []
        for name, _ in await self.mailboxes(domain):
            # A mailbox may be there by whose name nobody logs in.
            with suppress(NoSuch, BadName):
                found.append((await self.show(name)).user)
        return found

    async def mailboxes(self, domain: str | None) -> list[tuple[str, Mailbox]]:
        """Return all mailboxes, or those of *domain*, each under its name. Raises `CannotList` or `NoSuch`."""
        names = await value_of(self._backend.domains(LOCAL)) if domain is None else [await self._domain(domain)]
        if not (names and self._backend.lists_mailboxes()):
            raise CannotList(
                f'[directory] backend is "{self._name}", whose users cannot be listed here: name one of them,'
                " or list them where they are kept"
            )
        found = {str(path_address(box.path) or box.path): box for each in names async for box in self._of(each)}
        return sorted(found.items())

    async def _domain(self, name: str) -> str:
        key = parse_domain(name)
        if await value_of(self._backend.domain(key)) is None:
            raise NoSuch(f'no domain {key} here; [directory] backend is "{self._name}": domains are added there')
        return key

    async def _of(self, domain: str) -> AsyncIterator[Mailbox]:
        after = -1
        while boxes := await value_of(self._backend.mailboxes(domain, after)):
            for box in boxes:
                yield box
            after = boxes[-1].id
