"""sendmail for cron and web programs: the real program, called as they do, hands over to the real server."""

import os
import pwd
import re
import smtplib
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from mailsuite.sendmail.program import VARIABLE
from tests.commands import DOCUMENTS, commands
from tests.system.programs import root_only
from tests.system.site import BIN, HOSTNAME, Site

pytestmark = [pytest.mark.system, root_only]

DOCUMENT = "docs/sendmail.rst"
ORG = "example.org"
OWNER = "nobody"
# Users of any Debian system; the one may be anybody, the other only itself.
WEB, CALLER = "www-data", "daemon"
ALICE = f"alice@{ORG}"
OK, USAGE, DATAERR, NOUSER, TEMPFAIL, NOPERM, CONFIG = 0, 64, 65, 67, 75, 77, 78
# Becomes another user once all is loaded: that one may not be able to read where Python lies.
_AS_USER = """
import os, sys
from mailsuite.sendmail import message, program, submitting
os.setgroups([])
os.setuid(int(sys.argv[1]))
sys.argv = sys.argv[2:]
program.run()
"""


class House:
    """A site that users of this machine send by, and the links that they call."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.socket = site.root / "submission"
        for name in ("sendmail", "mailq", "newaliases"):
            (site.root / name).symlink_to(BIN / "mailsuite-sendmail")

    def call(
        self, *arguments: str, given: bytes = b"Subject: x\n\nhi\n", user: str | None = None, name: str = "sendmail",
        status: int = OK,
    ) -> str:  # fmt: skip
        """Call the program as *user*; it must end with *status*. Return all that it said."""
        program: list[str | Path] = [self.site.root / name]
        if user is not None:
            program = [BIN / "python", "-c", _AS_USER, str(pwd.getpwnam(user).pw_uid), program[0]]
        done = subprocess.run(
            [*program, *arguments],
            input=given,
            capture_output=True,
            check=False,
            timeout=60,
            env={**os.environ, VARIABLE: str(self.socket)},
        )
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == status, (arguments, done.returncode, said)
        assert "Traceback" not in said
        return said

    def newest(self, user: str = "alice") -> Message:
        """The last message in the mailbox of *user*."""
        return message_from_bytes(self.site.on_disk(user)[-1])


def tables() -> dict[str, Any]:
    """The configuration that the document shows."""
    text = (DOCUMENTS / DOCUMENT).read_text()
    (block,) = re.findall(r"^    \[listen\.local\]\n(?:    .*\n|\n)+", text, re.MULTILINE)
    return tomllib.loads(textwrap.dedent(block))


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """It is set up as the document says, but for the path; and runs as another user than any that calls."""
    shown = tables()
    options = {"submission": shown["submission"]}
    site = Site(options, users=["alice", "daemon"], owner=OWNER, listeners={"local": {}}, domain=ORG)
    local = shown["listen"]["local"]
    site.listeners = {"local": {**local, "endpoint": local["endpoint"].replace("/run/mailsuite", str(site.root))}}
    with site:
        for command in commands(DOCUMENT, "mailsuite"):
            site.cli(*command)
        yield House(site)


def test_the_first_message(house: House) -> None:
    """As the document has it, by the link."""
    (line,) = [line for line in (DOCUMENTS / DOCUMENT).read_text().splitlines() if line.startswith("    printf")]
    environment = {**os.environ, "PATH": f"{house.site.root}:{os.environ['PATH']}", VARIABLE: str(house.socket)}
    subprocess.run(["sh", "-ec", line], check=True, timeout=60, env=environment)

    assert house.newest()["Subject"] == "it works"
    assert house.newest()["To"] is None


def test_cron(house: House) -> None:
    """As Debian's cron calls it: names without domains, a bare From, no ASCII, a progress bar, a long line."""
    content = (
        "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> backup\nContent-Type: text/plain; charset=UTF-8"
        f"\n\n10%\r100% é\n.\n{'x' * 5000}\n"
    )
    house.call("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", given=content.encode())

    message = house.newest()
    assert message["From"] == f"Cron Daemon <root@{ORG}>"
    assert message["To"] == f"root@{ORG}"
    assert message["Return-Path"] == f"<root@{ORG}>"
    assert message["Date"] and message["Message-ID"]
    assert "localhost" in message["Received"] and HOSTNAME in message["Received"]
    text = message.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.startswith("10%\r\n100% é\r\n.\r\nxxx".encode())
    assert max(map(len, text.split(b"\r\n"))) == 998
    assert f"login=root@{ORG}" in house.site.mail_log


def test_a_web_program(house: House) -> None:
    """As PHP's mail() calls it: recipients from the fields, Bcc too; any sender for who is trusted."""
    content = (
        b"To: Alice <alice@example.org>\r\nBcc: daemon\r\nFrom: Shop <shop@shop.example>\r\nSubject: order\r\n"
        b"\r\n.\r\n"
    )
    house.call("-t", "-i", "-fbounces@shop.example", given=content, user=WEB)

    for user in ("alice", "daemon"):
        message = house.newest(user)
        assert message["Subject"] == "order"
        assert message["From"] == "Shop <shop@shop.example>"
        assert message["Return-Path"] == "<bounces@shop.example>"
        assert message["Bcc"] is None


def test_one_is_oneself(house: House) -> None:
    """Who is not trusted sends as the own name at the origin, or with the null sender; else nothing is sent."""
    before = len(house.site.on_disk("alice"))
    said = house.call("-f", ALICE, ALICE, user=CALLER, status=NOPERM)
    assert "nothing was sent" in said
    assert len(house.site.on_disk("alice")) == before

    house.call("-F", "A Daemon", ALICE, user=CALLER)
    assert house.newest()["From"] == f"A Daemon <daemon@{ORG}>"
    house.call("-f", "<>", ALICE, user=CALLER)
    assert house.newest()["Return-Path"] == "<>"


def test_how_it_ends(house: House) -> None:
    """Exit codes of sysexits, and a text that says what to do."""
    assert "nobody is named" in house.call(status=USAGE)
    assert "no option -Z" in house.call("-Z", ALICE, status=USAGE)
    assert "no To, Cc or Bcc" in house.call("-t", status=NOUSER)
    said = house.call("nobody-at-all", "alice", status=NOUSER)
    assert f"nobody-at-all@{ORG}: 550 5.1.1" in said
    assert house.newest()["Return-Path"] == f"<root@{ORG}>", "the others have it"
    assert "RCPT" in house.call("--help") or "RECIPIENT" in house.call("--help")
    assert "Nothing to do" in house.call(name="newaliases")
    assert "aliases" in house.call("-bi")


def test_nothing_to_read(house: House) -> None:
    """Some daemons run programs without a standard input."""
    done = subprocess.run(
        ["sh", "-c", f"exec {house.site.root}/sendmail {ALICE} <&-"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, "is closed" in done.stderr) == (DATAERR, True), done.stderr


def test_a_crowd(house: House) -> None:
    """Of recipients, more than the server takes at a time."""
    before = len(house.site.on_disk("alice"))
    house.call(*(f"alice+{number}@{ORG}" for number in range(1500)))

    assert len(house.site.on_disk("alice")) == before + 2


def test_it_speaks_smtp(house: House) -> None:
    """-bs, for mail programs and for scripts: a whole session, and the end of the input ends it."""
    session = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nSubject: spoken\r\n\r\n.\r\nQUIT\r\n"
    said = house.call("-bs", given=session, user=CALLER)

    assert said.startswith(f"220 {HOSTNAME}")
    assert "\n221 " in said
    assert house.newest()["Subject"] == "spoken"
    assert "\n221 " in house.call("-bs", given=session.replace(b"\r\n", b"\n"), user=CALLER)


def test_a_server_that_is_away(house: House) -> None:
    """EX_TEMPFAIL, at once or after a while; a server that comes back in time has the message."""
    away = str(house.socket) + ".away"
    house.socket, there = Path(away), house.socket
    try:
        said = house.call("-O", "Timeout.connect=0", ALICE, status=TEMPFAIL)
        assert "try again later" in said and away in said
        assert house.call("-O", "Timeout.connect=0", "-bs", status=TEMPFAIL).startswith("421 4.3.2 ")
    finally:
        house.socket = there
    house.site.stop()
    caller = subprocess.Popen(
        [house.site.root / "sendmail", ALICE], stdin=subprocess.PIPE, env={**os.environ, VARIABLE: str(there)}
    )
    assert caller.stdin is not None
    caller.stdin.write(b"Subject: waited\n\n")
    caller.stdin.close()
    house.site.start()
    assert caller.wait(60) == OK
    assert house.newest()["Subject"] == "waited"


def test_the_queue(house: House) -> None:
    """mailq shows what waits, with the site's configuration, for who may read it."""
    done = subprocess.run(
        [house.site.root / "mailq"], cwd=house.site.folder, capture_output=True, check=True, timeout=60, text=True
    )
    assert done.stdout == "Nothing found.\n"
    # Who is elsewhere has no configuration, and hears so.
    for arguments in (["-bp"], ["-q"]):
        assert "--config" in house.call(*arguments, status=CONFIG)


def test_it_starts_fast() -> None:
    """It loads neither Twisted nor click nor the configuration."""
    code = "import sys; from mailsuite.sendmail import program, submitting, message; print(*sys.modules)"
    loaded = subprocess.run(
        [BIN / "python", "-c", f"{code}"], check=True, capture_output=True, text=True
    ).stdout.split()

    assert not {"twisted", "click", "msgspec", "ssl", "asyncio", "zope.interface"} & set(loaded)


def test_smtplib_by_the_socket(house: House) -> None:
    """Nobody needs the program: a client that can use a UNIX socket is known as well."""
    import socket

    class Local(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(house.socket))
            return connection

    with Local("localhost") as session:
        session.sendmail("somebody@else.example", ALICE, "Subject: direct\r\n\r\n")
    assert house.newest()["Subject"] == "direct"
