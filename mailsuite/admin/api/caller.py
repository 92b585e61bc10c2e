"""Who has sent a request: values that hang on it under their types, as Twisted lets others hang things on requests."""

from typing import TypeVar

from twisted.python.components import Componentized

from mailsuite.admin.tokens import Token
from mailsuite.envelope import Peer

T = TypeVar("T")


def peer_of(request: Componentized) -> Peer:
    """Return where *request* comes from; whoever took it has written that down."""
    return _worn(request, Peer)


def token_of(request: Componentized) -> Token:
    """Return the token that *request* was let in by; see `admit`."""
    return _worn(request, Token)


def admit(request: Componentized, token: Token) -> None:
    """Let *token* be the one that *request* is done for."""
    request.setComponent(Token, token)


def _worn(request: Componentized, kind: type[T]) -> T:
    found = request.getComponent(kind)
    assert isinstance(found, kind)
    return found
