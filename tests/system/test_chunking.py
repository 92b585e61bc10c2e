"""BDAT over real sockets (RFC 3030): any octets, in chunks of any size, in, out by POP3, and on to others."""

import email
import random
import re
import smtplib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.message import dsn
from tests.system.far_end import FarEnd, FarEnds
from tests.system.fetchers import fetch_all, pop3_session
from tests.system.messages import message, parted, same, samples, without_trace
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, LISTENERS, Options, Site, secret, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
_USERS = [f"u{number:02}" for number in range(40)]
_ALL = ("PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME")
# What the hosts offer to whom mail goes on.
_OFFERS: Mapping[str, Sequence[str]] = {
    "binary": _ALL,
    "chunks": _ALL[:3],
    "eight": _ALL[:2],
    "seven": ("PIPELINING",),
}
_HEAD = b"From: <alice@example.test>\r\nSubject: %b\r\nMessage-ID: <%b@client.example>\r\nMIME-Version: 1.0\r\n"
_DATE = b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
_PART = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
# All octets, bare line ends of both kinds, what looks like an end of data, and no line end at the end.
_ODD = bytes(range(256)) + b"\r\n.\r\n\n.\n\r.\r\nQUIT\r\n" + random.Random(7).randbytes(100_000) + b"\r"


def binary(subject: str, body: bytes = _ODD, part: bytes = _PART) -> bytes:
    """Return a message of one binary part."""
    name = subject.encode()
    return _HEAD % (name, name.replace(b" ", b".")) + _DATE + part + body


def signed(subject: str, body: bytes = _ODD) -> bytes:
    """Return a message that nobody may change."""
    part = b'Content-Type: multipart/signed; boundary="b0"; protocol="application/x"; micalg=x\r\n\r\n'
    return binary(subject, b"--b0\r\n" + _PART + body + b"\r\n--b0\r\n\r\nsigned\r\n--b0--\r\n", part)


@pytest.fixture(scope="module")
def ends() -> dict[str, FarEnd]:
    """The hosts to whom mail goes on."""
    return {name: FarEnd(tuple(offers)) for name, offers in _OFFERS.items()}


@pytest.fixture(scope="module")
def site(ends: Mapping[str, FarEnd]) -> Iterator[Site]:
    """Serve a site with many users, that sends to the hosts."""
    listeners = {
        **LISTENERS, "bare": {"service": "mta", "tls": "none"}, "lmtp": {"service": "lmtp", "tls": "none"},
    }  # fmt: skip
    with FarEnds() as far_ends:
        options: Options = {
            "listen.bare": {"without": ["CHUNKING"]},
            **{
                f"routes.{name}": {
                    "recipients": [f"{name}.example"], "host": "127.0.0.1", "port": far_ends.listen(end),
                }
                for name, end in ends.items()
            },
        }  # fmt: skip
        with Site(options, ["alice", *_USERS], listeners=listeners) as site:
            yield site


@pytest.fixture(scope="module")
def _names() -> Iterator[str]:
    return iter(_USERS)


@pytest.fixture
def user(_names: Iterator[str]) -> str:
    """Return a user who has no mail yet."""
    return f"{next(_names)}@{DOMAIN}"


def cut(content: bytes, size: int) -> list[bytes]:
    """Return *content* in pieces of *size*, the last of which may be empty."""
    return [content[start : start + size] for start in range(0, len(content) + 1, size)]


def send_chunks(session: smtplib.SMTP, recipients: Sequence[str], chunks: Sequence[bytes], body: str) -> int:
    """Send one message of alice's in *chunks*; return the code for the last, or for the first that was refused."""
    session.ehlo_or_helo_if_needed()
    assert session.has_extn("chunking") and session.has_extn("binarymime")
    assert session.mail(ALICE, [f"BODY={body}"])[0] == 250
    for recipient in recipients:
        assert session.rcpt(recipient)[0] == 250
    for index, chunk in enumerate(chunks):
        last = " LAST" if index == len(chunks) - 1 else ""
        session.send(b"BDAT %d%b\r\n" % (len(chunk), last.encode()) + chunk)
        code, _ = session.getreply()
        if code != 250:
            break
    return code


@pytest.mark.parametrize("size", [997, 65_536, 10_000_000])
@pytest.mark.parametrize("way", ["mta", "submission", "submissions"])
def test_text_in_chunks(site: Site, user: str, way: str, size: int) -> None:
    """What comes in pieces of any size lies in the mailbox unaltered."""
    sent = samples(ALICE)
    with smtp_session(site, way, ALICE) as session:  # type: ignore[arg-type]
        for each in sent:
            assert send_chunks(session, [user], cut(each, size), "8BITMIME") == 250
    same([without_trace(each) for each in fetch_all(site, user)], sent)


def stored(site: Site, user: str) -> bytes:
    """Return what lies in the mailbox of *user*, who has one message."""
    (octets,) = site.on_disk(user)
    return without_trace(octets)


@pytest.mark.parametrize("ending", [b"", b"\r\n", b"\n"])
def test_any_octets(site: Site, user: str, ending: bytes) -> None:
    """They lie in the Maildir as they came, and POP3 gives them so, with the CRLF that it needs, counted."""
    sent = binary("odd", _ODD + ending)
    with smtp_session(site, "submission", ALICE) as session:
        assert send_chunks(session, [user], cut(sent, 1009), "BINARYMIME") == 250
    (on_disk,) = site.on_disk(user)
    assert without_trace(on_disk) == sent
    (path,) = (site.maildir(user) / "new").iterdir()
    served = on_disk if on_disk.endswith(b"\r\n") else on_disk + b"\r\n"
    maildrop = pop3_session(site, user)
    assert maildrop.stat() == (1, len(served))
    maildrop.quit()
    assert raw_retrieve(site, user) == served
    assert f",S={len(on_disk)}," in path.name


def raw_retrieve(site: Site, user: str) -> bytes:
    """Return the first message of *user* as POP3 sends it, without the stuffed dots: lines end in CRLF alone."""
    with Wire(site.ports["pop3s"]) as wire:
        wire.start_tls(site.tls())
        wire.line()
        for command in (b"USER %b" % user.encode(), b"PASS %b" % secret(user).encode(), b"RETR 1"):
            wire.send(command + b"\r\n")
            said = wire.line()
            assert said.startswith(b"+OK"), said
        octets = int(said.split()[1])
        lines = []
        while (line := wire.line()) != b".":
            lines.append(line.removeprefix(b".") + b"\r\n")
        assert sum(map(len, lines)) == octets
        return b"".join(lines)


def greeted(site: Site, listener: str = "mta") -> Wire:
    """Return a connection to *listener*, after EHLO."""
    wire = Wire(site.ports[listener])
    wire.reply(220)
    wire.send(b"%bHLO client.example\r\n" % (b"L" if listener == "lmtp" else b"E"))
    wire.reply(250)
    return wire


def envelope(user: str, body: str = "8BITMIME") -> bytes:
    """Return MAIL and RCPT."""
    return f"MAIL FROM:<{ALICE}> BODY={body}\r\nRCPT TO:<{user}>\r\n".encode()


def test_all_in_one_group_octet_by_octet(site: Site, user: str) -> None:
    """RFC 3030 §4.2: commands and chunks come in any segments, and two messages follow each other."""
    one, two = message(ALICE, b".\r\nQUIT\r\n", "one"), binary("two", b"\n.\nRSET\r")
    group = envelope(user) + b"BDAT %d\r\n%bBDAT 0\r\nBDAT %d LAST\r\n%b" % (9, one[:9], len(one) - 9, one[9:])
    group += envelope(user, "BINARYMIME") + b"BDAT %d LAST\r\n%bQUIT\r\n" % (len(two), two)
    with greeted(site) as wire:
        wire.send_singly(group)
        assert [wire.answer()[:3] for _ in range(9)] == [b"250"] * 8 + [b"221"]
    assert [without_trace(each) for each in site.on_disk(user)] == [one, two]


def test_ten_thousand_chunks_of_one_octet(site: Site, user: str) -> None:
    """Lesson 7: they make a message like any other."""
    sent = message(ALICE, b"x" * 70 + b"\r\n" * 5_000, "tiny")
    with greeted(site) as wire:
        wire.send(envelope(user))
        wire.reply(250)
        wire.reply(250)
        for batch in cut(sent, 1000):
            wire.send(b"".join(b"BDAT 1\r\n%c" % octet for octet in batch))
            for _ in batch:
                wire.reply(250)
        wire.send(b"BDAT 0 LAST\r\n")
        wire.reply(250)
    assert stored(site, user) == sent


def test_refused_chunks_are_read_to_their_end(site: Site, user: str) -> None:
    """No octet of them is obeyed; the same connection goes on with a message that is taken."""
    sent = message(ALICE, b"taken\r\n")
    with greeted(site) as wire:
        for group, codes in (
            (b"BDAT 6\r\nQUIT\r\n", [503]),
            (envelope(f"nobody@{DOMAIN}") + b"BDAT 6 LAST\r\nQUIT\r\n", [250, 550, 503]),
            (envelope(user) + b"BDAT 6\r\nQUI\nT\rBDAT 6 LAST\r\nQUIT\r\n", [250, 250, 554, 554]),
            (envelope(user) + b"BDAT 7\r\na: b\r\n\rDATA\r\nRSET\r\n", [250, 250, 250, 503, 250]),
            (envelope(user, "BINARYMIME") + b"DATA\r\nRSET\r\n", [250, 250, 503, 250]),
            (envelope(user) + b"BDAT 6 FIRST\r\nQUIT\r\n", [250, 250, 501]),
            (envelope(user) + b"BDAT %d LAST\r\n%b" % (len(sent), sent), [250, 250, 250]),
        ):
            wire.send(group)
            for code in codes:
                wire.reply(code)
        wire.send(envelope(user) + b"DATA\r\n")
        for code in (250, 250, 354):
            wire.reply(code)
        wire.send(sent + b".\r\nBDAT 6 LAST\r\nQUIT\r\nBDAT x\r\n")
        for code in (250, 503, 501):
            wire.reply(code)
        assert wire.ends() == b""
    assert [without_trace(each) for each in site.on_disk(user)] == [sent] * 2


def test_a_message_that_outgrows_the_limit() -> None:
    """RFC 1870 §6.3: 552 when all of the chunk has come, or of the message by DATA; then the session goes on."""
    with Site({"limits": {"message_size": 100_000}}, ["bob"]) as site:
        bob = f"bob@{DOMAIN}"
        sent = message(ALICE, b"small\r\n")
        with greeted(site) as wire:
            wire.send(f"MAIL FROM:<{ALICE}> SIZE=100001\r\n".encode())
            assert wire.reply(552).startswith(b"552 5.3.4 ")
            wire.send(envelope(bob) + b"BDAT 90000\r\n" + b"x\r\n" * 30_000 + b"BDAT 12000\r\n" + b"y\r\n" * 3_999)
            for _ in range(3):
                wire.reply(250)
            wire.send(b"y\r\n" + b"BDAT 3 LAST\r\nz\r\n")
            assert [wire.reply(552)[:10] for _ in range(2)] == [b"552 5.3.4 "] * 2
            wire.send(envelope(bob) + b"DATA\r\n")
            for code in (250, 250, 354):
                wire.reply(code)
            wire.send(b"x\r\n" * 40_000 + b".\r\n")
            assert wire.reply(552).startswith(b"552 5.3.4 ")
            wire.send(envelope(bob) + b"BDAT %d LAST\r\n%b" % (len(sent), sent))
            for _ in range(3):
                wire.reply(250)
        assert [without_trace(each) for each in site.on_disk(bob)] == [sent]


def test_a_listener_without_it(site: Site, user: str) -> None:
    """CHUNKING is not offered there, nor is what needs it, and BDAT is a command that there is not."""
    with Wire(site.ports["bare"]) as wire:
        wire.reply(220)
        wire.send(b"EHLO client.example\r\n")
        offers = wire.reply(250)
        assert b"CHUNKING" not in offers and b"BINARYMIME" not in offers and b"8BITMIME" in offers
        wire.send(f"MAIL FROM:<{ALICE}> BODY=BINARYMIME\r\n".encode() + envelope(user) + b"BDAT 0 LAST\r\n")
        assert [wire.answer()[:3] for _ in range(4)] == [b"501", b"250", b"250", b"502"]


def submit(site: Site, recipient: str, sent: bytes, body: str = "BINARYMIME") -> None:
    """Send *sent* in two chunks."""
    with smtp_session(site, "submission", ALICE) as session:
        assert send_chunks(session, [recipient], [sent[:1000], sent[1000:]], body) == 250


def taken(end: FarEnd, subject: str) -> bytes:
    """Wait for the one message with *subject* at a host, and return it as it was sent."""
    mark = f"Subject: {subject}\r\n".encode()
    (found,) = until(lambda: [each.octets for each in end.taken if mark in each.octets], 20, f"{subject} to go on")
    return parted(found)[1]


def test_binary_goes_on_as_it_is(site: Site, ends: Mapping[str, FarEnd]) -> None:
    """RFC 3030 §3: to a host that offers BINARYMIME, octet for octet, whatever its size."""
    for subject, sent in {"small": binary("small"), "large": binary("large", _ODD * 30)}.items():
        submit(site, "bob@binary.example", sent)
        assert taken(ends["binary"], subject) == sent
    lines = [line for _, line in ends["binary"].commands]
    assert all(" BODY=BINARYMIME" in line for line in lines if line.startswith("MAIL"))
    assert "DATA" not in lines


@pytest.mark.parametrize("name", ["chunks", "eight", "seven"])
def test_binary_is_converted_for_others(site: Site, ends: Mapping[str, FarEnd], name: str) -> None:
    """A host without BINARYMIME never sees a binary octet, and gets all of them encoded."""
    submit(site, f"bob@{name}.example", binary("converted"))
    octets = taken(ends[name], "converted")
    assert octets.isascii() and octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    assert email.message_from_bytes(octets).get_payload(decode=True) == _ODD
    assert not any("BINARYMIME" in line for _, line in ends[name].commands)


@pytest.mark.parametrize("name", ["chunks", "eight", "seven"])
def test_what_is_signed_is_reported(site: Site, ends: Mapping[str, FarEnd], name: str) -> None:
    """It is not changed, and not sent: its sender is told (5.6.3). To a host that takes it, it goes."""
    subject = f"signed for {name}"
    submit(site, f"eve@{name}.example", signed(subject))
    report = told(site, f"eve@{name}.example")
    assert report.only["status"] == " 5.6.3"
    assert not any(b"signed for" in each.octets for each in ends[name].taken)
    submit(site, "eve@binary.example", signed(subject))
    assert taken(ends["binary"], subject) == signed(subject)


def test_what_is_signed_in_eight_bits(site: Site, ends: Mapping[str, FarEnd]) -> None:
    """RFC 6152 §3: left alone for a host that takes it, reported where it would have to be changed."""
    sent = signed("signed lines", "Grüße\r\n".encode()).replace(b"binary", b"8bit")
    submit(site, "bob@eight.example", sent, "8BITMIME")
    assert taken(ends["eight"], "signed lines") == sent
    submit(site, "carol@seven.example", sent, "8BITMIME")
    assert told(site, "carol@seven.example").only["status"] == " 5.6.3"


def told(site: Site, recipient: str) -> dsn.Checked:
    """Wait for the report to alice about *recipient*; it is without a fault."""
    mark = f"Final-Recipient: rfc822; {recipient}".encode()

    def found() -> list[bytes]:
        return [octets for octets in site.on_disk(ALICE) if mark in octets]

    (octets,) = until(found, 20, f"a report about {recipient}")
    return dsn.check(octets.partition(b"\r\n")[2])


def test_from_site_to_site(site: Site) -> None:
    """Two sites of ours: from a client to the mailbox of another site, by BDAT all the way, no octet changed."""
    with Site(users=["bob"], hostname="mx.other.test", domain="other.test") as other:
        site.options["routes.other"] = {
            "recipients": ["other.test"], "host": "127.0.0.1", "port": other.ports["mta"], "tls": "encrypt",
        }  # fmt: skip
        site.write_config()
        site.restart()
        sent = binary("far")
        submit(site, "bob@other.test", sent)
        until(lambda: other.on_disk("bob"), 20, "the message at the other site")
        (octets,) = other.on_disk("bob")
        hops, content = parted(octets)
        assert len(hops) == 2
        assert content == sent


LARGE = 50_000_000


def high_water(site: Site) -> int:
    """Return the most memory that the server had at a time since the last call (VmHWM), in octets."""
    text = Path(f"/proc/{site.pid}/status").read_text()
    Path(f"/proc/{site.pid}/clear_refs").write_text("5")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", text, re.M)
    return int(kilobytes) * 1024


@pytest.mark.parametrize(("listener", "way"), [("mta", "BDAT"), ("mta", "DATA"), ("lmtp", "BDAT"), ("lmtp", "DATA")])
def test_fifty_megabytes_in_two(site: Site, user: str, listener: str, way: str) -> None:
    """A message of 50 MB on its way to a mailbox takes less than 2 MiB of the server's memory."""
    sent = message(ALICE, b"0123456789 abcdefghijklmnopqrstuvwxyz .,;- ABCDEFGHIJKLMNOPQRSTUV\r\n" * 740_000, "large")
    with greeted(site, listener) as wire:
        # What is loaded and pooled once is there after the first.
        for content in (sent[:5_000_000].rstrip(b"\r\n") + b"\r\n", sent):
            high_water(site)
            wire.send(envelope(user) + (b"DATA\r\n" if way == "DATA" else b"BDAT %d LAST\r\n" % len(content)))
            wire.reply(250)
            wire.reply(250)
            if way == "DATA":
                wire.reply(354)
            at_rest = high_water(site)
            wire.send(content + (b".\r\n" if way == "DATA" else b""))
            wire.reply(250)
            used = high_water(site) - at_rest
    assert used < 2 << 20
    assert without_trace(site.on_disk(user)[1]) == sent
