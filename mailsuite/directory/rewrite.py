"""What the running server changes in the accounts: what is kept of a password is renewed, and its use noted."""

from collections.abc import Callable, Mapping
from contextlib import closing

from mailsuite.database import transaction
from mailsuite.directory.sql import Connection

_PUT = """
    INSERT INTO credentials (login_id, kind, stored) VALUES (?, ?, ?)
    ON CONFLICT (login_id, kind, label) DO UPDATE SET stored = excluded.stored"""


class Rewriter:
    """Puts a better hash in the place of an old one, and secrets beside it, over a connection that *connect* makes.

    Waits for the disk: to be called in a thread.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect

    def __call__(self, login: int, credential: int, old: str, better: str | None, secrets: Mapping[str, str]) -> None:
        """Replace *old* by *better*, if there is one, and keep the *secrets* of *login*.

        Unless the password was changed meanwhile. Raises what connecting raises, or an error of the database.
        """
        with closing(self._connect()) as connection, transaction(connection):
            changed = connection.execute(
                "UPDATE credentials SET stored = ? WHERE id = ? AND stored = ?", (better or old, credential, old)
            )
            if changed.rowcount:
                for kind, stored in secrets.items():
                    connection.execute(_PUT, (login, kind, stored))


class UseWriter:
    """Writes when credentials were last used, over a connection that *connect* makes. To be called in a thread."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect

    def __call__(self, uses: Mapping[int, int]) -> None:
        """Write *uses*, POSIX seconds by the credentials' numbers; one that was removed is no harm. Raises as
        `Rewriter`."""
        with closing(self._connect()) as connection, transaction(connection):
            for credential, at in uses.items():
                connection.execute("UPDATE credentials SET last_used = ? WHERE id = ?", (at, credential))
