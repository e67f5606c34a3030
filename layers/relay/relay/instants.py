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

_EARLIEST_WEB: Final = datetime(2001, 1, 1, tzinfo=UTC)  # W7
_LATEST_MILLISECONDS: Final = 253_402_300_799_999  # the end of the year 9999

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s?(Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
"""ISO 8601 date and time; AppsFlyer's own `yyyy-mm-dd hh:mm:ss.sss` is one of its forms."""


Clock = Callable[[], datetime]
"""Returns the current moment: `utc_now`, or a test's replacement."""


class Recorded(NamedTuple):
    """The time that AppsFlyer will record, its source, and the rule that decides it."""

    time: datetime
    source: Literal["event", "arrival"]
    rule: str


# Reading


def parse_mobile_time(value: object) -> datetime | None:
    """An `eventTime` (M6): ISO 8601 with any offset (none means UTC), epoch ms, or epoch s.

    None for everything else; AppsFlyer would then use the arrival time (T1).
    """
    if isinstance(value, str):
        return parse_iso(value, needs_offset=False)
    return from_epoch(value)


def parse_iso(text: str, *, needs_offset: bool) -> datetime | None:
    """ISO 8601 date and time in UTC, cut to milliseconds; None when it is not one."""
    match = _ISO.fullmatch(text.strip())
    if match is None or (needs_offset and match[8] is None):
        return None
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    milliseconds = int((match[7] or "0").ljust(3, "0")[:3])
    try:
        local = datetime(
            year, month, day, hour, minute, int(match[6] or 0), milliseconds * 1000, tzinfo=UTC
        )
        return local - _offset(match[8])
    except (ValueError, OverflowError):
        return None


def from_epoch(value: object) -> datetime | None:
    """Epoch milliseconds, or seconds when there are ten digits; None when it is neither."""
    number = whole_number(value)
    if number is None or not 0 <= number <= _LATEST_MILLISECONDS:
        return None
    seconds = is_epoch_seconds(number)
    return from_milliseconds(number * 1000 if seconds else number)


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


def is_plausible_web_time(instant: datetime) -> bool:
    """W7: a time before 2001 is a mistake."""
    return instant >= _EARLIEST_WEB


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


def _offset(text: str | None) -> timedelta:
    if text is None or text in "Zz":
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
        if arrival < _mobile_limit(event_time):
            return Recorded(event_time, "event", "T2")
        return Recorded(arrival, "arrival", "T3")
    if event_time.date() == arrival.date():
        return Recorded(event_time, "event", "T4")
    return Recorded(arrival, "arrival", "T5")


def recorded_web(event_time: datetime | None, arrival: datetime, zone: str) -> Recorded:
    """T6 to T9: the time AppsFlyer records for a web event or visit; days are those of `zone`."""
    if event_time is None:
        return Recorded(arrival, "arrival", "T6")
    if event_time > arrival:
        return Recorded(event_time, "event", "T9")
    if arrival <= web_deadline(event_time, zone):
        return Recorded(event_time, "event", "T7")
    return Recorded(arrival, "arrival", "T8")


def mobile_deadline(event_time: datetime) -> datetime:
    """T11: the last moment at which a mobile event keeps its own time (02:00 itself is late)."""
    return _mobile_limit(event_time) - _MILLISECOND


def web_deadline(event_time: datetime, zone: str) -> datetime:
    """T11, T10: 00:30 of the next day on the wall clock of the app's zone, as UTC.

    If 00:30 occurs twice, the first one counts (fold 0). If it is skipped, fold 0 applies the
    offset from before the change, as the tz database does.
    """
    tz = time_zone(zone)
    try:
        next_day = event_time.astimezone(tz).date() + _DAY
        return datetime.combine(next_day, _WEB_GRACE, tz).astimezone(UTC)
    except OverflowError:  # no day follows the last one of the year 9999
        return datetime.max.replace(tzinfo=UTC)


def _mobile_limit(event_time: datetime) -> datetime:
    return _next_day_at_two(event_time.date())


@lru_cache(maxsize=64)
def _next_day_at_two(day: date) -> datetime:
    try:
        return datetime.combine(day + _DAY, _MOBILE_GRACE, UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


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
