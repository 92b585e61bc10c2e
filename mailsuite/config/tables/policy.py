"""Who is refused by name or by checks of the site's own, and who may send to others without a login."""

from typing import Annotated, Literal

from msgspec import Meta

from mailsuite.config.section import PEERS, Section, below, written

_SENDERS = written("a list of addresses and domains; .example.org means all below example.org")
_LISTENERS = written("a list of names of listeners")


class Deny(Section, frozen=True, kw_only=True):
    """Mail that is refused, ``[deny.NAME]``: from listed peers, HELO names and senders, and to listed recipients.

    It is refused when a recipient is named; postmaster and abuse of our own domains can always be reached.
    """

    peers: Annotated[list[str], Meta(
        extra=written("a list of IP addresses and networks"),
        examples=[["192.0.2.0/24"]],
        description="Hosts from which nothing is taken.",
    )] = []
    helos: Annotated[list[str], Meta(
        extra=written("a list of names as clients give them; .example.org means all below example.org"),
        examples=[["ylmf-pc"]],
        description="Names at EHLO or HELO with which nothing is taken.",
    )] = []
    senders: Annotated[list[str], Meta(
        extra=_SENDERS,
        examples=[["bob@example.net", ".spam.example"]],
        description="Senders from whom nothing is taken; the null sender can be none of them.",
    )] = []
    recipients: Annotated[list[str], Meta(
        extra=_SENDERS,
        examples=[["everybody@example.org"]],
        description="Recipients for whom nothing is taken.",
    )] = []
    file: Annotated[str, Meta(
        extra=below("config"),
        examples=["denied.list"],
        description="File with more of them, a line for each: peer, helo, sender or recipient, what is refused, and"
                    " perhaps a reply; it is read anew at SIGHUP. Empty means none.",
    )] = ""
    reply: Annotated[str, Meta(
        extra=written("a reply for RCPT, such as 550 5.7.1 Not from you"),
        examples=["451 4.7.1 Not now, try again later"],
        description="What is answered: a code that begins with 4 has the peer come again.",
    )] = "550 5.7.1 Refused by the policy of this site"
    listeners: Annotated[list[str], Meta(
        extra=_LISTENERS,
        examples=[["mta"]],
        description="The listeners where this holds; empty means all of mta and submission.",
    )] = []
    networks: Annotated[list[str], Meta(
        extra=PEERS,
        examples=[["192.0.2.0/24"]],
        description="The peers for which this holds; empty means all.",
    )] = []
    exempt: Annotated[list[str], Meta(
        extra=PEERS,
        examples=[["127.0.0.0/8", "192.0.2.25"]],
        description="Peers for which it does not hold.",
    )] = []


class Check(Section, frozen=True, kw_only=True):
    """A check of the site's own, ``[check.NAME]``: a Python object that judges each recipient, after all deny rules.

    Postmaster and abuse of our own domains can always be reached (docs/operations.rst, "A check of your own").
    """

    object: Annotated[str, Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$",
        extra=written("a Python object as module:name"),
        examples=["own_check:make"],
        description="What makes the check.",
    )]
    options: Annotated[str, Meta(
        description="What it is told.",
    )] = ""
    budget: Annotated[float, Meta(
        gt=0, le=300,
        description="Seconds within which it has to answer for a recipient.",
    )] = 5.0
    on_failure: Annotated[Literal["defer", "pass"], Meta(
        description='What holds where it does not, or fails: "defer" answers 451, so that the peer comes again; "pass"'
                    " goes on as if the check were not there.",
    )] = "defer"
    listeners: Annotated[list[str], Meta(
        extra=_LISTENERS,
        examples=[["mta"]],
        description="The listeners where it is asked; empty means all of mta and submission.",
    )] = []


class Relay(Section, frozen=True, kw_only=True):
    """Peers that may send to others without a login, ``[relay.NAME]``: printers, say, that know no TLS and no AUTH.

    It is for listeners with service mta, which ask for no login.
    """

    networks: Annotated[list[str], Meta(
        extra=PEERS,
        examples=[["192.168.7.0/24"]],
        description="Who may; a whole IPv4 /8 or IPv6 /16, or less than that.",
    )]
    listeners: Annotated[list[str], Meta(
        extra=_LISTENERS,
        examples=[["printers"]],
        description="The listeners where they may; empty means all with service mta.",
    )] = []
    senders: Annotated[list[str], Meta(
        extra=_SENDERS,
        examples=[["scanner@example.org"]],
        description="From whom; empty means from anybody.",
    )] = []
    recipients: Annotated[list[str], Meta(
        extra=_SENDERS,
        examples=[["example.com", "alice@example.net"]],
        description="To whom; empty means to anybody.",
    )] = []
    hourly_recipients: Annotated[int, Meta(
        ge=0,
        description="Recipients elsewhere that one peer (IPv6: one /64) may name within an hour; 0 means any number.",
    )] = 500
