"""Programs of this machine send: the kernel says whose they are."""

from typing import cast

import pytest

from mailsuite.app import Parts
from mailsuite.config import Settings
from mailsuite.config.tables.listen import Listener
from mailsuite.config.tables.smtp import SMTP, Submission
from mailsuite.envelope import Peer
from mailsuite.incoming import bounds, smtp_session_settings
from mailsuite.policy.checks import Checks
from mailsuite.policy.relay import SubmissionRelay
from mailsuite.service.local import LocalRole, local_login
from tests.service.world import DATE, World

ALICE = Peer("unix", user="alice", uid=1000)
WEB = Peer("unix", user="web", uid=33)
ROOT = Peer("unix", user="toor", uid=0)
ORIGIN = "b.example"


def world(peer: Peer, *trusted: str) -> World:
    """Return a site that *peer* sends to."""
    made = World(peer=peer)
    reception = made.reception
    reception.role = LocalRole(Checks(SubmissionRelay()), made.role.logins, ORIGIN, trusted)
    reception.login = local_login(peer, ORIGIN)
    made.say(b"EHLO localhost\r\n")
    return made


@pytest.mark.parametrize(
    ("peer", "trusted", "sender", "code"),
    [
        (ALICE, (), "alice@b.example", "250"),
        (ALICE, (), "Alice@B.example", "250"),
        (ALICE, (), "", "250"),
        (ALICE, (), "bob@b.example", "550"),
        (ALICE, (), "alice@mail.example.org", "550"),
        (ALICE, ("web", "1001"), "bob@b.example", "550"),
        (WEB, ("web",), "bob@b.example", "250"),
        (WEB, ("33",), "bob@else.example", "250"),
        (ROOT, (), "bob@else.example", "250"),
        # Not somebody who only calls himself so.
        (Peer("unix", user="root", uid=7), (), "bob@else.example", "550"),
    ],
)
def test_whom_one_may_be(peer: Peer, trusted: tuple[str, ...], sender: str, code: str) -> None:
    """The own name at our origin, or none; root and who is listed, by name or number, anybody."""
    (reply,) = world(peer, *trusted).say(f"MAIL FROM:<{sender}>\r\n".encode())

    assert reply.startswith(code)


def test_mail_is_taken_completed_and_logged() -> None:
    """For others, too; with any From; the log has the user."""
    made = world(ALICE)
    reply = made.send(b"From: Web <noreply@shop.example>\r\nBcc: x\r\n\r\nhi\r\n", "x@else.example",
                      sender="alice@b.example")  # fmt: skip

    assert reply.startswith("250")
    ((_, _, content),) = made.queue.accepted
    assert b"Date: " + DATE in content
    assert b"Bcc" not in content
    assert [fields["login"] for kind, fields in made.log.records if kind == "smtp"] == ["alice@b.example"]
    assert [fields["service"] for kind, fields in made.log.records if kind == "smtp"] == ["local"]


def test_nothing_else() -> None:
    """No queue is started, no alias shown; who speaks for somebody else is nobody."""
    made = world(ALICE)

    assert [reply[:3] for reply in made.say(b"ETRN else.example\r\nEXPN team\r\n")] == ["459", "252"]
    made.reception.login = None
    assert made.say(b"MAIL FROM:<alice@b.example>\r\n")[0].startswith("530")


def test_what_its_sessions_are_given() -> None:
    """The origin in EHLO, no password, no pause before the greeting, and nobody who speaks for others."""
    smtp = SMTP(greeting_delay=5.0, xclient_peers=["unix"])
    settings = Settings(hostname="mail.b.example", smtp=smtp, submission=Submission(origin=ORIGIN))
    listener = Listener(service="submission", auth="peer", endpoint="unix:local")
    given = smtp_session_settings(settings, listener, lambda: cast(Parts, None))

    assert (given.hostname, given.auth, given.auth_required, given.xclient) == (ORIGIN, "off", False, False)
    assert bounds(settings, listener).greeting_delay == 0.0
    assert bounds(settings, Listener(service="submission", endpoint="tcp:587")).greeting_delay == 5.0
