"""What commands print."""

import json
import os
import sys
from pathlib import Path

import pytest

from mailsuite.cli.output import print_json, print_table, progress
from mailsuite.mailbox.layout import make_folders
from tests.cli.site import new_site, run


def test_a_table_for_a_pipe_is_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns start at the same place; nothing trails."""
    print_table(["Name", "Count"], [["alice", 1], ["bartholomew", None]])

    assert capsys.readouterr().out == "Name         Count\nalice        1\nbartholomew\n"


def test_a_table_without_rows_is_its_headers(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing found is no error."""
    print_table(["Name"], [])

    assert capsys.readouterr().out == "Name\n"


def test_a_table_on_a_terminal_is_framed_and_takes_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brackets in a cell are brackets."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(["Name"], [["[red]alice[/red]"]])

    out = capsys.readouterr().out
    assert "[red]alice[/red]" in out
    assert "━" in out


def test_control_characters_are_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """A name cannot steer the terminal."""
    print_table(["Name"], [["a\x1b[2Jb\nc"]])

    assert capsys.readouterr().out == "Name\na\\x1b[2Jb\\nc\n"


def test_names_that_are_no_text_can_be_read_back_from_json(tmp_path: Path) -> None:
    """A terminal's encoding is a strict one: what it lacks is an escape, and the command goes on."""
    config = new_site(tmp_path / "site")
    odd = "caf\udce9"
    make_folders(str(tmp_path / "site" / "mail" / "example.org" / odd))
    result = run("verify", "--json", "-c", config)

    assert [os.path.basename(each["path"]) for each in json.loads(result.stdout)] == [odd]


def test_json_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Letters outside ASCII stay as they are."""
    print_json([{"name": "bücher"}])
    out = capsys.readouterr().out

    assert json.loads(out) == [{"name": "bücher"}]
    assert "bücher" in out


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on either stream of a pipe."""
    with progress("importing", 2) as advance:
        advance()
        advance(1)

    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, so that output can still be piped."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("importing", 2) as advance:
        advance(2)

    assert capsys.readouterr().out == ""
