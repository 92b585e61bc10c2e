"""Our client and our server, back to back in memory: what one sends is what the other takes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.sasl.claims import PasswordClaim
from mailsuite.smtp.client_events import ClientSettings, Ready, Secured, Stage, Transaction, TransactionRecipient
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Settings
from tests.chat import Conversation
from tests.smtp import respondent
from tests.smtp.client_talk import BODY, SECRET, A, ClientTalk, to
from tests.smtp.respondent import Respondent
from tests.smtp.test_client_content import canonical
from tests.wire.cutting import CUTS, TRICKY, cut

CLIENT = ClientSettings("client.example", "may")


class Pair:
    """A client and a server with a wire between them, which cuts what goes over it into pieces of *lengths*."""

    def __init__(
        self, client: ClientSettings, server: Settings, pipelining: bool = True, lengths: list[int] | None = None
    ) -> None:
        self.respondent = Respondent()
        self.server = Conversation(ServerSession(server), self.respondent)
        self.client = ClientTalk(client)
        self._pipelining = pipelining
        self._lengths = lengths or []
        self.run()

    def run(self) -> None:
        """Carry octets to and fro until neither side has more."""
        while True:
            if self.client.tls_wanted and self.server.tls_wanted:
                self.client.start_tls()
                self.server.start_tls()
            if isinstance(self.client.question, Secured):
                self.client.answer(True)
            said, self.server.said = self.server.said, b""
            if not self._pipelining:
                said = said.replace(b"PIPELINING", b"XPIPELINE")
            sent = self.client.take()
            if not said and not sent:
                return
            for segment in cut(said, self._lengths):
                self.client.hear(segment)
            for segment in cut(sent, self._lengths):
                self.server.send(segment)

    def send(self, transaction: Transaction | None, pieces: list[bytes] | None = None) -> str:
        """Send one message; return code and stage for each recipient."""
        assert isinstance(self.client.question, Ready), self.client.broken
        self.client.pieces = list(pieces or [])
        self.client.answer(transaction)
        self.run()
        if transaction is None:
            return ""
        ended = self.client.ended.pop(0)
        return " ".join(f"{a.code}@{s.name}" for a, s in zip(ended.answers, ended.stages, strict=True))


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("way", ["DATA", "BDAT"])
def test_several_transactions(way: str, pipelining: bool) -> None:
    """One after the other on one session, with refusals of every kind between them."""
    without = frozenset({"CHUNKING"} if way == "DATA" else ())
    pair = Pair(CLIENT, replace(respondent.PLAIN, without=without), pipelining)
    good = Transaction(A, to("b", "c"), len(BODY), content=BODY)

    assert pair.send(good) == "250@END 250@END"
    assert (
        pair.send(replace(good, recipients=to("nobody", "b", "later", "crash")))
        == "550@RCPT 250@END 451@RCPT 451@RCPT"
    )
    assert pair.send(replace(good, recipients=to("nobody", "later"))) == "550@RCPT 451@RCPT"
    assert pair.send(replace(good, reverse_path=Address("nobody", "a.example"))) == "550@MAIL 550@MAIL"
    assert pair.send(replace(good, reverse_path=Address("full", "a.example"))) == (
        "452@DATA 452@DATA" if way == "DATA" else "452@END 452@END"
    )
    assert pair.send(replace(good, reverse_path=Address("trouble", "a.example"))) == "451@END 451@END"
    assert pair.send(replace(good, size=100_000_000)) == "552@MAIL 552@MAIL"
    assert pair.send(replace(good, reverse_path=None, content=None), [BODY[:7], BODY[7:]]) == "250@END 250@END"
    pair.send(None)

    assert pair.server.closed and pair.client.closed is not None and pair.client.broken is None
    assert pair.respondent.messages == [
        ("a@a.example", ["b@b.example", "c@b.example"], BODY),
        ("a@a.example", ["b@b.example"], BODY),
        ("<>", ["b@b.example", "c@b.example"], BODY),
    ]


def test_tls_and_login() -> None:
    """STARTTLS, EHLO again, AUTH, and only then a message."""
    pair = Pair(replace(SECRET, password="secret"), respondent.SUBMISSION)

    assert pair.send(Transaction(A, to("b"), content=BODY)) == "250@END"
    assert pair.respondent.claims == [PasswordClaim("tim", "secret")]


def test_a_wrong_password() -> None:
    """No message is asked for."""
    pair = Pair(SECRET, respondent.SUBMISSION)

    assert pair.client.question is None
    assert pair.client.broken is not None and pair.client.broken.stage is Stage.AUTH
    assert pair.client.broken.answer is not None and pair.client.broken.answer.status == "5.7.8"
    assert pair.server.closed


def test_addresses_arrive_as_they_were() -> None:
    """Quoted local parts, A-labels and the postmaster without a domain."""
    pair = Pair(CLIENT, respondent.PLAIN)
    addresses = (Address('a "b" \\c', "b.example"), Address("x", "bücher.example"), Address("Postmaster", ""))
    pair.send(Transaction(A, tuple(TransactionRecipient(address) for address in addresses), content=b""))

    assert pair.respondent.messages[0][1] == ['"a \\"b\\" \\\\c"@b.example', "x@xn--bcher-kva.example", "Postmaster"]


def test_the_server_is_tired_of_us() -> None:
    """Its 421 in idle time sends us elsewhere, before the message is begun."""
    pair = Pair(CLIENT, respondent.PLAIN)
    pair.server.core.expire()
    pair.server.pump()
    pair.run()
    assert isinstance(pair.client.question, Ready)
    pair.client.answer(Transaction(A, to("b"), content=BODY))

    assert pair.client.broken is not None and pair.client.broken.stage is Stage.IDLE
    assert pair.client.broken.answer is not None and pair.client.broken.answer.code == 421
    assert not pair.client.ended


@hypothesis_settings(deadline=None)
@given(st.lists(st.tuples(TRICKY, CUTS, st.booleans()), min_size=1, max_size=4), CUTS, st.booleans())
def test_lesson_2_one_message_in_one_message_out(messages: list[Any], lengths: list[int], pipelining: bool) -> None:
    """Any content at all, in any pieces, over any wire: the strict server takes each message once, and whole."""
    pair = Pair(CLIENT, respondent.PLAIN, pipelining, lengths)
    for content, cuts, at_hand in messages:
        transaction = Transaction(A, to("b"), content=content if at_hand else None)
        pieces = [piece for piece in cut(content, cuts) if piece]
        assert pair.send(transaction, pieces) == "250@END"
    pair.send(None)

    assert [body for _, _, body in pair.respondent.messages] == [canonical(content) for content, _, _ in messages]
    assert pair.respondent.refused == []
    assert pair.server.closed
