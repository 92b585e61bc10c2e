"""Every way to log in, with programs that people have, against a site as shipped."""

import poplib
import smtplib
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from tests.system.bound_client import BoundClient
from tests.system.fetchers import fetch_all, pop3_session
from tests.system.messages import message
from tests.system.programs import needs, run
from tests.system.site import DOMAIN, HOSTNAME, LISTENERS, Site, secret, until
from tests.system.token_host import Names, TokenHost, make_certificate

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
TOKEN = "token-of-alice"
CLIENT = ("mail", "s%ecret of:the client")
# One listener that asks for certificates, for both protocols.
ASKING = {
    **LISTENERS,
    "certified": {"service": "submission", "tls": "implicit", "client_certificates": "ask"},
    "certified-pop3": {"service": "pop3", "tls": "implicit", "client_certificates": "ask"},
}
SCRAM = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"]
OFFERED = [*SCRAM, "OAUTHBEARER", "XOAUTH2", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenHost]:
    """An issuer that is asked about tokens (RFC 7662)."""
    issuer = TokenHost(tmp_path_factory.mktemp("issuer"), "mail:s%25ecret+of%3Athe+client", {TOKEN: ALICE})
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    """A name server."""
    names = Names()
    yield names
    names.stop()


@pytest.fixture(scope="module")
def site(issuer: TokenHost, names: Names, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that offers all that there is."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "secret").write_text(CLIENT[1] + "\n")
    make_certificate(folder / "alice.pem", folder / "alice.key", "alice", f"email:{ALICE}")
    printed = run(["openssl", "x509", "-in", folder / "alice.pem", "-noout", "-fingerprint", "-sha256"]).stdout
    (folder / "certificates").write_text(f"# ours\n{printed.decode().strip().partition('=')[2]} {ALICE}\n")
    # gsasl wants a certificate for the name that it connects to.
    make_certificate(folder / "localhost.pem", folder / "localhost.key", "localhost", "DNS:localhost")
    options: dict[str, dict[str, object]] = {
        "certificates.localhost": {
            "certificate": str(folder / "localhost.pem"), "key": str(folder / "localhost.key"),
        },
        "sasl": {
            "secrets": ["scram-sha-256", "scram-sha-1", "cram-md5", "digest-md5"],
            "certificates": str(folder / "certificates"),
            "scram_iterations": 4096,
        },
        "dns": {"servers": [f"127.0.0.1:{names.port}"]},
        "oauth": {
            "introspection": f"{issuer.url}/introspect",
            "client": CLIENT[0],
            "secret_file": str(folder / "secret"),
            "ca_file": str(issuer.certificate),
            "scope": "mail",
        },
    }
    with Site(options, users=["alice", "bob"], listeners=ASKING) as site:
        site.certified = folder  # type: ignore[attr-defined]
        yield site


def logins(site: Site) -> list[str]:
    """Return the lines of the mail log about logins."""
    return [line for line in site.mail_log.splitlines() if " login " in line]


def last_login(site: Site, mechanism: str) -> str:
    """Return the last line about a login; it must be by *mechanism*."""
    line = logins(site)[-1]
    assert f"mechanism={mechanism}" in line, line
    return line


def test_offered(site: Site) -> None:
    """EHLO and CAPA say the same under TLS, and nothing without it; EXTERNAL is for those with a certificate."""
    with smtplib.SMTP("127.0.0.1", site.ports["submission"]) as smtp:
        smtp.ehlo("x")
        assert "auth" not in smtp.esmtp_features
        smtp.starttls(context=site.tls())
        smtp.ehlo("x")
        assert smtp.esmtp_features["auth"].split() == OFFERED
    pop3 = poplib.POP3("127.0.0.1", site.ports["pop3"])
    assert "SASL" not in pop3.capa()
    pop3.stls(context=site.tls())
    assert pop3.capa()["SASL"] == OFFERED
    pop3.quit()
    with smtplib.SMTP_SSL("127.0.0.1", site.ports["certified"], context=certified(site)) as smtp:
        smtp.ehlo("x")
        assert smtp.esmtp_features["auth"].split() == ["EXTERNAL", *OFFERED]


def certified(site: Site) -> ssl.SSLContext:
    """Return a client's context with alice's certificate."""
    context = site.tls()
    folder: Path = site.certified  # type: ignore[attr-defined]
    context.load_cert_chain(folder / "alice.pem", folder / "alice.key")
    return context


@pytest.mark.parametrize("password", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"])
@needs("swaks")
def test_swaks(site: Site, tmp_path: Path, mechanism: str, password: bool) -> None:
    """Each mechanism that swaks has: in with the right password, out with a wrong one."""
    command = ["swaks", "--server", f"127.0.0.1:{site.ports['submission']}", "--from", ALICE, "--to", ALICE, "--tls"]
    command += ["--auth", mechanism, "--auth-user", ALICE, "--quit-after", "AUTH"]
    if mechanism == "DIGEST-MD5":
        command += ["--auth-extra", f"realm={HOSTNAME}"]
    command += ["--auth-password", secret(ALICE) if password else "wrong"]
    run(command, home=tmp_path, status=0 if password else 28)

    assert ("refused=" in last_login(site, mechanism)) == (not password)


@needs("swaks")
def test_swaks_by_what_is_no_standard(site: Site, tmp_path: Path) -> None:
    """Its other mechanisms are of no RFC, and not here: it finds none in common, and whoever tries is told 504."""
    command = ["swaks", "--server", f"127.0.0.1:{site.ports['submission']}", "--from", ALICE, "--to", ALICE, "--tls"]
    command += ["--auth", "CRAM-SHA1", "--auth-user", ALICE, "--auth-password", secret(ALICE), "--quit-after", "AUTH"]
    run(command, home=tmp_path, status=28)
    with smtplib.SMTP_SSL("127.0.0.1", site.ports["submissions"], context=site.tls()) as smtp:
        smtp.ehlo("x")
        for mechanism in ("CRAM-SHA1", "NTLM", "ANONYMOUS"):
            assert smtp.docmd("AUTH", mechanism) == (504, b"5.5.4 Unknown authentication mechanism")


@pytest.mark.parametrize("password", [True, False])
@pytest.mark.parametrize(
    "mechanism", ["plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2"]
)
@needs("msmtp")
def test_msmtp(site: Site, tmp_path: Path, mechanism: str, password: bool) -> None:
    """Each mechanism of msmtp sends a message, or none with a wrong password or token."""
    right = TOKEN if mechanism in ("oauthbearer", "xoauth2") else secret(ALICE)
    lines = [
        "defaults",
        f"tls_trust_file {site.certificate}",
        f"tls_host_override {HOSTNAME}",
        "account default",
        "host 127.0.0.1",
        f"port {site.ports['submissions']}",
        f"from {ALICE}",
        "tls on",
        "tls_starttls off",
        f"auth {mechanism}",
        f"user {ALICE}",
        f"password {right if password else 'wrong'}",
    ]
    write_private(tmp_path / ".msmtprc", lines)
    run(["msmtp", ALICE], given=message(ALICE, b"x\n").replace(b"\r\n", b"\n"), home=tmp_path,
        status=0 if password else 77)

    assert ("refused=" in last_login(site, mechanism.upper())) == (not password)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "OAUTHBEARER"])
@pytest.mark.parametrize("password", [True, False])
@pytest.mark.parametrize("scheme", ["smtps", "pop3s"])
@needs("curl")
def test_curl(site: Site, tmp_path: Path, scheme: str, mechanism: str, password: bool) -> None:
    """Each mechanism of curl, in both protocols."""
    port = site.ports["submissions" if scheme == "smtps" else "pop3s"]
    command = ["curl", "--silent", "--show-error", "--resolve", f"{HOSTNAME}:{port}:127.0.0.1"]
    command += ["--cacert", str(site.certificate), f"{scheme}://{HOSTNAME}:{port}/"]
    if mechanism == "OAUTHBEARER":
        command += ["--user", ALICE, "--oauth2-bearer", TOKEN if password else "wrong"]
    else:
        command += ["--user", f"{ALICE}:{secret(ALICE) if password else 'wrong'}"]
    command += ["--login-options", f"AUTH={mechanism}"]
    if scheme == "smtps":
        command += ["--mail-from", ALICE, "--mail-rcpt", ALICE, "--upload-file", "-"]
    done = run(command, given=message(ALICE, b"x\r\n"), home=tmp_path, status=None)

    assert (done.returncode == 0) == password, done.stderr
    if scheme == "smtps" or not password:
        assert ("refused=" in last_login(site, mechanism)) == (not password)


@pytest.mark.parametrize(
    "mechanism", ["plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2"]
)
@needs("mpop")
def test_mpop(site: Site, tmp_path: Path, mechanism: str) -> None:
    """Each mechanism of mpop fetches mail."""
    right = TOKEN if mechanism in ("oauthbearer", "xoauth2") else secret(ALICE)
    lines = [
        "defaults",
        "account default",
        "host 127.0.0.1",
        f"port {site.ports['pop3s']}",
        "tls on",
        "tls_starttls off",
        f"tls_trust_file {site.certificate}",
        f"tls_host_override {HOSTNAME}",
        f"auth {mechanism}",
        f"user {ALICE}",
        f"password {right}",
        f"delivery mbox {tmp_path}/mbox",
        f"uidls_file {tmp_path}/uidls",
        "keep on",
    ]
    write_private(tmp_path / ".mpoprc", lines)
    session = smtplib.SMTP("127.0.0.1", site.ports["mta"])
    session.sendmail(ALICE, [ALICE], message(ALICE, b"for mpop\r\n", mechanism))
    session.quit()
    run(["mpop", "--quiet"], home=tmp_path)

    assert b"for mpop" in (tmp_path / "mbox").read_bytes()


class Greeted:
    """Passes one connection on to *port*, behind an EHLO of its own: gsasl says STARTTLS without one."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self._server.accept()
        server = socket.create_connection(("127.0.0.1", self._to))
        lines = server.makefile("rb")
        greeting = lines.readline()
        server.sendall(b"EHLO x\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        client.sendall(greeting)
        threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
        self._pass_on(server, client)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while octets := one.recv(65_536):
                other.sendall(octets)
            other.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("password", [True, False])
@pytest.mark.parametrize("mechanism", SCRAM)
@needs("gsasl")
def test_gsasl(site: Site, tmp_path: Path, mechanism: str, password: bool) -> None:
    """GNU SASL binds the channel of its TLS; and without binding it works, too."""
    command = ["gsasl", "--smtp", "--client", "--mechanism", mechanism, "--authentication-id", ALICE]
    command += ["--password", secret(ALICE) if password else "wrong", "--starttls", "--verbose"]
    folder: Path = site.certified  # type: ignore[attr-defined]
    command += ["--x509-ca-file", str(folder / "localhost.pem"), "--service", "smtp", "--hostname", HOSTNAME]
    command += ["--connect", f"localhost:{Greeted(site.ports['submission']).port}"]
    if not mechanism.endswith("-PLUS"):
        command.append("--no-cb")
    done = subprocess.run(command, input=b"QUIT\r\n", capture_output=True, check=False, timeout=60, cwd=tmp_path)

    assert (b"235 2.7.0" in done.stdout + done.stderr) == password, done.stdout + done.stderr
    assert ("refused=" in last_login(site, mechanism)) == (not password)


@pytest.mark.parametrize(
    ("listener", "source", "mechanism", "kind"),
    [
        ("submissions", "127.9.0.1", SCRAM[0], "tls-server-end-point"),
        ("submissions", "127.9.0.2", SCRAM[1], "tls-exporter"),
        ("pop3s", "127.9.0.3", SCRAM[1], "tls-server-end-point"),
        ("pop3s", "127.9.0.4", SCRAM[0], "tls-exporter"),
    ],
)
def test_channel_bindings(site: Site, listener: str, source: str, mechanism: str, kind: str) -> None:
    """Both kinds, in both protocols: with the channel's own one is in, with another's out in spite of the password."""
    smtp = listener == "submissions"
    good, wrong, malformed = ("235 2.7.0 ", "535 5.7.8 ", "501 5.5.2 ") if smtp else ("+OK", "-ERR [AUTH]", "-ERR ")
    client = BoundClient(site.ports[listener], source)
    other = BoundClient(site.ports[listener], source)
    client.answer()
    if smtp:
        client.ask("EHLO client.example")
    own = client.bindings[kind]
    # Who sits between two ends has a connection of its own with each, and a certificate of its own.
    another = other.bindings[kind] if kind == "tls-exporter" else sha256(own).digest()
    assert another != own

    assert client.log_in(ALICE, secret(ALICE), mechanism, "tls-unique", own).startswith(malformed)
    for octets, password in ((another, secret(ALICE)), (own, "wrong")):
        assert client.log_in(ALICE, password, mechanism, kind, octets).startswith(wrong)
        assert "refused=" in last_login(site, mechanism)
    assert client.log_in(ALICE, secret(ALICE), mechanism, kind, own).startswith(good)
    client.close()
    other.close()


def test_a_password_that_is_changed_in_the_course_of_an_exchange(site: Site) -> None:
    """What the client proves then is the old one, and lets nobody in; the new one does."""
    bob, changed, kind = f"bob@{DOMAIN}", "changed-hush-1", "tls-exporter"
    clients = [BoundClient(site.ports["submissions"], f"127.9.0.{number}") for number in (5, 6)]
    for client in clients:
        client.answer()
        client.ask("EHLO client.example")
    old, new = clients

    def change() -> None:
        site.cli("user", "passwd", bob, "--password-stdin", given=changed + "\n")
        until(lambda: new.log_in(bob, changed, SCRAM[0], kind, new.bindings[kind]).startswith("235 2.7.0 "))

    assert old.log_in(bob, secret(bob), SCRAM[0], kind, old.bindings[kind], change).startswith("535 5.7.8 ")
    for client in clients:
        client.close()


def test_smtplib(site: Site) -> None:
    """Python's own, by each mechanism that it has: it takes CRAM-MD5 first."""
    with smtplib.SMTP_SSL("127.0.0.1", site.ports["submissions"], context=site.tls()) as session:
        session.login(ALICE, secret(ALICE))
        last_login(site, "CRAM-MD5")
        with pytest.raises(smtplib.SMTPException):
            session.docmd("AUTH", "PLAIN")
            assert session.docmd("AUTH", "PLAIN")[0] == 503
            raise smtplib.SMTPException


@pytest.mark.parametrize("authorize", ["", ALICE, f"bob@{DOMAIN}"])
def test_external(site: Site, authorize: str) -> None:
    """A certificate of the list logs in as its account, and as nobody else."""
    response = b64encode(authorize.encode()).decode() or "="
    right = authorize != f"bob@{DOMAIN}"
    with smtplib.SMTP_SSL("127.0.0.1", site.ports["certified"], context=certified(site)) as smtp:
        smtp.ehlo("x")
        assert smtp.docmd("AUTH", f"EXTERNAL {response}")[0] == (235 if right else 535)
        assert ("refused=" in last_login(site, "EXTERNAL")) == (not right)
        assert smtp.mail(ALICE)[0] == (250 if right else 530)
    pop3 = poplib.POP3_SSL("127.0.0.1", site.ports["certified-pop3"], context=certified(site))
    if right:
        assert pop3._shortcmd(f"AUTH EXTERNAL {response}").startswith(b"+OK")  # type: ignore[attr-defined]
        assert pop3.stat() == (len(fetch_all_while_locked(site)), pop3.stat()[1])
        pop3.quit()
    else:
        with pytest.raises(poplib.error_proto, match="AUTH"):
            pop3._shortcmd(f"AUTH EXTERNAL {response}")  # type: ignore[attr-defined]
        pop3.close()


def fetch_all_while_locked(site: Site) -> list[bytes]:
    """Return alice's messages as they lie on disk: her maildrop is in use."""
    return site.on_disk("alice") + site.on_disk("alice", "cur")


def test_external_needs_a_certificate(site: Site) -> None:
    """Without one, or where it is not asked for, there is no such mechanism."""
    for listener, context in (("certified", site.tls()), ("submissions", certified(site))):
        with smtplib.SMTP_SSL("127.0.0.1", site.ports[listener], context=context) as smtp:
            smtp.ehlo("x")
            assert "EXTERNAL" not in smtp.esmtp_features["auth"]
            assert smtp.docmd("AUTH", "EXTERNAL =")[0] == 504


@needs("msmtp")
def test_external_with_msmtp(site: Site, tmp_path: Path) -> None:
    """msmtp has it."""
    folder: Path = site.certified  # type: ignore[attr-defined]
    lines = [
        "defaults",
        f"tls_trust_file {site.certificate}",
        f"tls_host_override {HOSTNAME}",
        "account default",
        "host 127.0.0.1",
        f"port {site.ports['certified']}",
        f"from {ALICE}",
        "tls on",
        "tls_starttls off",
        f"tls_cert_file {folder}/alice.pem",
        f"tls_key_file {folder}/alice.key",
        "auth external",
        f"user {ALICE}",
    ]
    write_private(tmp_path / ".msmtprc", lines)
    run(["msmtp", ALICE], given=message(ALICE, b"x\n").replace(b"\r\n", b"\n"), home=tmp_path)
    last_login(site, "EXTERNAL")


def test_users_of_old_get_their_keys(tmp_path: Path) -> None:
    """A site without secrets offers none of these mechanisms until each user has logged in once by the password."""
    options: dict[str, dict[str, object]] = {"sasl": {"secrets": []}}
    with Site(options, users=["alice"]) as site:
        assert mechanisms(site) == ["PLAIN", "LOGIN"]
        assert site.cli("user", "show", ALICE, "--json").stdout
        site.options["sasl"] = {"scram_iterations": 4096}
        site.write_config()
        site.restart()
        assert mechanisms(site) == ["PLAIN", "LOGIN"]
        pop3_session(site, ALICE).quit()
        site.restart()
        assert mechanisms(site) == [*SCRAM, "PLAIN", "LOGIN"]
        fetch_all(site, ALICE)


def mechanisms(site: Site) -> list[str]:
    """Return what EHLO offers."""
    with smtplib.SMTP_SSL("127.0.0.1", site.ports["submissions"], context=site.tls()) as smtp:
        smtp.ehlo("x")
        return smtp.esmtp_features["auth"].split()


def write_private(path: Path, lines: list[str]) -> None:
    """Write what nobody else may read."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
