"""What is recorded and until when say the same (T11)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

from hypothesis import given
from hypothesis import strategies as st

from relay.instants import (
    from_milliseconds,
    mobile_deadline,
    mobile_form,
    recorded_mobile,
    recorded_web,
    to_milliseconds,
    web_deadline,
)
from relay.rules.times import read_time
from tests.property.strategies import any_text, python_values

MILLISECOND = timedelta(milliseconds=1)

milliseconds = st.integers(978_307_200_000, 4_102_444_800_000)  # 2001 to 2100
moments = milliseconds.map(from_milliseconds)
zones = st.sampled_from(sorted(available_timezones() - {"localtime"}))


@given(moments)
def test_mobile_event_at_its_deadline_keeps_its_time_and_a_millisecond_later_does_not(
    event: datetime,
) -> None:
    deadline = mobile_deadline(event)
    assert deadline is not None

    assert recorded_mobile(event, deadline) == (event, "event", "T2")
    late = deadline + MILLISECOND
    assert recorded_mobile(event, late) == (late, "arrival", "T3")


@given(moments, zones)
def test_web_event_at_its_deadline_keeps_its_time_and_a_millisecond_later_does_not(
    event: datetime, zone: str
) -> None:
    deadline = web_deadline(event, zone)
    assert deadline is not None

    assert recorded_web(event, deadline, zone) == (event, "event", "T7")
    late = deadline + MILLISECOND
    assert recorded_web(event, late, zone) == (late, "arrival", "T8")


@given(moments, moments)
def test_mobile_event_records_its_own_time_or_that_of_its_arrival(
    event: datetime, arrival: datetime
) -> None:
    recorded = recorded_mobile(event, arrival)

    assert recorded.time == (event if recorded.source == "event" else arrival)
    assert (recorded.source == "event") == (recorded.rule in {"T2", "T4"})


@given(moments, zones)
def test_web_deadline_is_within_two_and_a_half_days_of_the_event(
    event: datetime, zone: str
) -> None:
    deadline = web_deadline(event, zone)

    assert deadline is not None
    assert timedelta(0) < deadline - event < timedelta(hours=60)


@given(st.datetimes(timezones=st.just(UTC)))
def test_deadlines_of_any_moment_never_raise(event: datetime) -> None:
    zones = ("Pacific/Kiritimati", "Etc/GMT+12")
    deadlines = [mobile_deadline(event), *(web_deadline(event, zone) for zone in zones)]

    assert {None if moment is None else moment.tzinfo for moment in deadlines} <= {None, UTC}


@given(milliseconds)
def test_time_read_from_its_own_form_is_the_same(number: int) -> None:
    moment = from_milliseconds(number)

    assert to_milliseconds(moment) == number
    assert read_time(number) == (moment, "milliseconds" if number >= 10**12 else "twelve_digits")
    assert read_time(mobile_form(moment)) == (moment, "naive")


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_time_with_an_offset_is_the_same_moment(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=None) + timedelta(minutes=minutes)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)

    text = f"{local.isoformat('T', 'milliseconds')}{sign}{hours:02}:{rest:02}"

    assert read_time(text) == (moment, "offset")


@given(python_values | any_text | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+-]{0,20}"))
def test_read_time_of_anything_is_a_moment_in_utc_or_none(value: object) -> None:
    read = read_time(value)

    assert read is None or read.instant.tzinfo is UTC
