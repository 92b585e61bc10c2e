"""``mailsuite init``."""

import os
import shlex
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailsuite.certificates import read_pair
from mailsuite.cli.new_site import PAIR, endpoint
from mailsuite.config import load
from mailsuite.config.endpoints import place
from mailsuite.directory.accounts import Accounts
from tests.cli.site import new_site, run


def test_everything_that_a_site_needs_is_made(tmp_path: Path) -> None:
    """Configuration, pair, mail folder with the postmaster's mailbox, accounts."""
    settings = load(new_site(tmp_path / "site"))

    assert sorted(settings.listen) == ["mta", "pop3", "pop3s", "submission", "submissions"]
    assert settings.directory.postmaster == "postmaster@example.org"
    assert read_pair(settings.tls.certificate, settings.tls.key).is_for("mail.example.org")
    assert sorted(os.listdir(f"{settings.store.path}/example.org/postmaster")) == ["cur", "new", "tmp"]
    with Accounts.open(settings.directory.path) as accounts:
        assert [domain.name for domain in accounts.domains.list()] == ["example.org"]
        assert [user.name for user in accounts.users.list()] == ["postmaster@example.org"]


def test_only_the_owner_can_look_into_it(tmp_path: Path) -> None:
    """Folders 0700, key and accounts 0600."""
    site = new_site(tmp_path / "site").parent
    modes = {name: stat.S_IMODE(os.stat(site / name).st_mode) for name in ("", "mail", "key.pem", "accounts.sqlite")}

    assert modes == {"": 0o700, "mail": 0o700, "key.pem": 0o600, "accounts.sqlite": 0o600}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Have *mask*, for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_nobody_else_can_change_it_whatever_the_umask(tmp_path: Path) -> None:
    """Who may write in the configuration decides what code we run; nor may others put another site in its place."""
    (tmp_path / "new" / "site").mkdir(parents=True)
    (tmp_path / "new" / "site" / "mailsuite.toml.new").touch()
    (tmp_path / "new" / "site" / "mailsuite.toml.new").chmod(0o666)
    with umask(0):
        sites = [new_site(tmp_path / "new" / name).parent for name in ("site", "folder/site")]
        assert run("demo", tmp_path / "new" / "folder" / "demo").exit_code == 0
        assert os.umask(0) == 0
    made = [path for site in (*sites, tmp_path / "new" / "folder") for path in (site, *site.rglob("*"))]

    assert [str(path) for path in made if path.stat().st_mode & 0o022] == []
    assert stat.S_IMODE((sites[0] / "mailsuite.toml").stat().st_mode) == 0o644


def test_a_narrow_umask_stays_narrow(tmp_path: Path) -> None:
    """Who wants the configuration for the owner alone has it so."""
    with umask(0o077):
        config = new_site(tmp_path / "site")

    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_a_umask_that_would_keep_us_out_does_not(tmp_path: Path) -> None:
    """What is made can be used by who makes it."""
    with umask(0o777):
        config = new_site(tmp_path / "site")

    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_the_standard_ports_are_used(tmp_path: Path) -> None:
    """25, 587, 465, 110 and 995, TLS from the first octet on two of them."""
    listen = load(new_site(tmp_path / "site")).listen

    assert {name: place(one.endpoints[0]).port for name, one in listen.items()} == {
        "mta": 25, "submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995,
    }  # fmt: skip
    assert {name for name, one in listen.items() if one.tls == "implicit"} == {"submissions", "pop3s"}


def test_unprivileged_ports_on_one_address(tmp_path: Path) -> None:
    """For trying without root."""
    listen = load(new_site(tmp_path / "site", "--unprivileged", "--interface", "::1")).listen
    places = {name: place(one.endpoints[0]) for name, one in listen.items()}

    assert {spot.host for spot in places.values()} == {"::1"}
    assert sorted(spot.port for spot in places.values()) == [2110, 2465, 2525, 2587, 2995]


def test_an_existing_site_is_left_alone(tmp_path: Path) -> None:
    """A second init is refused and changes no octet."""
    site = new_site(tmp_path / "site").parent
    before = {path: path.read_bytes() for path in site.iterdir() if path.is_file()}

    result = run("init", site, "--hostname", "other.example.org", "--domain", "other.example.org")

    assert result.exit_code == 1
    assert "holds a site already" in result.output
    assert {path: path.read_bytes() for path in site.iterdir() if path.is_file()} == before


def test_a_certificate_that_is_there_is_used(tmp_path: Path) -> None:
    """Whoever has one puts it there first."""
    (tmp_path / "cert.pem").write_bytes(b"my certificate")
    (tmp_path / "key.pem").write_bytes(b"my key")
    new_site(tmp_path)

    assert (tmp_path / "cert.pem").read_bytes() == b"my certificate"


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((), "The certificate is self-signed"),
        (("cert.pem", "key.pem"), "The certificate that was there is used: cert.pem, with key.pem."),
        (("cert.pem",), "There was a cert.pem, which is kept, and no key.pem: put that beside it before you start."),
        (("key.pem",), "There was a key.pem, which is kept, and no cert.pem: put that beside it before you start."),
    ],
)
def test_what_is_said_of_the_certificate_is_so(tmp_path: Path, there: tuple[str, ...], told: str) -> None:
    """Whose it is, and what is missing."""
    for name in there:
        (tmp_path / name).write_bytes(b"mine")
    result = run("init", tmp_path, "--hostname", "mail.example.org", "--domain", "example.org")

    assert told in result.output
    assert ("self-signed" in result.output) is (not there)
    assert {name for name in ("cert.pem", "key.pem") if (tmp_path / name).exists()} == set(there or PAIR)


@pytest.mark.parametrize("command", [["demo"], ["init", "--hostname", "mail.example.org", "--domain", "example.org"]])
def test_an_empty_name_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """A script's variable that nobody has set would put a site wherever it runs."""
    monkeypatch.chdir(tmp_path)
    result = run(*command, "")

    assert result.exit_code == 2
    assert "it is empty; the current folder is ." in result.output
    assert os.listdir(tmp_path) == []


def test_a_try_that_failed_halfway_can_be_repeated(tmp_path: Path) -> None:
    """As long as there is no configuration, there is no site."""
    config = new_site(tmp_path / "site")
    os.unlink(config)

    assert new_site(tmp_path / "site").exists()


def test_the_postmaster_may_be_somebody(tmp_path: Path) -> None:
    """The named user gets the mailbox, and mail for postmaster and abuse."""
    settings = load(new_site(tmp_path / "site", "--postmaster", "Carol@Example.org"))

    assert settings.directory.postmaster == "carol@example.org"
    with Accounts.open(settings.directory.path) as accounts:
        assert [user.name for user in accounts.users.list()] == ["carol@example.org"]


def test_a_domain_in_another_script_is_kept_as_a_labels(tmp_path: Path) -> None:
    """RFC 5890: the form in which domains are compared."""
    result = run("init", tmp_path / "site", "--hostname", "mail.example.org", "--domain", "Bücher.example")

    assert result.exit_code == 0
    assert "xn--bcher-kva.example. MX 10 mail.example.org." in result.output


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--hostname", "mail example", "--domain", "example.org"], "--hostname: expected a host name"),
        (["--hostname", "mail.example.org", "--domain", "example..org"], "example..org is not a domain name"),
        (["--hostname", "a.example", "--domain", "b.example", "--postmaster", "me"], "me is not an address"),
        (["--hostname", "a.example", "--domain", "b.example", "--postmaster", "me@a.example"],
         "me@a.example is not an address in b.example"),
        (["--hostname", "a.example", "--domain", "b.example", "--interface", "eth0"], "eth0 is not an IP address"),
        (["--domain", "b.example"], "Missing option '--hostname'"),
    ],
)  # fmt: skip
def test_a_bad_request_makes_nothing(tmp_path: Path, options: list[str], complaint: str) -> None:
    """Exit code 2, the reason, and no folder."""
    result = run("init", tmp_path / "site", *options)

    assert result.exit_code == 2
    assert complaint in result.output
    assert not (tmp_path / "site").exists()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "file").write_text("")
    result = run("init", tmp_path / "file" / "site", "--hostname", "a.example", "--domain", "b.example")

    assert result.exit_code == 1
    assert "the site could not be made" in result.output


def test_root_gets_leave_to_serve_and_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site of root's can start at once; the file says what would be better."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "setgroups", lambda groups: None)
    monkeypatch.setattr(os, "setgid", lambda gid: None)
    monkeypatch.setattr(os, "setuid", lambda uid: None)
    config = new_site(tmp_path / "site")

    assert load(config).allow_root
    assert "Better: make a user for it" in config.read_text()


def test_others_get_no_such_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is not even written."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    config = new_site(tmp_path / "site")

    assert "allow_root" not in tomllib.loads(config.read_text())


def test_only_root_can_name_an_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others can only be themselves."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run(
        "init", tmp_path / "site", "--hostname", "a.example", "--domain", "b.example", "--owner", "nobody"
    )

    assert result.exit_code == 2
    assert "--owner is for root" in result.output


def test_an_owner_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that makes the user is named."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    result = run(
        "init", tmp_path / "site", "--hostname", "a.example", "--domain", "b.example", "--owner", "no-such-user"
    )

    assert result.exit_code == 2
    assert "there is no user no-such-user" in result.output


def test_the_next_steps_are_printed(tmp_path: Path) -> None:
    """User, check, start, DNS, mail program: with this site's own names."""
    result = run("init", tmp_path / "site", "--hostname", "mail.example.org", "--domain", "example.org")

    config = tmp_path / "site" / "mailsuite.toml"
    assert f"mailsuite user add YOU@example.org -c {config}" in result.output
    assert f"mailsuite --config {config}" in result.output
    assert "example.org. MX 10 mail.example.org." in result.output


def test_commands_that_are_printed_can_be_pasted(tmp_path: Path) -> None:
    """A folder's name may have spaces and what a shell reads otherwise."""
    folder = tmp_path / "it's a $site"
    result = run("init", folder, "--hostname", "mail.example.org", "--domain", "example.org")

    printed = [line for line in result.output.splitlines() if "mailsuite.toml" in line]
    assert len(printed) == 5
    for line in printed:
        assert shlex.split(line.partition(": ")[2].rstrip(")"))[-1] == str(folder / "mailsuite.toml"), line


@pytest.mark.parametrize(
    ("interface", "ipv6", "expected"),
    [
        ("", True, "tcp6:25"),
        ("", False, "tcp:25"),
        ("192.0.2.1", True, "tcp:25:interface=192.0.2.1"),
        ("2001:db8::1", True, "tcp6:25:interface=2001\\:db8\\:\\:1"),
    ],
)
def test_all_addresses_are_both_kinds_where_the_machine_has_both(
    monkeypatch: pytest.MonkeyPatch, interface: str, ipv6: bool, expected: str
) -> None:
    """One socket serves IPv6 and IPv4."""
    monkeypatch.setattr("mailsuite.cli.new_site._has_ipv6", lambda: ipv6)

    assert endpoint(25, interface) == expected
