"""Where names are looked up."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import Section, written


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
