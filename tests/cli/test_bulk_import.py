"""Many domains, users and aliases at once, out of CSV, JSON and Postfix's tables."""

import os
from pathlib import Path

import pytest

from mailsuite.directory import bulk
from tests.cli.test_accounts import Site, site

__all__ = ["site"]

_HASH = "{SSHA}Jvhm7HZD0ysaLkDxd8Yxk+NJM5G7c2Fs"


class TestUsers:
    """``user import``."""

    def test_csv(self, site: Site) -> None:
        """With a password, a hash, or nothing; what cannot be used is named by its line, and the rest goes on."""
        text = (
            "address,hash,password\nann@example.com,,open sesame\n"
            f'"bob@example.com",{_HASH},\neve@example.com,,\nno address,,x\n\njoe@example.com,{_HASH}\n'
        )
        result = site.run("user", "import", "-", "--format", "csv", typed=text)

        assert result.exit_code == 1
        assert "line 5: no address is not an address" in result.stderr
        assert "line 7: it has 2 fields" in result.stderr
        assert result.stdout == "Imported 3 users.\n"
        assert site.fits("ann@example.com", "open sesame")
        assert "without a password" in site.done("user", "show", "eve@example.com")
        assert "active" in site.done("user", "show", "bob@example.com")

    def test_json(self, site: Site) -> None:
        """An object in each line."""
        text = (
            '{"address": "ann@example.com", "password": "open sesame"}\n\n{"address": 3}\nha\n'
            '{"address": "bob@example.com", "name": "Bob"}\n' + "[" * 100_000 + "\n"
        )
        result = site.run("user", "import", "-", "--format", "json", typed=text)

        assert result.stdout == "Imported 1 user.\n"
        for number in (3, 4, 5, 6):
            assert f"line {number}: " in result.stderr
        assert site.fits("ann@example.com", "open sesame")

    def test_stop(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing behind the first row that cannot be used, and the rows that share its commit."""
        monkeypatch.setattr(bulk, "ROWS_PER_COMMIT", 2)
        text = "address\nann@example.com\nno\nbob@example.com\n"
        result = site.run("user", "import", "-", "--format", "csv", "--stop", typed=text)

        assert result.exit_code == 1
        assert "line 3" in result.stderr
        assert "no user" in site.refused("user", "show", "bob@example.com")
        assert "Imported 0 users" in site.run(
            "user", "import", "-", "--format", "json", "--stop", typed='ha\n{"address": "bob@example.com"}\n'
        ).stdout

    def test_no_header(self, site: Site) -> None:
        """The first line of CSV says what the fields are."""
        for text in ("ann@example.com,x\n", "name,password\n", "\n"):
            assert "the first line has to name" in site.refused("user", "import", "-", "--format", "csv", typed=text)


class TestDomains:
    """``domain import``."""

    def test_there_and_again(self, site: Site) -> None:
        """Classes, catch-alls and aliases of domains; a second time nothing is to be done."""
        text = (
            "domain,class,catch_all,alias_of\nexample.net,backup,,\nexample.org,,postmaster@example.com,\n"
            "example.de,,,example.com\n"
        )
        words = ("domain", "import", "-")
        assert site.done(*words, typed=text) == "Imported 3 domains.\n"
        assert site.done(*words, typed=text) == "Imported 0 domains.\n"
        assert "backup" in site.done("domain", "show", "example.net")
        assert "postmaster@example.com" in site.done("domain", "show", "example.org")

    def test_what_cannot_be_used(self, site: Site) -> None:
        """It is named; with --stop it is the last."""
        text = '{"domain": "a.example", "class": "ha"}\n{"domain": "b.example"}\n'
        words = ("domain", "import", "-", "--format", "json")
        assert site.run(*words, "--stop", typed=text).stdout == "Imported 0 domains.\n"
        result = site.run(*words, typed=text)

        assert "line 1: ha is no class" in result.stderr
        assert result.stdout == "Imported 1 domain.\n"


class TestAliases:
    """``alias import``."""

    def test_any_order(self, site: Site) -> None:
        """One may lead to another that stands behind it; a bad one spoils no other of its commit."""
        site.done("user", "add", "ann@example.com", "--no-password")
        text = (
            "address,targets\na@example.com,b@example.com\nb@example.com,ann@example.com far@b.example\n"
            'c@example.com,"ann@example.com, nobody@example.com"\nd@example.com,\ne@nowhere.example,ann@example.com\n'
        )
        result = site.run("alias", "import", "-", typed=text)

        assert result.stdout == "Imported 2 aliases.\n"
        for told in ("line 4: no user or alias nobody", "line 5: it has no targets", "line 6: no domain"):
            assert told in result.stderr
        assert "far@b.example" in site.done("alias", "list")
        assert "c@example.com" not in site.done("alias", "list")
        assert site.run("alias", "import", "-", typed=text).stdout == "Imported 2 aliases.\n"
        assert site.run("alias", "import", "-", "--stop", typed=text).stdout == "Imported 2 aliases.\n"

    def test_json(self, site: Site) -> None:
        """Targets are a list."""
        text = '{"address": "a@example.com", "targets": ["postmaster@example.com", "far@b.example"]}\n'
        assert site.done("alias", "import", "-", "--format", "json", typed=text) == "Imported 1 alias.\n"
        assert "far@b.example" in site.done("alias", "list")


class TestPostfix:
    """``import postfix-maps``."""

    def test_lines_of_two_tables(self, site: Site, tmp_path: Path) -> None:
        """Each that cannot be used is named by its own table, whatever number it has in the other one."""
        (tmp_path / "virtual").write_text("a@example.com nobody\nb@example.com postmaster\n")
        (tmp_path / "aliases").write_text("c: nothing\nd: none, nothing\ne: b\n")
        words = (
            "import", "postfix-maps", "--virtual", str(tmp_path / "virtual"), "--aliases", str(tmp_path / "aliases"),
            "--domain", "example.com",
        )  # fmt: skip
        before = [site.done(each, "list") for each in ("domain", "user", "alias")], os.listdir(site.folder)
        rehearsed = site.run(*words, "--dry-run")
        assert rehearsed.stdout == "0 users, 2 aliases, 0 catch-alls and 0 alias domains would be made, or are here.\n"
        assert before == ([site.done(each, "list") for each in ("domain", "user", "alias")], os.listdir(site.folder))
        result = site.run(*words)
        assert rehearsed.stderr == result.stderr

        assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "2 aliases are here.")
        assert [line.partition(": no user")[0] for line in result.stderr.splitlines()] == [
            "virtual, line 1", "aliases, line 1", "aliases, line 2", "Error: 3 entries cannot be used",
        ]  # fmt: skip

    def test_domains_come_in_the_order_of_the_tables(self, site: Site, tmp_path: Path) -> None:
        """The first that a site has is where mail for the postmaster of none goes."""
        names = [f"{letter}.example" for letter in "qwertyuiop"]
        (tmp_path / "vmailbox").write_text("".join(f"ann@{name} x\n" for name in names))
        said = site.done("import", "postfix-maps", "--mailboxes", str(tmp_path / "vmailbox"))

        assert said.splitlines()[: len(names)] == [f"Added the domain {name}." for name in names]

    def test_tables(self, site: Site, tmp_path: Path) -> None:
        """Users, aliases, catch-alls and whole domains; a second run makes nothing, and says the same."""
        (tmp_path / "vmailbox").write_text("# users\nann@old.example  ann/\nbob@old.example x\n@old.example x\n")
        (tmp_path / "virtual").write_text(
            "alias.example anything\nsales@alias.example\n  ann@old.example,\n  far@b.example\n"
            "@old.example ann@old.example\n@new.example @old.example\npostmaster@old.example ann@old.example\n"
            "no..name@old.example ann@old.example\n"
        )
        (tmp_path / "aliases").write_text(
            "root: ann@old.example\nlists: |/bin/list, root\nops: root, \\postmaster\nha\n"
        )
        words = ["import", "postfix-maps", "--domain", "example.com"]
        for name, table in (("--mailboxes", "vmailbox"), ("--virtual", "virtual"), ("--aliases", "aliases")):
            words += [name, str(tmp_path / table)]
        rehearsed = site.run(*words, "--dry-run")
        assert "2 users, 4 aliases, 1 catch-all and 1 alias domain" in rehearsed.stdout
        assert "old.example" not in site.done("domain", "list")
        assert not (site.folder / "mail" / "old.example").exists()
        result = site.run(*words)
        assert rehearsed.stderr == result.stderr

        assert result.exit_code == 1
        for told in (
            "mailboxes, line 4", "virtual, line 8", "aliases, line 2: |/bin/list is a command", "aliases, line 4",
        ):  # fmt: skip
            assert told in result.stderr
        assert "4 entries" in result.stderr
        assert "Added 2 users" in result.stdout
        assert "4 aliases are here." in result.stdout
        domains = site.done("domain", "list")
        assert all(name in domains for name in ("old.example", "alias.example", "new.example"))
        listed = site.done("alias", "list")
        for name in ("sales@alias.example", "postmaster@old.example", "root@example.com", "ops@example.com"):
            assert name in listed
        again = site.run(*words)
        assert "Added 0 users" in again.stdout
        assert again.stderr == result.stderr

    def test_misuse(self, site: Site, tmp_path: Path) -> None:
        """At least one table; aliases need a domain."""
        (tmp_path / "aliases").write_text("root: ann@old.example\n")
        assert "at least one" in site.misused("import", "postfix-maps")
        assert "--domain" in site.misused("import", "postfix-maps", "--aliases", str(tmp_path / "aliases"))
