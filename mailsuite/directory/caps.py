"""Caps on submission as they stand in the accounts: of a login, and of all logins of a domain together."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from mailsuite.database import transaction
from mailsuite.directory.errors import NoSuch
from mailsuite.directory.references import domain_id
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.directory.sql import Connection
from mailsuite.meaning import Cap, Counted

# Each under whom it is of; a login stands after its domain's at sign.
_ALL = """
    SELECT whom, counted, seconds, most, domain FROM (
        SELECT l.name AS whom, c.counted, c.seconds, c.most, '' AS domain
        FROM submission_caps c JOIN logins l ON l.id = c.login_id
        UNION ALL
        SELECT d.name, c.counted, c.seconds, c.most, d.name FROM submission_caps c JOIN domains d ON d.id = c.domain_id
    ) AS found WHERE whom > ?"""
_ORDER = " ORDER BY whom, counted, seconds"


class Caps:
    """Reads and sets caps of *whom*: a login, or a domain (without an at sign)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def show(self, whom: str) -> Sequence[Cap]:
        """Return the caps of *whom* itself. Raises `NoSuch`."""
        column, number, domain = self._owner(whom)
        rows = self._connection.execute(
            f"SELECT counted, seconds, most FROM submission_caps WHERE {column} = ? ORDER BY counted, seconds",  # noqa: S608 (our names)
            (number,),
        )
        return [Cap(counted, seconds, most, domain) for counted, seconds, most in rows]

    def list(self, domain: str | None = None, after: str = "") -> Iterator[tuple[str, Sequence[Cap]]]:
        """Yield who has caps of its own, with these: all logins and domains by name, or *domain* and its logins; only
        those whose name comes *after* that one. Raises `NoSuch`."""
        if domain is None:
            rows = self._connection.execute(_ALL + _ORDER, (after,))
        else:
            key = parse_domain(domain)
            domain_id(self._connection, key)
            rows = self._connection.execute(f"{_ALL} AND (whom = ? OR whom LIKE ?) {_ORDER}", (after, key, f"%@{key}"))
        for whom, group in groupby(rows, key=lambda row: row[0]):
            yield whom, [Cap(counted, seconds, most, owner) for _, counted, seconds, most, owner in group]

    def set(self, whom: str, counted: Counted, seconds: int, most: int | None) -> None:
        """Let *whom* have at most *most* of what is *counted* in so many *seconds*; 0: any number.

        ``None`` takes the cap off: what is said for all logins holds again. Raises `NoSuch`.
        """
        column, number, _ = self._owner(whom)
        with transaction(self._connection):
            self._connection.execute(
                f"DELETE FROM submission_caps WHERE {column} = ? AND counted = ? AND seconds = ?",  # noqa: S608
                (number, counted, seconds),
            )
            if most is not None:
                self._connection.execute(
                    f"INSERT INTO submission_caps ({column}, counted, seconds, most) VALUES (?, ?, ?, ?)",  # noqa: S608
                    (number, counted, seconds, most),
                )

    def _owner(self, whom: str) -> tuple[str, int, str]:
        """Return the column that names *whom*, its number, and the domain where it is one."""
        if "@" not in whom:
            key = parse_domain(whom)
            return "domain_id", domain_id(self._connection, key), key
        name = str(parse_address(whom))
        row = self._connection.execute("SELECT id FROM logins WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise NoSuch(f"no user {name} here; see: mailsuite user list")
        return "login_id", row[0], ""
