"""``mailsuite import``: what another server has, its mail and its accounts, comes here."""

import os
from functools import partial
from io import TextIOWrapper

import click

from mailsuite.cli.moving import Old, bring_folder, bring_tree, report
from mailsuite.cli.old_server import move_accounts
from mailsuite.cli.owners import user
from mailsuite.cli.postfix_maps import Maps, move_maps
from mailsuite.cli.rows import text_file
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.directory.old_accounts import passwd_file, userdb
from mailsuite.mailbox.foreign import mbox_messages
from mailsuite.mailbox.layout import modified_utf7
from mailsuite.mailbox.uidl_format import DOVECOT_FORMAT

dry_run = click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be done.")
uidl_format = click.option(
    "--uidl-format", "form", default=DOVECOT_FORMAT, show_default=True, metavar="FORMAT",
    help="Dovecot's pop3_uidl_format.",
)  # fmt: skip
header = click.option("--uidl-header", "header", is_flag=True, help="Where no list has a unique id, X-UIDL says it.")
nested = click.option("--nested", is_flag=True, help="Folders lie in each other, as by Dovecot's LAYOUT=fs.")
default_domain = click.option("--domain", metavar="DOMAIN", help="The domain of names that have none.")
old_mail = click.option(
    "--mail", metavar="PATTERN", help="Where the Maildirs are: %u, %n, %d and %h stand for name, local part, domain"
    " and home (default: what the line says, or else %h/Maildir).",
)  # fmt: skip
no_mail = click.option("--no-mail", is_flag=True, help="Bring the accounts alone.")


@click.group(name="import")
def import_() -> None:
    """Bring mail and accounts of another server here.

    Each command can be run again at any time, while both servers run: it goes on where it was stopped, and brings
    nothing twice. So most of the mail can be brought while the old server is still in use, and the rest afterwards.

    Flags, dates and the unique ids of POP3 are kept, so that no client fetches anything again. A command run as root
    reads the old mail as the user that this site belongs to.

    \b
    Example:
      mailsuite import maildir alice@example.com /old/vmail/alice --dry-run
      mailsuite import dovecot /etc/dovecot/users --mail '/old/vmail/%d/%n'
    """


@import_.command()
@click.argument("address")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@uidl_format
@header
@nested
@click.option("--inbox-only", is_flag=True, help="Leave its folders out.")
@dry_run
@with_site
def maildir(
    settings: Settings, address: str, folder: str, form: str, header: bool, nested: bool, inbox_only: bool,
    dry_run: bool,
) -> None:
    """Bring the messages of the Maildir FOLDER, with its Maildir++ folders, into the mailbox of ADDRESS.

    The unique ids are those that a dovecot-uidlist or courierpop3dsizelist in FOLDER tells of.

    \b
    Example:
      mailsuite import maildir alice@example.com /old/vmail/alice/Maildir
    """
    found = user(settings, address)
    report(bring_tree(settings, found, folder, Old(form, header, nested, inbox_only), dry_run))


@import_.command()
@click.argument("address")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--folder", default="", metavar="NAME", help="The folder that gets the messages (default: the inbox).")
@dry_run
@with_site
def mbox(settings: Settings, address: str, file: str, folder: str, dry_run: bool) -> None:
    """Bring the messages of the mbox FILE into the mailbox of ADDRESS.

    Their dates are those of the lines that begin with From, their flags and unique ids those of Status, X-Status and
    X-UIDL (Qpopper and others), which are taken off. The file must not change meanwhile.

    \b
    Example:
      mailsuite import mbox alice@example.com /var/mail/alice
      mailsuite import mbox alice@example.com ~alice/mail/sent --folder Sent
    """
    found = user(settings, address)
    if "/" in folder or folder.startswith(".") or not folder.isprintable():
        raise click.UsageError("the name of a folder can be printed, has no slash and does not begin with a dot")
    messages = partial(mbox_messages, os.fsencode(file))
    place = f".{modified_utf7(folder)}" if folder else ""
    report([bring_folder(settings, found, place, messages, dry_run)])


@import_.command()
@click.argument("file", metavar="PASSWD_FILE", type=text_file)
@old_mail
@click.option("--scheme", default="", help="That of passwords which name none (default_pass_scheme).")
@default_domain
@uidl_format
@header
@nested
@no_mail
@dry_run
@with_site
def dovecot(
    settings: Settings, file: TextIOWrapper, mail: str | None, scheme: str, domain: str | None, form: str,
    header: bool, nested: bool, no_mail: bool, dry_run: bool,
) -> None:
    """Make a user of each line of Dovecot's PASSWD_FILE, with the hash of its password, and bring its Maildir.

    Domains that are not there yet are added. Users that are there already keep their passwords. Mail in mdbox or sdbox
    has to be converted there first: doveadm sync -u USER maildir:PATH.

    \b
    Example:
      mailsuite import dovecot /etc/dovecot/users --mail '/var/vmail/%d/%n' --uidl-format %v.%u
    """
    where = None if no_mail else mail or ""
    move_accounts(settings, list(passwd_file(file, scheme)), domain, where, Old(form, header, nested), dry_run)


@import_.command()
@click.argument("file", metavar="USERDB", type=text_file)
@old_mail
@default_domain
@header
@no_mail
@dry_run
@with_site
def courier(
    settings: Settings, file: TextIOWrapper, mail: str | None, domain: str | None, header: bool, no_mail: bool,
    dry_run: bool,
) -> None:
    """Make a user of each line of Courier's USERDB, with the hash of its password, and bring its Maildir.

    Domains that are not there yet are added. Users that are there already keep their passwords. The unique ids are
    those in courierpop3dsizelist.

    \b
    Example:
      mailsuite import courier /etc/courier/userdb
    """
    where = None if no_mail else mail or ""
    move_accounts(settings, list(userdb(file)), domain, where, Old(DOVECOT_FORMAT, header), dry_run)


@import_.command(name="postfix-maps")
@click.option("--mailboxes", type=text_file, metavar="FILE", help="The text of virtual_mailbox_maps.")
@click.option("--virtual", type=text_file, metavar="FILE", help="The text of virtual_alias_maps.")
@click.option("--aliases", type=text_file, metavar="FILE", help="The text of alias_maps, such as /etc/aliases.")
@default_domain
@dry_run
@with_site
def postfix_maps(
    settings: Settings, mailboxes: TextIOWrapper | None, virtual: TextIOWrapper | None, aliases: TextIOWrapper | None,
    domain: str | None, dry_run: bool,
) -> None:
    """Make domains, users without passwords, aliases and catch-alls of the text files of Postfix's tables.

    Domains of mailboxes and aliases are added where they are not there yet; @example.com leads to a catch-all, or,
    where its target is @example.org, makes the domain an alias of that one. Commands, files and lists in files are no
    targets here. What is here already stays.

    \b
    Example:
      mailsuite import postfix-maps --mailboxes vmailbox --virtual virtual --aliases /etc/aliases --domain example.com
    """
    if not (mailboxes or virtual or aliases):
        raise click.UsageError("give at least one of --mailboxes, --virtual and --aliases")
    if aliases is not None and domain is None:
        raise click.UsageError("--aliases needs --domain: the names in there have none")
    move_maps(settings, Maps(mailboxes or (), virtual or (), aliases or (), domain or ""), dry_run)
