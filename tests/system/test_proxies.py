"""Proxies before our listeners: HAProxy's PROXY protocol, Postfix's XCLIENT, by the programs that speak them."""

import smtplib
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.messages import message
from tests.system.ports import free_ports, listens
from tests.system.programs import needs, run
from tests.system.site import DOMAIN, Options, Site, secret, until
from tests.system.story import logged

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
CAROL = "carol@elsewhere.example"
# Where HAProxy connects from, and where its clients do.
PROXY, CLIENT = "127.0.0.1", "127.0.0.9"
LISTENERS = {
    "mta": {"service": "mta", "tls": "starttls"},
    "submissions": {"service": "submission", "tls": "implicit"},
    "pop3": {"service": "pop3", "tls": "starttls"},
    "pop3s": {"service": "pop3", "tls": "implicit"},
    "lmtp": {"service": "lmtp"},
}
OPTIONS: Options = {"log": {"format": "json"}}
_HAPROXY = """\
global
  log stderr local0
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
"""


class Proxied(Site):
    """A site that takes `PROXY` for a proxy on every listener."""

    def __init__(self) -> None:
        proxies: Options = {f"listen.{name}": {"proxy": [PROXY]} for name in LISTENERS}
        super().__init__({**OPTIONS, **proxies}, ["alice"], listeners=LISTENERS)


@pytest.fixture(scope="module")
def site() -> Iterator[Proxied]:
    """Serve it."""
    with Proxied() as site:
        yield site


@contextmanager
def haproxy(site: Site, send: str) -> Iterator[dict[str, int]]:
    """Run HAProxy before each listener of *site*; give its ports by their names."""
    ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
    text = _HAPROXY
    for name, port in ports.items():
        text += f"listen {name}\n  bind 127.0.0.1:{port}\n  source {PROXY}\n"
        text += f"  server ours 127.0.0.1:{site.ports[name]} {send} check\n"
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(text)
        config.flush()
        process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-q", "-f", config.name], stderr=subprocess.DEVNULL)
        try:
            until(lambda: all(listens(port) for port in ports.values()), 20, "HAProxy to listen")
            yield ports
        finally:
            process.terminate()
            process.wait(20)


def subjects(site: Site) -> list[str]:
    """Return the subjects of alice's mail."""
    return [each.split(b"Subject: ", 1)[1].split(b"\r\n", 1)[0].decode() for each in site.on_disk("alice")]


@needs("haproxy")
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_haproxy(site: Proxied, send: str) -> None:
    """On every service and before TLS, the client's address is what the trace and the log have."""
    with haproxy(site, send) as ports:
        with smtplib.SMTP("127.0.0.1", ports["mta"], source_address=(CLIENT, 0), timeout=20) as client:
            client.starttls(context=site.tls())
            assert client.sendmail(CAROL, [ALICE], message(CAROL, b"x\r\n", f"{send}-mta")) == {}
        with smtplib.SMTP_SSL(
            "127.0.0.1", ports["submissions"], source_address=(CLIENT, 0), timeout=20, context=site.tls()
        ) as client:
            client.login(ALICE, secret(ALICE))
            assert client.sendmail(ALICE, [ALICE], message(ALICE, b"x\r\n", f"{send}-submissions")) == {}
        for name, tls in (("pop3", None), ("pop3s", site.tls())):
            assert _pop3(ports[name], tls).count(b"+OK") == 2
    for whole in site.on_disk("alice"):
        assert f"([{CLIENT}])".encode() in whole.split(b"\r\n\r\n", 1)[0]
    assert {f"{send}-mta", f"{send}-submissions"} <= set(subjects(site))
    for kind in ("smtp", "login"):
        assert {(each["peer"], each["via"]) for each in logged(site, kind)} == {(CLIENT, PROXY)}


def _pop3(port: int, tls: ssl.SSLContext | None) -> bytes:
    """Return what a POP3 server says to QUIT."""
    with socket.create_connection(("127.0.0.1", port), 20, (CLIENT, 0)) as plain:
        client = plain if tls is None else tls.wrap_socket(plain)
        with client:
            client.sendall(b"QUIT\r\n")
            said = b""
            while piece := client.recv(1000):
                said += piece
    return said


@needs("curl")
@pytest.mark.parametrize("scheme", ["smtp", "smtps", "pop3s"])
def test_curl(site: Proxied, tmp_path: Path, scheme: str) -> None:
    """Its --haproxy-protocol is a proxy's words about itself."""
    service = {"smtp": "mta", "smtps": "submissions", "pop3s": "pop3s"}[scheme]
    (tmp_path / "message").write_bytes(message(ALICE, b"x\r\n", f"curl-{scheme}"))
    command = ["curl", "--silent", "--show-error", "--haproxy-protocol", "--cacert", str(site.certificate)]
    command += ["--connect-to", f"::127.0.0.1:{site.ports[service]}", f"{scheme}://{site.hostname}/"]
    if scheme != "smtp":
        command += ["--user", f"{ALICE}:{secret(ALICE)}"]
    if scheme != "pop3s":
        command += ["--mail-from", ALICE, "--mail-rcpt", ALICE, "--upload-file", str(tmp_path / "message")]
    run(command)

    if scheme != "pop3s":
        assert f"curl-{scheme}" in subjects(site)


@needs("swaks")
@pytest.mark.parametrize(
    ("version", "family", "source"),
    [("1", "TCP4", "192.0.2.77"), ("1", "TCP6", "2001:db8::77"), ("2", "AF_INET", "192.0.2.78")],
)
def test_swaks_proxy(site: Proxied, version: str, family: str, source: str) -> None:
    """Any address that it claims."""
    destination = "2001:db8::25" if ":" in source else "192.0.2.25"
    command = ["swaks", "--server", f"127.0.0.1:{site.ports['mta']}", "--from", CAROL, "--to", ALICE]
    command += ["--proxy-version", version, "--proxy-family", family, "--proxy-source", source]
    command += ["--proxy-source-port", "4711", "--proxy-dest", destination, "--proxy-dest-port", "25"]
    run(command)

    assert logged(site, "smtp", peer=source, via=PROXY)


def test_who_does_not_say_for_whom(site: Proxied) -> None:
    """A listed proxy must send its header; who is not listed must not, and is served as itself."""
    port = site.ports["mta"]
    with socket.create_connection(("127.0.0.1", port), 20, (PROXY, 0)) as client:
        client.sendall(b"EHLO client.example\r\n")
        assert _heard(client) == b""
    line = f"PROXY TCP4 192.0.2.1 127.0.0.1 4711 {port}\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 20, (CLIENT, 0)) as client:
        client.sendall(line + b"QUIT\r\n")
        said = client.makefile("rb").read()
    assert [each[:3] for each in said.splitlines()] == [b"220", b"500", b"221"]
    assert f"[listen.mta] {PROXY}, which is listed as a proxy, sent no PROXY header" in site.log


def _heard(client: socket.socket) -> bytes:
    try:
        return client.recv(100)
    except ConnectionResetError:
        return b""


@needs("swaks")
def test_swaks_xclient() -> None:
    """Postfix's XCLIENT from a listed peer: a client with an address, a name, a login; not from others."""
    options: Options = {**OPTIONS, "smtp": {"xclient_peers": ["127.0.0.1"]}}
    listeners = {"mta": {"service": "mta"}, "submission": {"service": "submission", "tls": "starttls"}}
    with Site(options, ["alice"], listeners=listeners) as site:
        address = ["--xclient-addr", "192.0.2.77", "--xclient-name", "there.example", "--xclient-port", "4711"]
        hello = ["--xclient-helo", "there.example", "--xclient-proto", "ESMTP", "--xclient-delim"]
        command = ["swaks", "--server", f"127.0.0.1:{site.ports['mta']}", "--from", CAROL, "--to", ALICE]
        run([*command, *hello, *address])
        run([*command, "--xclient-addr", "IPV6:2001:db8::77"])
        run([*command, "--local-interface", CLIENT, *address], status=None)
        command[2] = f"127.0.0.1:{site.ports['submission']}"
        command[4] = ALICE
        run([*command, "--xclient-login", ALICE, *address])

        assert b"Received: from " in site.on_disk("alice")[0]
        found = [(each["service"], each["peer"], each["via"], each.get("login")) for each in logged(site, "smtp")]
        assert found == [
            ("mta", "192.0.2.77", "127.0.0.1", None),
            ("mta", "2001:db8::77", "127.0.0.1", None),
            ("submission", "192.0.2.77", "127.0.0.1", ALICE),
        ]
        assert [each["mechanism"] for each in logged(site, "login")] == ["XCLIENT"]
