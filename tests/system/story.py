"""The servers of the story that the suite is for, each on a host of its own, with real DNS between them."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

from tests.system.fetchers import fetch_all
from tests.system.messages import message
from tests.system.name_server import NameServer
from tests.system.network import Host
from tests.system.senders import smtp_session
from tests.system.site import Site, until

HOSTS = ("home", "relay", "backup", "primary", "corp", "dns")
RELAY, BACKUP, PRIMARY, CORP = "relay.isp.example", "mx2.backup.example", "mx1.firm.example", "mx1.corp.example"
ALICE = "alice@isp.example"
# Of firm.example; tests have one each. Whatever is for far.test comes to the last one.
USERS = ("bob", "carol", "dave", "erin", "frank", "far")
FAR = "far@firm.example"
# So often the backup looks whether a primary is back; a try of its own would a message get after 300.
PROBE_SECONDS = 0.5
CONNECT_SECONDS = 1.0
BODY = "Grüße aus Köln\r\n.\r\n..two\r\nFrom here on\r\ntrailing blanks \t\r\n".encode() + b"x" * 900 + b"\r\n"


class World:
    """The relay of a provider, where alice has her mailbox; the primary of a firm; a backup; a name server.

    The backup is also that of corp.example, which has a server of another make.
    """

    def __init__(self, hosts: Mapping[str, Host], stack: ExitStack) -> None:
        self.hosts = hosts
        if hosts["relay"].real:
            _let_any_address_be_bound(hosts["relay"])
        self.dns = NameServer(hosts["dns"])
        stack.callback(self.dns.close)
        self.know()
        self.primary = Site(_options(), USERS, place=hosts["primary"], hostname=PRIMARY, domain="firm.example")
        smtp = {"etrn_peers": _seen_as(hosts["primary"])}
        queue = {"probe_interval": PROBE_SECONDS, "connect_timeout": CONNECT_SECONDS}
        options = _options(queue=queue, smtp=smtp)
        self.backup = Site(options, place=hosts["backup"], hostname=BACKUP, domain="backup.example")
        queue = {"retry_first": 1.0, "retry_factor": 1.0, "connect_timeout": CONNECT_SECONDS}
        options = _options(queue=queue, delivery={"connection_idle": 0.0}, dns={"timeout": 0.5, "tries": 2})
        self.relay = Site(options, ["alice"], place=hosts["relay"], hostname=RELAY, domain="isp.example")
        self.sites = (self.primary, self.backup, self.relay)
        for site in self.sites:
            stack.callback(site.discard)
            site.make()
        self._introduce()
        for site in self.sites:
            stack.enter_context(site)

    def _introduce(self) -> None:
        """Let the backup know who is at the firm, as the manual says."""
        self.primary.cli("domain", "add", "far.test", "--catch-all", FAR)
        for domain in ("firm.example", "corp.example", "self.example"):
            self.backup.cli("domain", "add", domain, "--class", "backup")
        file = str(self.primary.root / "firm.list")
        said = self.primary.cli("backup-mx", "export", "firm.example", "--output", file).stdout
        key = re.search(r'key = "(.*)"', said)
        assert key is not None
        self.backup.options['backups."firm.example"'] = {"key": key[1]}
        self.backup.write_config()
        assert "Recipients of firm.example" in self.backup.cli("backup-mx", "import", file).stdout

    # DNS

    def know(self, *more: str) -> None:
        """Let the name server know *more* besides what it always knows, until the next call."""
        self.dns.serve([*self._records(), *more])

    def _records(self) -> list[str]:
        names = {RELAY: "relay", BACKUP: "backup", PRIMARY: "primary", CORP: "corp", "www.backup.example": "backup"}
        records = []
        for name, host in names.items():
            records.append(f"host-record={name},{self.hosts[host].address}")
            # The server of another make has IPv4 only.
            if self.hosts[host].ipv6 and host != "corp":
                records[-1] += f",{self.hosts[host].ipv6}"
        for domain, primary in (("firm.example", PRIMARY), ("corp.example", CORP)):
            records += [f"mx-host={domain},{primary},10", f"mx-host={domain},{BACKUP},20"]
        return [*records, f"mx-host=isp.example,{RELAY},10", "mx-host=self.example,www.backup.example,10"]

    # Mail

    def submit(self, recipient: str, subject: str) -> bytes:
        """Send a message of alice's, and return it."""
        sent = message(ALICE, BODY, subject, recipient)
        with self.hosts["home"].inside(), smtp_session(self.relay, "submission", ALICE) as session:
            session.sendmail(ALICE, [recipient], sent)
        return sent

    def fetch(self, user: str, subject: str) -> bytes:
        """Wait for a message to *user* of the firm, and fetch it by POP3; there must be one with *subject*."""
        field = f"\r\nSubject: {subject}\r\n".encode()
        until(lambda: any(field in whole for whole in self.primary.on_disk(user)), 20, f"mail for {user}")
        with self.hosts["home"].inside():
            (whole,) = [each for each in fetch_all(self.primary, self.primary.address(user)) if field in each]
        return whole

    def report(self, recipient: str) -> "Message[str, str]":
        """Wait for a report to alice about *recipient*, and return what it says of it."""
        (found,) = until(lambda: list(self._reports(recipient)), 20, f"a report about {recipient}")
        return found

    def _reports(self, recipient: str) -> "Iterator[Message[str, str]]":
        for whole in self.relay.on_disk("alice"):
            for part in message_from_bytes(whole, EmailMessage, policy=policy.default).walk():
                if str(part["Final-Recipient"]).replace(" ", "") == f"rfc822;{recipient}":
                    yield part

    def mend(self) -> None:
        """Let everything be as it is at first."""
        self.hosts["primary"].join()
        self.know()
        for site in self.sites:
            if site.process is None:
                site.start()


def waiting(site: Site) -> list[dict[str, Any]]:
    """Return what is in the queue, as ``mailsuite queue list`` tells it."""
    found: list[dict[str, Any]] = json.loads(site.cli("queue", "list", "--json").stdout)
    return found


def done(site: Site) -> None:
    """Wait until nothing is in the queue."""
    until(lambda: not waiting(site), what=f"{site.hostname} to be done")


def logged(site: Site, kind: str, **wanted: object) -> list[dict[str, Any]]:
    """Return the records of *kind* in the mail log that have what is *wanted*."""
    records = [json.loads(line) for line in site.mail_log.splitlines()]
    return [each for each in records if each["kind"] == kind and wanted.items() <= _hashable(each)]


def _let_any_address_be_bound(host: Host) -> None:
    """Set *host* up as machines are between which an address wanders: what can be bound need not be its own."""
    with host.inside():
        for settings in Path("/proc/sys/net").glob("ipv?/ip_nonlocal_bind"):
            settings.write_text("1")


def _seen_as(host: Host) -> list[str]:
    """Return the addresses from which programs on *host* come."""
    if not host.real:
        return ["127.0.0.1"]
    return [host.address, host.ipv6] if host.ipv6 else [host.address]


def _hashable(record: dict[str, Any]) -> set[tuple[str, Any]]:
    return {(key, value) for key, value in record.items() if not isinstance(value, list)}


def _options(**tables: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    return {"log": {"format": "json"}, **tables}
