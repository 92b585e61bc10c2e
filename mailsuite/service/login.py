"""A password claim to a login, or to the reason why not: the same for SMTP (RFC 4954) and POP3 (RFC 1939, 5034)."""

from collections.abc import Awaitable
from enum import Enum

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import IAuthenticator, IGuessingLimit
from mailsuite.maybe import Maybe
from mailsuite.meaning import Login
from mailsuite.sasl.claims import PasswordClaim


class Refused(Enum):
    """Why a claim was not accepted; the value is for the log."""

    WRONG = "wrong name or password"
    TOO_MANY = "too many wrong passwords from this address"


class Logins:
    """Checks claims, slowly for those who guess."""

    def __init__(self, authenticator: IAuthenticator, guessing: IGuessingLimit) -> None:
        self._authenticator = authenticator
        self._guessing = guessing

    async def check(self, claim: PasswordClaim, peer: Peer, scope: str) -> Login | Refused:
        """Return the login that *claim* proves, good for *scope* (``smtp`` or ``pop3``).

        `Refused.TOO_MANY` asks for the connection to be closed. Raises what the authenticator raises: then nothing
        is known about the password, and nothing is counted.
        """
        admitted = self._guessing.admit(peer)
        if not (await admitted if isinstance(admitted, Awaitable) else admitted):
            return Refused.TOO_MANY
        login = await self._login(claim, scope)
        if login is None:
            self._guessing.failed(peer)
            return Refused.WRONG
        self._guessing.succeeded(peer)
        return login

    def vouched(self, name: str, scope: str) -> Maybe[Login | None]:
        """Return the login *name*, for which another vouches; ``None`` where there is none that may log in."""
        return self._authenticator.account(name, scope)

    async def _login(self, claim: PasswordClaim, scope: str) -> Login | None:
        # RFC 4616 §2: nobody may act for another here.
        if claim.authorize and _key(claim.authorize) != _key(claim.name):
            return None
        found = self._authenticator.authenticate(claim.name, claim.password, scope)
        return await found if isinstance(found, Awaitable) else found


def _key(name: str) -> tuple[str, str]:
    local, _, domain = name.rpartition("@")
    return Address(local, domain).key
