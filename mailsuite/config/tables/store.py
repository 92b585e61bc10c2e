"""Mail on disk."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import Section, below


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
