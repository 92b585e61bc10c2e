"""What the whole service does with mail whose destination asks for TLS: by DANE, by MTA-STS, with the real things.

BIND signs, Unbound validates on the host of the site, and policies come by HTTPS from port 443.
"""

import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mailsuite.certificates import Pair
from tests.system.exchangers import POLICY, PolicyHost, digest, tls
from tests.system.far_end import FarEnd, FarEnds, Taken
from tests.system.messages import message, parted
from tests.system.network import Host, network
from tests.system.programs import root_only
from tests.system.senders import smtp_session
from tests.system.signed_dns import FORGED, MISSING, OPEN, SIGNED, SignedDns
from tests.system.site import DOMAIN, Options, Site, until
from tests.system.story import logged, waiting
from tests.transport.authority import Authority

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    # Port 443.
    root_only,
]

ALICE = f"alice@{DOMAIN}"
# One that is what DNS and policies say, one that has taken its place, one whose STARTTLS is kept from us; and one that
# promises to let no message that needs TLS go without it (RFC 8689).
GOOD, IMPOSTOR, STRIPPED, CAREFUL = "good", "impostor", "stripped", "careful"
# As if somebody had put MX records of his own into the way of the signed ones.
ALTERED = f"altered.{SIGNED}"
# Mail domains with a policy: what its mode is, which host it names, and which the MX records name.
POLICIES = {
    "kept": ("enforce", GOOD, GOOD),
    "misnamed": ("enforce", GOOD, "other"),
    "replaced": ("enforce", IMPOSTOR, IMPOSTOR),
    "hushed": ("enforce", STRIPPED, STRIPPED),
    "trial": ("testing", GOOD, IMPOSTOR),
    "clear": ("testing", GOOD, STRIPPED),
    "cached": ("enforce", GOOD, GOOD),
    "promised": ("enforce", CAREFUL, CAREFUL),
}
# Signed ones, and the host that their MX records name.
DOMAINS = {
    "dane": GOOD,
    "issuer": "issued",
    "moved": IMPOSTOR,
    "mended": IMPOSTOR,
    "downgraded": STRIPPED,
    "forged": "forged",
    "none": "bare",
    "careful": CAREFUL,
}


class World:
    """The site, two zones with exchangers in them, and a policy host."""

    def __init__(self, hosts: Mapping[str, Host], folder: Path, stack: ExitStack) -> None:
        self.hosts = hosts
        root = Authority()
        hosted = (GOOD, IMPOSTOR, STRIPPED, CAREFUL, "issued", "other")
        names = [f"{host}.{zone}" for zone in (SIGNED, OPEN) for host in hosted]
        good = root.issue(*names, above=[root])
        self.context = tls(good, folder)
        self.strange = tls(Authority("Nobody").issue("strange.example"), folder)
        far_ends = stack.enter_context(FarEnds())
        self.ends = {GOOD: _end(self.context), IMPOSTOR: _end(self.strange), STRIPPED: _end()}
        self.ends[CAREFUL] = _end(self.context, "REQUIRETLS")
        for name, end in self.ends.items():
            with hosts[name].inside():
                far_ends.listen(end, address=(hosts[name].address, hosts[name].smtp_port))
        texts = {
            f"mta-sts.{domain}.{OPEN}": POLICY.format(mode=mode, mx=f"{host}.{OPEN}")
            for domain, (mode, host, _) in POLICIES.items()
        }
        with hosts["web"].inside():
            self.web = PolicyHost(tls(root.issue(*texts), folder), texts, (hosts["web"].address, 443))
        stack.callback(self.web.stop)
        # Programs that are started here are those of this host.
        with hosts["site"].inside():
            dns = SignedDns(folder, self._zones(good))
        stack.callback(dns.stop)
        # A policy goes by the issuers of all the world, and those of the machine are here.
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("SSL_CERT_FILE", root.file(folder))
        options: Options = {
            "log": {"format": "json"},
            "dns": {"servers": [f"127.0.0.1:{dns.port}"]},
            "queue": {"retry_first": 1.0, "retry_factor": 1.0},
            "delivery": {"connection_idle": 0.0},
            "routes.signed": {"recipients": [f"none.{SIGNED}"], "tls": "dane"},
        }
        self.site = Site(options, ["alice"], place=hosts["site"])
        stack.enter_context(self.site)

    def _zones(self, good: Pair) -> dict[str, str]:
        addresses = {name: self.hosts[name].address for name in self.ends}
        common = [f"{name} A {address}" for name, address in addresses.items()]
        common += [f"{name} A {addresses[GOOD]}" for name in ("issued", "forged", "other", "bare")]
        port = self.hosts["site"].smtp_port
        signed = [*common, *(f"{domain} MX 10 {host}" for domain, host in DOMAINS.items())]
        # The impostor, too, has the record of the one whose place it has taken.
        signed += [f"_{port}._tcp.{name} TLSA 3 1 1 {digest(good)}" for name in self.ends]
        signed += [f"_{port}._tcp.issued TLSA 2 1 1 {digest(good, 1)}"]
        unsigned = [*common]
        for domain, (_, _, host) in POLICIES.items():
            unsigned += [f"{domain} MX 10 {host}", f'_mta-sts.{domain} TXT "v=STSv1; id=1;"']
            unsigned.append(f"mta-sts.{domain} A {self.hosts['web'].address}")
        return {
            SIGNED: "\n".join(signed),
            OPEN: "\n".join(unsigned),
            FORGED: f"_{port} TLSA 3 1 1 {digest(good)}",
            ALTERED: f"@ MX 10 {GOOD}.{OPEN}.",
        }

    def submit(self, domain: str, user: str = "bob", parameters: tuple[str, ...] = (), field: bytes = b"") -> str:
        """Send a message of alice's to *user* of *domain*, with a *field* before its header; return that address."""
        recipient = f"{user}@{domain}"
        octets = field + message(ALICE, b"for your eyes only\r\n", recipient, recipient)
        with self.hosts["site"].inside(), smtp_session(self.site, "submission", ALICE) as session:
            session.sendmail(ALICE, [recipient], octets, parameters)
        return recipient

    def taken(self, recipient: str) -> list[Taken]:
        """Return what the far ends have taken for *recipient*."""
        return [taken for end in self.ends.values() for taken in end.taken if recipient in taken.recipients]

    def delivered(self, recipient: str) -> str:
        """Wait until mail for *recipient* is delivered; return what TLS the mail log says."""
        found = until(lambda: logged(self.site, "delivery", to=recipient, result="delivered"), 20, "a delivery")
        (taken,) = self.taken(recipient)
        assert b"for your eyes only" in parted(taken.octets)[1]
        text = found[-1].get("tls", "")
        assert taken.encrypted == bool(text)
        return str(text)

    def kept(self, recipient: str) -> dict[str, Any]:
        """Wait until a try for *recipient* came to nothing; return how the queue lists it then."""
        until(lambda: logged(self.site, "delivery", to=recipient, result="deferred"), 20, "a try")

        def listed() -> list[dict[str, Any]]:
            return [each for each in waiting(self.site) if each["recipient"] == recipient and each["last"]]

        (found,) = until(listed, what="the queue to know")
        return found

    def told_of(self, recipient: str) -> bool:
        """Say whether any far end has heard of *recipient*, over TLS or in the clear."""
        return any(recipient in line for end in self.ends.values() for _, line in end.commands)


def _end(context: ssl.SSLContext | None = None, *more: str) -> FarEnd:
    offers = ("PIPELINING", "8BITMIME") if context is None else ("PIPELINING", "8BITMIME", "STARTTLS")
    return FarEnd((*offers, *more), context, rcpt={"later": "450 4.2.1 Not at the moment"})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """All of it, for all tests of this file."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        stack.callback(shutil.rmtree, folder)
        hosts = stack.enter_context(network(["site", "web", GOOD, IMPOSTOR, STRIPPED, CAREFUL], "site"))
        yield World(hosts, folder, stack)


@pytest.mark.parametrize("domain", ["dane", "issuer"])
def test_dane(world: World, domain: str) -> None:
    """Where the certificate or its issuer is what signed TLSA records name, mail goes, and the log says by what."""
    assert world.delivered(world.submit(f"{domain}.{SIGNED}")).endswith(" (DANE)")


def test_a_policy(world: World) -> None:
    """Where a policy is enforced, the host is one that it names and the certificate is good, mail goes."""
    assert world.delivered(world.submit(f"kept.{OPEN}")).endswith(" (MTA-STS)")
    assert f"mta-sts.kept.{OPEN}" in world.web.asked


KEPT = {
    "moved": (f"moved.{SIGNED}", "4.7.5", "that its TLSA records name"),
    "downgraded": (f"downgraded.{SIGNED}", "4.7.4", "STARTTLS"),
    "forged-tlsa": (f"forged.{SIGNED}", "4.4.3", "no answer about its TLS"),
    "altered-mx": (ALTERED, "4.4.3", "No answer about the MX records"),
    "no-tlsa": (f"none.{SIGNED}", "4.7.5", "has no TLSA records"),
    "misnamed": (f"misnamed.{OPEN}", "4.7.5", f"does not name other.{OPEN}"),
    "replaced": (f"replaced.{OPEN}", "4.7.5", "its certificate is not trusted"),
    "hushed": (f"hushed.{OPEN}", "4.7.4", "STARTTLS"),
}


@pytest.mark.parametrize("domain, status, reason", KEPT.values(), ids=KEPT)
def test_mail_that_waits(world: World, domain: str, status: str, reason: str) -> None:
    """Rather than to somebody else, or in the clear, mail goes nowhere; the queue says why, and it is tried again."""
    recipient = world.submit(domain)

    last = world.kept(recipient)["last"]

    assert (last["kind"], last["status"]) == ("deferred", status)
    assert reason in last["reason"]
    assert not world.told_of(recipient)


def test_a_certificate_that_is_put_right(world: World) -> None:
    """What waits for the right certificate goes when it is there."""
    recipient = world.submit(f"mended.{SIGNED}")
    world.kept(recipient)

    world.ends[IMPOSTOR].context = world.context
    try:
        assert world.delivered(recipient).endswith(" (DANE)")
    finally:
        world.ends[IMPOSTOR].context = world.strange


def test_what_is_told_of_mail_that_waits(world: World) -> None:
    """Operators see by what TLS a server said no."""
    entry = world.kept(world.submit(f"dane.{SIGNED}", "later"))

    assert entry["last"]["answer"]["tls"].endswith(" (DANE)")
    told = world.site.cli("queue", "explain", entry["id"]).stdout
    assert "answered 450 4.2.1 Not at the moment, with TLSv1.3 " in told
    assert "(DANE)" in told


def test_a_policy_in_testing(world: World) -> None:
    """It never keeps mail back: not from a host that it does not name, nor where the certificate is a stranger's."""
    said = world.delivered(world.submit(f"trial.{OPEN}"))

    assert "not verified; MTA-STS testing: " in said
    assert f"mta-sts.trial.{OPEN}" in world.web.asked


def test_a_policy_in_testing_and_no_tls(world: World) -> None:
    """Nor where there is no TLS at all."""
    assert world.delivered(world.submit(f"clear.{OPEN}")) == ""
    assert f"mta-sts.clear.{OPEN}" in world.web.asked


@pytest.mark.parametrize("domain", [f"careful.{SIGNED}", f"promised.{OPEN}"])
def test_mail_that_needs_tls(world: World, domain: str) -> None:
    """RFC 8689 §4.2.1: DNSSEC or a policy vouches for the host, and that promises the same."""
    recipient = world.submit(domain, "needs-tls", ("REQUIRETLS",))

    assert world.delivered(recipient).startswith("TLSv1.3")
    commands = [line for _, line in world.ends[CAREFUL].commands if line.startswith("MAIL")]
    assert commands[-1].endswith(" REQUIRETLS")


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        # It promises nothing.
        (f"dane.{SIGNED}", "5.7.30"),
        (f"kept.{OPEN}", "5.7.30"),
        # STARTTLS is kept from us; a certificate is another's.
        (f"downgraded.{SIGNED}", "5.7.10"),
        (f"replaced.{OPEN}", "5.7.10"),
        # Only DNS without a signature says that it is the one, or a policy that is only tried out.
        (f"{CAREFUL}.{OPEN}", "5.7.10"),
        (f"trial.{OPEN}", "5.7.10"),
    ],
)
def test_mail_that_needs_tls_and_cannot_have_it(world: World, domain: str, status: str) -> None:
    """RFC 8689 §4.2.1, §5: its sender is told at once, with the header alone; the host has heard nothing of it."""
    recipient = world.submit(domain, "no-way", ("REQUIRETLS", "RET=FULL"))
    (told,) = until(lambda: logged(world.site, "delivery", to=recipient, result="failed"), 20, "a verdict")
    about = b"\r\nFinal-Recipient: rfc822; %b\r\n" % recipient.encode()
    (report,) = until(lambda: [each for each in world.site.on_disk("alice") if about in each], 20, "a report")

    assert told["status"] == status
    assert b"\r\nStatus: %b\r\n" % status.encode() in report
    assert b"Content-Type: text/rfc822-headers" in report
    assert b"for your eyes only" not in report
    assert not world.told_of(recipient)


@pytest.mark.parametrize("domain", [f"downgraded.{SIGNED}", f"replaced.{OPEN}", f"hushed.{OPEN}"])
def test_mail_that_needs_no_tls(world: World, domain: str) -> None:
    """RFC 8689 §4.2.2: it goes, whatever the domain asks for, over whatever TLS can be had."""
    recipient = world.submit(domain, "any-way", field=b"TLS-Required: No\r\n")
    text = world.delivered(recipient)

    assert text == "" or text.endswith("(not verified)")


def test_a_restart_forgets_no_policy(world: World) -> None:
    """What was fetched holds though its host is gone: the last test, since it stays away."""
    assert world.delivered(world.submit(f"cached.{OPEN}")).endswith(" (MTA-STS)")
    world.site.stop()
    world.web.stop()
    world.ends[GOOD].context = world.strange
    world.site.start()

    recipient = world.submit(f"cached.{OPEN}", "carol")

    assert "its certificate is not trusted" in world.kept(recipient)["last"]["reason"]
    assert not world.told_of(recipient)
    world.ends[GOOD].context = world.context
    assert world.delivered(recipient).endswith(" (MTA-STS)")
    assert world.web.asked.count(f"mta-sts.cached.{OPEN}") == 1
