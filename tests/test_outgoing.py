"""What the composition of the way out decides by itself."""

import pytest

from mailsuite.outgoing import is_address_of_ours


@pytest.mark.parametrize("address", ["127.0.0.1", "127.5.6.7"])
def test_an_address_of_this_machine(address: str) -> None:
    """What can be bound is ours."""
    assert is_address_of_ours(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "127.0.0.256", "", "[127.0.0.1]"])
def test_an_address_of_others(address: str) -> None:
    """Whatever else somebody has written into DNS is not."""
    assert not is_address_of_ours(address)


def test_a_name_is_not_looked_up() -> None:
    """Every exchanger's name is asked about, and whoever has many must not stop the reactor."""
    assert not is_address_of_ours("localhost")
