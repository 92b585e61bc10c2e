"""Senders are looked up in a real DNS, by the service and by ``mailsuite explain`` alike."""

import json
from collections.abc import Iterator

import pytest

from tests.system.name_server import NameServer
from tests.system.network import Host
from tests.system.ports import free_ports
from tests.system.programs import needs
from tests.system.site import DOMAIN, LISTENERS, Options, Site
from tests.system.test_relay_policy import said, wire

pytestmark = [pytest.mark.system, needs("dnsmasq")]

ALICE = f"alice@{DOMAIN}"
RECORDS = [
    "mx-host=mail.example,mx.mail.example,10",
    "mx-host=null.example,.,0",
    "host-record=host.example,192.0.2.1",
    "txt-record=text.example,nothing else",
]


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    """Return the one that the site asks."""
    server = NameServer(Host("127.0.0.1", 0, free_ports(1)[0], {}))
    server.serve(RECORDS)
    yield server
    server.close()


@pytest.fixture(scope="module")
def site(names: NameServer) -> Iterator[Site]:
    """Serve one where loopback is a stranger, too."""
    options: Options = {
        "smtp": {"verify_sender": "reject"},
        "dns": {"servers": [f"127.0.0.1:{names._host.dns_port}"], "timeout": 0.5, "tries": 1},
        "limits": {"exempt": []},
    }
    with Site(options, users=["alice"], listeners={"mta": LISTENERS["mta"]}) as served:
        yield served


def explained(site: Site, sender: str, to: str) -> str:
    """Return what ``mailsuite explain`` says that the server would answer; it asks DNS itself."""
    done = site.command_line(
        "explain", "rcpt", to, "--from", sender, "--peer", "127.0.0.1", "--json", "--config", str(site.config)
    )
    found: str = json.loads(done.stdout)["reply"]
    return found


@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        ("joe@mail.example", "250 2.1.5 "),
        ("joe@host.example", "250 2.1.5 "),
        ("joe@null.example", "550 5.7.27 "),
        ("joe@text.example", "550 5.1.8 "),
        ("joe@nowhere.example", "550 5.1.8 "),
        ("", "250 2.1.5 "),
        (ALICE, "250 2.1.5 "),
        # The name server refuses to look it up.
        ("joe@elsewhere.invalid", "451 4.4.3 "),
    ],
)
def test_senders_in_dns(site: Site, sender: str, reply: str) -> None:
    """RFC 2505 §2.9; postmaster is reached by all of them."""
    with wire(site) as opened:
        answer = said(opened, sender, ALICE)
        assert answer.startswith(reply)
        assert said(opened, sender, f"postmaster@{DOMAIN}").startswith("250 ")

    assert explained(site, sender, ALICE) == answer
