"""Every key of the configuration: type, default, range and one sentence of meaning.

They are said here and nowhere else: the loader, ``etc/mailsuite.toml`` and
``docs/configuration.rst`` are made from these classes.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Service = Literal["mta", "submission", "lmtp", "pop3"]
ListenTLS = Literal["none", "starttls", "implicit"]
ListenAuth = Literal["off", "tls", "always"]
SecretKind = Literal["scram-sha-256", "scram-sha-1", "cram-md5", "digest-md5", "apop"]
OutboundTLS = Literal["none", "may", "encrypt", "verify", "dane", "mta-sts"]


def below(place: Literal["config", "state_dir"]) -> dict[str, Any]:
    """Mark a key as a path name; a relative one begins at the file's folder or at `state_dir`. Empty stays empty."""
    return {"below": place}


def written(expected: str) -> dict[str, Any]:
    """Mark a key whose form the type does not say: *expected* is how people are told."""
    return {"expected": expected}


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the configuration file."""


class TLS(Section, frozen=True, kw_only=True):
    """The certificate of all listeners, for clients that ask for no other; files are read again when they change."""

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
    client_ca: Annotated[str, Meta(
        extra=below("config"),
        description="PEM file with the issuers of our users' certificates, for listeners with"
                    " client_certificates; empty: no issuer is trusted.",
    )] = ""


class Certificate(Section, frozen=True, kw_only=True):
    """A further certificate, ``[certificates.NAME]``, shown to clients that ask for one of its names (SNI)."""

    names: Annotated[list[str], Meta(
        extra=written('a list of host names, such as "mail.example.org" or "*.example.org"'),
        examples=[["mail.example.net"]],
        description="The names by which clients ask for it; empty: all those that it is for.",
    )] = []
    certificate: Annotated[str, Meta(
        min_length=1, extra=below("config"), examples=["example.net.pem"],
        description="PEM file with the certificate first and the certificates of its issuers after it.",
    )]
    key: Annotated[str, Meta(
        min_length=1, extra=below("config"), examples=["example.net.key"],
        description="PEM file with the private key of that certificate, not encrypted.",
    )]


class Listener(Section, frozen=True, kw_only=True):
    """One listener, ``[listen.NAME]``: a service, where it listens, what it asks of a client."""

    service: Annotated[Service, Meta(
        examples=["mta"],
        description="What answers here: mail from other servers, mail from our users, mail that another server of"
                    " this site hands over for our mailboxes (LMTP, RFC 2033), or our users' mailboxes.",
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
                    " empty means off for mta and lmtp, and tls for the others.",
    )] = ""
    mechanisms: Annotated[list[str], Meta(
        extra=written("a list of SASL mechanisms"),
        examples=[["SCRAM-SHA-256", "PLAIN"]],
        description="SASL mechanisms by which one may log in here, of those that [sasl] and [oauth] allow; empty means"
                    " all of them. Without PLAIN and LOGIN, POP3 has no USER and PASS either.",
    )] = []
    without: Annotated[list[str], Meta(
        extra=written("a list of keywords of EHLO"),
        examples=[["ETRN"]],
        description="Extensions of SMTP that are switched off here, by their keywords; for STARTTLS and AUTH there are"
                    " tls and auth.",
    )] = []

    client_certificates: Annotated[Literal["off", "ask"], Meta(
        description="Whether clients are asked for a certificate when TLS begins, which may log them"
                    " in; those without one are served as ever.",
    )] = "off"
    peers: Annotated[list[str], Meta(
        extra=written('a list of IP addresses and networks, and "unix" for who comes by a UNIX socket'),
        examples=[["192.0.2.0/24"]],
        description="Who may connect, others are cut off; empty means everybody, for lmtp loopback and UNIX sockets.",
    )] = []

    proxy: Annotated[list[str], Meta(
        extra=written('a list of IP addresses and networks, and "unix" for who comes by a UNIX socket'),
        examples=[["192.0.2.80"]],
        description="Proxies, which must begin each connection with a header of the PROXY protocol, version 1 or 2,"
                    " and are believed what it says of their client; nobody else may send one.",
    )] = []

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoint strings, however they were written."""
        return (self.endpoint,) if isinstance(self.endpoint, str) else tuple(self.endpoint)

    @property
    def authentication(self) -> ListenAuth:
        """The rule of `auth` that holds here, its default worked out."""
        if self.auth == "":
            return "off" if self.service in ("mta", "lmtp") else "tls"
        return self.auth

    @property
    def allowed_mechanisms(self) -> tuple[str, ...]:
        """The names of `mechanisms` as SASL has them."""
        return tuple(map(str.upper, self.mechanisms))

    @property
    def switched_off(self) -> frozenset[str]:
        """The keywords of `without` as EHLO has them, and those that the service can do nothing with."""
        fixed = {"ETRN"} if self.service == "lmtp" else set[str]()
        return frozenset({*map(str.upper, self.without), *fixed})

    @property
    def admitted(self) -> tuple[str, ...]:
        """The rule of `peers` that holds here, its default worked out; empty: everybody."""
        if not self.peers and self.service == "lmtp":
            return ("127.0.0.0/8", "::1", "unix")
        return tuple(self.peers)


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


class SASL(Section, frozen=True, kw_only=True):
    """Logging in other than by a password that crosses the wire."""

    secrets: Annotated[list[SecretKind], Meta(
        extra=written('a list of "scram-sha-256", "scram-sha-1", "cram-md5", "digest-md5", "apop"'),
        description="What is kept of a password beside its hash, so that these mechanisms can be offered; made when a"
                    " password is changed, or crosses the wire. With what CRAM-MD5 and DIGEST-MD5 need one can log in,"
                    " and guess at passwords quickly; apop is the password itself: keep these only where old clients"
                    " have to be served.",
    )] = msgspec.field(default_factory=lambda: ["scram-sha-256", "scram-sha-1"])
    offer: Annotated[Literal["all", "some"], Meta(
        description="When a mechanism that needs secrets is offered: once all who have a password have theirs, or at"
                    " once; then whoever has none yet cannot log in by a client that prefers it.",
    )] = "all"
    scram_iterations: Annotated[int, Meta(
        ge=4096, le=100_000,
        description="How often SCRAM hashes a password: more make stolen keys dearer, and each login of a client"
                    " slower (RFC 7677 §4).",
    )] = 20_000
    certificates: Annotated[str, Meta(
        extra=below("config"),
        examples=["certificates.list"],
        description="File that says whose a client's certificate is (EXTERNAL), for listeners that ask for them: each"
                    " line has the SHA-256 of a certificate in hex and an address; read again on SIGHUP.",
    )] = ""
    certificate_addresses: Annotated[bool, Meta(
        description="Whether a certificate that client_ca of [tls] trusts is that of the address in its subject"
                    " alternative name: then its issuers decide who may log in as whom.",
    )] = False


class OAuth(Section, frozen=True, kw_only=True):
    """Logging in by bearer tokens (OAUTHBEARER, XOAUTH2), which an issuer gives to our users."""

    keys: Annotated[str, Meta(
        extra={**written("an https URL, a path name, or an empty string"), **below("config")},
        examples=["https://id.example.org/jwks.json"],
        description="The issuer's public keys (JWKS), by which signed tokens (JWT) are judged: an https URL or a"
                    " file.",
    )] = ""
    introspection: Annotated[str, Meta(
        extra=written("an https URL, or an empty string"),
        examples=["https://id.example.org/introspect"],
        description="Where the issuer is asked about tokens that say nothing to us (RFC 7662).",
    )] = ""
    client: Annotated[str, Meta(
        description="The name by which we ask there; empty means that no login is needed.",
    )] = ""
    secret_file: Annotated[str, Meta(
        extra=below("config"),
        description="File with the password that goes with that name.",
    )] = ""
    ca_file: Annotated[str, Meta(
        extra=below("config"),
        description="PEM file with the issuers of certificates that are trusted for these URLs; empty means the"
                    " system's.",
    )] = ""
    issuer: Annotated[str, Meta(
        examples=["https://id.example.org"],
        description="What a token must say of who issued it (iss); empty means that it is not looked at.",
    )] = ""
    audience: Annotated[str, Meta(
        examples=["mail"],
        description="For whom a token must be (aud); empty means that it is not looked at.",
    )] = ""
    scope: Annotated[str, Meta(
        examples=["mail"],
        description="Words that a token must have in its scope, separated by spaces.",
    )] = ""
    claim: Annotated[str, Meta(
        min_length=1,
        description="Where a token names its user, by an address that is a user here.",
    )] = "email"


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
    listing_memory: Annotated[int, Meta(
        ge=0, le=1 << 40,
        description="Octets of memory for the listings of mailboxes that were opened last, of each some 100 a"
                    " message; a login to one of these reads no folder. With 0 none is kept.",
    )] = 256 * 1024 * 1024


class DNS(Section, frozen=True, kw_only=True):
    """Name servers."""

    servers: Annotated[list[str], Meta(
        extra=written('a list of "address", "address:port" or "[IPv6 address]:port"'),
        examples=[["192.0.2.53", "[2001:db8::53]:5353"]],
        description="Name servers to ask, each an address with an optional port; empty means the"
                    " system's own.",
    )] = []
    timeout: Annotated[float, Meta(
        gt=0, le=60,
        description="How many seconds a name server may take before it is asked again, or the next one.",
    )] = 3.0
    tries: Annotated[int, Meta(
        ge=1, le=20,
        description="How often a question is asked in all before it counts as unanswered.",
    )] = 4
    cache: Annotated[int, Meta(
        ge=0, le=1_000_000,
        description="Answers that are kept for as long as they are good.",
    )] = 10_000
    trust_ad: Annotated[Literal["loopback", "always", "never"], Meta(
        description="Whether the servers' word that an answer is validated by DNSSEC is believed: of those at a"
                    " loopback address, of all (they and the way to them are trusted), of none.",
    )] = "loopback"


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


class Delivery(Section, frozen=True, kw_only=True):
    """How other mail servers are spoken to."""

    tls: Annotated[OutboundTLS, Meta(
        description="TLS to a destination without a route that says otherwise: none; may, what can be had, and what"
                    " the destination's TLSA records (DANE) or MTA-STS policy ask for holds; encrypt, never in the"
                    " clear, but with any certificate; verify, with a certificate that is good for the name; dane or"
                    " mta-sts, only where the destination publishes that, and it holds (a policy in testing keeps"
                    " nothing back). At encrypt and verify neither DANE nor MTA-STS is looked at.",
    )] = "may"
    ca_file: Annotated[str, Meta(
        extra=below("config"),
        description="PEM file with the issuers that are trusted where verify is asked for, and for lists of backups;"
                    " empty means the system's, by which MTA-STS goes in any case.",
    )] = ""
    prefer: Annotated[Literal["any", "ipv6", "ipv4"], Meta(
        description="Which addresses of a host are tried first.",
    )] = "any"
    source: Annotated[list[str], Meta(
        extra=written("a list of IP addresses of this machine, at most one of each family"),
        examples=[["192.0.2.25"]],
        description="The addresses to connect from; empty means the system chooses.",
    )] = []
    allow_private: Annotated[bool, Meta(
        description="Whether mail may be sent to loopback, link-local and private addresses that DNS or an address"
                    " literal name, and MTA-STS policies be fetched there; a route with a host always may.",
    )] = False
    connection_messages: Annotated[int, Meta(
        ge=1, le=100_000,
        description="Messages that are sent over one connection at most.",
    )] = 100
    connection_idle: Annotated[float, Meta(
        ge=0, le=300,
        description="For how many seconds a connection waits for one more message.",
    )] = 2.0
    ourselves: Annotated[list[str], Meta(
        extra=written("a list of host names and IP addresses"),
        examples=[["mx.example.org", "192.0.2.25"]],
        description="Further names and addresses by which other servers reach this system: those in MX records that"
                    " are not hostname, and that of a router which passes connections on to it.",
    )] = []
    hosts: Annotated[int, Meta(
        ge=2, le=100,
        description="Addresses of a destination that one try goes through at most.",
    )] = 10


class RouteTable(Section, frozen=True, kw_only=True):
    """One route, ``[routes.NAME]``: mail for *recipients* or from *senders*, or all of it where neither is said."""

    recipients: Annotated[list[str], Meta(
        extra=written("a list of domains; .example.org means all below example.org"),
        examples=[["example.net", ".example.net"]],
        description="Domains of recipients that go this way; looked at before senders.",
    )] = []
    senders: Annotated[list[str], Meta(
        extra=written("a list of domains; .example.org means all below example.org"),
        examples=[["example.org"]],
        description="Domains of senders whose mail goes this way.",
    )] = []
    host: Annotated[str, Meta(
        extra=written("a host name, an IP address, or unix:/path of a socket"),
        examples=["smtp.isp.example"],
        description="The next hop; empty means the destination's own MX records.",
    )] = ""
    port: Annotated[int, Meta(
        ge=0, le=65_535,
        description="Its port; 0 means remote_port of [queue] without a host, 465 with implicit TLS, else 25.",
    )] = 0
    protocol: Annotated[Literal["smtp", "lmtp"], Meta(
        description="What is spoken there: SMTP, or LMTP (RFC 2033) to another mail store.",
    )] = "smtp"
    tls: Annotated[OutboundTLS | Literal["implicit", ""], Meta(
        description="TLS on this way, as in [delivery] tls; implicit is TLS from the first octet with a good"
                    " certificate; empty means none for a socket, verify with a login, may where a host is named, else"
                    " as in [delivery].",
    )] = ""
    user: Annotated[str, Meta(
        description="The name to log in with; empty means no login.",
    )] = ""
    password_file: Annotated[str, Meta(
        extra=below("config"),
        description="File with the password in its first line.",
    )] = ""
    mechanisms: Annotated[list[str], Meta(
        extra=written("a list of SASL mechanisms"),
        examples=[["SCRAM-SHA-256", "PLAIN"]],
        description="SASL mechanisms that may be used, best first: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN;"
                    " empty means all of them.",
    )] = []
    source: Annotated[str, Meta(
        extra=written("an IP address of this machine, or an empty string"),
        description="The address to connect from; empty means as in [delivery].",
    )] = ""


class Backup(Section, frozen=True, kw_only=True):
    """How recipients of a domain of class backup are known, ``[backups.DOMAIN]``."""

    list: Annotated[str, Meta(
        extra={**written("an https URL, a path name, or an empty string"), **below("config")},
        examples=["https://mail.example.net/example.net.list"],
        description="The list that the primary publishes (mailsuite backup-mx export): an https URL or a file.",
    )] = ""
    key: Annotated[str, Meta(
        extra=written('a public key as "mailsuite backup-mx export" prints it, or an empty string'),
        examples=["ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="],
        description="The public key that the list is signed with, as backup-mx export prints it.",
    )] = ""
    refresh: Annotated[float, Meta(
        ge=1, le=604_800,
        description="How often the list is looked at, in seconds.",
    )] = 900.0
    callout: Annotated[bool, Meta(
        description="Whether the primary is asked about a recipient that no list tells of.",
    )] = True
    positive_ttl: Annotated[float, Meta(
        ge=1, le=2_592_000,
        description="For how many seconds a recipient that the primary accepts is remembered.",
    )] = 86_400.0
    negative_ttl: Annotated[float, Meta(
        ge=1, le=2_592_000,
        description="For how many seconds a recipient that the primary refuses is remembered.",
    )] = 3600.0


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
    proxy_timeout: Annotated[float, Meta(
        ge=3, le=60,
        description="How long a proxy may take to send its PROXY header.",
    )] = 10.0
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
    unknown_recipients: Annotated[int, Meta(
        ge=1,
        description="Recipients unknown here that one SMTP session may name; it is closed at the next one.",
    )] = 25
    session_messages: Annotated[int, Meta(
        ge=1,
        description="Messages that one SMTP session may begin (MAIL); it is closed at the next one.",
    )] = 1000
    session_time: Annotated[float, Meta(
        ge=1, le=604_800,
        description="How long a session may last in all, SMTP or POP3, however lively it is.",
    )] = 14_400.0
    handshake_timeout: Annotated[float, Meta(
        ge=1, le=3600,
        description="How long a TLS handshake may take in all.",
    )] = 30.0
    connections: Annotated[int, Meta(
        ge=1,
        description="Connections that one listener has open at most, those of exempt peers with them.",
    )] = 2000
    address_connections: Annotated[int, Meta(
        ge=0,
        description="Connections that one address (IPv6: one /64) may have open to one listener; 0 means any number.",
    )] = 50
    network_connections: Annotated[int, Meta(
        ge=0,
        description="Connections that one network (IPv4: a /24, IPv6: a /48) may have open to one listener; 0 means"
                    " any number.",
    )] = 200
    connection_rate: Annotated[int, Meta(
        ge=0,
        description="New connections of one address (IPv6: one /64) to one listener within a minute; 0 means any"
                    " number.",
    )] = 300
    message_rate: Annotated[int, Meta(
        ge=0,
        description="Messages of one address (IPv6: one /64) without a login within a minute; 0 means any number.",
    )] = 1200
    recipient_rate: Annotated[int, Meta(
        ge=0,
        description="Recipients named by one address (IPv6: one /64) without a login within a minute; 0 means any"
                    " number.",
    )] = 6000
    login_messages: Annotated[int, Meta(
        ge=0,
        description="Messages of one login within an hour; 0 means any number.",
    )] = 1000
    login_recipients: Annotated[int, Meta(
        ge=0,
        description="Recipients named by one login within an hour; 0 means any number.",
    )] = 5000
    exempt: Annotated[list[str], Meta(
        extra=written("a list of IP addresses and networks"),
        examples=[["127.0.0.0/8", "::1", "192.0.2.25"]],
        description="Peers that the limits by address and by network do not hold, nor the rates of those without a"
                    " login: a gateway, the other one of a pair; a UNIX socket's always belong to them.",
    )] = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1"])
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
    greeting_delay: Annotated[float, Meta(
        ge=0, le=60,
        description="How many seconds a client of mta and submission waits for its greeting, but where TLS begins with"
                    " the connection; programs that send spam have no time to wait.",
    )] = 0.0
    early_talkers: Annotated[Literal["ignore", "delay", "drop"], Meta(
        description="What becomes of a client that speaks while it waits for its greeting: nothing, a longer wait, or"
                    " a refusal.",
    )] = "ignore"
    early_delay: Annotated[float, Meta(
        ge=1, le=240,
        description="For how many seconds more it waits where early_talkers is delay; RFC 5321 §4.5.3.2.1 has clients"
                    " wait for 300.",
    )] = 20.0
    xclient_peers: Annotated[list[str], Meta(
        extra=written('a list of IP addresses and networks, and "unix" for who comes by a UNIX socket'),
        examples=[["192.0.2.80"]],
        description="Who may say by XCLIENT for which client it speaks, with that client's address and login; it is"
                    " believed.",
    )] = []
    priority_peers: Annotated[list[str], Meta(
        extra=written("a list of IP addresses and networks"),
        examples=[["192.0.2.0/24"]],
        description="Whose mail may have the priority above 0 that it asks for (MT-PRIORITY, RFC 6710 §4.1); of"
                    " others, only who has logged in, up to highest_priority of [submission].",
    )] = []
    priority_policy: Annotated[Literal["", "MIXER", "STANAG4406", "NSEP"], Meta(
        description="The Priority Assignment Policy that MT-PRIORITY tells of (RFC 6710 §9.2); all of them are carried"
                    " out; empty: none is named.",
    )] = ""
    deliver_by_minimum: Annotated[int, Meta(
        ge=0, le=999_999_999,
        description="Mail that is to be returned if it is not delivered within fewer seconds is refused (DELIVERBY,"
                    " RFC 2852 §3).",
    )] = 0
    etrn_peers: Annotated[list[str], Meta(
        extra=written("a list of IP addresses and networks"),
        examples=[["192.0.2.0/24"]],
        description="Who may ask by ETRN (RFC 1985) that waiting mail be sent now; whoever has logged in may, too.",
    )] = []


class POP3(Section, frozen=True, kw_only=True):
    """Mail out of mailboxes over POP3."""

    vanished_after: Annotated[int, Meta(
        ge=4, le=3600,
        description="After how many seconds without a sign of life from a client's host (TCP keep-alive) its session"
                    " ends and its mailbox is free again.",
    )] = 110
    mark_seen: Annotated[bool, Meta(
        description="Whether a message that was read by RETR is moved to cur/ and marked as seen, for other programs"
                    " that read the mailbox.",
    )] = False
    login_delay: Annotated[int, Meta(
        ge=0, le=86_400,
        description="How many seconds there must be between two logins of one user (LOGIN-DELAY, RFC 2449 §6.5).",
    )] = 0
    expire: Annotated[int | Literal["never"], Meta(
        extra=written('a number of days from 0 to 36500, or "never"'),
        examples=[30],
        description="After how many days in the mailbox a message is removed, read or not (EXPIRE, RFC 2449 §6.7);"
                    " with 0, when the session ends that has fetched it by RETR.",
    )] = "never"
    expire_interval: Annotated[float, Meta(
        ge=1, le=86_400,
        description="How often mailboxes are looked through for messages to be removed, in seconds.",
    )] = 3600.0
    language: Annotated[str, Meta(
        extra=written('the tag of a language that responses can be in: "de", "en", "es" or "fr"'),
        description="The language of a client that asks for ours (LANG *, RFC 6856 §3).",
    )] = "en"


class Domain(Section, frozen=True, kw_only=True):
    """What is other for one domain's users than for all, ``[domains.DOMAIN]``."""

    pop3_login_delay: Annotated[int | Literal["default"], Meta(
        extra=written('a number of seconds from 0 to 86400, or "default"'),
        examples=[300],
        description='How many seconds there must be between two logins of one user; "default" is login_delay of'
                    ' [pop3].',
    )] = "default"
    pop3_expire: Annotated[int | Literal["never", "default"], Meta(
        extra=written('a number of days from 0 to 36500, "never" or "default"'),
        examples=[30],
        description='After how many days in the mailbox a message is removed; "default" is expire of [pop3].',
    )] = "default"


class Submission(Section, frozen=True, kw_only=True):
    """What holds for the listeners on which our users send."""

    check_from: Annotated[bool, Meta(
        description="Whether each address in From must belong to the login, as the reverse-path"
                    " always must.",
    )] = True
    highest_priority: Annotated[int, Meta(
        ge=0, le=9,
        description="The highest priority that who has logged in may ask for (MT-PRIORITY, RFC 6710 §11).",
    )] = 4
    future_release: Annotated[int, Meta(
        ge=0, le=999_999_999,
        description="For how many seconds at most a message may wait on its sender's wish (FUTURERELEASE, RFC 4865);"
                    " 0: it is not offered.",
    )] = 2_592_000


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
    certificates: Annotated[dict[str, Certificate], Meta(
        description="One table for each further certificate; NAME is yours to choose.",
    )] = {}
    listen: Annotated[dict[str, Listener], Meta(
        description="One table for each listener; NAME is yours to choose.",
    )] = {}
    directory: Directory = Directory()
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
    limits: Limits = Limits()
    smtp: SMTP = SMTP()
    pop3: POP3 = msgspec.field(default_factory=POP3)
    submission: Submission = Submission()
    log: Log = Log()
