"""What endpoint strings say."""

import pytest

from mailsuite.config.endpoints import Place, place


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("tcp:25", Place("tcp", "", 25)),
        ("tcp:port=25:interface=127.0.0.1", Place("tcp", "127.0.0.1", 25)),
        ("tcp6:25", Place("tcp", "::", 25)),
        ("tcp6:25:interface=2001\\:db8\\:\\:1", Place("tcp", "2001:db8::1", 25)),
        ("unix:/run/mail.sock", Place("unix", path="/run/mail.sock")),
        ("systemd:domain=INET6:index=0", Place("other")),
    ],
)
def test_a_place_is_read_without_listening(description: str, expected: Place) -> None:
    """Kind, address, port and path."""
    assert place(description) == expected


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("tcp:port", "expected a number, got 'port'"),
        ("tcp:25:backlog=x", "expected a number, got 'x'"),
        ("tcp:25:interface=999.1.1.1", "interface=999.1.1.1 is no address"),
        ("tcp6:25:interface=2001\\:x", "interface=2001:x is no address"),
    ],
)
def test_what_is_no_place(description: str, told: str) -> None:
    """The words say what was expected."""
    with pytest.raises(ValueError, match=told):
        place(description)


def test_names_are_left_to_the_system() -> None:
    """What may be one is known when it is bound."""
    assert place("tcp:25:interface=localhost") == Place("tcp", "localhost", 25)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("tcp:25", "tcp:25", True),
        ("tcp:25", "tcp:26", False),
        ("tcp:25", "tcp:25:interface=127.0.0.1", True),
        ("tcp:25:interface=127.0.0.2", "tcp:25:interface=127.0.0.1", False),
        ("tcp6:25", "tcp:25:interface=127.0.0.1", True),
        ("tcp:25", "tcp6:25:interface=\\:\\:1", False),
        ("tcp:0", "tcp:0", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "tcp:25", False),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0", False),
    ],
)
def test_two_places_clash_when_one_socket_excludes_the_other(one: str, other: str, clash: bool) -> None:
    """The same port of the same address, or of all addresses; port 0 is a new one each time."""
    assert place(one).clashes(place(other)) is clash
    assert place(other).clashes(place(one)) is clash
