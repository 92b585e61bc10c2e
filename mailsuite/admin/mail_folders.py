"""The mail folders of users that come and go: no change of ours deletes mail."""

import os

from mailsuite.admin.site import Done, Site
from mailsuite.directory.rows import User
from mailsuite.mailbox.layout import create_maildir, maildir
from mailsuite.mailbox.sync import sync_folders


def mail_path(site: Site, user: User) -> str:
    """Return where the user's mail lies."""
    return maildir(site.mail, user.mailbox)


def make_mail_folder(site: Site, user: User) -> Done[User]:
    """Make the Maildir of a *user* who was added, and note where mail of an earlier one of that name is in it."""
    path = mail_path(site, user)
    notes: tuple[str, ...] = ()
    if os.path.isdir(path):
        notes = (f"{path} was there before; whatever mail is in it now belongs to {user.name}.",)
    try:
        os.makedirs(site.mail, mode=0o700, exist_ok=True)
        sync_folders(site.mail, site.sync, create_maildir(site.mail, user.mailbox))
    except OSError as error:
        trouble = (
            f"{user.name} was added, but its mail folder {path} could not be made ({error.strerror});"
            " when that is mended, the first message makes it"
        )
        return Done(user, notes, trouble)
    return Done(user, notes)


def mend_mail_folder(site: Site, user: User) -> Done[User]:
    """Make the Maildir of a *user* who has none: whoever added it was stopped before that."""
    return Done(user) if os.path.isdir(mail_path(site, user)) else make_mail_folder(site, user)


def left_mail(site: Site, user: User) -> str:
    """Return in words where the mail of a removed user lies; empty where there is none."""
    path = mail_path(site, user)
    return f"The mail of {user.name} was not touched: {path}" if os.path.isdir(path) else ""
