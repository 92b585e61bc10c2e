"""The table of limits in docs/operations.rst: every key, the default that holds, the words that are said."""

import re
from collections.abc import Mapping, Sequence

import pytest

from mailsuite.config.expected import Key, keys
from mailsuite.config.tables.limits import Limits
from mailsuite.config.tables.smtp import SMTP
from mailsuite.config.toml import value
from mailsuite.policy.bans import BANNED
from mailsuite.pop3 import responses
from mailsuite.pop3.events import Ending
from mailsuite.pop3.responses import Response
from mailsuite.service.login import Refused
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from mailsuite.wire.foreign import OTHER_PROTOCOL
from tests.commands import DOCUMENTS

WORD = re.compile(r"``(.*?)``")
# Made of another reply at the place where it is given.
MADE = {"501 5.1.7 Address too long", "501 5.1.3 Address too long"}


def rows() -> Mapping[str, Sequence[str]]:
    """Return the cells of each row, by its first."""
    _, _, rest = (DOCUMENTS / "docs/operations.rst").read_text().partition(".. list-table::")
    found = re.findall(r"^   \* - (.*)\n     - (.*)\n     - (.*)\n     - (.*)\n", rest, re.M)
    return {key.strip("`"): cells for key, *cells in found}


def said() -> list[str]:
    """Return all that the servers can say."""
    smtp = [str(reply.octets, "utf-8") for reply in vars(replies).values() if isinstance(reply, Reply)]
    pop3 = [str(each.encode(), "utf-8") for each in vars(responses).values() if isinstance(each, Response)]
    return smtp + pop3


def test_every_limit_has_a_row() -> None:
    """And no row is of a key that there is not."""
    named = {key.name for key in keys(Limits)} - {"exempt"}

    assert set(rows()) - {"key"} == named | {"early_talkers", "other protocols"}


@pytest.mark.parametrize("key", [*keys(Limits), *keys(SMTP)], ids=lambda key: str(key.name))
def test_the_defaults(key: Key) -> None:
    """They are those of the code."""
    if key.name in rows():
        assert rows()[key.name][0] == f"``{value(key.default)}``"


@pytest.mark.parametrize("words", sorted({each for row in rows().values() for each in WORD.findall(row[1])}))
def test_the_words(words: str) -> None:
    """Each is the beginning of something that is said."""
    assert words in MADE or any(each.startswith(words) for each in said())


@pytest.mark.parametrize("name", sorted(set(rows()) - {"key"}))
def test_the_log(name: str) -> None:
    """A line about a limit has its name, and what a POP3 session came to is one of its endings."""
    told = dict(each.split("=", 1) for each in WORD.findall(rows()[name][2]))
    assert told.pop("limit", name) in (name, OTHER_PROTOCOL, BANNED)
    if "ended" in told:
        assert told["ended"].strip('"') in {ending.value for ending in Ending} | {"handshake"}
    if name == "guesses":
        assert told["refused"].strip('"') == Refused.TOO_MANY.value
