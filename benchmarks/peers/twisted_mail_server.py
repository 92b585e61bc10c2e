"""``python -m benchmarks.peers.twisted_mail_server CONFIG``: what somebody would write upon twisted.mail."""

from functools import partial
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.threads import deferToThread
from twisted.mail.imap4 import PLAINCredentials
from twisted.mail.pop3 import POP3
from twisted.mail.smtp import ESMTP, IMessage, IMessageDelivery, SMTPBadRcpt, User
from zope.interface import implementer

from benchmarks.accounts import HOSTNAME, PASSWORD, salted
from benchmarks.peers.python import Config, Store

_KEPT = salted(PASSWORD)
reactor: Any = default_reactor


class Session(ESMTP):
    """A session that is counted while it is open."""

    def connectionMade(self) -> None:
        """See `Protocol`."""
        self.factory.sessions += 1
        super().connectionMade()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """See `Protocol`."""
        self.factory.sessions -= 1
        super().connectionLost(reason)


class Sessions(Factory):
    """Makes sessions; those of submission offer TLS and AUTH."""

    noisy = False
    sessions = 0

    def __init__(self, store: Store, tls: Any = None) -> None:
        self.store = store
        self._tls = tls
        self._portal = Portal(Realm(self), [SaltedPasswords()])

    def buildProtocol(self, address: object) -> Session:
        """See `Factory`."""
        session = Session({b"PLAIN": PLAINCredentials} if self._tls else {}, self._tls)
        session.factory = self
        session.host = HOSTNAME.encode()
        session.timeout = 300
        if self._tls:
            session.__dict__["portal"] = self._portal
        else:
            session.delivery = Delivery(self)
        return session


@implementer(IMessageDelivery)
class Delivery:
    """Takes mail for our users. Each of them has a `Message`, of which the last stores for all."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._users: list[str] = []

    def receivedHeader(self, helo: tuple[bytes, bytes], origin: Any, recipients: list[User]) -> bytes:
        """See `IMessageDelivery`."""
        return b"Return-Path: <%s>\r\nReceived: from %s by %s" % (bytes(origin), helo[0], HOSTNAME.encode())

    def validateFrom(self, helo: object, origin: Any) -> Any:
        """See `IMessageDelivery`."""
        self._users = []
        return origin

    def validateTo(self, user: User) -> Any:
        """See `IMessageDelivery`."""
        found = self._sessions.store.user(str(user.dest))
        if found is None:
            raise SMTPBadRcpt(user)
        self._users.append(found)
        return partial(self._message, len(self._users) == 1)

    def _message(self, first: bool) -> "Message":
        return Message(self._sessions, self._users if first else [])


@implementer(IMessage)
class Message:
    """The first of a transaction is stored for all its *users*; the others are nobody's."""

    def __init__(self, sessions: Sessions, users: list[str]) -> None:
        self._sessions = sessions
        self._users = users
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        """See `IMessage`."""
        if self._users:
            self._lines.append(line)

    def eomReceived(self) -> Deferred[None]:
        """See `IMessage`."""
        if not self._users:
            return succeed(None)
        content = b"\r\n".join([*self._lines, b""])
        if self._sessions.sessions > 1:
            return deferToThread(self._sessions.store.put, self._users, content)
        self._sessions.store.put(self._users, content)
        return succeed(None)

    def connectionLost(self) -> None:
        """See `IMessage`."""


@implementer(IRealm)
class Realm:
    """Everybody who has a password may send."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def requestAvatar(self, name: object, mind: object, *interfaces: Any) -> Any:
        """See `IRealm`."""
        return IMessageDelivery, Delivery(self._sessions), lambda: None


@implementer(ICredentialsChecker)
class SaltedPasswords:
    """All have the same."""

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Any:
        """See `ICredentialsChecker`."""
        password = credentials.password
        if salted(password.decode() if isinstance(password, bytes) else password) != _KEPT:
            raise UnauthorizedLogin
        return credentials.username


def _serve() -> None:
    config = Config()
    store = Store(config)
    with open(config.key, "rb") as key, open(config.certificate, "rb") as certificate:
        tls = PrivateCertificate.loadPEM(key.read() + certificate.read()).options()
    bare: Any = Factory()
    bare.protocol = POP3
    reactor.suggestThreadPoolSize(16)
    reactor.listenTCP(config.smtp, Sessions(store), backlog=1024, interface="127.0.0.1")
    reactor.listenTCP(config.submission, Sessions(store, tls), backlog=1024, interface="127.0.0.1")
    reactor.listenTCP(config.pop3, bare, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    _serve()
