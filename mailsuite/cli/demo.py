"""``mailsuite demo``: the site that ``make run`` starts, with two users, on loopback."""

import os
import shlex

import click

from mailsuite.cli.init import create, folder_argument
from mailsuite.cli.new_site import UNPRIVILEGED, Plan
from mailsuite.cli.output import print_table
from mailsuite.cli.settings import Access, accesses, print_accesses
from mailsuite.cli.site import become_owner, site_settings
from mailsuite.config import Settings

DOMAIN = "example.test"
# Everyone may know them: the demonstration listens on loopback only.
USERS = {f"alice@{DOMAIN}": "wonderland", f"bob@{DOMAIN}": "treehouse"}


@click.command()
@folder_argument
def demo(folder: str) -> None:
    """Make a demonstration site in DIR, once, and print how to use it.

    Its domain is example.test, it listens on loopback on unprivileged ports, and it has two users
    whose passwords are printed. A second call finds the site and prints the same.
    """
    plan = _plan(os.path.abspath(folder))
    there = os.path.exists(plan.config)
    if there:
        settings = site_settings(plan.config)
        become_owner(settings.state_dir)
    else:
        settings = create(plan)
    describe(settings, os.path.relpath(settings.tls.certificate))
    if there:
        click.echo("(Users and passwords as they were made; what was changed since is not seen here.)\n")


def describe(settings: Settings, certificate: str) -> None:
    """Print the users, the settings for a mail program, and two commands that send and fetch."""
    alice, bob = USERS
    click.echo("\nA demonstration site; everything in it may be thrown away.\n")
    print_table(["User", "Password"], list(USERS.items()))
    click.echo("\nIn a mail program (its certificate is self-signed: accept it, or import " + certificate + "):\n")
    ways = accesses(settings, alice)
    print_accesses(ways)
    lines = try_lines(ways, certificate, alice, bob)
    if lines:
        click.echo("\nTo try it from another terminal, send a message and fetch it:\n")
        for line in lines:
            click.echo(f"  {line}")
    click.echo("")


def try_lines(ways: list[Access], certificate: str, sender: str, recipient: str) -> list[str]:
    """Return shell commands that send a message by submission and fetch it by POP3, both under TLS."""
    out = next((way for way in ways if way.mail.startswith("out") and way.security == "STARTTLS"), None)
    back = next((way for way in ways if way.mail.startswith("in") and way.security == "SSL/TLS"), None)
    if out is None or back is None:
        return []
    trust = f"curl --silent --show-error --cacert {shlex.quote(certificate)}"
    message = f"From: {sender}\\nTo: {recipient}\\nSubject: Hello\\n\\nHello Bob\\n"
    return [
        f"printf '{message}' | {trust} --crlf --ssl-reqd smtp://{out.server}:{out.port}"
        f" --user {sender}:{USERS[sender]} --mail-from {sender} --mail-rcpt {recipient} --upload-file -",
        f"{trust} pop3s://{back.server}:{back.port}/1 --user {recipient}:{USERS[recipient]}",
    ]


def _plan(folder: str) -> Plan:
    return Plan(
        folder, hostname=f"mail.{DOMAIN}", domain=DOMAIN, postmaster=f"postmaster@{DOMAIN}",
        interface="127.0.0.1", ports=tuple(UNPRIVILEGED.items()), names=("localhost", "127.0.0.1", "::1"),
        users=tuple(USERS.items()),
    )
