"""Room in mailboxes: at the limit and one past it, what is on its way, what others do, and warnings."""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IMaildrop, IQuotas, IReceipt, ISharedState
from mailsuite.mailbox import maildirsize
from mailsuite.mailbox import quotas as module
from mailsuite.mailbox.barrier import Barrier, CommitReactor
from mailsuite.mailbox.expiry import Expiry
from mailsuite.mailbox.kept_room import HOLD_SECONDS
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildirsize import STALE_SECONDS, Ledger, Usage
from mailsuite.mailbox.quota_rules import Rules
from mailsuite.mailbox.quotas import AGAIN_SECONDS, SUM_SECONDS, Quotas
from mailsuite.mailbox.store import Clocks, MaildirStore
from mailsuite.mailbox.sync import FSync
from mailsuite.meaning import Mailbox, Quota, Room
from mailsuite.policy.state import MemoryState
from tests.doubles_pop3 import settled
from tests.mailbox.files import ALICE, BOB, MailRoot


class World:
    """A store with quotas, on a real folder; *threads* are the calls that went to one, *sums* those for a domain."""

    def __init__(self, folder: Path, default: Quota = Quota(), trash: bool = False) -> None:  # noqa: B008 (frozen)
        self.mail = MailRoot(folder)
        self.clock = Clock()
        self.now = 1_900_000_000.0
        self.threads = 0
        self.sums = 0
        self.slow: Deferred[None] | None = None
        self.state = cast(ISharedState, MemoryState(self.clock.seconds))
        self.warned: list[tuple[str, int]] = []
        clocks = Clocks(lambda: self.now, self.clock.seconds)
        ledger = self.ledger = Ledger(trash)
        barrier = Barrier(FSync(), cast(CommitReactor, self.clock), lambda: True, self.clock.seconds)
        self.locks = Locks(f"{folder}/.locks")
        self.store = MaildirStore(
            self.mail.writer, self.mail.names, barrier, Listings(1 << 20, lambda: self.now), self.locks,
            self.in_thread, 0, clocks, ledger,
        )  # fmt: skip
        self.expiry = Expiry(str(folder), self.locks, self.in_thread, ledger=ledger)
        rules = Rules(default, 100, (80, 95))
        self.quotas = self.store.quotas = Quotas(
            str(folder), ledger, rules, self.state, self.in_thread, clocks, self.warn
        )

    async def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do *work* now, or when `slow` has come."""
        self.threads += 1
        self.sums += work == self.ledger.total
        if self.slow is not None:
            await self.slow
        return work(*arguments)

    def warn(self, mailbox: Mailbox, usage: Usage, quota: Quota, level: int) -> None:
        """Note who is warned."""
        self.warned.append((mailbox.path, level))

    def reserve(self, *mailboxes: Mailbox, octets: int = 0) -> Room:
        """Ask for room."""
        return cast(Room, settled(self.quotas.reserve(mailboxes, octets)))

    def lacks(self, *mailboxes: Mailbox, octets: int = 0) -> str:
        """Say what is lacking for a message, which then does not come."""
        room = self.reserve(*mailboxes, octets=octets)
        room.release()
        return room.lack

    def deliver(self, octets: int, *mailboxes: Mailbox) -> IReceipt:
        """Deliver a message of so many *octets*."""
        return self.store.deliver(self.mail.draft(b"x" * octets), mailboxes)

    def remove(self, mailbox: Mailbox, numbers: Sequence[int]) -> None:
        """Remove messages as POP3 does."""
        maildrop = cast(IMaildrop, settled(self.store.open(mailbox, "alice@b.example")))
        assert list(settled(maildrop.remove(numbers))) == []
        maildrop.close()

    def sum_of(self, mailbox: Mailbox) -> bytes:
        """Return the last line of the mailbox's file."""
        return (self.mail.root / mailbox.path / "maildirsize").read_bytes().splitlines()[-1].strip()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A store with quotas."""
    return World(tmp_path)


def with_quota(mailbox: Mailbox = ALICE, octets: int = 0, messages: int = 0, together: int = 0) -> Mailbox:
    """Return *mailbox* as a lookup gives it."""
    return replace(mailbox, quota=Quota(octets, messages), shared_quota=Quota(together or None))


def test_it_is_what_it_says(world: World) -> None:
    """The interface is verified on the object."""
    assert verifyObject(IQuotas, world.quotas)


def test_without_a_quota_nothing_is_looked_at(world: World) -> None:
    """No file is made, no thread is asked."""
    assert world.lacks(ALICE, octets=1 << 50) == ""
    world.deliver(100, ALICE)
    assert world.threads == 0
    assert not (world.mail.root / ALICE.path / "maildirsize").exists()


@pytest.mark.parametrize(("octets", "lack"), [(700, ""), (701, "full")])
def test_up_to_the_quota_there_is_room(world: World, octets: int, lack: str) -> None:
    """And one octet past it there is none."""
    world.deliver(300, ALICE)
    assert world.lacks(with_quota(octets=1000), octets=octets) == lack


def test_messages_count_too(world: World) -> None:
    """Two of two, and no third."""
    box = with_quota(messages=2)
    world.deliver(1, box)
    assert world.lacks(box) == ""
    world.deliver(1, box)
    assert world.lacks(box) == "full"


def test_what_never_fits_is_told_from_what_does_not_fit_now(world: World) -> None:
    """A message that is larger than the mailbox."""
    assert world.lacks(with_quota(octets=1000), octets=1001) == "too small"


def test_the_default_is_for_who_has_none(tmp_path: Path) -> None:
    """0 in the accounts is no limit, though."""
    world = World(tmp_path, Quota(1000))
    assert world.lacks(ALICE, octets=1001) == "too small"
    assert world.lacks(with_quota(), octets=1001) == ""


def test_what_is_on_its_way_has_its_room(world: World) -> None:
    """Until it has come, or will not; of unknown size it is thought to have 100 octets here."""
    box = with_quota(octets=1000)
    first, second = world.reserve(box, octets=900), world.reserve(box)
    assert (first.lack, second.lack) == ("", "")
    assert world.lacks(box, octets=1) == "full"
    second.release()
    assert world.lacks(box, octets=100) == ""
    # It is larger than was said: the mailbox runs over, and nothing is lost.
    world.deliver(1500, box)
    first.release()
    assert world.lacks(box, octets=1) == "full"


def test_room_is_not_kept_for_ever(world: World) -> None:
    """Who announces much and sends nothing keeps others out for some minutes; it is given back once."""
    box = with_quota(octets=1000)
    never, soon = world.reserve(box, octets=900), world.reserve(box, octets=50)
    world.clock.advance(HOLD_SECONDS - 1)
    soon.release()
    late = world.reserve(box, octets=60)
    assert world.lacks(box, octets=41) == "full"
    world.clock.advance(1)
    assert world.lacks(box, octets=940) == ""
    never.release()
    assert world.lacks(box, octets=941) == "full"
    late.release()
    assert world.lacks(box, octets=1000) == ""


def test_deliveries_are_known_without_a_look(world: World) -> None:
    """The file is added to, and is the one that we know."""
    box = with_quota(octets=10_000)
    assert world.lacks(box, octets=1) == ""
    world.deliver(50, box)
    assert world.lacks(box, octets=1) == ""
    asked = world.threads
    for _ in range(3):
        world.deliver(100, box)
        assert world.lacks(box, octets=9550) in ("", "full")
    assert world.threads == asked
    assert world.sum_of(box) == b"100 1"
    assert world.lacks(box, octets=9651) == "full"


def test_what_others_write_is_read(world: World) -> None:
    """Another program has delivered, and has said so."""
    box = with_quota(octets=1000)
    world.deliver(100, box)
    assert world.lacks(box, octets=900) == ""
    with open(world.mail.root / box.path / "maildirsize", "ab") as file:
        file.write(b"500 1\n")
    (world.mail.root / box.path / "cur" / "1.x,S=500:2,").write_bytes(b"")
    assert world.lacks(box, octets=400) == ""
    assert world.lacks(box, octets=401) == "full"


def test_pop3_makes_room(world: World) -> None:
    """What is removed is recorded."""
    box = with_quota(octets=1000)
    for octets in (400, 600):
        world.deliver(octets, box)
    assert world.lacks(box, octets=1) == "full"
    world.remove(box, [1])
    assert world.sum_of(box) == b"-600 -1"
    assert world.lacks(box, octets=600) == ""
    assert world.lacks(box, octets=601) == "full"


def test_so_does_the_removal_of_old_mail(world: World) -> None:
    """By its age."""
    box = with_quota(octets=1000)
    world.deliver(1000, box)
    assert world.lacks(box, octets=1) == "full"
    assert len(settled(world.expiry.remove_older(box, world.now))) == 1
    assert world.lacks(box, octets=1000) == ""


def test_what_is_withdrawn_was_never_there(world: World) -> None:
    """A barrier that failed takes messages back."""
    box = with_quota(octets=1000)
    world.deliver(10, box)
    assert world.lacks(box, octets=1) == ""
    world.deliver(900, box).withdraw()
    assert world.sum_of(box) == b"-900 -1"
    assert world.lacks(box, octets=990) == ""


def test_a_full_mailbox_is_counted_again_where_its_file_may_be_wrong(world: World) -> None:
    """Another program has removed mail without a word: as the specification has it, after 15 minutes at most."""
    box = with_quota(octets=1000)
    world.deliver(1000, box)
    path = world.mail.root / box.path
    assert world.lacks(box, octets=1) == "full"
    (name,) = os.listdir(path / "new")
    os.unlink(path / "new" / name)
    asked = world.threads
    assert world.lacks(box, octets=1) == "full"
    world.clock.advance(AGAIN_SECONDS - 1)
    assert world.lacks(box, octets=1) == "full"
    assert world.threads == asked
    world.clock.advance(1)
    assert world.lacks(box, octets=1) == ""


def test_a_full_mailbox_at_rest_costs_a_count_every_quarter_of_an_hour(world: World) -> None:
    """However often it is asked about."""
    box = with_quota(octets=10)
    world.deliver(10, box)
    assert world.lacks(box, octets=1) == "full"
    asked = world.threads
    world.clock.advance(STALE_SECONDS - 1)
    for _ in range(3):
        assert world.lacks(box, octets=1) == "full"
    assert world.threads == asked
    world.clock.advance(1)
    world.now += 2 * STALE_SECONDS
    assert world.lacks(box, octets=1) == "full"
    assert world.threads == asked + 1


def test_a_full_mailbox_of_another_process_is_counted_where_it_was_added_to(world: World) -> None:
    """Its file has more than one line."""
    box = with_quota(octets=1000)
    world.deliver(5, box)
    (world.mail.root / box.path / "maildirsize").write_bytes(b"1000S\n5 1\n995 1\n")
    assert world.lacks(box, octets=995) == ""


def test_a_new_quota_is_written_down(world: World) -> None:
    """For the other programs, too."""
    world.deliver(5, ALICE)
    assert world.lacks(with_quota(octets=1000), octets=1) == ""
    assert world.lacks(with_quota(octets=2000), octets=1500) == ""
    assert (world.mail.root / ALICE.path / "maildirsize").read_bytes() == b"2000S\n5 1          \n"


def test_an_alias_is_refused_where_all_its_mailboxes_are_full(world: World) -> None:
    """One that is full does not keep mail from the others, and gets it as well."""
    alice, bob = with_quota(ALICE, octets=10), with_quota(BOB, octets=10)
    world.deliver(10, alice)
    assert world.lacks(alice, bob, octets=5) == ""
    assert world.lacks(alice, BOB, octets=5) == ""
    world.deliver(10, bob)
    assert world.lacks(alice, bob, octets=5) == "full"


def test_a_domain_has_a_quota_for_all_its_mailboxes(world: World) -> None:
    """Known by their files; what others have done is seen after a while."""
    alice, bob = with_quota(ALICE, together=1000), with_quota(BOB, together=1000)
    world.deliver(400, ALICE)
    world.deliver(400, BOB)
    assert world.lacks(alice, octets=200) == ""
    assert world.lacks(alice, octets=201) == "full"
    held = world.reserve(bob, octets=150)
    assert world.lacks(alice, octets=51) == "full"
    held.release()
    world.deliver(100, bob)
    assert world.lacks(alice, octets=101) == "full"
    world.remove(BOB, [0])
    world.clock.advance(SUM_SECONDS)
    assert world.lacks(alice, octets=500) == ""


def test_a_domain_is_added_up_once_for_all_who_ask(world: World) -> None:
    """And again beside the work: the old sum will do until the new one is there."""
    alice, bob = with_quota(ALICE, together=1000), with_quota(BOB, together=1000)
    world.deliver(400, alice)
    world.deliver(400, bob)
    world.slow = Deferred()
    asked = [Deferred.fromCoroutine(cast(Any, world.quotas.reserve([box], 100))) for box in (alice, bob, alice)]
    slow, world.slow = world.slow, None
    slow.callback(None)
    assert [cast(Room, each.result).lack for each in asked].count("") == 2
    assert world.sums == 1
    for each in asked:
        cast(Room, each.result).release()

    world.clock.advance(SUM_SECONDS)
    world.slow = Deferred()
    for _ in range(3):
        assert world.lacks(alice, octets=200) == ""
    assert world.sums == 2
    world.slow.callback(None)


def test_owners_are_warned_once_each_time(world: World) -> None:
    """At 80 and at 95 percent, and again when it comes to that again; after a restart, too."""
    box = with_quota(octets=1000)
    world.deliver(10, box)
    assert world.lacks(box, octets=1) == ""
    world.deliver(789, box)
    assert world.warned == []
    world.deliver(1, box)
    world.deliver(10, box)
    assert world.warned == [(ALICE.path, 80)]
    world.deliver(150, box)
    world.deliver(100, box)
    assert world.warned[1:] == [(ALICE.path, 95)]
    assert {each for each in os.listdir(world.mail.root / box.path) if "quota" in each} == {
        "mailsuite-quota-80", "mailsuite-quota-95",
    }  # fmt: skip
    world.quotas._known.clear()
    world.lacks(box)
    assert len(world.warned) == 2
    world.remove(box, [1])
    assert world.lacks(box, octets=1) == ""
    world.deliver(700, box)
    assert world.warned[2:] == [(ALICE.path, 95)]


def test_what_cannot_be_found_out_is_no_reason_to_refuse_mail(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No quota is worth a message."""

    def broken(path: str) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(module, "read", broken)
    assert world.lacks(with_quota(octets=1), octets=1) == ""


def test_where_no_file_can_be_made_the_mailbox_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the quota holds: each time anew, until there is a file again."""

    def full(path: str, octets: bytes) -> None:
        raise OSError(errno.ENOSPC, "no")

    box, other = with_quota(octets=1000), with_quota(BOB, together=1500)
    world.deliver(400, box)
    with monkeypatch.context() as patched:
        patched.setattr(maildirsize, "_replace", full)
        assert world.lacks(box, octets=600) == ""
        world.deliver(600, box)
        assert world.lacks(box, octets=1) == "full"
        assert world.lacks(other, octets=501) == "full"
        assert world.lacks(other, octets=500) == ""
        assert not (world.mail.root / box.path / "maildirsize").exists()
    assert world.lacks(box, octets=1) == "full"
    assert world.sum_of(box) == b"1000 2"


def test_a_warning_that_cannot_be_added_up_switches_no_quota_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes into the mailbox between the look at it and the answer."""
    box = with_quota(messages=2)
    world.deliver(10, box)
    world.deliver(10, box)
    (world.mail.root / box.path / "maildirsize").unlink(missing_ok=True)

    def warn(mailbox: Mailbox, usage: Usage, quota: Quota, level: int) -> None:
        world.deliver(100, box)

    monkeypatch.setattr(world.quotas, "_warn", warn)
    monkeypatch.setattr(module, "record", lambda path, octets, messages: None)
    assert world.lacks(box) == "full"
    assert world.quotas._known[f"{world.mail.root}/{box.path}"].usage == Usage(120, 3)


@pytest.mark.parametrize("what", ["link", "fifo", "noise", "no mailbox", "folder"])
def test_whatever_has_the_name_of_the_file_nothing_waits_for_it(world: World, what: str) -> None:
    """It is replaced; a folder is moved away."""
    box = with_quota(octets=1000)
    world.deliver(100, box)
    path = world.mail.root / box.path / "maildirsize"
    match what:
        case "link":
            path.symlink_to("/nonexistent/file")
        case "fifo":
            os.mkfifo(path)
        case "noise":
            path.write_bytes(b"\0\xff\n")
        case "no mailbox":
            shutil.rmtree(path.parent)
        case "folder":
            path.mkdir()
            (path / "something").touch()
    world.deliver(50, box)
    assert world.lacks(box, octets=851) == ("" if what == "no mailbox" else "full")
    world.deliver(100, box)
    assert world.lacks(box, octets=851) == "full"
    assert path.is_file()
    assert len(list(path.parent.rglob("something"))) == (what == "folder")


@pytest.mark.parametrize("refused", ["read", "write"])
def test_a_file_that_we_may_not_use_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Somebody has made it as another user: what it says would be wrong for ever."""
    box = with_quota(octets=1000)
    world.deliver(100, box)
    path = world.mail.root / box.path / "maildirsize"
    path.write_bytes(b"1000S\n0 0\n")
    really = os.open

    def guarded(name: Any, flags: int, *more: Any, **others: Any) -> int:
        if name == str(path) and bool(flags & os.O_WRONLY) == (refused == "write"):
            raise PermissionError(13, "no", name)
        return really(name, flags, *more, **others)

    monkeypatch.setattr(os, "open", guarded)
    if refused == "write":
        world.deliver(100, box)
        assert not path.exists()
        assert world.lacks(box, octets=801) == "full"
    else:
        assert world.lacks(box, octets=901) == "full"
        assert path.read_bytes().split() == [b"1000S", b"100", b"1"]


def test_those_who_ask_at_once_share_one_look(world: World) -> None:
    """A mailbox is not counted for each of them."""
    box = with_quota(octets=100)
    world.deliver(60, box)
    world.slow = Deferred()
    asked = [Deferred.fromCoroutine(cast(Any, world.quotas.reserve([box], 30))) for _ in range(3)]
    assert world.threads == 1
    world.slow.callback(None)
    world.slow = None
    assert sorted(cast(Room, each.result).lack for each in asked) == ["", "full", "full"]


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox that was used longest ago is forgotten."""
    monkeypatch.setattr(module, "MAILBOXES", 2)
    for number in range(4):
        box = with_quota(Mailbox(number, f"b.example/{number}"), octets=10)
        world.deliver(1, box)
        assert world.lacks(box, octets=1) == ""
    assert len(world.quotas._known) == 2
