"""Reads dates and times as logs write them.

ISO 8601, RFC 2822, the forms of ctime and of web servers, month names, 12-hour clocks, zones as offsets, `Z`, `UTC` and
`GMT`. Left out: week and ordinal dates, names of other zones, other languages, fuzzy reading, year-first guesses for two-digit
years.
"""

import re
from datetime import datetime, timedelta, timezone


class ParserError(ValueError):
    """The text is no date that can be read."""


class UnknownTimezoneWarning(RuntimeWarning):
    """A zone's name is not known."""


_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "mon tue wed thu fri sat sun".split()
_CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([AaPp]\.?[Mm]\.?)?(?![\d:])"
)
_ZONE = re.compile(r"(?:(?<=\d)|\s|^)(Z|UTC|GMT|z)?\s*(?:([+-])(\d{2}):?(\d{2})?)?\s*(?:\([A-Za-z ]+\))?\s*$")
_NUMERIC = re.compile(r"^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?(?:[.,](\d+))?)?(Z|[+-]\d{2}:?\d{2})?$")


def _micro(digits):
    return int((digits or "0")[:6].ljust(6, "0"))


def _offset(sign, hours, minutes):
    span = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-span if sign == "-" else span) if span else timezone.utc


def _year(digits):
    number = int(digits)
    if len(digits) > 2:
        return number
    return number + (2000 if number < 70 else 1900)


def _date(words, default):
    """Year, month and day from what is left of the text without clock and zone."""
    year = month = day = None
    numbers = []
    for word in words:
        numeric = _NUMERIC.match(word)
        if numeric and month is None:
            first, second, third = numeric.groups()
            if len(first) == 4:
                year, month, day = int(first), int(second), int(third)
            elif int(first) > 12:
                day, month, year = int(first), int(second), _year(third)
            else:
                month, day, year = int(first), int(second), _year(third)
        elif word.isdigit():
            numbers.append(word)
        elif word[:3].lower() in _MONTHS and word.isalpha():
            month = _MONTHS.index(word[:3].lower()) + 1
        elif word[:-2].isdigit() and word[-2:].lower() in ("st", "nd", "rd", "th"):
            numbers.append(word[:-2])
        elif word[:3].lower() not in _DAYS and word.lower() not in ("at", "on", "of", "t", "and"):
            raise ParserError(f"Unknown string format: {word}")
    for digits in numbers:
        if year is None and (len(digits) == 4 or int(digits) > 31 or day is not None):
            year = _year(digits)
        elif day is None:
            day = int(digits)
        else:
            raise ParserError(f"Unknown string format: {digits}")
    return (
        default.year if year is None else year,
        default.month if month is None else month,
        default.day if day is None else day,
    )


def _compact(text):
    match = _COMPACT.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    tzinfo = None
    if zone:
        tzinfo = timezone.utc if zone == "Z" else _offset(zone[0], zone[1:3], zone[-2:])
    return datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), _micro(fraction), tzinfo
    )


def parse(timestr, parserinfo=None, default=None, ignoretz=False, **kwargs):
    """The moment that a text tells; what it leaves open is taken from `default`, else from the first of January 1970."""
    if not isinstance(timestr, (str, bytes)):
        raise TypeError(f"Parser must be a string or character stream, not {type(timestr).__name__}")
    text = (timestr.decode() if isinstance(timestr, bytes) else timestr).strip()
    if not text:
        raise ParserError("String does not contain a date.")
    base = default or datetime(1970, 1, 1)
    try:
        moment = _compact(text) or _spaced(text, base)
    except ParserError:
        raise
    except (ValueError, OverflowError) as error:
        raise ParserError(f"{error}: {text}") from None
    return moment.replace(tzinfo=None) if ignoretz else moment


def _spaced(text, base):
    hour = minute = second = micro = 0
    tzinfo = None
    # The clock of a web server's log is joined to the year by a colon.
    text = re.sub(r"(/\d{4}):(\d{2}:\d{2})", r"\1 \2", text)
    text = re.sub(r"(\d)[Tt](\d{1,2}:)", r"\1 \2", text)
    clock = _CLOCK.search(text)
    if clock:
        rest = text[clock.end() :]
        zone = _ZONE.search(rest)
        if zone and (zone.group(1) or zone.group(2)):
            tzinfo = _offset(*zone.groups()[1:]) if zone.group(2) else timezone.utc
            rest = rest[: zone.start()]
        hour, minute = int(clock.group(1)), int(clock.group(2))
        second, micro = int(clock.group(3) or 0), _micro(clock.group(4))
        half = (clock.group(5) or "").lower()[:1]
        if half:
            hour = hour % 12 + (12 if half == "p" else 0)
        text = text[: clock.start()] + " " + rest
    text = re.sub(r"(\d)[/-]([A-Za-z]{3,9})[/-](\d)", r"\1 \2 \3", text)
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if not words and not clock:
        raise ParserError("String does not contain a date.")
    year, month, day = _date(words, base)
    return datetime(year, month, day, hour, minute, second, micro, tzinfo)


def isoparse(dt_str):
    """The moment that an ISO 8601 text tells."""
    text = dt_str.decode() if isinstance(dt_str, bytes) else dt_str
    if not re.match(r"^\d{4}(-?\d{2}(-?\d{2})?)?([T ]|$)", text):
        raise ValueError(f"Invalid isoformat string: {text!r}")
    return parse(text)
