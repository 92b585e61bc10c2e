"""AUTH (RFC 4954), client side: a SASL exchange in 334 replies and lines of base64."""

from typing import TYPE_CHECKING

from mailsuite.sasl.choice import choose
from mailsuite.sasl.initiator import Initiator, Secret, decoded, encoded
from mailsuite.smtp.answers import ServerReply
from mailsuite.smtp.client_events import Stage

if TYPE_CHECKING:
    from mailsuite.smtp.client import ClientSession

# RFC 5321 §4.5.3.1.4, with CRLF: RFC 4954 §4 does not lift it for an initial response.
COMMAND_OCTETS = 512


class Login:
    """One login. The session opens when it has succeeded, and ends when it has not."""

    __slots__ = ("_cancelled", "_initial", "_mechanism", "_session")

    # `begin` makes it, before anything is sent.
    _mechanism: Initiator

    def __init__(self, session: "ClientSession") -> None:
        self._session = session
        # An initial response that AUTH had no room for.
        self._initial: bytes | None = None
        self._cancelled = ""

    def begin(self) -> None:
        """Send AUTH, or say why there can be none."""
        session, settings = self._session, self._session.settings
        if not session.encrypted and not settings.clear_auth:
            session.refused(Stage.AUTH, None, "there is no login without TLS")
            return
        if "AUTH" not in session.capabilities:
            session.refused(Stage.AUTH, None, "the server does not offer AUTH")
            return
        secret = Secret(settings.user, settings.password, settings.nonce)
        mechanism = choose(session.capabilities.mechanisms, settings.mechanisms, secret)
        if mechanism is None:
            session.refused(Stage.AUTH, None, "the server offers no mechanism that this login may use")
        else:
            self._mechanism = mechanism
            self._send_auth()

    def _send_auth(self) -> None:
        line = b"AUTH " + self._mechanism.name.encode()
        initial = self._mechanism.begin()
        if initial is not None:
            # RFC 4954 §4: "=" is a response without octets.
            with_response = line + b" " + (encoded(initial) or b"=")
            if len(with_response) + 2 <= COMMAND_OCTETS:
                line = with_response
            else:
                self._initial = initial
        self._session.command(line + b"\r\n", Stage.AUTH, self._answered)

    def _answered(self, reply: ServerReply) -> None:
        session = self._session
        if reply.code == 334 and not self._cancelled:
            self._respond(reply.texts[-1].rstrip(b" "))
        elif reply.kind in (4, 5):
            session.refused(Stage.AUTH, reply.answer, self._cancelled or "the server refuses the login")
        elif reply.kind != 2 or self._cancelled:
            session.absurd(Stage.AUTH, reply)
        elif not self._mechanism.proved:
            # RFC 5802 §3: who cannot prove to know the password is not the server that we meant.
            session.break_off(reply.answer, "the server did not prove that it knows the password", Stage.AUTH)
        else:
            session.opened()

    def _respond(self, line: bytes) -> None:
        challenge = decoded(line)
        response = None
        if challenge is None:
            # RFC 4954 §4: the client MUST cancel then.
            self._cancelled = "the server's challenge is not base64"
        elif self._initial is not None:
            response, self._initial = self._initial, None
        else:
            response = self._mechanism.respond(challenge)
            if response is None:
                self._cancelled = "the server's challenge makes no sense"
        line = b"*" if response is None else encoded(response)
        self._session.command(line + b"\r\n", Stage.AUTH, self._answered)
