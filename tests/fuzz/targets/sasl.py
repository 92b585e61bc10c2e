"""Logins: server mechanisms before a client that says anything, and client mechanisms before such a server."""

from collections.abc import Iterator
from dataclasses import replace

from mailsuite.sasl.choice import MECHANISMS as CLIENT_MECHANISMS
from mailsuite.sasl.claims import CertificateClaim, Challenge, LoginClaim, PasswordClaim, Proof, Refusal, TokenShown
from mailsuite.sasl.initiator import Secret, Unfit
from mailsuite.sasl.terms import MECHANISMS
from tests.fuzz.target import FIRST, Target, choose
from tests.sasl.store import BOUND, CERTIFIED, TOKEN, terms
from tests.sasl.talk import Talk

# In TLS, with a certificate and channel bindings: every mechanism can be served.
ENCRYPTION = replace(CERTIFIED, binding=BOUND.get)
NAMES = list(MECHANISMS)
INITIATORS = list(CLIENT_MECHANISMS.values())
STEPS = 10


def run(data: bytes) -> None:
    """The first octet chooses the mechanisms, the second an initial response or none; LF parts the responses."""
    lines = data[2:].split(b"\n")
    _server(choose(data, 0, NAMES), choose(data, 1, [True, False]), lines)
    _client(choose(data, 0, INITIATORS), lines)


def _server(name: str, initial: bool, lines: list[bytes]) -> None:
    talk = Talk(name, terms("smtp"), ENCRYPTION)
    step = talk.begin(lines.pop(0) if initial else None)
    steps = 0
    while isinstance(step, Challenge):
        assert steps < STEPS, "an exchange comes to an end (RFC 4422 §3)"
        steps += 1
        if not lines:
            return
        step = talk.say(lines.pop(0))
    assert isinstance(step, PasswordClaim | CertificateClaim | LoginClaim | Refusal)
    if isinstance(step, LoginClaim):
        asked = [each for each in talk.questions if isinstance(each, Proof | TokenShown)]
        assert len(asked) == 1, "a login without a proof"
        assert asked[0].token == TOKEN if isinstance(asked[0], TokenShown) else asked[0].right
    if isinstance(step, CertificateClaim):
        assert step.name == "tim"


def _client(kind: type, lines: list[bytes]) -> None:
    try:
        initiator = kind(Secret("tim", "tanstaaftanstaaf", "rOprNGfwEbeRWgbNEkqO"))
    except Unfit:
        return
    initiator.begin()
    for line in lines:
        if initiator.respond(line) is None:
            return
    # RFC 4422 §3: an exchange comes to an end, whatever a server asks.
    assert sum(initiator.respond(b"") is not None for _ in range(STEPS)) < STEPS


def seeds() -> Iterator[bytes]:
    """Yield the beginnings of exchanges by each mechanism."""
    for number in range(len(NAMES)):
        for responses in (
            b"",
            b"\0user\0secret",
            b"n,,n=user,r=abc\nc=biws,r=abcd,p=AAAA",
            b"p=tls-exporter,,n=user,r=abc\n",
        ):
            yield bytes([FIRST + number, FIRST]) + responses


PART = Target("sasl", run, seeds)
