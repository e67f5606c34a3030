from datetime import UTC, datetime
from decimal import Decimal

import pytest

from relay import instants
from relay.instants import (
    from_epoch,
    from_milliseconds,
    iso_form,
    mobile_deadline,
    mobile_form,
    parse_iso,
    parse_mobile_time,
    recorded_mobile,
    recorded_web,
    time_zone,
    to_milliseconds,
    web_deadline,
    whole_number,
)


def at(text: str) -> datetime:
    """A moment from `2026-11-22 12:00:00.000`, always UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Reading a time: M6


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22 12:00:00.123", "2026-11-22 12:00:00.123"),
        ("2026-11-22 12:00:00", "2026-11-22 12:00:00"),
        ("2026-11-22 12:00", "2026-11-22 12:00:00"),
        ("2026-11-22T12:00:00", "2026-11-22 12:00:00"),
        ("2026-11-22t12:00:00z", "2026-11-22 12:00:00"),
        ("2026-11-22T12:00:00Z", "2026-11-22 12:00:00"),
        ("2026-11-22 12:00:00 Z", "2026-11-22 12:00:00"),
        ("2026-11-22T12:00:00+00:00", "2026-11-22 12:00:00"),
        ("2026-11-22T12:00:00-00:00", "2026-11-22 12:00:00"),
        ("2026-11-22T12:00:00+05:30", "2026-11-22 06:30:00"),
        ("2026-11-22T12:00:00+0530", "2026-11-22 06:30:00"),
        ("2026-11-22T12:00:00+05", "2026-11-22 07:00:00"),
        ("2026-11-22 12:00:00 -08:00", "2026-11-22 20:00:00"),
        ("2026-11-22T23:30:00-14:00", "2026-11-23 13:30:00"),
        ("2026-11-22T00:30:00+14:00", "2026-11-21 10:30:00"),
        ("2026-11-22T12:00:00+23:59", "2026-11-21 12:01:00"),
        ("2026-11-22T12:00:00.1Z", "2026-11-22 12:00:00.100"),
        ("2026-11-22T12:00:00,25Z", "2026-11-22 12:00:00.250"),
        ("2026-11-22T12:00:00.999999999Z", "2026-11-22 12:00:00.999"),
        ("2026-11-22T12:00:00.1239999999999999Z", "2026-11-22 12:00:00.123"),
        ("  2026-11-22T12:00:00Z\n", "2026-11-22 12:00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29 00:00:00"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59.999"),
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00"),
    ],
)
def test_parse_mobile_time_iso_8601_is_read_in_utc_and_cut_to_milliseconds(
    text: str, moment: str
) -> None:
    assert parse_mobile_time(text) == at(moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-11-22T",
        "2026-11-22T12",
        "2026-11-22T12Z",
        "26-11-22 12:00:00",
        "22/11/2026 12:00:00",
        "11/22/2026 12:00",
        "2026-11-22T12:00:00 PST",
        "2026-11-22T12:00:00Zulu",
        "2026-11-22_12:00:00",
        "2026-11-22  12:00:00",
        "2026-11-22T12:00:00.",
        "1795348741123",
        "1795348741",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T12:60:00Z",
        "2026-06-30T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-11-22T12:00:00+24:00",
        "2026-11-22T12:00:00+05:60",
        "２０２６-11-22T12:00:00Z",
        "2026-11-22T12:00:00\u221205:00",
        "\ud800",
        "2026-11-22T12:00:00Z\x00",
    ],
)
def test_parse_mobile_time_other_text_is_none(text: str) -> None:
    """T1: AppsFlyer would use the arrival time; a leap second it does not know either."""
    assert parse_mobile_time(text) is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        # `date -u -d @1795348741` is 2026-11-22 11:59:01
        (1_795_348_741_123, "2026-11-22 11:59:01.123"),
        (1_795_348_741, "2026-11-22 11:59:01"),
        (Decimal(1_795_348_741_123), "2026-11-22 11:59:01.123"),
        (Decimal("1795348741123.000"), "2026-11-22 11:59:01.123"),
        (Decimal("1.795348741E+12"), "2026-11-22 11:59:01"),
        (1_795_348_741_123.0, "2026-11-22 11:59:01.123"),
        (1_000_000_000, "2001-09-09 01:46:40"),
        (9_999_999_999, "2286-11-20 17:46:39"),
        (999_999_999, "1970-01-12 13:46:39.999"),
        (10_000_000_000, "1970-04-26 17:46:40"),
        (0, "1970-01-01 00:00:00"),
        (253_402_300_799_999, "9999-12-31 23:59:59.999"),
    ],
)
def test_from_epoch_is_milliseconds_unless_it_has_ten_digits(value: object, moment: str) -> None:
    assert from_epoch(value) == at(moment)
    assert parse_mobile_time(value) == at(moment)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        253_402_300_800_000,
        10**5_000,
        Decimal("1795348741.5"),
        Decimal("1E+999999"),
        Decimal("NaN"),
        1.5,
        float("nan"),
        float("inf"),
        1e300,
        True,
        None,
        [],
        {},
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12] if value != 10**5_000 else 'huge'}",
)
def test_from_epoch_anything_else_is_none(value: object) -> None:
    assert from_epoch(value) is None


def test_parse_iso_that_needs_an_offset_refuses_a_time_without_one() -> None:
    """W7."""
    assert parse_iso("2026-11-22T12:00:00", needs_offset=True) is None
    assert parse_iso("2026-11-22T12:00:00+01:00", needs_offset=True) == at("2026-11-22 11:00")


@pytest.mark.parametrize(
    ("value", "number"),
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


@pytest.mark.parametrize(
    ("moment", "mobile", "iso"),
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


@pytest.mark.parametrize("milliseconds", [0, 1, 999, 1_795_348_741_123, 253_402_300_799_999])
def test_milliseconds_there_and_back_are_the_same(milliseconds: int) -> None:
    assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds


def test_to_milliseconds_before_1970_is_negative() -> None:
    assert to_milliseconds(at("1969-12-31 23:59:59.999")) == -1


# Which time is recorded: mobile


@pytest.mark.parametrize(
    ("event", "arrival", "recorded", "source", "rule"),
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


def test_mobile_deadline_on_the_last_day_of_all_is_still_a_moment() -> None:
    assert mobile_deadline(at("9999-12-31 12:00")) > at("9999-12-31 23:59")


# Which time is recorded: web


@pytest.mark.parametrize(
    ("zone", "event", "deadline"),
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


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_web_deadline_on_the_last_day_of_all_is_still_a_moment(zone: str) -> None:
    last = at("9999-12-31 23:59:59.999")

    assert web_deadline(last, zone).tzinfo is UTC


@pytest.mark.parametrize(
    ("event", "arrival", "recorded", "source", "rule"),
    [
        (None, "2026-03-02 12:00", "2026-03-02 12:00", "arrival", "T6"),
        ("2026-03-02 12:00", "2026-03-02 12:00", "2026-03-02 12:00", "event", "T7"),
        ("2026-03-02 12:00", "2026-03-03 05:30", "2026-03-02 12:00", "event", "T7"),
        ("2026-03-02 12:00", "2026-03-03 05:30:00.001", "2026-03-03 05:30:00.001", "arrival", "T8"),
        ("2026-03-02 12:00:00.001", "2026-03-02 12:00", "2026-03-02 12:00:00.001", "event", "T9"),
    ],
)
def test_recorded_web_follows_the_table(
    event: str | None, arrival: str, recorded: str, source: str, rule: str
) -> None:
    """New York in winter: 00:30 there is 05:30 UTC."""
    found = recorded_web(at(event) if event else None, at(arrival), "America/New_York")

    assert found == (at(recorded), source, rule)


@pytest.mark.parametrize(
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
