"""One POP3 session's respondent: logging in, reading, removing, and all the ways to lose the client."""

from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from mailsuite.encryption import Encryption
from mailsuite.envelope import Peer
from mailsuite.interfaces import IContent, IMaildrop, IMailLog, IMailStore, IRespondent
from mailsuite.meaning import CannotJudge, Login, Secret
from mailsuite.policy.state import MemoryState
from mailsuite.pop3 import events, responses
from mailsuite.pop3.server import ServerSession
from mailsuite.pop3.settings import Policy, Settings
from mailsuite.sasl.claims import LoginClaim, PasswordClaim, Proof, SecretWanted
from mailsuite.service.login import GIVEN_UP, Logins, Refused
from mailsuite.service.login_delays import SharedDelays
from mailsuite.service.maa import CHUNK, MailboxAccess, MailboxSite
from tests.chat import Conversation
from tests.doubles_pop3 import (
    ALICE,
    MAILBOX,
    FixedLogins,
    KeptLog,
    MemoryContent,
    MemoryListing,
    MemoryMaildrop,
    MemoryStore,
    settled,
)

CLAIM = events.Authenticate("USER", PasswordClaim("alice@example.org", "open sesame"))
PEER = Peer("192.0.2.7", 40000)
BIG = b"A: b\r\n\r\n" + b"line\r\n" * 50_000


class World:
    """A respondent with doubles all round."""

    def __init__(
        self,
        messages: Sequence[bytes | OSError] = (b"A: b\r\n\r\nc\r\n", BIG, FileNotFoundError(2, "gone")),
        login: Login | Refused | Exception = ALICE,
        stubborn: Sequence[int] = (),
        policy: Policy | None = None,
    ) -> None:
        self.clock = Clock()
        self.maildrop = MemoryMaildrop(messages, stubborn)
        self.store = MemoryStore(self.maildrop)
        self.logins = FixedLogins(login)
        self.log = KeptLog()
        logins: Any = self.logins
        self.site = MailboxSite("mail.example.org", self.store, logins, self.log, self.clock.seconds)
        if policy is not None:
            delays = SharedDelays(MemoryState(self.clock.seconds))
            self.site = replace(self.site, policy_of=lambda login: policy, delays=delays)
        self.access = self.another()

    def another(self) -> MailboxAccess:
        """One more session."""
        return MailboxAccess(self.site, PEER, "k7f")

    def log_in(self) -> Any:
        """Log in; return the answer."""
        return settled(self.access.respond(CLAIM))

    def ask(self, event: Any) -> Any:
        """Return the answer to *event*."""
        return settled(self.access.respond(event))

    def session_record(self) -> dict[str, object]:
        """The one record of the session."""
        ((_, fields),) = [record for record in self.log.records if record[0] == "pop3"]
        return fields


def test_interfaces() -> None:
    """The respondent and all doubles have what their interfaces ask for."""
    world = World()

    verifyObject(IRespondent, world.access)
    verifyObject(IMaildrop, world.maildrop)
    verifyObject(IMailStore, world.store)
    verifyObject(IMailLog, world.log)
    verifyObject(IContent, MemoryContent(b""))


class TestExchange:
    """What AUTH asks on its way (RFC 5034)."""

    def test_what_is_stored(self) -> None:
        """Given for POP3."""
        world = World()
        wanted = SecretWanted("alice@example.org", "scram-sha-256")

        assert world.ask(events.Consult("SCRAM-SHA-256", wanted)) == Secret(None, "scram-sha-256")
        assert world.logins.asked == [(wanted, None, "pop3")]
        assert world.log.records == []

    @pytest.mark.parametrize(
        ("login", "answer"),
        [
            (ALICE, ALICE),
            (Refused.WRONG, None),
            (Refused.TOO_MANY, responses.TOO_MANY_GUESSES),
            (Refused.BARRED, responses.BARRED_LOGIN),
            (Refused.MUST_CHANGE, responses.MUST_CHANGE),
        ],
    )
    def test_a_proof(self, login: Login | Refused, answer: object) -> None:
        """Judged for this peer; a refusal is in the log at once, whatever the mechanism says after it."""
        world = World(login=login)
        proof = Proof("alice@example.org", ALICE, True)

        assert world.ask(events.Consult("SCRAM-SHA-256", proof)) == answer
        assert world.logins.asked == [(proof, PEER, "pop3")]
        logged = [(fields["login"], fields["mechanism"], fields["refused"]) for _, fields in world.log.records]
        refused = [("alice@example.org", "SCRAM-SHA-256", login.value)] if isinstance(login, Refused) else []
        assert logged == refused

    @pytest.mark.parametrize("end", ["another exchange", "another way", "the end of the connection"])
    def test_a_right_proof_that_is_not_made_use_of(self, end: str) -> None:
        """The client knows the password now: the log says so when it goes on, or goes."""
        world = World()
        world.ask(events.Consult("SCRAM-SHA-256", Proof("alice@example.org", ALICE, True)))
        if end == "another exchange":
            world.ask(events.Consult("SCRAM-SHA-256", SecretWanted("alice@example.org", "scram-sha-256")))
        elif end == "another way":
            world.log_in()
        world.access.lost("lost")

        (record,) = [fields for kind, fields in world.log.records if kind == "login"]
        assert (record["login"], record["mechanism"]) == (ALICE.name, "SCRAM-SHA-256")
        assert record["refused"] == GIVEN_UP

    def test_a_right_proof_that_is(self) -> None:
        """Is in the line of the session."""
        world = World()
        world.ask(events.Consult("SCRAM-SHA-256", Proof("alice@example.org", ALICE, True)))
        world.ask(events.Authenticate("SCRAM-SHA-256", LoginClaim(ALICE)))
        world.access.lost("lost")

        assert [kind for kind, _ in world.log.records] == ["pop3"]


class TestLogin:
    """From a claim to an open maildrop."""

    def test_greeting_shows_the_session(self) -> None:
        """A client's report can be found in the log by it."""
        answer = World().ask(events.CONNECTED)

        assert b"k7f" in answer.encode()
        assert b"mail.example.org" in answer.encode()

    def test_success_opens_the_maildrop(self) -> None:
        """The answer is the maildrop's own lists; the claim was checked for POP3 and this peer."""
        world = World()
        answer = world.log_in()

        assert isinstance(answer, events.Opened)
        assert list(answer.sizes) == world.maildrop.listing().sizes
        assert world.logins.asked == [(CLAIM.claim, PEER, "pop3")]
        assert world.store.opened == [MAILBOX]

    @pytest.mark.parametrize(
        ("login", "response"),
        [
            (Refused.WRONG, responses.WRONG_PASSWORD),
            (Refused.TOO_MANY, responses.TOO_MANY_GUESSES),
            (Refused.BARRED, responses.BARRED_LOGIN),
            (Login(2, "robot@example.org", None), responses.NO_MAILBOX),
        ],
    )
    def test_refusals(self, login: Login | Refused, response: responses.Response) -> None:
        """Each reason has its response, and no mailbox is opened."""
        world = World(login=login)

        assert world.log_in() is response
        assert world.store.opened == []

    def test_wrong_passwords_are_in_the_log(self) -> None:
        """A refused login leaves a line with the peer and the name, and never the password."""
        world = World(login=Refused.WRONG)
        world.log_in()

        ((kind, fields),) = world.log.records
        assert (kind, fields["peer"], fields["login"]) == ("login", "192.0.2.7", "alice@example.org")
        assert "sesame" not in str(fields)

    def test_second_session_is_refused(self) -> None:
        """A mailbox that a session has is in use for all others until it is closed."""
        world = World()
        world.log_in()
        other = world.another()

        assert settled(other.respond(CLAIM)) is responses.IN_USE

        world.access.lost("lost")
        assert isinstance(settled(other.respond(CLAIM)), events.Opened)

    def test_login_too_soon_after_the_last(self) -> None:
        """Until its delay has passed a user is refused, in words that no password prompt follows (RFC 2449 §8.1.1)."""
        world = World(policy=Policy(login_delay=60))
        assert isinstance(world.log_in(), events.Opened)
        world.access.lost("lost")
        world.clock.advance(59)
        assert settled(world.another().respond(CLAIM)) is responses.TOO_SOON
        world.clock.advance(1)

        # The one that was refused has not begun a new delay.
        assert isinstance(settled(world.another().respond(CLAIM)), events.Opened)
        assert len(world.store.opened) == 2

    def test_login_that_found_the_mailbox_in_use_begins_no_delay(self) -> None:
        """Only a login that was answered +OK counts (RFC 2449 §6.5)."""
        world = World(policy=Policy(login_delay=60))
        world.store.opened.append(MAILBOX)
        assert world.log_in() is responses.IN_USE
        world.store.opened.clear()

        assert isinstance(world.log_in(), events.Opened)

    def test_policy_of_the_user_goes_to_the_session(self) -> None:
        """CAPA tells it from then on."""
        policy = Policy(login_delay=60, expire=9)
        answer = World(policy=policy).log_in()

        assert answer.policy == policy

    def test_trouble_is_not_swallowed(self) -> None:
        """An exception reaches the driver, which logs it and says -ERR [SYS/TEMP]."""
        with pytest.raises(RuntimeError):
            World(login=RuntimeError("directory away")).log_in()

    @pytest.mark.parametrize("event", [CLAIM, events.Consult("SCRAM-SHA-256", Proof("alice", ALICE, True))])
    def test_what_logins_stand_on_is_away(self, event: Any) -> None:
        """Nothing is wrong here: the log says why in a line, without a traceback."""
        world = World(login=CannotJudge("200 passwords wait"))

        with capturedLogs() as logged:
            assert world.ask(event) is responses.TROUBLE
        assert [(event["reason"], "log_failure" in event) for event in logged] == [("200 passwords wait", False)]

    def test_client_that_leaves_during_the_opening(self) -> None:
        """A maildrop that is opened too late is closed again at once."""
        world = World()
        world.store.pending = Deferred()
        waiting: Deferred[Any] = Deferred.fromCoroutine(world.access.respond(CLAIM))
        world.access.lost("lost")
        assert world.maildrop.closed == 0
        world.store.pending.callback(None)

        assert waiting.result is responses.TROUBLE
        assert world.maildrop.closed == 1


class TestReading:
    """RETR and TOP."""

    def test_small_message_in_one_answer(self) -> None:
        """The first answer has it all, and the file is closed by then."""
        world = World()
        world.log_in()

        assert world.ask(events.Retrieve(0)) == b"A: b\r\n\r\nc\r\n"
        assert world.maildrop.contents[0].closed == 1

    def test_large_message_in_pieces(self) -> None:
        """A large one comes in pieces of bounded size, and its file is closed with the last."""
        world = World()
        world.log_in()
        pieces = [world.ask(events.Retrieve(1))]
        while sum(map(len, pieces)) < len(BIG):
            assert world.maildrop.contents[0].closed == 0
            pieces.append(world.ask(events.READ_BODY))

        assert b"".join(pieces) == BIG
        assert max(map(len, pieces)) == CHUNK
        assert world.maildrop.contents[0].closed == 1

    @pytest.mark.parametrize("utf8", [False, True])
    @pytest.mark.parametrize("size", [1, CHUNK - 40, CHUNK, 3 * CHUNK])
    def test_message_in_utf8(self, size: int, utf8: bool) -> None:
        """Who did not ask for UTF-8 gets a surrogate, of the size that was announced (RFC 6856 §2.1)."""
        part = "--b\r\nX: ü\r\n\r\n".encode()
        message = (
            "X-a: frob frob\r\nSubject: ü\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".encode()
            + part + b"x" * size + b"\r\n" + part + b"--b--\r\n"
        )
        world = World((message,))
        world.log_in()
        given = world.ask(events.Retrieve(0, None, utf8))
        while len(given) < len(message):
            given += world.ask(events.READ_BODY)

        assert (given == message) is utf8
        assert given.isascii() is not utf8
        assert len(given) == len(message)
        assert world.maildrop.contents[0].closed == 1
        world.access.lost("lost")
        assert (world.session_record()["retrieved"], world.session_record()["octets"]) == (1, len(message))

    def test_header_in_utf8_that_comes_in_many_pieces(self) -> None:
        """It is held until it is whole; nothing in between is taken for the end."""
        message = b"Subject: \xc3\xbc\r\nX-a: " + b"x" * 3 * CHUNK + b"\r\n\r\nbody\r\n"
        world = World((message,))
        world.log_in()
        given = world.ask(events.Retrieve(0))
        while len(given) < len(message):
            piece = world.ask(events.READ_BODY)
            assert piece
            given += piece

        assert given.startswith(b"Subject: ?\r\n")
        assert given.endswith(b"\r\n\r\nbody\r\n")

    def test_client_that_leaves_while_a_file_is_looked_for_and_takes_utf8(self) -> None:
        """A file that is opened too late is closed again, whoever it was for."""
        for utf8 in (False, True):
            world = World()
            world.log_in()
            world.maildrop.pending = Deferred()
            waiting: Deferred[Any] = Deferred.fromCoroutine(world.access.respond(events.Retrieve(0, None, utf8)))
            world.access.lost("lost")
            world.maildrop.pending.callback(None)

            assert waiting.result == b""
            assert world.maildrop.contents[0].closed == 1

    def test_message_in_utf8_that_ends_too_early(self) -> None:
        """The session hears of it as of any other."""
        message = b"Subject: \xc3\xbc\r\nX-a: b" + b"x" * CHUNK
        world = World((message,))
        world.log_in()
        world.maildrop.messages = (message[: CHUNK + 10],)
        world.maildrop.listing = lambda: MemoryListing([len(message)])  # type: ignore[method-assign]
        given = world.ask(events.Retrieve(0))

        assert len(given + world.ask(events.READ_BODY)) < len(message)
        assert world.ask(events.READ_BODY) == b""

    def test_message_that_is_foreseen(self) -> None:
        """It is given where it is at hand and needs no other look, and counted when it was sent."""
        world = World((b"A: b\r\n\r\nc\r\n", b"A: \xc3\xbc\r\n\r\n", BIG), policy=Policy(expire=0))
        assert world.ask(events.Foreseen(0)) is None
        world.log_in()

        given = [world.ask(events.Foreseen(index, utf8)) for utf8 in (False, True) for index in range(3)]
        assert given == [world.maildrop.messages[0], None, None, *world.maildrop.messages[:2], None]
        assert world.ask(events.Retrieved(0)) is None
        world.ask(events.Update(()))
        assert world.maildrop.removed == [0]
        world.access.lost("closed")
        assert (world.session_record()["retrieved"], world.session_record()["octets"]) == (1, 11)

    def test_rest_that_is_not_wanted(self) -> None:
        """After TOP had enough the file is closed."""
        world = World()
        world.log_in()
        world.ask(events.Retrieve(1, 2))
        world.ask(events.BODY_DROPPED)

        assert world.maildrop.contents[0].closed == 1

    def test_file_that_is_gone(self) -> None:
        """It is a temporary error."""
        world = World()
        world.log_in()

        assert world.ask(events.Retrieve(2)) is responses.UNAVAILABLE

    def test_file_that_cannot_be_read(self) -> None:
        """A first read that fails is the same, and the file does not stay open."""
        world = World()
        world.log_in()
        world.maildrop.trouble = OSError(5, "Input/output error")

        assert world.ask(events.Retrieve(0)) is responses.UNAVAILABLE
        assert world.maildrop.contents[0].closed == 1

    def test_without_a_login(self) -> None:
        """A question that no session asks before its login opens nothing and removes nothing."""
        world = World()

        assert world.ask(events.Retrieve(0)) is responses.TROUBLE
        assert world.ask(events.Update([0])) is responses.GOODBYE
        assert world.maildrop.removed == []

    def test_file_that_must_be_looked_for(self) -> None:
        """A message that is opened later is read like any other."""
        world = World()
        world.log_in()
        world.maildrop.pending = Deferred()
        waiting: Deferred[Any] = Deferred.fromCoroutine(world.access.respond(events.Retrieve(0)))
        world.maildrop.pending.callback(None)

        assert waiting.result == b"A: b\r\n\r\nc\r\n"

    def test_trouble_while_looking(self) -> None:
        """So is one that could not be read then."""
        world = World()
        world.log_in()
        world.maildrop.pending = Deferred()
        waiting: Deferred[Any] = Deferred.fromCoroutine(world.access.respond(events.Retrieve(0)))
        world.maildrop.pending.errback(OSError("gone"))

        assert waiting.result is responses.UNAVAILABLE

    def test_client_that_leaves_amid_a_message(self) -> None:
        """The file and the maildrop are closed; nothing was removed."""
        world = World()
        world.log_in()
        world.ask(events.Retrieve(1))
        world.access.lost("lost")

        assert world.maildrop.contents[0].closed == 1
        assert world.maildrop.closed == 1
        assert world.maildrop.removed == []

    def test_client_that_leaves_while_a_file_is_looked_for(self) -> None:
        """A file that is opened too late is closed again."""
        world = World()
        world.log_in()
        world.maildrop.pending = Deferred()
        waiting: Deferred[Any] = Deferred.fromCoroutine(world.access.respond(events.Retrieve(0)))
        world.access.lost("lost")
        world.maildrop.pending.callback(None)

        assert waiting.result == b""
        assert world.maildrop.contents[0].closed == 1


class TestRemoval:
    """QUIT."""

    def test_removal_precedes_goodbye(self) -> None:
        """The marked messages are gone and the lock is free when the client hears +OK."""
        world = World()
        world.log_in()

        assert world.ask(events.Update([0, 2])) is responses.GOODBYE
        assert world.maildrop.removed == [0, 2]
        assert world.maildrop.closed == 1

    def test_nothing_marked(self) -> None:
        """Without marks the lock is given back all the same."""
        world = World()
        world.log_in()

        assert world.ask(events.Update([])) is responses.GOODBYE
        assert world.maildrop.closed == 1

    def test_where_nothing_may_be_left(self) -> None:
        """EXPIRE 0: what was fetched whole is removed with what was marked, and nothing else (RFC 2449 §6.7)."""
        world = World((b"A: b\r\n\r\nc\r\n",) * 5, policy=Policy(expire=0))
        world.log_in()
        world.ask(events.Retrieve(3))
        world.ask(events.Retrieve(1, 0))
        world.ask(events.Retrieve(2))

        assert world.ask(events.Update([0, 2])) is responses.GOODBYE
        assert world.maildrop.removed == [0, 2, 3]

    def test_where_nothing_may_be_left_and_the_client_is_lost(self) -> None:
        """What was fetched stays like all else when there was no QUIT."""
        world = World(policy=Policy(expire=0))
        world.log_in()
        world.ask(events.Retrieve(0))
        world.access.lost("lost")

        assert world.maildrop.removed == []

    def test_where_mail_expires_later(self) -> None:
        """A term of some days removes nothing at QUIT."""
        world = World(policy=Policy(expire=1))
        world.log_in()
        world.ask(events.Retrieve(0))

        assert world.ask(events.Update([])) is responses.GOODBYE
        assert world.maildrop.removed == []

    def test_some_that_stay(self) -> None:
        """What could not be removed is told (RFC 1939 §6)."""
        world = World(stubborn=[1])
        world.log_in()

        assert world.ask(events.Update([0, 1])) is responses.NOT_REMOVED
        assert world.maildrop.closed == 1
        world.access.lost("closed")
        assert world.session_record()["deleted"] == 1

    def test_failing_disk(self) -> None:
        """An exception frees the lock on its way to the driver."""
        world = World()
        world.log_in()
        world.maildrop.trouble = OSError(5, "Input/output error")
        with pytest.raises(OSError, match="Input/output"):
            world.ask(events.Update([0]))

        assert world.maildrop.closed == 1

    def test_client_that_leaves_during_the_removal(self) -> None:
        """A QUIT that was given is carried out; the lock is held, and the record put off, until it is."""
        world = World()
        world.log_in()
        world.maildrop.pending = Deferred()
        Deferred.fromCoroutine(world.access.respond(events.Update([0])))
        world.access.lost("lost")
        assert world.maildrop.closed == 0
        assert world.log.records == []
        world.maildrop.pending.callback(None)

        assert world.maildrop.removed == [0]
        assert world.maildrop.closed == 1
        assert world.session_record()["deleted"] == 1

    def test_lost_connection_removes_nothing(self) -> None:
        """Without QUIT the mailbox stays as it was, and is free again."""
        world = World()
        world.log_in()
        world.access.lost("lost")

        assert world.maildrop.removed == []
        assert world.maildrop.closed == 1


class TestRecord:
    """One line of the mail log for each session."""

    def test_whole_session(self) -> None:
        """It says who, from where, what was read and removed, for how long, and how it ended."""
        world = World()
        world.access.tls_started(Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
        world.log_in()
        world.ask(events.Retrieve(0))
        world.ask(events.Retrieve(0, 0))
        world.ask(events.Update([0]))
        world.ask(events.Ended(events.Ending.QUIT))
        world.clock.advance(2.5)
        world.access.lost("closed")

        assert world.session_record() == {
            "id": "k7f",
            "peer": "192.0.2.7",
            "via": None,
            "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
            "login": "alice@example.org",
            "retrieved": 1,
            "octets": 22,
            "deleted": 1,
            "seconds": 2.5,
            "ended": "quit",
        }

    def test_client_that_only_looked_in(self) -> None:
        """A connection without a login has its line too."""
        world = World()
        world.access.lost("lost")

        assert world.session_record()["login"] is None
        assert world.session_record()["ended"] == "lost"


def test_whole_session_with_the_core() -> None:
    """Core and respondent together: log in, list, read, delete, quit."""
    world = World((b"A: b\r\n\r\n.c\r\n", b"x\r\n"))
    core = ServerSession(Settings("mail.example.org"), encrypted=True)
    conversation = Conversation(core, world.ask)
    conversation.send(b"USER alice\r\nPASS x\r\nSTAT\r\nRETR 1\r\nDELE 2\r\nQUIT\r\n")

    assert conversation.said.endswith(
        b"+OK 2 15\r\n+OK 12 octets\r\nA: b\r\n\r\n..c\r\n.\r\n%b%b"
        % (
            responses.MARKED.encode(),
            responses.GOODBYE.encode(),
        )
    )
    assert world.maildrop.removed == [1]


def test_double_of_logins_has_its_shape() -> None:
    """The double is asked as the real class is."""
    for name in ("check", "secret", "judge"):
        real, double = (list(signature(getattr(each, name)).parameters) for each in (Logins, FixedLogins))

        assert double == real
