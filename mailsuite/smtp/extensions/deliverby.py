"""DELIVERBY (RFC 2852): within what time a message is to be delivered, and what becomes of it else."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, cast

from mailsuite.smtp import replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# by-value = by-time ";" by-mode [by-trace]; by-time = ["-" / "+"] 1*9digit (RFC 2852 §4)
_BY = re.compile(r"([+-]?\d{1,9});([NR])(T?)", re.ASCII)


class By(NamedTuple):
    """What BY says: *seconds* from now, what to do then (return or notify), and whether to tell of each relaying."""

    seconds: int
    mode: Literal["N", "R"]
    traced: bool


def by(session: "ServerSession", value: str | None) -> By | Reply:
    """Return what is asked for, or why it cannot be (RFC 2852 §4)."""
    found = _BY.fullmatch((value or "").upper())
    if found is None:
        return replies.BAD_BY
    asked = By(int(found[1]), cast(Literal["N", "R"], found[2]), bool(found[3]))
    if asked.mode == "N":
        # Zero and less say that the time has passed.
        return asked
    if asked.seconds <= 0:
        return replies.BAD_BY
    return replies.TOO_SOON if asked.seconds < session.settings.deliver_by_minimum else asked


class DeliverBy(Extension):
    """BY=seconds;mode at MAIL."""

    keyword: ClassVar[str] = "DELIVERBY"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"BY": by}
    mail_octets: ClassVar[int] = 17  # RFC 2852 §2, item 5

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`: with the least time that a message may be returned after, where there is one (§3)."""
        least = session.settings.deliver_by_minimum
        return f"{self.keyword} {least}" if least else self.keyword


PART = DeliverBy()
