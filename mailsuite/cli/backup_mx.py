"""``mailsuite backup-mx``: a backup learns from the primary which recipients there are.

On the primary, ``export`` writes a signed list; on the backup, ``import`` takes it, as does the running service where
``[backups.DOMAIN]`` says where the list is.
"""

import os
import secrets
import time
from datetime import UTC, datetime

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailsuite.address import domain_key
from mailsuite.backends import reading
from mailsuite.cli.accounts import open_accounts
from mailsuite.cli.fetch import fetched
from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.config.forms import is_web
from mailsuite.config.tables.delivery import Backup
from mailsuite.config.toml import dotted
from mailsuite.counted import counted
from mailsuite.directory.accepted import Accepted, accepted
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.durable import replace_file
from mailsuite.policy.backup_key import signing_key
from mailsuite.policy.backup_list import (
    LIST_OCTETS,
    SALT_OCTETS,
    BackupList,
    BadKey,
    BadList,
    claimed_domain,
    make,
    parse_key,
    read,
    shown_key,
)
from mailsuite.policy.backup_store import FOLDER, ListStore, read_limited
from mailsuite.reach import present
from mailsuite.route import CannotConnect

PUBLISHED = "published"


@click.group(name="backup-mx")
def backup_mx() -> None:
    """Tell a backup MX which recipients a domain has, so that it refuses the others as the primary would.

    \b
    Example:
      mailsuite backup-mx export example.com --output /var/www/lists/example.com.list    (on the primary)
      mailsuite domain add example.com --class backup                                    (on the backup)
      mailsuite backup-mx import example.com.list                                        (on the backup)
    """


@backup_mx.command()
@click.argument("domain")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Where to write it"
              f" (default: {FOLDER}/{PUBLISHED}/DOMAIN.list below state_dir).")
@with_site
def export(settings: Settings, domain: str, output: str | None) -> None:
    """Write the signed list of DOMAIN's recipients: users, aliases, postmaster and abuse.

    It holds hashes, not addresses; still, whoever has it can try whether a guessed address is in it. Run this
    whenever recipients have changed, or every few minutes: a backup refuses whom its list does not have.

    \b
    Example:
      mailsuite backup-mx export example.com --output /var/www/lists/example.com.list
    """
    try:
        if output is not None and not present(folder := os.path.dirname(os.path.abspath(output))):
            raise click.ClickException(f"there is no folder {folder!r} for the list: make it, or name another file")
        key = parse_domain(domain)
        found = _accepted(settings, key)
        path = output or os.path.join(settings.state_dir, FOLDER, PUBLISHED, f"{key}.list")
        signer = signing_key(settings.state_dir)
        if output is None:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        replace_file(path, _list(key, found, _made(path, signer), signer), 0o644)
    except (AccountsError, BadKey, BadList) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"the list could not be written: {_why(error)}") from error
    others = "; a catch-all takes the others" if found.everything else ""
    click.echo(f"{counted(len(found.locals), f'address of {key} is', f'addresses of {key} are')} in {path}{others}.")
    click.echo("\nOn the backup, in its configuration:\n")
    click.echo(f'[{dotted(("backups", key))}]\nkey = "{shown_key(signer.public_key().public_bytes_raw())}"')


@backup_mx.command(name="import")
@click.argument("source", metavar="FILE|URL")
@with_site
def import_(settings: Settings, source: str) -> None:
    """Take the list in FILE or at URL, if it is signed with the key that [backups.DOMAIN] names.

    One that is older than the one that is here is refused. The running service uses the new one within seconds.

    \b
    Example:
      mailsuite backup-mx import example.com.list
      mailsuite backup-mx import https://mail.example.com/lists/example.com.list
    """
    try:
        data = fetched(source, LIST_OCTETS, settings.delivery.ca_file) if is_web(source) else read_limited(source)
        domain = claimed_domain(data)
        taken = ListStore(settings.state_dir).keep(domain, data, _key_of(settings, domain), time.time())
    except (BadList, CannotConnect) as error:
        raise click.ClickException(f"{source} was not taken: {error}") from error
    except OSError as error:
        raise click.ClickException(f"the list could not be read, or kept: {_why(error)}") from error
    click.echo(f"Recipients of {domain}: {_contents(taken)}, as of {_time(taken)}.")


@backup_mx.command(name="list")
@as_json
@with_site
def list_(settings: Settings, as_json: bool) -> None:
    """List the domains that we are the backup MX of, and what is known of their recipients."""
    with open_accounts(settings) as accounts:
        classes = {each.name: each.domain_class for each in accounts.domains.list()}
    backups = {domain_key(name): backup for name, backup in settings.backups.items()}
    names = sorted({name for name, domain_class in classes.items() if domain_class == "backup"} | set(backups))
    states = [_state(settings, name, backups.get(name, Backup()), classes.get(name, "")) for name in names]
    if as_json:
        print_json(states)
        return
    columns = ("domain", "list", "made", "callout", "trouble")
    print_table(columns, [[_cell(state[column]) for column in columns] for state in states])


def _why(error: OSError) -> str:
    """Return of which file the system says what."""
    name = "" if error.filename is None else f"{error.filename!r}: "
    return f"{name}{error.strerror or error}"


def _accepted(settings: Settings, domain: str) -> Accepted:
    postmaster = settings.directory.postmaster
    with reading(settings) as records:
        return accepted(records, domain, parse_address(postmaster) if postmaster else None, time.time())


def _list(domain: str, found: Accepted, made: int, signer: Ed25519PrivateKey) -> bytes:
    return make(domain, found.locals, made, found.everything, secrets.token_bytes(SALT_OCTETS), signer.sign)


def _made(path: str, signer: Ed25519PrivateKey) -> int:
    """Return the time for a new list in *path*: never before that of the one there, should a clock be set back."""
    try:
        before = read(read_limited(path), signer.public_key().public_bytes_raw()).made
    except (OSError, BadList):
        before = 0
    return max(int(time.time()), before)


def _key_of(settings: Settings, domain: str) -> bytes:
    for name, backup in settings.backups.items():
        if domain_key(name) == domain and backup.key:
            return parse_key(backup.key)
    raise BadList(
        f"it is a list of {domain}, and no key says who may sign that: set key in [{dotted(('backups', domain))}]"
        ' to what "mailsuite backup-mx export" printed on the primary'
    )


def _state(settings: Settings, domain: str, backup: Backup, domain_class: str) -> dict[str, object]:
    """Return what is known about the recipients of *domain*, for programs."""
    found, trouble = None, ""
    if domain_class != "backup":
        mend = "set" if domain_class else "add"
        trouble = f"not a domain of class backup: mailsuite domain {mend} {domain} --class backup"
    if backup.key:
        try:
            found = ListStore(settings.state_dir).load(domain, parse_key(backup.key))
        except (BadList, OSError) as error:
            trouble = str(error)
        else:
            if found is None and not trouble:
                trouble = "no list was taken yet"
    return {
        "domain": domain,
        "list": None if found is None else _contents(found),
        "addresses": None if found is None else found.count,
        "everything": None if found is None else found.everything,
        "made": None if found is None else _time(found),
        "source": backup.list or None,
        "callout": backup.callout,
        "trouble": trouble or None,
    }


def _contents(found: BackupList) -> str:
    return counted(found.count, "address", "addresses") + (" and all others" if found.everything else "")


def _time(found: BackupList) -> str:
    return datetime.fromtimestamp(found.made, UTC).isoformat().replace("+00:00", "Z")


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else value
