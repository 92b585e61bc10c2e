"""Logins: server mechanisms behind the commands of SMTP, client mechanisms before a server that says anything."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

from mailsuite.sasl.choice import MECHANISMS
from mailsuite.sasl.initiator import Secret, Unfit
from mailsuite.smtp.server import ServerSession
from tests.fuzz.serving import serve
from tests.fuzz.target import FIRST, Target, choose
from tests.smtp.respondent import CLEAR_AUTH, Respondent

SETTINGS = replace(CLEAR_AUTH, limits=replace(CLEAR_AUTH.limits, errors=10_000))
INITIATORS = list(MECHANISMS.values())
STEPS = 10


def offered() -> list[str]:
    """Return the mechanisms that a server core offers."""
    said = serve(ServerSession(SETTINGS), Respondent(), [b"EHLO x\r\n"]).decode()
    return next(line[9:].split() for line in said.splitlines() if line[4:9] == "AUTH ")


OFFERED = offered()


def run(data: bytes) -> None:
    """The first octet chooses the mechanisms, the second an initial response or none; LF parts the lines."""
    lines = data[2:].split(b"\n")
    _server(choose(data, 0, OFFERED), choose(data, 1, [True, False]), lines)
    _client(choose(data, 0, INITIATORS), lines)


def _server(name: str, initial: bool, lines: list[bytes]) -> None:
    coded = [line if line in (b"*", b"=") else b64encode(line) or b"=" for line in lines]
    first = f"AUTH {name}".encode() + (b" " + coded.pop(0) if initial else b"") + b"\r\n"
    respondent = Respondent()
    said = serve(ServerSession(SETTINGS), respondent, [b"EHLO x\r\n", first, *(line + b"\r\n" for line in coded)])

    assert all(line[:3].isdigit() and line.isascii() for line in said.splitlines())
    if b"\r\n235 " in said:
        assert respondent.claims, "a login without a claim"


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
    """Yield one login for each mechanism that a server offers."""
    for number in range(len(OFFERED)):
        yield bytes([FIRST + number, FIRST]) + b"\0user\0secret"


PART = Target("sasl", run, seeds)
