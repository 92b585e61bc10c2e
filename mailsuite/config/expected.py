"""What a key takes, in words: for error messages, the sample file and the manual."""

import json
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union

from msgspec import Meta
from msgspec.structs import fields

from mailsuite.config.section import Section


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section: its type without and its `Meta` with all that was said about it."""

    name: str
    type: Any
    meta: Meta
    required: bool
    default: Any

    @property
    def expected(self) -> str:
        """What this key takes, such as ``int >= 100`` or ``"text" or "json"``."""
        said = (self.meta.extra or {}).get("expected")
        if isinstance(said, str):
            return said
        if self.below is not None:
            return "a path name" if self.meta.min_length else "a path name, or an empty string"
        return _choice(_words(self.type)) + _range(self.meta)

    @property
    def example(self) -> Any:
        """A value that shows the form: the default, where that is telling."""
        return self.meta.examples[0] if self.meta.examples else self.default

    @property
    def below(self) -> str | None:
        """For a path name: where a relative one begins, ``config`` or ``state_dir``."""
        return (self.meta.extra or {}).get("below")

    @property
    def meaning(self) -> str:
        """The sentence that says what this key is for."""
        return self.meta.description or ""

    @property
    def section(self) -> type[Section] | None:
        """The table that this name stands for, if it is one."""
        return self.type if _is_section(self.type) else None

    @property
    def entries(self) -> type[Section] | None:
        """What each table below this name is, where the names are the user's: ``[listen.NAME]``."""
        kinds = typing.get_args(self.type) if typing.get_origin(self.type) is dict else ()
        return kinds[1] if kinds and _is_section(kinds[1]) else None

    @property
    def entry(self) -> str:
        """How the name of one of these tables is written where it can be any: ``listen.NAME``."""
        return f"{self.name}.{(self.meta.extra or {}).get('named', 'NAME')}"

    @property
    def is_plain(self) -> bool:
        """Whether this is a key with a value, and not a name of tables."""
        return self.section is None and self.entries is None


def keys(section: type[Section]) -> tuple[Key, ...]:
    """Return the keys of *section* in the order in which they are declared."""
    return tuple(_key(field) for field in fields(section))


def _key(field: Any) -> Key:
    bare, meta = field.type, Meta()
    if typing.get_origin(bare) is typing.Annotated:
        bare, meta = typing.get_args(bare)
    default = field.default_factory() if callable(field.default_factory) else field.default
    return Key(field.name, bare, meta, field.required, default)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _words(kind: Any) -> list[str]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return [json.dumps(value) for value in arguments]
    if origin in (Union, types.UnionType):
        return [word for part in arguments for word in _words(part)]
    names = {bool: "true or false", float: "number", str: "string", int: "int"}
    return [names.get(kind, "a table")]


def _choice(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _range(meta: Meta) -> str:
    if meta.gt is not None:
        return f" above {meta.gt}" + ("" if meta.le is None else f", at most {meta.le}")
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f" >= {meta.ge}"
    return ""
