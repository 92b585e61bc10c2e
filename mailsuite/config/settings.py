"""The configuration as a whole: its tables (`mailsuite.config.tables`), and the keys that belong to none.

Every key is said once, by type, default, range and one sentence: the loader, ``etc/mailsuite.toml`` and
``docs/configuration.rst`` are made from these classes.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailsuite.config.section import Section, below, written
from mailsuite.config.tables.backends import LDAP, PasswdFile, PostgreSQL
from mailsuite.config.tables.certificates import TLS, Certificate
from mailsuite.config.tables.delivery import Backup, Delivery, RouteTable
from mailsuite.config.tables.dns import DNS
from mailsuite.config.tables.limits import Limits
from mailsuite.config.tables.listen import Listener
from mailsuite.config.tables.log import Log
from mailsuite.config.tables.logins import SASL, Directory, OAuth
from mailsuite.config.tables.policy import Check, Deny, Relay
from mailsuite.config.tables.pop3 import POP3, Domain
from mailsuite.config.tables.queue import Queue
from mailsuite.config.tables.quota import Caps, Quotas
from mailsuite.config.tables.smtp import SMTP, Submission
from mailsuite.config.tables.srs import SRS
from mailsuite.config.tables.store import Store

MOST_WORKERS = 64


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
    workers: Annotated[Annotated[int, Meta(ge=1, le=MOST_WORKERS)] | Literal["auto"], Meta(
        extra=written(f'a number from 1 to {MOST_WORKERS}, or "auto"'),
        examples=[4],
        description='How many processes serve; "auto" is one for each processor. With more than one, the service can'
                    " be replaced while it serves (docs/operations.rst).",
    )] = 1
    drain_time: Annotated[float, Meta(
        ge=0, le=86_400,
        description="For how many seconds a worker that is replaced may go on with the sessions that it has.",
    )] = 300.0
    tls: TLS = TLS()
    certificates: Annotated[dict[str, Certificate], Meta(
        description="One table for each further certificate; NAME is yours to choose.",
    )] = {}
    listen: Annotated[dict[str, Listener], Meta(
        description="One table for each listener; NAME is yours to choose.",
    )] = {}
    directory: Directory = Directory()
    postgresql: PostgreSQL = PostgreSQL()
    ldap: LDAP = msgspec.field(default_factory=LDAP)
    passwd_file: PasswdFile = msgspec.field(default_factory=PasswdFile)
    sasl: SASL = SASL()
    oauth: OAuth = OAuth()
    store: Store = Store()
    dns: DNS = DNS()
    queue: Queue = Queue()
    delivery: Delivery = Delivery()
    routes: Annotated[dict[str, RouteTable], Meta(
        description="One table for each route; NAME is yours to choose.",
    )] = {}
    backups: Annotated[dict[str, Backup], Meta(
        extra={"named": "DOMAIN"},
        description="One table for each domain that we are the backup MX of and that needs other than the defaults.",
    )] = {}
    domains: Annotated[dict[str, Domain], Meta(
        extra={"named": "DOMAIN"},
        description="One table for each domain that needs other than the defaults.",
    )] = {}
    deny: Annotated[dict[str, Deny], Meta(
        description="One table for each rule that refuses mail; NAME is yours to choose, and stands in the log.",
    )] = {}
    check: Annotated[dict[str, Check], Meta(
        description="One table for each check of the site's own; NAME is yours to choose, and stands in the log.",
    )] = {}
    relay: Annotated[dict[str, Relay], Meta(
        description="One table for each rule that relays mail; NAME is yours to choose, and stands in the log.",
    )] = {}
    srs: SRS = SRS()
    quota: Quotas = msgspec.field(default_factory=Quotas)
    caps: Caps = Caps()
    limits: Limits = Limits()
    smtp: SMTP = SMTP()
    pop3: POP3 = msgspec.field(default_factory=POP3)
    submission: Submission = Submission()
    log: Log = Log()
