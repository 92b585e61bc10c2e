"""A process that accepts without end and says of each message, once it is durable, that it has it; to be killed."""

import sys
from typing import cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from mailsuite.address import Address
from mailsuite.interfaces import IDraft
from mailsuite.queue.store import SqliteQueue
from mailsuite.queue.writer import WriterReactor
from mailsuite.queued import QueuedMessage, QueuedRecipient
from tests.doubles import MemoryDraft

LARGE = 20
SIZES = (200, 3000)


async def accept(queue: SqliteQueue, number: int) -> None:
    """Accept one message, large or small, and print its id."""
    draft = MemoryDraft()
    draft.write(f"{number}:".encode() + b"x" * SIZES[number % LARGE == 0])
    message = QueuedMessage(f"m{number}", None, 1000.0, 1e12, draft.size)
    recipient = QueuedRecipient(Address("bob", "b.example"), "b.example")
    await queue.accept(message, [recipient], cast(IDraft, draft), 0, lambda _: number % 2 == 0)
    print(message.id, flush=True)


async def work(path: str) -> None:
    """Accept until killed, some at a time."""
    queue = SqliteQueue(path, cast(WriterReactor, reactor), lambda: 1000.0, 0, 1000, 60.0)
    queue.start()
    number = 0
    while True:
        await gatherResults([Deferred.fromCoroutine(accept(queue, number + index)) for index in range(5)])
        number += 5


Deferred.fromCoroutine(work(sys.argv[1])).addErrback(lambda failure: failure.printTraceback())
reactor.run()
