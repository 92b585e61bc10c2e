"""What holds for listeners that take mail."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import PEERS, Section, written


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
    verify_sender: Annotated[Literal["off", "defer", "reject"], Meta(
        description="What becomes of mail that mta gets from a sender whose domain has neither MX nor address records"
                    " in DNS, or a null MX: nothing is asked; it is put off, or refused. While DNS does not answer it"
                    " is put off. Domains of ours, who has logged in, and exempt of [limits] are not held by it.",
    )] = "off"
    xclient_peers: Annotated[list[str], Meta(
        extra=PEERS,
        examples=[["192.0.2.80"]],
        description="Who may say by XCLIENT for which client it speaks, with that client's address and login; it is"
                    " believed.",
    )] = []
    priority_peers: Annotated[list[str], Meta(
        extra=PEERS,
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
        extra=PEERS,
        examples=[["192.0.2.0/24"]],
        description="Who may ask by ETRN (RFC 1985), at an mta listener, that waiting mail be sent now; whoever has"
        " logged in there may, too.",
    )] = []


class Submission(Section, frozen=True, kw_only=True):
    """What holds for the listeners on which our users send."""

    check_from: Annotated[bool, Meta(
        description="Whether each address in From must belong to the login, as the reverse-path"
                    " always must.",
    )] = True
    origin: Annotated[str, Meta(
        extra=written("a domain, or an empty string"),
        examples=["example.org"],
        description="The domain of names without one, such as root, where users of this system send (auth = \"peer\");"
                    " each may send as the own name at this domain. Empty means hostname.",
    )] = ""
    trusted_users: Annotated[list[str], Meta(
        extra=written("a list of names or numbers of users of this system"),
        examples=[["www-data"]],
        description="Users of this system who may send as anybody (auth = \"peer\"), beside root.",
    )] = []
    highest_priority: Annotated[int, Meta(
        ge=0, le=9,
        description="The highest priority that who has logged in may ask for (MT-PRIORITY, RFC 6710 §11).",
    )] = 4
    future_release: Annotated[int, Meta(
        ge=0, le=999_999_999,
        description="For how many seconds at most a message may wait on its sender's wish (FUTURERELEASE, RFC 4865);"
                    " 0: it is not offered.",
    )] = 2_592_000
