"""An accounts file with as many users as are wanted, written past the commands: rows, and nothing that is slow."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.accounts import PASSWORD, salted
from mailsuite.database import transaction
from mailsuite.directory.schema import connect, without_triggers

DOMAINS = 1000
# What each user has beside a password, so that mechanisms are offered that need it.
SECRET_KINDS = ("scram-sha-256", "scram-sha-1")


def domain(number: int) -> str:
    """Return the name of a domain."""
    return f"d{number}.many.test"


def address(number: int) -> str:
    """Return the address of the user *number*."""
    return f"user{number}@{domain(number % DOMAINS)}"


def fill(path: Path, users: int) -> None:
    """Add *users* to the accounts in *path*, in `DOMAINS` domains."""
    hashed = salted(PASSWORD)
    # (One change of the generation is enough for all.)
    with closing(connect(str(path))) as connection, transaction(connection), without_triggers(connection):
        base = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM domains").fetchone()[0]
        first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM logins").fetchone()[0] + users
        connection.executemany(
            "INSERT INTO domains (id, name) VALUES (?, ?)", [(base + each, domain(each)) for each in range(DOMAINS)]
        )
        numbers = range(users)
        connection.executemany(
            "INSERT INTO mailboxes (id, path) VALUES (?, ?)",
            ((first + each, f"{domain(each % DOMAINS)}/user{each}") for each in numbers),
        )
        connection.executemany(
            "INSERT INTO logins (id, name, mailbox_id) VALUES (?, ?, ?)",
            ((first + each, address(each), first + each) for each in numbers),
        )
        connection.executemany(
            "INSERT INTO addresses (domain_id, local, mailbox_id) VALUES (?, ?, ?)",
            ((base + each % DOMAINS, f"user{each}", first + each) for each in numbers),
        )
        connection.executemany(
            "INSERT INTO credentials (login_id, kind, stored) VALUES (?, ?, ?)", _credentials(first, users, hashed)
        )


def _credentials(first: int, users: int, hashed: str) -> Iterator[tuple[int, str, str]]:
    for each in range(users):
        yield first + each, "password", hashed
        for kind in SECRET_KINDS:
            yield first + each, kind, "x" * 100
