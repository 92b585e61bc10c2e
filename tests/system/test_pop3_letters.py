"""Mail, names and texts in other letters than ASCII over POP3, and APOP, by programs that people have."""

import email
import email.policy
import poplib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.fetchers import FETCHERS, pop3_session, retrieve
from tests.system.messages import without_trace
from tests.system.programs import needs, run
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, LISTENERS, Options, Site, secret
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
NAMES = ("bob", "carl", "dora", "emma", "fred", "gina", "hans", "ida", "jörg")
MESSAGE = (
    "From: Jörg Müller <jörg@grüße.example>\r\n"
    f"To: {ALICE}\r\n"
    "Subject: Grüße aus Köln\r\n"
    "X-Mailer: a program that says more of itself than anybody wants to know\r\n"
    'Content-Type: multipart/mixed; boundary="b"\r\n'
    "\r\n"
    "--b\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "\r\n"
    "Schöne Grüße!\r\n"
    ".\r\n"
    "--b\r\n"
    'Content-Type: text/plain; name="grüße.txt"\r\n'
    "\r\n"
    "Anhang\r\n"
    "--b--\r\n"
).encode()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site that keeps passwords for APOP, and has a listener on which that can be had without TLS."""
    listeners = {**LISTENERS, "plain": {"service": "pop3", "auth": "always"}}
    options: Options = {"sasl": {"secrets": ["apop"]}, "pop3": {"language": "fr"}}
    with Site(options, ["alice", *NAMES], listeners=listeners) as site:
        yield site


def deliver(site: Site, user: str) -> None:
    """Send the message to *user*."""
    with smtp_session(site, "mta", "mx@client.example") as session:
        asked = ["SMTPUTF8", "BODY=8BITMIME"]
        assert session.sendmail("jörg@grüße.example", [user], MESSAGE, asked) == {}


def readable(whole: bytes) -> None:
    """The surrogate says all that ASCII can say."""
    header, _, body = whole.partition(b"\r\n\r\n")
    read = email.message_from_bytes(whole, policy=email.policy.default)
    (author,) = read["from"].addresses
    first, second = read.iter_parts()

    assert header.isascii()
    assert body.decode().startswith("--b\r\n")
    assert read["subject"] == "Grüße aus Köln"
    assert (author.display_name, author.domain) == (
        "Jörg Müller <jörg@grüße.example>", "internationalized-address.invalid",
    )
    assert first.get_content().startswith("Schöne Grüße!")
    assert (second.get_filename(), second.get_content()) == (None, "Anhang")


def test_who_says_utf8_gets_it(site: Site) -> None:
    """The message as it was sent; who does not say it gets a surrogate of the same size, by RETR and by TOP."""
    deliver(site, ALICE)
    sessions = [poplib.POP3_SSL("127.0.0.1", site.ports["pop3s"], timeout=30, context=site.tls()) for _ in range(2)]
    sessions[0].utf8()
    found = []
    for session in sessions:
        session.user(ALICE)
        session.pass_(secret(ALICE))
        assert session.capa()["UTF8"] == ["USER"]
        found.append((session.list()[1], retrieve(session, 1), session.top(1, 0)[1]))
        session.quit()

    assert without_trace(found[0][1]) == MESSAGE
    assert found[0][0] == found[1][0] == [b"1 %d" % len(found[1][1])]
    readable(found[1][1])
    assert b"\r\n".join(found[1][2]) == found[1][1].partition(b"\r\n\r\n")[0] + b"\r\n"


@pytest.mark.parametrize("fetcher, user", list(zip(("curl", "mpop", "fetchmail", "getmail"), NAMES, strict=False)))
def test_programs_without_utf8_can_read_it(site: Site, tmp_path: Path, fetcher: str, user: str) -> None:
    """None of them says UTF8, and all can show what they got."""
    deliver(site, f"{user}@{DOMAIN}")
    (whole,) = FETCHERS[fetcher](site, "pop3s", f"{user}@{DOMAIN}", tmp_path, False)

    readable(whole)


def test_name_in_utf8(site: Site) -> None:
    """USER takes it, in whatever form its letters come."""
    for name in ("jörg", "jo\u0308rg", "JÖRG"):
        with Wire(site.ports["plain"]) as wire:
            wire.ok()
            wire.send(f"USER {name}@{DOMAIN}\r\nPASS {secret('jörg')}\r\nSTAT\r\n".encode())
            assert [wire.ok() for _ in range(3)][2] == b"+OK 0 0"


def test_texts_in_a_language(site: Site) -> None:
    """LANG changes them, before the login and after it; the asterisk is the site's own choice."""
    with Wire(site.ports["plain"]) as wire:
        assert wire.ok().isascii()
        wire.send(b"LANG es\r\nUSER x\r\nPASS y\r\n")
        assert wire.ok() == b"+OK es Idioma cambiado"
        wire.ok()
        assert wire.line().decode() == "-ERR [AUTH] Nombre o contraseña incorrectos"
        wire.send(f"USER {ALICE}\r\nPASS {secret(ALICE)}\r\nLANG *\r\nQUIT\r\n".encode())
        assert [wire.ok().decode() for _ in range(4)][2:] == ["+OK fr Langue changée", "+OK Au revoir"]


def _poplib(site: Site, user: str, home: Path) -> bool:
    session = poplib.POP3("127.0.0.1", site.ports["plain"], timeout=30)
    session.apop(user, secret(user))
    return len(session.list()[1]) == 1


def _curl(site: Site, user: str, home: Path) -> bool:
    login = ["--login-options", "AUTH=+APOP", "--user", f"{user}:{secret(user)}"]
    return b"Subject:" in run(["curl", "--silent", *login, f"pop3://127.0.0.1:{site.ports['plain']}/1"]).stdout


def _mpop(site: Site, user: str, home: Path) -> bool:
    lines = [
        "account default", "host 127.0.0.1", f"port {site.ports['plain']}", "tls off", "auth apop", f"user {user}",
        f"password {secret(user)}", f"delivery mbox {home}/mbox", f"uidls_file {home}/uidls", "keep on",
    ]  # fmt: skip
    (home / ".mpoprc").write_text("\n".join(lines) + "\n")
    (home / ".mpoprc").chmod(0o600)
    run(["mpop", "--quiet"], home=home)
    return b"Subject:" in (home / "mbox").read_bytes()


def _fetchmail(site: Site, user: str, home: Path) -> bool:
    lines = [
        f"poll 127.0.0.1 protocol apop port {site.ports['plain']} no dns:",
        f"  user '{user}' password '{secret(user)}' sslproto '' keep mda 'cat >{home}/fetched'",
    ]
    (home / ".fetchmailrc").write_text("\n".join(lines) + "\n")
    (home / ".fetchmailrc").chmod(0o600)
    run(["fetchmail", "--idfile", home / "ids", "--nosyslog"], home=home)
    return b"Subject:" in (home / "fetched").read_bytes()


APOP: Mapping[str, Callable[[Site, str, Path], bool]] = {
    "poplib": _poplib, "curl": _curl, "mpop": _mpop, "fetchmail": _fetchmail,
}  # fmt: skip


@pytest.mark.parametrize(
    "program, user",
    [
        pytest.param(name, f"{user}@{DOMAIN}", marks=[] if name == "poplib" else [needs(name)], id=name)
        for name, user in zip(APOP, NAMES[4:], strict=False)
    ],
)
def test_apop(site: Site, tmp_path: Path, program: str, user: str) -> None:
    """Programs that know it log in by it and fetch."""
    deliver(site, user)

    assert APOP[program](site, user, tmp_path)
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\] "):
        poplib.POP3("127.0.0.1", site.ports["plain"], timeout=30).apop(user, "wrong")


def test_no_apop_before_tls(site: Site) -> None:
    """Where a password is taken under TLS only, the greeting has a timestamp there alone."""
    with Wire(site.ports["pop3"]) as wire:
        assert b"<" not in wire.ok()
    session = poplib.POP3_SSL("127.0.0.1", site.ports["pop3s"], timeout=30, context=site.tls())
    session.apop(ALICE, secret(ALICE))
    session.quit()
    assert pop3_session(site, ALICE).quit().startswith(b"+OK")
