"""What comes back for forwarded mail: to its sender, to nobody else, and not for ever."""

from twisted.internet.task import Clock

from mailsuite.address import Address
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.lookup import Directory
from mailsuite.directory.remembered import Source
from mailsuite.directory.returned import Returned
from mailsuite.directory.sqlite import CHECK_SECONDS, SqliteBackend
from mailsuite.meaning import Foreign, Mailboxes, Meaning, Refused, Unknown
from mailsuite.srs import DAY, Rewriting

OURS = Rewriting("example.com", 21, lambda: [b"secret"])
BOB = Address("Bob", "example.net")
TODAY = 20_000


class World:
    """A directory, on any day."""

    def __init__(self, backend: SqliteBackend, clock: Clock) -> None:
        self.day = TODAY
        returned = Returned(OURS, lambda: self.day * DAY + 1.0)
        self.directory = Directory(backend, Source(backend.generation, clock.seconds), lambda: 0.0, returned=returned)

    def find(self, address: Address) -> Meaning:
        """Look *address* up."""
        found = self.directory.find(address)
        assert isinstance(found, Meaning)
        return found


def test_before_all_other_rules(backend: SqliteBackend, clock: Clock, accounts: Accounts) -> None:
    """Even in a domain of ours whose catch-all takes everything: the sender is written as he was."""
    accounts.domains.set_catch_all("example.com", "alice@example.com")
    world = World(backend, clock)
    made = OURS.rewrite(BOB, TODAY)
    assert made is not None

    for address in (made, Address(made.local, "EXAMPLE.com")):
        assert world.find(address) == Mailboxes((), (BOB,))
    lower = Address(made.local.lower(), made.domain)
    assert world.find(lower) == Mailboxes((), (Address("bob", "example.net"),))
    world.day += 22
    assert world.find(made) == Refused(
        550, "5.1.1", "No return address: mail that was forwarded so long ago cannot be returned"
    )
    forged = Address(made.local.replace("=Bob", "=eve"), made.domain)
    assert world.find(forged) == Refused(550, "5.1.1", "No return address: it was not made here")
    assert isinstance(world.find(Address("SRS0=x", "example.com")), Refused)


def test_what_is_none(backend: SqliteBackend, clock: Clock) -> None:
    """Another's is foreign, and what only looks a bit like one is looked up as all are."""
    world = World(backend, clock)

    assert world.find(Address("SRS0=x", "example.net")) == Foreign()
    assert world.find(Address("srs0", "example.com")) == Unknown()


def test_a_sender_who_has_become_ours(backend: SqliteBackend, clock: Clock, accounts: Accounts) -> None:
    """Is looked up as all of ours are."""
    made = OURS.rewrite(Address("Carol", "example.org"), TODAY)
    assert made is not None
    world = World(backend, clock)
    accounts.domains.add("example.org")
    assert world.find(made) == Unknown()
    carol = accounts.users.add("carol@example.org")
    clock.advance(CHECK_SECONDS)
    assert world.find(made) == Mailboxes((carol.mailbox,))
