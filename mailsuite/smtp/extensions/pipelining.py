"""PIPELINING (RFC 2920): the session answers in order by construction, so there is only the offer to make."""

from typing import ClassVar

from mailsuite.smtp.extension import Extension


class Pipelining(Extension):
    """Commands may come in groups."""

    keyword: ClassVar[str] = "PIPELINING"


PART = Pipelining()
