"""SASLprep (RFC 4013): names and passwords in one form, so that they are equal where people think they are."""

import stringprep
import unicodedata

# RFC 4013 §2.3, but for the spaces, which are mapped before (§2.1).
_PROHIBITED = (
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class Unprepared(ValueError):
    """Text with what SASLprep prohibits; the message says which rule, and never what the text is."""


def saslprep(text: str, stored: bool = True) -> str:
    """Return *text* prepared. Raises `Unprepared`.

    *stored*: code points that Unicode 3.2 had not assigned are prohibited (RFC 4013 §2.5), else they are kept.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(letter) else letter for letter in text)
    mapped = "".join(letter for letter in mapped if not stringprep.in_table_b1(letter))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if is_prohibited(prepared):
        raise Unprepared("a character that RFC 4013 prohibits")
    if stored and any(stringprep.in_table_a1(letter) for letter in prepared):
        raise Unprepared("a character that Unicode 3.2 does not have")
    _check_directions(prepared)
    return prepared


def is_prohibited(text: str) -> bool:
    """Say whether *text* has a character that RFC 4013 §2.3 prohibits, other than those that §2.1 maps before that:
    spaces to a space, and what joins letters or hides between them to nothing."""
    if text.isascii():
        return not text.isprintable()
    return any(
        prohibited(letter) for letter in text if not stringprep.in_table_b1(letter) for prohibited in _PROHIBITED
    )


def _check_directions(text: str) -> None:
    """RFC 3454 §6: text from right to left is so throughout, and from its first character to its last."""
    if not any(stringprep.in_table_d1(letter) for letter in text):
        return
    if any(stringprep.in_table_d2(letter) for letter in text):
        raise Unprepared("letters of both directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise Unprepared("text from right to left that does not begin and end so")
