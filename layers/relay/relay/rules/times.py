"""Times as senders write them (section 4.1 of the contract: M6, W7)."""

import re
from datetime import datetime
from typing import Final, Literal, NamedTuple

from relay.exact_json import decimal_of
from relay.instants import from_milliseconds, read_documented, read_iso

TimeForm = Literal["offset", "naive", "milliseconds", "seconds", "twelve_digits", "other"]
"""`offset` and `naive`: text with and without an offset; `milliseconds`, `seconds` and
`twelve_digits`: integers of 13, 10 and 12 digits; `other`: a form that is always repaired."""

_NAMED_ZONE: Final = re.compile(r"(.*\S)(?: (UTC|GMT)|\[[A-Za-z0-9_+\-/]+\])", re.ASCII)
_DIGITS: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_EPOCH_DIGITS: Final = frozenset({10, 13, 16, 19})
"""Digits before the point: of seconds, milliseconds, microseconds and nanoseconds."""
_MILLISECOND_DIGITS: Final = 13

_INTEGERS: Final[dict[int, TimeForm]] = {
    10: "seconds",
    12: "twelve_digits",
    _MILLISECOND_DIGITS: "milliseconds",
}
_FIRST_OF_TWELVE_DIGITS: Final = 978_307_200_000
"""2001-01-01. An integer of twelve digits from here on is what text of such a day becomes."""
_NO_EPOCH: Final = 20
"""No number has as many digits before its point and is a time."""


class TimeRead(NamedTuple):
    """A time that can be read, and in which form it was written."""

    instant: datetime
    form: TimeForm


def read_time(value: object) -> TimeRead | None:
    """A time in one of the forms of section 4.1, cut to milliseconds; None for anything else.

    G1's characters around a text are not looked past.

    >>> read_time("2026-11-22 12:00 +01:00")
    TimeRead(instant=datetime.datetime(2026, 11, 22, 11, 0, tzinfo=datetime.timezone.utc), \
form='offset')
    """
    if isinstance(value, str):
        # The first looks for the usual form alone, and is quick.
        moment = read_documented(value)
        return _of_text(value) if moment is None else TimeRead(moment, "naive")
    if isinstance(value, int) and not isinstance(value, bool):
        form = _form_of(value)
        if form is not None:
            return TimeRead(from_milliseconds(value * 1000 if form == "seconds" else value), form)
    number = decimal_of(value)
    if number is None or number.is_signed() or abs(number.adjusted()) >= _NO_EPOCH:
        return None
    return _of_digits(format(number, "f"))


def _form_of(number: int) -> TimeForm | None:
    if not _FIRST_OF_TEN_DIGITS <= number < _FIRST_OF_FOURTEEN_DIGITS:
        return None
    form = _INTEGERS.get(len(str(number)))
    return None if form == "twelve_digits" and number < _FIRST_OF_TWELVE_DIGITS else form


_FIRST_OF_TEN_DIGITS: Final = 10**9
_FIRST_OF_FOURTEEN_DIGITS: Final = 10**13


def _of_text(text: str) -> TimeRead | None:
    read = read_iso(text)
    if read is not None:
        return TimeRead(read.instant, "offset" if read.has_offset else "naive")
    named = _NAMED_ZONE.fullmatch(text)
    if named is None:
        return _of_digits(text) if _DIGITS.fullmatch(text) else None
    read = read_iso(named[1])
    # A zone's name stands for an offset, or beside one: not both, and not alone in brackets.
    if read is None or read.has_offset is (named[2] is not None):
        return None
    return TimeRead(read.instant, "other")


def _of_digits(digits: str) -> TimeRead | None:
    whole, _, fraction = digits.partition(".")
    if len(whole) not in _EPOCH_DIGITS:
        return None
    milliseconds = f"{whole}{fraction}000"[:_MILLISECOND_DIGITS]
    return TimeRead(from_milliseconds(int(milliseconds)), "other")
