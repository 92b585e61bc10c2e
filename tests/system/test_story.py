"""The founding story: a client, its relay, DNS, a primary that is down, its backup, POP3; and what may go wrong.

Postfix, dnsmasq and the users' programs are the real ones.
"""

import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from email import message_from_bytes
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import pytest

from tests.system.fetchers import with_mpop
from tests.system.messages import message, parted
from tests.system.network import SILENT, SILENT_IPV6, network
from tests.system.ports import free_ports
from tests.system.postfix import Postfix
from tests.system.programs import needs, root_only, run
from tests.system.senders import smtp_session, with_msmtp, with_swaks
from tests.system.site import until
from tests.system.story import (
    ALICE,
    BACKUP,
    BODY,
    CONNECT_SECONDS,
    CORP,
    HOSTS,
    PRIMARY,
    PROBE_SECONDS,
    RELAY,
    World,
    done,
    logged,
    waiting,
)
from tests.system.wire import Wire

pytestmark = [pytest.mark.system, needs("dnsmasq")]

BOB = "bob@firm.example"
HELO = "client.example"
_HOP = re.compile(r"Received: from (\S+) .*?by (\S+) .*?with (E?SMTP\w*) ")


@pytest.fixture(scope="module")
def _world() -> Iterator[World]:
    with network(HOSTS, "dns") as hosts, ExitStack() as stack:
        yield World(hosts, stack)


@pytest.fixture
def world(_world: World) -> World:
    """All servers up, as they are at first."""
    _world.mend()
    return _world


@pytest.fixture(scope="module")
def _postfix(_world: World) -> Iterator[Postfix]:
    if not _world.hosts["corp"].real:
        pytest.skip("needs network namespaces: Postfix wants the ports of the standards")
    deferred = "check_recipient_access inline:{later@corp.example=defer}"
    settings = {
        "smtpd_recipient_restrictions": f"permit_mynetworks, reject_unauth_destination, {deferred}",
        "virtual_alias_maps": "inline:{gone@corp.example=vanished@firm.example}",
    }
    postfix = Postfix(_world.hosts["corp"], CORP, "corp.example", ["rob", "sue", "later"], settings)
    yield postfix
    postfix.close()


@pytest.fixture
def postfix(_postfix: Postfix) -> Postfix:
    """The server of corp.example, up; it always puts off what is for later."""
    if not _postfix.running:
        _postfix.start()
    return _postfix


def path(fields: Sequence[str]) -> list[tuple[str, ...]]:
    """Return who gave the message to whom, and how, in the order in which it went; all of it over TLS."""
    assert all("TLSv1.3" in field for field in fields), fields
    hops = [_HOP.match(field) for field in reversed(fields)]
    return [() if hop is None else hop.groups() for hop in hops]


def rcpt(world: World, *recipients: str) -> list[str]:
    """Return the codes with which the backup answers to *recipients*."""
    home, backup = world.hosts["home"], world.backup
    with home.inside(), Wire(backup.ports["mta"], 15, home.address, backup.place.address) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        answers = []
        for recipient in recipients:
            wire.send(b"RCPT TO:<%s>\r\n" % recipient.encode())
            answers.append(wire.answer().decode()[:9])
        return answers


# The story


@needs("swaks", "mpop")
def test_the_story(world: World, tmp_path: Path) -> None:
    """The primary is down; the backup keeps the mail and forwards it soon after; POP3 gives it once, unaltered."""
    world.primary.stop()
    with world.hosts["home"].inside():
        sent = with_swaks(world.relay, "submission", ALICE, BOB, message(ALICE, BODY, "story", BOB), tmp_path)
    until(lambda: logged(world.backup, "put_off", destination="firm.example"), what="the backup's first try")
    (delivery,) = until(lambda: logged(world.relay, "delivery", to=BOB), what="the relay to turn to the backup")
    assert (delivery["result"], delivery["host"]) == ("delivered", BACKUP)
    assert re.match(r"TLSv1\.3 TLS_\w+ \(not verified", delivery["tls"])
    (entry,) = waiting(world.backup)
    assert (entry["recipient"], entry["destination"]) == (BOB, "firm.example")
    # It may be about to look whether the primary is back.
    assert entry["state"] in ("waiting", "claimed")

    world.primary.start()
    # A try of its own would come after 300 seconds.
    until(lambda: world.primary.on_disk("bob"), 15, "the backup to forward it")

    with world.hosts["home"].inside():
        (whole,) = with_mpop(world.primary, "pop3s", BOB, tmp_path, True)
    fields, rest = parted(whole)
    assert rest == sent
    assert path(fields) == [(HELO, RELAY, "ESMTPSA"), (RELAY, BACKUP, "ESMTPS"), (BACKUP, PRIMARY, "ESMTPS")]
    # The backup, which the MX records name too, has tried the primary and nobody else, as often as it was told.
    for each in logged(world.backup, "put_off", destination="firm.example"):
        assert PRIMARY in each["why"]
        assert BACKUP not in each["why"]
        assert each["seconds"] <= PROBE_SECONDS
    for site in world.sites:
        assert len([each for each in logged(site, "smtp") if each["to"] == [BOB]]) == 1
        done(site)
    assert world.primary.on_disk("bob") == []


@needs("postfix", "msmtp")
@root_only
def test_the_story_with_a_primary_of_another_make(world: World, postfix: Postfix, tmp_path: Path) -> None:
    """The same where nobody publishes a list: what the primary once said of its recipients holds while it is down."""
    rob, sue, nobody = "rob@corp.example", "sue@corp.example", "nobody@corp.example"
    assert rcpt(world, rob, nobody) == ["250 2.1.5", "550 5.1.1"]
    postfix.stop()
    # It was never asked about sue: one who may be there is taken.
    assert rcpt(world, rob, nobody, sue) == ["250 2.1.5", "550 5.1.1", "250 2.1.5"]
    with world.hosts["home"].inside():
        sent = with_msmtp(world.relay, "submission", ALICE, rob, message(ALICE, BODY, "corp", rob), tmp_path)
    until(lambda: logged(world.backup, "put_off", destination="corp.example"), what="the backup's first try")

    postfix.start()
    (whole,) = until(lambda: postfix.on_disk("rob"), 15, "the backup to forward it")

    fields, rest = parted(whole)
    assert rest == sent
    helo = _HOP.match(fields[-1])
    assert helo is not None
    assert path(fields) == [(helo[1], RELAY, "ESMTPSA"), (RELAY, BACKUP, "ESMTPS"), (BACKUP, CORP, "ESMTPS")]
    done(world.backup)
    assert len(postfix.on_disk("rob")) == 1


@needs("fetchmail")
def test_etrn(world: World, tmp_path: Path) -> None:
    """The primary, back again, asks for its mail: it comes at once, however seldom the backup would look."""
    world.primary.stop()
    often = world.backup.options["queue"]
    world.backup.options["queue"] = {**often, "probe_interval": 3600.0}
    world.backup.write_config()
    world.backup.restart()
    try:
        sent = world.submit("carol@firm.example", "etrn")
        until(lambda: any(each["seconds"] > 200 for each in logged(world.backup, "put_off")), what="the first try")
        world.primary.start()
        etrn = ["fetchmail", "--protocol", "ETRN", "--fetchdomains", "firm.example", "--nosyslog"]
        port = str(world.backup.ports["mta"])
        with world.hosts["primary"].inside():
            run([*etrn, "--service", port, world.backup.place.address], home=tmp_path)
        fields, rest = parted(world.fetch("carol", "etrn"))
    finally:
        world.backup.options["queue"] = often
        world.backup.write_config()
        world.backup.restart()
    assert rest == sent
    assert len(fields) == 3


def test_unknown_recipient(world: World) -> None:
    """The backup refuses whom the primary would refuse: its peer tells the sender, and it has nothing to return."""
    world.primary.stop()
    nobody = "nobody@firm.example"
    assert rcpt(world, nobody, BOB) == ["550 5.1.1", "250 2.1.5"]

    world.submit(nobody, "unknown")

    report = world.report(nobody)
    assert (report["Action"], report["Status"], report["Remote-MTA"]) == ("failed", "5.1.1", f"dns; {BACKUP}")
    assert not logged(world.backup, "delivery", to=ALICE)
    assert waiting(world.backup) == []


def test_a_backup_of_nobody(world: World) -> None:
    """MX records that lead to the backup alone, be it by another name, end in a report and not in a loop."""
    world.submit("somebody@self.example", "self")

    report = world.report("somebody@self.example")
    assert (report["Action"], report["Status"]) == ("failed", "5.4.6")
    # The relay has done its part.
    (delivery,) = until(lambda: logged(world.relay, "delivery", to="somebody@self.example"))
    assert (delivery["result"], delivery["host"]) == ("delivered", "www.backup.example")
    done(world.backup)


@pytest.mark.parametrize("silent, user", [(False, "dave"), (True, "erin")], ids=["no power", "firewall"])
def test_a_primary_that_is_cut_off(world: World, silent: bool, user: str) -> None:
    """Nothing comes back from the primary's host, not even a refusal: mail goes to the backup, and comes later."""
    primary = world.hosts["primary"]
    primary.cut_off(silent)
    recipient = f"{user}@firm.example"
    sent = world.submit(recipient, "cut off")
    (delivery,) = until(lambda: logged(world.relay, "delivery", to=recipient), 20, "the relay to turn to the backup")
    assert (delivery["result"], delivery["host"]) == ("delivered", BACKUP)
    assert delivery["delay"] >= CONNECT_SECONDS

    primary.join()

    fields, rest = parted(world.fetch(user, "cut off"))
    assert rest == sent
    assert len(fields) == 3


# Others


@needs("postfix")
@root_only
def test_mail_from_another_make(world: World, postfix: Postfix) -> None:
    """Postfix finds us by DNS and sends over the TLS that we offer."""
    rob, frank = "rob@corp.example", "frank@firm.example"
    sent = message(rob, BODY, "by Postfix", frank)
    with postfix.host.inside(), smtplib.SMTP(postfix.host.address, postfix.host.smtp_port, HELO, 30) as session:
        session.sendmail(rob, [frank], sent)
    fields, rest = parted(world.fetch("frank", "by Postfix"))
    assert rest == sent
    assert len(fields) == 2
    assert path(fields[:1]) == [(CORP, PRIMARY, "ESMTPS")]
    assert f"TLS connection established to {PRIMARY}[" in postfix.log


@needs("postfix")
@root_only
def test_forwarded_mail_comes_back(world: World, postfix: Postfix) -> None:
    """An alias of the firm leads to Postfix, which sees a sender of the firm's; what it returns reaches alice.

    A wrong one is refused, and what the firm's own users send keeps its sender.
    """
    list_, rob, gone = "forward@firm.example", "rob@corp.example", "gone@corp.example"
    world.primary.cli("alias", "add", list_, rob, gone)
    world.submit(list_, "forwarded")

    copy = until(lambda: [each for each in postfix.on_disk("rob") if b"Subject: forwarded" in each], 20)[0]
    sender = message_from_bytes(copy)["Return-Path"]
    assert re.fullmatch(rf"<SRS0=\w{{6}}=\w\w=isp\.example=alice@{PRIMARY}>", sender)
    assert message_from_bytes(copy)["Delivered-To"] in (list_, rob)
    # Postfix takes what is for gone, and finds nobody where that leads.
    returned = world.report("vanished@firm.example")
    assert returned["Action"] == "failed"
    assert returned["Original-Recipient"] == f"rfc822;{list_}"
    (back,) = until(lambda: [each for each in logged(world.primary, "smtp") if each["to"] == [sender.strip("<>")]])
    assert back["from"] == ""
    until(lambda: logged(world.primary, "delivery", to=ALICE, result="delivered"), what="the log to tell it")
    # A new secret makes new addresses, and the old ones lead back as before.
    world.primary.cli("srs", "rotate")
    world.primary.hang_up()
    world.submit(list_, "forwarded again")
    again = until(lambda: [each for each in postfix.on_disk("rob") if b"Subject: forwarded again" in each], 20)[0]
    assert message_from_bytes(again)["Return-Path"] != sender
    local = sender.strip("<>").partition("@")[0]
    with world.hosts["home"].inside(), smtp_session(world.primary, "mta", "") as session:
        session.ehlo(HELO)
        session.mail("")
        assert session.rcpt(f"{local}@{PRIMARY}")[0] == 250
        assert session.rcpt(f"{local[:-1]}x@{PRIMARY}")[1] == b"5.1.1 No return address: it was not made here"


@needs("postfix")
@root_only
def test_what_tls_it_was(world: World, postfix: Postfix) -> None:
    """Of a message that waits, too, the queue and the mail log tell what TLS the other server was spoken to with."""
    later = "later@corp.example"
    world.submit(later, "later")
    (record, *_) = until(lambda: logged(world.relay, "delivery", to=later), what="a first try")
    assert (record["result"], record["status"], record["host"]) == ("deferred", "4.7.1", CORP)
    tls = record["tls"]
    assert re.match(r"TLSv1\.3 TLS_\w+ \(not verified", tls)
    (entry,) = waiting(world.relay)
    assert entry["last"]["answer"]["tls"] == tls
    for command in ("show", "explain"):
        assert tls in " ".join(world.relay.cli("queue", command, entry["id"]).stdout.split())
    # Not while it is being tried.
    remove = ["queue", "remove", entry["id"], "--yes", "--config", str(world.relay.config)]
    until(lambda: world.relay.command_line(*remove).returncode == 0, what="it to be removed")


# Where DNS leads: all of far.test comes to one mailbox at the primary

TO_PRIMARY = f"mx-host=far.test,{PRIMARY},10"


def arrives(world: World, recipient: str, sent: bytes) -> dict[str, Any]:
    """Fail unless what was *sent* to *recipient* comes, once; return what the relay has logged of it."""
    assert parted(world.fetch("far", recipient))[1] == sent
    (delivery,) = until(lambda: logged(world.relay, "delivery", to=recipient, result="delivered"))
    return delivery


@pytest.mark.parametrize("trouble", ["refused", "servfail", "silent", "down"])
def test_dns_trouble(world: World, trouble: str) -> None:
    """While DNS does not say where to, mail waits; when it does, it goes."""
    recipient = f"{trouble}@far.test"
    here = world.hosts["dns"].address
    if trouble == "silent":
        world.know(f"server=/far.test/{here}#9")
    elif trouble == "servfail":
        # A zone that should be signed, and is not.
        (port,) = free_ports(1)
        anchors = [f"trust-anchor={zone},1,13,2,{'0' * 64}" for zone in (".", "far.test")]
        world.know("dnssec", *anchors, f"server=/far.test/{here}#{port}")
        world.dns.serve_beneath(port, ["local=/far.test/", TO_PRIMARY])
    elif trouble == "down":
        world.dns.stop()
    sent = world.submit(recipient, recipient)
    (deferral, *_) = until(lambda: logged(world.relay, "delivery", to=recipient), what="a first try")
    assert (deferral["result"], deferral["status"]) == ("deferred", "4.4.3")
    assert [entry["recipient"] for entry in waiting(world.relay)] == [recipient]

    world.know(TO_PRIMARY)

    arrives(world, recipient, sent)


def test_an_alias_of_an_exchanger(world: World) -> None:
    """MX records must not name an alias (RFC 2181 §10.3); one that does is gone along with."""
    world.know("mx-host=far.test,mail.far.example,10", f"cname=mail.far.example,{PRIMARY}")
    sent = world.submit("alias@far.test", "alias@far.test")

    assert arrives(world, "alias@far.test", sent)["host"] == "mail.far.example"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_no_exchanger(world: World, family: str) -> None:
    """Without MX records the domain's own address counts, of either kind."""
    primary = world.hosts["primary"]
    address = primary.address if family == "ipv4" else primary.ipv6
    if not address:
        pytest.skip("no IPv6 here")
    world.know("local=/far.test/", f"host-record=far.test,{address}")
    sent = world.submit(f"{family}@far.test", f"{family}@far.test")

    assert arrives(world, f"{family}@far.test", sent)["host"] == "far.test"


def test_an_exchanger_with_dead_addresses(world: World) -> None:
    """All addresses of a host are tried before the message is put off."""
    primary = world.hosts["primary"]
    dead = [SILENT, SILENT_IPV6] if primary.ipv6 else [SILENT]
    if not primary.real:
        # Refused there.
        dead = [world.hosts["dns"].address]
    records = [f"host-record=mail.far.example,{address}" for address in (*dead, primary.address)]
    world.know("mx-host=far.test,mail.far.example,10", *records)
    sent = world.submit("dead@far.test", "dead@far.test")

    delivery = arrives(world, "dead@far.test", sent)
    assert delivery["delay"] >= (len(dead) * CONNECT_SECONDS if primary.real else 0)
    assert not logged(world.relay, "delivery", to="dead@far.test", result="deferred")


def test_more_exchangers_than_a_datagram_holds(world: World) -> None:
    """The best of them is found all the same: DNS is asked again over TCP."""
    others = [f"mx-host=far.test,nowhere{number}.far.example,50" for number in range(60)]
    world.know(*others, TO_PRIMARY, *others)
    server = world.hosts["dns"]
    with world.hosts["home"].inside():
        asked = dns.message.make_query("far.test", "MX", use_edns=0, payload=1232)
        assert dns.query.udp(asked, server.address, 5, server.dns_port).flags & dns.flags.TC
    sent = world.submit("many@far.test", "many@far.test")

    assert arrives(world, "many@far.test", sent)["host"] == PRIMARY


@pytest.mark.parametrize(
    "recipient, records, status",
    [
        ("null@far.test", ["dns-rr=far.test,15,000000"], "5.1.10"),
        ("somebody@missing.example", [], "5.1.2"),
        ("private@far.test", ["local=/far.test/", "host-record=far.test,198.51.100.25"], "5.4.4"),
    ],
    ids=["null MX", "no such domain", "not public"],
)
def test_nowhere_to_go(world: World, recipient: str, records: Sequence[str], status: str) -> None:
    """Where DNS says that no mail can go there, the sender finds a report in the mailbox."""
    if status == "5.4.4" and not world.hosts["relay"].real:
        pytest.skip("needs network namespaces: loopback is not public either")
    world.know(*records)
    world.submit(recipient, "nowhere")

    report = world.report(recipient)
    assert (report["Action"], report["Status"]) == ("failed", status)
