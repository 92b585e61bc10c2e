"""How mail that is forwarded to others finds its way back."""

from typing import Annotated

from msgspec import Meta

from mailsuite.config.section import Section, below, written


class SRS(Section, frozen=True, kw_only=True):
    """The sender of forwarded mail: what aliases send on goes out from an address of ours that leads back (SRS)."""

    enabled: Annotated[bool, Meta(
        description="Whether the sender of another system becomes one of ours where an alias sends mail on; without it"
                    " hosts that check SPF refuse what we forward.",
    )] = True
    domain: Annotated[str, Meta(
        extra=written("a domain name such as mail.example.org, or an empty string"), examples=["srs.example.org"],
        description="The domain of these addresses, whose mail comes to us and whose SPF record lets us send; empty"
                    " means hostname.",
    )] = ""
    secrets: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The file of the secrets that prove them, below state_dir; it is made at the first start, and"
                    " mailsuite srs rotate changes it. Hosts that share a domain share it.",
    )] = "srs-secrets"
    days: Annotated[int, Meta(
        ge=1, le=365,
        description="For how many days they lead back.",
    )] = 21
