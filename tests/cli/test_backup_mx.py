"""``mailsuite backup-mx``: from the primary's accounts to what the backup knows."""

import datetime
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mailsuite.address import Address
from mailsuite.certificates import self_signed, write_pair
from mailsuite.cli import fetch
from mailsuite.cli.fetch import fetched
from mailsuite.policy.backup_list import LIST_OCTETS, parse_key, read
from mailsuite.policy.backup_store import ListStore
from mailsuite.route import CannotConnect
from tests.cli.site import new_site, run
from tests.policy.lists import signed_list

DOMAIN = "example.org"


def done(*words: str | Path) -> str:
    """Run a command that has to succeed; return what it printed."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str | Path) -> str:
    """Run a command that has to be refused; return what it said on standard error."""
    result = run(*words)
    assert result.exit_code == 1, result.output
    return result.stderr


@pytest.fixture
def primary(tmp_path: Path) -> Path:
    """The configuration of a site that has example.org, with alice and an alias."""
    config = new_site(tmp_path / "primary", "--unprivileged")
    done("user", "add", f"alice@{DOMAIN}", "--no-password", "-c", config)
    done("alias", "add", f"sales@{DOMAIN}", "Friend@elsewhere.example", "-c", config)
    return config


@pytest.fixture
def backup(tmp_path: Path, primary: Path) -> Path:
    """The configuration of its backup, with its key."""
    config = tmp_path / "backup" / "mailsuite.toml"
    done("init", config.parent, "--hostname", "mx2.example.net", "--domain", "example.net", "--unprivileged")
    done("domain", "add", DOMAIN, "--class", "backup", "-c", config)
    said = done("backup-mx", "export", DOMAIN, "-c", primary)
    with config.open("a") as file:
        file.write(said[said.index("[backups") :])
    return config


def export(primary: Path) -> Path:
    """Publish the list and return its file."""
    file = primary.parent / "published.list"
    done("backup-mx", "export", DOMAIN, "--output", file, "-c", primary)
    return file


def key_in(said: str) -> bytes:
    """Return the key that a command has printed."""
    found = re.search(r'key = "(.*)"', said)
    assert found is not None
    return parse_key(found[1])


def test_a_list_is_exported_with_what_the_backup_needs(primary: Path) -> None:
    """The file, and the lines for the backup's configuration; the same key each time."""
    said = done("backup-mx", "export", DOMAIN, "-c", primary)
    file = primary.parent / "backup-mx" / "published" / f"{DOMAIN}.list"
    found = read(file.read_bytes(), key_in(said))

    assert said.startswith(f"4 addresses of {DOMAIN} are in {file}.\n")
    assert f'[backups."{DOMAIN}"]\nkey = "ed25519:' in said
    assert (found.domain, found.count, found.everything) == (DOMAIN, 4, False)
    for local in ("alice", "Alice+x", "sales", "postmaster", "abuse"):
        assert found.has(Address(local, DOMAIN))
    assert not found.has(Address("nobody", DOMAIN))
    assert key_in(done("backup-mx", "export", DOMAIN, "-c", primary)) == key_in(said)


def test_a_catch_all_is_said(primary: Path) -> None:
    """The backup takes everything then."""
    done("domain", "set", DOMAIN, "--catch-all", f"alice@{DOMAIN}", "-c", primary)

    assert "; a catch-all takes the others." in done("backup-mx", "export", DOMAIN, "-c", primary)


def test_a_new_list_is_never_before_the_old_one(primary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a clock be set back, the backups go on taking it."""
    file = export(primary)
    key = key_in(done("backup-mx", "export", DOMAIN, "-c", primary))
    before = read(file.read_bytes(), key).made
    monkeypatch.setattr(time, "time", lambda: before - 1000.0)

    assert read(export(primary).read_bytes(), key).made == before


@pytest.mark.parametrize(
    ("domain", "told"),
    [("nowhere.example", "no domain nowhere.example here"), ("a b", "is not a domain name")],
)
def test_what_cannot_be_exported_is_said(primary: Path, domain: str, told: str) -> None:
    """Another's domain, or none."""
    assert told in refused("backup-mx", "export", domain, "-c", primary)


def test_a_domain_of_another_class_is_not_exported(backup: Path) -> None:
    """We do not know its recipients."""
    assert f"{DOMAIN} is of class backup" in refused("backup-mx", "export", DOMAIN, "-c", backup)


def test_a_list_that_cannot_be_written_is_said(primary: Path) -> None:
    """The folder of --output is not made."""
    told = refused("backup-mx", "export", DOMAIN, "--output", primary.parent / "no" / "list", "-c", primary)

    folder = str(primary.parent / "no")
    assert told == f"Error: there is no folder {folder!r} for the list: make it, or name another file\n"


def test_a_list_is_imported_and_shown(primary: Path, backup: Path) -> None:
    """By the key in the configuration; with the state for people and for programs."""
    said = done("backup-mx", "import", export(primary), "-c", backup)

    assert said.startswith(f"Recipients of {DOMAIN}: 4 addresses, as of 20")
    (row,) = done("backup-mx", "list", "-c", backup).splitlines()[1:]
    assert re.fullmatch(rf"{DOMAIN}  4 addresses  20\S+Z  yes      -", row)
    (state,) = json.loads(done("backup-mx", "list", "--json", "-c", backup))
    assert (state["domain"], state["addresses"], state["everything"]) == (DOMAIN, 4, False)
    assert (state["source"], state["callout"], state["trouble"]) == (None, True, None)


def test_a_list_that_was_tampered_with_is_refused(primary: Path, backup: Path) -> None:
    """What we have stays."""
    file = export(primary)
    done("backup-mx", "import", file, "-c", backup)
    before = ListStore(str(backup.parent)).stamp(DOMAIN)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    assert f"Error: {file} was not taken: its signature is wrong" in refused("backup-mx", "import", file, "-c", backup)
    assert ListStore(str(backup.parent)).stamp(DOMAIN) == before


def test_an_older_list_is_refused(primary: Path, backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody brings back who was removed."""
    old = export(primary).read_bytes()
    with monkeypatch.context() as patch:
        later = time.time() + 60
        patch.setattr(time, "time", lambda: later)
        done("backup-mx", "import", export(primary), "-c", backup)
    (primary.parent / "old.list").write_bytes(old)

    assert "it is older than the one that we have" in refused(
        "backup-mx", "import", primary.parent / "old.list", "-c", backup
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (signed_list("alice", domain="other.example"), 'may sign that: set key in [backups."other.example"]'),
        (b"", "it is not a list of recipients"),
        (b"<html>" * 100, "it is not a list of recipients"),
    ],
)
def test_what_is_no_list_of_ours_is_refused(backup: Path, tmp_path: Path, content: bytes, told: str) -> None:
    """Another's, or none at all."""
    (tmp_path / "x").write_bytes(content)

    assert told in refused("backup-mx", "import", tmp_path / "x", "-c", backup)


def test_a_file_that_is_not_there_is_said(backup: Path, tmp_path: Path) -> None:
    """With its name, once, and the system's words."""
    told = refused("backup-mx", "import", tmp_path / "no", "-c", backup)

    assert told == f"Error: the list could not be read, or kept: {str(tmp_path / 'no')!r}: No such file or directory\n"


def test_the_state_says_what_is_wrong(primary: Path, backup: Path) -> None:
    """A domain that is not of the class, a list that is missing, one that is spoiled."""
    (state,) = json.loads(done("backup-mx", "list", "--json", "-c", backup))
    assert (state["trouble"], state["addresses"]) == ("no list was taken yet", None)

    done("domain", "set", DOMAIN, "--class", "relay", "-c", backup)
    (state,) = json.loads(done("backup-mx", "list", "--json", "-c", backup))
    assert state["trouble"] == f"not a domain of class backup: mailsuite domain set {DOMAIN} --class backup"

    done("backup-mx", "import", export(primary), "-c", backup)
    Path(ListStore(str(backup.parent)).path(DOMAIN)).write_bytes(b"spoiled")
    (state,) = json.loads(done("backup-mx", "list", "--json", "-c", backup))
    assert state["trouble"].startswith("it is not a list of recipients")


def test_a_domain_without_a_table_is_listed_too(backup: Path) -> None:
    """Its primary is asked."""
    done("domain", "add", "plain.example", "--class", "backup", "-c", backup)

    rows = [line.split() for line in done("backup-mx", "list", "-c", backup).splitlines()[1:]]
    assert rows[1] == ["plain.example", "-", "-", "yes", "-"]


@pytest.mark.parametrize("words", [(), ("export",), ("import",), ("list",)])
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    """`--help` works without a site."""
    assert "Usage:" in done("backup-mx", *words, "--help")


class _Pages(BaseHTTPRequestHandler):
    """Answers a test: a list, a redirect, an error."""

    pages: dict[str, bytes] = {}

    def do_GET(self) -> None:
        """Give the page, if there is one."""
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/list")
            self.end_headers()
            return
        if self.path == "/nonsense":
            self.wfile.write(b"NONSENSE\r\n\r\n")
            return
        page = self.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The address of a web server on loopback, and the file with its certificate."""
    monkeypatch.setenv("no_proxy", "localhost")

    certificate = str(tmp_path / "web.pem")
    pair = self_signed("localhost", datetime.datetime.now(datetime.UTC), ("localhost",))
    write_pair(certificate, str(tmp_path / "web.key"), pair)
    server = HTTPServer(("127.0.0.1", 0), _Pages)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, str(tmp_path / "web.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://localhost:{server.server_port}", certificate
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_list_is_imported_from_the_web(primary: Path, backup: Path, web: tuple[str, str]) -> None:
    """By an issuer that the configuration trusts."""
    url, certificate = web
    _Pages.pages = {"/list": export(primary).read_bytes()}
    with backup.open("a") as file:
        file.write(f'\n[delivery]\nca_file = "{certificate}"\n')

    assert "4 addresses" in done("backup-mx", "import", f"{url}/list", "-c", backup)
    assert "the server answered 404" in refused("backup-mx", "import", f"{url}/no", "-c", backup)


def test_only_what_was_asked_for_is_fetched(web: tuple[str, str]) -> None:
    """No redirect, no bad certificate, no other scheme, no more than the limit, nobody who does not listen."""
    url, certificate = web
    _Pages.pages = {"/list": b"x" * 100}

    assert fetched(f"{url}/list", 100, certificate) == b"x" * 100
    assert fetched(f"{url}/list", 98, certificate) == b"x" * 99
    for bad, told in [
        (f"{url}/moved", "answered 302"), (url.replace("https", "http") + "/list", "only https"),
        ("file:///etc/passwd", "only https"), ("https://localhost:1/list", "refused"),
    ]:  # fmt: skip
        with pytest.raises(CannotConnect, match=told):
            fetched(bad, LIST_OCTETS, certificate)
    with pytest.raises(CannotConnect, match="certificate verify failed"):
        fetched(f"{url}/list", 100)
    with pytest.raises(CannotConnect, match="NONSENSE"):
        fetched(f"{url}/nonsense", 100, certificate)


def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time."""
    monkeypatch.setattr(fetch, "SECONDS", 0.05)
    monkeypatch.setenv("no_proxy", "localhost")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(CannotConnect, match="timed out"):
        fetched(f"https://localhost:{silent.getsockname()[1]}/list", 100)


def test_nothing_else_is_left_behind(primary: Path) -> None:
    """Of an export: the key and the list."""
    done("backup-mx", "export", DOMAIN, "-c", primary)

    assert sorted(os.listdir(primary.parent / "backup-mx")) == ["published", "signing.key"]
