"""What is written down of each session."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import Section, below


class Log(Section, frozen=True, kw_only=True):
    """The mail log: one line for each SMTP transaction and each POP3 session."""

    path: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The mail log, below state_dir.",
    )] = "mail.log"
    format: Annotated[Literal["text", "json"], Meta(
        description="Lines of key=value, or one JSON object a line.",
    )] = "text"
