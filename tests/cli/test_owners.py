"""Commands that only look, or only handle mail, on accounts that are kept elsewhere."""

import json
from pathlib import Path

import pytest

from mailsuite.mailbox.layout import make_folders
from tests.cli.site import edit, new_site, run
from tests.commands import DOCUMENTS

EXAMPLES = DOCUMENTS / "etc/directories"
ALICE = "alice@example.org"
MAIL = b"Subject: hello\n\nx\n"
TABLE = ["mailbox", "used", "of", "messages", "of", "full"]


@pytest.fixture
def passwd_file(tmp_path: Path) -> Path:
    """The configuration of a site whose users are in a passwd-file: Alice has a quota, Bob may not log in."""
    config = new_site(tmp_path / "site", "--unprivileged")
    edit(config, "[directory]\n", '[directory]\nbackend = "passwd-file"\n')
    with config.open("a") as file:
        file.write('\n[passwd_file]\npath = "users"\ndomains = ["example.org"]\n')
    (config.parent / "users").write_text(
        "alice:{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==::::::userdb_quota_rule=*:bytes=500\n"
        "bob:{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==::::::nologin\ncarol:\n"
    )
    return config


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of a site with the back end that the document has as an example, which lists nobody."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    config = new_site(tmp_path / "site", "--unprivileged")
    edit(config, "[directory]\n", '[directory]\nbackend = "own_directory:make"\n')
    return config


def said(config: Path, *arguments: str | Path, status: int = 0) -> str:
    """Run ``mailsuite``; return what it says."""
    result = run(*arguments, "--config", config)
    assert result.exit_code == status, result.output
    return result.output


def old_mail(folder: Path) -> Path:
    """Make a Maildir with one message, and return where."""
    made = folder / "old"
    made.mkdir()
    make_folders(str(made))
    (made / "cur/1700000001.M1P1.h:2,S").write_bytes(MAIL)
    return made


@pytest.mark.parametrize("kind", ["passwd_file", "own"])
def test_mail_comes_and_leaves(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Nothing of the accounts has to change for that: each way in, each way out, and the ids beside it."""
    config: Path = request.getfixturevalue(kind)
    source = old_mail(tmp_path)
    (tmp_path / "mbox").write_bytes(b"From a@b Thu Jan  1 00:00:01 2026\n" + MAIL)
    assert "1 brought" in said(config, "import", "maildir", "Alice@example.org", source)
    assert "1 brought" in said(config, "import", "mbox", ALICE, tmp_path / "mbox")
    assert "Kept the ids of 0 messages" in said(config, "mailbox", "import-uidl", ALICE, "--header")
    assert "INBOX.mbox: 2 messages" in said(config, "export", "mbox", ALICE, tmp_path / "out")
    said(config, "export", "maildir", ALICE, tmp_path / "maildir")
    assert len(list((tmp_path / "maildir").glob("[cn][ue][rw]/*"))) == 2
    assert f" {ALICE} " in said(config, "settings", ALICE)
    assert said(config, "quota", "recalculate", ALICE).startswith("Counted 1 mailbox;")
    (shown,) = json.loads(said(config, "quota", "show", ALICE, "--json"))
    assert (shown["mailbox"], shown["messages"]) == (ALICE, 2)
    for words in (("settings",), ("quota", "show"), ("quota", "recalculate"), ("user", "show")):
        assert "no user nobody@example.org here; [directory] backend is" in said(
            config, *words, "nobody@example.org", status=1
        )


def test_users_of_a_passwd_file_are_listed(passwd_file: Path) -> None:
    """All of them, or a domain's, with what becomes of their logins."""
    for domain in ((), ("Example.org",)):
        table = said(passwd_file, "user", "list", *domain).splitlines()[1:]
        assert [row.rpartition("  ")[0].strip().split(maxsplit=1) for row in table] == [
            [ALICE, "active"], ["bob@example.org", "frozen"], ["carol@example.org", "without a password"],
        ]  # fmt: skip
    assert "no domain example.net here" in said(passwd_file, "user", "list", "example.net", status=1)


def test_quotas_of_a_passwd_file(passwd_file: Path) -> None:
    """They are those of the file, and who has one there is listed."""
    table = [line.split() for line in said(passwd_file, "quota", "list").splitlines()]
    assert table[1:] == [[ALICE, "500", "octets", "-", "-", "-"]]
    assert len(json.loads(said(passwd_file, "quota", "show", "--json"))) == 3
    table = [line.split() for line in said(passwd_file, "quota", "show", "example.org").splitlines()]
    assert table[0] == TABLE
    assert table[1] == [ALICE, "0", "octets", "500", "octets", "0", "-", "0", "%"]
    assert table[-1][:3] == ["example.org", "in", "all"]
    assert said(passwd_file, "quota", "recalculate").startswith("Counted 3 mailboxes;")


def test_a_user_is_shown(passwd_file: Path) -> None:
    """What can be known is said, and of the rest that it is not known."""
    shown = json.loads(said(passwd_file, "user", "show", "bob@example.org", "--json"))
    assert (shown["frozen"], shown["suspended"], shown["has_password"]) == (True, False, True)
    assert (shown["reads"], shown["aliases"]) == ("bob@example.org", None)
    rows = said(passwd_file, "user", "show", ALICE).splitlines()
    assert [rows[1].split()[-1], *(row.split("  ")[-1].strip() for row in rows[4:])] == [
        "active", "-", "not known here", "PLAIN LOGIN",
    ]  # fmt: skip


def test_who_cannot_be_listed_is_said(own: Path) -> None:
    """Not that something would be changed; and what needs one user alone is done."""
    for words in (("user", "list"), ("quota", "list"), ("quota", "show"), ("quota", "recalculate", "example.org")):
        told = said(own, *words, status=1)
        assert '"own_directory:make", whose users cannot be listed here: name one of them' in told
    assert "active" in said(own, "user", "show", ALICE)


def test_what_is_refused_is_not_called_a_change(passwd_file: Path) -> None:
    """A list of aliases is none."""
    told = said(passwd_file, "alias", "list", status=1)
    assert "what is asked for here has to be looked at, and changed, where it is kept" in told


def test_a_back_end_that_is_away_is_said(passwd_file: Path) -> None:
    """In one line, with what cannot be read."""
    (passwd_file.parent / "users").unlink()
    assert "users cannot be read: No such file" in said(passwd_file, "settings", ALICE, status=1)
