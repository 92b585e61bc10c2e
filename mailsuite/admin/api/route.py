"""One request of the API as a value, and what answers it: a plain function that may block."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, structs

from mailsuite.admin.site import Done, Site

T = TypeVar("T")

# So many entries of a list there are in one answer, if nothing else is asked for, and at most.
PAGE = 100
MOST = 1000
# So many characters of what was asked for are in the mail log.
TOLD = 500


class Nothing(Struct, forbid_unknown_fields=True):
    """There is nothing to be said."""


class Forced(Struct, forbid_unknown_fields=True):
    """Whether something is removed although others lead there; they lose it."""

    force: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: the names in its *path*, its *query* and its *body*, as the route declares them."""

    path: Mapping[str, str]
    query: Any
    body: Any
    now: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it; without *value* there is nothing to be told."""

    value: Any = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Route:
    """What is done at *path* by *method*. *query* and *body* say what is taken there, `Nothing` for nothing.

    What *work* raises is told by `mailsuite.admin.api.problems`.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    work: Callable[[Site, Asked], Answer]
    body: type[Struct] = Nothing
    query: type[Struct] = Nothing

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"


class Page(Struct, forbid_unknown_fields=True):
    """Which part of a list is asked for: *limit* entries at most, those behind the one named *after*."""

    limit: int = PAGE
    after: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST:
            raise ValueError(f"limit must be from 1 to {MOST}")
        if "\0" in self.after:
            # Not every database can be asked for it.
            raise ValueError("after is a name from the part before, and no name has a NUL in it")


class DomainPage(Page, forbid_unknown_fields=True):
    """Part of a list, of one *domain* if that is named."""

    domain: str | None = None


def listed(found: Iterable[T], limit: int, as_json: Callable[[T], Mapping[str, Any]], name: str) -> Answer:
    """Return *limit* entries of *found*, and in ``next`` what to ask for *after* if there are more: its *name*."""
    entries, more = part(map(as_json, found), limit)
    return Answer({"items": entries, "next": entries[-1][name] if more else None})


def part(found: Iterable[T], limit: int) -> tuple[list[T], bool]:
    """Return *limit* entries of *found*, and whether there are more: of which it has to have one for that."""
    entries = list(islice(found, limit + 1))
    return entries[:limit], len(entries) > limit


def done(change: Done[T], as_json: Callable[[T], Mapping[str, Any]], status: int = 200) -> Answer:
    """Return what was changed, with the notes on it."""
    notes = [*change.notes, *filter(None, (change.trouble,))]
    return Answer({**as_json(change.value), "notes": notes}, status)


def told(body: Struct) -> str:
    """Return what *body* says, as the mail log has it: of a password only that there is one."""
    said = {
        each.name: "(not shown)" if each.name == "password" else value
        for each in structs.fields(body)
        if (value := getattr(body, each.name)) is not UNSET and value != each.default
    }
    text = msgspec.json.encode(said).decode()
    return "" if not said else text if len(text) <= TOLD else f"{text[:TOLD]}..."


def decoded(kind: type[Struct], text: bytes) -> Any:
    """Return the body *text* as *kind*. Raises `msgspec.DecodeError`, or as one of these `msgspec.ValidationError`.

    An integer may be written as 1.0, as JSON Schema has it (Draft 2020-12, validation, §6.1.1).
    """
    if kind is Nothing and not text:
        return kind()
    try:
        return msgspec.json.decode(text, type=kind)
    except UnicodeDecodeError:
        raise msgspec.DecodeError("the body is not UTF-8") from None
    except msgspec.ValidationError as error:
        with suppress(RecursionError):
            if "`int" in str(error):
                return msgspec.convert(_ANYTHING.decode(text), kind)
        raise


def _number(text: str) -> float:
    """Return the number that JSON has as *text*, which has a fraction or an exponent; an integer where it is one."""
    value = float(text)
    if not isfinite(value):
        raise msgspec.ValidationError("Number out of range")
    return int(value) if value.is_integer() else value


_ANYTHING = msgspec.json.Decoder(float_hook=_number)
