"""``mailsuite db``: the versions of the accounts and of the queue, and how they come from one to another."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click

from mailsuite.cli.databases import Changed, Database, Unusable, databases
from mailsuite.cli.output import as_json, print_json, print_table, progress
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.schema_steps import WouldLose


@click.group()
def db() -> None:
    """Show which version the site's databases have, and bring them up to date after an update of mailsuite.

    The server refuses to start with a database of another version than its own. A snapshot is taken before each
    change, beside the file and with its version and the time in its name.

    \b
    Example:
      mailsuite db status
      mailsuite db upgrade
    """


@db.command()
@as_json
@with_site
def status(settings: Settings, as_json: bool) -> None:
    """Show each database: its version, and the one that this mailsuite needs."""
    with _refusals():
        found = [(each, each.version()) for each in databases(settings)]
    if as_json:
        print_json([
            {"database": each.name, "path": each.where, "version": version, "needed": each.newest,
             "state": _state(each, version)}
            for each, version in found
        ])  # fmt: skip
    else:
        rows = [
            (each.name, "-" if version is None else version, each.newest, _state(each, version), each.where)
            for each, version in found
        ]
        print_table(("database", "version", "needed", "state", "file"), rows)


@db.command()
@with_site
def upgrade(settings: Settings) -> None:
    """Bring every older database up to the version of this mailsuite. The server must not run.

    \b
    Example:
      mailsuite db upgrade
    """
    with _alone(settings), _refusals():
        for each in databases(settings):
            version = each.version()
            if version is None:
                made = each.make()
                click.echo(f"{each.name}: made." if made else f"{each.name}: there is none yet.")
            elif version == each.newest:
                click.echo(f"{each.name}: version {version}, up to date.")
            elif version in each.steps:
                _tell(each, _with_progress(each, partial(each.upgrade, time.time())))
            else:
                raise Unusable(
                    f"{each.where} has version {version}, and this mailsuite knows {each.newest}: with the newer"
                    f" mailsuite run mailsuite db downgrade {each.name} --to {each.newest}"
                )


@db.command()
@click.argument("name", metavar="DATABASE", type=click.Choice(("accounts", "queue")))
@click.option("--to", "target", type=click.IntRange(1), help="The version to go down to (default: the one before).")
@click.option("--force", is_flag=True, help="Do it although what the older version cannot hold is lost.")
@with_site
def downgrade(settings: Settings, name: str, target: int | None, force: bool) -> None:
    """Bring DATABASE (accounts or queue) down to an older version, for an older mailsuite. The server must not run.

    Where the older version cannot hold all that is there, nothing is changed, and the command says what would be
    lost.

    \b
    Example:
      mailsuite db downgrade accounts --to 1
    """
    with _alone(settings), _refusals():
        each = next((each for each in databases(settings) if each.name == name), None)
        if each is None:
            raise Unusable(f"the accounts are not ours: [directory] backend is {settings.directory.backend}")
        version = each.version()
        if version is None:
            raise Unusable(f"there is no {each.where}")
        wanted = version - 1 if target is None else target
        if version > each.newest:
            raise Unusable(f"{each.where} has version {version}; only a mailsuite that knows it can bring it down")
        if wanted not in each.steps or wanted >= version:
            raise Unusable(f"{each.where} has version {version}, and there is no way down to {wanted}")
        _tell(each, _with_progress(each, partial(each.downgrade, wanted, force, time.time())))


def _with_progress(each: Database, change: Callable[[Callable[[int, int], None]], Changed]) -> Changed:
    with progress(f"snapshot of {each.name}", 1000) as advance:
        done = 0

        def copied(left: int, total: int) -> None:
            nonlocal done
            share = 1000 * (total - left) // max(total, 1)
            advance(share - done)
            done = share

        return change(copied)


def _tell(each: Database, changed: Changed) -> None:
    click.echo(f"{each.name}: version {changed.before} became {changed.after}; what was before: {changed.snapshot}")


def _state(each: Database, version: int | None) -> str:
    if version is None:
        return "missing"
    if version == each.newest:
        return "up to date"
    return "older" if version in each.steps else "newer"


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let no server start, and no other such command."""
    mark = RunMark(settings.state_dir, time.monotonic)
    try:
        mark.take()
    except OSError as error:
        raise click.ClickException(str(error)) from error
    try:
        yield
    finally:
        mark.release()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except WouldLose as error:
        raise click.ClickException(
            f"nothing was changed, since the older version cannot hold: {error}; --force loses that"
        ) from error
    except Unusable as error:
        raise click.ClickException(str(error)) from error
