"""Renewing what is kept of a password at login: the one change that the running server makes to the accounts file."""

from collections.abc import Mapping
from contextlib import closing

from mailsuite.directory.schema import LOGIN_WAIT_SECONDS, connect, transaction

_PUT = """
    INSERT INTO credentials (login_id, kind, stored) VALUES (?, ?, ?)
    ON CONFLICT (login_id, kind, label) DO UPDATE SET stored = excluded.stored"""


class Rewriter:
    """Puts a better hash in the place of an old one, and secrets beside it. Waits for the disk: to be called in a
    thread."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, login: int, credential: int, old: str, better: str | None, secrets: Mapping[str, str]) -> None:
        """Replace *old* by *better*, if there is one, and keep the *secrets* of *login*.

        Unless the password was changed meanwhile. Raises what `connect` raises, or `sqlite3.Error`.
        """
        with closing(connect(self._path, wait=LOGIN_WAIT_SECONDS)) as connection, transaction(connection):
            changed = connection.execute(
                "UPDATE credentials SET stored = ? WHERE id = ? AND stored = ?", (better or old, credential, old)
            )
            if changed.rowcount:
                connection.executemany(_PUT, [(login, kind, stored) for kind, stored in secrets.items()])
