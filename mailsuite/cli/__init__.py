"""The ``mailsuite`` command: its frame; each subcommand is the module of its name in this folder.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration.
"""

import errno
import importlib
import io
import sys
from keyword import iskeyword

import click

from mailsuite import __version__
from mailsuite.cli.streams import stand_in

COMMANDS = (
    "init", "check", "settings", "demo", "domain", "user", "mailbox", "alias", "quota", "cap", "queue", "explain",
    "sendmail", "backup-mx", "srs", "bans", "token", "db", "import", "export", "backup", "restore", "verify",
)  # fmt: skip

FIRST_STEPS = """\b
First steps:
  mailsuite init /srv/mail --hostname mail.example.org --domain example.org
  mailsuite user add alice@example.org -c /srv/mail/mailsuite.toml
  twistd --nodaemon --pidfile= mailsuite --config /srv/mail/mailsuite.toml
"""


class Commands(click.Group):
    """Loads a subcommand's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command *cmd_name* out of the module of that name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_") + ("_" if iskeyword(cmd_name) else "")
        module = importlib.import_module(f"{__name__}.{name}")
        command: click.Command = getattr(module, name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is to be run; all but sendmail, which sees to that itself, need standard streams."""
        if args[:1] != ["sendmail"]:
            stand_in()
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; output that cannot be written ends it with exit code 1."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Names of files may be no text, or have letters that the encoding lacks: an escape, which JSON has, too.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT) or error.filename is not None:
                raise  # click knows what to do about a closed pipe
            # What is still to be written must not be tried again when Python ends.
            sys.stdout = io.StringIO()
            raise click.ClickException(f"the output could not be written: {error.strerror}") from error
        return result


@click.command(
    cls=Commands,
    epilog=FIRST_STEPS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mailsuite")
def main() -> None:
    """Set up and look after a mailsuite site: its configuration, domains, users and aliases.

    Changes take effect in the running server at once. Every command has its own --help.
    """
