"""What can be wrong with a request about accounts; each message says what, and how to mend it."""

from mailsuite.meaning import CannotJudge


class AccountsError(Exception):
    """The request was refused, and nothing has changed."""


class BadName(AccountsError):
    """A text is no address, or no domain, that we could serve."""


class NoSuch(AccountsError):
    """What the request is about does not exist here."""


class Exists(AccountsError):
    """What should be made is there already."""


class StillNeeded(AccountsError):
    """What should be removed is in use; the message says by what."""


class LeadsNowhere(AccountsError):
    """An alias or a catch-all would lead to no mailbox: its target is unknown or a loop, or elsewhere and must not."""


class BadReply(AccountsError):
    """The reply is none that an SMTP server may give to RCPT."""


class TooMany(AccountsError):
    """There would be more than a lookup goes through."""


class WrongClass(AccountsError):
    """The domain is of a class that has no users, or no aliases, or that these stand in the way of."""


class NoAccounts(AccountsError):
    """There is no accounts file, or the file is something else, or it cannot be read."""


class Unreadable(NoAccounts):
    """*what* keeps this user from a file that is needed to reach the accounts; the message says *mend*, too."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; to mend it: {mend}")
        self.what = what
        self.mend = mend


class OlderSchema(AccountsError):
    """An older mailsuite wrote the accounts file; the message says the command that brings it up to date."""


class NewerSchema(AccountsError):
    """A newer mailsuite wrote the accounts file. We neither read nor rewrite it."""


class AccountsBusy(AccountsError):
    """Another command holds the accounts file for longer than we wait."""


class ReadOnly(AccountsError):
    """What keeps the accounts is not changed by us."""


class CannotList(AccountsError):
    """What keeps the accounts can be asked about one user, and not who its users are."""


class Away(CannotJudge):
    """What keeps the accounts does not answer now: that says nothing about any address or login."""


def in_one_line(error: Exception) -> str:
    """Return what *error* says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
