"""Dovecot's ``pop3_uidl_format``: what a unique id is made of, as 2.3 writes it (``%08Xu``) and as 2.4 does
(``%{uid | hex(8)}``)."""

import hashlib
import re
from collections.abc import Mapping

# What Dovecot up to 2.3 gives where the setting says nothing else; 2.4 gives the same.
DOVECOT_FORMAT = "%08Xu%08Xv"
# No id is nearly as wide as three digits can say.
_VARIABLE = re.compile(r"%(0?)(\d{0,3})([XMLU]?)(?:([uvfg%])|\{([^{}]*)\})|%")
_FILTER = re.compile(r"([a-z0-9]+)(?:\((-?\d{1,3})\))?")
_NAMES = {"uid": "u", "uidvalidity": "v", "filename": "f", "guid": "g"}


class BadFormat(ValueError):
    """It cannot be followed; the text says why."""


def expanded(form: str, values: Mapping[str, bytes]) -> bytes:
    """Return the unique id of a message by *form*; *values* are those of ``u``, ``v``, ``f`` and ``g``.

    Raises `BadFormat`.
    """
    if not (form.isascii() and form.isprintable()):
        raise BadFormat(f"the format {form!r} has other letters than ASCII")

    def one(found: "re.Match[str]") -> str:
        zero, width, change, variable, long = found.groups()
        if variable == "%":
            return "%"
        if long is not None:
            name, *filters = (part.strip() for part in long.split("|"))
            variable = _NAMES.get(name)
        if variable is None:
            raise BadFormat(f"the format {form!r} has a variable other than uid, uidvalidity, filename and guid"
                            " (%u, %v, %f, %g)")  # fmt: skip
        value = _changed(values[variable].decode("latin-1"), change, form)
        value = _widened(value, int(width or "0"), bool(zero))
        return _filtered(value, filters, form) if long is not None else value

    return _VARIABLE.sub(one, form).encode("latin-1")


def _changed(value: str, change: str, form: str) -> str:
    match change:
        case "X":
            return _filtered(value, ["hex"], form)
        case "M":
            # What tpop3d did.
            return _filtered(value, ["md5", "hexlify"], form)
        case "L":
            return value.lower()
        case "U":
            return value.upper()
    return value


def _widened(value: str, width: int, zero: bool) -> str:
    if zero:
        return value.rjust(width, "0")
    return value[:width] if width else value


def _filtered(value: str, filters: list[str], form: str) -> str:
    for each in filters:
        found = _FILTER.fullmatch(each)
        name, width = (found[1], int(found[2] or "0")) if found else ("", 0)
        if width and name != "hex":
            name = ""
        match name:
            case "hex" if value.isdigit() and value.isascii():
                value = f"{int(value):x}"
                value = value.rjust(width, "0")[-width:] if width > 0 else value.ljust(-width, "0")[:-width or None]
            case "md5":
                value = hashlib.md5(value.encode("latin-1")).digest().decode("latin-1")  # noqa: S324 (not for secrecy)
            case "hexlify":
                value = value.encode("latin-1").hex()
            case "lower":
                value = value.lower()
            case "upper":
                value = value.upper()
            case _:
                raise BadFormat(f"the format {form!r} has the filter {each!r}, which is none of hex, md5, hexlify,"
                                " lower and upper, or cannot be for this variable")  # fmt: skip
    return value
