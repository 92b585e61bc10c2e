"""Renewing a stored hash at login: the one change that the running server makes to the accounts file."""

from contextlib import closing

from mailsuite.directory.schema import LOGIN_WAIT_SECONDS, connect, transaction


class Rewriter:
    """Puts a better hash in the place of an old one. Waits for the disk: to be called in a thread."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, credential: int, old: str, better: str) -> None:
        """Replace *old* by *better*, unless the password was changed meanwhile. Raises what `connect` raises, or
        `sqlite3.Error`."""
        with closing(connect(self._path, wait=LOGIN_WAIT_SECONDS)) as connection, transaction(connection):
            connection.execute(
                "UPDATE credentials SET stored = ? WHERE id = ? AND stored = ?", (better, credential, old)
            )
