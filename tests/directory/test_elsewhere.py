"""What is found out of a back end whose records others keep, also where each answer has to be waited for."""

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred

from mailsuite.address import Address
from mailsuite.directory.backend import Backend
from mailsuite.directory.elsewhere import Elsewhere
from mailsuite.directory.errors import CannotList, NoSuch
from mailsuite.directory.records import AddressRecord, Credential, DomainRecord, LoginRecord
from mailsuite.meaning import Login, Mailbox, Quota
from tests.transport.loop import finish, reactor

BOXES = [Mailbox(number, f"one.example/{name}", quota=Quota(number)) for number, name in enumerate("cba", 1)]


async def later() -> None:
    """Return at the reactor's next turn."""
    turn: Deferred[None] = Deferred()
    reactor.callLater(0, turn.callback, None)
    await turn


class Waiting(Backend):
    """Answers later: a is suspended, b frozen, and c forwards all its mail."""

    async def domain(self, name: str) -> DomainRecord | None:
        """See `Backend.domain`."""
        await later()
        return DomainRecord(name, None) if name == "one.example" else None

    async def address(self, local: str, domain: str) -> AddressRecord | None:
        """See `Backend.address`."""
        await later()
        targets = (Address("x", "far.example"),) if local == "c" else ()
        return AddressRecord(1, None if targets else self._box(local), local == "a", targets)

    async def login(self, name: str) -> LoginRecord | None:
        """See `Backend.login`."""
        await later()
        box = self._box(name.partition("@")[0])
        if box is None:
            return None
        credentials = (Credential(1, "", "x"),) if name.startswith("a@") else ()
        known_as = "uid=b" if name.startswith("b@") else ""
        return LoginRecord(Login(box.id, name, box), not name.startswith("c@"), credentials, known_as=known_as)

    def _box(self, local: str) -> Mailbox | None:
        return next((box for box in BOXES if box.path == f"one.example/{local}"), None)


class Listing(Waiting):
    """Lists them, too, two at a time, and a mailbox by whose name nobody logs in."""

    async def domains(self, domain_class: str) -> Sequence[str]:
        """See `Backend.domains`."""
        await later()
        return ["one.example"]

    async def mailboxes(self, domain: str, after: int) -> Sequence[Mailbox]:
        """See `Backend.mailboxes`."""
        await later()
        return [box for box in (*BOXES, Mailbox(4, "one.example/%-long")) if box.id > after][:2]


def test_all_are_listed_by_name() -> None:
    """In as many parts as they come in, each with its own quota."""
    asked = Elsewhere(Listing(), "own:make")
    for domain in (None, "One.example"):
        found = finish(asked.mailboxes(domain))
        assert [(name, box.quota.octets) for name, box in found] == [
            ("a@one.example", 3), ("b@one.example", 2), ("c@one.example", 1), ("one.example/%-long", None),
        ]  # fmt: skip
    states = [(each.suspended, each.frozen, each.has_password) for each in finish(asked.users(None))]
    # A password that the back end checks itself is thought to be there.
    assert states == [(True, False, True), (False, True, True), (False, False, False)]


def test_one_is_shown() -> None:
    """With where its mail goes, in any spelling of its name."""
    asked = Elsewhere(Waiting(), "own:make")
    told = finish(asked.show("C@One.example"))
    assert (told.user.name, told.user.mailbox.path) == ("c@one.example", "one.example/c")
    assert (told.targets, told.kinds) == (("x@far.example",), ())


def test_what_cannot_be_found_out_is_said() -> None:
    """Who is not there, a domain that is not, and that nobody can be listed, each as what it is."""
    with pytest.raises(NoSuch, match=r'no user d@one\.example here; .* is "own:make"'):
        finish(Elsewhere(Listing(), "own:make").show("d@one.example"))
    with pytest.raises(NoSuch, match=r"no domain two\.example here"):
        finish(Elsewhere(Listing(), "own:make").mailboxes("two.example"))
    for domain in (None, "one.example"):
        with pytest.raises(CannotList, match='"own:make", whose users cannot be listed'):
            finish(Elsewhere(Waiting(), "own:make").mailboxes(domain))
