"""``mailsuite srs``: the return addresses of forwarded mail."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.errors import BadName
from mailsuite.directory.spelling import parse_written
from mailsuite.policy.srs_secrets import BadSecrets
from mailsuite.returns import Returns
from mailsuite.srs import DAY, NoWayBack


@click.group()
def srs() -> None:
    """Look at the addresses of ours that stand for the senders of forwarded mail, and change what proves them.

    Where an alias sends mail of others on, its sender becomes an address such as
    SRS0=HASH=TT=example.net=bob@mail.example.org: the next host then sees a sender that we may send for (SPF), and
    what it returns comes to us and goes on to bob@example.net. See [srs] in the configuration.

    \b
    Example:
      mailsuite srs read SRS0=2QZ7AB=TQ=example.net=bob@mail.example.org
    """


@srs.command()
@click.argument("address")
@with_site
def read(settings: Settings, address: str) -> None:
    """Print whom ADDRESS leads back to; where it does not, say why and end with exit code 1."""
    with _loaded(settings) as returns:
        try:
            written = parse_written(address)
            if not returns.restoring.covers(written):
                raise click.ClickException(f"{address} is no return address in {returns.restoring.domain}")
            click.echo(str(returns.restoring.restore(written, int(time.time() // DAY))))
        except (BadName, NoWayBack) as error:
            raise click.ClickException(f"{address}: {error}") from error


@srs.command()
@with_site
def rotate(settings: Settings) -> None:
    """Make a new secret, by which all further addresses are made; those before stay good for their days.

    The running server takes it when it gets SIGHUP. Hosts that share the domain need the same file.

    \b
    Example:
      mailsuite srs rotate && systemctl reload mailsuite
    """
    with _loaded(settings) as returns:
        count = returns.rotate()
    click.echo(f"{settings.srs.secrets} has {count} secrets now; let the server read it: send it SIGHUP.")


@contextmanager
def _loaded(settings: Settings) -> Iterator[Returns]:
    returns = Returns(settings, time.time)
    try:
        returns.load()
        yield returns
    except (BadSecrets, OSError) as error:
        raise click.ClickException(str(error)) from error
