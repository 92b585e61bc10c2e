"""What people are told by mail: readable by any program, and safe whatever is in it."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from mailsuite.address import Address
from mailsuite.meaning import Login, Mailbox, Quota
from mailsuite.message.notice import Notice
from mailsuite.service.notices import Notices, Texts, in_units, percent
from tests.doubles_pop3 import settled

NOW = 1_767_225_600.0
BOX = Mailbox(1, "b.example/alice")
TEXTS = Texts("{percent} % of {mailbox}", "{used} of {limit}, {messages} of {message_limit}\n{percents}")


class World:
    """Keeps what is sent; *trouble*, if set, is raised instead."""

    def __init__(self, admin: Address | None = None, texts: Texts = TEXTS) -> None:
        self.sent: list[tuple[str, EmailMessage]] = []
        self.trouble: OSError | None = None
        self.leads = True
        self.notices = Notices("mail.example.org", self.submit, lambda: NOW, lambda: "t0k", texts, admin)

    async def submit(self, to: Address, octets: bytes) -> str | None:
        """Take a message."""
        if self.trouble is not None:
            raise self.trouble
        message = message_from_bytes(octets, policy=policy.default)
        self.sent.append((str(to), message))
        return "id" if self.leads else None

    def warn(self, quota: Quota = Quota(2048, 10), mailbox: Mailbox = BOX) -> None:  # noqa: B008 (frozen)
        """A mailbox with 1946 octets in 3 messages is nearly full."""
        settled(self.notices.nearly_full(mailbox, 1946, 3, quota))


def test_the_owner_is_told_in_the_words_of_the_site() -> None:
    """What no mark stands for stays as it is."""
    world = World()
    world.warn()
    ((to, message),) = world.sent
    assert to == "alice@b.example"
    assert message["Subject"] == "95 % of alice@b.example"
    assert message.get_content() == "1.9 KiB of 2.0 KiB, 3 of 10\r\n{percents}\r\n"
    assert (message["Auto-Submitted"], message["To"]) == ("auto-generated", "alice@b.example")
    assert message["From"] == "Mail System <postmaster@mail.example.org>"


def test_any_letters_can_be_written() -> None:
    """In the subject, in the text, and in the address."""
    world = World(texts=Texts("Bestände: {percent} %", "Schöne Grüße\n" + "x" * 2000))
    world.warn(Quota(0, 3), Mailbox(1, "b.example/jörg"))
    ((to, message),) = world.sent
    assert to == "jörg@b.example"
    assert message["Subject"] == "Bestände: 100 %"
    assert message.get_content().replace("\r\n", "\n") == "Schöne Grüße\n" + "x" * 2000 + "\n"


@given(st.text(max_size=300))
def test_no_text_becomes_a_header(text: str) -> None:
    """The header section ends where ours does."""
    octets = Notice("h.example", NOW, "t@h.example", Address("a", "b.example"), "S", text).octets()
    header, _, body = octets.partition(b"\r\n\r\n")
    assert header.count(b"\r\n") == 8
    assert b"\n" not in body.replace(b"\r\n", b"")


def test_who_sends_too_much_and_who_looks_after_it_are_told() -> None:
    """The postmaster of the login's domain, unless another is named; one message where they are the same."""
    world = World()
    settled(world.notices.held(Login(1, "alice@b.example", BOX), "because"))
    assert [to for to, _ in world.sent] == ["alice@b.example", "postmaster@b.example"]
    assert all("because." in message.get_content() for _, message in world.sent)
    assert "queue release --sender alice@b.example" in world.sent[1][1].get_content()

    world = World(Address("alice", "b.example"))
    settled(world.notices.held(Login(1, "alice@b.example", None), "because"))
    assert [to for to, _ in world.sent] == ["alice@b.example"]


@pytest.mark.parametrize("trouble", [OSError(28, "No space"), None])
def test_what_cannot_be_sent_is_logged(trouble: OSError | None) -> None:
    """Nobody waits for it."""
    world = World()
    world.trouble, world.leads = trouble, False
    with capturedLogs() as logs:
        world.warn()
        world.warn(mailbox=Mailbox(1, "b.example/long%-0"))
    assert len(logs) == 2


def test_amounts_for_people() -> None:
    """Of two limits the nearer one counts."""
    assert [in_units(each) for each in (0, 1023, 1024, 1 << 30, 1 << 62)] == [
        "0 octets", "1023 octets", "1.0 KiB", "1.0 GiB", "4.0 EiB",
    ]  # fmt: skip
    assert percent(50, 9, Quota(100, 10)) == 90
    assert percent(50, 9, Quota()) == 0
