"""Replies that an administrator chooses, as they are written in the configuration and in lists."""

import re

from mailsuite.directory.errors import BadReply
from mailsuite.directory.replies import chosen
from mailsuite.smtp.replies import Reply

_REPLY = re.compile(r"(?P<code>\d{3}) +(?:(?P<status>\d+\.\d+\.\d+) +)?(?P<text>.+)")


def written_reply(text: str) -> Reply:
    """Return the reply to RCPT that *text* is; without a status it has that of a policy, X.7.1 (RFC 3463 §3.8).

    Raises `ValueError`.
    """
    found = _REPLY.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is no reply; expected one such as "550 5.7.1 Not from you"')
    try:
        made = chosen(int(found["code"]), found["text"], found["status"] or f"{found['code'][0]}.7.1")
    except BadReply as error:
        raise ValueError(str(error)) from error
    return Reply(made.code, made.status, made.text)
