"""Programs and libraries that send mail, each as a user would set it up; each returns what it puts on the wire."""

import smtplib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from tests.system.programs import run
from tests.system.site import Site, secret

# By which listener a message comes in: without a password; by STARTTLS; by TLS from the first octet.
Way: TypeAlias = Literal["mta", "submission", "submissions"]
Send: TypeAlias = Callable[[Site, Way, str, str, bytes, Path], bytes]


def with_smtplib(site: Site, way: Way, sender: str, recipient: str, message: bytes, home: Path) -> bytes:
    """Send with Python's smtplib."""
    with smtp_session(site, way, sender) as session:
        assert session.sendmail(sender, [recipient], message, ["BODY=8BITMIME"]) == {}
    return message


def smtp_session(site: Site, way: Way, sender: str) -> smtplib.SMTP:
    """Return a session of smtplib that may send."""
    port = site.ports[way]
    if way == "submissions":
        session: smtplib.SMTP = smtplib.SMTP_SSL(site.place.address, port, timeout=30, context=site.tls())
    else:
        session = smtplib.SMTP(site.place.address, port, timeout=30)
    if way == "submission":
        session.starttls(context=site.tls())
    if way != "mta":
        try:
            session.login(sender, secret(sender))
        except smtplib.SMTPAuthenticationError:
            session.close()
            raise
    return session


def with_swaks(site: Site, way: Way, sender: str, recipient: str, message: bytes, home: Path) -> bytes:
    """Send with swaks: to port 25 it takes the STARTTLS that is offered. It adds a line end to any body."""
    head, _, body = message.partition(b"\r\n\r\n")
    file = home / "message"
    file.write_bytes(head + b"\r\n\r\n" + body.removesuffix(b"\r\n"))
    command = ["swaks", "--server", f"{site.place.address}:{site.ports[way]}", "--from", sender, "--to", recipient]
    command += ["--helo", "client.example", "--data", f"@{file}", "--silent", "2"]
    command += ["--tls-on-connect" if way == "submissions" else "--tls"]
    command += ["--tls-verify", "--tls-ca-path", str(site.certificate)]
    if way != "mta":
        mechanism = "PLAIN" if way == "submission" else "LOGIN"
        command += ["--auth", mechanism, "--auth-user", sender, "--auth-password", secret(sender)]
    run(command, home=home)
    return message if body else message + b"\r\n"


def with_curl(site: Site, way: Way, sender: str, recipient: str, message: bytes, home: Path) -> bytes:
    """Send with curl."""
    port = site.ports[way]
    scheme = "smtps" if way == "submissions" else "smtp"
    command = ["curl", "--silent", "--show-error", "--resolve", f"{site.hostname}:{port}:{site.place.address}"]
    command += [f"{scheme}://{site.hostname}:{port}/client.example", "--cacert", str(site.certificate)]
    command += ["--mail-from", sender, "--mail-rcpt", recipient, "--upload-file", "-"]
    if way != "mta":
        command += ["--ssl-reqd", "--user", f"{sender}:{secret(sender)}"]
    run(command, given=message, home=home)
    return message


def with_msmtp(site: Site, way: Way, sender: str, recipient: str, message: bytes, home: Path) -> bytes:
    """Send with msmtp, which takes its message with the line ends of UNIX."""
    lines = [
        "defaults",
        f"tls_trust_file {site.certificate}",
        f"tls_host_override {site.hostname}",
        "account default",
        f"host {site.place.address}",
        f"port {site.ports[way]}",
        f"from {sender}",
        f"tls {'off' if way == 'mta' else 'on'}",
        f"tls_starttls {'on' if way == 'submission' else 'off'}",
    ]
    if way != "mta":
        lines += ["auth on", f"user {sender}", f"password {secret(sender)}"]
    _private(home / ".msmtprc", lines)
    run(["msmtp", recipient], given=message.replace(b"\r\n", b"\n"), home=home)
    return message


def _private(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


SENDERS: Mapping[str, Send] = {
    "smtplib": with_smtplib,
    "swaks": with_swaks,
    "curl": with_curl,
    "msmtp": with_msmtp,
}
