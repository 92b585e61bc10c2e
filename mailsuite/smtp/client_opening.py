"""From the connection to an open session: greeting, EHLO, STARTTLS, EHLO again, login (RFC 5321 §3.1, RFC 3207)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mailsuite.smtp.answers import ServerReply, printable
from mailsuite.smtp.client_events import Capabilities, Stage
from mailsuite.smtp.client_login import Login

if TYPE_CHECKING:
    from mailsuite.smtp.client import ClientSession


class Opening:
    """The first part of a session."""

    __slots__ = ("_greeted", "_session")

    def __init__(self, session: "ClientSession") -> None:
        self._session = session
        self._greeted = False

    def begin(self) -> None:
        """Wait for the greeting."""
        self._session.expect(Stage.GREETING, self._greeting)

    def secured(self) -> None:
        """TLS is good enough: go on."""
        if self._greeted:
            # RFC 3207 §4.2: what the server offers has to be asked again.
            self._say_hello()
        else:
            self.begin()

    def _greeting(self, reply: ServerReply) -> None:
        if reply.kind != 2:
            self._unless_refused(Stage.GREETING, reply, "the server refuses the session")
        elif not self._is_ourselves(Stage.GREETING, reply):
            self._greeted = True
            self._say_hello()

    def _say_hello(self) -> None:
        settings = self._session.settings
        verb = "LHLO" if settings.lmtp else "EHLO"
        self._session.command(f"{verb} {settings.hostname}\r\n".encode(), Stage.HELLO, self._hello_answered)

    def _hello_answered(self, reply: ServerReply) -> None:
        session = self._session
        if reply.kind == 2:
            session.capabilities = offered(reply.texts[1:], session.encrypted)
            if session.settings.lmtp or not session.settings.chunking:
                # LMTP answers BDAT LAST once for each recipient, and a failed chunk before it once (RFC 2033 §4.3):
                # DATA is the one whose answers can always be counted.
                session.capabilities = session.capabilities.without("CHUNKING", "BINARYMIME")
            self._go_on(reply)
        elif reply.kind == 5 and not session.settings.lmtp:
            # RFC 5321 §3.2: an old server is greeted in the old way. LMTP has no other (RFC 2033 §4.1).
            session.command(f"HELO {session.settings.hostname}\r\n".encode(), Stage.HELLO, self._helo_answered)
        else:
            self._unless_refused(Stage.HELLO, reply, "the server refuses our greeting")

    def _helo_answered(self, reply: ServerReply) -> None:
        if reply.kind == 2:
            self._session.capabilities = Capabilities({})
            self._go_on(reply)
        else:
            self._unless_refused(Stage.HELLO, reply, "the server refuses our greeting")

    def _go_on(self, reply: ServerReply) -> None:
        if not self._is_ourselves(Stage.HELLO, reply):
            self._start_tls()

    def _is_ourselves(self, stage: Stage, reply: ServerReply) -> bool:
        """End the session where *reply* begins with our own name, as only ours does (RFC 5321 §4.2, §4.1.1.1).

        It is looked at before TLS: our own certificate need not be good for whatever name has led back to us.
        """
        session = self._session
        name = printable(reply.texts[0]).partition(" ")[0].removesuffix(".")
        if not session.settings.foreign or name.lower() != session.settings.hostname.lower():
            return False
        session.refused(stage, reply.answer, "the server is this very system", loop=True)
        return True

    def _start_tls(self) -> None:
        session = self._session
        wanted = session.settings.tls
        if session.encrypted or wanted == "none":
            self._log_in()
        elif "STARTTLS" in session.capabilities:
            session.command(b"STARTTLS\r\n", Stage.STARTTLS, self._tls_answered)
        elif wanted == "must":
            session.refused(Stage.STARTTLS, None, "the server does not offer STARTTLS")
        else:
            self._log_in()

    def _tls_answered(self, reply: ServerReply) -> None:
        session = self._session
        if reply.kind == 2:
            session.start_tls()
        elif reply.kind in (4, 5) and session.settings.tls == "may":
            # RFC 3207 §4: whether to go on in the clear is the client's to decide.
            session.tls_refusal = reply.answer
            self._log_in()
        else:
            self._unless_refused(Stage.STARTTLS, reply, "the server refuses STARTTLS")

    def _log_in(self) -> None:
        session = self._session
        if session.settings.user:
            Login(session).begin()
        else:
            session.opened()

    def _unless_refused(self, stage: Stage, reply: ServerReply, reason: str) -> None:
        if reply.kind in (4, 5):
            self._session.refused(stage, reply.answer, reason)
        else:
            self._session.absurd(stage, reply)


def offered(texts: Iterable[bytes], encrypted: bool = True) -> Capabilities:
    """Return what the lines of an answer to EHLO, without the first, offer (RFC 5321 §4.1.1.1).

    REQUIRETLS counts only inside TLS, *encrypted* (RFC 8689 §2).
    """
    keywords: dict[str, str] = {}
    for text in texts:
        keyword, _, parameters = printable(text).partition(" ")
        keyword = keyword.upper()
        if keyword.startswith("AUTH="):
            # The form from before RFC 4954, which old servers send for old clients beside the other, or alone.
            parameters = f"{keyword[5:]} {parameters}"
            keyword = "AUTH"
        if keyword == "AUTH" and keyword in keywords:
            parameters = f"{keywords[keyword]} {parameters}"
        keywords[keyword] = parameters.strip(" ")
    if not encrypted:
        keywords.pop("REQUIRETLS", None)
    return Capabilities(keywords)
