"""How the server starts, whom it runs as, and what it says when it cannot."""

import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.fetchers import fetch_all
from tests.system.load import Load, digest
from tests.system.messages import message, without_trace
from tests.system.ports import free_ports
from tests.system.programs import root_only
from tests.system.senders import smtp_session
from tests.system.site import BIN, DOMAIN, HOSTNAME, NotStarted, Options, Place, Site, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
OWNER = "nobody"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def site() -> Iterator[Site]:
    """Make a site that is not served yet."""
    site = Site(users=["alice"])
    try:
        site.make()
        yield site
        if site.process is not None:
            site.stop()
    finally:
        site.discard()


@pytest.fixture(scope="module")
def _made() -> Iterator[Site]:
    site = Site()
    try:
        site.make()
        yield site
    finally:
        site.discard()


@pytest.fixture
def spoilt(_made: Site) -> Iterator[Site]:
    """Give a site that is not served, for a test to spoil; it is mended afterwards."""
    names = ("mailsuite.toml", "accounts.sqlite", "cert.pem", "key.pem")
    whole = {name: (_made.folder / name).read_bytes() for name in names}
    yield _made
    for name, octets in whole.items():
        (_made.folder / name).write_bytes(octets)


def refusal(site: Site) -> str:
    """Return what twistd says when it does not serve *site*; nobody should have to read a traceback for it."""
    with pytest.raises(NotStarted) as caught:
        site.start()
    assert site.process is not None
    assert site.process.returncode == 1
    site.process = None
    text = str(caught.value)
    assert "Traceback" not in text
    assert not (site.folder / "running").exists()
    return text


# Root


@root_only
def test_refuses_to_serve_as_root() -> None:
    """Root without a user to become, and without allow_root, is refused with both ways out."""
    site = Site(options={"": {"allow_root": False}})
    try:
        site.make()
        text = refusal(site)
    finally:
        site.discard()
    assert "does not serve as root" in text
    assert "--uid" in text
    assert "allow_root = true" in text


@pytest.fixture(scope="module")
def dropped() -> Iterator[Site]:
    """Serve, as another user, a site with a port that only root can bind and a key that only root can read."""
    site = Site(users=["alice"], owner=OWNER)
    site.ports["mta"] = free_ports(1, 600, 1000)[0]
    try:
        site.make()
        os.chown(site.folder / "key.pem", 0, 0)
        site.start()
        yield site
        site.stop()
        site.check_logs()
    finally:
        site.discard()


@pytest.fixture
def site_of_certbot() -> Iterator[Site]:
    """Serve, as another user, a site whose certificate lies as certbot lays it."""
    site = Site(owner=OWNER)
    live = site.root / "live" / "mx"
    site.options = {"tls": {"certificate": f"{live}/fullchain.pem", "key": f"{live}/privkey.pem"}}
    try:
        site.make()
        for folder in ("live", "archive"):
            (site.root / folder / "mx").mkdir(parents=True)
            (site.root / folder).chmod(0o700)
        put_into_certbot(site, 1)
        site.start()
        yield site
        site.stop()
    finally:
        site.discard()


def put_into_certbot(site: Site, number: int) -> None:
    """Put the *number*-th pair into the archive, and let the links lead there."""
    pair = site.folder if number == 1 else make_pair(site)
    for name, kept, mode in (("fullchain", "cert", 0o644), ("privkey", "key", 0o640)):
        file, link = site.root / f"archive/mx/{name}{number}.pem", site.root / f"live/mx/{name}.pem"
        file.write_bytes((pair / f"{kept}.pem").read_bytes())
        file.chmod(mode)
        link.with_suffix(".new").symlink_to(f"../../archive/mx/{file.name}")
        link.with_suffix(".new").rename(link)


@root_only
def test_drops_root(dropped: Site) -> None:
    """With --uid a low port is bound, and then no trace of root is left in the process."""
    owner = pwd.getpwnam(OWNER)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{dropped.pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["Uid"].split() == [str(owner.pw_uid)] * 4
    assert status["Gid"].split() == [str(owner.pw_gid)] * 4
    assert set(status["Groups"].split()) <= {str(owner.pw_gid)}
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    with smtp_session(dropped, "mta", ALICE) as session:
        session.sendmail(ALICE, [ALICE], message(ALICE, b"by a low port\r\n"))
    (path,) = (dropped.maildir("alice") / "new").iterdir()
    assert path.stat().st_uid == owner.pw_uid
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with smtp_session(dropped, "submissions", ALICE) as session:
        session.sendmail(ALICE, [ALICE], message(ALICE, b"with a password\r\n"))
    assert len(fetch_all(dropped, ALICE)) == 2


def warned(site: Site, path: Path) -> str:
    """Return the commands by which, as the start has said, *path* could be read."""
    found = re.search(rf"{path} cannot be read any more .* to mend it: (.*)", site.log)
    assert found is not None, site.log
    return found[1]


@root_only
def test_unreadable_key_is_told(dropped: Site) -> None:
    """A key that the service user cannot re-read gives a warning; doing what it says mends it."""
    key = dropped.folder / "key.pem"
    subprocess.run(warned(dropped, key), shell=True, check=True, cwd=dropped.root)
    before = certificate(dropped)
    replace_pair(dropped)
    os.chown(key, 0, pwd.getpwnam(OWNER).pw_gid)
    key.chmod(0o640)
    until(lambda: certificate(dropped) != before, 10, "the new certificate")


@root_only
def test_unreadable_key_is_mended_after_its_renewal(dropped: Site) -> None:
    """Doing so later, when a new pair already lies there unread, brings that in without a signal."""
    key, before = dropped.folder / "key.pem", certificate(dropped)
    shutil.rmtree(make_pair(dropped))
    replace_pair(dropped)
    os.chown(key, 0, 0)
    key.chmod(0o600)
    refused = f"the old one stays: {key} cannot be read: Permission denied; what allows it, as root: chgrp "
    until(lambda: refused in dropped.log, 10, "the refusal")
    subprocess.run(warned(dropped, key), shell=True, check=True, cwd=dropped.root)
    until(lambda: certificate(dropped) != before, 10, "the new certificate")


@root_only
def test_keys_in_the_folders_of_certbot_are_told(site_of_certbot: Site) -> None:
    """Links lead from one folder of root's own to another: start and check name all that is in the way at once."""
    site, live = site_of_certbot, site_of_certbot.root / "live"
    checked = site.cli("check").stdout
    for name in ("fullchain.pem", "privkey.pem"):
        command = warned(site, live / "mx" / name)
        assert f"{live / 'mx' / name} cannot be read after root is dropped" in checked
        assert command in checked
        subprocess.run(command, shell=True, check=True, cwd=site.root)
    assert "cannot be read" not in site.cli("check").stdout
    before = certificate(site)
    put_into_certbot(site, 2)
    os.chown(site.root / "archive/mx/privkey2.pem", 0, pwd.getpwnam(OWNER).pw_gid)
    until(lambda: certificate(site) != before, 10, "the new certificate")
    site.stop()
    site.start()
    assert site.log.count("cannot be read any more") == 2


@root_only
def test_commands_work_as_the_owner(dropped: Site) -> None:
    """Commands that root runs on the site leave everything to its owner, and the server reads it."""
    dropped.cli("user", "add", f"carol@{DOMAIN}", "--password-stdin", given="hush-carol\n")
    dropped.cli("alias", "add", f"all@{DOMAIN}", f"carol@{DOMAIN}")
    dropped.cli("domain", "add", "other.example")
    owner = pwd.getpwnam(OWNER)
    for path in dropped.folder.rglob("*"):
        if path.name not in ("cert.pem", "key.pem", "mailsuite.toml"):
            assert path.stat().st_uid == owner.pw_uid, path
    with smtp_session(dropped, "mta", ALICE) as session:
        session.sendmail(ALICE, [f"all@{DOMAIN}"], message(ALICE, b"to all\r\n"))
    assert len(dropped.on_disk("carol")) == 1


class Narrow(Place):
    """Where a process has few descriptors unless it asks for more."""

    def command(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        """Return what runs the command *arguments* there."""
        return ["sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh", *arguments]


def test_more_ports_than_descriptors_at_first() -> None:
    """The service takes as many descriptors as it may have before it binds."""
    (port,) = free_ports(1)
    endpoints = [f"tcp:{port}:interface=127.0.0.{host}" for host in range(1, 81)]
    options: Options = {"listen.many": {"service": "mta", "endpoint": endpoints}}
    with Site(options=options, place=Narrow(), listeners={}) as site:
        for host in (1, 80):
            with Wire(port, address=f"127.0.0.{host}") as wire:
                wire.reply(220)
        assert "127.0.0.80" in site.log


# What is wrong


@pytest.mark.parametrize(
    "text, said",
    [
        ("[limits]\nidle_timout = 3\n", "{line}: limits.idle_timout: unknown key"),
        ("[limits]\nidle_timeout = 'long'\n", "{line}: limits.idle_timeout: expected number from 1 to 86400"),
        ("[limits]\nrecipients = 0\n", "{line}: limits.recipients: expected"),
        ("[tls]\nminimum = '1.1'\n", "{line}: tls.minimum: expected"),
        ("[listen.more]\nendpoint = 'tcp:port:x=1'\nservice = 'mta'\n", "{line}: listen.more.endpoint: "),
        ("[limits\n", "{before}: "),
    ],
)
def test_bad_configuration(spoilt: Site, text: str, said: str) -> None:
    """What is wrong with the configuration stops the start, with file, line, key and what was expected."""
    before = spoilt.config.read_text() + "\n"
    spoilt.config.write_text(before + text)
    line = before.count("\n") + 2
    assert f"{spoilt.config}:" + said.format(line=line, before=line - 1) in refusal(spoilt)


def test_port_in_use(spoilt: Site) -> None:
    """A port that is taken stops the start; the message names the listener and the endpoint."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", spoilt.ports["submission"]))
        taken.listen()
        text = refusal(spoilt)
    assert f"[listen.submission] cannot listen on 'tcp:{spoilt.ports['submission']}:" in text
    assert "Address already in use" in text


def test_accounts_missing(spoilt: Site) -> None:
    """Without its accounts database the server does not start, and says what makes one."""
    (spoilt.folder / "accounts.sqlite").unlink()
    text = refusal(spoilt)
    assert "accounts.sqlite" in text
    assert "mailsuite init" in text
    assert not (spoilt.folder / "accounts.sqlite").exists()


def test_half_restored(spoilt: Site) -> None:
    """A restore that was killed left part of the mail; the message says how to go on."""
    mark = spoilt.folder / "restoring"
    mark.write_text('{"source": "/backup"}')
    try:
        assert "run 'mailsuite restore /backup' again" in refusal(spoilt)
    finally:
        mark.unlink()


def test_databases_of_an_older_version(spoilt: Site) -> None:
    """They are not touched; the command that the refusal names is all there is to do."""
    accounts, queue = spoilt.folder / "accounts.sqlite", spoilt.folder / "queue" / "queue.sqlite"
    accounts.unlink()
    shutil.rmtree(queue.parent, ignore_errors=True)
    queue.parent.mkdir(mode=0o700)
    for path, example in ((accounts, "directory"), (queue, "queue")):
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript((TESTS / example / "version_1.sql").read_text())
    text = refusal(spoilt)
    assert f"{accounts} has schema version 1" in text
    assert "mailsuite db upgrade" in text
    spoilt.cli("db", "upgrade")
    spoilt.start()
    assert "alice@example.com" in spoilt.cli("user", "list").stdout
    spoilt.stop()
    shutil.rmtree(queue.parent)

    assert "unclean" not in spoilt.log


def test_queue_is_none(spoilt: Site) -> None:
    """A queue's file that is none stops the start, and says so; that was no unclean stop."""
    folder = spoilt.folder / "queue"
    folder.mkdir(mode=0o700)
    (folder / "queue.sqlite").write_bytes(b"garbage" * 1000)
    assert "queue.sqlite is damaged or no queue" in refusal(spoilt)
    (folder / "queue.sqlite").unlink()
    spoilt.start()
    spoilt.stop()

    assert "unclean" not in spoilt.log


def test_certificate_missing(spoilt: Site) -> None:
    """Without its certificate the server does not start, and names the file."""
    spoilt.certificate.unlink()
    assert str(spoilt.certificate) in refusal(spoilt)


def test_key_of_another_certificate(spoilt: Site) -> None:
    """A key that does not belong to the certificate stops the start."""
    other = make_pair(spoilt)
    (spoilt.folder / "key.pem").write_bytes((other / "key.pem").read_bytes())
    assert "key.pem" in refusal(spoilt)


def test_configuration_missing(spoilt: Site) -> None:
    """A configuration that is not there is named."""
    spoilt.config.unlink()
    assert str(spoilt.config) in refusal(spoilt)


# Daemon


def test_daemon(site: Site) -> None:
    """As a daemon with a pidfile it serves, logs to a file, and ends on SIGTERM without leaving the pidfile."""
    pidfile, log = site.root / "pid", site.root / "daemon.log"
    options: list[str | Path] = ["--pidfile", pidfile, "--logfile", log, "mailsuite", "--config", site.config]
    subprocess.run([BIN / "twistd", *options], cwd=site.root, check=True, timeout=30, capture_output=True)
    pid = int(until(lambda: pidfile.exists() and pidfile.read_text(), 10, "the pidfile"))
    try:
        until(lambda: log.exists() and " serves " in log.read_text(), 20, "the daemon")
        with smtp_session(site, "submission", ALICE) as session:
            session.sendmail(ALICE, [ALICE], message(ALICE, b"to a daemon\r\n"))
        assert len(fetch_all(site, ALICE)) == 1
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not pidfile.exists() and not Path(f"/proc/{pid}").exists(), 20, "the daemon's end")
    assert "Traceback" not in log.read_text()
    assert not (site.folder / "running").exists()


# Certificates


def make_pair(site: Site) -> Path:
    """Make another certificate for the same host name; return the folder with it."""
    folder = site.root / "other"
    if not folder.exists():
        names = ["--hostname", HOSTNAME, "--domain", DOMAIN]
        subprocess.run([BIN / "mailsuite", "init", folder, *names], check=True, capture_output=True, cwd=site.root)
    return folder


def replace_pair(site: Site) -> None:
    """Put another certificate and its key in the place of the site's."""
    other = make_pair(site)
    for name in ("cert.pem", "key.pem"):
        fresh = site.folder / f"{name}.new"
        fresh.write_bytes((other / name).read_bytes())
        fresh.rename(site.folder / name)


def certificate(site: Site, listener: str = "submissions") -> bytes:
    """Return the certificate that a new session is shown."""
    context = site.tls()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Wire(site.ports[listener]) as wire:
        session = context.wrap_socket(wire.socket)
        shown = session.getpeercert(binary_form=True)
        session.close()
    assert shown is not None
    return shown


@pytest.mark.parametrize("how", ["signal", "files"])
def test_new_certificate(site: Site, how: str) -> None:
    """After SIGHUP, or soon after the files changed, new sessions get the new certificate; old sessions go on."""
    site.start()
    before = certificate(site)
    old = smtp_session(site, "submissions", ALICE)
    replace_pair(site)
    if how == "signal":
        site.hang_up()
    until(lambda: certificate(site) != before, 1.5 if how == "signal" else 10, "the new certificate")
    assert certificate(site, "pop3s") == certificate(site) != before
    old.sendmail(ALICE, [ALICE], message(ALICE, b"by the old session\r\n"))
    old.quit()
    assert len(fetch_all(site, ALICE)) == 1


@pytest.mark.parametrize("how", ["signal", "files"])
def test_bad_certificate(site: Site, how: str) -> None:
    """A new pair that does not match is logged, and the old one stays."""
    site.start()
    before = certificate(site)
    (site.folder / "key.pem").write_bytes((make_pair(site) / "key.pem").read_bytes())
    if how == "signal":
        site.hang_up()
    until(lambda: "the old one stays" in site.log, 10, "a line in the log")
    assert certificate(site) == before
    assert "Traceback" not in site.log


def test_mail_log_is_reopened(site: Site) -> None:
    """After SIGHUP the mail log goes on in a new file, so that it can be rotated."""
    site.start()
    log, rotated = site.folder / "mail.log", site.folder / "mail.log.1"
    log.rename(rotated)
    site.hang_up()
    until(log.exists, 5, "a new mail log")
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [ALICE], message(ALICE, b"logged\r\n"))
    assert ALICE in log.read_text()
    assert rotated.read_text() == ""


def test_what_cannot_be_reloaded_keeps_nothing_else_from_it(site: Site) -> None:
    """Each thing that is wrong is told for itself, and goes on as it was; the mail log, in the file that is open."""
    denied, listed, secrets = (site.folder / name for name in ("denied", "listed", "srs-secrets"))
    site.options = {
        "deny.first": {"file": "denied"}, "deny.second": {"file": "more"}, "sasl": {"certificates": "listed"},
    }  # fmt: skip
    site.write_config()
    for path in (denied, listed, site.folder / "more"):
        path.touch()
    site.start()
    before = certificate(site)
    log, rotated = site.folder / "mail.log", site.folder / "mail.log.1"
    log.rename(rotated)
    log.mkdir()
    secrets.write_text("rubbish\n")
    listed.write_text("rubbish\n")
    denied.write_text("rubbish\n")
    (site.folder / "more").write_text("sender eve@elsewhere.example\n")
    replace_pair(site)
    site.hang_up()
    until(lambda: "What is denied by deny.first stays as it was: " in site.log, what="the last complaint")
    for said in (
        f"The mail log goes on in the file that is open, since {log} cannot be opened: Is a directory; let the user",
        "The list of certificates stays as it was: ",
        "The secrets of return addresses stay as they were: ",
    ):
        assert said in site.log
    assert certificate(site) != before
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [ALICE], message(ALICE, b"logged\r\n"))
        assert session.mail("eve@elsewhere.example")[0] == 250
        assert session.rcpt(ALICE)[0] == 550
    assert ALICE in rotated.read_text()
    log.rmdir()
    site.hang_up()
    until(log.is_file, 5, "a new mail log")


# The end


def test_sigterm_says_421(site: Site) -> None:
    """SIGTERM answers 421 to every SMTP session, whatever it is doing, and what was not acknowledged is not kept."""
    site.start()
    idle, body, pop3 = Wire(site.ports["mta"]), Wire(site.ports["mta"]), Wire(site.ports["pop3"])
    idle.greet()
    body.greet()
    body.ask(b"MAIL FROM:<a@client.example>", 250)
    body.ask(b"RCPT TO:<%s>" % ALICE.encode(), 250)
    body.ask(b"DATA", 354)
    body.send(message("a@client.example", b"half of"))
    pop3.ok()
    os.kill(site.pid, signal.SIGTERM)
    for wire in (idle, body):
        wire.reply(421)
        assert wire.ends() == b""
        wire.socket.close()
    assert pop3.ends().startswith(b"-ERR ")
    pop3.socket.close()
    site.ended(5)
    assert site.on_disk(ALICE) == []
    assert not (site.folder / "running").exists()


def test_sigterm_under_load(site: Site) -> None:
    """SIGTERM under load: each message in hand is settled and each client told 421; all acknowledged are kept."""
    site.start()
    load = Load(site.ports["mta"], [ALICE], 8, 5)
    load.start()
    until(lambda: len(load.ledger.acknowledged(ALICE)) > 50, 20, "some mail")
    site.stop()
    load.stop()
    site.start()
    kept = {digest(without_trace(octets)) for octets in fetch_all(site, ALICE)}
    assert {load.ledger.messages[key].digest for key in load.ledger.acknowledged(ALICE)} <= kept
    assert {answer[:3] for answer in load.refusals} <= {b"421"}
    assert "unclean" not in site.log


# Silence


@pytest.fixture(scope="module")
def hasty() -> Iterator[Site]:
    """Serve a site that waits for nobody."""
    limits = {"idle_timeout": 1, "data_timeout": 2, "pop3_idle_timeout": 1}
    with Site(options={"limits": limits}, users=["alice"]) as site:
        yield site


def test_idle_between_commands(hasty: Site) -> None:
    """A client that is silent between commands is told 421."""
    with Wire(hasty.ports["mta"]) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        wire.reply(421)
        assert wire.ends() == b""


def test_idle_inside_a_body(hasty: Site) -> None:
    """A client that falls silent inside a message is told 421, and the message is dropped."""
    with Wire(hasty.ports["mta"]) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        wire.ask(b"RCPT TO:<%s>" % ALICE.encode(), 250)
        wire.ask(b"DATA", 354)
        wire.send(b"Subject: half\r\n\r\n")
        wire.reply(421)
        assert wire.ends() == b""
    assert hasty.on_disk("alice") == []


def test_trickling_body(hasty: Site) -> None:
    """A client that sends an octet now and then does not keep its place for ever."""
    with Wire(hasty.ports["mta"], 0.3) as wire:
        wire.greet()
        wire.ask(b"MAIL FROM:<a@client.example>", 250)
        wire.ask(b"RCPT TO:<%s>" % ALICE.encode(), 250)
        wire.ask(b"DATA", 354)

        def told() -> bytes:
            wire.send(b"x")
            try:
                return wire.line()
            except TimeoutError:
                return b""

        assert until(told, 8, "an end").startswith(b"421")
    assert hasty.on_disk("alice") == []


def test_idle_before_tls(hasty: Site) -> None:
    """A client that never begins the TLS handshake loses its connection."""
    for listener in ("submissions", "pop3s"):
        with Wire(hasty.ports[listener], 8) as wire:
            wire.ends()


def test_idle_pop3(hasty: Site) -> None:
    """A POP3 client that is silent is cut off."""
    with Wire(hasty.ports["pop3"]) as wire:
        wire.ok()
        wire.ends()
