"""What a step of a SASL exchange gives: a challenge, a question to those who know the accounts, a claim, a refusal."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from mailsuite.meaning import Login


@dataclass(frozen=True, slots=True)
class Challenge:
    """Octets to be sent to the client, not yet in base64."""

    octets: bytes


# Claims: the exchange is over, and this is what the client says.


@dataclass(frozen=True, slots=True)
class PasswordClaim:
    """The client says that it is *name* and knows the password. *authorize* is empty or another identity."""

    name: str
    password: str = field(repr=False)
    authorize: str = ""


@dataclass(frozen=True, slots=True)
class CertificateClaim:
    """The client's certificate is that of *name*. *authorize* is empty or the identity that it wants to have."""

    name: str
    authorize: str = ""


@dataclass(frozen=True, slots=True)
class LoginClaim:
    """*login* was proved in the course of the exchange, by the answer to one of the questions below."""

    login: Login

    @property
    def name(self) -> str:
        """The login's name."""
        return self.login.name


# Questions: the exchange goes on with the answer.


@dataclass(frozen=True, slots=True)
class SecretWanted:
    """What is stored of the kind *kind* for *name*? Answer: a `Secret`, one that nothing fits where there is none."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Proof:
    """*name* has shown that it knows its secret, or (not *right*) has failed to. *owner* is whose secret it was.

    Answer: the login, ``None`` where it is refused. A wrong proof counts like a wrong password, and so does one of a
    secret that holds no more: *kind* and *stored* say which it was.
    """

    name: str
    owner: Login | None
    right: bool
    authorize: str = ""
    kind: str = field(default="", compare=False)
    stored: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class TokenShown:
    """The client shows a bearer token (RFC 6750); *name* is whom it says that the token is of, or empty.

    Answer: the login, ``None`` where it is refused. A wrong token counts like a wrong password.
    """

    token: str = field(repr=False)
    name: str = ""


class Refusal(Enum):
    """Why an exchange ended without a claim."""

    CANCELLED = "cancelled by the client"
    NOT_BASE64 = "not base64"
    MALFORMED = "not what the mechanism asks for"
    UNASKED = "an initial response where the server speaks first"
    DENIED = "not who it says it is"


Claim: TypeAlias = PasswordClaim | CertificateClaim | LoginClaim
Question: TypeAlias = SecretWanted | Proof | TokenShown
Step: TypeAlias = Challenge | Question | Claim | Refusal
