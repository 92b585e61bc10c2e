"""The doubles of the tests are what the interfaces describe, so that a test cannot pass on a fiction."""

import pytest
from zope.interface import Interface
from zope.interface.verify import verifyObject

from mailsuite import interfaces
from mailsuite.meaning import Login
from tests import doubles


@pytest.mark.parametrize(
    ("interface", "double"),
    [
        (interfaces.IMailboxDirectory, doubles.FixedDirectory()),
        (interfaces.IDraft, doubles.MemoryDraft()),
        (interfaces.IReceipt, doubles.MemoryReceipt([])),
        (interfaces.IMailStore, doubles.MemoryMail()),
        (interfaces.IIntake, doubles.FixedIntake()),
        (interfaces.IAuthenticator, doubles.OnePassword(Login(1, "a@a.example", None))),
        (interfaces.IGuessingLimit, doubles.CountedTries()),
        (interfaces.IRates, doubles.CountedMail()),
        (interfaces.IQuotas, doubles.FixedQuotas()),
        (interfaces.ICaps, doubles.OneCap(1)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type(Interface)) else value.__name__,
)
def test_double(interface: type[Interface], double: object) -> None:
    """Each has all methods and attributes, with their signatures."""
    assert verifyObject(interface, double)
