"""``mailsuite init``: a new site in one folder, ready to start."""

import datetime
import os
import pwd
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

import click

from mailsuite.cli.new_site import CONFIG, PAIR, PRIVILEGED, UNPRIVILEGED, Plan, SiteExists, make_site
from mailsuite.cli.site import BadConfiguration, become_owner
from mailsuite.config import ConfigError, Settings
from mailsuite.config.decoding import decode
from mailsuite.directory.errors import AccountsError, BadName
from mailsuite.directory.spelling import parse_address, parse_domain


def _an_address(context: click.Context, option: click.Parameter, value: str) -> str:
    try:
        return value and str(ip_address(value))
    except ValueError:
        raise click.BadParameter(f"{value} is not an IP address", context, option) from None


def _a_folder(context: click.Context, argument: click.Parameter, value: str) -> str:
    # What an unset variable of a script leaves would be the current folder.
    if not value:
        raise click.BadParameter("it is empty; the current folder is .", context, argument)
    return value


folder_argument = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False), callback=_a_folder)


@click.command()
@folder_argument
@click.option("--hostname", required=True, help="Our own name, such as mail.example.org.")
@click.option("--domain", required=True, help="The first mail domain, such as example.org.")
@click.option("--postmaster", metavar="ADDRESS", help="Who gets mail for postmaster and abuse"
              " (default: a new mailbox postmaster@DOMAIN).")
@click.option("--owner", metavar="USER", help="The user to run the service as; for root only.")
@click.option("--interface", metavar="ADDRESS", default="", callback=_an_address, help="Listen on this address only.")
@click.option("--unprivileged", is_flag=True, help="Use ports from 2110 to 2995 that need no root.")
def init(
    folder: str, hostname: str, domain: str, postmaster: str | None, owner: str | None,
    interface: str, unprivileged: bool,
) -> None:
    """Make a new site in DIR: configuration, certificate, accounts and mail folder.

    Nothing that is there already is overwritten.
    """
    path = os.path.abspath(folder)
    _, problems = decode({"hostname": hostname})
    if problems:
        raise click.UsageError(f"--hostname: {problems[0].text}")
    try:
        key = parse_domain(domain)
        address = parse_address(postmaster or f"postmaster@{key}")
    except BadName as error:
        raise click.UsageError(str(error)) from error
    if address.domain != key:
        raise click.UsageError(f"--postmaster {address} is not an address in {key}")
    if os.path.exists(os.path.join(path, CONFIG)):
        raise click.ClickException(f"{path} holds a site already ({CONFIG}); nothing was changed")
    ports = UNPRIVILEGED if unprivileged else PRIVILEGED
    plan = Plan(path, hostname, key, str(address), interface, tuple(ports.items()))
    kept = [name for name in PAIR if os.path.exists(os.path.join(path, name))]
    create(plan, owner)
    click.echo(next_steps(plan, owner))
    click.echo(about_pair(kept))


def create(plan: Plan, owner: str | None = None) -> Settings:
    """Make the site of *plan* as its owner; what goes wrong ends the command with a message."""
    try:
        with _for_its_owner_to_change():
            _own(plan.folder, owner)
            return make_site(plan, datetime.datetime.now(datetime.UTC))
    except SiteExists as error:
        raise click.ClickException(f"{error} is there already; nothing was changed") from error
    except ConfigError as error:
        raise BadConfiguration(str(error)) from error
    except BadName as error:
        raise click.UsageError(str(error)) from error
    except (OSError, AccountsError) as error:
        raise click.ClickException(f"the site could not be made: {error}") from error


def next_steps(plan: Plan, owner: str | None) -> str:
    """Return what to type next, in the order in which it is needed."""
    drop = f"--uid {owner} --gid $(id -gn {owner}) " if owner else ""
    config = shlex.quote(plan.config)
    postmaster = shlex.quote(plan.postmaster)
    return f"""\
The site is in {plan.folder}. Next:
  1. Add a user:     mailsuite user add YOU@{plan.domain} -c {config}
     (the postmaster has no password yet: mailsuite user passwd {postmaster} -c {config})
  2. Look it over:   mailsuite check -c {config}
  3. Start it:       twistd --nodaemon --pidfile= {drop}mailsuite --config {config}
  4. Tell the world: in DNS, an address for {plan.hostname} and this record for the domain:
                     {plan.domain}. MX 10 {plan.hostname}.
  5. Set up a mail program with what this prints: mailsuite settings YOU@{plan.domain} -c {config}"""


def about_pair(kept: Sequence[str]) -> str:
    """Return what to know of certificate and key, of which those in *kept* were there before."""
    certificate, key = PAIR
    if not kept:
        return f"The certificate is self-signed: put a real one in place of {certificate} and {key} when you have it."
    if len(kept) == len(PAIR):
        return f"The certificate that was there is used: {certificate}, with {key}."
    missing = key if certificate in kept else certificate
    return f"There was a {kept[0]}, which is kept, and no {missing}: put that beside it before you start."


@contextmanager
def _for_its_owner_to_change() -> Iterator[None]:
    """Let nobody else write in what is made inside, whatever umask we were started with.

    A configuration can name Python objects, and who may write in a folder above can put another site in its place.
    """
    before = os.umask(0o022)
    os.umask((before | 0o022) & ~0o700)
    try:
        yield
    finally:
        os.umask(before)


def _own(folder: str, owner: str | None) -> None:
    """Make *folder* where it is missing, and go on as its owner, *owner* if given."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
    if owner is not None:
        if os.geteuid() != 0:
            raise click.UsageError("--owner is for root: run the command as that user instead")
        try:
            user = pwd.getpwnam(owner)
        except KeyError:
            raise click.UsageError(f"there is no user {owner}: make it first (adduser --system {owner})") from None
        os.chown(folder, user.pw_uid, user.pw_gid)
    become_owner(folder)
