"""Real PostgreSQL and LDAP servers on loopback, in a folder of their own and as users who can do nothing else."""

import datetime
import grp
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

from mailsuite.certificates import self_signed, write_pair
from tests.system.ports import free_ports, listens
from tests.transport.loop import reactor

PASSWORD = "pw of postgres"
ADMIN = "cn=admin,dc=example,dc=org"
READER = "cn=mail,dc=example,dc=org"
BASE = "dc=example,dc=org"
ADMIN_PASSWORD = "pw of admin"
# Starting takes well under a second; on a busy machine, much longer.
PATIENCE = 30.0


def postgres_binaries() -> str | None:
    """Return where the newest PostgreSQL of Debian has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return str(found[-1].parent) if found else None


def slapd_binary() -> str | None:
    """Return where slapd is."""
    return shutil.which("slapd", path="/usr/sbin:/sbin:/usr/bin")


class Server:
    """A server in *folder* that runs as *user* where we are root."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self._user = user if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o755)
        self.give(folder)

    def give(self, path: Path) -> None:
        """Let *path* be the server's own."""
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        """Run *command* as the server's user."""
        subprocess.run(
            command, check=True, capture_output=True, user=self._user, extra_groups=self._groups(), cwd=self.folder,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    def spawn(self, command: Sequence[str]) -> None:
        """Start *command*, which stays in the foreground, and wait until it answers."""
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, extra_groups=self._groups(), cwd=self.folder,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE
        while not self.answers():
            said = (self.folder / "log").read_text(errors="replace")
            assert self._process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.02)

    def answers(self) -> bool:
        """Say whether somebody takes connections."""
        return listens(self.port)

    @property
    def pid(self) -> int:
        """The process that all its others are below."""
        assert self._process is not None
        return self._process.pid

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the server."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(PATIENCE)

    def _groups(self) -> list[int] | None:
        return None if self._user is None else [each.gr_gid for each in grp.getgrall() if self._user in each.gr_mem]


class Postgres(Server):
    """A cluster with databases for tests; what a *durable* one has committed is on the disk."""

    def __init__(self, folder: Path, durable: bool = False) -> None:
        super().__init__(folder, "postgres")
        self._durable = durable
        binaries = postgres_binaries()
        assert binaries is not None
        self._binaries = binaries
        secret = folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        self.give(secret)
        self.run(
            f"{binaries}/initdb", "-D", "data", "-A", "scram-sha-256", "-U", "postgres", "--pwfile=password", "-E",
            "UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        """Serve, until a connection is taken: a server that still starts refuses them."""
        self.spawn([
            f"{self._binaries}/postgres", "-D", "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
            "-c", f"unix_socket_directories={self.folder}", "-c", f"fsync={'on' if self._durable else 'off'}",
        ])  # fmt: skip
        end = time.monotonic() + PATIENCE
        ready = [f"{self._binaries}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready).returncode != 0:
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self, how: int = signal.SIGINT) -> None:
        """End the server and its sessions."""
        super().stop(how)

    def signal(self, number: int) -> None:
        """Send a signal to the server and to what serves its sessions."""
        assert self._process is not None
        children = subprocess.run(["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True).stdout
        for pid in (self._process.pid, *map(int, children.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def dsn(self, database: str = "postgres") -> str:
        """Return how *database* is reached."""
        return f"host=127.0.0.1 port={self.port} user=postgres password='{PASSWORD}' dbname={database}"


class Slapd(Server):
    """A directory with what *ldif* says (RFC 2849), which speaks LDAP (RFC 4511)."""

    def __init__(self, folder: Path, ldif: str) -> None:
        super().__init__(folder, "openldap")
        (self.secure_port,) = free_ports(1)
        pair = self_signed("localhost", datetime.datetime.now(datetime.UTC))
        write_pair(str(folder / "cert.pem"), str(folder / "key.pem"), pair)
        (folder / "slapd.conf").write_text(f"""
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 67108864
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw "{ADMIN_PASSWORD}"
directory {folder}/data
index objectClass,uid,mail,mailLocalAddress eq
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
access to attrs=userPassword by dn.exact="{READER}" read by anonymous auth by * none
access to * by anonymous read by * read
""")
        (folder / "data").mkdir()
        (folder / "base.ldif").write_text(ldif)
        for name in ("data", "cert.pem", "key.pem", "slapd.conf", "base.ldif"):
            self.give(folder / name)
        self.run("/usr/sbin/slapadd", "-f", "slapd.conf", "-l", "base.ldif")

    @property
    def url(self) -> str:
        """How it is reached, with StartTLS."""
        return f"ldap://localhost:{self.port}"

    @property
    def secure_url(self) -> str:
        """How it is reached over TLS."""
        return f"ldaps://localhost:{self.secure_port}"

    @property
    def certificate(self) -> str:
        """The file with its certificate."""
        return str(self.folder / "cert.pem")

    def start(self) -> None:
        """Serve."""
        self.spawn([
            str(slapd_binary()), "-f", "slapd.conf", "-d", "0",
            "-h", f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.secure_port}/",
        ])  # fmt: skip


def entry(dn: str, attributes: Iterable[tuple[str, str]]) -> str:
    """Return an entry in LDIF (RFC 2849)."""
    return "\n".join([f"dn: {dn},{BASE}", *(f"{name}: {value}" for name, value in attributes), "", ""])


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Yield a running PostgreSQL."""
    if postgres_binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with open_folder() as folder:
        server = Postgres(folder / "pg")
        try:
            server.start()
            yield server
        finally:
            server.stop()


def look_names_up() -> None:
    """Start the reactor's own threads, as it does when it runs; they can be started once only, and end with us."""
    threads = reactor.getThreadPool()
    if not threads.started:
        threads.threadFactory = partial(Thread, daemon=True)
        threads.start()


@contextmanager
def running_slapd(ldif: str) -> Iterator[Slapd]:
    """Yield a running LDAP server with what *ldif* says."""
    if slapd_binary() is None:
        pytest.skip("slapd is not installed (Debian: slapd ldap-utils)")
    with open_folder() as folder:
        server = Slapd(folder / "ldap", ldif)
        look_names_up()
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a new folder that other users of this machine can reach."""
    with TemporaryDirectory(prefix="mailsuite-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
