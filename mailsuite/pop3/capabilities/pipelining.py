"""PIPELINING (RFC 2449 §6.6): a client need not wait for one response before its next command."""

from typing import ClassVar

from mailsuite.pop3.command import Capability


class Pipelining(Capability):
    """Always offered; it brings no command."""

    keyword: ClassVar[str] = "PIPELINING"


PART = Pipelining()
