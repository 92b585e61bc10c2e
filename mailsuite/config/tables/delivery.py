"""How mail goes on to others, and how a backup MX knows for whom."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import Section, below, written

OutboundTLS = Literal["none", "may", "encrypt", "verify", "dane", "mta-sts"]


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
