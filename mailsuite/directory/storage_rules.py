"""Quotas as others write them: octets with a unit, and the rules that Dovecot has in a passwd-file or a directory.

Dovecot 2.3: ``userdb_quota_rule=*:storage=1G`` (without a unit kibibytes), ``*:bytes=``, ``*:messages=``; Dovecot 2.4:
``userdb_quota_storage_size=1G`` (without a unit octets) and ``userdb_quota_message_count=1000``.
"""

import re
from collections.abc import Iterable

from mailsuite.database import LARGEST
from mailsuite.meaning import NO_QUOTA, Quota

_AMOUNT = re.compile(r"(\d{1,18})([KMGT]?)(?:I?B)?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def amount(text: str, unit: int = 1) -> int | None:
    """Return the number that *text* is: ``500M``, ``2G``, or digits alone, which count by *unit*; else ``None``."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    plain = not found[2] and not text.strip()[len(found[1]):]
    return min(int(found[1]) * (unit if plain else _UNITS[found[2].upper()]), LARGEST)


def quota_of(words: Iterable[str]) -> Quota:
    """Return what the extra fields *words* of a user say (``name=value``). What cannot be read says nothing."""
    found = NO_QUOTA
    for word in words:
        name, _, value = word.partition("=")
        if name == "userdb_quota_storage_size":
            found = Quota(amount(value)).otherwise(found)
        elif name == "userdb_quota_message_count":
            found = Quota(None, amount(value)).otherwise(found)
        elif re.fullmatch(r"userdb_quota_rule\d*", name):
            found = _rule(value).otherwise(found)
    return found


def _rule(text: str) -> Quota:
    folder, _, limits = text.partition(":")
    if folder not in ("*", "?"):
        return NO_QUOTA
    found = NO_QUOTA
    for limit in limits.split(":"):
        name, _, value = limit.partition("=")
        match name:
            case "storage":
                found = Quota(amount(value, 1024)).otherwise(found)
            case "bytes":
                found = Quota(amount(value)).otherwise(found)
            case "messages":
                found = Quota(None, amount(value)).otherwise(found)
    return found
