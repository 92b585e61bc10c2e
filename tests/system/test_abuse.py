"""What hostile and broken clients try, over real sockets, against the server with its usual settings."""

import base64
import os
import re
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
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
MANY = [f"m{number:02}" for number in range(20)]
WRONG = "hush-not-it"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve one site to all tests; at the end look through its logs."""
    options: Options = {"limits": {"message_size": 1_000_000, "guesses": 22, "exempt": ["127.0.0.1"]}}
    listeners = {**LISTENERS, "lmtp": {"service": "lmtp", "tls": "none"}}
    with Site(options=options, users=["alice", "bob", "carol", "victim", *MANY], listeners=listeners) as site:
        yield site
        assert WRONG not in site.log + site.mail_log
        for line in site.mail_log.splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (smtp|pop3|login|limit|ban) ", line), line
            assert line.isprintable()


def begin(wire: Wire, recipient: str) -> None:
    """Say everything up to the 354 of DATA."""
    wire.ask(b"MAIL FROM:<a@client.example>", 250)
    wire.ask(b"RCPT TO:<%s>" % recipient.encode(), 250)
    wire.ask(b"DATA", 354)


# Pipelining


def test_five_hundred_commands(site: Site) -> None:
    """Five hundred commands get the same replies in the same order, in one segment or octet by octet."""
    commands: list[bytes] = []
    expected: list[bytes] = []
    for number in range(100):
        known = number % 5 != 0
        commands += [b"MAIL FROM:<a@client.example>", b"NOOP", b"RCPT TO:<bob+%d@example.test>" % number]
        expected += [b"250 2.1.0", b"250 2.0.0", b"250 2.1.5"]
        commands += [b"RSET", b"VRFY bob"] if known else [b"RCPT TO:<who%d@example.test>" % number, b"RSET"]
        expected += [b"250 2.0.0", b"252 2.5.0"] if known else [b"550 5.1.1", b"250 2.0.0"]
    octets = b"".join(command + b"\r\n" for command in commands)
    assert len(commands) == 500
    for send in (Wire.send, Wire.send_singly):
        with Wire(site.ports["mta"]) as wire:
            wire.greet()
            send(wire, octets)
            assert [wire.answer()[:9] for _ in commands] == expected
            wire.ask(b"QUIT", 221)


# Memory


def memory(site: Site) -> int:
    """Return the octets of memory that the server has in use."""
    status = Path(f"/proc/{site.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def pour(connection: socket.socket, octets: bytes, total: int) -> int:
    """Send *octets* over and over and never read; return how much was taken before nothing more was for a second."""
    connection.settimeout(1)
    sent = 0
    try:
        while sent < total:
            sent += connection.send(octets)
    except (TimeoutError, ssl.SSLWantWriteError, ConnectionError):
        pass
    return sent


@pytest.mark.parametrize("listener", ["mta", "submissions", "lmtp", "pop3", "pop3s"])
def test_client_that_never_reads(site: Site, listener: str) -> None:
    """A client that sends 30 MB of commands and reads no reply costs bounded memory, with and without TLS."""
    hello = b"LHLO client.example\r\n" if listener == "lmtp" else b"EHLO client.example\r\n"
    command = b"CAPA\r\n" if listener.startswith("pop3") else hello
    with Wire(site.ports[listener]) as wire:
        if listener in ("submissions", "pop3s"):
            wire.start_tls(site.tls())
        wire.answer() if "pop3" not in listener else wire.ok()
        before = memory(site)
        pour(wire.socket, command * 4000, 30_000_000)
        assert memory(site) - before < 8_000_000


@pytest.mark.parametrize("listener", ["mta", "lmtp", "pop3"])
def test_line_without_end(site: Site, listener: str) -> None:
    """A line of 30 MB costs no memory and gets one error; no part of it is obeyed."""
    with Wire(site.ports[listener]) as wire:
        wire.line()
        before = memory(site)
        for _ in range(30):
            wire.send(b"NOOP " * 200_000)
        wire.send(b"\r\nNOOP\r\n")
        assert wire.line().startswith((b"500 5.5.2", b"-ERR"))
        # Before login POP3 knows no NOOP.
        assert wire.line().startswith((b"250 2.0.0", b"-ERR"))
        assert memory(site) - before < 8_000_000


def test_many_connections(site: Site) -> None:
    """Three hundred silent connections do not keep others from sending."""
    silent = [Wire(site.ports["mta"]) for _ in range(300)]
    try:
        with smtp_session(site, "mta", ALICE) as session:
            session.sendmail(ALICE, [ALICE], message(ALICE, b"among the silent\r\n"))
    finally:
        for wire in silent:
            wire.socket.close()


def test_out_of_descriptors() -> None:
    """When connections use up all descriptors, none in hand breaks, and with room again everything works as before."""
    with Site(users=["alice"]) as site:
        first = Wire(site.ports["mta"])
        first.greet()
        count = len(os.listdir(f"/proc/{site.pid}/fd"))
        resource.prlimit(site.pid, resource.RLIMIT_NOFILE, (count + 20, count + 20))
        crowd = [Wire(site.ports["mta"]) for _ in range(60)]
        until(lambda: len(os.listdir(f"/proc/{site.pid}/fd")) >= count + 18, 10, "a lack of descriptors")
        begin(first, ALICE)
        first.send(message("a@client.example", b"in a crowd\r\n") + b".\r\n")
        answer = first.answer()
        assert answer[:3] in (b"250", b"451"), answer
        for wire in (first, *crowd):
            wire.socket.close()
        until(lambda: len(os.listdir(f"/proc/{site.pid}/fd")) <= count, 10, "room again")
        with smtp_session(site, "submissions", ALICE) as session:
            session.sendmail(ALICE, [ALICE], message(ALICE, b"alone\r\n"))
        assert len(site.on_disk("alice")) == 1 + answer.startswith(b"250")


# STARTTLS


def test_starttls_injection(site: Site) -> None:
    """What was sent behind STARTTLS in the clear is never executed, and what was said before is forgotten."""
    with Wire(site.ports["submission"]) as wire:
        wire.greet()
        wire.send(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<a@client.example>\r\nNOOP\r\n")
        wire.reply(220)
        wire.start_tls(site.tls())
        assert b"5.5.1" in wire.ask(b"MAIL FROM:<a@client.example>", 503)
        answer = wire.ask(b"EHLO client.example", 250)
        assert b"STARTTLS" not in answer
        assert b"AUTH" in answer
        wire.ask(b"QUIT", 221)
        assert wire.ends() == b""


def test_stls_injection(site: Site) -> None:
    """What was sent behind STLS in the clear is never executed."""
    with Wire(site.ports["pop3"]) as wire:
        wire.ok()
        wire.send(b"STLS\r\nUSER %s\r\nPASS %s\r\nSTAT\r\n" % (ALICE.encode(), secret(ALICE).encode()))
        wire.ok()
        wire.start_tls(site.tls())
        wire.send(b"STAT\r\nCAPA\r\n")
        assert wire.line().startswith(b"-ERR")
        wire.ok()
        while wire.line() != b".":
            pass
        wire.send(b"QUIT\r\n")
        wire.ok()
        assert wire.ends() == b""


def test_no_password_in_the_clear(site: Site) -> None:
    """Before TLS no password is asked for nor taken, and port 25 takes none at all."""
    plain = base64.b64encode(f"\0{ALICE}\0{secret(ALICE)}".encode())
    with Wire(site.ports["submission"]) as wire:
        wire.reply(220)
        assert b"AUTH" not in wire.ask(b"EHLO client.example", 250)
        wire.send(b"AUTH PLAIN " + plain + b"\r\n")
        assert wire.answer()[:3] in (b"530", b"538")
        wire.ask(b"MAIL FROM:<alice@example.test>", 530)
    with Wire(site.ports["mta"]) as wire:
        wire.reply(220)
        wire.ask(b"EHLO client.example", 250)
        wire.ask(b"STARTTLS", 220)
        wire.start_tls(site.tls())
        assert b"AUTH" not in wire.ask(b"EHLO client.example", 250)
        wire.send(b"AUTH PLAIN " + plain + b"\r\n")
        assert wire.answer()[:1] == b"5"
    with Wire(site.ports["pop3"]) as wire:
        wire.ok()
        for command in (b"USER " + ALICE.encode(), b"AUTH PLAIN " + plain):
            wire.send(command + b"\r\n")
            assert wire.line().startswith(b"-ERR")


# Smuggling

FALSE_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r.\n", b"\n.\r", b"\n\n.\n\n",
    b"\r\r.\r\r", b"\n\r.\n\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\0\r\n.\r\0\n", b"\r\n.\r\r\n", b"\r\n.\n\r\n",
    b"\r\n .\r\n", b"\r\n. \r\n", b"\r\n..\r\n", b"\r\n.\x0b\r\n", b"\r\n.\x85\r\n", b"\r\n.\xe2\x80\xa8\r\n",
    b"\r.\n\r", b"\n.\n\n", b"\n.\r\r\n", b"\r\r.\r\n", b"\r\n.\r\r", b"\r\n\t.\r\n", b"\r\n.\t\r\n", b"\0\n.\r\n",
    b"\r\0\n.\r\n", b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\x0c.\x0c", b"\r\n.\x0c\r\n", b"\n.\x1a\r\n",
]  # fmt: skip


@pytest.mark.parametrize(
    ("listener", "send"),
    [("mta", Wire.send), ("mta", Wire.send_singly), ("lmtp", Wire.send)],
    ids=["whole", "octets", "LMTP"],
)
@pytest.mark.parametrize("end", FALSE_ENDS, ids=[repr(end)[2:-1] for end in FALSE_ENDS])
def test_smuggling(site: Site, end: bytes, listener: str, send: Callable[[Wire, bytes], None]) -> None:
    """Nothing but CRLF.CRLF ends a message: what hides behind another end is part of it, or it is refused."""
    hidden = b"MAIL FROM:<b@client.example>\r\nRCPT TO:<carol@example.test>\r\nDATA\r\nSubject: hidden\r\n\r\nx"
    before = len(site.on_disk("carol"))
    with Wire(site.ports[listener]) as wire:
        wire.reply(220)
        wire.ask(b"LHLO client.example" if listener == "lmtp" else b"EHLO client.example", 250)
        begin(wire, f"carol@{DOMAIN}")
        send(wire, b"Subject: outer\r\n\r\nouter" + end + hidden + b"\r\n.\r\nNOOP\r\nQUIT\r\n")
        verdict = wire.answer()
        assert verdict[:9] in (b"250 2.0.0", b"554 5.6.0"), verdict
        wire.reply(250)
        wire.reply(221)
        assert wire.ends() == b""
    after = site.on_disk("carol")
    assert len(after) - before == verdict.startswith(b"250")
    assert all(octets.count(b"\nReceived:") == 1 and b"\nSubject: outer" in octets for octets in after)


def test_bare_cr_before_the_end(site: Site) -> None:
    """CR CR LF . CR LF holds the true end, and a bare CR: refused, and nothing behind it is obeyed."""
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        begin(wire, BOB)
        wire.send(b"Subject: outer\r\n\r\nouter\r\r\n.\r\nNOOP\r\n")
        wire.reply(554)
        with pytest.raises(EOFError):
            wire.reply(250)


# Relaying

RELAY_ATTEMPTS = [
    b"<user@remote.example>",
    b"<user%remote.example@example.test>",
    b"<user%remote.example@[127.0.0.1]>",
    b"<user%remote.example>",
    b"<@example.test:user@remote.example>",
    b"<@example.test,@[127.0.0.1]:user@remote.example>",
    b'<"user@remote.example"@example.test>',
    b'<"user@remote.example">',
    b'<"user%remote.example"@example.test>',
    b"<user@remote.example@example.test>",
    b"<remote.example!user>",
    b"<remote.example!user@example.test>",
    b"<remote.example!user@[127.0.0.1]>",
    b"<user@remote.example@[127.0.0.1]>",
    b"<user@[127.0.0.1]>",
    b"<user@localhost>",
    b"<user@mail.example.test>",
    b"<user@EXAMPLE.TEST.>",
    b"<user@remote.example\0@example.test>",
    b"user@remote.example",
]


@pytest.mark.parametrize("sender", [b"<a@remote.example>", b"<>", b"<alice@example.test>", b"<a@localhost>"])
def test_no_relaying(site: Site, sender: bytes) -> None:
    """Port 25 relays for nobody, loopback included, whatever a recipient or a sender looks like."""
    with Wire(site.ports["mta"]) as wire:
        wire.reply(220)
        wire.ask(b"EHLO localhost", 250)
        wire.ask(b"MAIL FROM:" + sender, 250)
        for recipient in RELAY_ATTEMPTS:
            wire.send(b"RCPT TO:" + recipient + b"\r\n")
            answer = wire.answer()
            assert answer[:1] == b"5", (recipient, answer)
        wire.ask(b"DATA", 503)


# Limits


def test_too_many_recipients(site: Site) -> None:
    """Beyond a thousand recipients each gets 452; the message reaches the others, each mailbox once."""
    with Wire(site.ports["mta"], 30) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        users = [MANY[number % len(MANY)] for number in range(1100)]
        wire.send(b"".join(b"RCPT TO:<%s+%d@example.test>\r\n" % (u.encode(), n) for n, u in enumerate(users)))
        answers = [wire.answer()[:9] for _ in users]
        assert answers == [b"250 2.1.5"] * 1000 + [b"452 4.5.3"] * 100
        wire.ask(b"DATA", 354)
        wire.send(b"Subject: to all\r\n\r\nhello\r\n.\r\n")
        wire.reply(250)
    for user in MANY:
        assert len(site.on_disk(user)) == 1


def test_message_size(site: Site) -> None:
    """A message of exactly the limit is taken, one octet more is 552, and the session goes on."""
    head = b"Subject: big\r\n\r\n"
    line = b"z" * 98 + b"\r\n"
    lines = line * ((1_000_000 - len(head)) // 100 - 1)
    fill = b"y" * (1_000_000 - len(head) - len(lines) - 2) + b"\r\n"
    before = len(site.on_disk("alice"))
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        for size, code in ((1_000_001, 552), (1_000_000, 250)):
            begin(wire, ALICE)
            wire.send(head + lines + b"y" * (size - 1_000_000) + fill + b".\r\n")
            wire.reply(code)
        assert wire.ask(b"MAIL FROM:<a@client.example> SIZE=1000001", 552)[4:9] == b"5.3.4"
        wire.ask(b"MAIL FROM:<a@client.example> SIZE=1000000", 250)
        wire.ask(b"QUIT", 221)
    assert len(site.on_disk("alice")) == before + 1


def test_long_lines(site: Site) -> None:
    """An over-long command gets one 500; a message with an over-long line is 554; neither is cut and obeyed."""
    before = len(site.on_disk("bob"))
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        wire.send(b"NOOP " + b"x" * 600 + b"\r\n")
        wire.reply(500)
        begin(wire, BOB)
        wire.send(b"Subject: x\r\n\r\n" + b"x" * 8191 + b"\r\n.\r\n")
        wire.reply(554)
        begin(wire, BOB)
        wire.send(b"Subject: x\r\n\r\n" + b"x" * 8190 + b"\r\n.\r\n")
        wire.reply(250)
    assert len(site.on_disk("bob")) == before + 1


def test_too_many_errors(site: Site) -> None:
    """A client that does nothing but err is told 421 and cut off."""
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        wire.send(b"NONSENSE\r\n" * 60)
        answers = wire.ends().split(b"\r\n")[:-1]
    assert len(answers) < 60
    assert answers[-1].startswith(b"421")


# Guessing


def guess(site: Site, listener: str, password: str, source: str, name: str = ALICE) -> bytes:
    """Try to log in as *name* from *source*; return what the server says."""
    with Wire(site.ports[listener], 40, source) as wire:
        wire.start_tls(site.tls())
        if listener == "pop3s":
            wire.ok()
            wire.send(b"USER %s\r\n" % name.encode())
            wire.ok()
            wire.send(b"PASS %s\r\n" % password.encode())
            return wire.line()
        wire.greet()
        wire.send(b"AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()) + b"\r\n")
        return wire.answer()


def test_guessing(site: Site) -> None:
    """Twenty wrong passwords over parallel connections take five seconds; a right one still gets in, then a cut."""
    source, other = "127.0.0.9", "127.0.0.10"
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        listeners = ["submissions" if number % 2 else "pop3s" for number in range(20)]
        answers = list(threads.map(lambda listener: guess(site, listener, WRONG, source), listeners))
    assert all(answer.startswith((b"535", b"-ERR [AUTH]")) for answer in answers), answers
    assert time.monotonic() - began >= 5
    assert guess(site, "submissions", secret(ALICE), source).startswith(b"235")
    for _ in range(2):
        assert guess(site, "pop3s", WRONG, source, BOB).startswith(b"-ERR")
    assert guess(site, "submissions", secret(BOB), source, BOB).startswith(b"421")
    assert guess(site, "submissions", secret(BOB), other, BOB).startswith(b"235")
    # Alice was there before.
    assert guess(site, "submissions", secret(ALICE), source).startswith(b"235")


def test_unknown_and_wrong_look_alike(site: Site) -> None:
    """An unknown user gets the reply of a wrong password."""
    answers = []
    for name in (ALICE, f"unknown@{DOMAIN}"):
        with Wire(site.ports["submissions"], 40, "127.0.0.11") as wire:
            wire.start_tls(site.tls())
            wire.greet()
            wire.send(b"AUTH PLAIN " + base64.b64encode(f"\0{name}\0{WRONG}".encode()) + b"\r\n")
            answers.append(wire.answer())
    assert answers[0] == answers[1]


# Names


HOSTILE = ['"../../x"', '"a/b"', '"/etc/passwd"', '".hidden"', '".."', '"."', '"..%2f"', "x" * 64, '"new\\"line"']


@pytest.mark.parametrize("local", HOSTILE)
def test_hostile_users(site: Site, local: str) -> None:
    """Mail for a user with a name like a path lies in a folder of its own below the mail root, and nowhere else."""
    root = site.folder / "mail"
    site.cli("user", "add", f"{local}@{DOMAIN}", "--no-password")
    outside = {path for path in site.root.rglob("*") if root not in path.parents}
    boxes = set((root / DOMAIN).iterdir())
    text = os.urandom(8).hex().encode()
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        begin(wire, f"{local}@{DOMAIN}")
        wire.send(b"Subject: x\r\n\r\n" + text + b"\r\n.\r\n")
        wire.reply(250)
    assert {path for path in site.root.rglob("*") if root not in path.parents} == outside
    assert set((root / DOMAIN).iterdir()) == boxes
    found = [path for path in root.rglob("*") if path.is_file() and text in path.read_bytes()]
    assert [path.parent.parent.parent for path in found] == [root / DOMAIN]
    assert not Path("/x").exists()


@pytest.mark.parametrize(
    "path",
    [b'<"../../y"@example.test>', b"<../../y@example.test>", b'<"a\0b"@example.test>', b"<a\0b@example.test>",
     b"<" + b"y" * 300 + b"@example.test>", b"<y@../../example.test>", b"<y@example.test/../..>", b"<y@>",
     b"<|/bin/sh>"],
)  # fmt: skip
def test_hostile_paths(site: Site, path: bytes) -> None:
    """Recipients like paths and commands are refused, make no folder, and the session goes on."""
    before = set(site.root.rglob("*"))
    with Wire(site.ports["mta"]) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        wire.send(b"RCPT TO:" + path + b"\r\n")
        assert wire.answer()[:1] == b"5"
        wire.ask(b"NOOP", 250)
    assert set(site.root.rglob("*")) == before


def test_log_injection(site: Site) -> None:
    """Control characters and fields of the peer's own neither make a line of the mail log nor stand in a reply."""
    before = len(site.mail_log.splitlines())
    with Wire(site.ports["mta"]) as wire:
        wire.reply(220)
        for name in (b"a\x1b[31mb", b"x\r2026-01-01T00:00:00Z smtp id=forged", b"\xff\xfe", "ü.example".encode()):
            wire.send(b"EHLO " + name + b"\r\n")
            answer = wire.answer()
            assert b"\x1b" not in answer
            assert b"forged" not in answer
        wire.ask(b"EHLO client.example", 250)
        begin(wire, BOB)
        wire.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        wire.reply(250)
    assert len(site.mail_log.splitlines()) == before + 1


def test_in_use(site: Site) -> None:
    """A second session on a mailbox is told IN-USE, and the first goes on."""
    first = pop3_session(site, BOB)
    with Wire(site.ports["pop3s"]) as wire:
        wire.start_tls(site.tls())
        wire.ok()
        wire.send(b"USER %s\r\nPASS %s\r\n" % (BOB.encode(), secret(BOB).encode()))
        wire.ok()
        assert wire.line().startswith(b"-ERR [IN-USE]")
    first.stat()
    first.quit()


def test_slow_readers(site: Site) -> None:
    """Clients that fetch large mail and do not read it keep neither memory nor others from their mail."""
    with smtp_session(site, "mta", ALICE) as session:
        for _ in range(5):
            session.sendmail(ALICE, [f"victim@{DOMAIN}"], message(ALICE, (b"v" * 98 + b"\r\n") * 9_900))
    reader = pop3_session(site, f"victim@{DOMAIN}", "pop3s")
    count = reader.stat()[0]
    before = memory(site)
    reader.sock.sendall(b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1)) * 20)
    threading.Event().wait(1)
    assert memory(site) - before < 8_000_000
    other = pop3_session(site, BOB)
    other.stat()
    other.quit()
    reader.close()
