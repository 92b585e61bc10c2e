"""The passwd-file: what a line may say, and what becomes of a file that is none."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from passlib.hash import bcrypt, ldap_salted_sha256, sha512_crypt
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory import passwd_file
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.errors import Away, NoAccounts
from mailsuite.directory.passwd_file import CHECK_SECONDS, PasswdFileBackend
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.remembered import Source
from mailsuite.maybe import value_of
from mailsuite.sasl.scram_keys import scram_keys
from tests.directory.conftest import at_once, ticking

DOMAINS = ["example.org", "example.net"]
CRYPT = sha512_crypt.using(rounds=1000).hash("secret")
BCRYPT = bcrypt.using(rounds=4).hash("secret")
# As Dovecot writes them: RFC 5803 puts a colon between two keys.
SCRAM = "{SCRAM-SHA-256}" + ",".join(
    re.split(r"[$:]", str(scram_keys("SCRAM-SHA-256", "secret", b"salt of 16 octet", 4096)))[1:]
)


def over(path: Path, clock: Clock | None = None) -> PasswdFileBackend:
    """Return the back end of *path*, started."""
    backend = PasswdFileBackend(str(path), DOMAINS, ticking() if clock is None else clock.seconds, at_once)
    backend.start()
    return backend


@pytest.mark.parametrize(
    "line",
    [
        f"alice:{CRYPT}",
        f"alice:{{CRYPT}}{CRYPT}:::::",
        f"alice@example.org:{{SHA512-CRYPT}}{CRYPT}:1000:1000:Alice, A.:/home/alice:/bin/false:a=b c",
        f"ALICE@Example.ORG:{{BLF-CRYPT}}{BCRYPT}::::::userdb_quota_rule=*:bytes=100M",
        f"alice:{{SSHA256}}{ldap_salted_sha256.hash('secret').removeprefix('{SSHA256}')}\r",
        f"alice:{SCRAM}",
    ],
    ids=["no scheme", "crypt", "all fields", "bcrypt", "salted", "scram"],
)  # fmt: skip
def test_a_line(tmp_path: Path, line: str) -> None:
    """With all fields and with few, in any scheme that is known, of a user with a domain or without."""
    path = tmp_path / "users"
    path.write_text(f"# comment\n\n{line}\n")
    backend = over(path)
    source = Source(backend.generation, ticking())
    authenticator = Authenticator(backend, source, Passwords(memory_kib=8, passes=1), at_once)
    for word, right in (("secret", True), ("wrong", False)):
        asked = Deferred.fromCoroutine(value_of(authenticator.authenticate("alice@example.org", word, "pop3")))
        assert (SynchronousTestCase().successResultOf(asked) is not None) is right
    record = backend.address("alice", "example.org")
    assert record is not None and record.mailbox is not None
    assert record.mailbox.path == "example.org/alice"
    assert backend.everybody_has(["scram-sha-256"]) == (frozenset({"scram-sha-256"}) if SCRAM in line else frozenset())


def test_lines_that_are_left_out(tmp_path: Path) -> None:
    """Of two the first counts; what is no address, of another domain, or has no colon, is told and harms nobody."""
    path = tmp_path / "users"
    bad = b":x\nx@elsewhere.example:y\nno name@:z\n\xff\xfe:q\nbroken\n"
    path.write_bytes(b"alice:first\nalice@example.org:x\n" + bad + b"bob:b\n")
    with capturedLogs() as told:
        backend = over(path)
    assert [event["line"] for event in told] == [3, 4, 5, 6, 7]
    login = backend.login("alice@example.org")
    assert login is not None and login.credentials[0].stored == "first"
    assert len(backend.mailboxes("example.org", 0)) == 2
    assert backend.mailboxes("example.org", backend.mailboxes("example.org", 0)[-1].id) == []
    assert backend.mailboxes("example.net", 0) == []


def test_what_is_no_file_of_users_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is one without domains, or with one that is none."""
    path = tmp_path / "users"
    for content in (None, b"", b"x" * 101, b"# nobody yet\n", b"\0\xff\n::::\n"):
        monkeypatch.setattr(passwd_file, "FILE_OCTETS", 100)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(NoAccounts, match="users"):
            over(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(NoAccounts, match="users is no regular file"):
        over(path)
    path.unlink()
    path.write_bytes(b"a:" + b"x" * 98)
    over(path)
    for domains in ([], ["not a domain"]):
        with pytest.raises(NoAccounts, match="domains"):
            PasswdFileBackend(str(path), domains, ticking(), at_once).start()


def test_a_file_that_is_being_written_is_no_answer(tmp_path: Path) -> None:
    """Emptied first, as an editor may do: nobody is gone; and it is looked at no more often than it has to be."""
    path, clock = tmp_path / "users", Clock()
    path.write_text("alice:x\n")
    backend = over(path, clock)
    first = backend.generation()
    path.write_bytes(b"")
    assert backend.generation() == first
    clock.advance(CHECK_SECONDS)
    with pytest.raises(Away):
        backend.generation()
    assert backend.address("alice", "example.org") is not None
    path.write_text("bob:x\n")
    clock.advance(CHECK_SECONDS)
    assert backend.generation() == first + 1
    assert backend.address("alice", "example.org") is None
    path.write_bytes(b"\0" * 7)
    clock.advance(CHECK_SECONDS)
    with capturedLogs() as told, pytest.raises(Away):
        backend.generation()
    assert told == []
    assert backend.address("bob", "example.org") is not None
    os.unlink(path)
    clock.advance(CHECK_SECONDS)
    with pytest.raises(Away):
        backend.generation()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(content=b":::::::\n:\n@\n@example.org:x\n\"a b\"@example.org:x:1:1")
@given(content=st.binary(min_size=1, max_size=200))
def test_any_file_is_read(tmp_path: Path, content: bytes) -> None:
    """Whatever is in it makes no more of it than lines left out."""
    path = tmp_path / "users"
    path.write_bytes(content + b"\npostmaster:x\n")
    with capturedLogs():
        backend = over(path)
    for box in backend.mailboxes("example.org", 0):
        assert backend.current(box) == box
