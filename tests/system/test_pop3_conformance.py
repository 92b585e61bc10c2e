"""One table of exchanges (`tests.system.pop3_exchanges`), held against a site as shipped, and against Dovecot."""

import os
import pwd
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.chat import octets
from tests.system.network import Host
from tests.system.pop3_exchanges import EXCHANGES, MESSAGES, PASSWORD, Exchange
from tests.system.ports import free_ports, listens
from tests.system.quarters import Quarters, refused
from tests.system.site import DOMAIN, HOSTNAME, Site, until
from tests.system.unpacked import PLACE, missing
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
# One of them for each exchange, so that none finds what another has left.
USERS = [f"u{number:02}" for number in range(len(EXCHANGES))]
_OWNER = "nobody"
_CONFIG = """\
protocols = pop3
log_path = /var/log/dovecot
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %n
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
mail_location = maildir:{mail}/%n
first_valid_uid = 1
pop3_lock_session = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid=nogroup home={mail}/%n
}}
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


class Server:
    """A POP3 server: where it listens, and the Maildirs that it serves."""

    def __init__(self, port: int, mail: Path, context: ssl.SSLContext) -> None:
        self.port = port
        self.mail = mail
        self.context = context

    def fill(self, user: str) -> None:
        """Put the messages into *user*'s mailbox, as another program would: no sizes in names, ends of UNIX."""
        for folder in ("tmp", "new", "cur"):
            (self.mail / user / folder).mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(MESSAGES.values(), 1):
            path = self.mail / user / "cur" / f"170000000{number}.M1P1.other.host:2,"
            path.write_bytes(message.replace(b"\r\n", b"\n"))
        for path in (self.mail / user, *(self.mail / user).rglob("*")):
            if os.geteuid() == 0:
                os.chown(path, self.mail.stat().st_uid, self.mail.stat().st_gid)


class Player:
    """Plays one script with *user*."""

    def __init__(self, server: Server, user: str) -> None:
        self._server = server
        name = f"{user}@{DOMAIN}"
        first, second, third = map(len, MESSAGES.values())
        self._facts: Mapping[str, object] = {
            "user": name,
            "password": PASSWORD,
            "plain": b64encode(f"\0{name}\0{PASSWORD}".encode()).decode(),
            "long": "x" * (255 - len("USER \r\n")),
            "longer": "x" * (256 - len("USER \r\n")),
            "s1": first, "s2": second, "s3": third, "all": first + second + third,
            "s13": first + third, "s23": second + third,
        }  # fmt: skip
        self._kept: dict[str, list[bytes]] = {}
        self._wire = self._greeted()

    def play(self, script: str) -> None:
        """Run *script*. Raises `AssertionError` where the server says something else, or nothing."""
        for row in filter(None, map(str.strip, script.splitlines())):
            try:
                self._turn(row)
            except (EOFError, TimeoutError, ConnectionError, ssl.SSLError) as error:
                raise AssertionError(f"{row}: {type(error).__name__}") from error
        self._wire.socket.close()

    def close(self) -> None:
        """Close what is open."""
        self._wire.socket.close()

    def _turn(self, row: str) -> None:
        kind, _, rest = row.partition(" ")
        if kind in ("C:", "C>"):
            self._wire.send(octets(f"{kind} {rest.format_map(self._facts)}"))
        elif kind == "S:":
            self._expect(rest.format_map(self._facts) if "{" in rest else rest, self._wire.line())
        elif kind == "M:":
            name, _, lines = rest.partition(" ")
            assert self._content() == _beginning(MESSAGES[name], lines), row
        elif kind == "ROWS":
            self._compare(rest.split(), self._rows())
        elif kind == "KEEP":
            self._kept[rest] = self._rows()
        elif kind == "SAME":
            assert self._rows() == self._kept[rest], row
        elif kind == "LOGIN":
            self._log_in(self._wire, "+OK*")
        elif kind == "TLS":
            self._wire.start_tls(self._server.context)
        elif kind == "AGAIN":
            self._wire.socket.close()
            self._wire = self._greeted()
        elif kind == "SECOND":
            other = self._greeted()
            self._log_in(other, rest)
            other.socket.close()
        else:
            assert row == "CLOSED", row
            assert self._wire.ends() == b"", row

    def _greeted(self) -> Wire:
        wire = Wire(self._server.port)
        self._expect("+OK*", wire.line())
        return wire

    def _log_in(self, wire: Wire, answer: str) -> None:
        wire.send(f"USER {self._facts['user']}\r\n".encode())
        self._expect("+OK*", wire.line())
        wire.send(f"PASS {PASSWORD}\r\n".encode())
        self._expect(answer, wire.line())

    def _expect(self, pattern: str, line: bytes) -> None:
        said = line.decode("utf-8", "backslashreplace")
        assert fnmatchcase(said, pattern), f"expected {pattern!r}, got {said!r}"

    def _rows(self) -> list[bytes]:
        rows = []
        while (row := self._wire.line()) != b".":
            rows.append(row)
        return rows

    def _content(self) -> bytes:
        return b"".join(row.removeprefix(b".") + b"\r\n" for row in self._rows())

    def _compare(self, wanted: Sequence[str], rows: Sequence[bytes]) -> None:
        said = [row.decode() for row in rows]
        for each in wanted:
            found = any(fnmatchcase(row, each[1:].replace("_", " ")) for row in said)
            assert found is (each[0] == "+"), f"{each} in {said}"


def _beginning(message: bytes, lines: str) -> bytes:
    if not lines:
        return message
    header, blank, body = message.partition(b"\r\n\r\n")
    return header + blank + b"".join(body.splitlines(keepends=True)[: int(lines)])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Our site: whoever likes may log in without TLS, so that both servers are asked in the same way."""
    with Site(listeners={"pop3": {"service": "pop3", "tls": "starttls", "auth": "always"}}) as site:
        site.cli("user", "import", "-", given="".join(f"{user}@{DOMAIN}:{PASSWORD}\n" for user in USERS))
        yield site


@pytest.fixture(scope="module")
def ours(site: Site) -> Server:
    """Our server."""
    return Server(site.ports["pop3"], site.folder / "mail" / DOMAIN, site.tls())


@pytest.fixture(scope="module")
def dovecot(site: Site) -> Iterator[Server]:
    """Dovecot, with the same users and the same certificate."""
    # Its users are not root, and pytest shuts others out of its folders.
    folder = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
    folder.chmod(0o755)
    try:
        with _serving(site, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _serving(site: Site, folder: Path) -> Iterator[Server]:
    own = folder / "own"
    (own / "mail").mkdir(parents=True)
    os.chown(own / "mail", *_ids(_OWNER))
    for name in ("cert.pem", "key.pem"):
        (own / name).write_bytes((site.folder / name).read_bytes())
    (own / "users").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in USERS))
    (port,) = free_ports(1)
    quarters = Quarters(
        folder / "quarters", PLACE / "dovecot", Host("127.0.0.1", 25, 53, {}), HOSTNAME, ("dovecot", "dovenull"), ()
    )
    quarters.write("etc/dovecot/dovecot.conf", _CONFIG.format(owner=_OWNER, folder=own, mail=own / "mail", port=port))
    quarters.make("var/lib/dovecot")
    with _running(quarters, port):
        yield Server(port, own / "mail", site.tls())


def _ids(user: str) -> tuple[int, int]:
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


@contextmanager
def _running(quarters: Quarters, port: int) -> Iterator[None]:
    with (quarters.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            quarters.command("/usr/sbin/dovecot", "-F"), stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(lambda: listens(port), 20, "Dovecot to listen")
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _named(index: int) -> str:
    return f"{EXCHANGES[index].section}: {EXCHANGES[index].what}".replace(" ", "_")


def _play(server: Server, index: int) -> None:
    server.fill(USERS[index])
    player = Player(server, USERS[index])
    try:
        player.play(EXCHANGES[index].script)
    finally:
        player.close()


@pytest.mark.parametrize("index", range(len(EXCHANGES)), ids=_named)
def test_ours(ours: Server, index: int) -> None:
    """Our server says what the RFCs say, all of it."""
    _play(ours, index)


@pytest.mark.skipif(bool(missing("dovecot") or refused()), reason=missing("dovecot") or refused())
@pytest.mark.parametrize("index", range(len(EXCHANGES)), ids=_named)
def test_dovecot(dovecot: Server, index: int) -> None:
    """Dovecot says the same, but where the table has a reason; there it does not."""
    if not EXCHANGES[index].dovecot:
        _play(dovecot, index)
        return
    with pytest.raises(AssertionError):
        _play(dovecot, index)


def test_differences_are_told() -> None:
    """docs/pop3.rst has each of them, with its reason, and no other."""
    text = (ROOT / "docs" / "pop3.rst").read_text()
    rows = [
        tuple(" ".join(cell.split()) for cell in row)
        for row in re.findall(r"^   \* - (RFC.*?)\n     - (.*?)\n     - (.*?)\n(?=   \* -|\n|\Z)", text, re.M | re.S)
    ]

    assert rows == [(each.section, each.what, each.dovecot) for each in EXCHANGES if each.dovecot]


def test_every_exchange_has_its_own_name() -> None:
    """And a section of an RFC that docs/rfcs.rst knows."""
    known = re.findall(r"^   \* - (\d+)$", (ROOT / "docs" / "rfcs.rst").read_text(), re.M)

    assert len({(each.section, each.what) for each in EXCHANGES}) == len(EXCHANGES)
    assert all(isinstance(each, Exchange) and each.section.split()[1] in known for each in EXCHANGES)
