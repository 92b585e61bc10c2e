"""What EHLO tells of the extensions by which senders ask something of a message's way, and how they are read."""

from calendar import timegm
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.smtp.client_events import Capabilities
from mailsuite.smtp.internet_time import internet_time, posix_time
from mailsuite.smtp.settings import Limits, Settings
from tests.smtp.respondent import ASKED, PLAIN
from tests.smtp.sessions import Talk


def line(settings: Settings, keyword: str, encrypted: bool = False) -> str | None:
    """Return the line of *keyword* in the answer to EHLO."""
    talk = Talk(settings, greet=False)
    talk.core.encrypted = encrypted
    talk.conversation.said = b""
    talk.say(b"EHLO x\r\n")
    lines = [each[4:] for each in talk.conversation.said.decode().splitlines()]
    return next((each for each in lines if each.split(" ")[0] == keyword), None)


def test_deliverby_tells_the_least() -> None:
    """RFC 2852 §2, item 3: where there is one."""
    assert line(ASKED, "DELIVERBY") == "DELIVERBY 30"
    assert line(PLAIN, "DELIVERBY") == "DELIVERBY"


def test_mt_priority_tells_the_policy() -> None:
    """RFC 6710 §3, item 3: where the site tells it."""
    assert line(ASKED, "MT-PRIORITY") == "MT-PRIORITY MIXER"
    assert line(PLAIN, "MT-PRIORITY") == "MT-PRIORITY"


def test_futurerelease_tells_the_most() -> None:
    """RFC 4865 §3, item 3: seconds, then a date and time; where there is none, it is not there (§4.2, item 2)."""
    assert line(ASKED, "FUTURERELEASE") == "FUTURERELEASE 86400 2001-09-10T01:46:40Z"
    assert line(PLAIN, "FUTURERELEASE") is None
    assert Talk(PLAIN).ask(b"MAIL FROM:<a@b.example> HOLDFOR=10") == "555 5.5.4"


def test_requiretls_is_for_tls() -> None:
    """RFC 8689 §2: only inside TLS."""
    assert line(PLAIN, "REQUIRETLS", encrypted=True) == "REQUIRETLS"
    assert line(PLAIN, "REQUIRETLS") is None


@pytest.mark.parametrize(
    ("messages", "recipients", "told"),
    [
        (7, 100, "LIMITS MAILMAX=7 RCPTMAX=100"),
        (999_999, 1_000_000, "LIMITS MAILMAX=999999"),
        (1_000_000, 1_000_000, None),
    ],
)
def test_limits_tells_what_is_held_to(messages: int, recipients: int, told: str | None) -> None:
    """RFC 9422: a value has six digits at most; nothing that nobody holds to is said."""
    assert line(replace(PLAIN, limits=Limits(session_messages=messages, recipients=recipients)), "LIMITS") == told


class TestCapabilities:
    """What a client makes of such lines."""

    @pytest.mark.parametrize(
        ("text", "limit"),
        [
            ("MAILMAX=5 RCPTMAX=7", 7),
            ("rcptmax=007", 7),
            ("RCPTMAX", 0),
            ("RCPTMAX=", 0),
            ("RCPTMAX=1234567", 0),
            ("RCPTMAX=x RCPTDOMAINMAX=1", 0),
            ("", 0),
        ],
    )
    def test_limits(self, text: str, limit: int) -> None:
        """RFC 9422: a limit that cannot be read is none, and the others count."""
        assert Capabilities({"LIMITS": text}).limit("RCPTMAX") == limit

    @pytest.mark.parametrize(
        ("text", "least"), [("240", 240), ("240,x", 240), ("", 0), (",x", 0), ("soon", 0), ("1234567890", 0)]
    )
    def test_deliverby(self, text: str, least: int) -> None:
        """RFC 2852 §2, item 3: a list, of which the first is known."""
        assert Capabilities({"DELIVERBY": text}).least_by == least


class TestInternetTime:
    """RFC 3339 §5.6."""

    @given(st.integers(0, timegm((9999, 12, 31, 23, 59, 59))))
    def test_there_and_back(self, seconds: int) -> None:
        """What is written is read."""
        assert posix_time(internet_time(seconds)) == seconds

    @given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|\+\d\d:\d\d)\n?"))
    def test_anything_at_all(self, text: str) -> None:
        """It is a time or none, and never an error."""
        found = posix_time(text)

        assert found is None or isinstance(found, float | int)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("1985-04-12T23:20:50.52Z", 482196050.52),
            ("1990-12-31t23:59:60z", 662688000),
            ("2000-02-29T00:00:00+00:00", 951782400),
            ("1900-02-29T00:00:00Z", None),
            ("2001-02-29T00:00:00Z", None),
            ("2001-13-01T00:00:00Z", None),
            ("2001-00-01T00:00:00Z", None),
            ("0000-01-01T00:00:00Z", None),
            ("2001-01-01T24:00:00Z", None),
            ("2001-01-01T00:60:00Z", None),
            ("2001-01-01T00:00:61Z", None),
            ("2001-01-01T00:00:00", None),
            ("2001-01-01T00:00:00Z ", None),
            ("2001-01-01 00:00:00Z", None),
            ("1996-12-19T16:39:57-08:00", None),
        ],
    )
    def test_examples(self, text: str, seconds: float | None) -> None:
        """§5.7, §5.8: other offsets than that of UTC are none of ours."""
        assert posix_time(text) == seconds
