"""Mailboxes that several logins share: what each has hidden, and what goes at last."""

import os
from pathlib import Path
from typing import cast

import pytest
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IListing, IMaildrop, MaildropInUse
from mailsuite.mailbox import sharing as module
from mailsuite.mailbox.shared_drop import SharedMaildrop, View, view
from mailsuite.mailbox.sharing import Sharing, is_shared
from mailsuite.mailbox.taking import take_listing
from tests.doubles_pop3 import settled
from tests.mailbox.files import ALICE, NOW
from tests.mailbox.test_store import World

DAY = 86_400
BOB, EVE = "bob@b.example", "eve@b.example"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A mailbox of three messages that Bob and Eve share; what both have hidden goes after two days."""
    world = World(tmp_path, monkeypatch)
    for content in (b"one\r\n", b"three\r\n", b"seven..\r\n"):
        world.deliver(content)
    sharing(world).begin(2, [BOB, EVE])
    world.rest()
    return world


def sharing(world: World) -> Sharing:
    """What is kept of Alice's mailbox."""
    return Sharing(str(world.mail.root / ALICE.path))


def opened(world: World, reader: str) -> IMaildrop:
    """A session of *reader*."""
    return cast(IMaildrop, settled(world.store.open(ALICE, reader)))


def sizes(world: World, reader: str) -> list[int]:
    """What *reader* sees."""
    maildrop = opened(world, reader)
    try:
        return list(maildrop.listing().sizes)
    finally:
        maildrop.close()


def hide(world: World, reader: str, *numbers: int) -> None:
    """Let *reader* delete messages, in a session."""
    maildrop = opened(world, reader)
    assert settled(maildrop.remove(numbers)) == ()
    maildrop.close()


def on_disk(world: World) -> int:
    """How many messages there are."""
    return len(world.mail.files(ALICE))


class TestSessions:
    """Each login has its own marks."""

    def test_interfaces(self, world: World) -> None:
        """What a session gets is a maildrop with a listing."""
        hide(world, BOB, 1)
        maildrop = opened(world, BOB)

        verifyObject(IMaildrop, maildrop)
        assert isinstance(maildrop, SharedMaildrop)
        assert isinstance(maildrop.listing(), View)
        verifyObject(IListing, maildrop.listing())

    def test_several_at_once(self, world: World) -> None:
        """Two logins at the same time, and none of them twice."""
        first, second = opened(world, BOB), opened(world, EVE)
        with pytest.raises(MaildropInUse):
            opened(world, BOB)
        first.close()
        opened(world, BOB).close()
        second.close()

        assert world.locks.acquire(str(world.mail.root / ALICE.path))

    def test_somebody_wants_it_alone(self, world: World) -> None:
        """He waits for all who share it, and they for him."""
        path = str(world.mail.root / ALICE.path)
        first, second = opened(world, BOB), opened(world, EVE)
        first.close()
        assert not world.locks.acquire(path)
        second.close()
        assert world.locks.acquire(path)
        with pytest.raises(MaildropInUse):
            opened(world, BOB)

    def test_deletion_hides(self, world: World) -> None:
        """From who deletes, in the next session; the others see it, and it is there."""
        hide(world, BOB, 0, 2)

        assert sizes(world, BOB) == [7]
        assert sizes(world, EVE) == [5, 7, 9]
        assert on_disk(world) == 3

    def test_numbers_of_what_is_left(self, world: World) -> None:
        """A session counts from one without what is hidden, reads and deletes by these numbers."""
        hide(world, BOB, 0)
        maildrop = opened(world, BOB)
        listing = maildrop.listing()

        assert (list(listing.sizes), listing.octets) == ([7, 9], 16)
        assert listing.size_rows(0, 2) == b"1 7\r\n2 9\r\n"
        ids = list(listing.unique_ids)
        assert listing.id_rows(1, 2) == f"2 {ids[1]}\r\n".encode()
        content = settled(maildrop.read(1))
        assert settled(content.read(100)) == b"seven..\r\n"
        content.close()
        assert settled(maildrop.remove([0])) == ()
        maildrop.close()
        assert sizes(world, BOB) == [9]
        assert sizes(world, EVE) == [5, 7, 9]

    def test_marks_of_a_session_are_its_own(self, world: World) -> None:
        """A session that ends without deleting hides nothing."""
        opened(world, BOB).close()

        assert sizes(world, BOB) == [5, 7, 9]

    def test_new_mail(self, world: World) -> None:
        """It is seen by all."""
        hide(world, BOB, 0, 1, 2)
        world.deliver(b"eleven....\r\n")

        assert sizes(world, BOB) == [12]
        assert sizes(world, EVE) == [5, 7, 9, 12]

    def test_lock_is_free_after_trouble(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A session that could not be opened keeps nobody out."""

        def failing(*arguments: object) -> None:
            raise OSError("as a test wants it")

        with monkeypatch.context() as patch:
            patch.setattr(Sharing, "hidden", failing)
            with pytest.raises(OSError, match="as a test"):
                opened(world, BOB)

        assert sizes(world, BOB) == [5, 7, 9]


class TestExpiry:
    """A message that all have hidden goes after its days."""

    def test_at_the_term_and_before(self, world: World) -> None:
        """Counted from the last who has hidden it; what one still sees stays."""
        hide(world, BOB, 0, 1)
        world.now += DAY
        hide(world, EVE, 0)
        world.now += 2 * DAY - 1
        assert sizes(world, BOB) == [9]
        assert on_disk(world) == 3
        world.now += 1
        assert sizes(world, EVE) == [7, 9]

        assert on_disk(world) == 2
        assert sizes(world, BOB) == [9]

    def test_never(self, world: World) -> None:
        """That is what holds where nothing else is said."""
        sharing(world).begin(None, [BOB, EVE])
        for reader in (BOB, EVE):
            hide(world, reader, 0, 1, 2)
        world.now += 10_000 * DAY

        assert sizes(world, BOB) == []
        assert on_disk(world) == 3

    def test_at_once(self, world: World) -> None:
        """With no days it goes when the next session is opened."""
        sharing(world).begin(0, [BOB, EVE])
        for reader in (BOB, EVE):
            hide(world, reader, 1)

        assert sizes(world, BOB) == [5, 9]
        assert on_disk(world) == 2

    def test_who_comes_later(self, world: World) -> None:
        """Who has never looked has hidden nothing; who has left is not waited for."""
        sharing(world).join("dan@b.example")
        for reader in (BOB, EVE):
            hide(world, reader, 0)
        world.now += 3 * DAY
        assert sizes(world, BOB) == [7, 9]
        assert on_disk(world) == 3
        sharing(world).leave("dan@b.example")
        sharing(world).leave("dan@b.example")

        assert sizes(world, BOB) == [7, 9]
        assert on_disk(world) == 2

    @pytest.mark.parametrize(
        "settings", [b"", b"mailsuite shared 1\nexpire soon\n", b"mailsuite shared 2\nexpire 1\n"]
    )
    def test_settings_that_cannot_be_read(self, world: World, settings: bytes) -> None:
        """Nothing is removed then."""
        for reader in (BOB, EVE):
            hide(world, reader, 0, 1, 2)
        (world.mail.root / ALICE.path / "mailsuite-shared/settings").write_bytes(settings)
        world.now += 10_000 * DAY
        sizes(world, BOB)

        assert on_disk(world) == 3


class TestFiles:
    """What is kept."""

    def test_begin_and_end(self, tmp_path: Path) -> None:
        """The settings come back; afterwards nothing is left."""
        shared = Sharing(str(tmp_path))
        assert not is_shared(str(tmp_path))
        for days in (None, 0, 30):
            shared.begin(days, [BOB])
            assert shared.days == days
        assert is_shared(str(tmp_path))
        shared.end()

        assert list(tmp_path.iterdir()) == []

    def test_a_crash_within_a_row(self, tmp_path: Path) -> None:
        """A row that was cut off hides nothing and spoils nothing."""
        shared = Sharing(str(tmp_path))
        shared.begin(None, [BOB])
        shared.hide(BOB, ["1.a", "2.b"], NOW)
        (file,) = (tmp_path / "mailsuite-shared").glob("reader-*")
        whole = file.read_bytes()
        for cut in range(len(whole)):
            file.write_bytes(whole[:cut])
            assert set(shared.hidden(BOB)) <= {b"1.a", b"2.b"}
            shared.hide(BOB, ["3.c"], NOW)
            assert b"3.c" in shared.hidden(BOB)
            assert set(shared.hidden(BOB)) <= {b"1.a", b"2.b", b"3.c"}

    def test_what_is_gone_is_forgotten(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the limit all is kept, one past it what is gone goes."""
        monkeypatch.setattr(module, "SPARE_ROWS", 3)
        shared = Sharing(str(tmp_path))
        shared.begin(None, [BOB])
        shared.hide(BOB, ["1.a", "2.b", "3.c", "4.d"], NOW)
        shared.tidy(BOB, ["1.a"])
        assert len(shared.hidden(BOB)) == 4
        shared.hide(BOB, ["5.e"], NOW + 1)
        shared.tidy(BOB, ["1.a"])

        assert shared.hidden(BOB) == {b"1.a": int(NOW)}

    def test_names_stay_in_the_folder(self, tmp_path: Path) -> None:
        """Whatever a login is called."""
        shared = Sharing(str(tmp_path))
        shared.begin(None, ["../../evil@b.example", "a/b@b.example", "x" * 300])

        assert len(os.listdir(tmp_path / "mailsuite-shared")) == 4
        assert os.listdir(tmp_path) == ["mailsuite-shared"]

    def test_many_messages(self, tmp_path: Path) -> None:
        """A view is made in pieces; without anything hidden it is the listing itself."""
        (tmp_path / "cur").mkdir()
        for number in range(2100):
            (tmp_path / "cur" / f"{number + 1_700_000_000}.M000000P1Q1,S=1,W=1").touch()
        listing, _ = take_listing(str(tmp_path))
        hidden = {listing.unique_ids[index].encode() for index in (0, 1023, 1024, 2099)}
        seen = view(listing, hidden)

        assert len(seen.sizes) == 2096
        assert not hidden & {each.encode() for each in seen.unique_ids}
        assert view(listing, {b"nothing"}) is listing
