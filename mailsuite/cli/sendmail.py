"""``mailsuite sendmail``: see `mailsuite.sendmail`, which ``mailsuite-sendmail`` runs without this module."""

import click

from mailsuite.sendmail.program import main as program


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sendmail(arguments: tuple[str, ...]) -> None:
    """Send a message by the running server, as /usr/sbin/sendmail does for cron and web programs."""
    raise SystemExit(program("sendmail", arguments))
