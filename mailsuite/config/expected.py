"""What a key takes, in words: for error messages, the sample file and the manual."""

import json
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union

from msgspec import Meta
from msgspec.structs import fields

from mailsuite.config.settings import Section


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
        if self.below is not None:
            return "a path name"
        said = (self.meta.extra or {}).get("expected")
        return said if isinstance(said, str) else _choice(_words(self.type)) + _range(self.meta)

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
        is_section = isinstance(self.type, type) and issubclass(self.type, Section)
        return self.type if is_section else None


def keys(section: type[Section]) -> tuple[Key, ...]:
    """Return the keys of *section* in the order in which they are declared."""
    return tuple(_key(field) for field in fields(section))


def _key(field: Any) -> Key:
    bare, meta = field.type, Meta()
    if typing.get_origin(bare) is typing.Annotated:
        bare, meta = typing.get_args(bare)
    default = field.default_factory() if callable(field.default_factory) else field.default
    return Key(field.name, bare, meta, field.required, default)


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
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f" >= {meta.ge}"
    return ""
