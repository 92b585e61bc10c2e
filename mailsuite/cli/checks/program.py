"""Can the user that the service runs as read Python itself?"""

import os
from collections.abc import Iterator

from mailsuite.cli.checks import Finding, warning
from mailsuite.reach import closed_folder


def program() -> Iterator[Finding]:
    """Look at the standard library: parts of it are loaded at their first use, by then as that user."""
    closed = closed_folder(os.__file__)
    if closed is not None:
        text = f"the Python of this installation is not for the service's user: {closed.what}"
        mend = f"make the environment with a Python that every user can read, or {closed.mend}"
        yield warning("program", text, mend)
