"""Every class that says it implements an interface does so: methods, arguments and all."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from zope.interface import Interface, implementedBy
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyClass

import mailsuite
from mailsuite import interfaces


def classes() -> Iterator[type[Any]]:
    """Yield every class that is defined in mailsuite."""
    for module_info in pkgutil.walk_packages(mailsuite.__path__, "mailsuite."):
        module = importlib.import_module(module_info.name)
        for _, value in inspect.getmembers(module, inspect.isclass):
            if value.__module__ == module_info.name and not isinstance(value, InterfaceClass):
                yield value


CLAIMS = [(each, claim) for each in classes() for claim in implementedBy(each).declared]
OURS = [value for value in vars(interfaces).values() if isinstance(value, InterfaceClass) and value is not Interface]


@pytest.mark.parametrize(
    ("each", "claim"), CLAIMS, ids=[f"{each.__name__}-{claim.__name__}" for each, claim in CLAIMS]
)
def test_claims_are_true(each: type[Any], claim: type[Interface]) -> None:
    """The class has what the interface asks for."""
    assert verifyClass(claim, each)


@pytest.mark.parametrize("interface", OURS, ids=lambda interface: interface.__name__)
def test_every_interface_is_implemented(interface: type[Interface]) -> None:
    """No interface is a mere plan."""
    assert any(claim is interface for _, claim in CLAIMS)


@pytest.mark.parametrize("interface", OURS, ids=lambda interface: interface.__name__)
def test_interfaces_are_documented_and_small(interface: Any) -> None:
    """Each has a sentence, and so has each of its methods; few methods."""
    assert interface.__doc__
    for name, method in interface.namesAndDescriptions():
        assert method.__doc__, f"{interface.__name__}.{name}"
    assert len(interface.names()) <= 7
