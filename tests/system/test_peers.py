"""Mail to and from servers of other makes, octet for octet: Exim, OpenSMTPD, Postfix, Sendmail, Dovecot."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import pytest

from tests.system.messages import message, parted, same, samples, subject_of
from tests.system.name_server import NameServer
from tests.system.network import Host, network
from tests.system.peers.dovecot import LMTP_PORT, Dovecot
from tests.system.peers.exim import Exim
from tests.system.peers.opensmtpd import OpenSMTPD
from tests.system.peers.peer import PEOPLE, Peer, domain, hostname
from tests.system.peers.postfix import Postfix
from tests.system.peers.sendmail import Sendmail
from tests.system.programs import needs
from tests.system.quarters import refused
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Options, Site, until
from tests.system.story import logged, waiting
from tests.system.unpacked import PACKAGES, missing
from tests.transport.authority import Authority

_REFUSED = refused()
pytestmark = [
    pytest.mark.system,
    needs("dnsmasq"),
    pytest.mark.skipif(bool(_REFUSED), reason=f"no mail server can have mounts of its own: {_REFUSED}"),
]

ALICE = f"alice@{DOMAIN}"
# Nobody of that name is anywhere.
GHOST = "ghost"
EXCHANGERS: Mapping[str, type[Peer]] = {peer.name: peer for peer in (Exim, OpenSMTPD, Postfix, Sendmail)}
PEERS: Mapping[str, type[Peer]] = {**EXCHANGERS, Dovecot.name: Dovecot}
# Those with which TLS can be had: see OpenSMTPD.
ENCRYPTING = sorted(set(EXCHANGERS) - {OpenSMTPD.name})
# How each says that there is no such mailbox.
REFUSALS = {
    "exim": "550 Unknown user",
    "opensmtpd": "550 Invalid recipient: <ghost@opensmtpd.example>",
    "postfix": "550 5.1.1 <ghost@postfix.example>: Recipient address rejected: User unknown in local recipient table",
    "sendmail": "550 5.1.1 <ghost@sendmail.example>... User unknown",
}


class World:
    """Our site, a name server with the exchangers of all peers, and an issuer of certificates that the site trusts."""

    def __init__(self, hosts: Mapping[str, Host], folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        self.issuer = Authority()
        self.dns = NameServer(hosts["dns"])
        records = [f"host-record={hostname(name)},{hosts[name].address}" for name in EXCHANGERS]
        self.dns.serve([*records, *(f"mx-host={domain(name)},{hostname(name)},10" for name in EXCHANGERS)])
        store = {"recipients": [domain("dovecot")], "host": hosts["dovecot"].address, "port": LMTP_PORT}
        options: Options = {
            "log": {"format": "json"},
            "delivery": {"ca_file": self.issuer.file(folder)},
            "routes.encrypting": {"recipients": [domain(name) for name in ENCRYPTING], "tls": "verify"},
            "routes.store": {"protocol": "lmtp", **store},
        }
        self.site = Site(options, ["alice", *PEOPLE], place=hosts["site"])

    @contextmanager
    def peer(self, name: str) -> Iterator[Peer]:
        """Run the peer *name*."""
        relay = self.hosts["site"].address, self.site.ports["mta"]
        pair = self.issuer.issue(hostname(name))
        with PEERS[name](self.folder / name, self.hosts[name], pair, relay) as peer:
            yield peer

    def submit(self, sent: list[bytes], *recipients: str) -> None:
        """Send messages of alice's over one connection."""
        with self.hosts["site"].inside(), smtp_session(self.site, "submission", ALICE) as session:
            for each in sent:
                assert session.sendmail(ALICE, recipients, each, ["BODY=8BITMIME"]) == {}

    def deliveries(self, recipient: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for *count* deliveries to *recipient*, at least, and return what the mail log says of them."""
        what = f"deliveries to {recipient}"
        until(lambda: len(logged(self.site, "delivery", to=recipient)) >= count, 30, what)
        return logged(self.site, "delivery", to=recipient)

    def report(self, recipient: str) -> "Message[str, str]":
        """Wait for a report to alice about *recipient*, and return what it says of it."""
        (found,) = until(lambda: list(self._reports(recipient)), 20, f"a report about {recipient}")
        return found

    def _reports(self, recipient: str) -> "Iterator[Message[str, str]]":
        for whole in self.site.on_disk("alice"):
            for part in message_from_bytes(whole, EmailMessage, policy=policy.default).walk():
                if str(part["Final-Recipient"]).replace(" ", "") == f"rfc822;{recipient}":
                    yield part


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """All that there is once."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        world = World(stack.enter_context(network(["site", "dns", *PEERS], "dns")), folder)
        stack.callback(world.dns.close)
        stack.enter_context(world.site)
        yield world


def _parts(name: str) -> pytest.MarkDecorator:
    if name not in PACKAGES:
        return needs(name)
    return pytest.mark.skipif(bool(missing(name)), reason=missing(name))


@pytest.fixture(scope="module", params=[pytest.param(name, marks=_parts(name)) for name in EXCHANGERS])
def peer(request: pytest.FixtureRequest, world: World) -> Iterator[Peer]:
    """One peer after the other."""
    with world.peer(request.param) as peer:
        yield peer


def letters(sender: str) -> list[bytes]:
    """Return messages that are hard to carry, and one of 1 MiB."""
    line = b"0123456789 abcdefghijklmnopqrstuvwxyz .,;- ABCDEFGHIJKLMNOPQRSTUV\r\n"
    return [*samples(sender)[:-1], message(sender, line * (1024 * 1024 // len(line)), "one MiB")]


def as_sent(messages: list[bytes]) -> list[bytes]:
    """Return messages without what servers have put before them."""
    return [parted(each)[1] for each in messages]


def mail(peer: Peer, user: str, subject: str) -> list[bytes]:
    """Wait for mail with *subject*, and return it as it was sent."""
    until(lambda: any(subject_of(each) == subject for each in peer.mail(user)), 20, f"mail for {user}")
    return as_sent([each for each in peer.mail(user) if subject_of(each) == subject])


def news(site: Site, user: str, before: int, count: int) -> list[bytes]:
    """Wait until *user* has *count* messages, at least, more than the *before* that there were; return these."""
    until(lambda: len(site.on_disk(user)) >= before + count, 30, f"mail for {user}")
    return site.on_disk(user)[before:]


def test_to_a_peer(world: World, peer: Peer) -> None:
    """What we send lies in the mailbox there unaltered, and has gone over verified TLS where the peer is able to."""
    sent = letters(ALICE)
    world.submit(sent, f"bob@{peer.domain}")

    records = world.deliveries(f"bob@{peer.domain}", len(sent))
    until(lambda: len(peer.mail("bob")) >= len(sent), 30, "mail at the peer")

    same(as_sent(peer.mail("bob")), sent)
    assert [record["result"] for record in records] == ["delivered"] * len(sent)
    assert {record["host"] for record in records} == {peer.hostname}
    if peer.name in ENCRYPTING:
        assert all("(verified)" in record["tls"] for record in records)


def test_in_a_set_time(world: World, peer: Peer) -> None:
    """DELIVERBY (RFC 2852): only Sendmail promises it, and takes such mail; what is for the others comes back."""
    recipient = f"bob@{peer.domain}"
    before = len(world.deliveries(recipient, 0))
    with world.hosts["site"].inside(), smtp_session(world.site, "submission", ALICE) as session:
        assert session.sendmail(ALICE, [recipient], message(ALICE, b"soon\r\n", "in time"), ["BY=3600;R"]) == {}
    record = world.deliveries(recipient, before + 1)[-1]

    if peer.name == Sendmail.name:
        assert record["result"] == "delivered"
        assert len(mail(peer, "bob", "in time")) == 1
    else:
        assert (record["result"], record["status"]) == ("failed", "5.3.3")


def test_to_several_people(world: World, peer: Peer) -> None:
    """One message for three people there goes over in one transaction, once to each of them."""
    sent = message(ALICE, b"for all of you\r\n", "to three")
    addresses = [f"{user}@{peer.domain}" for user in PEOPLE]
    world.submit([sent], *addresses)

    # The last of them has had no mail before.
    (last,) = world.deliveries(addresses[-1])
    records = logged(world.site, "delivery", id=last["id"])

    assert [mail(peer, user, "to three") for user in PEOPLE] == [[sent]] * len(PEOPLE)
    assert [record["to"] for record in records] == addresses
    # They have one answer, with the id that the peer has given to the message.
    assert {record["reply"] for record in records} == {last["reply"]}


def test_whom_a_peer_does_not_know(world: World, peer: Peer) -> None:
    """Alice is told in the peer's own words; who is known gets the message all the same."""
    sent = message(ALICE, b"for one of you\r\n", "to one")
    world.submit([sent], f"carol@{peer.domain}", f"{GHOST}@{peer.domain}")

    told = world.report(f"{GHOST}@{peer.domain}")

    assert mail(peer, "carol", "to one") == [sent]
    assert (told["Action"], told["Status"]) == ("failed", "5.1.1")
    assert told["Remote-MTA"] == f"dns; {peer.hostname}"
    assert " ".join(told["Diagnostic-Code"].split()) == f"smtp; {REFUSALS[peer.name]}"


def test_from_a_peer(world: World, peer: Peer) -> None:
    """What its sendmail command is given lies in the mailbox here unaltered, once for each recipient, over TLS."""
    sender = f"bob@{peer.domain}"
    sent = [each for each in letters(sender) if subject_of(each) not in peer.rewrites]
    several = message(sender, b"to all of you\r\n", "from one to three")
    before = {user: len(world.site.on_disk(user)) for user in ("alice", *PEOPLE)}
    for each in sent:
        peer.send(sender, [ALICE], each)
    peer.send(sender, [f"{user}@{DOMAIN}" for user in PEOPLE], several)

    got = news(world.site, "alice", before["alice"], len(sent))

    same(as_sent(got), sent)
    assert all(" with ESMTPS (TLSv1.3 " in parted(each)[0][0] for each in got)
    for user in PEOPLE:
        assert as_sent(news(world.site, user, before[user], 1)) == [several]


def test_in_chunks(world: World, peer: Peer) -> None:
    """RFC 3030: who offers CHUNKING gets no DATA from us, and Exim sends by BDAT to us; nothing is altered."""
    sent = message(ALICE, b".\r\n" + b"dots need no care\r\n" * 20_000 + b".\r\n", "chunks")
    back = message(f"bob@{peer.domain}", b".\r\n" + b"nor do these\r\n" * 20_000, "chunks back")
    before = len(world.site.on_disk("bob"))
    world.submit([sent], f"bob@{peer.domain}")
    peer.send(f"bob@{peer.domain}", [f"bob@{DOMAIN}"], back)

    assert mail(peer, "bob", "chunks") == [sent]
    assert as_sent(news(world.site, "bob", before, 1)) == [back]
    for logs in peer.chunks:
        until(lambda logs=logs: re.search(logs, peer.log()), 20, f"{logs} in the peer's log")  # type: ignore[misc]


def test_whom_a_peer_asks_for_in_vain(world: World, peer: Peer) -> None:
    """We refuse at RCPT; the peer tells its own user in our words."""
    sender = f"dave@{peer.domain}"
    peer.send(sender, [f"{GHOST}@{DOMAIN}"], message(sender, b"hello?\r\n"))

    about = f"{GHOST}@{DOMAIN}".encode()
    (told,) = until(lambda: [each for each in peer.mail("dave") if about in each], 20, "a report at the peer")

    assert b"No such mailbox" in told
    assert b"5.1.1" in told


@_parts("dovecot")
def test_to_a_mail_store(world: World) -> None:
    """By LMTP each recipient has an answer of its own: one gets the message, one cannot now, one is not there."""
    sent = message(ALICE, b"by LMTP\r\n.\r\n", "to a store")
    with world.peer("dovecot") as store:
        # Her mailbox belongs to somebody else.
        store.quarters.make("var/home/carol", "dave", 0o700)
        world.submit([sent], *(f"{user}@{store.domain}" for user in ("bob", "carol", GHOST)))

        told = world.report(f"{GHOST}@{store.domain}")
        (taken,) = world.deliveries(f"bob@{store.domain}")
        (put_off,) = world.deliveries(f"carol@{store.domain}")

        assert mail(store, "bob", "to a store") == [sent]
    assert (told["Action"], told["Status"]) == ("failed", "5.1.1")
    assert (taken["result"], put_off["result"]) == ("delivered", "deferred")
    assert put_off["reply"].startswith("451 ")
    waits = [each["recipient"] for each in waiting(world.site) if each["destination"] == "route:store"]
    assert waits == [f"carol@{store.domain}"]
