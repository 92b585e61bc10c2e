"""A site of the suite as shipped: made by ``mailsuite init``, served by ``twistd``, in a folder of the tests' own."""

import atexit
import base64
import json
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from tests.system.ports import free_ports

BIN = Path(sys.executable).parent
HOSTNAME = "mail.example.test"
DOMAIN = "example.test"
# Service, TLS and further keys of each listener that a site has unless it is told otherwise.
LISTENERS: dict[str, dict[str, str]] = {
    "mta": {"service": "mta", "tls": "starttls"},
    "submission": {"service": "submission", "tls": "starttls"},
    "submissions": {"service": "submission", "tls": "implicit"},
    "pop3": {"service": "pop3", "tls": "starttls"},
    "pop3s": {"service": "pop3", "tls": "implicit"},
}
Options: TypeAlias = Mapping[str, Mapping[str, object]]
T = TypeVar("T")


class NotStarted(Exception):
    """twistd ended instead of serving; its text is what twistd said."""


def secret(address: str) -> str:
    """Return the password of the user *address*: one that can be looked for in logs."""
    return f"hush-{address.partition('@')[0]}-9f3b"


def until(found: Callable[[], T], seconds: float = 10.0, what: str = "it") -> T:
    """Return what *found* returns as soon as that is true; fail after *seconds*."""
    end = time.monotonic() + seconds
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} seconds for {what}")
        time.sleep(0.02)


class _ForHostname(ssl.SSLContext):
    """Expects a certificate for *hostname*, whatever address the connection goes to."""

    hostname = HOSTNAME

    def wrap_socket(self, *arguments: Any, **keys: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*arguments, **{**keys, "server_hostname": self.hostname})


class Place:
    """Where a site is served: at *address*, on ports that are free. *options* are what its configuration needs there.

    This one is loopback; a host of `tests.system.network` is another.
    """

    address = "127.0.0.1"
    options: Options = {}

    def ports(self, listeners: Iterable[str]) -> dict[str, int]:
        """Return the port of each listener."""
        names = list(listeners)
        return dict(zip(names, free_ports(len(names)), strict=True))

    def endpoint(self, port: int) -> str:
        """Return the endpoint of a listener."""
        return f"tcp:{port}:interface={self.address}:backlog=512"

    def command(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        """Return what runs the command *arguments* there."""
        return list(arguments)


# By what they are made of: copies of sites that were made in this process; and the tables of the configuration that
# say what is stored of a user, and where.
_templates: dict[str, Path] = {}
_STORED_BY = ("", "directory", "sasl", "store")


def _kept(site: Path) -> Path:
    """Return a copy of *site* that lasts as long as this process."""
    root = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    subprocess.run(["cp", "--archive", site, root / "site"], check=True)
    return root / "site"


class Site:
    """One site; a context manager that makes it unless it is made, and serves from the start to the end of its block.

    *options* are tables of the configuration (``{"limits": {"errors": 3}}``; ``""`` is the top), *users* local
    parts. With *owner*, which is for root, the site belongs to that user and twistd becomes it. *twistd* are
    further arguments for twistd. *place* is where it is served, *hostname* its name and *domain* its first domain.
    At the end no log may hold a password, nor the log of twistd a traceback.
    """

    def __init__(
        self,
        options: Options | None = None,
        users: Iterable[str] = (),
        owner: str | None = None,
        listeners: Mapping[str, Mapping[str, str]] | None = None,
        twistd: Sequence[str] = (),
        place: Place | None = None,
        hostname: str = HOSTNAME,
        domain: str = DOMAIN,
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        # Others than root may have to get here.
        self.root.chmod(0o755)
        self.folder = self.root / "site"
        self.config = self.folder / "mailsuite.toml"
        self.log_path = self.root / "twistd.log"
        self.listeners = LISTENERS if listeners is None else listeners
        self.place = place or Place()
        self.hostname = hostname
        self.domain = domain
        self.ports = self.place.ports(self.listeners)
        self.options: dict[str, Mapping[str, object]] = dict(options or {})
        self.users = [f"{user}@{domain}" for user in users]
        self.owner = owner
        self.twistd_options = list(twistd)
        self.tracebacks_expected = False
        self.process: subprocess.Popen[bytes] | None = None

    # Making it

    def make(self) -> None:
        """Make the site with ``mailsuite init``, our own listeners, and the users.

        Sites that are to be the same are made once in a process, and copied: the commands take a second or two.
        """
        kept = {name: table for name, table in self.options.items() if name in _STORED_BY} if self.users else {}
        key = repr((self.hostname, self.domain, self.owner, self.users, kept))
        template = _templates.get(key)
        if template is not None:
            subprocess.run(["cp", "--archive", template, self.folder], check=True)
            self.write_config()
            return
        owner = [] if self.owner is None else ["--owner", self.owner]
        names = ["--hostname", self.hostname, "--domain", self.domain]
        done = self.command_line("init", str(self.folder), *names, "--unprivileged", *owner)
        assert done.returncode == 0, done.stderr
        self.write_config()
        if self.users:
            self.cli("user", "import", "-", given="".join(f"{user}:{secret(user)}\n" for user in self.users))
        _templates[key] = _kept(self.folder)

    def write_config(self) -> None:
        """Write the configuration anew."""
        top: dict[str, object] = {"hostname": self.hostname}
        if os.geteuid() == 0 and self.owner is None:
            top["allow_root"] = True
        tables: dict[str, Mapping[str, object]] = {"": {**top, **self.options.get("", {})}}
        for name, listener in self.listeners.items():
            tables[f"listen.{name}"] = {"endpoint": self.place.endpoint(self.ports[name]), **listener}
        for options in (self.place.options, self.options):
            tables.update({name: {**tables.get(name, {}), **table} for name, table in options.items() if name})
        self.config.write_text("\n".join(_table(name, table) for name, table in tables.items()))

    def cli(
        self, *arguments: str, given: str | None = None, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run ``mailsuite`` for this site; it must end with *status*."""
        done = self.command_line(*arguments, "--config", str(self.config), given=given)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def command_line(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``mailsuite`` with just these arguments, however it ends."""
        done = subprocess.run(
            self.place.command([BIN / "mailsuite", *arguments]),
            input=given,
            text=True,
            capture_output=True,
            check=False,
            cwd=self.root,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    # Serving

    def command(self) -> list[str]:
        """Return what starts the server in the foreground."""
        drop: list[str] = []
        if self.owner is not None:
            drop = ["--uid", self.owner, "--gid", str(pwd.getpwnam(self.owner).pw_gid)]
        options = ["--nodaemon", "--pidfile=", *drop, *self.twistd_options]
        return [str(BIN / "twistd"), *options, "mailsuite", "--config", str(self.config)]

    def start(self) -> None:
        """Start twistd and wait until it serves. Raises `NotStarted`."""
        with open(self.log_path, "ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(
                self.place.command(self.command()),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: self._serves(before), 30, "the server to start")

    def _serves(self, before: int) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise NotStarted(self.log_path.read_bytes()[before:].decode())
        return b" serves " in self.log_path.read_bytes()[before:]

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL)."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        self.process = None

    def stop(self, seconds: float = 30) -> None:
        """End the server in good order (SIGTERM)."""
        assert self.process is not None
        self.process.terminate()
        self.ended(seconds)

    def ended(self, seconds: float = 30) -> None:
        """Wait for the end of a server that was told to stop."""
        assert self.process is not None
        status = self.process.wait(seconds)
        self.process = None
        # twistd ends by the signal that stopped it.
        assert status in (0, -signal.SIGTERM), self.log

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start()

    def hang_up(self) -> None:
        """Send the signal that reloads (SIGHUP)."""
        os.kill(self.pid, signal.SIGHUP)

    def __enter__(self) -> Self:
        try:
            if not self.config.exists():
                self.make()
            self.start()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self.process is not None:
                self.stop()
            if kind is None:
                self.check_logs()
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the site, and its server if there still is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None
        shutil.rmtree(self.root, ignore_errors=True)

    # Looking at it

    @property
    def log(self) -> str:
        """What twistd has logged."""
        return self.log_path.read_text(errors="backslashreplace") if self.log_path.exists() else ""

    @property
    def mail_log(self) -> str:
        """The mail log."""
        path = self.folder / "mail.log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def check_logs(self) -> None:
        """Fail if a log holds a password, or twistd's a traceback that nobody expects."""
        log = self.log
        if not self.tracebacks_expected:
            assert "Traceback" not in log, log
            assert "Unhandled" not in log, log
        for user in self.users:
            for text in secret_forms(user, secret(user)):
                assert text not in log
                assert text not in self.mail_log

    def address(self, user: str) -> str:
        """Return the address of *user*."""
        return user if "@" in user else f"{user}@{self.domain}"

    def maildir(self, user: str) -> Path:
        """Return the Maildir of *user*."""
        return self.folder / "mail" / self.domain / user.partition("@")[0]

    def on_disk(self, user: str, folder: str = "new") -> list[bytes]:
        """Return the messages that lie in *folder* of the user's Maildir, oldest first."""
        place = self.maildir(user) / folder
        return [path.read_bytes() for path in sorted(place.iterdir())] if place.is_dir() else []

    def tls(self) -> ssl.SSLContext:
        """Return a client's context that trusts this site's certificate, for its host name, and no other."""
        context = _ForHostname(ssl.PROTOCOL_TLS_CLIENT)
        context.hostname = self.hostname
        context.load_verify_locations(self.certificate)
        return context

    @property
    def certificate(self) -> Path:
        """The site's certificate."""
        return self.folder / "cert.pem"


def secret_forms(user: str, password: str) -> list[str]:
    """Return how *password* looks in a log: in clear, and as AUTH LOGIN and AUTH PLAIN send it."""
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return [password, base64.b64encode(password.encode()).decode().rstrip("="), plain.rstrip("=")]


def _table(name: str, keys: Mapping[str, object]) -> str:
    head = f"[{name}]\n" if name else ""
    return head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
