"""The mail log: one line for each record, which nobody who speaks to us can forge, hide or break."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from mailsuite.maillog import MailLog, format_json, format_text

NOW = 1_767_225_600.25


def test_plain_values_stand_as_they_are() -> None:
    """Addresses, numbers and lists of addresses; what is ``None`` is left out, and nothing is a dash."""
    fields = {"peer": "192.0.2.1", "size": 7, "tls": None, "to": ["a@example.org", "b@example.org"], "refused": []}

    assert (
        format_text(NOW, "smtp", fields)
        == b"2026-01-01T00:00:00.250Z smtp peer=192.0.2.1 size=7 to=a@example.org,b@example.org refused=-\n"
    )


def test_other_values_are_quoted() -> None:
    """Also those within a list."""
    fields = {"reply": "250 2.0.0 OK", "helo": "", "to": ["a b@example.org", "c@example.org"]}

    line = format_text(NOW, "smtp", fields)

    assert line.endswith(b' smtp reply="250 2.0.0 OK" helo="" to="a b@example.org",c@example.org\n')


@given(st.text())
def test_no_value_ends_its_line_or_its_field(text: str) -> None:
    """Whatever a peer says: one line, ASCII, and the field can be read back."""
    line = format_text(NOW, "smtp", {"helo": text, "end": "here"}).decode("ascii")

    assert line.count("\n") == 1
    assert line.isprintable() or line[:-1].isprintable()
    said = line.split(" helo=", 1)[1].removesuffix(" end=here\n")
    assert (json.loads(said) if said.startswith('"') else said) == text
    assert json.loads(format_json(NOW, "smtp", {"helo": text}))["helo"] == text


def test_a_record_is_written_at_once(tmp_path: Path) -> None:
    """In the form that was chosen; after the file was rotated the next goes into a new one."""
    log = MailLog(str(tmp_path / "mail.log"), "json", lambda: NOW)
    log.record("early", {})
    log.open()
    log.record("smtp", {"id": "x-1"})
    os.rename(tmp_path / "mail.log", tmp_path / "old.log")
    log.open()
    log.record("smtp", {"id": "x-2"})
    log.close()
    log.record("late", {})

    assert json.loads((tmp_path / "old.log").read_text())["id"] == "x-1"
    assert json.loads((tmp_path / "mail.log").read_text())["id"] == "x-2"


def test_a_full_disk_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And never stops the mail; when there is room again, and then none, it is told anew."""
    log = MailLog(str(tmp_path / "mail.log"), "text", lambda: NOW)
    log.open()
    with capturedLogs() as told:
        for full in (True, True, False, True):
            with monkeypatch.context() as patched:
                if full:
                    patched.setattr("mailsuite.maillog.os.write", _no_room)
                log.record("smtp", {})
    log.close()

    assert len(told) == 2


def _no_room(fd: int, octets: bytes) -> int:
    raise OSError(28, "No space left on device")
