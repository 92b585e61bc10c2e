"""Mail in any letters, by the programs that people have, from and to servers of other makes (RFC 6531 to RFC 6533)."""

import base64
import shutil
import smtplib
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.message import dsn
from tests.system.far_end import FarEnd, FarEnds
from tests.system.fetchers import fetch_all
from tests.system.messages import parted, without_trace
from tests.system.network import Host, network
from tests.system.peers.exim import Exim
from tests.system.postfix import Postfix
from tests.system.programs import needs, run
from tests.system.quarters import refused
from tests.system.senders import with_curl
from tests.system.site import DOMAIN, LISTENERS, Options, Site, secret, until
from tests.system.story import logged
from tests.system.unpacked import missing
from tests.transport.authority import Authority

pytestmark = pytest.mark.system

ALICE, BOB, PETER = f"alice@{DOMAIN}", f"bob@{DOMAIN}", f"пётр@{DOMAIN}"
MARIA = "мария@пример.рф"
# A user of a domain that has other letters, too.
USER, USER_IN_A_LABELS = "用户@例子.测试", "用户@xn--fsqu00a.xn--0zwm56d"
LIST = f"ёлка@{DOMAIN}"
OFFERS = ("PIPELINING", "8BITMIME", "DSN")


def letter(sender: str, to: str, subject: str) -> bytes:
    """Return a message with a header of RFC 6532, complete."""
    name = unicodedata.normalize("NFC", subject)
    return (
        f"From: Мария <{sender}>\r\nTo: <{to}>\r\nSubject: {name}\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
        f"Message-ID: <{abs(hash((sender, to, name)))}@client.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nЁж, 世界\r\n"
    ).encode()


def plain(sender: str, to: str, subject: str) -> bytes:
    """Return a message with a header of ASCII."""
    return (
        f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
        f"Message-ID: <{abs(hash((sender, to, subject)))}@client.example>\r\n\r\nHello\r\n"
    ).encode()


class Users(Site):
    """A site with users whose names are not ASCII."""

    def make(self) -> None:
        """See `Site.make`."""
        super().make()
        self.cli("domain", "add", USER.partition("@")[2])
        self.cli("user", "import", "-", given=f"{USER}:{secret(USER)}\n")
        self.cli("alias", "add", LIST, BOB, USER_IN_A_LABELS)


def options(routes: Mapping[str, tuple[str, int]]) -> Options:
    """Return the options of a site that sends to hosts of its own."""
    return {
        "log": {"format": "json"},
        **{
            f"routes.{name}": {"recipients": [f"{name}.example"], "host": host, "port": port, "tls": "none"}
            for name, (host, port) in routes.items()
        },
    }


NAMES = ["alice", "bob", "пётр"]


@pytest.fixture(scope="module")
def ends() -> dict[str, FarEnd]:
    """The hosts to whom mail goes on."""
    return {
        "new": FarEnd((*OFFERS, "SMTPUTF8")),
        "old": FarEnd(OFFERS),
        "store": FarEnd((*OFFERS, "SMTPUTF8"), lmtp=True),
    }


@pytest.fixture(scope="module")
def site(ends: Mapping[str, FarEnd]) -> Iterator[Site]:
    """Serve the site."""
    with FarEnds() as far_ends:
        routes = {name: ("127.0.0.1", far_ends.listen(end)) for name, end in ends.items()}
        made = dict(options(routes))
        made["routes.store"] = {**made["routes.store"], "protocol": "lmtp"}
        made["listen.bare"] = {"without": ["SMTPUTF8"]}
        listeners = {**LISTENERS, "bare": {"service": "mta", "tls": "none"}}
        with Users(made, NAMES, listeners=listeners) as site:
            yield site


def session(site: Site, listener: str = "mta") -> smtplib.SMTP:
    """Return a session of smtplib, greeted."""
    made = smtplib.SMTP(site.place.address, site.ports[listener], timeout=30)
    made.ehlo("client.example")
    return made


def login(site: Site, user: str) -> smtplib.SMTP:
    """Return a session of smtplib that has logged in: it knows names of ASCII alone, so AUTH is our own."""
    made = smtplib.SMTP_SSL(site.place.address, site.ports["submissions"], timeout=30, context=site.tls())
    made.ehlo("client.example")
    claim = base64.b64encode(f"\0{user}\0{secret(user)}".encode()).decode()
    assert made.docmd("AUTH", f"PLAIN {claim}")[0] == 235
    return made


def give(session: smtplib.SMTP, sender: str, to: str | list[str], sent: bytes) -> None:
    """Send a message with SMTPUTF8."""
    assert session.sendmail(sender, to, sent, ["SMTPUTF8", "BODY=8BITMIME"]) == {}


def fetched(site: Site, user: str, subject: str) -> bytes:
    """Wait for a message with *subject* in the maildrop of *user*, and return it."""
    mark = f"Subject: {subject}\r\n".encode()
    (found,) = until(lambda: [each for each in fetch_all(site, user) if mark in each], 20, f"{subject} for {user}")
    return found


# In, and out by POP3


@pytest.mark.parametrize(
    ("number", "to", "user"),
    [
        (1, PETER, PETER),
        (2, PETER.upper().replace("EXAMPLE", "example"), PETER),
        (3, unicodedata.normalize("NFD", PETER), PETER),
        (4, f"пётр+список@{DOMAIN}", PETER),
        (5, USER, USER),
        (6, USER_IN_A_LABELS, USER),
        (7, LIST, BOB),
        (8, LIST.upper(), USER),
        (9, BOB, BOB),
    ],
)
def test_into_a_mailbox(site: Site, number: int, to: str, user: str) -> None:
    """Every spelling of a name finds its mailbox, and the message is served as it came."""
    sent = letter(MARIA, to, f"письмо {number}")
    with session(site) as client:
        give(client, MARIA, to, sent)

    found = fetched(site, user, f"письмо {number}")
    assert without_trace(found) == sent
    assert found.startswith(f"Return-Path: <{MARIA}>\r\nReceived: from client.example ".encode())
    assert b" with UTF8SMTP id " in found


def test_pop3_by_either_form_of_a_domain(site: Site) -> None:
    """U-labels and A-labels are one domain, for a login too."""
    with session(site) as client:
        give(client, MARIA, USER, letter(MARIA, USER, "имя"))
    fetched(site, USER, "имя")

    assert fetch_all(site, USER) == fetch_all(site, USER_IN_A_LABELS)


def test_python_send_message(site: Site) -> None:
    """smtplib finds by itself that SMTPUTF8 is needed, and that it is offered."""
    sent = EmailMessage(policy=policy.SMTPUTF8)
    sent["From"] = f"Мария <{MARIA}>"
    sent["To"] = f"Пётр <{PETER}>"
    sent["Subject"] = "сообщение"
    sent.set_content("Привет")
    with session(site) as client:
        assert client.send_message(sent) == {}

    assert f"To: Пётр <{PETER}>\r\n".encode() in fetched(site, PETER, "сообщение")


@needs("curl")
def test_curl(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says SMTPUTF8 where a local part needs it, and sends domains as A-labels."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    sent = letter(MARIA, USER, "завиток")
    with_curl(site, "mta", MARIA, USER, sent, tmp_path)

    found = fetched(site, USER, "завиток")
    assert without_trace(found) == sent
    assert b" with UTF8SMTP id " in found


@needs("swaks")
def test_swaks(site: Site, tmp_path: Path) -> None:
    """It does not know SMTPUTF8: what it sends without is refused, and what needs nothing is taken as ever."""
    server = f"{site.place.address}:{site.ports['mta']}"
    command = ["swaks", "--server", server, "--helo", "client.example", "--from"]
    said = run([*command, MARIA, "--to", BOB], home=tmp_path, status=23).stdout
    assert b"<** 550 5.6.7 " in said
    said = run([*command, "maria@client.example", "--to", PETER], home=tmp_path, status=24).stdout
    assert b"<** 553 5.6.7 " in said
    run([*command, "maria@xn--e1afmkfd.xn--p1ai", "--to", BOB, "--header", "Subject: swaks"], home=tmp_path)

    assert b" with ESMTP id " in fetched(site, BOB, "swaks")


def test_a_listener_without_it(site: Site) -> None:
    """It is not offered there, and such addresses cannot be said."""
    with session(site, "bare") as client:
        assert client.has_extn("8bitmime") and not client.has_extn("smtputf8")
        client.command_encoding = "utf-8"
        assert client.docmd(f"MAIL FROM:<{MARIA}> SMTPUTF8")[0] == 555
        assert client.docmd(f"MAIL FROM:<{MARIA}>")[0] == 550


# Submission


@pytest.mark.parametrize("user", [PETER, USER])
def test_submission(site: Site, user: str) -> None:
    """Who has such a name logs in by it, sends as himself (RFC 6409 §6.1), and as nobody else."""
    sent = letter(user, BOB, f"от {user}")
    forged = letter(ALICE, BOB, "подделка")
    with login(site, user) as client:
        give(client, user, BOB, sent)
        for sender, content in ((MARIA, sent), (user, forged)):
            with pytest.raises(smtplib.SMTPResponseException) as no:
                give(client, sender, BOB, content)
            assert (no.value.smtp_code, no.value.smtp_error[:5]) == (550, b"5.7.1")

    found = fetched(site, BOB, f"от {user}")
    assert without_trace(found) == sent
    assert b" with UTF8SMTPSA (" in found


# On to others


def taken(end: FarEnd, subject: str) -> tuple[str, bytes]:
    """Wait for a message with *subject* at a host; return its MAIL and RCPT, and the message as it was sent."""
    mark = f"Subject: {subject}\r\n".encode()
    (found,) = until(lambda: [each for each in end.taken if mark in each.octets], 20, f"{subject} to go on")
    lines = [line for number, line in end.commands if number == found.connection]
    return "\n".join(line for line in lines if line.startswith(("MAIL", "RCPT"))), parted(found.octets)[1]


def told(site: Site, user: str, recipient: str) -> tuple[bytes, dsn.Checked]:
    """Wait for the report to *user* about *recipient*; it is without a fault."""
    mark = f"Final-Recipient: {recipient}\r\n".encode()
    (found,) = until(lambda: [each for each in fetch_all(site, user) if mark in each], 20, f"a report on {recipient}")
    report = without_return_path(found)
    return report, dsn.check(report)


def without_return_path(received: bytes) -> bytes:
    """Return a report as it was made: no server has given it to another one."""
    return received.removeprefix(b"Return-Path: <>\r\n")


@pytest.mark.parametrize("name", ["new", "store"])
def test_to_a_host_that_takes_it(site: Site, ends: Mapping[str, FarEnd], name: str) -> None:
    """By SMTP and by LMTP: with both paths and the header as they are."""
    to = f"ольга@{name}.example"
    sent = letter(PETER, to, f"дальше {name}")
    with login(site, PETER) as client:
        give(client, PETER, to, sent)

    commands, content = taken(ends[name], f"дальше {name}")
    assert f"MAIL FROM:<{PETER}> BODY=8BITMIME SMTPUTF8\nRCPT TO:<{to}>" in commands
    assert content == sent


def test_to_a_host_that_needs_none_of_it(site: Site, ends: Mapping[str, FarEnd]) -> None:
    """RFC 6531 §3.4: although MAIL said SMTPUTF8, addresses and header are ASCII, and go anywhere."""
    to = "olga@old.example"
    sent = plain(ALICE, to, "nothing special")
    with login(site, ALICE) as client:
        give(client, ALICE, to, sent)

    commands, content = taken(ends["old"], "nothing special")
    assert "SMTPUTF8" not in commands
    assert content == sent


def test_a_report_to_an_address_of_ascii(site: Site, ends: Mapping[str, FarEnd]) -> None:
    """RFC 6531 §3.2, RFC 6533 §3, §4.5: a host without SMTPUTF8 gets none of it, and alice hears of it in ASCII."""
    to = "ольга@old.example"
    with login(site, ALICE) as client:
        give(client, ALICE, to, letter(ALICE, to, "нельзя"))

    report, checked = told(site, ALICE, r"utf-8; \x{43E}\x{43B}\x{44C}\x{433}\x{430}@old.example")
    assert report.isascii()
    assert checked.only["status"] == " 5.6.7"
    assert f"<{to}>" in checked.text
    assert checked.returned is not None and checked.returned.get_content_type() == "message/global"
    assert not any("нельзя".encode() in each.octets for each in ends["old"].taken)


def test_a_report_on_a_header(site: Site, ends: Mapping[str, FarEnd]) -> None:
    """RFC 6531 §3.2: nor does it get a header that is not ASCII, whoever it is for."""
    with login(site, ALICE) as client:
        give(client, ALICE, "olga@old.example", letter(ALICE, "olga@old.example", "заголовок"))

    _, checked = told(site, ALICE, "rfc822; olga@old.example")
    assert checked.only["status"] == " 5.6.9"
    assert not any("заголовок".encode() in each.octets for each in ends["old"].taken)


def test_a_report_to_an_address_of_other_letters(site: Site) -> None:
    """RFC 6533 §4: in UTF-8, with the types for that."""
    to = "анна@old.example"
    with login(site, PETER) as client:
        give(client, PETER, to, letter(PETER, to, "отчёт"))

    report, checked = told(site, PETER, f"utf-8; {to}")
    assert checked.only["status"] == " 5.6.7"
    assert f"\r\nTo: <{PETER}>\r\n".encode() in report
    assert b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n" in report
    assert b"Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n" in report


def test_a_report_that_goes_on(site: Site, ends: Mapping[str, FarEnd]) -> None:
    """To a sender elsewhere whose address needs it, it is announced by SMTPUTF8 (RFC 6531 §3.4)."""
    sender, to = "ольга@new.example", PETER
    site.cli("alias", "add", f"на-сторону@{DOMAIN}", "анна@old.example")
    with session(site) as client:
        give(client, sender, f"на-сторону@{DOMAIN}", letter(sender, to, "возврат"))

    commands, report = taken(ends["new"], "Your message could not be delivered")
    assert f"MAIL FROM:<> BODY=8BITMIME SMTPUTF8\nRCPT TO:<{sender}>" in commands
    assert dsn.check(report).only["final-recipient"] == f" utf-8; на-сторону@{DOMAIN}"


# Servers of other makes


class Neighbours:
    """Postfix on two hosts, *taking* with SMTPUTF8 and *refusing* without, and a site that sends to both."""

    def __init__(self, hosts: Mapping[str, Host], stack: ExitStack) -> None:
        self.hosts = hosts
        self.postfix: dict[str, Postfix] = {}
        routes = {name: (hosts[name].address, hosts[name].smtp_port) for name in ("taking", "refusing")}
        self.site = Users(options(routes), NAMES, place=hosts["site"])
        relay = f"[{hosts['site'].address}]:{self.site.ports['mta']}"
        for name, enable, users in (("taking", "yes", ["olga", "ольга"]), ("refusing", "no", ["olga"])):
            settings = {"smtputf8_enable": enable, "relayhost": relay, "disable_dns_lookups": "yes"}
            made = Postfix(hosts[name], f"mx.{name}.example", f"{name}.example", users, settings)
            stack.callback(made.close)
            made.start()
            self.postfix[name] = made
        stack.enter_context(self.site)

    def submit(self, sender: str, to: str, sent: bytes) -> None:
        """Send a message of a user's to others."""
        with self.hosts["site"].inside(), login(self.site, sender) as client:
            give(client, sender, to, sent)

    def by(self, name: str) -> smtplib.SMTP:
        """Return a session with a neighbour, to send by it from its own host."""
        host = self.hosts[name]
        with host.inside():
            made = smtplib.SMTP(host.address, host.smtp_port, timeout=30, source_address=(host.address, 0))
        made.ehlo("client.example")
        return made


@pytest.fixture(scope="module")
def neighbours() -> Iterator[Neighbours]:
    """All of them, up."""
    with ExitStack() as stack:
        hosts = stack.enter_context(network(["site", "taking", "refusing"], "site"))
        if not hosts["site"].real:
            pytest.skip("needs network namespaces: Postfix wants the ports of the standards")
        yield Neighbours(hosts, stack)


def kept(postfix: Postfix, user: str, subject: str) -> tuple[list[str], bytes]:
    """Wait for a message with *subject* in a mailbox of Postfix; return its trace, and the rest as it was sent."""
    mark = f"Subject: {subject}\r\n".encode()
    (found,) = until(lambda: [each for each in postfix.on_disk(user) if mark in each], 20, f"{subject} at Postfix")
    return parted(found)


@needs("postfix")
@pytest.mark.parametrize("user", ["olga", "ольга"])
def test_to_postfix(neighbours: Neighbours, user: str) -> None:
    """What we send with SMTPUTF8 lies there as it was."""
    to = f"{user}@taking.example"
    sent = letter(PETER, to, f"почта {user}")
    neighbours.submit(PETER, to, sent)

    hops, content = kept(neighbours.postfix["taking"], user, f"почта {user}")
    assert content == sent
    assert " (Postfix) with UTF8SMTP" in hops[0]


@needs("postfix")
def test_to_postfix_without(neighbours: Neighbours) -> None:
    """It gets what needs nothing of it; of the rest, the sender hears."""
    site, to = neighbours.site, "olga@refusing.example"
    neighbours.submit(ALICE, to, letter(ALICE, to, "не примут"))
    neighbours.submit(ALICE, to, plain(ALICE, to, "taken"))

    assert kept(neighbours.postfix["refusing"], "olga", "taken")[1] == plain(ALICE, to, "taken")
    with neighbours.hosts["site"].inside():
        assert told(site, ALICE, f"rfc822; {to}")[1].only["status"] == " 5.6.9"
    assert "не примут" not in str([each.decode() for each in neighbours.postfix["refusing"].on_disk("olga")])
    results = [(record["result"], record.get("status")) for record in logged(site, "delivery", to=to)]
    assert sorted(result for result, _ in results) == ["delivered", "failed"]


@needs("postfix")
def test_from_postfix(neighbours: Neighbours) -> None:
    """Its client says SMTPUTF8 to us where that is needed."""
    sent = letter("ольга@taking.example", USER, "из постфикса")
    with neighbours.by("taking") as client:
        give(client, "ольга@taking.example", USER, sent)

    with neighbours.hosts["site"].inside():
        found = fetched(neighbours.site, USER, "из постфикса")
    hops, content = parted(found)
    assert content == sent
    assert " with UTF8SMTPS (" in hops[0]


@needs("postfix")
def test_from_postfix_without(neighbours: Neighbours) -> None:
    """To one that does not say it nothing changes: a header is taken as it comes, an address of ASCII as ever."""
    sent = letter("olga@refusing.example", BOB, "без объявления")
    with neighbours.by("refusing") as client:
        assert not client.has_extn("smtputf8")
        assert client.sendmail("olga@refusing.example", [BOB], sent, ["BODY=8BITMIME"]) == {}

    with neighbours.hosts["site"].inside():
        hops, content = parted(fetched(neighbours.site, BOB, "без объявления"))
    assert content == sent
    assert " with ESMTPS (" in hops[0]


_REFUSED = refused()


@pytest.fixture(scope="module")
def exim() -> Iterator[tuple[Site, Exim]]:
    """Exim, as Debian builds it, beside a site that sends to it."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        hosts = stack.enter_context(network(["site", "exim"], "site"))
        routes = {"exim": (hosts["exim"].address, hosts["exim"].smtp_port)}
        site = Users(options(routes), NAMES, place=hosts["site"])
        relay = hosts["site"].address, site.ports["mta"]
        peer = Exim(folder / "exim", hosts["exim"], Authority().issue("mx.exim.example"), relay)
        stack.enter_context(site)
        stack.enter_context(peer)
        yield site, peer


@pytest.mark.skipif(bool(missing("exim") or _REFUSED), reason=missing("exim") or _REFUSED)
def test_exim(exim: tuple[Site, Exim]) -> None:
    """From its client to ours, and the other way."""
    site, peer = exim
    there, back = letter(PETER, "bob@exim.example", "туда"), letter("bob@exim.example", PETER, "обратно")
    with site.place.inside(), login(site, PETER) as client:  # type: ignore[attr-defined]
        give(client, PETER, "bob@exim.example", there)
    until(lambda: any("Subject: туда".encode() in each for each in peer.mail("bob")), 20, "mail at Exim")
    assert [parted(each)[1] for each in peer.mail("bob")] == [there]

    with peer.host.inside():
        client = smtplib.SMTP(peer.host.address, peer.port, timeout=30, source_address=(peer.host.address, 0))
        client.ehlo("client.example")
        give(client, "bob@exim.example", PETER, back)
        client.quit()
    with site.place.inside():  # type: ignore[attr-defined]
        hops, content = parted(fetched(site, PETER, "обратно"))
    assert content == back
    assert " with UTF8SMTPS (" in hops[0]
