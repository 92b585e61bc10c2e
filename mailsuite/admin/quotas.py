"""Quotas: what may lie in mailboxes, and what does."""

from typing import Any

from mailsuite.admin.site import Site
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import NoSuch
from mailsuite.directory.quotas import DomainQuotas, OwnQuota
from mailsuite.directory.spelling import parse_address, parse_domain
from mailsuite.mailbox.layout import maildir
from mailsuite.mailbox.maildirsize import Usage, read
from mailsuite.meaning import Mailbox, Quota
from mailsuite.service.notices import percent


def usage(site: Site, box: Mailbox) -> Usage:
    """Return what lies in the mailbox; it is counted where that is not written down. Raises `OSError`."""
    path = maildir(site.mail, box)
    found = read(path)
    return site.ledger.count(path, box.quota.otherwise(site.default_quota)) if found is None else found.usage


def count(site: Site, box: Mailbox) -> tuple[Usage | None, Usage]:
    """Count what lies in the mailbox and write that down anew; return what was written down before, if anything was,
    and what was found. Raises `OSError`."""
    path = maildir(site.mail, box)
    before = read(path)
    found = site.ledger.count(path, box.quota.otherwise(site.default_quota))
    return None if before is None else before.usage, found


def of_address(accounts: Accounts, address: str) -> tuple[str, Mailbox]:
    """Return the mailbox of *address* with its name. Raises `NoSuch`."""
    accounts.quotas.mailbox(address)
    parsed = parse_address(address)
    for found in accounts.quotas.mailboxes(parsed.domain, parsed.local):
        return found
    # It was removed since.
    raise NoSuch(f"no mailbox {parsed} here; see: mailsuite user list {parsed.domain}")


def as_json(site: Site, name: str, box: Mailbox, used: Usage) -> dict[str, Any]:
    """Return for programs what may lie in the mailbox *name*, whoever has said so, and what does."""
    return {"mailbox": name, **amounts(box.quota.otherwise(site.default_quota), used)}


def amounts(quota: Quota, used: Usage) -> dict[str, Any]:
    """Return for programs what *quota* lets lie there, and what does."""
    return {
        "octets": used.octets,
        "octets_limit": quota.octets or None,
        "messages": used.messages,
        "messages_limit": quota.messages or None,
        "percent": percent(*used, quota) if quota else None,
    }


def mailbox_as_json(site: Site, accounts: Accounts, address: str) -> dict[str, Any]:
    """Return the same of *address*, and in ``own`` what quota it has itself. Raises `NoSuch` or `OSError`."""
    own = accounts.quotas.mailbox(address)
    name, box = of_address(accounts, address)
    return {**as_json(site, name, box, usage(site, box)), "own": _both(own)}


def domain_as_json(accounts: Accounts, name: str) -> dict[str, Any]:
    """Return for programs what all mailboxes of a domain may hold together, and each of them. Raises `NoSuch`."""
    found: DomainQuotas = accounts.quotas.domain(name)
    return {"domain": parse_domain(name), "together": _both(found.together), "each": _both(found.each)}


def own_as_json(own: OwnQuota) -> dict[str, Any]:
    """Return for programs the quota that a mailbox or a domain has of its own; ``each`` is of a domain alone."""
    return {"whom": own.name, **_both(own.quota), "each": None if "@" in own.name else _both(own.each)}


def _both(quota: Quota) -> dict[str, int | None]:
    return {"octets": quota.octets, "messages": quota.messages}
