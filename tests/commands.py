"""Commands that a document shows, to be run by a test as they stand there."""

import shlex
from pathlib import Path

DOCUMENTS = Path(__file__).parents[1]


def commands(document: str, program: str) -> list[list[str]]:
    """Return the arguments of each command line of *program* that stands in a block of *document*."""
    lines = (DOCUMENTS / document).read_text().splitlines()
    return [shlex.split(line.strip())[1:] for line in lines if line.startswith("    ") and line.split()[0] == program]


def moved(arguments: list[str], folder: Path) -> list[str]:
    """Return *arguments* with *folder* in the place of ``/srv/mail``."""
    return [argument.replace("/srv/mail", str(folder)) for argument in arguments]
