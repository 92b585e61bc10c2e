"""LANG (RFC 6856 §3): the language of texts for people. Until a client asks for another it is English, in ASCII."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.discover import parts
from mailsuite.pop3 import languages, responses
from mailsuite.pop3.command import EITHER, Capability, Command, Result, Words
from mailsuite.pop3.language import Language

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession

LANGUAGES: Mapping[str, Language] = {language.tag: language for language in parts(languages)}
_LISTING = "".join(f"{language.tag} {language.name}\r\n" for language in LANGUAGES.values()).encode()


def lang(session: "ServerSession", words: Words) -> Result:
    """LANG [range]."""
    if not words:
        session.list_rows(responses.LANGUAGES_FOLLOW, iter((_LISTING,)))
        return None
    # RFC 6856 §3.2: the asterisk is the language that the administrator has chosen.
    chosen = LANGUAGES[session.settings.language] if words[0] == b"*" else find(words[0])
    if chosen is None:
        return responses.NO_SUCH_LANGUAGE
    session.texts = chosen.texts
    return responses.LANGUAGE_CHANGED.filled(chosen.tag)


def find(word: bytes) -> Language | None:
    """Return the language for the language range *word*: its own, or the one that it is a kind of (RFC 4647 §3.4)."""
    subtags = word.decode("ascii", "replace").lower().split("-")
    while subtags:
        found = LANGUAGES.get("-".join(subtags))
        if found is not None:
            return found
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            # A single letter only begins what was just taken away.
            subtags.pop()
    return None


class Lang(Capability):
    """Always offered."""

    keyword: ClassVar[str] = "LANG"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"LANG": Command(EITHER, lang, 0, 1)}


PART = Lang()
