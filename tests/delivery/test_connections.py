"""How sessions with other servers are opened: TLS, logins, LMTP, addresses of ours."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet import defer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.connections import PASSWORD_OCTETS, read_password
from mailsuite.delivery.mta_sts_policy import Policy
from mailsuite.delivery.session import RemoteSession
from mailsuite.delivery.tls_policy import Demand
from mailsuite.delivery.tls_proofs import Listed
from mailsuite.delivery.trouble import SessionEnded
from mailsuite.outcome import Answer, Deferred, Delivered, Outcome
from mailsuite.route import Credentials, Route
from mailsuite.sasl.claims import PasswordClaim
from mailsuite.smtp.client import ClientSession
from mailsuite.smtp.client_events import ClientSettings, Stage, Transaction
from mailsuite.smtp.settings import Settings
from tests.delivery.world import MX1, MX1_TOO, MX2, MX3, ROUTE, World
from tests.doubles_delivery import DROP, MESSAGE, SILENCE, Objection, Real, Scripted, job

ONE = "bob@b.example"
MAY = Demand("may")
MUST = Demand("must")
TLS_EHLO = "250-mx.example\n250-STARTTLS\n250 PIPELINING"
ENCRYPTED = "TLSv1.3 TLS_AES_256_GCM_SHA384 (not verified)"


def put_off(outcome: Outcome, status: str, whole: bool = True) -> Deferred:
    assert isinstance(outcome, Deferred), outcome
    assert (outcome.status, outcome.whole) == (status, whole)
    return outcome


def tls_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Delivered), outcome
    assert outcome.answer is not None
    return outcome.answer.tls


# STARTTLS


def test_encrypted_with_the_real_server() -> None:
    """TLS where it is offered, and the outcome says which."""
    far = Real(Settings("mx.example", starttls=True))

    outcome = World({MX1: far}, demand=MAY).deliver_one(job(ONE))

    assert tls_of(outcome) == ENCRYPTED
    assert far.messages == [("alice@example.org", [ONE], MESSAGE)]


def test_in_the_clear() -> None:
    """Where it is not offered, or not wanted, there is none, and the outcome says nothing."""
    assert tls_of(World({MX1: Scripted()}, demand=MAY).deliver_one(job(ONE))) == ""
    assert tls_of(World({MX1: Scripted(ehlo=TLS_EHLO)}, demand=Demand("none")).deliver_one(job(ONE))) == ""


@pytest.mark.parametrize("reply", [DROP, "501 No", "454 Not now", "\x00", "354 What?"])
def test_starttls_that_is_refused_where_it_is_no_must(reply: str) -> None:
    """The message goes in the clear, to the same address."""
    far = Scripted(ehlo=TLS_EHLO, starttls=reply)
    world = World({MX1: far, MX1_TOO: Scripted()}, demand=MAY)

    assert tls_of(world.deliver_one(job(ONE))) == ""
    assert set(world.tried) == {MX1}
    assert far.messages == [MESSAGE]


def test_handshake_that_breaks_where_it_is_no_must() -> None:
    """One more connection to the same address, in the clear."""
    far = Scripted(ehlo=TLS_EHLO)
    far.tls = None
    world = World({MX1: far, MX1_TOO: Scripted()}, demand=MAY)

    assert tls_of(world.deliver_one(job(ONE))) == ""
    assert world.tried == [MX1, MX1]
    assert far.verbs().count("STARTTLS") == 1


WANTED = "530 5.7.0 Must issue a STARTTLS command first"


def test_tls_that_is_wanted_and_broke() -> None:
    """A broken handshake is the reason, and not that we then came without it (RFC 3207 §4); the next host is tried."""
    far = Scripted(ehlo=TLS_EHLO, mail=WANTED)
    far.tls = None
    world = World({MX1: far, MX1_TOO: far, MX2: Scripted()}, demand=MAY)
    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX1, MX1, MX1_TOO, MX1_TOO, MX2]

    outcome = put_off(World(dict.fromkeys((MX1, MX1_TOO, MX2, MX3), far), demand=MAY).deliver_one(job(ONE)), "4.7.5")
    assert "TLS handshake failed" in outcome.reason
    assert WANTED in outcome.reason
    assert outcome.answer is not None
    assert outcome.answer.code == 530


def test_tls_that_is_wanted_and_was_refused() -> None:
    """So it is with 454 to STARTTLS."""
    far = Scripted(ehlo=TLS_EHLO, starttls="454 4.7.0 TLS not available now", mail=WANTED)

    outcome = put_off(World(dict.fromkeys((MX1, MX1_TOO, MX2, MX3), far), demand=MAY).deliver_one(job(ONE)), "4.7.0")

    assert "said to STARTTLS: 454 4.7.0 TLS not available now; without TLS" in outcome.reason
    assert WANTED in outcome.reason


def test_other_words_in_the_clear() -> None:
    """What a server says of the message it says of that, whatever became of TLS."""
    far = Scripted(ehlo=TLS_EHLO, rcpt="450 4.2.1 Busy")
    far.tls = None

    outcome = put_off(World({MX1: far}, demand=MAY).deliver_one(job(ONE)), "4.2.1", whole=False)

    assert "TLS" not in outcome.reason


def test_an_address_that_fails_in_the_clear_too() -> None:
    """Then the next one is tried, with TLS first again."""
    far = Scripted(ehlo=TLS_EHLO, mail=DROP)
    far.tls = None
    second = Scripted(ehlo=TLS_EHLO)
    world = World({MX1: far, MX1_TOO: second}, demand=MAY)

    assert tls_of(world.deliver_one(job(ONE))) == ENCRYPTED
    assert world.tried == [MX1, MX1, MX1_TOO]


@pytest.mark.parametrize(
    ("far", "status"),
    [
        (Scripted(), "4.7.4"),
        (Scripted(ehlo=TLS_EHLO, starttls="501 No"), "4.7.4"),
        (Scripted(ehlo=TLS_EHLO, starttls="454 4.7.0 Not now"), "4.7.0"),
        (Scripted(ehlo=TLS_EHLO, starttls=DROP), "4.7.4"),
    ],
    ids=["not-offered", "refused", "put-off", "dropped"],
)
def test_no_tls_where_it_is_a_must(far: Scripted, status: str) -> None:
    """Nothing is sent in the clear; the next host, and in the end later."""
    world = World({MX1: far, MX1_TOO: far, MX2: far, MX3: far}, demand=MUST)

    put_off(world.deliver_one(job(ONE)), status)

    assert world.tried == [MX1, MX1_TOO, MX2, MX3]
    assert "MAIL" not in far.verbs()


def test_handshake_that_breaks_where_it_is_a_must() -> None:
    """The next host."""
    far, second = Scripted(ehlo=TLS_EHLO), Scripted(ehlo=TLS_EHLO)
    far.tls = None
    world = World({MX1: far, MX1_TOO: second}, demand=MUST)

    assert tls_of(world.deliver_one(job(ONE))) == ENCRYPTED
    assert world.tried == [MX1, MX1_TOO]
    assert "MAIL" not in far.verbs()

    second.tls = None
    put_off(World({MX1: far, MX1_TOO: second}, demand=MUST, hosts=2).deliver_one(job(ONE)), "4.7.5")


@pytest.mark.parametrize("level", ["may", "must"])
def test_tls_that_is_not_good_enough(level: str) -> None:
    """Not a word on it, and never in the clear after that: who objects has a reason."""
    far = Scripted(ehlo=TLS_EHLO)
    demand = Demand("must" if level == "must" else "may", proofs=(Objection(),))
    world = World({MX1: far, MX1_TOO: far}, demand=demand, hosts=2)

    outcome = put_off(world.deliver_one(job(ONE)), "4.7.5")

    assert "its certificate is not for it" in outcome.reason
    assert world.tried == [MX1, MX1_TOO]
    assert far.verbs() == ["EHLO", "STARTTLS"] * 2


def test_host_that_must_not_be_used() -> None:
    """It is passed over with all of its addresses."""
    world = World({MX1: Scripted(), MX1_TOO: Scripted(), MX2: Scripted()})
    world.demands.demands["mx1.b.example"] = Demand("must", skip="the policy does not name it")

    assert isinstance(world.deliver_one(job(ONE)), Delivered)
    assert world.tried == [MX2]

    world.demands.demand_of_all = Demand("must", skip="the policy names nobody")
    world.pool.stop()
    assert "the policy" in put_off(world.deliver_one(job(ONE)), "4.7.5").reason


def test_dns_trouble_about_tls() -> None:
    """Whether a host must be authenticated has to be known (RFC 7672 §2.1.2)."""
    world = World({MX1: Scripted()}, hosts=2)
    world.demands.troubled = {"mx1.b.example", "mx2.b.example", "mx3.b.example"}

    assert "no answer about its TLS" in put_off(world.deliver_one(job(ONE)), "4.4.3").reason
    assert not world.tried


def test_what_the_policy_is_told() -> None:
    """Domain, host, and what DNSSEC vouches for; once for each host."""
    world = World({MX2: Scripted()})
    world.resolver.secure |= {"b.example", "mx2.b.example"}

    world.deliver_one(job(ONE))

    assert world.demands.asked == [
        ("b.example", "mx1.b.example", True, False), ("b.example", "mx2.b.example", True, True),
    ]


def test_name_that_tls_asks_for() -> None:
    """SNI is the policy's, else the host's name."""
    world = World({MX1: Scripted(ehlo=TLS_EHLO)}, demand=Demand("may", sni="base.example"))
    world.deliver_one(job(ONE))
    assert world.connector.endpoints[0].name == "base.example"

    world = World({MX1: Scripted()})
    world.deliver_one(job(ONE))
    assert world.connector.endpoints[0].name == "mx1.b.example"


def test_whose_issuers_count() -> None:
    """A policy's certificates are not judged by a file that the site has for its own routes."""
    listed = Listed("b.example", Policy("enforce", ("mx1.b.example",), 86_400), "mx1.b.example")
    for demand, worldwide in ((Demand("may", trial=listed), True), (MAY, False)):
        world = World({MX1: Scripted(ehlo=TLS_EHLO)}, demand=demand)
        world.deliver_one(job(ONE))
        assert [endpoint.worldwide for endpoint in world.connector.endpoints] == [worldwide]


RELAY = Route("route:relay", "192.0.2.50", "192.0.2.50", port=465, private=True, implicit=True, tls="verify")


def test_tls_from_the_first_octet() -> None:
    """Port 465 (RFC 8314)."""
    far = Scripted()
    world = World({"192.0.2.50": far}, RELAY, demand=MUST)

    assert tls_of(world.deliver_one(job(ONE))) == ENCRYPTED
    (endpoint,) = world.connector.endpoints
    assert (endpoint.port, endpoint.implicit) == (465, True)


@pytest.mark.parametrize("demand", [MAY, MUST])
def test_tls_from_the_first_octet_that_breaks(demand: Demand) -> None:
    """There is no other way in."""
    far = Scripted()
    far.tls = None
    world = World({"192.0.2.50": far}, RELAY, demand=demand)

    put_off(world.deliver_one(job(ONE)), "4.7.5")

    assert world.tried == ["192.0.2.50"]
    assert not far.commands


# Logins

LOGIN = Credentials("us", "/secret")
SMARTHOST = Route(
    "route:isp", "192.0.2.50", "192.0.2.50", port=587, private=True, tls="encrypt", credentials=LOGIN
)
SUBMISSION = Settings("mx.example", starttls=True, auth="tls", auth_required=True)
AUTH_EHLO = "250-mx.example\n250-STARTTLS\n250 AUTH PLAIN"


def test_login_at_the_real_server() -> None:
    """The password is read from its file, and goes over TLS alone."""
    far = Real(SUBMISSION)

    outcome = World({"192.0.2.50": far}, SMARTHOST, demand=MUST).deliver_one(job(ONE))

    assert isinstance(outcome, Delivered)
    assert outcome.answer is not None
    assert outcome.answer.host == "[192.0.2.50]"
    assert far.respondent.claims == [PasswordClaim("us", "secret")]


def test_wrong_password() -> None:
    """It is ours to mend: nobody's mail is returned for it."""
    world = World({"192.0.2.50": Real(SUBMISSION)}, SMARTHOST, demand=MUST)
    world.passwords["/secret"] = "swordfish"

    outcome = put_off(world.deliver_one(job(ONE)), "4.7.8")

    assert outcome.answer is not None
    assert outcome.answer.code == 535
    assert "said to AUTH" in outcome.reason
    assert "swordfish" not in repr(outcome)


@pytest.mark.parametrize(
    ("far", "reason"),
    [
        (Scripted(ehlo=TLS_EHLO), "does not offer AUTH"),
        (Scripted(ehlo="250-mx.example\n250-STARTTLS\n250 AUTH GSSAPI"), "no mechanism"),
        (Scripted(ehlo=AUTH_EHLO, auth=DROP), "connection was lost"),
    ],
    ids=["not-offered", "no-mechanism", "dropped"],
)
def test_no_login(far: Scripted, reason: str) -> None:
    """Later, with a reason."""
    world = World({"192.0.2.50": far}, SMARTHOST, demand=MUST)

    assert reason in put_off(world.deliver_one(job(ONE)), "4.7.0").reason


def test_no_password_in_the_clear() -> None:
    """Whatever the demand would allow."""
    far = Scripted(ehlo="250-mx.example\n250 AUTH PLAIN")
    route = replace(SMARTHOST, tls="may")

    put_off(World({"192.0.2.50": far}, route, demand=MAY).deliver_one(job(ONE)), "4.7.0")

    assert "AUTH" not in far.verbs()


def test_password_in_the_clear_where_the_route_says_so() -> None:
    """Its level is none."""
    far = Scripted(ehlo="250-mx.example\n250 AUTH PLAIN")
    route = replace(SMARTHOST, tls="none")

    assert isinstance(World({"192.0.2.50": far}, route).deliver_one(job(ONE)), Delivered)
    assert "AUTH" in far.verbs()


def test_password_that_cannot_be_read(tmp_path: Path) -> None:
    """Nobody is connected to."""
    world = World({"192.0.2.50": Scripted()}, SMARTHOST, demand=MUST)
    world.delivery._network.connections._read_password = read_password
    route = replace(SMARTHOST, credentials=Credentials("us", str(tmp_path / "missing")))
    world.router.default = route

    assert "No such file" in put_off(world.deliver_one(job(ONE)), "4.3.5").reason
    (tmp_path / "missing").write_bytes(b"\xff\xfe\n")
    put_off(world.deliver_one(job(ONE)), "4.3.5")
    assert not world.tried


def test_password_file(tmp_path: Path) -> None:
    """Its first line, whatever its end, up to a limit."""
    file = tmp_path / "password"
    for content, password in (
        ("p\u00e4ss word \nmore\n", "p\u00e4ss word "), ("pass\r\n", "pass"), ("pass", "pass"), ("", ""),
        ("\ufeffpass\n", "pass"),
        ("x" * PASSWORD_OCTETS, "x" * PASSWORD_OCTETS), ("x" * (PASSWORD_OCTETS + 1), "x" * PASSWORD_OCTETS),
    ):
        file.write_bytes(content.encode())
        assert read_password(str(file)) == password


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_password_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Whoever should write into a FIFO is not waited for."""
    make(tmp_path / "password")

    with pytest.raises(ValueError, match="no regular file"):
        read_password(str(tmp_path / "password"))


@pytest.mark.parametrize(
    ("result", "tried"), [("secret", ["192.0.2.50"]), (Failure(OSError("EIO")), [])], ids=["read", "trouble"]
)
def test_a_password_that_takes_its_time(result: str | Failure, tried: list[str]) -> None:
    """The connection waits for it, and nobody else does; a trouble in the thread is the same as here."""
    far = Scripted(ehlo="250-mx.example\n250 AUTH PLAIN")
    world = World({"192.0.2.50": far}, replace(SMARTHOST, tls="none"))
    password: defer.Deferred[str] = defer.Deferred()
    world.delivery._network.connections._read_password = lambda path: password
    pending = world.begin(job(ONE))
    assert (world.tried, pending.called) == ([], False)

    password.callback(result)

    assert world.tried == tried


# LMTP

LMTP = Route("route:store", "store.example", "unix:/run/lmtp", port=0, lmtp=True, private=True)


def lmtp(**replies: object) -> Scripted:
    far = Scripted(**replies)
    far.lmtp = True
    return far


def test_lmtp_over_a_socket() -> None:
    """Each recipient has an answer of its own, and no parameter is for a mail store (RFC 2033)."""
    far = lmtp(end=["250 2.1.5 Delivered", "452 4.2.2 Mailbox full", "550 5.2.1 Off"], lhlo="250-x\n250 DSN")
    world = World({"/run/lmtp": far}, LMTP)

    one, two, three = world.deliver(job(ONE, "c@b.example", "d@b.example", ret="FULL", envid="e"))

    assert isinstance(one, Delivered)
    assert not one.informs
    assert one.answer == Answer("unix:/run/lmtp", 250, "2.1.5", ("Delivered",))
    put_off(two, "4.2.2", whole=False)
    assert not isinstance(three, Delivered | Deferred)
    assert far.commands[:2] == ["LHLO out.example.org", "MAIL FROM:<alice@example.org>"]
    (endpoint,) = world.connector.endpoints
    assert (endpoint.address, endpoint.port) == ("/run/lmtp", 0)


def test_lmtp_server_that_breaks_off_among_its_answers() -> None:
    """Those that came count; the others are open, and are not tried elsewhere."""
    world = World({"/run/lmtp": lmtp(end=["250 2.1.5 Delivered", DROP])}, LMTP)

    one, two = world.deliver(job(ONE, "c@b.example"))

    assert isinstance(one, Delivered)
    assert "has not answered for this recipient" in put_off(two, "4.4.2", whole=False).reason


def test_lmtp_recipients_that_were_not_sent_to() -> None:
    """They have nothing to do with what became of those before them: of them nobody has the message."""
    far = lmtp(end=["250 2.1.5 Delivered", DROP])
    world = World({"/run/lmtp": far}, LMTP, recipients=2)
    one, two, three = world.deliver(job(ONE, "c@b.example", "d@b.example"))
    assert isinstance(one, Delivered)
    assert "may have been delivered" in put_off(two, "4.4.2", whole=False).reason
    assert "may have been" not in put_off(three, "4.4.2").reason
    assert "RCPT TO:<d@b.example>" not in far.commands

    second = lmtp()
    route = replace(LMTP, host="mx1.b.example")
    world = World({MX1: lmtp(end=["250 OK", DROP]), MX1_TOO: second}, route, recipients=2)
    assert isinstance(world.deliver(job(ONE, "c@b.example", "d@b.example"))[2], Delivered)
    assert [command for command in second.commands if command.startswith("RCPT")] == ["RCPT TO:<d@b.example>"]


def test_session_that_has_ended() -> None:
    """Who sends over it is told that nothing was sent, wherever it had stood."""
    session = RemoteSession(ClientSession(ClientSettings("out.example.org")), "mx.example", MX1, MAY)
    session.lost("lost")

    ended = SynchronousTestCase().failureResultOf(session.send(Transaction(None, ())), SessionEnded).value

    assert (ended.stage, ended.reason) == (Stage.IDLE, "the connection was lost")


def test_no_mailbox_server() -> None:
    """A socket that nobody listens on is later."""
    assert "unix:/run/lmtp" in put_off(World({}, LMTP).deliver_one(job(ONE)), "4.4.1").reason


# Our own address, and time


def test_source_addresses() -> None:
    """The route's own, else the one of ours that is of the same kind, else the system's choice."""
    world = World({}, sources=("192.0.2.200", "2001:db8::200"))
    world.resolver.address_records["mx1.b.example"] = ["2001:db8::1", "192.0.2.1"]
    world.deliver_one(job(ONE))
    assert [endpoint.source for endpoint in world.connector.endpoints[:2]] == ["2001:db8::200", "192.0.2.200"]

    world = World({}, replace(ROUTE, source="192.0.2.99"), sources=("192.0.2.200",))
    world.deliver_one(job(ONE))
    assert {endpoint.source for endpoint in world.connector.endpoints} == {"192.0.2.99"}

    world = World({}, sources=("2001:db8::200",))
    world.deliver_one(job(ONE))
    assert {endpoint.source for endpoint in world.connector.endpoints} == {""}


def test_time_to_connect() -> None:
    """It is the connector's to keep."""
    world = World({}, connect_timeout=12.5)

    world.deliver_one(job(ONE))

    assert {endpoint.seconds for endpoint in world.connector.endpoints} == {12.5}


def test_login_that_takes_too_long() -> None:
    """AUTH has a time, too."""
    world = World(
        {"192.0.2.50": Scripted(ehlo=AUTH_EHLO, auth=SILENCE)}, SMARTHOST, demand=MUST, greeting_timeout=9,
        command_timeout=9,
    )

    pending = world.begin(job(ONE))
    assert not pending.called
    world.connector.wait(9)

    (outcome,) = SynchronousTestCase().successResultOf(pending)
    put_off(outcome, "4.7.0")
