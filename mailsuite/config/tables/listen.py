"""Where the site listens."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import PEERS, Section, written

Service = Literal["mta", "submission", "lmtp", "pop3", "admin"]
ListenTLS = Literal["none", "starttls", "implicit"]
ListenAuth = Literal["off", "tls", "always", "peer"]


class Listener(Section, frozen=True, kw_only=True):
    """One listener, ``[listen.NAME]``: a service, where it listens, what it asks of a client."""

    service: Annotated[Service, Meta(
        examples=["mta"],
        description="What answers here: mail from other servers, mail from our users, mail that another server of"
                    " this site hands over for our mailboxes (LMTP, RFC 2033), our users' mailboxes, or the HTTP API"
                    " (docs/admin-api.rst).",
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
        description="When a password is taken: never, under TLS only, or always; empty means off for mta and lmtp, and"
                    " tls for the others. With peer there are no passwords: on a UNIX socket the kernel says which"
                    " user of this system sends (submission only).",
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
        extra=PEERS,
        examples=[["192.0.2.0/24"]],
        description="Who may connect, others are cut off; empty means everybody, for lmtp loopback and UNIX sockets.",
    )] = []

    proxy: Annotated[list[str], Meta(
        extra=PEERS,
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
            return "off" if self.service in ("mta", "lmtp", "admin") else "tls"
        return self.auth

    @property
    def allowed_mechanisms(self) -> tuple[str, ...]:
        """The names of `mechanisms` as SASL has them."""
        return tuple(map(str.upper, self.mechanisms))

    @property
    def switched_off(self) -> frozenset[str]:
        """The keywords of `without` as EHLO has them, and those that the service can do nothing with."""
        # RFC 6409 §7; there is no queue that LMTP could start.
        fixed = set[str]() if self.service == "mta" else {"ETRN"}
        return frozenset({*map(str.upper, self.without), *fixed})

    @property
    def admitted(self) -> tuple[str, ...]:
        """The rule of `peers` that holds here, its default worked out; empty: everybody."""
        if not self.peers and self.service == "lmtp":
            return ("127.0.0.0/8", "::1", "unix")
        return tuple(self.peers)
