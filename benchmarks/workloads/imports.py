"""Moving in: how long ``mailsuite user import`` takes for many users, and what it takes for that."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks import accounts_fill
from benchmarks.accounts import DOMAIN, HOSTNAME, PASSWORD, salted
from benchmarks.peers.peer import INBOUND, Ground, Peer, run
from benchmarks.peers.suite import BIN, Suite
from benchmarks.processes import cpu_seconds
from benchmarks.workloads.workload import Case, Scale, Workload
from tests.directory.servers import Postgres, postgres_binaries

USERS = 100_000
# So many domains are they in.
_DOMAINS = 100


@dataclass(frozen=True)
class ImportCase(Case):
    """Users out of lines in *form*, into a site whose accounts are in *backend*."""

    form: str
    backend: str


class Imports(Workload[ImportCase]):
    """Users with hashes of another server; each gets its mail folders."""

    name = "imports"
    title = "100,000 users moved in"
    note = (
        "The suite alone: mailsuite user import into a new site with 100 domains. Seconds in all; CPU a user, of the"
        " database's processes too; most memory of the command."
    )
    ours_alone = True

    @classmethod
    def all_cases(cls) -> Sequence[ImportCase]:
        """See `Workload.all_cases`: without those of a database that is not installed."""
        cases = [
            ImportCase("lines, SQLite", INBOUND, Scale.FULL, "lines", "sqlite"),
            ImportCase("JSON, SQLite", INBOUND, Scale.FULL, "json", "sqlite"),
        ]
        if postgres_binaries() is not None:
            cases.append(ImportCase("JSON, PostgreSQL", INBOUND, Scale.FULL, "json", "postgresql"))
        return cases

    @contextmanager
    def stage(self, folder: Path, peers: Sequence[type[Peer]]) -> Iterator[Sequence[Peer]]:
        """See `Workload.stage`: no suite runs. Sites stay until the end: what is removed slows down what is made."""
        self._folder = folder
        self._database: Postgres | None = None
        with ExitStack() as stack:
            if any(case.backend == "postgresql" for case in self.cases):
                self._database = Postgres(folder / "pg", durable=True)
                self._database.start()
                stack.callback(self._database.stop)
            yield [Suite(Ground(folder, ()))]

    def measure(self, peer: Peer, case: ImportCase, turn: int) -> dict[str, float]:
        """See `Workload.measure`."""
        count = round(USERS * self.setting.share)
        site = self._folder / f"site{turn}-{case.backend}-{case.form}"
        config = self._new_site(site, case, turn)
        rows = self._folder / "rows"
        with rows.open("w") as file:
            file.writelines(_rows(case.form, count))
        form = ["--hashed"] if case.form == "lines" else ["--format", case.form]
        database = self._database if case.backend == "postgresql" else None
        before = 0.0 if database is None else cpu_seconds(database.pid)
        began = time.monotonic()
        with subprocess.Popen(
            [BIN / "mailsuite", "user", "import", *form, rows, "--config", config], stdout=subprocess.PIPE
        ) as command:
            assert command.stdout is not None
            said = command.stdout.read().decode()
            _, status, used = os.wait4(command.pid, 0)
            command.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if said != f"Imported {count} users.\n":
            raise RuntimeError(said)
        cpu = used.ru_utime + used.ru_stime + (0.0 if database is None else cpu_seconds(database.pid) - before)
        return {"seconds": seconds, "cpu": cpu * 1e6 / count, "mib": used.ru_maxrss / 1024}

    def _new_site(self, site: Path, case: ImportCase, turn: int) -> Path:
        run(BIN / "mailsuite", "init", site, "--hostname", HOSTNAME, "--domain", DOMAIN)
        config = site / "mailsuite.toml"
        if case.backend == "postgresql":
            assert self._database is not None
            name = f"turn{turn}"
            with closing(psycopg.connect(self._database.dsn(), autocommit=True)) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
            text = config.read_text().replace("[directory]\n", '[directory]\nbackend = "postgresql"\n', 1)
            config.write_text(f'{text}\n[postgresql]\ndsn = "{self._database.dsn(name)}"\n')
            run(BIN / "mailsuite", "db", "upgrade", "--config", config)
        domains = "".join(f"{accounts_fill.domain(each)}\n" for each in range(_DOMAINS))
        run(BIN / "mailsuite", "domain", "import", "-", "--config", config, given=f"domain\n{domains}")
        return config


def _rows(form: str, count: int) -> Iterator[str]:
    hashed = salted(PASSWORD)
    for each in range(count):
        address = f"user{each}@{accounts_fill.domain(each % _DOMAINS)}"
        yield f"{address}:{hashed}\n" if form == "lines" else json.dumps({"address": address, "hash": hashed}) + "\n"
