"""``mailsuite demo``."""

from pathlib import Path

import pytest

from mailsuite.certificates import read_pair
from mailsuite.cli.demo import USERS, try_lines
from mailsuite.cli.settings import accesses
from mailsuite.config import load
from mailsuite.config.endpoints import place
from mailsuite.directory.accounts import Accounts
from tests.cli.site import edit, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a demonstration site in it."""
    assert run("demo", tmp_path / "var").exit_code == 0
    return tmp_path / "var"


def test_the_site_listens_on_loopback_on_ports_that_need_no_root(folder: Path) -> None:
    """Passwords that everyone knows are for this machine only."""
    places = [place(listener.endpoints[0]) for listener in load(folder / "mailsuite.toml").listen.values()]

    assert {spot.host for spot in places} == {"127.0.0.1"}
    assert sorted(spot.port for spot in places) == [2110, 2465, 2525, 2587, 2995]


def test_the_site_has_two_users_with_mailboxes(folder: Path) -> None:
    """And the postmaster, who cannot log in."""
    settings = load(folder / "mailsuite.toml")

    with Accounts.open(settings.directory.path) as accounts:
        assert {user.name: user.has_password for user in accounts.users.list()} == {
            "alice@example.test": True, "bob@example.test": True, "postmaster@example.test": False,
        }  # fmt: skip
    assert (Path(settings.store.path) / "example.test" / "alice" / "new").is_dir()


def test_the_certificate_is_for_this_machine_by_every_name(folder: Path) -> None:
    """A client may come to mail.example.test, localhost or an address."""
    settings = load(folder / "mailsuite.toml")

    assert read_pair(settings.tls.certificate, settings.tls.key).names == ("mail.example.test", "localhost")


def test_users_and_settings_are_printed(tmp_path: Path) -> None:
    """All that a mail program asks for."""
    output = run("demo", tmp_path / "var").output

    for word in [*USERS, *USERS.values(), "127.0.0.1", "2587", "2995", "STARTTLS", "SSL/TLS", "curl "]:
        assert word in output


def test_a_second_call_makes_nothing_and_prints_the_same(folder: Path) -> None:
    """The same site starts again."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = run("demo", folder)
    assert "as they were made; what was changed since is not seen" in result.output

    assert result.exit_code == 0
    assert "alice@example.test" in result.output
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_what_is_printed_follows_the_configuration(folder: Path) -> None:
    """Where a port is taken, another can be written."""
    edit(folder / "mailsuite.toml", "tcp:2587:", "tcp:3587:")

    assert "smtp://127.0.0.1:3587" in run("demo", folder).output


def test_the_lines_to_try_send_by_submission_and_fetch_by_pop3(folder: Path) -> None:
    """Both under TLS, with the site's certificate trusted."""
    settings = load(folder / "mailsuite.toml")
    send, fetch = try_lines(accesses(settings, "alice@example.test"), "var/my cert.pem", *USERS)

    assert "--ssl-reqd smtp://127.0.0.1:2587 --user alice@example.test:wonderland" in send
    assert "pop3s://127.0.0.1:2995/1 --user bob@example.test:treehouse" in fetch
    assert "--cacert 'var/my cert.pem'" in send and "--cacert 'var/my cert.pem'" in fetch


def test_no_line_is_printed_that_could_not_work(folder: Path) -> None:
    """Without submission there is nothing to try."""
    assert try_lines([], "cert.pem", *USERS) == []
