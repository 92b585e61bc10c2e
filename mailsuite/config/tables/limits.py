"""What others may do to us."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mailsuite.config.section import PEERS, Section


class Limits(Section, frozen=True, kw_only=True):
    """Bounds on what a peer may ask of us; times are in seconds, sizes in octets."""

    message_size: Annotated[int, Meta(
        ge=1024, le=1_099_511_627_776,
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
                    " next one. By LMTP only those count that are about commands.",
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
    data_rate: Annotated[int, Meta(
        ge=0, le=1_048_576,
        description="How many octets of a message must have come for each second beyond idle_timeout that its body"
                    " takes; 0: it may come as slowly as data_timeout lets it.",
    )] = 100
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
    network_guesses: Annotated[int, Meta(
        ge=1,
        description="The same from one network (IPv4: a /24, IPv6: a /48).",
    )] = 200
    account_guesses: Annotated[int, Meta(
        ge=1,
        description="Wrong passwords for one account, from wherever it was not used before, within guess_window after"
                    " which its logins from there are cut off.",
    )] = 100
    ban_time: Annotated[float, Meta(
        ge=0, le=31_536_000,
        description="For how long who is cut off stays banned, over a restart too (mailsuite bans); 0 means only until"
                    " enough wrong passwords are past guess_window.",
    )] = 3600.0
    guess_window: Annotated[float, Meta(
        ge=1, le=86_400,
        description="For how long a wrong password counts.",
    )] = 600.0
    unknown_recipients: Annotated[int, Meta(
        ge=1,
        description="Recipients unknown here that one SMTP session may name; it is closed at the next one. By LMTP"
                    " any number.",
    )] = 25
    session_messages: Annotated[int, Meta(
        ge=1,
        description="Messages that one SMTP session may begin (MAIL); it is closed at the next one. By LMTP any"
                    " number.",
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
    held_messages: Annotated[int, Meta(
        ge=0,
        description="Messages of one login that may wait at a time until when they were asked to be released"
                    " (FUTURERELEASE, RFC 4865 §6); 0 means any number.",
    )] = 100
    exempt: Annotated[list[str], Meta(
        extra=PEERS,
        examples=[["127.0.0.0/8", "::1", "192.0.2.25"]],
        description="Peers that the limits by address and by network do not hold, nor the rates of those without a"
                    " login: a gateway, a webmail, the other one of a pair; a UNIX socket's always belong to them.",
    )] = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1"])
    shutdown_grace: Annotated[float, Meta(
        ge=0, le=3600,
        description="How long a message whose end has come may take to be answered when the service stops, and a reply"
                    " to be sent; one that is still arriving is cut off with 421, and sent again later.",
    )] = 10.0
