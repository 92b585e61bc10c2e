"""``mailsuite quota`` and ``mailsuite cap``: what they take, print and refuse."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.site import edit, new_site, run

ALICE = "alice@example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's configuration; Alice has two messages, one in the trash, and a sum that is wrong."""
    config = new_site(tmp_path_factory.mktemp("quota") / "site", "--unprivileged")
    said(config, "user", "add", ALICE, "--no-password")
    edit(config, "hostname", 'caps = { messages_day = 500 }\nquota = { octets = 4096 }\nhostname')
    box = config.parent / "mail/example.org/alice"
    for folder in ("new", ".Trash/cur"):
        (box / folder).mkdir(parents=True, exist_ok=True)
        (box / folder / "1.a,S=1024").write_bytes(b"")
    return config


def said(site: Path, *arguments: str, status: int = 0) -> str:
    """Run ``mailsuite``; return what it says."""
    result = run(*arguments, "--config", site)
    assert result.exit_code == status, result.output
    return result.output


def shown(site: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return what show prints as JSON."""
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json", "--config", site).stdout)
    return found


def test_set_and_show(site: Path) -> None:
    """User before domain before configuration, octets and messages each by itself."""
    (alice,) = shown(site, "quota", "show", ALICE)
    assert alice == {
        "mailbox": ALICE, "octets": 1024, "octets_limit": 4096, "messages": 1, "messages_limit": None, "percent": 25,
    }  # fmt: skip
    domain = said(site, "quota", "set", "Example.org", "--octets", "1G", "--each-octets", "2048")
    assert domain == (
        "example.org in all: 1.0 GiB, default number of messages; each mailbox: 2.0 KiB, default number of messages.\n"
    )
    assert shown(site, "quota", "show", ALICE)[0]["percent"] == 50
    user = said(site, "quota", "set", "Alice@example.org", "--octets", "1K", "--messages", "none")
    assert user == "alice@example.org: 1.0 KiB, any number of messages.\n"
    said(site, "quota", "set", ALICE, "--messages", "10")
    assert [shown(site, "quota", "show", ALICE)[0][key] for key in ("octets_limit", "messages_limit")] == [1024, 10]

    table = said(site, "quota", "show", "example.org").splitlines()
    assert table[0].split() == ["mailbox", "used", "of", "messages", "of", "full"]
    assert table[1].split() == [ALICE, "1.0", "KiB", "1.0", "KiB", "1", "10", "100", "%"]
    assert table[-1].split() == ["example.org", "in", "all", "1.0", "KiB", "1.0", "GiB", "1", "-", "0", "%"]
    assert shown(site, "quota", "show", "example.org")[-1] == {
        "domain": "example.org", "octets": 1024, "octets_limit": 1 << 30, "messages": 1, "messages_limit": None,
        "percent": 0,
    }  # fmt: skip
    said(site, "quota", "set", ALICE, "--octets", "default", "--messages", "default")
    assert shown(site, "quota", "show")[0]["octets_limit"] == 2048


def test_recalculate(site: Path) -> None:
    """A sum that was wrong is told, and right from then on."""
    path = site.parent / "mail/example.org/alice/maildirsize"
    path.write_bytes(b"9S\n77 7\n")
    assert shown(site, "quota", "show", ALICE)[0]["messages"] == 7
    assert said(site, "quota", "recalculate", ALICE).splitlines() == [
        f"{ALICE}: was 77 octets in 7 messages, is 1.0 KiB in 1 message",
        "Counted 1 mailbox; 1 had another sum before.",
    ]
    assert said(site, "quota", "recalculate").endswith("; 0 had another sum before.\n")
    assert b"1024 1" in path.read_bytes()


def test_lists(site: Path) -> None:
    """Who has a quota, or a cap, of its own."""
    said(site, "quota", "set", ALICE, "--messages", "none", "--octets", "1K")
    said(site, "quota", "set", "example.org", "--octets", "default", "--each-octets", "2K")
    assert said(site, "quota", "list").splitlines()[1:] == [
        "example.org        -        -         2.0 KiB       -",
        "alice@example.org  1.0 KiB  any       -             -",
    ]
    assert shown(site, "quota", "list", "example.org")[1] == {
        "whom": ALICE, "octets": 1024, "messages": 0, "each": None
    }  # fmt: skip
    said(site, "quota", "set", ALICE, "--messages", "default", "--octets", "default")
    assert [each["whom"] for each in shown(site, "quota", "list")] == ["example.org"]
    said(site, "cap", "set", ALICE, "messages", "hour", "9")
    said(site, "cap", "set", "example.org", "messages", "day", "none")
    assert said(site, "cap", "list").splitlines()[1:] == [
        "alice@example.org  messages  hour  9", "example.org        messages  day   any number",
    ]  # fmt: skip
    cap = {"counted": "messages", "seconds": 3600, "most": 9}
    assert shown(site, "cap", "list", "example.org")[0] == {"whom": ALICE, "caps": [cap]}
    for whom, span in ((ALICE, "hour"), ("example.org", "day")):
        said(site, "cap", "set", whom, "messages", span, "default")
    assert shown(site, "cap", "list") == []
    for command in ("quota", "cap"):
        assert "example.net" in said(site, command, "list", "example.net", status=1)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["quota", "set", ALICE], 2, "give --octets"),
        (["quota", "set", ALICE, "--octets", "much"], 2, 'expected one such as 500M, 2G, 1000, "none"'),
        (["quota", "set", ALICE, "--octets", "-1"], 2, "is no quota"),
        (["quota", "set", ALICE, "--each-octets", "1"], 2, "are for a domain"),
        (["quota", "set", "who@example.org", "--octets", "1"], 1, "no mailbox who@example.org"),
        (["quota", "set", "example.net", "--octets", "1"], 1, "example.net"),
        (["quota", "show", "example.net"], 1, "example.net"),
        (["quota", "recalculate", "who@example.org"], 1, "no mailbox"),
        (["cap", "set", "who@example.org", "messages", "day", "1"], 1, "no user who@example.org"),
        (["cap", "set", "example.net", "messages", "day", "1"], 1, "example.net"),
        (["cap", "set", ALICE, "messages", "week", "1"], 2, "week"),
        (["cap", "set", ALICE, "messages", "day", "few"], 2, "expected a number"),
        (["cap", "set", ALICE, "messages", "day", str(1 << 63)], 2, "expected a number"),
        (["cap", "set", ALICE, "messages", "day", "9" * 5000], 2, "expected a number"),
        (["cap", "set", ALICE, "messages", "day", "0"], 2, 'no limit is "none"'),
        (["queue", "list", "--held", "--status", "waiting"], 2, "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused(site: Path, arguments: list[str], status: int, words: str) -> None:
    """With what was expected."""
    assert words in said(site, *arguments, status=status)


def test_the_largest_number_is_kept(site: Path) -> None:
    """More than that is as much as that."""
    said(site, "quota", "set", ALICE, "--octets", "999999999999999999T")
    assert shown(site, "quota", "show", ALICE)[0]["octets_limit"] == (1 << 63) - 1
    said(site, "quota", "set", ALICE, "--octets", "default")


def test_caps(site: Path) -> None:
    """Of a login, of a domain, and of all logins."""
    default = {"by": "[caps]", "counted": "messages", "seconds": 86_400, "most": 500}
    assert shown(site, "cap", "show", ALICE) == [default]
    told = said(site, "cap", "set", ALICE, "recipients", "hour", "20")
    assert told == "alice@example.org: 20 recipients in an hour.\n"
    said(site, "cap", "set", ALICE, "messages", "day", "none")
    assert [(each["by"], each["counted"], each["most"]) for each in shown(site, "cap", "show", ALICE)] == [
        (ALICE, "messages", None), (ALICE, "recipients", 20),
    ]  # fmt: skip
    for counted in ("messages", "recipients"):
        said(site, "cap", "set", ALICE, counted, "day" if counted == "messages" else "hour", "default")
    assert shown(site, "cap", "show", ALICE) == [default]
    said(site, "cap", "set", "example.org", "messages", "hour", "7")
    assert said(site, "cap", "show", "example.org").split()[-4:] == ["example.org", "messages", "hour", "7"]
    assert [(each["by"], each["most"]) for each in shown(site, "cap", "show", ALICE)] == [
        ("all of example.org", 7), ("[caps]", 500),
    ]  # fmt: skip
