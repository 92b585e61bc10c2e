"""``mailsuite check``: everything that can be known about a site without starting it."""

import datetime
import os
from contextlib import suppress
from dataclasses import asdict

import click

from mailsuite.cli.checks import Finding
from mailsuite.cli.checks.accounts import accounts
from mailsuite.cli.checks.backups import backups
from mailsuite.cli.checks.certificate import certificate, renewal, ways
from mailsuite.cli.checks.forwarding import forwarding
from mailsuite.cli.checks.limits import limits
from mailsuite.cli.checks.listeners import listeners
from mailsuite.cli.checks.logins import logins
from mailsuite.cli.checks.mailboxes import mailboxes
from mailsuite.cli.checks.outbound import outbound
from mailsuite.cli.checks.policy import policy
from mailsuite.cli.checks.program import program
from mailsuite.cli.checks.storage import storage
from mailsuite.cli.checks.workers import workers
from mailsuite.cli.output import print_json
from mailsuite.cli.site import BadConfiguration, become_owner, config_option, config_path, site_settings
from mailsuite.config import Settings
from mailsuite.counted import counted


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of level, where, what and mend.")
def check(config: str | None, as_json: bool) -> None:
    """Look the site over: configuration, listeners, certificate, folders, free space, accounts, routes, backups.

    Each line says what was found and how to mend it. The exit code is 1 if anything is an error, 2 if the
    configuration cannot be used at all.
    """
    settings = site_settings(config_path(config))
    found = findings(settings, datetime.datetime.now(datetime.UTC))
    errors = sum(finding.level == "error" for finding in found)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            click.echo(str(finding))
        warnings = sum(finding.level == "warning" for finding in found)
        click.echo(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")
    raise SystemExit(1 if errors else 0)


def findings(settings: Settings, now: datetime.datetime) -> list[Finding]:
    """Return all findings about the site.

    As root, ports and certificate are judged with root's rights, as at the start of the service, and the rest with
    those of the owner of ``state_dir``.
    """
    found = [*listeners(settings), *limits(settings), *certificate(settings, now)]
    started_as, seen = os.geteuid(), ways(settings)
    with suppress(BadConfiguration):  # it is among the findings
        become_owner(settings.state_dir)
    if os.geteuid() != started_as:
        found += renewal(settings, seen)
    found += [*program(), *workers(settings), *storage(settings), *accounts(settings), *logins(settings)]
    found += mailboxes(settings)
    return [*found, *outbound(settings), *forwarding(settings), *backups(settings), *policy(settings)]
