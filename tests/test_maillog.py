"""The mail log: one line for each record, which nobody who speaks to us can forge, hide or break."""

import json
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def room_for(octets: int) -> Iterator[None]:
    """Let no file grow beyond *octets*, as on a disk that is full then: what does not fit is cut."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def lines_after_each_cut(path: Path, logs: Sequence[MailLog]) -> list[bytes]:
    """Have *logs*, which share the file *path*, write in turns, with room for ever more octets; return its lines."""
    with capturedLogs():
        for log in logs:
            log.open()
        logs[0].record("smtp", {"id": "first"})
        size = path.stat().st_size
        for more in range(60):
            for log in logs:
                with room_for(size + more):
                    log.record("smtp", {"id": more, "long": "x" * 60})
        for log in logs:
            log.record("smtp", {"id": "last"})
            log.close()
    return path.read_bytes().splitlines(keepends=True)


def test_a_line_that_does_not_fit_leaves_no_half(tmp_path: Path) -> None:
    """Wherever a full disk cuts it, and whichever of several processes writes next, each line is whole."""
    path = tmp_path / "mail.log"
    lines = lines_after_each_cut(path, [MailLog(str(path), "json", lambda: NOW) for _ in range(3)])

    assert [json.loads(line)["id"] for line in lines] == ["first", "last", "last", "last"]
    assert all(line.endswith(b"\n") for line in lines)


def test_a_half_that_cannot_be_taken_back_is_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a file that can only grow (``chattr +a``): it joins no other, and no line is empty."""
    monkeypatch.setattr("mailsuite.maillog.os.ftruncate", _no_right)
    path = tmp_path / "mail.log"
    log = MailLog(str(path), "json", lambda: NOW)
    log.open()
    with capturedLogs() as told:
        with room_for(10):
            log.record("smtp", {"id": 1})
            log.record("smtp", {"id": 2})
        for number in (3, 4):
            log.record("smtp", {"id": number})
    log.close()
    half, *whole = path.read_bytes().splitlines(keepends=True)

    assert half == b'{"time": "\n'
    assert [json.loads(line)["id"] for line in whole] == [3, 4]
    assert len(told) == 1


def test_what_another_process_has_written_meanwhile_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went on where the half ends, and has ended that line."""
    path = tmp_path / "mail.log"
    log = MailLog(str(path), "text", lambda: NOW)
    log.open()
    plain = os.write

    def cut(fd: int, octets: bytes) -> int:
        """Find room for four octets; another process writes at once."""
        written = plain(fd, octets[:4])
        with open(path, "ab") as other:
            other.write(b"another\n")
        return written

    with capturedLogs(), monkeypatch.context() as patched:
        patched.setattr("mailsuite.maillog.os.write", cut)
        log.record("smtp", {})
    log.record("smtp", {})
    log.close()

    assert path.read_bytes() == b"2026another\n2026-01-01T00:00:00.250Z smtp\n"


def _no_right(fd: int, length: int) -> None:
    raise PermissionError(1, "Operation not permitted")


def _no_room(fd: int, octets: bytes) -> int:
    raise OSError(28, "No space left on device")
