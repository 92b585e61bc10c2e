"""Programs and libraries that fetch mail, each as a user would set it up.

Each call fetches what is new to this user of the program, and returns it; with *delete* the server's copies go, those
of earlier calls too.
"""

import os
import poplib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from tests.system.programs import run
from tests.system.site import Site, secret

# How TLS begins: by STLS, or with the connection.
Door: TypeAlias = Literal["pop3", "pop3s"]
Fetch: TypeAlias = Callable[[Site, Door, str, Path, bool], list[bytes]]

# poplib refuses longer lines; ours may have up to 8192 octets.
poplib._MAXLINE = 16_384  # type: ignore[attr-defined]


def pop3_session(
    site: Site, user: str, door: Door = "pop3s", password: str | None = None, utf8: bool = False
) -> poplib.POP3:
    """Return a session of poplib that has logged in. *utf8*: it takes messages in UTF-8 as they are (RFC 6856)."""
    if door == "pop3s":
        session: poplib.POP3 = poplib.POP3_SSL(site.place.address, site.ports[door], timeout=30, context=site.tls())
    else:
        session = poplib.POP3(site.place.address, site.ports[door], timeout=30)
        session.stls(context=site.tls())
    try:
        if utf8:
            session.utf8()
        session.user(user)
        session.pass_(secret(user) if password is None else password)
    except poplib.error_proto:
        session.close()
        raise
    return session


def retrieve(session: poplib.POP3, number: int) -> bytes:
    """Return one message as the server has it."""
    response, lines, _ = session.retr(number)
    assert int(response.split()[1]) == sum(len(line) + 2 for line in lines)
    return b"".join(line + b"\r\n" for line in lines)


def fetch_all(site: Site, user: str) -> list[bytes]:
    """Return all messages of *user* as they lie there; none is deleted."""
    session = pop3_session(site, user, utf8=True)
    count, octets = session.stat()
    messages = [retrieve(session, number) for number in range(1, count + 1)]
    assert sum(map(len, messages)) == octets
    session.quit()
    return messages


def with_poplib(site: Site, door: Door, user: str, home: Path, delete: bool) -> list[bytes]:
    """Fetch with Python's poplib; unique ids that were seen are kept in a file."""
    file = home / "seen"
    seen = set(file.read_text().split()) if file.exists() else set()
    session = pop3_session(site, user, door)
    fetched: list[bytes] = []
    for line in session.uidl()[1]:
        number, unique_id = line.decode().split()
        if unique_id not in seen:
            fetched.append(retrieve(session, int(number)))
            seen.add(unique_id)
        if delete:
            session.dele(int(number))
    session.quit()
    file.write_text("\n".join(seen))
    return fetched


def with_curl(site: Site, door: Door, user: str, home: Path, delete: bool) -> list[bytes]:
    """Fetch with curl, a call for each message; the user looks at the unique ids."""
    file = home / "seen"
    seen = set(file.read_text().split()) if file.exists() else set()
    port = site.ports[door]
    common = ["curl", "--silent", "--show-error", "--resolve", f"{site.hostname}:{port}:{site.place.address}"]
    common += ["--ssl-reqd", "--cacert", str(site.certificate), "--user", f"{user}:{secret(user)}"]
    url = f"{door}://{site.hostname}:{port}/"
    fetched: list[bytes] = []
    numbers: list[str] = []
    for line in run([*common, "--request", "UIDL", url], home=home).stdout.decode().strip().splitlines():
        number, unique_id = line.split()
        numbers.append(number)
        if unique_id not in seen:
            fetched.append(run([*common, url + number], home=home).stdout)
            seen.add(unique_id)
    if delete:
        # From the last to the first, so that the numbers of the others stay.
        for number in reversed(numbers):
            run([*common, "--head", "--request", f"DELE {number}", url], home=home)
    file.write_text("\n".join(seen))
    return fetched


def with_mpop(site: Site, door: Door, user: str, home: Path, delete: bool) -> list[bytes]:
    """Fetch with mpop into a Maildir."""
    lines = [
        "defaults",
        "account default",
        f"host {site.place.address}",
        f"port {site.ports[door]}",
        "tls on",
        f"tls_starttls {'on' if door == 'pop3' else 'off'}",
        f"tls_trust_file {site.certificate}",
        f"tls_host_override {site.hostname}",
        f"user {user}",
        f"password {secret(user)}",
        f"delivery maildir {_maildir(home)}",
        f"uidls_file {home}/uidls",
        "received_header off",
        f"keep {'off' if delete else 'on'}",
    ]
    _private(home / ".mpoprc", lines)
    run(["mpop", "--quiet"], home=home)
    return _taken(home)


def with_fetchmail(site: Site, door: Door, user: str, home: Path, delete: bool) -> list[bytes]:
    """Fetch with fetchmail into a program that writes files."""
    folder = _maildir(home) / "new"
    security = "ssl sslproto 'TLS1.2+'" if door == "pop3s" else "sslproto 'TLS1.2+'"
    lines = [
        f"poll {site.place.address} protocol pop3 port {site.ports[door]} uidl no dns:",
        f"  user '{user}' password '{secret(user)}' {security} sslcertck",
        f"  sslcertfile '{site.certificate}' sslcommonname '{site.hostname}'",
        f"  no rewrite no mimedecode no stripcr mda 'cat >{folder}/$$'",
        # flush: what was fetched before goes too.
        "  no keep flush" if delete else "  keep",
    ]
    _private(home / ".fetchmailrc", lines)
    # 1: there was nothing new.
    done = run(["fetchmail", "--invisible", "--idfile", home / "ids", "--nosyslog"], home=home, status=None)
    assert done.returncode in (0, 1), done.stderr.decode()
    return _taken(home)


def with_getmail(site: Site, door: Door, user: str, home: Path, delete: bool) -> list[bytes]:
    """Fetch with getmail into a Maildir; it has no STLS. Root may not deliver: it becomes another user for it."""
    assert door == "pop3s"
    somebody = "nobody" if os.geteuid() == 0 else None
    place = site.root / f"getmail-{user}"
    place.mkdir(exist_ok=True)
    maildir = _maildir(place)
    shutil.copy(site.certificate, place / "ca.pem")
    lines = [
        "[retriever]",
        "type = SimplePOP3SSLRetriever",
        f"server = {site.place.address}",
        f"port = {site.ports[door]}",
        f"username = {user}",
        f"password = {secret(user)}",
        f"ca_certs = {place}/ca.pem",
        f"ssl_cert_hostname = {site.hostname}",
        "[destination]",
        "type = Maildir",
        f"path = {maildir}/",
        "[options]",
        "read_all = false",
        "delivered_to = false",
        "received = false",
        f"delete = {'true' if delete else 'false'}",
    ]
    _private(place / "getmailrc", lines)
    if somebody is not None:
        for path in (place, *place.rglob("*")):
            shutil.chown(path, somebody)
    run(["getmail", "--quiet", "--getmaildir", place], home=place, user=somebody)
    return _taken(place)


def _maildir(home: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (home / "Maildir" / name).mkdir(parents=True, exist_ok=True)
    return home / "Maildir"


def _taken(home: Path) -> list[bytes]:
    """Take the messages that were delivered; such programs keep the line ends of UNIX."""
    found: list[bytes] = []
    for path in sorted((home / "Maildir" / "new").iterdir()):
        found.append(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        path.unlink()
    return found


def _private(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


FETCHERS: Mapping[str, Fetch] = {
    "poplib": with_poplib,
    "curl": with_curl,
    "mpop": with_mpop,
    "fetchmail": with_fetchmail,
    "getmail": with_getmail,
}
