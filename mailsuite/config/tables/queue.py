"""When mail that waits is tried."""

from typing import Annotated

from msgspec import Meta

from mailsuite.config.section import Section, below


class Queue(Section, frozen=True, kw_only=True):
    """Mail on its way to others: when it is tried, for how long, how much at a time; times are in seconds."""

    path: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The folder of the queue, below state_dir.",
    )] = "queue"
    retry_first: Annotated[float, Meta(
        gt=0, le=86_400,
        description="How long after the first try that failed the second one comes.",
    )] = 300.0
    retry_factor: Annotated[float, Meta(
        ge=1, le=10,
        description="By how much each wait is longer than the one before.",
    )] = 2.0
    retry_cap: Annotated[float, Meta(
        gt=0, le=604_800,
        description="The longest wait between two tries.",
    )] = 7200.0
    lifetime: Annotated[float, Meta(
        gt=0, le=2_592_000,
        description="For how long delivery is tried before the sender is told that it failed (RFC 5321 §4.5.4.1:"
                    " 4 to 5 days at least).",
    )] = 432_000.0
    delay_warning: Annotated[float, Meta(
        ge=0, le=2_592_000,
        description="After how long the sender is told, once, that a message is late; 0 means never.",
    )] = 14_400.0
    probe_interval: Annotated[float, Meta(
        gt=0, le=86_400,
        description="The longest wait between two looks whether the primary of a domain that we back up has"
                    " returned.",
    )] = 60.0
    connect_timeout: Annotated[float, Meta(
        gt=0, le=3600,
        description="How long a connection to one address may take to stand.",
    )] = 30.0
    greeting_timeout: Annotated[float, Meta(
        gt=0, le=3600,
        description="How long the other end may take to greet (RFC 5321 §4.5.3.2.1: 300).",
    )] = 300.0
    command_timeout: Annotated[float, Meta(
        gt=0, le=3600,
        description="How long the other end may take to answer a command (RFC 5321 §4.5.3.2: 300 for MAIL and RCPT).",
    )] = 300.0
    data_timeout: Annotated[float, Meta(
        gt=0, le=3600,
        description="How long the other end may take to read on within a message (RFC 5321 §4.5.3.2.5: 180).",
    )] = 180.0
    end_timeout: Annotated[float, Meta(
        gt=0, le=7200,
        description="How long the other end may take to answer the end of a message (RFC 5321 §4.5.3.2.6: 600).",
    )] = 600.0
    transaction_timeout: Annotated[float, Meta(
        gt=0, le=86_400,
        description="How long one message may take to be sent in all, however lively the other end is.",
    )] = 7200.0
    remote_port: Annotated[int, Meta(
        ge=1, le=65_535,
        description="The port of other mail servers.",
    )] = 25
    deliveries: Annotated[int, Meta(
        ge=1, le=10_000,
        description="Deliveries at a time, to all destinations together; those that have not shown that they work"
                    " get no more than three quarters of them.",
    )] = 200
    destination_deliveries: Annotated[int, Meta(
        ge=1, le=1000,
        description="Deliveries at a time to one destination at most; it begins with fewer and grows while all goes"
                    " well.",
    )] = 20
    window: Annotated[int, Meta(
        ge=10, le=100_000,
        description="Messages of the queue that one process holds in memory, to be tried next.",
    )] = 1000
    lease: Annotated[float, Meta(
        ge=1, le=3600,
        description="How long after its last sign of life what a process has claimed is free for others.",
    )] = 60.0
    inline_size: Annotated[int, Meta(
        ge=0, le=1_048_576,
        description="Messages up to so many octets lie in the queue's database, larger ones in files beside it.",
    )] = 131_072
    report_size: Annotated[int, Meta(
        ge=0,
        description="Messages up to so many octets are returned whole in a report of failure, of larger ones the"
                    " header.",
    )] = 65_536
