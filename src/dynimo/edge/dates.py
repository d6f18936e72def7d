"""HTTP's dates, read strictly (RFC 9110 section 5.6.7). Pure."""

from __future__ import annotations

import calendar
import functools
import re
from email.utils import formatdate

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH = f"({'|'.join(_MONTHS)})"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
_IMF = re.compile(rf"{_DAY}, ([0-9]{{2}}) {_MONTH} ([0-9]{{4}}) {_TIME} GMT")
_RFC850 = re.compile(
    rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, ([0-9]{{2}})-{_MONTH}-([0-9]{{2}}) {_TIME} GMT"
)
_ASCTIME = re.compile(rf"{_DAY} {_MONTH} ([0-9 ][0-9]) {_TIME} ([0-9]{{4}})")


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> float | None:
    """Return seconds since the epoch, or None when it is none of HTTP's three date forms."""
    if match := _IMF.fullmatch(text):
        day, month, year, *clock = match.groups()
    elif match := _RFC850.fullmatch(text):
        day, month, year, *clock = match.groups()
        century = 1900 if int(year) >= 70 else 2000  # a two-digit year of the web's own time
        year = str(century + int(year))
    elif match := _ASCTIME.fullmatch(text):
        month, day, *clock, year = match.groups()
    else:
        return None
    hour, minute, second = (int(part) for part in clock)
    numbers = (int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second)
    if hour > 23 or minute > 59 or second > 60 or not 1 <= int(day) <= 31:
        return None
    return float(calendar.timegm((*numbers, 0, 1, 0)))


def write(seconds: float) -> str:
    """Return the IMF-fixdate of a time since the epoch."""
    return formatdate(int(seconds), usegmt=True)
