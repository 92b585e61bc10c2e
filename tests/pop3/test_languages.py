"""The catalogues of texts: every language has all of them, in the grammar of a status line."""

import pytest

from mailsuite.pop3 import responses
from mailsuite.pop3.capabilities.lang import LANGUAGES, find
from mailsuite.pop3.events import Opened, Retrieve
from mailsuite.pop3.language import Language
from mailsuite.pop3.responses import Response
from tests.chat import Conversation
from tests.pop3.respondent import session

TEXTS = {each.text for each in vars(responses).values() if isinstance(each, Response)}
OTHERS = [language for language in LANGUAGES.values() if language.tag != "en"]


def test_languages_are_found() -> None:
    """One file each."""
    assert list(LANGUAGES) == ["de", "en", "es", "fr"]


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.tag)
def test_every_text_is_there(language: Language) -> None:
    """Every text of the responses, and none that nobody says."""
    assert set(language.texts) == TEXTS


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.tag)
def test_texts_keep_the_grammar(language: Language) -> None:
    """RFC 2449 §3: no response code and no timestamp by accident, a bounded line, and the same values in it."""
    for text, other in language.texts.items():
        assert not set("[]<>\r\n") & set(other)
        assert other.count("{}") == text.count("{}")
        assert len(other.encode()) <= 256


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        (b"de", "de"),
        (b"DE-at", "de"),
        (b"fr-x-frob", "fr"),
        (b"sv", ""),
        (b"d", ""),
        (b"", ""),
        (b"-", ""),
        (b"x-de", ""),
        (b"dex", ""),
    ],
)
def test_ranges(word: bytes, tag: str) -> None:
    """RFC 4647 §3.4: subtags are taken off from the end until something is left that there is."""
    found = find(word)

    assert (found.tag if found else "") == tag


def test_answers_are_text_before_lang() -> None:
    """RFC 1939 §3: without LANG there is nothing but ASCII on status lines."""
    assert all(text.isascii() for text in TEXTS)


@pytest.mark.parametrize("said", [False, True])
def test_who_said_utf8_is_told_to_the_respondent(said: bool) -> None:
    """It decides on what a message looks like."""
    conversation = Conversation(*session())
    conversation.send((b"UTF8\r\n" if said else b"") + b"USER alice\r\nPASS open sesame\r\nRETR 1\r\n")

    assert [each for each in conversation.events if isinstance(each, Retrieve)] == [Retrieve(0, None, said)]


def test_a_login_without_a_policy_of_its_own_has_the_first() -> None:
    """That is the one that holds for all others."""
    core, _ = session("one policy")
    core.next_event()
    core.answer(responses.READY.filled("a", "b"))
    core.receive(b"USER a\r\nPASS b\r\n")
    core.next_event()
    core.answer(Opened([], []))

    assert core.policy == core.settings.policies[0]
