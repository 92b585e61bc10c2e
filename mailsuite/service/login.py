"""A claim to a login, or to the reason why not: the same for SMTP (RFC 4954) and POP3 (RFC 1939, 5034)."""

from collections.abc import Awaitable
from enum import Enum

from mailsuite.address import Address, unquoted
from mailsuite.envelope import Peer
from mailsuite.interfaces import IAuthenticator, IGuessingLimit, ITokens
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login, Secret
from mailsuite.sasl.claims import CertificateClaim, Claim, LoginClaim, PasswordClaim, Proof, SecretWanted, TokenShown

# Why there is no login where nothing was wrong, for the log.
GIVEN_UP = "ended by the client behind a right proof"


class Refused(Enum):
    """Why a claim was not accepted; the value is for the log."""

    WRONG = "wrong name or password"
    TOO_MANY = "too many wrong passwords"
    BARRED = "banned by the operator"
    MUST_CHANGE = "the password has to be changed"


class Logins:
    """Checks claims, slowly for those who guess. *tokens*: what judges bearer tokens, where they are taken."""

    def __init__(self, authenticator: IAuthenticator, guessing: IGuessingLimit, tokens: ITokens | None = None) -> None:
        self._authenticator = authenticator
        self._guessing = guessing
        self._tokens = tokens

    async def check(self, claim: Claim, peer: Peer, scope: str) -> Login | Refused:
        """Return the login that *claim* proves, good for *scope* (``smtp`` or ``pop3``).

        `Refused.TOO_MANY` and `Refused.BARRED` ask for the connection to be closed. Raises what the authenticator
        raises: then nothing is known about the password, and nothing is counted.
        """
        if isinstance(claim, LoginClaim):
            # It was counted when it was proved; but in the time that the client took for its last word the account
            # may have been suspended or removed.
            found = self._authenticator.account(claim.name, scope)
            still = await found if isinstance(found, Awaitable) else found
            return claim.login if still is not None and still.id == claim.login.id else Refused.WRONG
        return await self._try(claim, peer, scope)

    async def secret(self, wanted: SecretWanted, scope: str) -> Secret:
        """Return what is stored for a mechanism. That is no try yet: nobody learns from it whom there is."""
        found = self._authenticator.secret(wanted.name, wanted.kind, scope)
        return await found if isinstance(found, Awaitable) else found

    async def judge(self, shown: Proof | TokenShown, peer: Peer, scope: str) -> Login | Refused:
        """Return the login that is proved in the course of an exchange; see `check`."""
        return await self._try(shown, peer, scope)

    async def _try(
        self, said: PasswordClaim | CertificateClaim | Proof | TokenShown, peer: Peer, scope: str
    ) -> Login | Refused:
        # What is no address is nobody's login: it is counted by where it comes from alone.
        account = str(Address(*_key(said.name))) if "@" in said.name else ""
        admitted = self._guessing.admit(peer, account)
        if not (await admitted if isinstance(admitted, Awaitable) else admitted):
            return Refused.BARRED if self._guessing.is_barred(peer, account) else Refused.TOO_MANY
        found = self._login(said, scope)
        login = await found if isinstance(found, Awaitable) else found
        if login is None:
            self._guessing.failed(peer, account)
            return Refused.WRONG
        # A token or a certificate is as good as it was, whatever the password is.
        if login.must_change and isinstance(said, PasswordClaim | Proof):
            self._guessing.succeeded(peer, account, "")
            return Refused.MUST_CHANGE
        self._guessing.succeeded(peer, account, login.name)
        return login

    def vouched(self, name: str, scope: str) -> Maybe[Login | None]:
        """Return the login *name*, for which another vouches; ``None`` where there is none that may log in."""
        return self._authenticator.account(name, scope)

    def _login(
        self, said: PasswordClaim | CertificateClaim | Proof | TokenShown, scope: str
    ) -> Maybe[Login | None]:
        if isinstance(said, TokenShown):
            return None if self._tokens is None else self._of_token(self._tokens, said, scope)
        # RFC 4422 §3.4.1, RFC 4616 §2: nobody may act for another here.
        if said.authorize and _key(said.authorize) != _key(said.name):
            return None
        if isinstance(said, Proof):
            return self._proved(said, scope)
        if isinstance(said, CertificateClaim):
            return self._authenticator.account(said.name, scope)
        return self._authenticator.authenticate(said.name, said.password, scope)

    def _proved(self, proof: Proof, scope: str) -> Maybe[Login | None]:
        owner = proof.owner
        if not proof.right or owner is None:
            return None
        # In the time that the client took for it the password may have been changed, for this client's sake perhaps.
        found: Maybe[Secret] = self._authenticator.secret(proof.name, proof.kind, scope)
        return then(found, lambda secret: owner if secret == Secret(owner, proof.stored) else None)

    async def _of_token(self, tokens: ITokens, shown: TokenShown, scope: str) -> Login | None:
        name = await tokens.owner(shown.token)
        # RFC 7628 §3.1: whom the client names is only compared; whose the token is, its issuer says.
        if name is None or (shown.name and _key(shown.name) != _key(name)):
            return None
        found = self._authenticator.account(name, scope)
        return await found if isinstance(found, Awaitable) else found


def _key(name: str) -> tuple[str, str]:
    # As the directory reads it: what logs in as the same login has to count as it, too, however it is spelled.
    local, _, domain = name.rpartition("@")
    return Address(unquoted(local), domain).key
