"""Where libpq looks for the password of PostgreSQL, and why it did not find it there: of that it says nothing."""

import os
import shlex
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict

from mailsuite.reach import Closed, closed_folder, user_name

_USUAL = "~/.pgpass"


def closed_passfile(dsn: str, environment: Mapping[str, str]) -> Closed | None:
    """Return what keeps the user that we are from reading the file in which the password for *dsn* should be, if
    anything does. The usual one, which nobody has named, need not be there."""
    named = conninfo_to_dict(dsn).get("passfile") or environment.get("PGPASSFILE")
    path = str(named or os.path.expanduser(_USUAL))
    closed = closed_folder(path)
    if closed is not None:
        return Closed(f"the password is looked for in {path}, and {closed.what}", closed.mend)
    try:
        with open(path, "rb"):
            return None
    except FileNotFoundError:
        return Closed(f"the password is looked for in {path}, and that is not there", "write it") if named else None
    except OSError as error:
        user = user_name(os.geteuid())
        what = f"the password is looked for in {path}, which the user {user} cannot read: {error.strerror}"
        return Closed(what, f"chown {shlex.quote(user)} {shlex.quote(path)}")
