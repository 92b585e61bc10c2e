"""Submission: only with a login, only as oneself, and completed (RFC 6409)."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from mailsuite.address import Address
from mailsuite.encryption import Encryption
from mailsuite.meaning import CannotJudge
from mailsuite.sasl.client.scram_sha_256 import ScramSha256
from mailsuite.sasl.cram_keys import cram_keys
from mailsuite.sasl.initiator import Secret
from mailsuite.sasl.scram_keys import scram_keys
from mailsuite.service.login import GIVEN_UP
from tests.sasl import store
from tests.service.world import ALICE, DATE, World

FROM = b"From: Alice <alice@b.example>\r\n"
WHOLE = FROM + b"Date: x\r\nMessage-ID: <y@z>\r\n"


def world(check_from: bool = True) -> World:
    """Return a site in which alice is logged in."""
    made = World(submission=True, check_from=check_from)
    made.log_in()
    return made


class TestLogin:
    """AUTH."""

    def test_nothing_without_a_login(self) -> None:
        """RFC 6409 §4.3: 530 for every command of a transaction. VRFY and EXPN tell nothing (RFC 5321 §7.3)."""
        made = World(submission=True)
        replies = made.say(b"EHLO x\r\nMAIL FROM:<alice@b.example>\r\nEXPN a\r\nVRFY a\r\nETRN b.example\r\n")[1:]

        assert replies[0] == "530 5.7.0 Authentication required"
        assert [reply[:9] for reply in replies[1:]] == ["252 2.5.0", "252 2.5.0", "530 5.7.0"]

    def test_wrong_passwords(self) -> None:
        """535 for a name that is known and one that is not, alike; the log has the name and not the password."""
        made = World(submission=True)
        replies = made.say(
            b"EHLO x\r\nAUTH PLAIN AGFsaWNlQGIuZXhhbXBsZQB3cm9uZw==\r\nAUTH PLAIN AG5vYm9keQBzZXNhbWU=\r\n"
        )

        assert replies[1:] == ["535 5.7.8 Authentication credentials invalid"] * 2
        records = [fields for kind, fields in made.log.records if kind == "login"]
        assert [record["login"] for record in records] == ["alice@b.example", "nobody"]
        assert all("sesame" not in str(record) and record["refused"] for record in records)

    def test_guessers_are_cut_off(self) -> None:
        """Past the limit: 421 and the end of the session."""
        made = World(submission=True)
        replies = made.say(b"EHLO x\r\n" + b"AUTH PLAIN AG5vYm9keQBzZXNhbWU=\r\n" * 5)

        assert [reply[:3] for reply in replies] == ["250", "535", "535", "535", "421"]
        assert made.closed

    def test_passwords_cannot_be_checked(self) -> None:
        """454: nothing is known about the password (RFC 4954 §6)."""
        made = World(submission=True)
        made.passwords.trouble = OSError("the directory is away")

        assert made.say(b"EHLO x\r\nAUTH PLAIN AGFsaWNlQGIuZXhhbXBsZQBzZXNhbWU=\r\n")[1] == (
            "454 4.7.0 Cannot check logins now, try again later"
        )
        assert made.reception.login is None

    def test_what_logins_stand_on_is_away(self) -> None:
        """454 too; nothing is wrong here, so the log says why in a line, without a traceback."""
        made = World(submission=True)
        made.passwords.trouble = CannotJudge("200 passwords wait")

        with capturedLogs() as logged:
            assert made.say(b"EHLO x\r\nAUTH PLAIN AGFsaWNlQGIuZXhhbXBsZQBzZXNhbWU=\r\n")[1][:9] == "454 4.7.0"
        assert [(event["reason"], "log_failure" in event) for event in logged] == [("200 passwords wait", False)]

    def test_a_slow_check(self) -> None:
        """What came behind AUTH waits for it."""
        made = World(submission=True)
        pending: Deferred[None] = Deferred()
        made.passwords.pending = pending
        made.say(b"EHLO x\r\nAUTH PLAIN AGFsaWNlQGIuZXhhbXBsZQBzZXNhbWU=\r\nMAIL FROM:<alice@b.example>\r\n")
        pending.callback(None)

        assert [reply[:3] for reply in made.replies()] == ["235", "250"]

    @pytest.mark.parametrize("later", [False, True])
    def test_a_proof(self, later: bool) -> None:
        """By a mechanism that asks for what is stored: logged once, by its name; a wrong one like a wrong password."""
        made = exchanging()
        pending: Deferred[None] = Deferred()
        made.passwords.pending = pending if later else None
        replies = made.say(b"EHLO x\r\nAUTH CRAM-MD5\r\n" + cram("sesame"))
        if later:
            pending.callback(None)
            replies += made.replies()
        assert [reply[:3] for reply in replies] == ["250", "334", "235"]
        assert made.reception.login == ALICE
        (record,) = [fields for kind, fields in made.log.records if kind == "login"]
        assert (record["login"], record["mechanism"], record["refused"]) == ("alice@b.example", "CRAM-MD5", None)

        made = exchanging()
        replies = made.say(b"EHLO x\r\nAUTH CRAM-MD5\r\n" + cram("wrong"))
        assert replies[2] == "535 5.7.8 Authentication credentials invalid"
        assert made.reception.login is None
        (record,) = [fields for kind, fields in made.log.records if kind == "login"]
        assert (record["login"], record["refused"]) == ("alice@b.example", "wrong name or password")

    @pytest.mark.parametrize("right", [True, False])
    def test_a_password_that_has_to_be_changed(self, right: bool) -> None:
        """Who knows it is told so, in the words of RFC 5248 (X.7.13); nobody else is."""
        made = exchanging()
        made.passwords.logins[ALICE.name] = replace(ALICE, must_change=True)
        replies = made.say(b"EHLO x\r\nAUTH CRAM-MD5\r\n" + cram("sesame" if right else "wrong"))

        assert replies[2].startswith("525 5.7.13 Your password has to be changed" if right else "535 5.7.8 ")
        assert made.reception.login is None
        (record,) = [fields for kind, fields in made.log.records if kind == "login"]
        assert record["refused"] == ("the password has to be changed" if right else "wrong name or password")

    def test_a_password_that_is_changed_in_the_course_of_an_exchange(self) -> None:
        """What was proved is the old one: refused, and counted."""
        made = exchanging()
        made.say(b"EHLO x\r\nAUTH CRAM-MD5\r\n")
        pending: Deferred[None] = Deferred()
        made.passwords.pending = pending
        assert made.say(cram("sesame")) == []
        made.passwords.pending = None
        made.passwords.stored["cram-md5"] = str(cram_keys(b"changed"))
        pending.callback(None)

        assert made.replies() == ["535 5.7.8 Authentication credentials invalid"]
        assert (made.reception.login, made.tries.left) == (None, 2)

    @pytest.mark.parametrize("end", [b"*\r\n", b"eA==\r\n", b"!\r\n", b"x" * 13_000 + b"\r\n", b""])
    def test_a_right_proof_that_is_not_made_use_of(self, end: bytes) -> None:
        """However the client ends the exchange: it knows the password now, and the log says so."""
        made = exchanging()
        made.passwords.stored["scram-sha-256"] = str(scram_keys("SCRAM-SHA-256", "sesame", b"salt", 4096))
        initiator = ScramSha256(Secret("alice@b.example", "sesame", "n" * 20))
        first = b64encode(initiator.begin() or b"").decode()
        _, challenge = made.say(f"EHLO x\r\nAUTH SCRAM-SHA-256 {first}\r\n".encode())
        (proved,) = made.say(b64encode(initiator.respond(b64decode(challenge[4:])) or b"") + b"\r\n")
        assert proved.startswith("334 ")
        if end:
            assert made.say(end)[0][:1] == "5"
        made.drop_connection()

        assert made.reception.login is None
        (record,) = [fields for kind, fields in made.log.records if kind == "login"]
        assert record["login"] == "alice@b.example"
        assert (record["mechanism"], record["refused"]) == ("SCRAM-SHA-256", GIVEN_UP)

    def test_who_guesses_by_proofs_is_cut_off(self) -> None:
        """They count as passwords do; a right one does not help any more."""
        made = exchanging()
        replies = made.say(b"EHLO x\r\n" + (b"AUTH CRAM-MD5\r\n" + cram("wrong")) * 3)
        assert [reply[:3] for reply in replies] == ["250", *["334", "535"] * 3]
        assert [reply[:3] for reply in made.say(b"AUTH CRAM-MD5\r\n" + cram("sesame"))] == ["334", "421"]
        assert made.closed and made.reception.login is None

    def test_secrets_cannot_be_seen(self) -> None:
        """454: nothing is known about the proof."""
        made = exchanging()
        made.passwords.trouble = OSError("the directory is away")

        assert made.say(b"EHLO x\r\nAUTH CRAM-MD5\r\n" + cram("sesame"))[2][:9] == "454 4.7.0"

    def test_tls_forgets_the_login(self) -> None:
        """RFC 3207 §4.2."""
        made = world()
        made.reception.tls_started(Encryption("TLSv1.3", "x"))

        assert made.reception.login is None


def exchanging() -> World:
    """Return a session that offers all mechanisms to alice, of whose password what CRAM-MD5 needs is stored."""
    made = World(submission=True)
    made.core.settings = replace(made.core.settings, sasl=store.terms("smtp"))
    made.passwords.stored["cram-md5"] = str(cram_keys(b"sesame"))
    return made


def cram(password: str) -> bytes:
    """Return alice's answer to the challenge (RFC 2195 §2)."""
    challenge = f"<{store.NONCE}@mail.example.org>".encode()
    digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
    return b64encode(f"alice@b.example {digest}".encode()) + b"\r\n"


class TestSender:
    """The reverse-path."""

    @pytest.mark.parametrize(
        ("sender", "reply"), [("alice@b.example", "250"), ("sales@b.example", "250"), ("", "250")]
    )
    def test_own_addresses(self, sender: str, reply: str) -> None:
        """RFC 6409 §6.1: what belongs to the login, and the null path."""
        assert world().say(f"MAIL FROM:<{sender}>\r\n".encode())[0].startswith(reply)

    def test_no_null_path_of_who_was_suspended(self) -> None:
        """An open session is no way round it."""
        made = world()
        made.passwords.logins.clear()

        assert made.say(b"MAIL FROM:<>\r\n") == ["550 5.7.1 This login may not send from that address"]

    def test_other_addresses(self) -> None:
        """550, and no transaction."""
        made = world()

        assert made.say(b"MAIL FROM:<bob@b.example>\r\nRCPT TO:<bob@b.example>\r\n") == [
            "550 5.7.1 This login may not send from that address",
            "503 5.5.1 Bad sequence of commands",
        ]
        assert made.records()[0]["reply"] == "550 5.7.1 This login may not send from that address"

    @pytest.mark.parametrize("later", [False, True])
    def test_trouble_with_the_directory(self, later: bool) -> None:
        """451, and the session goes on."""
        made = world()
        made.directory.trouble = RuntimeError("as a test wants it")
        pending: Deferred[None] | None = Deferred() if later else None
        made.directory.pending = pending
        made.say(b"MAIL FROM:<alice@b.example>\r\n")
        if pending is not None:
            pending.callback(None)
            assert made.replies()[0].startswith("451")
        made.directory.trouble = made.directory.pending = None

        assert made.say(b"MAIL FROM:<alice@b.example>\r\n")[0].startswith("250")


class TestMessage:
    """What is done to a message, and what is asked of it."""

    def send(self, made: World, content: bytes) -> str:
        """Send *content* as alice, to alice."""
        return made.send(content, sender="alice@b.example")

    def test_a_complete_message_is_kept_as_it_is(self) -> None:
        """Only the trace is put before it."""
        made = world()
        self.send(made, WHOLE + b"\r\nhello\r\n")
        ((octets, _),) = made.delivered

        assert octets.endswith(DATE + b"\r\n" + WHOLE + b"\r\nhello\r\n")
        assert b"with ESMTPA id k7f-1" in octets

    def test_a_priority_beside_the_line_of_an_mbox(self) -> None:
        """Each is put right, whatever the other does to the header."""
        made = world()
        made.say(b"MAIL FROM:<alice@b.example> MT-PRIORITY=0\r\nRCPT TO:<alice@b.example>\r\nDATA\r\n")
        made.say(b"From alice Thu Jan  1 00:00:00 2026\r\n" + WHOLE + b"MT-Priority: 3\r\nX: y\r\n\r\nhello\r\n.\r\n")
        ((octets, _),) = made.delivered

        assert octets.endswith(b"MT-Priority: 0\r\n" + WHOLE + b"X: y\r\n\r\nhello\r\n")

    @pytest.mark.parametrize("start", [b" folded\r\n", b"no field\r\n"])
    def test_no_blind_recipient_is_shown_by_what_is_no_header(self, start: bytes) -> None:
        """What looks like a field behind a line that is none."""
        made = world()
        self.send(made, start + b"Bcc: secret@b.example\r\nX: y\r\n\r\nhello\r\n")
        ((octets, _),) = made.delivered

        assert octets.endswith(b"From: alice@b.example\r\n\r\n" + start + b"X: y\r\n\r\nhello\r\n")
        assert b"secret" not in octets

    def test_a_message_from_nobody(self) -> None:
        """The null reverse-path names none: the login does."""
        made = world()
        made.say(b"MAIL FROM:<>\r\nRCPT TO:<alice@b.example>\r\nDATA\r\n")
        made.say(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        ((octets, _),) = made.delivered

        assert b"\r\nFrom: alice@b.example\r\nSubject: x\r\n\r\nhello\r\n" in octets

    def test_a_message_is_completed(self) -> None:
        """Date and Message-ID are added behind the trace; Bcc is removed."""
        made = world()
        self.send(made, b"Bcc: x,\r\n\ty\r\n" + FROM + b"\r\nhello\r\n")
        ((octets, _),) = made.delivered

        assert octets.endswith(
            b"Date: " + DATE + b"\r\nMessage-ID: <k7f-1.1767225600@mail.example.org>\r\n" + FROM + b"\r\nhello\r\n"
        )

    @pytest.mark.parametrize(
        ("header", "reply"),
        [
            (FROM, "250"),
            (b"From: sales@b.example\r\n", "250"),
            (b"From: sales@b.example, alice@b.example\r\n", "250"),
            (b"Subject: no author\r\n", "250"),
            (b"From: bob@b.example\r\n", "550 5.7.1"),
            (b"From: alice@b.example, bob@b.example\r\n", "550 5.7.1"),
            (FROM + b"FROM: bob@b.example\r\n", "554 5.6.0"),
            (b'From: "alice@b.example" <bob@b.example>\r\n', "550 5.7.1"),
            (b"From: alice@b.example bob@b.example\r\n", "554 5.6.0"),
            (b"From: Alice\r\n", "554 5.6.0"),
            (b"From: " + b"(" * 5000 + b"\r\n", "554 5.6.0"),
            (FROM + b"Subject: a\r\nSubject: b\r\n", "554 5.6.0 The message has more than one Subject field"),
        ],
    )
    def test_from_is_checked(self, header: bytes, reply: str) -> None:
        """Each author has to be the login, in every From field; an unreadable one is nobody."""
        made = world()

        assert self.send(made, header + b"\r\n").startswith(reply)
        assert len(made.delivered) == (reply == "250")
        assert made.open_drafts == 0
        assert made.failures == []

    def test_check_from_can_be_switched_off(self) -> None:
        """Then only the envelope counts."""
        assert self.send(world(check_from=False), b"From: bob@b.example\r\n\r\n").startswith("250")

    @pytest.mark.parametrize("later", [False, True])
    def test_trouble_while_from_is_checked(self, later: bool) -> None:
        """451, the message is not kept, its draft is discarded, and the log knows."""
        made = world()
        made.greet("alice@b.example", sender="alice@b.example")
        made.directory.trouble = RuntimeError("as a test wants it")
        pending: Deferred[None] | None = Deferred() if later else None
        made.directory.pending = pending
        replies = made.say(b"DATA\r\n" + WHOLE + b"\r\n.\r\n")
        if pending is not None:
            pending.callback(None)
            replies += made.replies()

        assert replies[-1].startswith("451")
        assert made.delivered == []
        assert made.open_drafts == 0
        assert [record["reply"] for record in made.records()] == ["451 4.3.0 Trouble on our side, try again later"]

    def test_connection_lost_while_from_is_checked(self) -> None:
        """The message goes its way: its end was reached."""
        made = world()
        made.greet("alice@b.example", sender="alice@b.example")
        pending: Deferred[None] = Deferred()
        made.directory.pending = pending
        made.say(b"DATA\r\n" + WHOLE + b"\r\n.\r\n")
        made.drop_connection()
        made.directory.pending = None
        pending.callback(None)

        assert len(made.delivered) == 1

    def test_mail_for_others_is_queued(self) -> None:
        """A login may send anywhere; what goes out has the header completed and no Return-Path."""
        made = world()
        assert (
            made.send(b"From: alice@b.example\r\n\r\nhi\r\n", "x@else.example", sender="alice@b.example")[:3] == "250"
        )

        ((message, (recipient,), octets),) = made.queue.accepted
        assert str(recipient.address) == "x@else.example"
        assert message.origin == "alice@b.example"
        assert octets.startswith(b"Received: from ")
        assert b"\r\nDate: " in octets
        assert made.delivered == []


class TestExpand:
    """EXPN, for those who have logged in."""

    @pytest.mark.parametrize("text", [b"list@b.example", b"<list@b.example>", b"list", b"<list>", b'"list"'])
    def test_members(self, text: bytes) -> None:
        """RFC 5321 §3.5.2: each on a line of its own; §3.5.1: a name alone is of the domain of who asks."""
        made = world()
        made.directory.members["list@b.example"] = [Address("alice", "b.example"), Address("a b", "b.example")]
        made.core.receive(b"EXPN " + text + b"\r\n")
        made.pump()

        assert made.said == b'250-2.1.5 <alice@b.example>\r\n250 2.1.5 <"a b"@b.example>\r\n'

    def test_members_with_other_letters(self) -> None:
        """RFC 6531 §3.7.4.2: they are shown to who says SMTPUTF8; RFC 6531 §3.7: domains are U-labels then."""
        made = world()
        made.directory.members["друзья@b.example"] = [Address("пётр", "b.example"), Address("a", "xn--p1ai")]
        made.directory.members["list@b.example"] = [Address("alice", "рф")]
        made.core.receive("EXPN друзья@b.example SMTPUTF8\r\n".encode())
        made.pump()

        assert made.said.decode() == "250-2.1.5 <пётр@b.example>\r\n250 2.1.5 <a@рф>\r\n"
        made.core.receive("EXPN друзья SMTPUTF8\r\n".encode())
        made.pump()
        assert made.said.decode() == "250-2.1.5 <пётр@b.example>\r\n250 2.1.5 <a@рф>\r\n" * 2
        made.said = b""
        (reply,) = made.say("EXPN друзья@b.example\r\n".encode())
        assert reply.startswith("252 2.6.8 ") and reply.isascii()
        assert made.say(b"EXPN list@b.example\r\n") == ["250 2.1.5 <alice@xn--p1ai>"]

    @pytest.mark.parametrize("text", [b"nothing@b.example", b"alice", b"a b", b"x" * 400, b"x" * 300 + b"@b.example"])
    def test_no_list(self, text: bytes) -> None:
        """An address that is no list, and what is no address, are the same to the asker."""
        assert world().say(b"EXPN " + text + b"\r\n") == ["550 5.1.1 Not a list"]
