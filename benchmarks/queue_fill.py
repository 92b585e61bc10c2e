"""A queue with much in it."""

import time
from contextlib import closing
from pathlib import Path

from benchmarks.accounts import DEAD
from mailsuite.address import Address
from mailsuite.database import transaction
from mailsuite.queue.accepting import Accepting
from mailsuite.queue.files import ContentFolder, Placed
from mailsuite.queue.schema import connect
from mailsuite.queue.store import DATABASE, JOB_RECIPIENTS
from mailsuite.queued import QueuedMessage, QueuedRecipient

RECIPIENTS_OF_ONE = 10
# Messages written in one transaction.
_AT_ONCE = 2000
_WEEK = 604_800.0
_BODY = b"Subject: benchmark\r\n\r\n" + b"x" * 78 + b"\r\n"


def fill(path: Path, recipients: int, destinations: int, delay: float = 0.0) -> None:
    """Put *recipients* into the queue in *path*, ten of each message, spread over domains below `DEAD`.

    They are due after *delay* seconds.
    """
    ContentFolder(str(path), 0, str).create()
    now = time.time()
    messages = range(recipients // RECIPIENTS_OF_ONE)
    with closing(connect(f"{path}/{DATABASE}", create=True)) as connection:
        accepting = Accepting(connection, 0, now, 0.0, JOB_RECIPIENTS)
        for begin in messages[::_AT_ONCE]:
            with transaction(connection):
                for number in messages[begin : begin + _AT_ONCE]:
                    accepting.accept(
                        _message(number, now + delay), _recipients(number, destinations), Placed(len(_BODY), _BODY), ()
                    )


def _message(number: int, begin: float) -> QueuedMessage:
    return QueuedMessage(f"b{number}", Address("bench", "client.example"), begin, begin + _WEEK, len(_BODY))


def _recipients(number: int, destinations: int) -> list[QueuedRecipient]:
    places = (f"d{(number * RECIPIENTS_OF_ONE + each) % destinations}.{DEAD}" for each in range(RECIPIENTS_OF_ONE))
    return [QueuedRecipient(Address("somebody", place), place) for place in places]
