"""The commands for domains, users and aliases, as a person at a terminal uses them."""

import json
import os
import shutil
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from passlib.hash import sha512_crypt

from mailsuite.cli import main
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.directory.sql_records import SqlRecords

CONFIG = 'hostname = "mail.example.com"\n[listen.mta]\nservice = "mta"\nendpoint = "tcp:25"\n'


@dataclass
class Site:
    """A site in a folder, and the command that works on it."""

    folder: Path

    def run(self, *words: str, typed: str | bytes = "") -> Result:
        """Run ``mailsuite WORDS``, with *typed* on standard input."""
        config = str(self.folder / "mailsuite.toml")
        return CliRunner().invoke(main, [*words, "--config", config], input=typed)

    def done(self, *words: str, typed: str | bytes = "") -> str:
        """Run a command that has to succeed; return what it printed."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: str, typed: str | bytes = "") -> str:
        """Run a command that has to be refused; return what it said on standard error."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == 1, result.output
        return result.stderr

    def misused(self, *words: str) -> str:
        """Run a command that is used in a wrong way; return what it said on standard error."""
        result = self.run(*words)
        assert result.exit_code == 2, result.output
        return " ".join(result.stderr.split())

    def fits(self, name: str, password: str) -> bool:
        """Say whether this is the user's password."""
        with closing(connect_for_lookups(str(self.folder / "accounts.sqlite"))) as connection:
            login = SqlRecords(lambda: connection).login(name)
        return login is not None and any(
            Passwords().check(password, credential.stored).right for credential in login.credentials
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with the domain example.com."""
    (tmp_path / "mailsuite.toml").write_text(CONFIG)
    with Accounts.open(str(tmp_path / "accounts.sqlite"), create=True) as accounts:
        accounts.domains.add("example.com")
    return Site(tmp_path)


def test_a_user_is_added_with_a_typed_password(site: Site) -> None:
    """The password is asked for twice and never shown; login and mail folder are there at once."""
    result = site.run("user", "add", "Alice@Example.com", typed="secret\nsecret\n")

    assert result.exit_code == 0, result.output
    assert result.stdout == "Added alice@example.com.\n"
    assert "secret" not in result.output
    assert site.fits("alice@example.com", "secret")
    home = site.folder / "mail" / "example.com" / "alice"
    assert sorted(os.listdir(home)) == ["cur", "new", "tmp"]
    modes = {stat.S_IMODE(os.stat(path).st_mode) for path in (home, home / "new", home.parent, home.parent.parent)}
    assert modes == {0o700}


def test_passwords_that_differ_are_asked_for_again(site: Site) -> None:
    """A slip of the finger does not become a password."""
    site.done("user", "add", "alice@example.com", typed="secret\nsecert\nright\nright\n")

    assert site.fits("alice@example.com", "right")


def test_a_script_gives_the_password_on_standard_input(site: Site) -> None:
    """The line is the password, spaces and colons and all."""
    site.done("user", "add", "alice@example.com", "--password-stdin", typed=" pass: word \n")
    assert site.fits("alice@example.com", " pass: word ")

    site.done("user", "passwd", "alice@example.com", "--password-stdin", typed="new\n")
    assert site.fits("alice@example.com", "new")
    assert not site.fits("alice@example.com", " pass: word ")


def test_a_user_without_a_password_gets_mail_and_no_login(site: Site) -> None:
    """`--no-password` is for mailboxes that nobody opens yet."""
    site.done("user", "add", "info@example.com", "--no-password")

    assert "without a password" in site.done("user", "show", "info@example.com")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("user", "add", "alice@example.net"), "mailsuite domain add example.net"),
        (("user", "add", "alice"), "expected one such as alice@example.com"),
        (("user", "add", "bob@example.com"), "user passwd bob@example.com"),
        (("user", "passwd", "nobody@example.com"), "user add nobody@example.com"),
        (("user", "add", "carol@example.com", "--password-stdin"), "empty password"),
        (("user", "remove", "postmaster@example.com"), "--force"),
        (("user", "list", "example.net"), "no domain example.net"),
        (("domain", "remove", "example.com"), "1 user and 0 aliases"),
        (("domain", "add", "example..com"), "is not a domain name"),
        (("alias", "add", "sales@example.com", "alice@example.com"), "mailsuite user add alice@example.com"),
        (("domain", "set", "example.com", "--catch-all", "a@gmail.example"), "an alias may lead elsewhere"),
        (("domain", "set", "example.com", "--class", "relay"), "1 user and 0 aliases that would get no more mail"),
        (("domain", "set", "example.net", "--class", "relay"), "mailsuite domain add example.net"),
        (("domain", "add", "a.example", "--class", "backup", "--catch-all", "bob@example.com"), "of class backup"),
        (("alias", "remove", "bob@example.com"), "alias list"),
    ],
)
def test_what_is_refused_says_what_and_how_to_mend_it(site: Site, words: tuple[str, ...], told: str) -> None:
    """Exit code 1, one line on standard error, no traceback, nothing changed."""
    site.done("user", "add", "bob@example.com", "--no-password")
    before = site.done("user", "list", "--json")

    assert told in site.refused(*words)
    assert site.done("user", "list", "--json") == before


@pytest.mark.parametrize(
    "words",
    [
        ("user", "add"),
        ("user", "set", "postmaster@example.com"),
        ("user", "add", "a@example.com", "--no-password", "--password-stdin"),
        ("domain", "set", "example.com"),
        ("domain", "set", "example.com", "--no-catch-all", "--catch-all", "postmaster@example.com"),
        ("domain", "set", "example.com", "--no-catch-all", "--class", "relay"),
        ("domain", "add", "example.net", "--class", "remote"),
        ("alias", "add", "sales@example.com"),
        ("user", "frobnicate"),
    ],
)
def test_wrong_usage_is_exit_code_2(site: Site, words: tuple[str, ...]) -> None:
    """What cannot be understood is told from what was refused."""
    assert site.run(*words).exit_code == 2


def test_users_are_listed_and_shown_for_people_and_programs(site: Site) -> None:
    """A table, or JSON with the same facts."""
    site.done("user", "add", "alice@example.com", "--no-password")
    site.done("alias", "add", "sales@example.com", "alice@example.com")
    site.done("user", "set", "alice@example.com", "--suspend")
    mail = f"{site.folder}/mail/example.com/alice"

    assert site.done("user", "list").splitlines()[1].split() == ["alice@example.com", "suspended", mail]
    assert "sales@example.com" in site.done("user", "show", "alice@example.com")
    assert json.loads(site.done("user", "list", "example.com", "--json"))[0] == {
        "name": "alice@example.com", "suspended": True, "frozen": False, "leaves": None, "has_password": False,
        "must_change": False, "mail": mail,
    }  # fmt: skip
    assert json.loads(site.done("user", "show", "alice@example.com", "--json"))["aliases"] == ["sales@example.com"]


def test_a_user_is_suspended_and_resumed(site: Site) -> None:
    """The state is said back."""
    site.done("user", "add", "alice@example.com", "--password-stdin", typed="secret\n")

    assert site.done("user", "set", "alice@example.com", "--suspend") == "alice@example.com is suspended.\n"
    assert site.done("user", "set", "alice@example.com", "--resume") == "alice@example.com is active.\n"
    both = "alice@example.com is suspended, and to change the password.\n"
    assert site.done("user", "set", "alice@example.com", "--suspend", "--must-change") == both


def test_removing_a_user_leaves_the_mail_and_says_where(site: Site) -> None:
    """No command deletes mail; who adds that user again is told of it."""
    site.done("user", "add", "alice@example.com", "--no-password")
    path = site.folder / "mail" / "example.com" / "alice"
    (path / "new" / "message").write_text("hello")

    assert str(path) in site.done("user", "remove", "alice@example.com")
    assert (path / "new" / "message").read_text() == "hello"

    again = site.run("user", "add", "alice@example.com", "--no-password")

    assert again.exit_code == 0
    assert f"{path} was there before" in again.stderr


def test_a_mail_folder_that_cannot_be_made_is_said(site: Site) -> None:
    """The user is there all the same, and the message says what will happen."""
    (site.folder / "mail").write_text("in the way")

    assert "the first message makes it" in site.refused("user", "add", "alice@example.com", "--no-password")
    assert "alice@example.com" in site.done("user", "list")


def test_a_domain_comes_with_the_postmasters_mailbox(site: Site) -> None:
    """Mail for postmaster and abuse has a place (RFC 2142), on disk too."""
    site.done("domain", "add", "exämple.net", "--catch-all", "postmaster@example.com")

    assert (site.folder / "mail" / "xn--exmple-cua.net" / "postmaster" / "new").is_dir()
    assert json.loads(site.done("domain", "show", "exämple.net", "--json")) == {
        "name": "xn--exmple-cua.net", "class": "local", "catch_all": "postmaster@example.com", "users": 1,
        "aliases": 0, "alias_of": "", "senders": "reached",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("postmaster", "users"), [("alice@example.com", 0), ("postmaster@example.com", 0), ("Postmaster@example.net", 1)]
)
def test_a_configured_postmaster_spares_the_mailbox(site: Site, postmaster: str, users: int) -> None:
    """Only where the configuration names nobody else is a mailbox made."""
    with (site.folder / "mailsuite.toml").open("a") as file:
        file.write(f'[directory]\npostmaster = "{postmaster}"\n')
    site.done("domain", "add", "example.net")

    assert json.loads(site.done("domain", "show", "example.net", "--json"))["users"] == users


def test_domains_are_listed_changed_and_removed(site: Site) -> None:
    """A table with what is in each; the catch-all set and taken back; users go by force only."""
    site.done("domain", "add", "example.net")
    assert "is postmaster@example.com" in site.done(
        "domain", "set", "example.net", "--catch-all", "postmaster@example.com"
    )
    assert [line.split() for line in site.done("domain", "list").splitlines()[1:]] == [
        ["example.com", "local", "1", "0", "-", "-"],
        ["example.net", "local", "1", "0", "postmaster@example.com", "-"],
    ]
    assert "is off" in site.done("domain", "set", "example.net", "--no-catch-all")
    assert "postmaster" not in site.done("domain", "show", "example.net")
    site.done("user", "add", "carol@example.net", "--no-password")

    said = site.done("domain", "remove", "EXAMPLE.net", "--force")

    assert said.startswith("Removed example.net.\n")
    assert f"{site.folder}/mail/example.net/carol" in said
    assert [domain["name"] for domain in json.loads(site.done("domain", "list", "--json"))] == ["example.com"]


@pytest.mark.parametrize("domain_class", ["relay", "backup", "send-only"])
def test_a_domain_has_a_class(site: Site, domain_class: str) -> None:
    """It is said when it is made, and shown; no postmaster is made unless mail ends here."""
    assert site.done("domain", "add", "Example.net", "--class", domain_class) == (
        f"Added example.net, of class {domain_class}.\n"
    )
    assert site.done("domain", "list").splitlines()[2].split() == ["example.net", domain_class, "0", "0", "-", "-"]
    assert [each["class"] for each in json.loads(site.done("domain", "list", "--json"))] == ["local", domain_class]
    assert f"class      {domain_class}" in site.done("domain", "show", "example.net")
    assert not (site.folder / "mail").exists()

    assert site.done("domain", "set", "example.net", "--class", "local") == "example.net is of class local.\n"
    assert (site.folder / "mail" / "example.net" / "postmaster" / "new").is_dir()


def test_a_class_is_changed_by_force(site: Site) -> None:
    """What it puts out of use is kept, and of use again when the class is changed back."""
    site.done("user", "add", "alice@example.com", "--no-password")

    told = site.refused("domain", "set", "example.com", "--class", "relay")
    assert "use --force, which leaves them out of use" in told
    assert "of class relay" in site.done("domain", "set", "example.com", "--class", "relay", "--force")
    assert "alice@example.com" in site.done("user", "list")
    assert "which has no users here" in site.refused("user", "add", "bob@example.com", "--no-password")
    assert "which has no aliases here" in site.refused("alias", "add", "b@example.com", "alice@example.com")
    assert "of class local" in site.done("domain", "set", "example.com", "--class", "local")


def test_an_alias_leads_elsewhere_and_what_is_missing_later_is_said(site: Site) -> None:
    """Its targets are shown as they were written; a domain that is added takes its addresses over."""
    assert site.done("alias", "add", "sales@example.com", "Friend@Elsewhere.example") == (
        "sales@example.com goes to Friend@elsewhere.example.\n"
    )

    added = site.run("domain", "add", "elsewhere.example")

    assert added.stdout == "Added elsewhere.example.\n"
    assert added.stderr == (
        "Note: the alias sales@example.com leads to an address of elsewhere.example that is not there yet.\n"
    )


def test_aliases_are_added_listed_and_removed(site: Site) -> None:
    """Targets come and go; the command says what the alias is now."""
    for name in ("alice", "bob"):
        site.done("user", "add", f"{name}@example.com", "--no-password")
    site.done("alias", "add", "sales@example.com", "alice@example.com")

    assert site.done("alias", "add", "sales@example.com", "Bob@example.com") == (
        "sales@example.com goes to alice@example.com, bob@example.com.\n"
    )
    assert "alice@example.com, bob@example.com" in site.done("alias", "list")
    assert json.loads(site.done("alias", "list", "example.com", "--json")) == [
        {
            "name": "sales@example.com", "targets": ["alice@example.com", "bob@example.com"], "wildcard": False,
            "reply": "", "since": 0,
        }
    ]  # fmt: skip
    assert "goes to bob" in site.done("alias", "remove", "sales@example.com", "alice@example.com")
    assert "sales@example.com" in site.refused("user", "remove", "bob@example.com")
    assert site.done("user", "remove", "bob@example.com", "--force").startswith("Removed bob@example.com.\n")
    assert json.loads(site.done("alias", "list", "--json")) == []


def test_many_users_are_imported_from_standard_input(site: Site) -> None:
    """A line each; the password is all that follows the first colon."""
    lines = [f"user{number}@example.com:pass:word {number}" for number in range(30)]
    lines.append('"odd:name"@example.com:secret')

    said = site.done("user", "import", "-", typed="\ufeff" + "\r\n".join(lines) + "\n\n")

    assert said == "Imported 31 users.\n"
    assert site.fits("user7@example.com", "pass:word 7")
    assert site.fits('"odd:name"@example.com', "secret")
    assert (site.folder / "mail" / "example.com" / "user29" / "cur").is_dir()


def test_bad_lines_of_an_import_are_named_and_the_good_ones_stay(site: Site) -> None:
    """Nothing is half done in silence: line, reason, exit code 1, and no password in the message."""
    lines = [
        b"alice@example.com:first pass",
        b"no colon, only hidden words",
        b"bob@example.net:second pass",
        b"",
        b"alice@example.com:third pass",
        b"carol@example.com:",
        b"dave@example.com:\xff\xfe",
        b"\xff@example.com:fourth pass",
        b"frank@example.com:six\rth pass",
        b"erin@example.com:fifth pass",
    ]

    result = site.run("user", "import", "-", typed=b"\n".join(lines))

    assert result.exit_code == 1
    assert result.stdout == "Imported 2 users.\n"
    said = result.stderr.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "line 2", "line 3", "line 5", "line 6", "line 7", "line 8", "line 9", "Error",
    ]  # fmt: skip
    for line, told in zip(
        said,
        ["expected address:password", "domain add", "already", "empty", "UTF-8", "local part", "control", "7 lines"],
        strict=True,
    ):
        assert told in line
    assert not any(word in result.output for word in ("first", "second", "third", "fourth", "fifth", "six"))
    assert "hidden" not in result.output
    assert site.fits("alice@example.com", "first pass")
    assert site.fits("erin@example.com", "fifth pass")


def test_an_import_can_be_repeated_after_mending(site: Site) -> None:
    """Users that are in stay as they are, also with --stop; the new ones follow, from a file as well."""
    (site.folder / "users").write_text("alice@example.com:secret\nbob@example.com:secret\n")
    site.done("user", "add", "alice@example.com", "--no-password")

    assert site.done("user", "import", str(site.folder / "users")) == "Imported 1 user; 1 was here already.\n"
    assert not site.fits("alice@example.com", "secret")
    again = site.done("user", "import", str(site.folder / "users"), "--stop")
    assert again == "Imported 0 users; 2 were here already.\n"


def test_an_import_that_was_killed_goes_on(site: Site) -> None:
    """Between the commit of some users and their mail folders it is made good. The first of them are named."""
    lines = "".join(f"{name}@example.com:secret\n" for name in ("alice", "bob", "carol", "dave", "erin", "frank"))
    site.done("user", "import", "-", typed=lines)
    left = site.folder / "mail" / "example.com" / "bob"
    shutil.rmtree(left)

    result = site.run("user", "import", "-", typed=lines)

    assert (result.exit_code, result.stdout) == (0, "Imported 0 users; 6 were here already.\n")
    assert result.stderr.startswith("line 1: alice@example.com is a user already, and stays as it is\n")
    assert result.stderr.endswith("erin@example.com is a user already, and stays as it is\n(1 more is, too)\n")
    assert (left / "cur").is_dir()


@pytest.mark.parametrize(
    "words",
    [
        ("domain",), ("domain", "add"), ("domain", "list"), ("domain", "set"), ("domain", "show"),
        ("domain", "remove"), ("user",), ("user", "add"), ("user", "list"), ("user", "set"), ("user", "show"),
        ("user", "passwd"), ("user", "remove"), ("user", "import"), ("alias",), ("alias", "add"),
        ("alias", "list"), ("alias", "remove"),
    ],
)  # fmt: skip
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    """`--help` works without a site, and those that change something show an example."""
    result = CliRunner().invoke(main, [*words, "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.output
    if words[-1] in ("user", "domain", "alias", "add", "set", "passwd", "import"):
        assert "Example:\n" in result.output


def test_without_accounts_the_way_to_make_them_is_said(tmp_path: Path) -> None:
    """A configuration alone is not a site."""
    (tmp_path / "mailsuite.toml").write_text(CONFIG)

    assert "mailsuite init" in Site(tmp_path).refused("user", "list")


def test_a_password_on_standard_input_is_one_line(site: Site) -> None:
    """What comes after it would be lost without a word."""
    told = site.refused("user", "add", "alice@example.com", "--password-stdin", typed="secret\nmore\n")

    assert "standard input has more than one line" in told
    assert "not UTF-8" in site.refused("user", "add", "a@example.com", "--password-stdin", typed=b"\xff\n")
    site.done("user", "add", "alice@example.com", "--password-stdin", typed="secret")


def test_where_nobody_can_be_asked_the_other_way_is_named(site: Site) -> None:
    """A script without a terminal learns of --password-stdin."""
    assert "use --password-stdin" in site.refused("user", "add", "alice@example.com")


def test_addresses_in_any_letters(site: Site) -> None:
    """RFC 6531: one by one and in an import, each with a folder of its own."""
    added = site.run("user", "add", "Ünal@example.com", "--no-password")
    imported = site.run("user", "import", "-", typed="änne@example.com:secret\nbob@example.com:secret\n")

    assert added.exit_code == imported.exit_code == 0
    assert (added.stdout, added.stderr) == ("Added ünal@example.com.\n", "")
    assert "Warning" not in imported.stderr
    assert {"ünal", "änne"} <= {path.name for path in (site.folder / "mail/example.com").iterdir()}


@pytest.mark.parametrize("words", [("user", "list", "--json"), ("user", "list"), ("user", "--help")])
def test_output_that_cannot_be_written_is_said(site: Site, words: tuple[str, ...]) -> None:
    """A full disk is no traceback."""
    command = [sys.executable, "-c", "from mailsuite.cli import main; main()", *words]
    with open("/dev/full", "w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=site.folder)

    assert result.stderr == "Error: the output could not be written: No space left on device\n"
    assert result.returncode == 1


# RFC 7677 §3, as Dovecot writes it; the password is "pencil".
SCRAM_KEYS = (
    "4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_the_mechanisms_of_a_user_are_shown(site: Site) -> None:
    """By what is stored of the password; for people and for programs."""
    site.done("user", "add", "alice@example.com", "--no-password")
    shown = site.done("user", "show", "alice@example.com")
    assert [line.split() for line in shown.splitlines()][-1] == ["logs", "in", "by", "-"]
    site.done("user", "passwd", "alice@example.com", "--password-stdin", typed="secret\n")
    by = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"]

    assert json.loads(site.done("user", "show", "alice@example.com", "--json"))["mechanisms"] == by
    assert " ".join(by) in site.done("user", "show", "alice@example.com")


def test_hashes_of_other_servers_are_imported(site: Site) -> None:
    """Each is a password from then on; keys of SCRAM are also keys of SCRAM. What nobody knows is named."""
    lines = [
        f"alice@example.com:{{SCRAM-SHA-256}}{SCRAM_KEYS}",
        "bob@example.com:{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==",
        "carol@example.com:{SHA512-CRYPT}" + sha512_crypt.using(rounds=1000).hash("secret"),
        "dave@example.com:secret",
        "erin@example.com:{FROB}x",
    ]
    result = site.run("user", "import", "-", "--hashed", typed="\n".join(lines) + "\n")

    assert result.exit_code == 1
    assert "Imported 3 users." in result.output
    assert [line.split(":")[0] for line in result.stderr.splitlines()[:2]] == ["line 4", "line 5"]
    assert site.fits("alice@example.com", "pencil")
    assert site.fits("bob@example.com", "secret")
    assert site.fits("carol@example.com", "secret")
    found = json.loads(site.done("user", "show", "alice@example.com", "--json"))["mechanisms"]
    assert found == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]


def test_a_domain_that_is_an_alias(site: Site) -> None:
    """Listed and shown with what it is an alias of; one thing is changed at a time."""
    assert site.done("domain", "add", "example.de", "--alias-of", "example.com") == (
        "Added example.de, an alias of example.com.\n"
    )
    assert not (site.folder / "mail" / "example.de").exists()
    assert "example.com" in site.done("domain", "list").splitlines()[-1].split()
    assert "give one of" in site.misused("domain", "set", "example.de", "--no-alias-of", "--senders", "own")
    assert "whose rule holds" in site.refused("domain", "set", "example.de", "--senders", "own")
    assert site.done("domain", "set", "example.com", "--senders", "caught") == (
        "From addresses of example.com may send: caught.\n"
    )
    assert site.done("domain", "set", "example.de", "--no-alias-of") == "example.de is no alias of another domain.\n"
    assert (site.folder / "mail" / "example.de" / "postmaster" / "new").is_dir()
    assert json.loads(site.done("domain", "show", "example.de", "--json"))["users"] == 1
    assert site.done("domain", "set", "example.de", "--alias-of", "example.com") == (
        "example.de is an alias of example.com.\n"
    )


def test_wildcards_and_replies(site: Site) -> None:
    """The list tells both; --off takes a reply away."""
    site.done("user", "add", "alice@example.com", "--no-password")
    assert site.done("alias", "add", "*-bills@example.com", "alice@example.com") == (
        "*-bills@example.com goes to alice@example.com.\n"
    )
    assert site.done("alias", "reject", "old@example.com", "--text", "Write to sales") == (
        "old@example.com is answered with: 550 5.1.1 Write to sales\n"
    )
    site.done("alias", "reject", "*-bills@example.com", "--code", "450", "--status", "4.7.0")
    assert [line.split(maxsplit=2)[1:] for line in site.done("alias", "list").splitlines()[1:]] == [
        ["alice@example.com", "450 4.7.0 This address takes no mail"],
        ["-", "550 5.1.1 Write to sales"],
    ]
    assert "no reply code" in site.refused("alias", "reject", "old@example.com", "--code", "250")
    assert "goes to alice" in site.done("alias", "reject", "*-bills@example.com", "--off")
    assert "no reply of its own any more" in site.done("alias", "reject", "old@example.com", "--off")


def test_frozen_and_leaving(site: Site) -> None:
    """Each is told by the state; whoever stays has no reply any more."""
    name = "alice@example.com"
    site.done("user", "add", name, "--no-password")
    assert site.done("user", "freeze", name) == f"{name} is frozen.\n"
    assert json.loads(site.done("user", "show", name, "--json"))["frozen"] is True
    assert site.done("user", "thaw", name) == f"{name} is without a password.\n"
    assert "give one of" in site.misused("user", "leave", name)
    assert "'soon' is no day; expected one such as 2027-01-31" in site.misused(
        "user", "leave", name, "--until", "soon"
    )
    left = ("user", "leave", name, "--forward", "alice@new.example", "--text", "Gone")
    assert site.done(*left, "--until", "2999-01-31") == f"{name} is without a password, leaving on 2999-01-31.\n"
    assert site.done("alias", "list").splitlines()[1].split(maxsplit=3)[1:] == [
        "alice@example.com,", "alice@new.example", "from 2999-01-31: 550 5.1.6 Gone",
    ]  # fmt: skip
    assert site.done(*left, "--until", "2020-01-31") == f"{name} is without a password, its mail refused.\n"
    shown = json.loads(site.done("user", "show", name, "--json"))
    assert (shown["reads"], shown["targets"]) == (name, [name, "alice@new.example"])
    stays = site.run("user", "leave", name, "--cancel")
    assert stays.stdout == f"{name} is without a password.\n"
    end = f"alias remove {name}"
    assert stays.stderr == f"Note: Mail for {name} still goes to alice@new.example; that ends by: mailsuite {end}\n"
    # What is no user has a reply that is somebody else's decision.
    site.done("alias", "reject", "old@example.com")
    assert "no user old@example.com" in site.refused("user", "leave", "old@example.com", "--cancel")
    assert "550 5.1.1" in site.done("alias", "list")
    assert site.done("alias", "add", name, "x@new.example", "--keep").startswith(f"{name} goes to {name}, alice@new")
    # What it names ends it, and where nothing is forwarded nothing is noted.
    site.done("alias", "remove", name)
    site.done(*left, "--until", "2020-01-31", "--no-copy")
    stays = site.run("user", "leave", name, "--cancel")
    assert "still goes to alice@new.example, and not into the mailbox; that ends by" in stays.stderr
    site.done("alias", "remove", name)
    assert json.loads(site.done("user", "show", name, "--json"))["targets"] == []
    site.done("user", "leave", name, "--until", "2020-01-31")
    assert site.run("user", "leave", name, "--cancel").stderr == ""
