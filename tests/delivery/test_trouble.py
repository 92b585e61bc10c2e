"""What failures mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery import trouble
from mailsuite.delivery.trouble import Scope, SessionEnded, Trouble
from mailsuite.outcome import Answer, Deferred, Delivered, Failed
from mailsuite.smtp.client_events import Stage

WHERE = "mx.example [192.0.2.1]"
OPENING = [Stage.GREETING, Stage.HELLO, Stage.STARTTLS, Stage.TLS, Stage.AUTH]


def said(code: int, status: str = "", *lines: str) -> Answer:
    return Answer("mx.example", code, status, lines)


def ended(stage: Stage, answer: Answer | None = None, reason: str = "the connection was lost") -> Trouble:
    return trouble.ended(WHERE, SessionEnded(stage, answer, reason))


# One recipient's answer


@pytest.mark.parametrize(
    ("stage", "answer", "status"),
    [
        # The server's own, where it is of the reply's class.
        (Stage.RCPT, said(550, "5.1.1"), "5.1.1"),
        (Stage.MAIL, said(550, "5.7.27"), "5.7.27"),
        (Stage.RCPT, said(450, "4.2.1"), "4.2.1"),
        # Of another class it is none.
        (Stage.END, said(554, "4.7.1"), "5.0.0"),
        (Stage.END, said(451, "5.7.1"), "4.3.0"),
        (Stage.END, said(550, "2.0.0"), "5.0.0"),
        (Stage.END, said(550, "5.7"), "5.0.0"),
        # What a code means for sure.
        (Stage.MAIL, said(552), "5.3.4"),
        (Stage.MAIL, said(452), "4.3.1"),
        (Stage.RCPT, said(553), "5.1.3"),
        (Stage.MAIL, said(553), "5.1.7"),
        (Stage.RCPT, said(556), "5.1.10"),
        (Stage.MAIL, said(555), "5.5.4"),
        (Stage.END, said(451), "4.3.0"),
        # No more than is known.
        (Stage.RCPT, said(550, "", "Rejected"), "5.0.0"),
        (Stage.RCPT, said(550, "", "Access denied, contact the user"), "5.0.0"),
        (Stage.RCPT, said(554), "5.0.0"),
        (Stage.END, said(554, "", "No such user"), "5.0.0"),
        (Stage.RCPT, said(452), "4.0.0"),
        # 550 to RCPT is for policy as well as for unknown mailboxes; the text may tell.
        (Stage.RCPT, said(550, "", "User unknown"), "5.1.1"),
        (Stage.RCPT, said(550, "", "No such user here"), "5.1.1"),
        (Stage.RCPT, said(550, "", "Mailbox not found"), "5.1.1"),
        (Stage.RCPT, said(550, "", "Requested action not taken:", "recipient address does not exist"), "5.1.1"),
        (Stage.RCPT, said(550, "", "invalid mailbox"), "5.1.1"),
    ],
)
def test_status(stage: Stage, answer: Answer, status: str) -> None:
    """An enhanced code says what is known, and no more."""
    outcome = trouble.outcome(WHERE, stage, answer, False)

    assert isinstance(outcome, Deferred if answer.code < 500 else Failed)
    assert outcome.status == status
    assert outcome.answer is answer


def test_delivered() -> None:
    """2xx to the end of the message, and whether the server reports from now on."""
    assert trouble.outcome(WHERE, Stage.END, said(250), True) == Delivered(said(250), True)


def test_success_anywhere_else_delivers_nothing() -> None:
    """Only the end of the message is a promise."""
    outcome = trouble.outcome(WHERE, Stage.DATA, said(250), True)

    assert isinstance(outcome, Deferred)


@given(st.sampled_from([Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END]), st.integers(0, 999))
def test_only_five_hundreds_are_final(stage: Stage, code: int) -> None:
    """Replies that make no sense are temporary."""
    outcome = trouble.outcome(WHERE, stage, said(code), False)

    assert isinstance(outcome, Failed) == (500 <= code <= 599)
    assert isinstance(outcome, Delivered) == (200 <= code <= 299 and stage is Stage.END)
    if isinstance(outcome, Deferred):
        assert not outcome.whole
        assert outcome.status.startswith("4.")


def test_reason_says_who_said_what_when() -> None:
    """It is what an administrator reads."""
    outcome = trouble.outcome(WHERE, Stage.RCPT, said(550, "5.1.1", "No such user"), False)

    assert isinstance(outcome, Failed)
    assert outcome.reason == "mx.example [192.0.2.1] said to RCPT: 550 5.1.1 No such user"


@pytest.mark.parametrize(
    ("stage", "answer", "too_many"),
    [
        (Stage.RCPT, said(452), True),
        (Stage.RCPT, said(452, "4.5.3"), True),
        (Stage.RCPT, said(552, "5.5.3"), True),
        (Stage.RCPT, said(552), True),
        (Stage.RCPT, said(452, "4.2.2"), False),
        (Stage.RCPT, said(552, "5.2.2"), False),
        (Stage.RCPT, said(450), False),
        (Stage.MAIL, said(452), False),
        (Stage.END, said(452), False),
    ],
)
def test_one_too_many(stage: Stage, answer: Answer, too_many: bool) -> None:
    """A full mailbox has the same codes."""
    assert trouble.is_one_too_many(stage, answer) is too_many


@pytest.mark.parametrize(
    ("stage", "answer", "of_the_session"),
    [
        # It closes.
        (Stage.MAIL, said(421), True),
        (Stage.END, said(421, "4.3.2"), True),
        # Its storage, its state (RFC 3463 §3.4), by the status or by what the code says for sure.
        (Stage.MAIL, said(452), True),
        (Stage.MAIL, said(452, "4.3.1"), True),
        (Stage.RCPT, said(451), True),
        (Stage.DATA, said(450, "4.3.2"), True),
        (Stage.END, said(452, "4.3.1"), True),
        # The message or the recipient; a full mailbox has the codes of a full disk.
        (Stage.MAIL, said(451, "4.7.1"), False),
        (Stage.RCPT, said(452), False),
        (Stage.RCPT, said(452, "4.2.2"), False),
        (Stage.RCPT, said(450), False),
        (Stage.END, said(452), False),
        (Stage.END, said(250), False),
        # For good is for good.
        (Stage.MAIL, said(552, "5.3.4"), False),
        (Stage.END, said(554, "5.3.0"), False),
        # What has to come first.
        (Stage.MAIL, said(530, "5.7.0"), True),
        (Stage.RCPT, said(534), True),
        (Stage.DATA, said(538), True),
        # After the message nothing can.
        (Stage.END, said(530), False),
    ],
)
def test_what_is_no_word_about_the_message(stage: Stage, answer: Answer, of_the_session: bool) -> None:
    """The next address may take what this one did not."""
    assert trouble.is_of_the_session(stage, answer) is of_the_session


# The end of a session


@pytest.mark.parametrize("stage", OPENING)
@pytest.mark.parametrize("code", [450, 550, 554])
def test_refused_before_any_message(stage: Stage, code: int) -> None:
    """It is about us: for all messages, and never final."""
    outcome = ended(stage, said(code)).outcome

    assert isinstance(outcome, Deferred)
    assert outcome.whole


def test_host_that_never_takes_mail() -> None:
    """RFC 7504."""
    met = ended(Stage.GREETING, said(521, "", "does not accept mail"))

    assert isinstance(met.outcome, Failed)
    assert met.outcome.status == "5.3.2"
    assert met.scope is Scope.SESSION


def test_lost_in_a_transaction() -> None:
    """It may be the message that did it: the next address, and other messages are not held back."""
    for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY):
        met = ended(stage)
        assert met.scope is Scope.SESSION
        assert met.outcome == Deferred("4.4.2", f"{WHERE}: the connection was lost")


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY, Stage.END])
def test_service_that_closes(stage: Stage) -> None:
    """421 is about the service: the next address, and where there is none, for all messages."""
    met = ended(stage, said(421))

    assert met.scope is Scope.SESSION
    assert isinstance(met.outcome, Deferred)
    assert (met.outcome.status, met.outcome.whole) == ("4.3.2", True)


def test_unknown_fate() -> None:
    """At another host the message might be there twice."""
    met = ended(Stage.END)

    assert met.scope is Scope.MESSAGE
    assert isinstance(met.outcome, Deferred)
    assert not met.outcome.whole
    assert "may have been taken" in met.outcome.reason


@pytest.mark.parametrize(
    ("stage", "answer", "status"),
    [
        (Stage.TLS, None, "4.7.5"),
        (Stage.STARTTLS, None, "4.7.4"),
        (Stage.STARTTLS, said(454, "4.3.0"), "4.3.0"),
        (Stage.STARTTLS, said(502), "4.7.4"),
        (Stage.AUTH, said(535, "5.7.8"), "4.7.8"),
        (Stage.AUTH, said(535), "4.7.8"),
        (Stage.AUTH, said(454, "4.7.0"), "4.7.0"),
        (Stage.AUTH, None, "4.7.0"),
        (Stage.GREETING, said(554, "5.7.1"), "4.7.1"),
        (Stage.GREETING, None, "4.4.2"),
        (Stage.HELLO, said(451), "4.3.0"),
        # An answer that has no place there says nothing of what is wrong.
        (Stage.DATA, said(250, "2.1.5"), "4.5.0"),
        (Stage.GREETING, said(354), "4.5.0"),
        (Stage.MAIL, said(999), "4.5.0"),
        (Stage.MAIL, said(530, "5.7.0"), "4.7.0"),
        (Stage.MAIL, said(530), "4.7.0"),
        (Stage.RCPT, said(534), "4.7.9"),
        (Stage.MAIL, said(538), "4.7.11"),
        (Stage.BDAT, said(502, "5.5.1"), "4.5.1"),
        (Stage.AUTH, said(235, "2.7.9"), "4.7.0"),
    ],
)
def test_status_of_a_session(stage: Stage, answer: Answer | None, status: str) -> None:
    """Always of class 4."""
    assert ended(stage, answer).outcome.status == status


def test_tls_that_broke() -> None:
    """It can be tried in the clear, but not where it stood and we refused it."""
    end = SessionEnded(Stage.TLS, None, "no")

    assert trouble.ended(WHERE, end).scope is Scope.TLS
    assert trouble.ended(WHERE, end, refused=True).scope is Scope.SESSION


def test_bdat_that_is_not_known() -> None:
    """It is tried with DATA."""
    assert ended(Stage.BDAT, said(500)).scope is Scope.CHUNKING


def test_what_a_whole_destination_wants() -> None:
    """At MAIL no message would fare better; at RCPT it may be this recipient's alone."""
    for stage, whole in ((Stage.MAIL, True), (Stage.RCPT, False)):
        outcome = ended(stage, said(530)).outcome
        assert isinstance(outcome, Deferred)
        assert outcome.whole is whole


def test_ourselves() -> None:
    """A loop, if nobody better is there; no server's answer is quoted, since there is no other server."""
    end = SessionEnded(Stage.GREETING, said(220), "the server is this very system", loop=True)
    reason = "Mail loops back: mx.example [192.0.2.1] is this system, by the name it gives"

    assert trouble.ended(WHERE, end) == Trouble(Scope.LOOP, Failed("5.4.6", reason))


# All addresses together

REFUSED = trouble.unreachable("cannot connect to mx.example: refused")
NEVER = ended(Stage.GREETING, said(521))
BUSY = ended(Stage.GREETING, said(421, "4.3.2", "Busy"))


def test_verdict_of_hosts_that_never_take_mail() -> None:
    """Final where all of them say so."""
    assert isinstance(trouble.verdict([NEVER, NEVER]), Failed)
    assert isinstance(trouble.verdict([NEVER, REFUSED]), Deferred)


def test_a_word_says_more_than_silence() -> None:
    """What a server said is what is reported."""
    assert trouble.verdict([BUSY, REFUSED]) == BUSY.outcome
    assert trouble.verdict([REFUSED, BUSY]) == BUSY.outcome
    assert trouble.verdict([REFUSED]) == REFUSED.outcome


def test_whole_only_where_all_are() -> None:
    """One address that talked to us until MAIL shows that the destination is there."""
    lost = ended(Stage.BODY)

    for troubles in ([lost, BUSY], [BUSY, lost], [lost, REFUSED]):
        outcome = trouble.verdict(troubles)
        assert isinstance(outcome, Deferred)
        assert not outcome.whole
