"""Other mail servers hand mail over to ours by LMTP (RFC 2033), over TCP and UNIX sockets; so does our own."""

import shutil
import smtplib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.messages import message, parted, same, samples
from tests.system.network import Host
from tests.system.peers.handing_over import HandingExim, HandingOpenSMTPD
from tests.system.peers.peer import Peer
from tests.system.ports import free_ports
from tests.system.postfix import Postfix
from tests.system.programs import needs, root_only, run
from tests.system.quarters import refused
from tests.system.site import DOMAIN, Options, Site, until
from tests.system.story import logged, waiting
from tests.system.unpacked import missing
from tests.transport.authority import Authority

pytestmark = pytest.mark.system

ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
CAROL = "carol@elsewhere.example"
LISTENERS = {"lmtp": {"service": "lmtp"}, "mta": {"service": "mta"}}
JSON: Options = {"log": {"format": "json"}}


class Store(Site):
    """A site that is delivered to: by TCP and by a UNIX socket at `socket`."""

    def __init__(self, folder: Path, *users: str, domain: str = DOMAIN, owner: str | None = None) -> None:
        folder.chmod(0o755)
        self.socket = folder / "lmtp"
        local = {"service": "lmtp", "endpoint": f"unix:{self.socket}:mode=666"}
        super().__init__(JSON, users, owner, {**LISTENERS, "local": local}, domain=domain)

    @property
    def lmtp_port(self) -> int:
        """Where it listens by TCP."""
        return self.ports["lmtp"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may enter; the paths of sockets must be short."""
    path = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=["tcp", "unix"])
def way(request: pytest.FixtureRequest) -> str:
    """Both ways."""
    return str(request.param)


def session(site: Store, way: str) -> smtplib.LMTP:
    """Return a session of the standard library's client."""
    if way == "unix":
        return smtplib.LMTP(str(site.socket))
    return smtplib.LMTP("127.0.0.1", site.lmtp_port)


def hand_over(client: smtplib.LMTP, sent: bytes, *recipients: str) -> list[int]:
    """Send a message whose recipients are all accepted; return the codes of the replies at its end."""
    client.ehlo_or_helo_if_needed()
    assert client.mail(CAROL)[0] == 250
    assert [client.rcpt(to)[0] for to in recipients] == [250] * len(recipients)
    assert client.docmd("DATA")[0] == 354
    client.send(sent.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    return [client.getreply()[0] for _ in recipients]


def block(site: Site, user: str) -> None:
    """Let nothing be written into *user*'s mailbox."""
    box = site.maildir(user)
    box.parent.mkdir(parents=True, exist_ok=True)
    if box.exists():
        box.rename(box.with_name(f"{box.name}.away"))
    box.write_text("no folder")


def unblock(site: Site, user: str) -> None:
    """Let mail be written again."""
    site.maildir(user).unlink()


def test_what_is_said(folder: Path, way: str) -> None:
    """RFC 2033 §4.1, §4.2: LHLO alone greets, a reply for each recipient, and the message as it came."""
    sent = message(CAROL, b"Gr\xc3\xbc\xc3\x9fe\r\n.\r\n")
    with Store(folder, "alice", "bob") as site, session(site, way) as client:
        assert client.docmd("EHLO client.example")[0] == 500
        assert client.docmd("MAIL", f"FROM:<{CAROL}>")[0] == 503
        assert client.docmd("LHLO client.example")[0] == 250
        assert client.docmd("MAIL", f"FROM:<{CAROL}>")[0] == 250
        assert client.docmd("DATA")[0] == 503
        assert client.rcpt(CAROL)[0] == 550
        assert client.docmd("RSET")[0] == 250
        assert hand_over(client, sent, ALICE, BOB, ALICE) == [250] * 3
        assert client.quit()[0] == 221
        for user in ("alice", "bob"):
            ((trace,), content) = parted(*site.on_disk(user))
            assert content == sent
            assert " with LMTP id " in trace
        (*_, record) = logged(site, "smtp", service="lmtp")
        assert record["to"] == [ALICE, BOB, ALICE]
        assert record["peer"] == ("unix" if way == "unix" else "127.0.0.1")


def test_one_mailbox_of_two(folder: Path, way: str) -> None:
    """Only the recipient whose mailbox cannot take mail is told to come again, and nothing of it waits here."""
    with Store(folder, "alice", "bob") as site:
        block(site, "bob")
        with session(site, way) as client:
            assert hand_over(client, message(CAROL, b"x\r\n"), BOB, ALICE, BOB) == [451, 250, 451]
        assert len(site.on_disk("alice")) == 1
        assert waiting(site) == []


@needs("swaks")
def test_swaks(folder: Path, way: str) -> None:
    """A tool of operators."""
    with Store(folder, "alice", "bob") as site:
        server = ["--socket", site.socket] if way == "unix" else ["--server", f"127.0.0.1:{site.lmtp_port}"]
        run(["swaks", "--protocol", "LMTP", *server, "--from", CAROL, "--to", f"{ALICE},{BOB}"])
        assert [len(site.on_disk(user)) for user in ("alice", "bob")] == [1, 1]


def test_a_socket_that_was_left_behind(folder: Path) -> None:
    """A server that was killed has not removed it; the next one starts all the same, and removes it when it stops."""
    with Store(folder, "alice") as site:
        site.kill()
        assert site.socket.is_socket()
        site.start()
        with session(site, "unix") as client:
            assert hand_over(client, message(CAROL, b"x\r\n"), ALICE) == [250]
        site.stop()
        assert not site.socket.exists()
        site.start()


@root_only
def test_a_socket_in_a_folder_of_roots(folder: Path) -> None:
    """It is made before root is dropped, and cannot be removed after that: the next start does it."""
    with Store(folder, "alice", owner="nobody") as site:
        for _ in range(2):
            assert site.socket.stat().st_uid == 0
            with session(site, "unix") as client:
                assert hand_over(client, message(CAROL, b"x\r\n"), ALICE) == [250]
            site.restart()
        assert len(site.on_disk("alice")) == 2
        assert "[listen.local] " in site.log


def test_who_may_connect(folder: Path) -> None:
    """Nobody but this machine, unless it is listed; others are cut off."""
    with Store(folder) as site:
        with socket.create_connection(("127.0.0.1", site.lmtp_port), 10, ("127.0.0.7", 0)) as client:
            assert client.recv(100).startswith(b"220 ")
        site.stop()
        site.options["listen.lmtp"] = {"peers": ["127.0.0.8"]}
        site.write_config()
        site.start()
        with socket.create_connection(("127.0.0.1", site.lmtp_port), 10, ("127.0.0.7", 0)) as client:
            assert client.recv(100) == b""
        with socket.create_connection(("127.0.0.1", site.lmtp_port), 10, ("127.0.0.8", 0)) as client:
            assert client.recv(100).startswith(b"220 ")
        assert "[listen.lmtp] 127.0.0.7 is not among those that may connect" in site.log


def test_our_own_client(folder: Path, way: str) -> None:
    """A site of ours hands over to another one; the mailbox that could not take it gets it by a later try, once."""
    with Store(folder, "alice", "bob") as site:
        host = f"unix:{site.socket}" if way == "unix" else "127.0.0.1"
        port = 0 if way == "unix" else site.lmtp_port
        route = {"recipients": [DOMAIN], "host": host, "protocol": "lmtp", "port": port}
        options: Options = {**JSON, "routes.store": route, "queue": {"retry_first": 0.3, "retry_factor": 1.0}}
        listeners = {"mta": {"service": "mta"}}
        front = Site(options, listeners=listeners, hostname="front.example.net", domain="front.example")
        front.make()
        front.cli("domain", "add", DOMAIN, "--class", "relay")
        block(site, "bob")
        with front, smtplib.SMTP("127.0.0.1", front.ports["mta"]) as client:
            assert client.sendmail(CAROL, [ALICE, BOB], message(CAROL, b"x\r\n")) == {}
            until(lambda: logged(site, "smtp", service="lmtp"), what="the first try")
            unblock(site, "bob")
            until(lambda: site.on_disk("bob"), 20, "the second try")
            until(lambda: not waiting(front), what="the queue to be empty")
        assert len(site.on_disk("alice")) == len(site.on_disk("bob")) == 1


@root_only
@needs("postfix")
def test_postfix(folder: Path, way: str) -> None:
    """virtual_transport: all kinds of messages, and a mailbox that cannot take mail is the only one tried again."""
    with Store(folder, "alice", "bob") as site:
        place = f"unix:{site.socket}" if way == "unix" else f"inet:127.0.0.1:{site.lmtp_port}"
        host = _loopback()
        settings = {"virtual_transport": f"lmtp:{place}", "minimal_backoff_time": "1s", "queue_run_delay": "1s"}
        settings["virtual_transport_destination_recipient_limit"] = "50"
        server = Postfix(host, "mx.example.test", DOMAIN, ["alice", "bob"], settings)
        try:
            server.start()
            sent = samples(CAROL)
            with smtplib.SMTP(host.address, host.smtp_port, timeout=30) as client:
                for each in sent:
                    assert client.sendmail(CAROL, [ALICE], each, ["BODY=8BITMIME"]) == {}
                until(lambda: len(site.on_disk("alice")) == len(sent), 60, "the samples")
                same([parted(each)[1] for each in site.on_disk("alice")], sent)
                block(site, "bob")
                assert client.sendmail(CAROL, [ALICE, BOB], message(CAROL, b"x\r\n", "both")) == {}
            until(lambda: _answers(site, BOB) == ["451"], 60, "the first try")
            unblock(site, "bob")
            until(lambda: site.on_disk("bob"), 60, "the second try")
            assert len(site.on_disk("alice")) == len(sent) + 1
            assert "status=deferred (host" in server.log
            assert waiting(site) == []
        finally:
            server.close()


def _loopback() -> Host:
    smtp_port, dns_port = free_ports(2)
    return Host("127.0.0.1", smtp_port, dns_port, {})


def _answers(site: Site, user: str) -> list[str]:
    """Return the codes of what was answered for *user*, in transactions with others, the first ones once each."""
    answers: list[str] = []
    for record in logged(site, "smtp", service="lmtp"):
        replies: Any = record["reply"]
        if user in record["to"]:
            each = replies if isinstance(replies, list) else [replies] * len(record["to"])
            answers.append(each[record["to"].index(user)][:3])
    return list(dict.fromkeys(answers))


_REFUSED = refused()


@pytest.mark.skipif(bool(_REFUSED), reason=f"no mail server can have mounts of its own: {_REFUSED}")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.skipif(bool(missing(kind.name)), reason=missing(kind.name)), id=kind.name)
        for kind in (HandingExim, HandingOpenSMTPD)
    ],
)
def test_servers_of_other_makes(folder: Path, kind: type[Peer]) -> None:
    """Exim and OpenSMTPD hand over what they take."""
    domain = f"{kind.name}.example"
    with Store(folder, "alice", "bob", domain=domain) as site:
        host = _loopback()
        quarters = folder / kind.name
        pair = Authority().issue(f"mx.{domain}")
        with kind(quarters, host, pair, ("127.0.0.1", site.lmtp_port)):
            sent = message(CAROL, b"Hello\r\n.\r\n..two\r\n", "from afar")
            until(lambda: _takes(host), 30, "the server to listen")
            with smtplib.SMTP(host.address, host.smtp_port, timeout=30) as client:
                assert client.sendmail(CAROL, [f"alice@{domain}", f"bob@{domain}"], sent) == {}
            until(lambda: site.on_disk("alice") and site.on_disk("bob"), 60, "the mail")
        for user in ("alice", "bob"):
            (whole,) = site.on_disk(user)
            assert whole.endswith(sent)


def _takes(host: Host) -> bool:
    try:
        with socket.create_connection((host.address, host.smtp_port), 5) as client:
            return client.recv(100).startswith(b"220")
    except OSError:
        return False
