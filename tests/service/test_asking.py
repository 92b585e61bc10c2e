"""What MAIL and the header ask of a message's way, from the session to the queue (RFC 2852, 4865, 6710, 8689)."""

from dataclasses import replace
from typing import Any

import pytest

from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.envelope import Peer
from mailsuite.queued import LOCAL, QueuedMessage
from mailsuite.service.holding import HoldQuota
from tests.service.world import LISTED_PEER, NOW, PEER, World


class Site(World):
    """A site that offers all of it; it is used inside TLS."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.core.settings = replace(self.core.settings, future_release=1000, now=lambda: NOW)
        self.core.encrypted = True
        if options.get("submission"):
            self.log_in()
        else:
            self.say(b"EHLO client.example\r\n")

    def mail(self, parameters: str = "") -> str:
        """Say MAIL; return the answer."""
        (reply,) = self.say(f"MAIL FROM:<alice@b.example> {parameters}\r\n".encode())
        return reply

    def accept(self, parameters: str = "", header: bytes = b"", to: str = "x@relayed.example") -> str:
        """Send a message; return the answer to MAIL."""
        mail = self.mail(parameters)
        assert mail.startswith("250"), mail
        end = self.say(f"RCPT TO:<{to}>\r\nDATA\r\n".encode() + header + b"Subject: x\r\n\r\nbody\r\n.\r\n")[-1]
        assert end.startswith("250"), end
        return mail

    @property
    def message(self) -> QueuedMessage:
        """The one that was queued."""
        ((message, *_),) = self.queue.accepted
        return message

    @property
    def asked(self) -> Asked:
        """What was asked of it."""
        return self.message.asked

    @property
    def content(self) -> bytes:
        """Its octets."""
        ((_, _, octets),) = self.queue.accepted
        return octets


def test_nothing_is_asked() -> None:
    """As of nearly every message; other parameters ask nothing of the way."""
    site = Site()
    site.accept("BODY=8BITMIME SIZE=100 RET=HDRS ENVID=x")

    assert site.asked is NOTHING_ASKED
    assert site.message.expires == NOW + 1000.0


class TestDeliverBy:
    """BY (RFC 2852)."""

    @pytest.mark.parametrize(
        ("by", "asked", "left"),
        [
            ("60;R", Asked(by=NOW + 60, by_mode="R"), 60),
            ("60;RT", Asked(by=NOW + 60, by_mode="R", traced=True), 60),
            ("2000;R", Asked(by=NOW + 2000, by_mode="R"), 1000),
            ("60;N", Asked(by=NOW + 60, by_mode="N"), 1000),
            ("-60;NT", Asked(by=NOW - 60, by_mode="N", traced=True), 1000),
        ],
    )
    def test_the_time_is_kept(self, by: str, asked: Asked, left: float) -> None:
        """§4: as an absolute one. With R nothing is tried after it; it makes nobody's time longer."""
        site = Site()
        site.accept(f"BY={by}")

        assert site.asked == asked
        assert site.message.expires == NOW + left


class TestPriority:
    """MT-PRIORITY (RFC 6710 §4.1), and the field (RFC 6758 §3.1)."""

    def test_anybody_may_be_less_urgent(self) -> None:
        """A lower one is had for the asking."""
        site = Site()

        assert site.accept("MT-PRIORITY=-4").startswith("250 2.1.0")
        assert site.asked == Asked(priority=-4)

    def test_nobody_is_more_urgent_for_the_asking(self) -> None:
        """The answer tells the new one, and why."""
        site = Site()

        assert site.accept("MT-PRIORITY=9") == "250 2.3.6 0 is the new priority of the message"
        assert site.asked == NOTHING_ASKED

    def test_a_login_may_be_up_to_the_limit(self) -> None:
        """And gets the limit where it asks for more."""
        site = Site(submission=True)

        assert site.accept("MT-PRIORITY=9", to="x@else.example") == "250 2.3.6 4 is the new priority of the message"
        assert site.asked == Asked(priority=4)

    def test_a_listed_peer_is_believed(self) -> None:
        """As far as the numbers go."""
        site = Site(peer=LISTED_PEER)

        assert site.accept("MT-PRIORITY=9").startswith("250 2.1.0")
        assert site.asked == Asked(priority=9)

    def test_it_stands_in_the_trace_and_the_log(self) -> None:
        """§4.1, items 2 and 3: as MAIL said it."""
        site = Site()
        site.accept("MT-PRIORITY=9")
        received = site.content.partition(b"Subject")[0]

        assert b"\tfor <x@relayed.example>\r\n\tPRIORITY 9; " in received
        assert [record["priority"] for record in site.records()] == [9]

    @pytest.mark.parametrize(
        ("peer", "header", "priority"),
        [
            (LISTED_PEER, b"MT-Priority: 6\r\n", 6),
            (PEER, b"MT-Priority: 6\r\n", 0),
            (PEER, b"MT-Priority: -6\r\n", -6),
            (PEER, b"Priority: urgent\r\nImportance: high\r\n", 0),
        ],
    )
    def test_the_field_counts_where_mail_is_silent(self, peer: Peer, header: bytes, priority: int) -> None:
        """By the same rules; an MTA leaves it as it is."""
        site = Site(peer=peer)
        site.accept(header=header)

        assert site.asked.priority == priority
        assert header in site.content

    def test_mail_goes_before_the_field(self) -> None:
        """Also where it says 0."""
        site = Site(peer=LISTED_PEER)
        site.accept("MT-PRIORITY=0", header=b"MT-Priority: 6\r\n")

        assert site.asked == NOTHING_ASKED

    @pytest.mark.parametrize(
        ("parameters", "field", "kept"),
        [("MT-PRIORITY=3", 9, 3), ("MT-PRIORITY=9", 9, 4), ("", 9, 4), ("", 2, 2)],
    )
    def test_submission_says_what_was_granted(self, parameters: str, field: int, kept: int) -> None:
        """RFC 6758 §3.3: so that hosts that know the field alone hear it."""
        site = Site(submission=True)
        site.accept(parameters, header=b"MT-Priority: %d\r\n" % field, to="x@else.example")

        assert site.content.count(b"MT-Priority:") == 1
        assert b"MT-Priority: %d\r\n" % kept in site.content
        assert site.asked.priority == kept


class TestFutureRelease:
    """HOLDFOR and HOLDUNTIL (RFC 4865)."""

    def test_it_waits_in_the_queue(self) -> None:
        """Its time begins when it is released."""
        site = Site(submission=True)
        site.accept("HOLDFOR=600", to="x@else.example")

        assert site.asked == Asked(release=NOW + 600, hold="for;600", holder="alice@b.example")
        assert site.message.expires == NOW + 1600

    def test_mail_for_mailboxes_waits_too(self) -> None:
        """Nothing is put into them before."""
        site = Site(submission=True)
        site.accept("HOLDUNTIL=2026-01-01T00:10:00Z", to="both@b.example")
        ((message, recipients, _),) = site.queue.accepted

        assert site.delivered == []
        assert message.asked == Asked(
            release=NOW + 600, hold="until;2026-01-01T00:10:00Z", holder="alice@b.example"
        )
        assert [each.destination for each in recipients] == [LOCAL, LOCAL]
        assert [each.mailbox and each.mailbox.id for each in recipients] == [1, 2]
        assert site.open_drafts == 0

    def test_the_quota_at_its_cap_and_one_past(self) -> None:
        """§6 (3): two, and of the third the MAIL command is refused; what goes at once goes on."""
        site = Site(submission=True)
        site.reception.site = replace(site.reception.site, may_hold=HoldQuota(site.queue, 2).admits)
        for _ in range(2):
            site.accept("HOLDFOR=600", to="x@else.example")

        assert site.mail("HOLDFOR=600") == "552 5.7.16 Too many messages of yours wait for their time already"
        assert [fields["limit"] for kind, fields in site.log.records if kind == "limit"] == ["held_messages"]
        site.accept(to="x@else.example")
        assert [message.asked.holder for message, *_ in site.queue.accepted] == ["alice@b.example"] * 2 + [""]

    def test_a_queue_that_cannot_be_asked(self) -> None:
        """Is no reason to let it grow."""
        site = Site(submission=True)
        site.reception.site = replace(site.reception.site, may_hold=HoldQuota(site.queue, 2).admits)
        site.queue.trouble = OSError("the disk is away")

        assert site.mail("HOLDFOR=600").startswith("451 4.3.0 ")

    def test_no_quota(self) -> None:
        """0: any number, and nobody is asked."""
        site = Site(submission=True)
        site.reception.site = replace(site.reception.site, may_hold=HoldQuota(site.queue, 0).admits)
        site.queue.trouble = OSError("the disk is away")

        assert site.mail("HOLDFOR=600").startswith("250 ")

    def test_it_is_for_submission_alone(self) -> None:
        """§4.2, item 2: here the MTA's own session does not know it; `app` says where it is offered."""
        site = Site()
        site.core.settings = replace(site.core.settings, future_release=0)

        assert site.mail("HOLDFOR=10").startswith("555 5.5.4")

    @pytest.mark.parametrize(
        ("parameters", "reply"),
        [
            ("HOLDFOR=10 HOLDUNTIL=2026-01-01T00:10:00Z", "501 5.5.4 Only one of"),
            ("HOLDFOR=61 BY=60;R", "501 5.5.4 The message is to be released after"),
            ("BY=60;N HOLDFOR=61", "501 5.5.4 The message is to be released after"),
            ("HOLDFOR=60 BY=60;R", "250 2.1.0"),
        ],
    )
    def test_what_does_not_go_together(self, parameters: str, reply: str) -> None:
        """§4.2, item 9; §5.2.2."""
        site = Site(submission=True)

        assert site.mail(parameters).startswith(reply)


class TestDestination:
    """With whom it shares its fate in the queue."""

    @pytest.mark.parametrize(
        ("parameters", "header", "destination"),
        [
            ("", b"", "relayed.example"),
            ("MT-PRIORITY=-4", b"", "relayed.example"),
            ("REQUIRETLS", b"", "relayed.example with REQUIRETLS"),
            ("", b"TLS-Required: No\r\n", "relayed.example with any TLS"),
        ],
    )
    def test_it_waits_for_nobody_who_wants_other_tls(self, parameters: str, header: bytes, destination: str) -> None:
        """A destination that is put off for its TLS is not so for all."""
        site = Site()
        site.accept(parameters, header)
        ((_, (recipient,), _),) = site.queue.accepted

        assert recipient.destination == destination


class TestTls:
    """REQUIRETLS and TLS-Required (RFC 8689 §4.1)."""

    def test_it_is_kept(self) -> None:
        """On every message so marked."""
        site = Site()
        site.accept("REQUIRETLS")

        assert site.asked == Asked(require_tls=True)

    def test_the_field_asks_for_less(self) -> None:
        """From whoever sends it, and it stays in the message."""
        site = Site()
        site.accept(header=b"TLS-Required: No\r\n")

        assert site.asked == Asked(tls_optional=True)
        assert b"TLS-Required: No\r\n" in site.content

    def test_mail_goes_before_the_field(self) -> None:
        """The field is ignored then."""
        site = Site()
        site.accept("REQUIRETLS", header=b"TLS-Required: No\r\n")

        assert site.asked == Asked(require_tls=True)
