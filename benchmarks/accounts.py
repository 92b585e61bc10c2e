"""Names and passwords that all servers have alike."""

import base64
import hashlib

DOMAIN = "example.test"
HOSTNAME = f"mail.{DOMAIN}"
# A domain of others, whose mail goes to the sink, and one whose hosts take nothing.
RELAYED = "sink.test"
DEAD = "dead.test"
# Of every user.
PASSWORD = "all-have-this-one"
MESSAGE = b"From: <bench@client.example>\r\nSubject: benchmark\r\n\r\n" + b"x" * 78 + b"\r\n"


def salted(password: str) -> str:
    """Return *password* as servers keep it: {SSHA}, which costs next to nothing to check."""
    salt = b"benchsalt"
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()
