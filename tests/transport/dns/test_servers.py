"""Which servers are asked, and who is trusted."""

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from mailsuite.transport.dns.servers import (
    FILE_OCTETS,
    LOCAL,
    LOOK_SECONDS,
    SERVERS,
    Server,
    SystemServers,
    TrustAD,
    listed,
)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ["192.0.2.1", "2001:db8::1"]),
        ("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nsearch example.org\noptions edns0\n", []),
        ("nameserver\t192.0.2.1   # mine\r\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
        (" nameserver 192.0.2.1\nnameserver\nnameserver ns.example\nnameservers 192.0.2.2\n", []),
        ("nameserver fe80::1%eth0", ["fe80::1%eth0"]),
        ("", []),
    ],
)
def test_resolv_conf(text: str, addresses: list[str]) -> None:
    """As resolv.conf(5) has it."""
    assert listed(text) == tuple(Server(address) for address in addresses)


@pytest.mark.parametrize("more", [0, 1])
def test_at_most_so_many(more: int) -> None:
    """The first eight."""
    text = "".join(f"nameserver 192.0.2.{number}\n" for number in range(SERVERS + more))

    assert [each.address for each in listed(text)] == [f"192.0.2.{number}" for number in range(SERVERS)]


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        (Server("192.0.2.1"), "192.0.2.1"),
        (Server("192.0.2.1", 5353), "192.0.2.1:5353"),
        (Server("2001:db8::1"), "2001:db8::1"),
        (Server("2001:db8::1", 5353), "[2001:db8::1]:5353"),
    ],
)
def test_shown(server: Server, shown: str) -> None:
    """As it stands in the configuration."""
    assert str(server) == shown


@pytest.mark.parametrize(
    ("address", "rule", "trusted"),
    [
        ("127.0.0.1", "loopback", True),
        ("127.0.0.53", "loopback", True),
        ("::1", "loopback", True),
        ("192.0.2.1", "loopback", False),
        ("fe80::1%lo", "loopback", False),
        ("192.0.2.1", "always", True),
        ("127.0.0.1", "never", False),
    ],
)
def test_trust(address: str, rule: TrustAD, trusted: bool) -> None:
    """Nobody else can write to loopback; beyond, the site has to say so."""
    assert Server(address).trusted(rule) is trusted


class TestSystem:
    """The system's file."""

    def site(self, tmp_path: Path, text: str | None) -> tuple[Clock, Path, SystemServers]:
        """Return the servers that *text* names."""
        path = tmp_path / "resolv.conf"
        if text is not None:
            path.write_text(text)
        clock = Clock()
        return clock, path, SystemServers(clock.seconds, str(path))

    def replace(self, path: Path, text: str) -> None:
        """Put another file in its place, as programs do."""
        new = path.with_name("new")
        new.write_text(text)
        os.replace(new, path)

    def test_read(self, tmp_path: Path) -> None:
        """What it says holds."""
        _, _, servers = self.site(tmp_path, "nameserver 192.0.2.1\n")

        assert servers() == (Server("192.0.2.1"),)

    def test_changed(self, tmp_path: Path) -> None:
        """A change is seen within two seconds."""
        clock, path, servers = self.site(tmp_path, "nameserver 192.0.2.1\n")
        servers()
        self.replace(path, "nameserver 192.0.2.2\n")
        clock.advance(LOOK_SECONDS - 0.1)
        assert servers() == (Server("192.0.2.1"),)
        clock.advance(0.1)

        assert servers() == (Server("192.0.2.2"),)

    def test_not_read_twice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that has not changed is not opened again."""
        clock, _, servers = self.site(tmp_path, "nameserver 192.0.2.1\n")
        servers()
        monkeypatch.setattr("builtins.open", None)
        clock.advance(LOOK_SECONDS)

        assert servers() == (Server("192.0.2.1"),)

    @pytest.mark.parametrize("text", ["", "search example.org\n", "nameserver nonsense\n"])
    def test_empty(self, tmp_path: Path, text: str) -> None:
        """Without any, it is the machine's own."""
        _, _, servers = self.site(tmp_path, text)

        assert servers() == LOCAL

    def test_missing(self, tmp_path: Path) -> None:
        """Without the file too; that is said once, and it is read when it comes."""
        clock, path, servers = self.site(tmp_path, None)
        with capturedLogs() as logged:
            for _ in range(3):
                assert servers() == LOCAL
                clock.advance(LOOK_SECONDS)
        assert [event["path"] for event in logged] == [str(path)]
        path.write_text("nameserver 192.0.2.1\n")

        assert servers() == (Server("192.0.2.1"),)

    def test_gone(self, tmp_path: Path) -> None:
        """While it is being replaced, what was known stays."""
        clock, path, servers = self.site(tmp_path, "nameserver 192.0.2.1\n")
        servers()
        path.unlink()
        clock.advance(LOOK_SECONDS)
        assert servers() == (Server("192.0.2.1"),)
        path.write_text("nameserver 192.0.2.2\n")
        clock.advance(LOOK_SECONDS)

        assert servers() == (Server("192.0.2.2"),)

    def test_huge(self, tmp_path: Path) -> None:
        """Only its beginning is read."""
        first = "nameserver 192.0.2.1\n"
        filling = "#" * (FILE_OCTETS - len(first) - 1) + "\n"
        _, _, servers = self.site(tmp_path, first + filling + "nameserver 192.0.2.2\n")

        assert servers() == (Server("192.0.2.1"),)

    def test_not_utf8(self, tmp_path: Path) -> None:
        """Octets that are no text do no harm."""
        clock, path, servers = self.site(tmp_path, None)
        path.write_bytes(b"# \xff\nnameserver 192.0.2.1\n")

        assert servers() == (Server("192.0.2.1"),)
        assert clock.seconds() == 0
