"""The one table of an SMTP session: which verb is legal in which state (RFC 5321 §4.1.4).

Everywhere else a verb is refused with 503, in one place. The verbs of extensions bring their own rows
(`mailsuite.smtp.extension.Verb`).
"""

from enum import IntEnum


class State(IntEnum):
    """Where a session stands between two commands."""

    UNWELCOME = 0  # the greeting was a refusal: QUIT, and nothing else (RFC 5321 §3.1)
    CONNECTED = 1  # before EHLO or HELO, and again once TLS has begun
    READY = 2  # greeted, no transaction
    MAIL = 3  # a reverse-path, no recipient yet
    RCPT = 4  # a transaction with recipients
    CHUNKS = 5  # its content comes by BDAT, and not all of it has come (RFC 3030 §2): DATA and RCPT are 503


ANY = frozenset(State) - {State.UNWELCOME}
READY = frozenset({State.READY})

LEGAL: dict[str, frozenset[State]] = {
    "EHLO": ANY,
    "HELO": ANY,
    "MAIL": READY,
    "RCPT": frozenset({State.MAIL, State.RCPT}),
    "DATA": frozenset({State.RCPT}),
    # RFC 5321 §4.1.4: these at any time, also before EHLO.
    "RSET": ANY,
    "NOOP": ANY,
    "QUIT": frozenset(State),
    "HELP": ANY,
    "VRFY": ANY,
    "EXPN": ANY,
}

# Recognised and refused with 502: the terminal and turn-around commands of RFC 821 (RFC 5321 appendix F.1, F.6)
# and sendmail's private ones.
REFUSED = frozenset({"SEND", "SOML", "SAML", "TURN", "VERB", "ONEX"})
