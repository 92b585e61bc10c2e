"""A folder that is there and that we may not pass, whoever runs the tests."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a new folder that everybody can get to: those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def kept_out(folder: Path) -> Iterator[str]:
    """Be somebody, inside, who may not pass *folder*; yield his name. (Root passes everywhere, and is not himself.)"""
    before, somebody = os.geteuid(), _somebody()
    folder.chmod(0)
    os.seteuid(somebody)
    try:
        yield pwd.getpwuid(somebody).pw_name
    finally:
        os.seteuid(before)
        folder.chmod(0o755)


def hand_over(folder: Path) -> None:
    """Let *folder* with all that is in it belong to him."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _somebody(), -1)


def _somebody() -> int:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
