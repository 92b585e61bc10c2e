"""Dates and times of RFC 3339 §5.6, in UTC."""

import re
from calendar import timegm
from email.utils import formatdate
from functools import lru_cache

# date-time; time-offset is "Z", or one that says the same.
_DATE_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:[Zz]|\+00:00)", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def posix_time(text: str) -> float | None:
    """Return the POSIX time that *text* names; ``None`` where it names none, or one of another offset than UTC."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    # §5.7: a leap second is 60.
    if not (year and 1 <= month <= 12 and 1 <= day <= _days(year, month) and hour <= 23 and minute <= 59):
        return None
    if second > 60:
        return None
    return timegm((year, month, day, hour, minute, second)) + float(found[7] or 0)


def internet_time(seconds: float) -> str:
    """Return the POSIX time *seconds*, cut to whole ones, as text."""
    return _second(int(seconds))


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    _, day, month, year, clock, _ = formatdate(seconds).split()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{clock}Z"


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if leap and month == 2 else _DAYS[month - 1]
