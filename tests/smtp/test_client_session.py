"""The client session where a script does not reach: times, writes, large content, and servers out of their minds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.outcome import Answer
from mailsuite.smtp.client import QUIT_SECONDS, ClientSession
from mailsuite.smtp.client_events import Broken, ClientSettings, Ended, ReadBody, Ready, Stage, Transaction
from mailsuite.smtp.client_transaction import PIECE_OCTETS
from mailsuite.wire.events import HANG_UP, SAID
from tests.smtp.client_talk import SETTINGS, TRANSACTIONS, A, ClientTalk, to
from tests.smtp.test_client_content import unchunked
from tests.wire.cutting import CUTS, cut

TIMES = ClientSettings(
    "client.example",
    "may",
    greeting_timeout=1,
    command_timeout=2,
    data_timeout=3,
    end_timeout=4,
    transaction_timeout=5,
)
HELLO = b"220 x\r\n"
PLAIN = b"250 x\r\n"
PIPELINING = b"250-x\r\n250 PIPELINING\r\n"
CHUNKING = b"250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
SMALL = TRANSACTIONS["small"][0]


def opened(
    offer: bytes = PIPELINING, settings: ClientSettings = TIMES, pieces: list[bytes] | None = None
) -> ClientTalk:
    """Return a session that has asked for its first transaction."""
    talk = ClientTalk(settings, pieces=pieces or [])
    talk.hear(HELLO)
    talk.hear(offer)
    assert isinstance(talk.question, Ready)
    talk.take()
    talk.writes.clear()
    return talk


def test_each_stage_has_its_patience() -> None:
    """RFC 5321 §4.5.3.2: per command, never for the whole."""
    talk = ClientTalk(TIMES)
    seen = [(talk.core.stage, talk.core.patience)]
    for said in (HELLO, b"250-x\r\n250 STARTTLS\r\n", b"454 No\r\n"):
        talk.hear(said)
        seen.append((talk.core.stage, talk.core.patience))
    talk.answer(SMALL)
    for said in (b"250 OK\r\n", b"250 OK\r\n", b"354 Go\r\n", b"250 OK\r\n"):
        seen.append((talk.core.stage, talk.core.patience))
        talk.hear(said)
    talk.answer(None)

    assert seen == [
        (Stage.GREETING, 1),
        (Stage.HELLO, 2),
        (Stage.STARTTLS, 2),
        (Stage.IDLE, 2),
        (Stage.MAIL, 2),
        (Stage.RCPT, 2),
        (Stage.DATA, 3),
        (Stage.END, 4),
    ]
    assert talk.core.patience == QUIT_SECONDS


def test_a_transaction_has_a_term() -> None:
    """From MAIL to its last answer there is one bound on the whole, which no step of it begins anew; then none."""
    talk = opened()
    assert talk.core.term == 0
    before = talk.core.phase
    talk.answer(Transaction(A, to("b")))
    terms, phases = [talk.core.term], [talk.core.phase]
    for said in (b"250 OK\r\n", b"250 OK\r\n", b"354 Go\r\n"):
        talk.core.receive(said)
        event = talk.core.next_event()
        terms.append(talk.core.term)
        phases.append(talk.core.phase)
    assert isinstance(event, ReadBody)
    assert (talk.core.stage, talk.core.patience) == (Stage.BODY, 3)
    talk.core.answer(b"")
    talk.pump()
    assert talk.core.stage is Stage.END
    terms.append(talk.core.term)
    phases.append(talk.core.phase)
    talk.hear(b"250 OK\r\n")

    assert terms == [5] * 5
    assert set(phases) == {before + 1}
    assert talk.core.term == 0
    talk.answer(SMALL)
    assert talk.core.phase == before + 2


def test_one_small_message_costs_two_writes() -> None:
    """On an open pipelining session: the envelope, with DATA or before BDAT, and the message."""
    for offer, ready in ((PIPELINING, b"354 Go\r\n"), (CHUNKING, b"")):
        talk = opened(offer)
        for _ in range(3):
            talk.answer(SMALL)
            talk.hear(b"250 OK\r\n250 OK\r\n" + ready)
            talk.hear(b"250 OK\r\n")
        assert len(talk.writes) == 6
        assert [ended.answers[0].code for ended in talk.ended] == [250, 250, 250]


@pytest.mark.parametrize("content", [b"x\r\n", None], ids=["at hand", "asked for"])
def test_no_content_before_the_answers_to_rcpt(content: bytes | None) -> None:
    """RFC 3030 §2; a connection that is lost before them leaves no doubt that the message was not taken."""
    talk = opened(CHUNKING, pieces=[b"x\r\n"])
    talk.answer(Transaction(A, to("b", "c"), content=content))
    stages = [talk.core.stage]
    for _ in range(3):
        assert b"BDAT" not in talk.said
        talk.hear(b"250 OK\r\n")
        stages.append(talk.core.stage)

    assert stages == [Stage.MAIL, Stage.RCPT, Stage.RCPT, Stage.END]
    assert talk.said.endswith(b"BDAT 3 LAST\r\nx\r\n")


@pytest.mark.parametrize("content", [b"x\r\n", None], ids=["at hand", "asked for"])
def test_an_answer_before_a_chunk_is_none_to_it(content: bytes | None) -> None:
    """What comes in one segment with the answer to RCPT does not deliver a message that was not sent."""
    talk = opened(CHUNKING, pieces=[b"x\r\n"])
    talk.answer(Transaction(A, to("b"), content=content))
    talk.hear(b"250 OK\r\n250 OK\r\n250 2.0.0 Taken\r\n")

    assert talk.ended == []
    assert talk.broken is not None
    assert talk.broken.stage is Stage.BODY
    assert b"BDAT" not in talk.said


@pytest.mark.parametrize("size", [PIECE_OCTETS, PIECE_OCTETS + 1, 2 * PIECE_OCTETS, 5 * PIECE_OCTETS + 7])
@pytest.mark.parametrize("offer", [PIPELINING, CHUNKING], ids=["data", "bdat"])
@pytest.mark.parametrize("at_hand", [True, False], ids=["at hand", "asked for"])
def test_large_content_goes_out_in_pieces(size: int, offer: bytes, at_hand: bool) -> None:
    """The driver gets each piece before the next is made, however the content is given."""
    talk = opened(offer)
    content = (b"." + b"y" * 61 + b"\r\n") * (size // 64 + 1)
    content = content[: size - 4] + b"zz\r\n"
    core = talk.core
    core.answer(Transaction(A, to("b"), content=content if at_hand else None))
    core.bytes_to_send()
    core.receive(b"250 OK\r\n250 OK\r\n" + (b"" if offer == CHUNKING else b"354 Go\r\n"))
    sent, offset, largest = b"", 0, 0
    while (event := core.next_event()) is not None:
        output = core.bytes_to_send()
        largest = max(largest, len(output))
        sent += output
        if isinstance(event, ReadBody):
            assert not at_hand
            core.answer(content[offset : offset + event.octets])
            offset += event.octets
        else:
            assert event is SAID
    sent += core.bytes_to_send()

    assert largest < 1.1 * PIECE_OCTETS
    body = unchunked(sent) if offer == CHUNKING else (b"\r\n" + sent).replace(b"\r\n..", b"\r\n.")[2:-3]
    assert body == content
    assert core.stage is Stage.END


def test_slow_answers_are_signs_of_life() -> None:
    """Of each answer in a group the driver hears, so that its patience counts anew (RFC 5321 §4.5.3.2)."""
    talk = opened()
    talk.answer(TRANSACTIONS["three"][0])
    for _ in range(3):
        talk.core.receive(b"250 OK\r\n")
        assert talk.core.next_event() is SAID
        assert talk.core.next_event() is None
    talk.core.receive(b"250-half an")
    assert talk.core.next_event() is None


def test_nothing_is_read_before_a_question_is_answered() -> None:
    """One question at a time."""
    talk = opened()
    talk.core.receive(b"421 Closing\r\n")

    assert talk.core.next_event() is None
    assert talk.core.unread == 13


def test_the_content_cannot_be_read() -> None:
    """No end of a message is sent that is not whole."""
    talk = opened(pieces=[])
    talk.answer(Transaction(A, to("b")))
    talk.core.receive(b"250 OK\r\n250 OK\r\n354 Go\r\n")
    assert isinstance(talk.core.next_event(), ReadBody)
    talk.core.answer(b"Subject: x\r\n")
    assert isinstance(talk.core.next_event(), ReadBody)
    talk.take()
    talk.fail()

    assert talk.broken == Broken(Stage.BODY, None, "the content could not be read")
    assert talk.closed is HANG_UP
    assert talk.take() == b"Subject: x\r\n"


@pytest.mark.parametrize("said", [b"421 4.3.2 Closing\r\n", b"552 Too much\r\n", b"250 Enough\r\n"])
def test_the_server_has_had_enough(said: bytes) -> None:
    """What it says in the middle of a message is heard, and no end is sent."""
    talk = opened()
    talk.answer(Transaction(A, to("b")))
    talk.core.receive(b"250 OK\r\n250 OK\r\n354 Go\r\n")
    assert isinstance(talk.core.next_event(), ReadBody)
    talk.core.receive(said)
    talk.core.answer(b"Subject: x\r\n")
    talk.pump()

    assert talk.broken is not None and talk.broken.stage is Stage.BODY
    assert talk.broken.answer is not None and talk.broken.answer.code == int(said[:3])
    assert not talk.ended
    assert not talk.said.endswith(b".\r\n")


@pytest.mark.parametrize("offer", [PLAIN, PIPELINING])
@pytest.mark.parametrize("early", [b"250 2.0.0 Taken\r\n", b"250", b"421 4.3.2 Closing\r\n"])
def test_an_answer_before_the_message_is_none_to_it(offer: bytes, early: bytes) -> None:
    """What comes in one segment with 354 was said of a message that was not sent, and does not deliver it."""
    talk = opened(offer)
    talk.answer(SMALL)
    talk.hear(b"250 OK\r\n")
    talk.hear(b"250 OK\r\n")
    talk.writes.clear()
    talk.hear(b"354 Go\r\n" + early)

    assert talk.ended == []
    assert talk.broken is not None
    assert talk.broken.stage is Stage.BODY
    assert talk.closed is HANG_UP
    assert talk.writes == []


def test_no_chunk_follows_a_failed_one() -> None:
    """RFC 3030 §2: what was given before the refusal was read is not sent any more."""
    talk = opened(CHUNKING)
    talk.answer(Transaction(A, to("b")))
    talk.take()
    core = talk.core
    core.receive(b"250 OK\r\n250 OK\r\n")
    for _ in range(2):
        assert isinstance(core.next_event(), ReadBody)
        core.answer(b"x" * 10)
    assert isinstance(core.next_event(), ReadBody)
    assert core.bytes_to_send().endswith(b"BDAT 10\r\n" + b"x" * 10)
    core.receive(b"452 Full\r\n")
    core.answer(b"x" * 10)
    talk.pump()

    assert talk.ended == [Ended((Answer("", 452, "", ("Full",)),), (Stage.DATA,))]
    assert talk.take() == b"RSET\r\n"


def test_a_server_that_is_one_answer_ahead() -> None:
    """RFC 2920 §3.1 counts: an answer too many would be taken for the next command's."""
    talk = opened(PLAIN)
    talk.answer(SMALL)
    talk.hear(b"250 OK\r\n")
    talk.hear(b"550 No\r\n250 Or yes\r\n")

    assert [answer.code for answer in talk.ended[0].answers] == [550]
    assert talk.broken is not None and talk.broken.stage is Stage.IDLE
    assert talk.closed is HANG_UP


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        (b"250 OK\r\n552 Full\r\n", [250, 452]),
        (b"250 OK\r\n552 5.5.3 Full\r\n", [250, 452]),
        (b"250 OK\r\n552 5.2.2 Full\r\n", [250, 552]),
        (b"552 Full\r\n250 OK\r\n", [552, 250]),
    ],
)
def test_too_many_recipients(answers: bytes, codes: list[int]) -> None:
    """RFC 5321 §4.5.3.1.10: 552 behind an accepted recipient is 452, unless it says that it means something else."""
    talk = opened()
    talk.answer(TRANSACTIONS["two"][0])
    talk.hear(b"250 OK\r\n" + answers + b"354 Go\r\n")
    talk.hear(b"250 OK\r\n")

    assert [answer.code for answer in talk.ended[0].answers] == codes
    assert talk.ended[0].answers[1].status in ("", "4.5.3", "5.2.2")


def test_where_it_stands_when_the_connection_is_lost() -> None:
    """`stage` and `cut_off` say at any time what a lost connection means."""
    talk = ClientTalk(ClientSettings("client.example", "none", lmtp=True))
    talk.hear(HELLO)
    talk.hear(PIPELINING)
    assert (talk.core.stage, talk.core.cut_off()) == (Stage.IDLE, None)
    talk.answer(TRANSACTIONS["two"][0])
    assert (talk.core.stage, talk.core.cut_off()) == (Stage.MAIL, None)
    talk.hear(b"250 OK\r\n250 OK\r\n250 OK\r\n354 Go\r\n")
    assert (talk.core.stage, talk.core.cut_off()) == (Stage.END, None)
    talk.hear(b"250 OK\r\n")

    ended = Ended((Answer("", 250, "", ("OK",)), Answer("")), (Stage.END, Stage.END))
    assert (talk.core.stage, talk.core.cut_off()) == (Stage.END, ended)


def test_tls_from_the_first_octet_stands_at_tls() -> None:
    """Until TLS was judged, a lost connection is TLS's trouble, and the greeting waits unread."""
    talk = ClientTalk(TIMES, encrypted=True)
    talk.hear(HELLO)
    before = talk.core.stage
    assert talk.core.unread == len(HELLO)
    talk.answer(True)

    assert [before, talk.core.stage] == [Stage.TLS, Stage.HELLO]
    assert talk.take() == b"EHLO client.example\r\n"


@pytest.mark.parametrize("call", ["expire", "shut_down", "fail"])
def test_late_answers_go_nowhere(call: str) -> None:
    """A question that nobody waits for any more may still be answered, and the end is told once."""
    talk = opened()
    getattr(talk.core, call)()
    talk.core.answer(SMALL)
    talk.core.answer(None)
    talk.core.fail()
    talk.question = None
    talk.pump()
    assert b"MAIL" not in talk.said
    talk.core.expire()
    talk.core.expire()
    talk.core.shut_down()
    talk.pump()
    talk.hear(b"250 OK\r\n")

    assert talk.closed is not None
    assert talk.core.unread == 0


@pytest.mark.parametrize(
    ("last", "expected"), [(b"250 " + b"x" * 100_000, "too long"), (b"250-x\r\n" * 200, "too many lines")]
)
def test_too_much_of_an_answer(last: bytes, expected: str) -> None:
    """An answer without end ends the session instead."""
    talk = opened()
    talk.answer(SMALL)
    talk.hear(last)

    assert talk.broken is not None and talk.broken.stage is Stage.MAIL
    assert expected in talk.broken.reason
    assert talk.closed is HANG_UP
    assert talk.core.unread == 0


def test_secrets_do_not_show() -> None:
    """No password gets into a log by way of a repr."""
    settings = ClientSettings("client.example", user="tim", password="open sesame", nonce="rand0mrand0m")

    assert "sesame" not in repr(settings) and "rand0m" not in repr(settings)
    assert "Subject" not in repr(SMALL)


SAYINGS = st.sampled_from(
    [
        *(b"220 x\r\n", b"250 x\r\n", b"250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n", b"354 Go\r\n"),
        *(b"250-x\r\n250 AUTH PLAIN\r\n", b"334 \r\n", b"235 x\r\n", b"421 x\r\n", b"450 x\r\n", b"550 5.1.1 x\r\n"),
        *(b"250 x\r\n", b"250 x\r\n", b"354 Go\r\n", b"999 x\r\n", b"250-", b"\r\n", b"x\n", b"\xff\0"),
    ]
)
ANSWERS = st.sampled_from(["small", "two", "pieces", "two-pieces", "three", "odd", "none"])


@given(
    st.sampled_from(sorted(SETTINGS)), st.lists(SAYINGS, max_size=25), CUTS, st.lists(ANSWERS, max_size=6), st.data()
)
def test_any_server(name: str, sayings: list[bytes], cuts: list[int], transactions: list[str], data: Any) -> None:
    """Whatever a server says, nothing raises, each transaction has one end at most, and its answers fit it."""
    talk = SETTINGS[name]()
    given_out: list[Transaction] = []
    for segment in cut(b"".join(sayings), cuts) if data.draw(st.booleans()) else sayings:
        talk.hear(segment)
        if talk.tls_wanted:
            talk.start_tls()
        if isinstance(talk.question, Ready):
            transaction, pieces = TRANSACTIONS.get(transactions.pop() if transactions else "none", (None, []))
            talk.pieces = list(pieces)
            if transaction is not None:
                given_out.append(transaction)
            talk.answer(transaction)
        elif talk.question is not None:
            talk.answer(data.draw(st.booleans()))
    talk.core.expire()
    talk.question = None
    talk.tls_wanted = False
    talk.pump()

    assert talk.closed is not None
    assert len(given_out) - len(talk.ended) in (0, 1)
    for transaction, ended in zip(given_out, talk.ended, strict=False):
        assert len(ended.answers) == len(ended.stages) == len(transaction.recipients)
        for answer, stage in zip(ended.answers, ended.stages, strict=True):
            assert stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END)
            # Only an answer to the whole message can be positive.
            assert answer.code // 100 != 2 or stage is Stage.END


def test_the_core_is_one_object_with_few_parts() -> None:
    """An idle connection that is kept for the next message costs little memory."""
    assert not hasattr(ClientSession(TIMES), "__dict__")
