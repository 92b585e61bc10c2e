"""What the composition of the way out decides by itself."""

import socket

import pytest

from mailsuite.outgoing import is_address_of_ours


@pytest.mark.parametrize("address", ["127.0.0.1", "127.5.6.7", "::1", "0.0.0.0", "::"])
def test_loopback(address: str) -> None:
    """Whoever sends there sends to us."""
    assert is_address_of_ours(address)


def test_an_address_of_an_interface() -> None:
    """That from which this machine sends is ours, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 25))
        except OSError:
            pytest.skip("no network here")
        assert is_address_of_ours(probe.getsockname()[0])


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "127.0.0.256", "", "[127.0.0.1]"])
def test_an_address_of_others(address: str) -> None:
    """Whatever else somebody has written into DNS is not."""
    assert not is_address_of_ours(address)


def test_a_name_is_not_looked_up() -> None:
    """Every exchanger's name is asked about, and whoever has many must not stop the reactor."""
    assert not is_address_of_ours("localhost")
