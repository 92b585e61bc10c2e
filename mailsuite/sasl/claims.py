"""What a step of a SASL exchange gives: a challenge, a claim to be checked, or a refusal."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Challenge:
    """Octets to be sent to the client, not yet in base64."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class PasswordClaim:
    """The client says that it is *name* and knows the password. *authorize* is empty or another identity."""

    name: str
    password: str = field(repr=False)
    authorize: str = ""


class Refusal(Enum):
    """Why an exchange ended without a claim."""

    CANCELLED = "cancelled by the client"
    NOT_BASE64 = "not base64"
    MALFORMED = "not what the mechanism asks for"


Step: TypeAlias = Challenge | PasswordClaim | Refusal
