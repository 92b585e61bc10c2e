"""English: the language that `mailsuite.pop3.responses` is written in, so every text is its own."""

from mailsuite.pop3.language import Language

PART = Language("en", "English", {})
