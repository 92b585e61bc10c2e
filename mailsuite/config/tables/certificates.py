"""What listeners show their clients when TLS begins."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import Section, below, written


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
