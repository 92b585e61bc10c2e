"""The extensions that were found: exactly these, offered exactly there."""

import dataclasses

import pytest

from mailsuite.encryption import Encryption
from mailsuite.smtp.commands import EXTENSIONS, MAIL_PARAMETERS, RCPT_PARAMETERS
from mailsuite.smtp.extension import Extension
from mailsuite.smtp.settings import Settings
from tests.smtp.respondent import CLEAR_AUTH, PLAIN, SASL, SUBMISSION
from tests.smtp.sessions import ENVELOPE, Talk


def test_the_discovered_set_is_pinned() -> None:
    """Nothing arrives by accident: a new extension is added here too."""
    assert [extension.keyword for extension in EXTENSIONS] == [
        "AUTH",
        "BINARYMIME",
        "CHUNKING",
        "DELIVERBY",
        "DSN",
        "8BITMIME",
        "ENHANCEDSTATUSCODES",
        "ETRN",
        "FUTURERELEASE",
        "LIMITS",
        "MT-PRIORITY",
        "PIPELINING",
        "REQUIRETLS",
        "SIZE",
        "SMTPUTF8",
        "STARTTLS",
        "XCLIENT",
    ]


def test_each_parameter_and_verb_has_one_owner() -> None:
    """No two extensions own the same name, and no other names are owned."""
    parameters = [name for extension in EXTENSIONS for name in extension.mail_parameters]
    verbs = [name for extension in EXTENSIONS for name in extension.verbs]

    assert sorted(parameters) == sorted(MAIL_PARAMETERS)
    assert sorted(parameters) == [
        "AUTH", "BODY", "BY", "ENVID", "HOLDFOR", "HOLDUNTIL", "MT-PRIORITY", "REQUIRETLS", "RET", "SIZE", "SMTPUTF8",
    ]  # fmt: skip
    assert sorted(verbs) == ["AUTH", "BDAT", "ETRN", "STARTTLS", "XCLIENT"]
    assert sorted(RCPT_PARAMETERS) == ["NOTIFY", "ORCPT"]


def offers(settings: Settings, encrypted: bool = False) -> set[str]:
    """Return the keywords in the answer to EHLO."""
    talk = Talk(settings, greet=False)
    talk.core.encrypted = encrypted
    talk.conversation.said = b""
    talk.say(b"EHLO x\r\n")
    return {line[4:].split(" ")[0] for line in talk.conversation.said.decode().splitlines()[1:]}


ALWAYS = {
    "8BITMIME",
    "BINARYMIME",
    "CHUNKING",
    "DELIVERBY",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "ETRN",
    "LIMITS",
    "MT-PRIORITY",
    "PIPELINING",
    "SIZE",
    "SMTPUTF8",
}
# Extensions that others are not to be had without (RFC 3030 §3, RFC 6531 §3.1, item 8).
NEEDED_BY = {"8BITMIME": {"BINARYMIME", "SMTPUTF8"}, "CHUNKING": {"BINARYMIME"}}


@pytest.mark.parametrize(
    ("settings", "encrypted", "more"),
    [
        (PLAIN, False, set()),
        (PLAIN, True, {"REQUIRETLS"}),
        (dataclasses.replace(PLAIN, starttls=True), False, {"STARTTLS"}),
        (dataclasses.replace(PLAIN, starttls=True), True, {"REQUIRETLS"}),
        # Lesson 17: no password before TLS, unless the listener says so.
        (SUBMISSION, False, {"STARTTLS"}),
        (SUBMISSION, True, {"AUTH", "REQUIRETLS"}),
        (dataclasses.replace(SUBMISSION, future_release=10), True, {"AUTH", "FUTURERELEASE", "REQUIRETLS"}),
        (CLEAR_AUTH, False, {"AUTH"}),
    ],
)
def test_lesson_17_what_is_offered(settings: Settings, encrypted: bool, more: set[str]) -> None:
    """STARTTLS only before TLS and where there is a certificate; AUTH only where a password may be sent."""
    assert offers(settings, encrypted) == ALWAYS | more


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_lesson_17_no_password_is_accepted_before_tls(mechanism: str) -> None:
    """What is not offered is refused too, before the password is asked for."""
    talk = Talk(SUBMISSION)

    assert talk.ask(f"AUTH {mechanism} AGEAc2VjcmV0".encode()) == "538 5.7.11"
    assert talk.ask(f"AUTH {mechanism}".encode()) == "538 5.7.11"
    assert talk.respondent.claims == []


def without(*keywords: str) -> Talk:
    """Return a conversation with a listener that has everything but *keywords*."""
    return Talk(dataclasses.replace(CLEAR_AUTH, auth_required=False, starttls=True, without=frozenset(keywords)))


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: str(extension.keyword))
def test_what_is_switched_off_is_not_there(extension: Extension) -> None:
    """It is not offered, in any state its verbs are 502, and its parameters 555; the others are as they were."""
    off = without(extension.keyword).core.settings

    gone = {extension.keyword} | NEEDED_BY.get(extension.keyword, set())
    assert offers(off) == offers(dataclasses.replace(off, without=frozenset())) - gone
    for state in (b"", b"EHLO x\r\n", b"EHLO x\r\n" + ENVELOPE):
        talk = Talk(off, greet=False)
        talk.say(state)
        for verb in extension.verbs:
            talk.replies()
            assert talk.ask(verb.encode()) == "502 5.5.1"
    talk = Talk(off)
    for parameter in extension.mail_parameters:
        assert talk.ask(f"MAIL FROM:<a@a.example> {parameter}=1".encode()) == "555 5.5.4"
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "250 2.1.0"
    for parameter in extension.rcpt_parameters:
        assert talk.ask(f"RCPT TO:<a@a.example> {parameter}=1".encode()) == "555 5.5.4"


def test_helo_has_no_extensions() -> None:
    """RFC 5321 §4.1.1.11: a client that said HELO was offered no parameters, and may use none."""
    talk = Talk(greet=False)
    talk.say(b"HELO x\r\n")
    talk.replies()

    assert talk.ask(b"MAIL FROM:<a@a.example> BODY=8BITMIME") == "555 5.5.4"
    assert talk.ask(b"MAIL FROM:<a@a.example>") == "250 2.1.0"


def lines_of_ehlo(talk: Talk) -> list[str]:
    """Return the lines of EHLO's answer."""
    talk.say(b"EHLO x\r\n")
    said, talk.conversation.said = talk.conversation.said, b""
    return said.decode().splitlines()


def test_auth_is_offered_with_what_can_be_used_now() -> None:
    """RFC 4954 §4: the best first; -PLUS where the connection has something to bind; nothing once logged in."""
    everywhere = "SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 DIGEST-MD5 CRAM-MD5 PLAIN LOGIN"
    talk = Talk(SASL)
    assert f"250-AUTH {everywhere}" in lines_of_ehlo(talk)
    talk.core.encryption = Encryption("TLSv1.3", "x", binding=lambda kind: b"octets")
    assert f"250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS {everywhere}" in lines_of_ehlo(talk)

    assert talk.ask(b"AUTH PLAIN AGEAc2VjcmV0") == "235 2.7.0"
    assert not any("AUTH" in line for line in lines_of_ehlo(talk))
