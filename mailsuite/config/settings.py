"""Every key of the configuration: type, default, range and one sentence of meaning.

They are said here and nowhere else: the loader, ``etc/mailsuite.toml`` and
``docs/configuration.rst`` are made from these classes.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Service = Literal["mta", "submission", "pop3"]
ListenTLS = Literal["none", "starttls", "implicit"]
ListenAuth = Literal["off", "tls", "always"]


def below(place: Literal["config", "state_dir"]) -> dict[str, Any]:
    """Mark a key as a path name; a relative one begins at the file's folder or at `state_dir`."""
    return {"below": place}


def written(expected: str) -> dict[str, Any]:
    """Mark a key whose form the type does not say: *expected* is how people are told."""
    return {"expected": expected}


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the configuration file."""


class TLS(Section, frozen=True, kw_only=True):
    """The certificate of all listeners; its files are read again when they change or on SIGHUP."""

    certificate: Annotated[str, Meta(
        min_length=1, extra=below("config"),
        description="PEM file with our certificate first and the certificates of its issuers"
                    " after it.",
    )] = "cert.pem"
    key: Annotated[str, Meta(
        min_length=1, extra=below("config"),
        description="PEM file with the private key of that certificate, not encrypted.",
    )] = "key.pem"
    minimum: Annotated[Literal["1.2", "1.3"], Meta(
        description="Oldest version of TLS that a client may use.",
    )] = "1.2"


class Listener(Section, frozen=True, kw_only=True):
    """One listener, ``[listen.NAME]``: a service, where it listens, what it asks of a client."""

    service: Annotated[Service, Meta(
        examples=["mta"],
        description="What answers here: mail from other servers, mail from our users, or our"
                    " users' mailboxes.",
    )]
    endpoint: Annotated[str | list[str], Meta(
        extra=written('a Twisted endpoint string such as "tcp:25", or a list of them'),
        examples=["tcp:25"],
        description='Where it listens: a Twisted endpoint string, or a list of them;'
                    ' "tcp:25:interface=127.0.0.1" is port 25 of one address.',
    )]
    tls: Annotated[ListenTLS, Meta(
        description="No TLS, TLS when the client asks for it (STARTTLS, STLS), or TLS from the"
                    " first octet.",
    )] = "none"
    auth: Annotated[ListenAuth | Literal[""], Meta(
        description="When a password is taken: never, under TLS only, or always;"
                    " empty means off for mta and tls for the others.",
    )] = ""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoint strings, however they were written."""
        return (self.endpoint,) if isinstance(self.endpoint, str) else tuple(self.endpoint)

    @property
    def authentication(self) -> ListenAuth:
        """The rule of `auth` that holds here, its default worked out."""
        if self.auth == "":
            return "off" if self.service == "mta" else "tls"
        return self.auth


class Directory(Section, frozen=True, kw_only=True):
    """Accounts: which domains, mailboxes, aliases and passwords there are."""

    backend: Annotated[Literal["sqlite"], Meta(
        description="Where accounts are kept.",
    )] = "sqlite"
    path: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The accounts database, below state_dir.",
    )] = "accounts.sqlite"
    postmaster: Annotated[str, Meta(
        extra=written("an address such as postmaster@example.org, or an empty string"),
        examples=["postmaster@example.org"],
        description="Mailbox for postmaster and abuse of a domain that has none of its own (RFC"
                    " 2142).",
    )] = ""
    hash_threads: Annotated[int, Meta(
        ge=1, le=64,
        description="Threads that verify passwords; each uses up to 64 MiB of memory at work.",
    )] = 2


class Store(Section, frozen=True, kw_only=True):
    """Mail on disk."""

    path: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The folder under which all mailboxes lie, below state_dir.",
    )] = "mail"
    free_floor: Annotated[int, Meta(
        ge=0,
        description="Octets that stay free on the mail file system; below that, mail is put off"
                    " with 452.",
    )] = 64 * 1024 * 1024
    sync: Annotated[Literal["auto", "syncfs", "fsync"], Meta(
        description="How mail is made durable: syncfs where it is known to be safe and fsync elsewhere,"
                    " or always one of them.",
    )] = "auto"


class DNS(Section, frozen=True, kw_only=True):
    """Name servers."""

    servers: Annotated[list[str], Meta(
        extra=written('a list of "address", "address:port" or "[IPv6 address]:port"'),
        examples=[["192.0.2.53", "[2001:db8::53]:5353"]],
        description="Name servers to ask, each an address with an optional port; empty means the"
                    " system's own.",
    )] = []


class Limits(Section, frozen=True, kw_only=True):
    """Bounds on what a peer may ask of us; times are in seconds, sizes in octets."""

    message_size: Annotated[int, Meta(
        ge=1024,
        description="Largest message, announced by SIZE; RFC 5321 §4.5.3.1.7 asks for at least"
                    " 65536.",
    )] = 52_428_800
    recipients: Annotated[int, Meta(
        ge=1,
        description="Recipients taken in one SMTP transaction; RFC 5321 §4.5.3.1.8 asks for at"
                    " least 100, so take fewer in tests only.",
    )] = 1000
    errors: Annotated[int, Meta(
        ge=1,
        description="Permanent refusals (5xx replies) that one SMTP session may get; it is closed at the"
                    " next one.",
    )] = 50
    idle_timeout: Annotated[float, Meta(
        ge=1, le=86_400,
        description="How long an SMTP client may be silent; RFC 5321 §4.5.3.2.7 asks for at least"
                    " 300.",
    )] = 300.0
    data_timeout: Annotated[float, Meta(
        ge=1, le=86_400,
        description="How long the body of one message may take in all.",
    )] = 3600.0
    pop3_idle_timeout: Annotated[float, Meta(
        ge=1, le=86_400,
        description="How long a POP3 client may be silent; RFC 1939 §3 asks for at least 600.",
    )] = 600.0
    command_line: Annotated[int, Meta(
        ge=512, le=65_536,
        description="Length of a command line with its CRLF (RFC 5321 §4.5.3.1.4);"
                    " extensions add what they need.",
    )] = 512
    text_line: Annotated[int, Meta(
        ge=1000, le=1_048_576,
        description="Length of a line of a message with its CRLF; RFC 5321 §4.5.3.1.6 asks for at"
                    " least 1000.",
    )] = 8192
    path: Annotated[int, Meta(
        ge=256, le=4096,
        description="Length of a reverse-path or forward-path (RFC 5321 §4.5.3.1.3).",
    )] = 256
    local_part: Annotated[int, Meta(
        ge=64, le=1024,
        description="Length of a local part (RFC 5321 §4.5.3.1.1).",
    )] = 64
    domain: Annotated[int, Meta(
        ge=255, le=1024,
        description="Length of a domain name (RFC 5321 §4.5.3.1.2).",
    )] = 255
    hops: Annotated[int, Meta(
        ge=1, le=10_000,
        description="Received lines in a message beyond which it is refused as a loop (RFC 5321"
                    " §6.3).",
    )] = 100
    guesses: Annotated[int, Meta(
        ge=1,
        description="Wrong passwords from one address (IPv6: one /64) within guess_window"
                    " after which its logins are cut off.",
    )] = 50
    guess_window: Annotated[float, Meta(
        ge=1, le=86_400,
        description="For how long a wrong password counts.",
    )] = 600.0
    shutdown_grace: Annotated[float, Meta(
        ge=0, le=3600,
        description="How long sessions may go on with the message in hand when the service stops.",
    )] = 10.0


class SMTP(Section, frozen=True, kw_only=True):
    """What holds for every SMTP listener."""

    bare_newlines: Annotated[Literal["reject", "normalize"], Meta(
        description="What becomes of a message with a CR or LF that stands alone:"
                    " refuse it, or make each a CRLF.",
    )] = "reject"


class Submission(Section, frozen=True, kw_only=True):
    """What holds for the listeners on which our users send."""

    check_from: Annotated[bool, Meta(
        description="Whether each address in From must belong to the login, as the reverse-path"
                    " always must.",
    )] = True


class Log(Section, frozen=True, kw_only=True):
    """The mail log: one line for each SMTP transaction and each POP3 session."""

    path: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The mail log, below state_dir.",
    )] = "mail.log"
    format: Annotated[Literal["text", "json"], Meta(
        description="Lines of key=value, or one JSON object a line.",
    )] = "text"


class Settings(Section, frozen=True, kw_only=True):
    """The configuration as `mailsuite.config.load` gives it: complete, checked, paths absolute."""

    hostname: Annotated[str, Meta(
        max_length=255,
        pattern=r"^(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
                r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
        extra=written("a host name such as mail.example.org"),
        examples=["mail.example.org"],
        description="The name by which this system greets others; it should be in DNS with our"
                    " address.",
    )]
    state_dir: Annotated[str, Meta(
        min_length=1, extra=below("config"),
        description="The folder of accounts, mail and logs; its owner is the user the service"
                    " runs as.",
    )] = "."
    allow_root: Annotated[bool, Meta(
        description="Whether the service may run as root, which it otherwise refuses.",
    )] = False
    tls: TLS = TLS()
    listen: Annotated[dict[str, Listener], Meta(
        description="One table for each listener; NAME is yours to choose.",
    )] = {}
    directory: Directory = Directory()
    store: Store = Store()
    dns: DNS = DNS()
    limits: Limits = Limits()
    smtp: SMTP = SMTP()
    submission: Submission = Submission()
    log: Log = Log()
