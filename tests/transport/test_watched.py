"""Files that are read again when they change."""

from pathlib import Path

import pytest

from mailsuite.certificates import PairError
from mailsuite.transport.watched import Watched


class Kept:
    """A file that can be read while its group may."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text("old")
        self.path.chmod(0o640)
        self.watched = Watched((str(path),), self._read)

    def _read(self) -> str:
        if not self.path.stat().st_mode & 0o040:
            raise PairError("Permission denied")
        return self.path.read_text()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """One that was read."""
    made = Kept(tmp_path / "key.pem")
    made.watched.take_up()
    return made


def test_what_has_not_changed_is_not_read_again(kept: Kept) -> None:
    """However often one looks."""
    assert [kept.watched.look() for _ in range(3)] == [False] * 3


def test_a_file_that_may_be_read_at_last_is_read(kept: Kept) -> None:
    """Group and mode are all that is changed to mend a key that only root could read: no octet of it, and no time."""
    kept.path.write_text("new")
    kept.path.chmod(0o600)
    assert not kept.watched.look()
    with pytest.raises(PairError):
        kept.watched.look()
    assert not kept.watched.look()

    kept.path.chmod(0o640)

    assert kept.watched.look()
    assert kept.watched.value == "new"
