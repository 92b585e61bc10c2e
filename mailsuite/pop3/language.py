"""A language that responses can be in: one file each in `mailsuite.pop3.languages` (RFC 6856 §3)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """*tag* is that of RFC 5646, in lower case; *name* what the language calls itself.

    *texts* has for each text of `mailsuite.pop3.responses` its like, with as many ``{}``, without ``[`` and ``<``.
    """

    tag: str
    name: str
    texts: Mapping[str, str]
