"""Values and names as TOML text: tomllib only reads."""

import json
from collections.abc import Iterable


def value(of: object) -> str:
    """Return a string, number, truth value, or a list of them, as it is written in TOML."""
    if isinstance(of, str):
        # A basic string of TOML takes JSON's escapes, but for DEL and for letters in two halves.
        return json.dumps(of, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, list):
        return "[" + ", ".join(value(item) for item in of) + "]"
    if isinstance(of, float) and of.is_integer():
        return str(int(of))
    return str(of)


def dotted(path: Iterable[str]) -> str:
    """Return the name of a key or table: its parts with dots between them, in quotes where they need them."""
    return ".".join(_quoted(part) for part in path)


def _quoted(part: str) -> str:
    bare = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
    return part if bare else json.dumps(part, ensure_ascii=True)
