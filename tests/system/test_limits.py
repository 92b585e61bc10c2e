"""Every limit on what peers may do, reached over real sockets: what the peer is told, and what the log says."""

import contextlib
import gc
import os
import re
import resource
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.fetchers import pop3_session
from tests.system.messages import message
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, LISTENERS, Options, Site, secret, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"
# Loopback is held to them like everybody.
SMALL: Options = {
    "limits": {
        "exempt": [], "connections": 20, "address_connections": 3, "network_connections": 5, "connection_rate": 12,
        "message_rate": 3, "recipient_rate": 5, "login_messages": 3, "login_recipients": 5,
        "session_messages": 4, "unknown_recipients": 2, "errors": 4,
    }
}  # fmt: skip
ALL = {**LISTENERS, "lmtp": {"service": "lmtp", "tls": "none"}}
CLEAR = ["mta", "submission", "lmtp", "pop3"]
IMPLICIT = ["submissions", "pop3s"]
TOO_MANY = {"pop3": b"-ERR [SYS/TEMP] ", "": b"421 Too many "}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve one site with small limits to all tests; each comes from addresses of its own."""
    with Site(options=SMALL, users=["alice", "bob"], listeners=ALL) as site:
        yield site


def words(listener: str) -> bytes:
    """Return how *listener* begins to refuse a connection."""
    return TOO_MANY.get(listener, TOO_MANY[""])


def greeted(site: Site, listener: str, source: str) -> Wire:
    """Return a new connection that was let in."""
    wire = Wire(site.ports[listener], 15, source)
    if listener in IMPLICIT:
        wire.start_tls(site.tls())
    line = wire.line()
    assert line.startswith((b"220 ", b"+OK ")), line
    return wire


def refused(site: Site, listener: str, source: str) -> bool:
    """Say whether a new connection is told that it is one too many, and closed at once."""
    with Wire(site.ports[listener], 15, source) as wire:
        if listener in IMPLICIT:
            try:
                wire.start_tls(site.tls())
            except (ConnectionError, ssl.SSLError):
                return True
            return False
        heard = wire.line()
        if heard.startswith((b"220 ", b"+OK ")):
            return False
        assert heard.startswith(words(listener)), heard
        assert wire.ends() == b""
        return True


def logged(site: Site, **fields: str) -> int:
    """Count the lines of the mail log about limits that have all *fields*."""
    wanted = [f" {name}={value}" for name, value in fields.items()]
    lines = [f"{line} " for line in site.mail_log.splitlines() if re.match(r"\S+ limit ", line)]
    return sum(all(f"{field} " in line for field in wanted) for line in lines)


def service(listener: str) -> str:
    """Return the service behind *listener*."""
    return ALL[listener]["service"]


# Connections


@pytest.mark.parametrize(("number", "listener"), list(enumerate([*CLEAR, *IMPLICIT])))
def test_connections_of_one_address(site: Site, number: int, listener: str) -> None:
    """Three at a time, on each listener; the fourth is told so, and when one has gone it may come."""
    source, other = f"127.1.{number}.1", f"127.1.{number}.2"
    open_ones = [greeted(site, listener, source) for _ in range(3)]
    assert refused(site, listener, source)
    assert logged(site, service=service(listener), peer=source, limit="address_connections") == 1
    open_ones += [greeted(site, listener, other)]
    open_ones.pop(0).socket.close()
    until(lambda: not refused(site, listener, source), 10, "a free place")
    for wire in open_ones:
        wire.socket.close()


@pytest.mark.parametrize(("number", "listener"), list(enumerate(CLEAR)))
def test_connections_of_one_network(site: Site, number: int, listener: str) -> None:
    """Five from the addresses of a /24; the next network has five of its own."""
    sources = [f"127.2.{number}.{last}" for last in (1, 2, 3, 4, 255)]
    open_ones = [greeted(site, listener, source) for source in sources]
    assert refused(site, listener, f"127.2.{number}.9")
    assert logged(site, service=service(listener), peer=f"127.2.{number}.9", limit="network_connections") == 1
    open_ones += [greeted(site, listener, f"127.3.{number}.1")]
    for wire in open_ones:
        wire.socket.close()


@pytest.mark.parametrize("listener", ["mta", "pop3"])
def test_connections_in_all(site: Site, listener: str) -> None:
    """Twenty, wherever they come from; those that are open go on, and other listeners have room."""
    open_ones = [greeted(site, listener, f"127.4.{number}.1") for number in range(20)]
    assert refused(site, listener, "127.4.200.1")
    assert logged(site, service=service(listener), peer="127.4.200.1", limit="connections") == 1
    open_ones[0].send(b"NOOP\r\n")
    assert open_ones[0].line().startswith((b"250 ", b"-ERR "))
    greeted(site, "lmtp", "127.4.201.1").socket.close()
    for wire in open_ones:
        wire.socket.close()
    until(lambda: not refused(site, listener, "127.4.200.1"), 10, "a free place")


@pytest.mark.parametrize(("number", "listener"), list(enumerate(CLEAR)))
def test_connection_rate(site: Site, number: int, listener: str) -> None:
    """Twelve new ones within a minute, however soon they go; the thirteenth is told so."""
    source = f"127.5.{number}.1"
    for _ in range(12):
        wire = greeted(site, listener, source)
        wire.send(b"QUIT\r\n")
        wire.line()
        wire.ends()
        wire.socket.close()
        # A connection counts as open until the server has seen its end, too.
        until(lambda: open_from(source) == 0, 10, "the end of the connection")
    assert refused(site, listener, source)
    assert logged(site, service=service(listener), peer=source, limit="connection_rate") == 1
    assert not refused(site, listener, f"127.5.{number}.2")


def open_from(source: str) -> int:
    """Count the sockets of servers here that are connected to *source*."""
    address = socket.inet_aton(source)[::-1].hex().upper()
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # Established, or closed by the client alone.
    return sum(row[2].startswith(f"{address}:") and row[3] in ("01", "08") for row in rows)


# Messages


def test_message_rate(site: Site) -> None:
    """Three messages of an address within a minute, over any connections; then 450."""
    for session in range(2):
        with greeted(site, "mta", "127.6.0.1") as wire:
            wire.ask(b"EHLO client.example", 250)
            for number in range(3 if session == 0 else 0):
                wire.ask(b"MAIL FROM:<a@client.example>", 250)
                wire.ask(b"RCPT TO:<%s>" % ALICE.encode(), 250)
                wire.ask(b"DATA", 354)
                wire.ask(b"Subject: %d\r\n\r\nx\r\n." % number, 250)
            assert b" 4.7.1 " in wire.ask(b"MAIL FROM:<a@client.example>", 450)
            wire.ask(b"QUIT", 221)
    assert logged(site, service="mta", peer="127.6.0.1", limit="message_rate") == 2
    assert not refused(site, "mta", "127.6.0.2")


def test_recipient_rate(site: Site) -> None:
    """Five recipients of an address within a minute; the message reaches these."""
    before = len(site.on_disk("bob"))
    with greeted(site, "mta", "127.6.1.1") as wire:
        wire.ask(b"EHLO client.example", 250)
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        for number in range(5):
            wire.ask(b"RCPT TO:<bob+%d@example.test>" % number, 250)
        assert b" 4.7.1 " in wire.ask(b"RCPT TO:<alice@example.test>", 450)
        wire.ask(b"RCPT TO:<alice@example.test>", 450)
        wire.ask(b"DATA", 354)
        wire.ask(b"Subject: x\r\n\r\nx\r\n.", 250)
    assert len(site.on_disk("bob")) == before + 1
    assert logged(site, service="mta", peer="127.6.1.1", limit="recipient_rate") == 1


def test_login_rates(site: Site) -> None:
    """Three messages and five recipients of a login within an hour, whatever listener it uses; then 450."""
    with smtp_session(site, "submissions", ALICE) as session:
        session.sendmail(ALICE, [BOB, ALICE], message(ALICE, b"one\r\n"))
        session.sendmail(ALICE, [BOB, ALICE], message(ALICE, b"two\r\n"))
    with smtp_session(site, "submission", ALICE) as session:
        refusals = session.sendmail(ALICE, [BOB, ALICE], message(ALICE, b"three\r\n"))
        assert refusals == {ALICE: (450, b"4.7.1 Too many recipients in a short time, try again later")}
        assert session.mail(ALICE) == (450, b"4.7.1 Too many messages in a short time, try again later")
    assert logged(site, service="submission", login=ALICE, limit="login_recipients") == 1
    assert logged(site, service="submission", login=ALICE, limit="login_messages") == 1
    with smtp_session(site, "submission", BOB) as session:
        assert session.mail(BOB)[0] == 250


# Within a session


def test_session_messages(hasty: Site) -> None:
    """Two to a session; the next MAIL is told 421."""
    with greeted(hasty, "mta", "127.7.0.1") as wire:
        wire.ask(b"EHLO client.example", 250)
        for _ in range(2):
            wire.ask(b"MAIL FROM:<a@client.example>", 250)
            wire.ask(b"RSET", 250)
        assert b" 4.7.0 " in wire.ask(b"MAIL FROM:<a@client.example>", 421)
        assert wire.ends() == b""
    assert logged(hasty, service="mta", peer="127.7.0.1", limit="session_messages") == 1


def test_unknown_recipients(site: Site) -> None:
    """Two to a session; the third is told 421."""
    with greeted(site, "mta", "127.7.1.1") as wire:
        wire.ask(b"EHLO client.example", 250)
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        for name in (b"some", b"any"):
            wire.ask(b"RCPT TO:<%sbody@example.test>" % name, 550)
        assert b" 4.7.0 " in wire.ask(b"RCPT TO:<nobody@example.test>", 421)
        assert wire.ends() == b""
    assert logged(site, service="mta", peer="127.7.1.1", limit="unknown_recipients") == 1


def test_lmtp_is_held_to_neither(site: Site) -> None:
    """Whoever hands mail over there passes on what others have sent, in one session for as long as it likes."""
    with greeted(site, "lmtp", "127.7.1.2") as wire:
        assert b"MAILMAX" not in wire.ask(b"LHLO front.example", 250)
        for _ in range(6):
            wire.ask(b"MAIL FROM:<a@client.example>", 250)
            wire.ask(b"RCPT TO:<nobody@example.test>", 550)
            wire.ask(b"RSET", 250)
    assert logged(site, peer="127.7.1.2") == 0


@pytest.mark.parametrize(("number", "listener"), list(enumerate(CLEAR)))
def test_errors(site: Site, number: int, listener: str) -> None:
    """Four to a session; the fifth ends it."""
    source = f"127.7.2.{number + 1}"
    with greeted(site, listener, source) as wire:
        wire.send(b"NONSENSE\r\n" * 4)
        assert {wire.line()[:5] for _ in range(4)} <= {b"500 5", b"-ERR "}
        wire.send(b"NONSENSE\r\n")
        lines = wire.ends().splitlines()
    if listener == "pop3":
        assert lines == [b"-ERR Too many errors"]
        until(lambda: 'ended="too many errors"' in site.mail_log, 15, "its line in the log")
    else:
        assert [line[:9] for line in lines] == [b"500 5.5.2", b"421 4.7.0"]
        assert logged(site, service=service(listener), peer=source, limit="errors") == 1


# Other protocols


FOREIGN = [b"GET / HTTP/1.1\r\nHost: mail.example.test\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"*1\r\n$4\r\nPING\r\n"]


@pytest.mark.parametrize(("number", "listener"), list(enumerate(CLEAR)))
def test_other_protocols(site: Site, number: int, listener: str) -> None:
    """One error and the end, though mail stands behind it."""
    source = f"127.8.0.{number + 1}"
    behind = b"EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    before = len(site.on_disk("alice"))
    for said in FOREIGN:
        with greeted(site, listener, source) as wire:
            wire.send(said + behind)
            (line,) = wire.ends().splitlines()
            assert line.startswith((b"500 5.5.1 ", b"-ERR "))
        until(lambda: open_from(source) == 0, 15, "the end of the connection")
    assert len(site.on_disk("alice")) == before
    if listener == "pop3":
        until(lambda: site.mail_log.count("ended=other_protocol") == len(FOREIGN), 10, "the lines of the log")
        assert site.mail_log.count(f"peer={source} retrieved=0 octets=0 deleted=0") == len(FOREIGN)
    else:
        assert logged(site, service=service(listener), peer=source, limit="other_protocol") == len(FOREIGN)


@pytest.mark.parametrize(("number", "listener"), list(enumerate(CLEAR)))
def test_tls_where_there_is_none(site: Site, number: int, listener: str) -> None:
    """A client that begins with TLS is closed at once, and need not wait for a time-out."""
    with greeted(site, listener, f"127.8.1.{number + 1}") as wire, pytest.raises((ssl.SSLError, ConnectionError)):
        wire.start_tls(site.tls())


@pytest.mark.parametrize(("number", "listener"), list(enumerate(IMPLICIT)))
def test_plain_text_where_tls_is(site: Site, number: int, listener: str) -> None:
    """A client that speaks in the clear is closed at once; it hears no greeting."""
    with Wire(site.ports[listener], 15, f"127.8.2.{number + 1}") as wire:
        wire.send(b"EHLO client.example\r\n")
        assert not wire.ends().startswith((b"220", b"+OK", b"421", b"-ERR"))


# Early talkers


@pytest.mark.parametrize(("setting", "codes"), [("drop", [b"421"]), ("delay", [b"220", b"250", b"221"])])
def test_early_talkers(setting: str, codes: list[bytes]) -> None:
    """Who speaks before the greeting is dropped or waits for longer; who waits is served."""
    options: Options = {"smtp": {"greeting_delay": 0.5, "early_talkers": setting, "early_delay": 1}}
    with Site(options=options, users=["alice"]) as site:
        for listener in ("mta", "submission"):
            with Wire(site.ports[listener]) as wire:
                wire.send(b"EHLO client.example\r\nQUIT\r\n")
                answers = [line for line in wire.ends().splitlines() if line[3:4] == b" "]
                assert [line[:3] for line in answers] == codes
            assert logged(site, service=listener, peer="127.0.0.1", limit="early_talkers") == 1
            with Wire(site.ports[listener]) as wire:
                wire.greet()
                wire.ask(b"QUIT", 221)
        with smtp_session(site, "submissions", ALICE) as session:
            session.sendmail(ALICE, [ALICE], message(ALICE, b"not delayed\r\n"))
        session_of = pop3_session(site, ALICE, "pop3")
        assert session_of.stat()[0] == 1
        session_of.quit()


# Time


@pytest.fixture(scope="module")
def hasty() -> Iterator[Site]:
    """Serve one site on which nothing may take long."""
    options: Options = {
        "limits": {
            "idle_timeout": 1, "pop3_idle_timeout": 1, "data_timeout": 2, "session_time": 4, "handshake_timeout": 1,
            "session_messages": 2, "data_rate": 10,
        }
    }  # fmt: skip
    with Site(options=options, users=["alice"], listeners=ALL) as site:
        yield site


def drip(wire: Wire, octets: bytes, every: float) -> bytes:
    """Send *octets* one by one, over and over, as slowly as that, until the server closes; return what it said."""
    heard = b""
    wire.socket.settimeout(every)
    for _ in range(1000):
        for octet in octets:
            with contextlib.suppress(ConnectionError):
                wire.socket.send(bytes([octet]))
            try:
                piece = wire.socket.recv(65_536)
            except TimeoutError:
                continue
            except ConnectionError:
                return heard
            if not piece:
                return heard
            heard += piece
    raise AssertionError("the session goes on for ever")


@pytest.mark.parametrize("listener", CLEAR)
@pytest.mark.parametrize("octets", [b"", b"N"], ids=["silent", "an-octet-at-a-time"])
def test_slow_commands(hasty: Site, listener: str, octets: bytes) -> None:
    """A client that says nothing, or never comes to the end of a line, frees its place."""
    with greeted(hasty, listener, "127.0.0.1") as wire:
        said = drip(wire, octets, 0.3) if octets else wire.ends()
        assert said.startswith((b"421 4.4.2 ", b"-ERR Idle "))


@pytest.mark.parametrize(
    ("listener", "command", "every", "limit", "source"),
    [
        ("mta", b"DATA\r\n", 0.3, "data_rate", "127.7.3.1"),
        ("lmtp", b"BDAT 9999 LAST\r\n", 0.3, "data_rate", "127.7.3.2"),
        ("mta", b"DATA\r\n", 0.02, "data_timeout", "127.7.3.3"),
    ],
)
def test_slow_message(hasty: Site, listener: str, command: bytes, every: float, limit: str, source: str) -> None:
    """Octets of a message that come one by one are no way to stay either, not even where they come fast enough."""
    with greeted(hasty, listener, source) as wire:
        wire.ask(b"LHLO client.example" if listener == "lmtp" else b"EHLO client.example", 250)
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        wire.ask(b"RCPT TO:<alice@example.test>", 250)
        wire.send(command)
        if command == b"DATA\r\n":
            wire.reply(354)
        assert drip(wire, b"x", every).startswith(b"421 4.4.2 ")
    assert logged(hasty, service=service(listener), peer=source, limit=limit) == 1
    assert hasty.on_disk("alice") == []


@pytest.mark.parametrize("listener", CLEAR)
def test_long_sessions(hasty: Site, listener: str) -> None:
    """A client that is busy all the time has its end too."""
    with greeted(hasty, listener, "127.0.0.1") as wire:
        last = drip(wire, b"CAPA\r\n" if listener == "pop3" else b"NOOP\r\n", 0.1).splitlines()[-1]
    assert last.startswith((b"421 4.3.2 ", b"-ERR [SYS/TEMP] "))


def test_handshake_flood(hasty: Site) -> None:
    """Two hundred handshakes that never come to an end free their places, and keep nobody from sending meanwhile."""
    before = len(os.listdir(f"/proc/{hasty.pid}/fd"))
    listeners = [IMPLICIT[number % 2] for number in range(200)]
    crowd = [Wire(hasty.ports[listener]) for listener in listeners]
    for wire in crowd:
        wire.send(b"\x16\x03\x01\x02\x00\x01\x00")
    with smtp_session(hasty, "submissions", ALICE) as session:
        session.sendmail(ALICE, [ALICE], message(ALICE, b"amid a flood\r\n"))
    for wire in crowd:
        assert wire.ends() == b""
        wire.socket.close()
    until(lambda: len(os.listdir(f"/proc/{hasty.pid}/fd")) <= before, 10, "the places")
    # A line is written just after its connection has gone.
    until(lambda: logged(hasty, service="submission", limit="handshake_timeout") == 100, 10, "the lines of SMTP")
    until(lambda: hasty.mail_log.count("ended=handshake") == 100, 10, "the lines of POP3")


# Crowds and cuts


def test_thousands_of_idle_connections() -> None:
    """Two thousand silent clients cost little memory each, and others are served; their places come back.

    The server takes the descriptors that it may have, though it was started with the usual thousand.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip(f"a process may have {hard} descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    crowd: list[socket.socket] = []
    try:
        with Site(options={"limits": {"connections": 2001}}, users=["alice"]) as site:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            descriptors, before = len(os.listdir(f"/proc/{site.pid}/fd")), resident(site)
            for _ in range(2000):
                crowd.append(socket.create_connection(("127.0.0.1", site.ports["mta"])))
            with ThreadPoolExecutor(8) as threads:
                assert set(threads.map(lambda each: each.recv(4), crowd)) == {b"220 "}
            assert (resident(site) - before) / 2000 < 24_000
            with smtp_session(site, "mta", ALICE) as session:
                session.sendmail(ALICE, [ALICE], message(ALICE, b"among thousands\r\n"))
            for each in crowd:
                each.close()
            until(lambda: len(os.listdir(f"/proc/{site.pid}/fd")) <= descriptors + 1, 30, "the descriptors")
    finally:
        for each in crowd:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        gc.collect()


def resident(site: Site) -> int:
    """Return the octets of memory that the server has in use."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{site.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_cut_at_every_octet() -> None:
    """Clients that go away at any octet of a session leave nothing: no file, no lock, no descriptor."""
    smtp = (
        b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
        b"Subject: x\r\n\r\nhello\r\n.\r\n"
    )
    pop3 = b"USER alice@example.test\r\nPASS %s\r\nSTAT\r\nRETR 1\r\nDELE 1\r\n" % secret(ALICE).encode()
    listeners = {**LISTENERS, "pop3": {"service": "pop3", "tls": "none", "auth": "always"}}
    with Site(users=["alice"], listeners=listeners) as site:
        with smtp_session(site, "mta", ALICE) as session:
            session.sendmail(ALICE, [ALICE], message(ALICE, b"to stay\r\n"))
        # The file that her mailbox's lock is on stays open from her first login on.
        pop3_session(site, ALICE).quit()
        before, descriptors = site.on_disk("alice"), len(os.listdir(f"/proc/{site.pid}/fd"))
        for listener, transcript in (("mta", smtp), ("pop3", pop3)):
            for cut in range(len(transcript)):
                with Wire(site.ports[listener]) as wire:
                    wire.line()
                    wire.send(transcript[:cut])
        until(lambda: len(os.listdir(f"/proc/{site.pid}/fd")) <= descriptors, 60, "the descriptors")
        left = [path for path in (site.folder / "mail").rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in left if path.parent.name in ("new", "cur")] == before
        assert [path for path in left if path.parent.name in ("tmp", ".incoming")] == []
        reader = pop3_session(site, ALICE)
        assert reader.stat()[0] == 1
        reader.quit()
