"""Nobody relays through a site: the tricks that everybody tries, nmap's own; and what rules of the policy change."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailsuite.cli import main
from tests.system.programs import needs
from tests.system.site import DOMAIN, HOSTNAME, LISTENERS, Options, Site, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
STRANGER = "127.0.0.1"
PRINTER = "127.0.7.20"
SPAMMER = "127.0.66.6"
# Senders and recipients of which nothing may come: the classic list, and all that nmap tries is among them.
SENDERS = ["bob@elsewhere.example", "", ALICE, f"postmaster@{HOSTNAME}", "spam@[127.0.0.1]", "spam@localhost"]
TRICKS = [
    "victim@elsewhere.example",
    "victim%elsewhere.example@" + DOMAIN,
    "victim%elsewhere.example@" + HOSTNAME,
    "victim%elsewhere.example@[127.0.0.1]",
    "victim%elsewhere.example@passed.example",
    '"victim%elsewhere.example"',
    '"victim@elsewhere.example"',
    f'"victim@elsewhere.example"@{DOMAIN}',
    f'"victim@elsewhere.example"@{HOSTNAME}',
    '"victim@elsewhere.example"@[127.0.0.1]',
    '"victim@elsewhere.example"@passed.example',
    f"victim@elsewhere.example@{DOMAIN}",
    "victim@elsewhere.example@[127.0.0.1]",
    f"@{DOMAIN}:victim@elsewhere.example",
    f"@{HOSTNAME},@{DOMAIN}:victim@elsewhere.example",
    "@[127.0.0.1]:victim@elsewhere.example",
    "elsewhere.example!victim",
    f"elsewhere.example!victim@{DOMAIN}",
    "elsewhere.example!victim@[127.0.0.1]",
    "elsewhere.example!victim@passed.example",
    f"{DOMAIN}!elsewhere.example!victim@{HOSTNAME}",
    "victim@[127.0.0.1]",
    "victim@[IPv6:::1]",
    "alice@[127.0.0.1]",
    "victim@localhost",
    "victim@127.0.0.1",
    f"victim@elsewhere.{DOMAIN}",
    f"victim@{DOMAIN}.elsewhere.example",
    f"victim@{DOMAIN}.",
    f'"victim@elsewhere.example"%{DOMAIN}@{DOMAIN}',
    f"victim&elsewhere.example@{DOMAIN}",
    f"victim#elsewhere.example@{DOMAIN}",
    f"victim=elsewhere.example@{DOMAIN}",
    f"victim\\@elsewhere.example@{DOMAIN}",
    f"SRS0=AAAAAA=AA=elsewhere.example=victim@{HOSTNAME}",
    "postmaster@elsewhere.example",
    "",
]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve one site; peers come from addresses of loopback of their own."""
    options: Options = {
        "limits": {"errors": 1000, "unknown_recipients": 1000},
        "deny.spammers": {"peers": [SPAMMER], "senders": [".spam.example"], "helos": ["ylmf-pc"], "file": "denied"},
        "relay.printers": {
            "networks": ["127.0.7.0/24"], "senders": [f"scanner@{DOMAIN}"], "hourly_recipients": 3,
        },
    }  # fmt: skip
    listeners = {"mta": LISTENERS["mta"], "submission": LISTENERS["submission"]}
    site = Site(options, users=["alice"], listeners=listeners)
    site.make()
    (site.folder / "denied").write_text("recipient old@example.test 550 5.1.6 She has left\n")
    site.cli("domain", "add", "passed.example", "--class", "relay")
    with site:
        yield site


def wire(site: Site, source: str = STRANGER, helo: str = "client.example") -> Wire:
    """Return a connection that is greeted."""
    opened = Wire(site.ports["mta"], source=source)
    opened.reply(220)
    opened.ask(b"EHLO " + helo.encode(), 250)
    return opened


def said(opened: Wire, sender: str, to: str) -> str:
    """Return what is answered to RCPT, or to MAIL where that is refused."""
    opened.ask(b"RSET", 250)
    opened.send(f"MAIL FROM:<{sender}>\r\n".encode())
    answer = opened.answer()
    if answer.startswith(b"250"):
        opened.send(f"RCPT TO:<{to}>\r\n".encode())
        answer = opened.answer()
    return answer.decode()


def test_the_tricks(site: Site) -> None:
    """RFC 2505 §2.1, §2.6: each is refused for good, whoever is said to send; what is ours is taken from all."""
    with wire(site) as opened:
        for sender in SENDERS:
            for to in TRICKS:
                assert said(opened, sender, to).startswith("5"), (sender, to)
            for to in (ALICE, "anybody@passed.example", "postmaster"):
                assert said(opened, sender, to) == "250 2.1.5 Recipient OK"


@pytest.mark.parametrize("sender", ["", ALICE])
def test_explain_says_what_the_server_says(site: Site, sender: str) -> None:
    """To each trick, to what is ours, and to who is listed."""
    with wire(site) as opened, wire(site, PRINTER) as printer, wire(site, SPAMMER) as spammer:
        cases = [(opened, STRANGER, to) for to in [*TRICKS, ALICE, "postmaster", "anybody@passed.example"]]
        cases += [(printer, PRINTER, "bob@elsewhere.example"), (spammer, SPAMMER, ALICE)]
        for connection, peer, to in cases:
            arguments = ["rcpt", to, "--from", sender, "--peer", peer, "--helo", "client.example", "--json"]
            done = CliRunner().invoke(main, ["explain", *arguments, "--config", str(site.config)])
            assert json.loads(done.output)["reply"] == said(connection, sender, to), (to, done.output)


@needs("nmap")
def test_nmap_finds_no_open_relay(site: Site) -> None:
    """Its script tries all that it knows."""
    port = str(site.ports["mta"])
    arguments = f"smtp-open-relay.domain=elsewhere.example,smtp-open-relay.ip={STRANGER}"
    done = subprocess.run(
        ["nmap", "-Pn", "-n", "-sT", "-p", port, "--script", "+smtp-open-relay", "--script-args", arguments, STRANGER],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert "Server doesn't seem to be an open relay, all tests failed" in done.stdout, done.stdout


def test_a_rule_lets_a_printer_send(site: Site) -> None:
    """From the sender that it names, up to its limit; the log tells of it."""
    with wire(site, PRINTER) as opened:
        assert said(opened, ALICE, "bob@elsewhere.example") == "550 5.7.1 We do not relay"
        for _ in range(3):
            assert said(opened, f"scanner@{DOMAIN}", "bob@elsewhere.example") == "250 2.1.5 Recipient OK"
        assert said(opened, f"scanner@{DOMAIN}", "bob@elsewhere.example").startswith("450 4.7.1 ")
    with wire(site) as opened:
        assert said(opened, f"scanner@{DOMAIN}", "bob@elsewhere.example") == "550 5.7.1 We do not relay"

    assert until(lambda: len(re.findall(r"rules=relay\.printers", site.mail_log)) == 4, what="the lines of the log")


def test_the_story_of_a_message(site: Site) -> None:
    """From the id in our answer to the end."""
    with wire(site) as opened:
        assert said(opened, "bob@elsewhere.example", ALICE).startswith("250 ")
        opened.ask(b"RCPT TO:<nobody@example.test>", 550)
        opened.ask(b"DATA", 354)
        found = re.search(rb"\[(.*)\]", opened.ask(b"Subject: hello\r\n\r\nHello.\r\n.", 250))
    assert found is not None
    identity = found[1].decode()

    done = CliRunner().invoke(main, ["explain", "message", identity, "--config", str(site.config)])

    assert done.exit_code == 0, done.output
    assert "It came in from client.example (127.0.0.1), in the clear, by the service mta." in done.output
    assert f"it was for {ALICE}" in done.output
    assert "Refused within it: 550 5.1.1 <nobody@example.test>." in done.output
    assert f"The answer at its end was: 250 2.0.0 Accepted [{identity}]." in done.output
    assert "It is not in the queue" in done.output


def test_what_is_denied(site: Site) -> None:
    """Peers, names, senders, recipients; not the null sender, and postmaster is reached by everybody."""
    refusal = "550 5.7.1 Refused by the policy of this site"
    with wire(site, SPAMMER) as opened:
        assert said(opened, "bob@elsewhere.example", ALICE) == refusal
        assert said(opened, "bob@elsewhere.example", f"postmaster@{DOMAIN}") == "250 2.1.5 Recipient OK"
    with wire(site, helo="YLMF-PC") as opened:
        assert said(opened, "", ALICE) == refusal
    with wire(site) as opened:
        assert said(opened, "eve@mx.spam.example", ALICE) == refusal
        assert said(opened, "", ALICE) == "250 2.1.5 Recipient OK"
        assert said(opened, "bob@elsewhere.example", f"OLD@{DOMAIN}") == "550 5.1.6 She has left"

    line = r'smtp .*peer=127\.0\.66\.6 .*refused="550 5\.7\.1 <alice@example\.test>" rules=deny\.spammers '
    assert until(lambda: re.search(line, site.mail_log), what="the line of the log")


def test_a_list_is_read_anew(site: Site) -> None:
    """At SIGHUP, in open sessions, too; one that cannot be used changes nothing, and twistd's log says why."""
    path: Path = site.folder / "denied"
    with wire(site) as opened:
        path.write_text("sender bob@elsewhere.example 451 4.7.1 Later\n")
        site.hang_up()
        until(lambda: said(opened, "bob@elsewhere.example", ALICE) == "451 4.7.1 Later", what="the new list")
        path.write_text("sender bob@elsewhere.example\nfrom eve@elsewhere.example\n")
        site.hang_up()
        until(lambda: "denied:2: expected one of peer, helo, sender, recipient" in site.log, what="the complaint")
        assert said(opened, "bob@elsewhere.example", ALICE) == "451 4.7.1 Later"
