from datetime import UTC, datetime
from decimal import Decimal

import pytest

from relay import instants
from relay.instants import (
    from_milliseconds,
    iso_form,
    mobile_deadline,
    mobile_form,
    parse_iso,
    recorded_mobile,
    recorded_web,
    time_zone,
    to_milliseconds,
    web_deadline,
    whole_number,
)
from tests.support.every import every


def at(text: str) -> datetime:
    """A moment from `2026-11-22 12:00:00.000`, always UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Reading a time: M6


def test_parse_iso_that_needs_an_offset_refuses_a_time_without_one() -> None:
    """W7."""
    assert parse_iso("2026-11-22T12:00:00", needs_offset=True) is None
    assert parse_iso("2026-11-22T12:00:00+01:00", needs_offset=True) == at("2026-11-22 11:00")


@every(
    "value, number",
    [
        (5, 5),
        (Decimal("5.0"), 5),
        (Decimal("1E+3"), 1000),
        (Decimal("-0"), 0),
        (2.0, 2),
        (Decimal("5.5"), None),
        (Decimal("1E+30"), None),
        (Decimal("Infinity"), None),
        (0.5, None),
        (True, None),
        ("5", None),
        (None, None),
    ],
    ids=str,
)
def test_whole_number_is_the_integer_behind_a_json_number(
    value: object, number: int | None
) -> None:
    assert whole_number(value) == number


# Writing


@every(
    "moment, mobile, iso",
    [
        ("2026-11-22 12:00", "2026-11-22 12:00:00.000", "2026-11-22T12:00:00.000Z"),
        ("2026-11-22 12:00:01.12", "2026-11-22 12:00:01.120", "2026-11-22T12:00:01.120Z"),
        ("2026-11-22 12:00:01.9999", "2026-11-22 12:00:01.999", "2026-11-22T12:00:01.999Z"),
        ("0099-01-02 03:04:05", "0099-01-02 03:04:05.000", "0099-01-02T03:04:05.000Z"),
    ],
)
def test_forms_of_a_moment_have_three_digits_of_a_second(
    moment: str, mobile: str, iso: str
) -> None:
    assert mobile_form(at(moment)) == mobile
    assert iso_form(at(moment)) == iso


@every("milliseconds", [0, 1, 999, 1_795_348_741_123, 253_402_300_799_999])
def test_milliseconds_there_and_back_are_the_same(milliseconds: int) -> None:
    assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds


def test_to_milliseconds_before_1970_is_negative() -> None:
    assert to_milliseconds(at("1969-12-31 23:59:59.999")) == -1


# Which time is recorded: mobile


@every(
    "event, arrival, recorded, source, rule",
    [
        # The two of AppsFlyer's guide: Monday 21:00, arriving on Tuesday and on Wednesday.
        ("2026-03-02 21:00", "2026-03-03 01:00", "2026-03-02 21:00", "event", "T2"),
        ("2026-03-02 21:00", "2026-03-04 09:00", "2026-03-04 09:00", "arrival", "T3"),
        (None, "2026-03-04 09:00", "2026-03-04 09:00", "arrival", "T1"),
        ("2026-03-02 12:00", "2026-03-02 12:00", "2026-03-02 12:00", "event", "T2"),
        ("2026-03-02 00:00", "2026-03-03 01:59:59.999", "2026-03-02 00:00", "event", "T2"),
        ("2026-03-02 00:00", "2026-03-03 02:00", "2026-03-03 02:00", "arrival", "T3"),
        ("2026-03-02 23:59:59.999", "2026-03-03 02:00", "2026-03-03 02:00", "arrival", "T3"),
        ("2026-03-02 12:00:00.001", "2026-03-02 12:00", "2026-03-02 12:00:00.001", "event", "T4"),
        ("2026-03-02 23:59:59.999", "2026-03-02 00:00", "2026-03-02 23:59:59.999", "event", "T4"),
        ("2026-03-03 00:00", "2026-03-02 23:59:59.999", "2026-03-02 23:59:59.999", "arrival", "T5"),
        ("2026-12-31 23:00", "2027-01-01 01:30", "2026-12-31 23:00", "event", "T2"),
        ("2028-02-28 12:00", "2028-02-29 01:30", "2028-02-28 12:00", "event", "T2"),
        ("9999-12-31 12:00", "9999-12-31 13:00", "9999-12-31 12:00", "event", "T2"),
    ],
)
def test_recorded_mobile_follows_the_table(
    event: str | None, arrival: str, recorded: str, source: str, rule: str
) -> None:
    found = recorded_mobile(at(event) if event else None, at(arrival))

    assert found == (at(recorded), source, rule)


def test_mobile_deadline_is_the_last_millisecond_before_two_of_the_next_day() -> None:
    """T11, T2: 02:00:00.000 itself is late."""
    assert mobile_deadline(at("2026-03-02 21:00")) == at("2026-03-03 01:59:59.999")


def test_mobile_deadline_beyond_the_year_9999_is_none() -> None:
    """T12."""
    assert mobile_deadline(at("9999-12-31 12:00")) is None


# Which time is recorded: web


@every(
    "zone, event, deadline",
    [
        ("UTC", "2026-03-02 12:00", "2026-03-03 00:30"),
        ("UTC", "2026-03-02 00:00", "2026-03-03 00:30"),
        ("UTC", "2026-03-02 23:59:59.999", "2026-03-03 00:30"),
        ("Asia/Tokyo", "2026-03-02 14:59:59.999", "2026-03-02 15:30"),
        ("Asia/Tokyo", "2026-03-02 15:00", "2026-03-03 15:30"),
        ("Asia/Kathmandu", "2026-03-02 12:00", "2026-03-02 18:45"),  # UTC+5:45
        ("Pacific/Kiritimati", "2026-03-02 12:00", "2026-03-03 10:30"),  # UTC+14
        ("Etc/GMT+12", "2026-03-02 11:59", "2026-03-02 12:30"),  # UTC-12, the last to change
        # A 23-hour and a 25-hour day: London, 29 March and 25 October 2026.
        ("Europe/London", "2026-03-29 00:00", "2026-03-29 23:30"),
        ("Europe/London", "2026-10-24 23:00", "2026-10-26 00:30"),
        # 00:30 comes twice: Havana and the Azores turn 01:00 back to 00:00. The first counts.
        ("America/Havana", "2026-10-31 16:00", "2026-11-01 04:30"),
        ("Atlantic/Azores", "2026-10-24 12:00", "2026-10-25 00:30"),
        # 00:30 is skipped, 00:00 becomes 01:00: read with the offset before the change.
        ("America/Havana", "2026-03-07 17:00", "2026-03-08 05:30"),
        ("Asia/Beirut", "2026-03-28 10:00", "2026-03-28 22:30"),
        ("Africa/Cairo", "2026-04-23 10:00", "2026-04-23 22:30"),
        ("America/Santiago", "2026-09-05 12:00", "2026-09-06 04:30"),
        # Half an hour of daylight saving: Lord Howe, 5 April 2026, from UTC+11 to UTC+10:30.
        ("Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-04 13:30"),
        ("Australia/Lord_Howe", "2026-04-04 14:00", "2026-04-05 14:00"),
        # Samoa left out 30 December 2011 altogether.
        ("Pacific/Apia", "2011-12-29 20:00", "2011-12-30 10:30"),
    ],
)
def test_web_deadline_is_half_past_midnight_on_the_apps_wall_clock(
    zone: str, event: str, deadline: str
) -> None:
    """T7, T10, T11. What the zones do is in the tz database's own files."""
    assert web_deadline(at(event), zone) == at(deadline)


def test_web_deadline_beyond_the_year_9999_is_none() -> None:
    """T12. In the last zone to change days, the last day of all ends in the year 10000."""
    zones = ("UTC", "Pacific/Kiritimati", "Etc/GMT+12")

    assert {web_deadline(at("9999-12-31 23:59:59.999"), zone) for zone in zones} == {None}


@every(
    "event, arrival, recorded, source, rule",
    [
        (None, "2026-03-02 12:00", "2026-03-02 12:00", "arrival", "T6"),
        ("2026-03-02 12:00", "2026-03-02 12:00", "2026-03-02 12:00", "event", "T7"),
        ("2026-03-02 12:00", "2026-03-03 05:30", "2026-03-02 12:00", "event", "T7"),
        ("2026-03-02 12:00", "2026-03-03 05:30:00.001", "2026-03-03 05:30:00.001", "arrival", "T8"),
        ("2026-03-02 12:00:00.001", "2026-03-02 12:00", "2026-03-02 12:00", "arrival", "T9"),
    ],
)
def test_recorded_web_follows_the_table(
    event: str | None, arrival: str, recorded: str, source: str, rule: str
) -> None:
    """New York in winter: 00:30 there is 05:30 UTC."""
    found = recorded_web(at(event) if event else None, at(arrival), "America/New_York")

    assert found == (at(recorded), source, rule)


@every(
    "name",
    ["", "Mars/Olympus", "europe", "../../etc/passwd", "/etc/localtime", "UTC\x00", "\ud800"],
)
def test_time_zone_that_is_none_raises_a_value_error_without_the_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a time zone of the tz database") as caught:
        time_zone(name)

    assert not name or name not in str(caught.value)


def test_time_zone_of_a_folder_of_zones_raises_a_value_error() -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        time_zone("America")


def test_utc_now_is_the_clock_cut_to_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.instants.clock.time_ns", lambda: 1_795_348_741_123_999_999)

    assert instants.utc_now() == at("2026-11-22 11:59:01.123")
