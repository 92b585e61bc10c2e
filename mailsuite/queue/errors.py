"""What can be wrong with the queue's file or with a request about it; each message says what."""


class QueueError(Exception):
    """The queue cannot be used, or a request about it was refused and nothing has changed."""


class NoQueue(QueueError):
    """There is no queue where the configuration says."""


class OlderQueue(QueueError):
    """An older mailsuite wrote the queue's file; the message says the command that brings it up to date."""


class NewerQueue(QueueError):
    """Another mailsuite wrote the queue, with a schema that we do not know. We neither read nor rewrite it."""


class QueueBusy(QueueError):
    """Others hold the queue's file for longer than we wait."""


class NotQueued(QueueError):
    """No message of that id is in the queue."""
