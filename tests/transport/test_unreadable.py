"""What keeps us from a file, and the commands that let us through: exactly those that it takes."""

import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailsuite.certificates import PairError, read_chain
from mailsuite.transport.unreadable import Step, remedy, unreadable, way_to


@contextmanager
def somebody() -> Iterator[None]:
    """Be a user whom modes keep out: root they do not."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    if before[0] == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setegid(nobody.pw_gid)
        os.seteuid(nobody.pw_uid)
    try:
        yield
    finally:
        if before[0] == 0:
            os.seteuid(0)
            os.setegid(before[1])
            os.setgroups(before[2])


class Certbot:
    """Certificates as certbot lays them out, in a folder that everybody reaches."""

    def __init__(self, root: Path) -> None:
        self.live, self.archive = root / "live", root / "archive"
        for folder in (self.live / "mx", self.archive / "mx"):
            folder.mkdir(parents=True)
        self.file = self.archive / "mx" / "privkey1.pem"
        self.file.write_text("key")
        self.path = self.live / "mx" / "privkey.pem"
        self.path.symlink_to("../../archive/mx/privkey1.pem")

    def close(self, *paths: Path) -> Sequence[Step]:
        """Close *paths* to everybody but root; return the way as root sees it then."""
        way = list(way_to(str(self.path)))
        # The last one first: we are not root, perhaps.
        for index, step in reversed(list(enumerate(way))):
            if Path(step.path) in paths:
                os.chmod(step.path, 0)
            way[index] = step._replace(status=os.stat(step.path))
        return way


@pytest.fixture
def certbot() -> Iterator[Certbot]:
    """One whose files everybody may read, until they are closed."""
    # The folders that pytest gives to root are nobody else's.
    root = Path(tempfile.mkdtemp(prefix="mailsuite test "))
    root.chmod(0o755)
    yield Certbot(root)
    for folder in (root / "live", root / "archive"):
        folder.chmod(0o700)
    shutil.rmtree(root)


def opened(*paths: Path) -> str:
    """Return the commands that open *paths*, which have blanks in their names: folders, and a file at the end."""
    with somebody():
        group = os.getegid()
    name = grp.getgrgid(group).gr_name
    return " && ".join(
        f"chgrp {name} '{path}' && chmod g+{'r' if path.suffix else 'x'} '{path}'" for path in paths
    )


def told(certbot: Certbot, way: Sequence[Step] = ()) -> str | None:
    """Return what somebody is told who cannot read it."""
    with somebody():
        return unreadable(str(certbot.path), way)


def test_a_way_goes_through_links_of_every_kind(certbot: Certbot) -> None:
    """Relative ones, absolute ones, and one in the place of a folder; each folder once, and the file at the end."""
    root = certbot.live.parent
    (root / "tls").symlink_to(certbot.live)
    above = [str(folder) for folder in reversed(certbot.live.parents)]
    passed = [*above, *map(str, (certbot.live, certbot.live / "mx", certbot.archive, certbot.file.parent))]

    for path in (certbot.path, root / "tls" / "mx" / "privkey.pem", root / "live" / ".." / "tls" / "mx/./privkey.pem"):
        way = way_to(str(path))
        assert {step.path for step in way[:-1]} == set(passed)
        assert way[-1].path == str(certbot.file)
        assert {step.right for step in way[:-1]} == {os.X_OK} != {way[-1].right}
        assert all(step.status for step in way)


def test_links_that_lead_to_each_other_end(tmp_path: Path) -> None:
    """There is no file then, and somewhere the way ends."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    assert way_to(str(tmp_path / "a"))[-1].path in (str(tmp_path / "a"), str(tmp_path / "b"))


def test_a_readable_file_needs_no_remedy(certbot: Certbot) -> None:
    """Nothing is said where nothing is wrong."""
    assert told(certbot) is None


def test_folders_of_roots_own_and_the_file_behind_them_are_named_at_once(certbot: Certbot) -> None:
    """Also what lies behind a folder that we may not enter, since root has looked before; and nothing else."""
    closed = certbot.live, certbot.archive, certbot.file

    assert told(certbot, certbot.close(*closed)) == opened(*closed)


def test_a_folder_that_lets_us_pass_is_not_touched(certbot: Certbot) -> None:
    """Where the folder above it does not let us look at it, by its mode."""
    assert told(certbot, certbot.close(certbot.live)) == opened(certbot.live)
    certbot.live.chmod(0o755)
    assert told(certbot, certbot.close(certbot.archive)) == opened(certbot.archive)


def test_what_nobody_has_looked_behind_is_not_guessed(certbot: Certbot) -> None:
    """What is in the way for sure is named, and who can name the rest."""
    certbot.close(certbot.live, certbot.archive, certbot.file)
    rest = "  # mailsuite check, as root, says what else is in the way"

    assert told(certbot) == opened(certbot.live) + rest
    certbot.live.chmod(0o755)
    assert told(certbot) == opened(certbot.archive) + rest
    certbot.archive.chmod(0o755)
    assert told(certbot) == opened(certbot.file)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give folders to a group")
def test_a_group_that_is_let_through_is_joined(certbot: Certbot) -> None:
    """Rather than taken its right away; once, whatever it lets through."""
    os.chown(certbot.live, 0, grp.getgrnam("mail").gr_gid)
    certbot.live.chmod(0o710)
    os.chown(certbot.file, 0, grp.getgrnam("mail").gr_gid)
    certbot.file.chmod(0o640)
    way = way_to(str(certbot.path))
    said = told(certbot, way)
    assert said == "usermod --append --groups mail nobody  # then restart the service"

    certbot.archive.chmod(0)
    mine = opened(certbot.archive)
    assert told(certbot, way_to(str(certbot.path))) == said.replace("  #", f" && {mine}  #")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
def test_a_group_without_a_name_cannot_be_joined(certbot: Certbot) -> None:
    """And an owner who has no right is given that of an owner."""
    os.chown(certbot.file, 0, 54321)
    certbot.file.chmod(0o640)
    assert told(certbot) == opened(certbot.file)

    os.chown(certbot.file, pwd.getpwnam("nobody").pw_uid, 0)
    certbot.file.chmod(0o040)
    assert told(certbot) == f"chmod u+r '{certbot.file}'"


def test_a_file_that_does_not_open_is_named_whatever_its_mode_says(certbot: Certbot) -> None:
    """Something else than modes can keep us out; that is no reason to say nothing."""
    with somebody():
        said = remedy(way_to(str(certbot.path)))
    assert said.endswith(f"chmod {'g' if os.geteuid() == 0 else 'u'}+r '{certbot.file}'")


def test_a_group_without_a_name_is_given_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container."""
    monkeypatch.setattr(os, "getegid", lambda: 54321)

    assert (unreadable(str(tmp_path / "key.pem")) or "").startswith("chgrp 54321 ")


def test_a_certificate_that_may_not_be_read_is_refused_with_the_commands(certbot: Certbot) -> None:
    """At every reading, not only where root is dropped: a service may never have been root."""
    certbot.close(certbot.archive)

    with somebody(), pytest.raises(PairError) as refused:
        read_chain(str(certbot.path))
    said, _, allows = str(refused.value).partition("; what allows it, as root: ")
    assert said == f"{certbot.path} cannot be read: Permission denied"
    assert allows.startswith(opened(certbot.archive) + "  # ")
