"""Spans of time as people write them: ``90m``, ``1d12h``."""

import re

import click

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
# Spans that are longer are no times of day that anybody can be told.
_LONGEST_DAYS = 36_500


def span(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return the seconds of a span of time such as ``90m`` or ``1d12h``."""
    if text is None:
        return None
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise click.BadParameter(f"{text!r} is no span of time; expected one such as 90m, 12h, 1d or 1d12h")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST_DAYS * _UNITS["d"]:
        raise click.BadParameter(f"{text!r} is too long; expected {_LONGEST_DAYS}d at most")
    return seconds
