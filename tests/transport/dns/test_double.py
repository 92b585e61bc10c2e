"""The double of the resolver says what the real one would say."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.dns import MX, DnsTrouble, Found, NoSuchDomain
from mailsuite.interfaces import IResolver
from tests.doubles_dns import FixedResolver

T = TypeVar("T")


def result(coming: Coroutine[Any, Any, T]) -> T:
    """Return what is there at once."""
    with pytest.raises(StopIteration) as stopped:
        coming.send(None)
    value: T = stopped.value.value
    return value


def site() -> FixedResolver:
    """Return one that knows something."""
    return FixedResolver(
        mx={"example.org": [MX(10, "mx.example.org")]},
        addresses={"mx.example.org": ["192.0.2.1"], "odd.example": Found(("192.0.2.2",), True, "other.example")},
        aliases={"www.example": "mx.example.org", "lost.example": "nowhere.example"},
        secure=["example.org", "gone.example", "www.example"],
        troubled=["broken.example", ("mx", "mx.example.org")],
    )


def test_interface() -> None:
    """It has all that is promised."""
    assert verifyObject(IResolver, FixedResolver())


def test_found() -> None:
    """Names in any form; records, none, or a whole answer; secure where all names on the way are."""
    resolver = site()

    assert result(resolver.mx("Example.ORG.")) == Found((MX(10, "mx.example.org"),), True, "example.org")
    assert result(resolver.addresses("example.org")) == Found((), True, "example.org")
    assert result(resolver.addresses("odd.example")) == Found(("192.0.2.2",), True, "other.example")
    assert result(resolver.addresses("www.example")) == Found(("192.0.2.1",), False, "mx.example.org")
    assert resolver.asked[0] == ("mx", "example.org")


@pytest.mark.parametrize(
    ("name", "secure"), [("gone.example", True), ("never.example", False), ("lost.example", False)]
)
def test_no_such_domain(name: str, secure: bool) -> None:
    """A name that stands nowhere."""
    with pytest.raises(NoSuchDomain) as raised:
        result(site().txt(name))

    assert raised.value.secure is secure


def test_trouble() -> None:
    """For a name, for one question about it, or for everything."""
    resolver = site()
    with pytest.raises(DnsTrouble):
        result(resolver.tlsa("broken.example"))
    with pytest.raises(DnsTrouble):
        result(resolver.mx("mx.example.org"))
    assert result(resolver.addresses("mx.example.org")).records
    resolver.trouble = DnsTrouble("the network is down")

    with pytest.raises(DnsTrouble, match="network"):
        result(resolver.ptr("192.0.2.1"))


def test_pending() -> None:
    """It may take its time."""
    resolver = site()
    resolver.pending = Deferred()
    coming = Deferred.fromCoroutine(resolver.mx("example.org"))
    assert not coming.called
    resolver.pending.callback(None)

    assert coming.called
