"""Moments in time: parsing them, and predicting which one AppsFlyer records (section T).

Every datetime is aware and in UTC unless its name says otherwise.
"""

import math
import re
import time as clock
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY: Final = timedelta(days=1)
_MOBILE_GRACE: Final = time(2)  # T2: "before 02:00 UTC of the day after"
_WEB_GRACE: Final = time(0, 30)  # T7: 00:30 of the day after, in the app's zone
_MILLISECOND: Final = timedelta(milliseconds=1)

_SECONDS_DIGITS: Final = 10
"""A ten-digit epoch number is seconds (M6, W7): 2001-09-09 to 2286-11-20."""


_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"(?: ?([Zz]|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)
"""ISO 8601 date and time; AppsFlyer's own `yyyy-mm-dd hh:mm:ss.sss` is one of its forms."""

_DOCUMENTED: Final = re.compile(r"\d{4}-\d\d-\d\d (?:[01]\d|2[0-3]):\d\d:\d\d\.\d\d\d", re.ASCII)
"""The form that AppsFlyer documents (M6)."""

Clock = Callable[[], datetime]
"""Returns the current moment: `utc_now`, or a test's replacement."""


class Recorded(NamedTuple):
    """The time that AppsFlyer will record, its source, and the rule that decides it."""

    time: datetime
    source: Literal["event", "arrival"]
    rule: str


# Reading


class IsoTime(NamedTuple):
    """A moment that was written in ISO 8601, and whether it was written with an offset."""

    instant: datetime
    has_offset: bool


def parse_iso(text: str, *, needs_offset: bool) -> datetime | None:
    """ISO 8601 date and time in UTC, cut to milliseconds; None when it is not one."""
    read = read_iso(text.strip())
    return None if read is None or (needs_offset and not read.has_offset) else read.instant


def read_documented(text: str) -> datetime | None:
    """A time in the form that AppsFlyer documents (M6), `yyyy-mm-dd hh:mm:ss.sss`, in UTC."""
    if not _DOCUMENTED.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return None


def read_iso(text: str) -> IsoTime | None:
    """ISO 8601 date and time, without an offset in UTC; cut to milliseconds."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int(fraction[:3].ljust(3, "0")) * 1000 if fraction else 0,
            tzinfo=UTC,
        )
        return IsoTime(local if offset is None else local - _offset(offset), offset is not None)
    except (ValueError, OverflowError):
        return None


def is_epoch_seconds(number: int) -> bool:
    """Whether an epoch number is in seconds, not milliseconds: ten digits (M6, W7)."""
    return len(str(number)) == _SECONDS_DIGITS


def from_milliseconds(milliseconds: int) -> datetime:
    """Epoch milliseconds as a datetime, with no binary-float rounding."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(
        microsecond=milliseconds % 1000 * 1000
    )


def to_milliseconds(instant: datetime) -> int:
    """A datetime as epoch milliseconds, rounded down."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND


def whole_number(value: object) -> int | None:
    """A JSON number without a fraction as an integer; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _INT_DIGITS:
        return int(value) if value == value.to_integral_value() else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


_INT_DIGITS: Final = 30


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours >= 24 or minutes >= 60:  # noqa: PLR2004 - hours of a day, minutes of an hour
        message = "no such offset"
        raise ValueError(message)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if text[0] == "-" else offset


# Writing


def mobile_form(instant: datetime) -> str:
    """The documented form of `eventTime`: `yyyy-mm-dd hh:mm:ss.sss`, UTC (M6)."""
    return f"{instant.replace(tzinfo=None).isoformat(' ', 'milliseconds')}"


def iso_form(instant: datetime) -> str:
    """The form of times in responses, queues and reports: `2026-11-22T12:00:00.000Z`."""
    return f"{instant.replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"


# Which time is recorded


def recorded_mobile(event_time: datetime | None, arrival: datetime) -> Recorded:
    """T1 to T5: the time AppsFlyer records for a mobile event that arrives at `arrival`."""
    if event_time is None:
        return Recorded(arrival, "arrival", "T1")
    if event_time <= arrival:
        limit = _mobile_limit(event_time.date())
        if limit is None or arrival < limit:
            return Recorded(event_time, "event", "T2")
        return Recorded(arrival, "arrival", "T3")
    if event_time.date() == arrival.date():
        return Recorded(event_time, "event", "T4")
    return Recorded(arrival, "arrival", "T5")


def recorded_web(event_time: datetime | None, arrival: datetime, zone: str) -> Recorded:
    """T6 to T9: the time AppsFlyer records for a web event or visit; days are those of `zone`.

    T9 is not documented: the receive time is what its siblings record.
    """
    if event_time is None:
        return Recorded(arrival, "arrival", "T6")
    if event_time > arrival:
        return Recorded(arrival, "arrival", "T9")
    deadline = web_deadline(event_time, zone)
    if deadline is None or arrival <= deadline:
        return Recorded(event_time, "event", "T7")
    return Recorded(arrival, "arrival", "T8")


def mobile_deadline(event_time: datetime) -> datetime | None:
    """T11: the last moment at which a mobile event keeps its own time (02:00 itself is late).

    None beyond the year 9999 (T12).
    """
    limit = _mobile_limit(event_time.date())
    return None if limit is None else limit - _MILLISECOND


def web_deadline(event_time: datetime, zone: str) -> datetime | None:
    """T11, T10: 00:30 of the next day on the wall clock of the app's zone, as UTC.

    If 00:30 occurs twice, the first one counts (fold 0). If it is skipped, fold 0 applies the
    offset from before the change, as the tz database does. None beyond the year 9999 (T12).
    """
    tz = time_zone(zone)
    try:
        next_day = event_time.astimezone(tz).date() + _DAY
        return datetime.combine(next_day, _WEB_GRACE, tz).astimezone(UTC)
    except OverflowError:
        return None


@lru_cache(maxsize=64)
def _mobile_limit(day: date) -> datetime | None:
    try:
        return datetime.combine(day + _DAY, _MOBILE_GRACE, UTC)
    except OverflowError:
        return None


@lru_cache(maxsize=256)
def time_zone(name: str) -> ZoneInfo:
    """A zone of the tz database; raises `ValueError` for an unknown name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "not a time zone of the tz database, such as Europe/London"
        raise ValueError(message) from error


def seconds_since(moment: float, now: float) -> float:
    """Seconds by a clock that may have been set back: what is to come is infinitely long ago."""
    return now - moment if moment <= now else math.inf


def utc_now() -> datetime:
    """The current moment, cut to milliseconds like AppsFlyer's times."""
    return from_milliseconds(clock.time_ns() // 1_000_000)
