"""What the 311 cases of the contract leave open about mobile events as a whole."""

import json
from typing import Any

import pytest

from relay.domain.kinds import Platform, platform_of
from tests.hostile_values import (
    SURROGATE,
    found,
    prepared,
    sent,
)

UUID = "F47AC10B-58CC-4372-A567-0E02B2C3D479"
ZERO_UUID = "00000000-0000-0000-0000-000000000000"


def test_build_event_without_a_fault_has_no_findings() -> None:
    assert found(prepared()) == []


# E9


@pytest.mark.parametrize(
    ("app_id", "platform"),
    [
        ("id123456789", Platform.IOS),
        ("id1", Platform.IOS),
        ("id", Platform.WINDOWS),
        ("ID123", Platform.WINDOWS),
        ("id123x", Platform.WINDOWS),
        ("id１２３", Platform.WINDOWS),
        ("com.example.shop", Platform.ANDROID),
        ("com.example.shop_2", Platform.ANDROID),
        ("com.example", Platform.ANDROID),
        ("com..example", Platform.WINDOWS),
        ("com.1example", Platform.WINDOWS),
        (".com", Platform.WINDOWS),
        ("9nblggh4nns1", Platform.WINDOWS),
    ],
)
def test_platform_of_app_id_tells_by_its_form(app_id: str, platform: Platform) -> None:
    assert platform_of(app_id) is platform


# M21


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("event_name", "did you mean eventName?"),
        ("eventname", "did you mean eventName?"),
        ("eventCurency", "did you mean eventCurrency?"),
        ("appsflyerId", "did you mean appsflyer_id?"),
        ("customerUserId", "did you mean customer_user_id?"),
        ("e_mail", "did you mean email?"),
        ("zzzzzz", "put it into the event value"),
    ],
)
@pytest.mark.parametrize("value", ["x", 5, "", {}, False], ids=repr)
def test_unknown_field_is_rejected_naming_the_nearest_one(
    field: str, hint: str, value: object
) -> None:
    event = prepared(**{field: value})

    assert found(event) == [("reject", "M21", field)]
    assert hint in event.findings[0].message


def test_unknown_field_that_is_null_is_absent() -> None:
    assert found(prepared(eventname=None)) == []


@pytest.mark.parametrize(
    ("field", "instead"),
    [
        ("wifi", None),
        ("operator", None),
        ("language", None),
        ("device_model", None),
        ("device_category", None),
        ("app_version", "app_version_name"),
        ("app_name", None),
        ("user_agent", "ua"),
    ],
)
@pytest.mark.parametrize("value", ["x", 5, True, SURROGATE], ids=ascii)
def test_field_that_a_server_cannot_set_is_left_out_with_a_warning(
    field: str, instead: str | None, value: object
) -> None:
    event = prepared(**{field: value})

    assert found(event) == [("warn", "M21", field)]
    assert field not in sent(event)
    assert (f"send {instead} instead" in event.findings[0].message) is (instead is not None)


# M22


@pytest.mark.parametrize(
    "fields",
    [
        {"customer_user_id": "u"},
        {"advertising_id": UUID},
        {"oaid": "x"},
        {"amazon_aid": "x"},
        {"imei": "x"},
        {"app_set_id": {"scope": 1, "id": UUID}},
        {"idfa": UUID},
        {"idfv": UUID},
    ],
    ids=str,
)
def test_one_device_id_or_the_customers_is_enough(fields: dict[str, Any]) -> None:
    event = prepared(**{"idfv": None, "customer_user_id": None} | fields)

    assert "M22" not in {item.rule for item in event.findings}


@pytest.mark.parametrize(
    "fields", [{}, {"idfa": ZERO_UUID}, {"advertising_id": ZERO_UUID}], ids=str
)
def test_no_device_id_that_is_sent_is_a_warning(fields: dict[str, Any]) -> None:
    event = prepared(**{"idfv": None, "customer_user_id": None} | fields)

    assert ("warn", "M22", "customer_user_id") in found(event)


# M23


@pytest.mark.parametrize("filling", ["x", "é", "✓", "\U0001f600", '"', "\x01"], ids=ascii)
def test_body_of_1024_bytes_is_sent_and_of_1025_rejected(filling: str) -> None:
    """Bytes as sent: a quotation mark in the event value is escaped twice."""
    empty = len(prepared(ua="").body or b"") + len(',"ua":""')
    each = len(json.dumps(filling, ensure_ascii=False).encode()) - 2
    many = (1024 - empty) // each
    full = filling * many + "x" * (1024 - empty - many * each)

    assert len(prepared(ua=full).body or b"") == 1024
    assert found(prepared(ua=full + "x")) == [("reject", "M23", "event")]


def test_body_too_large_says_its_size_and_the_three_largest_fields() -> None:
    event = prepared(ua="x" * 800, custom_dimension="x" * 500, app_store="x" * 300)

    message = event.findings[0].message
    assert message.endswith("Largest fields: ua, custom_dimension, app_store")
    assert "1024" in message


def test_body_of_64_kilobytes_is_rejected() -> None:
    assert found(prepared(eventValue={"text": "x" * 65_536})) == [("reject", "M23", "event")]


# Text without a JSON form, wherever it may stand


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("appsflyer_id", "M1"),
        ("eventName", "M2"),
        ("advertising_id", "M8"),
        ("oaid", "M8"),
        ("amazon_aid", "M8"),
        ("imei", "M8"),
        ("os", "M12"),
        ("bundleIdentifier", "M13"),
        ("customer_user_id", "M19"),
        ("app_version_name", "M19"),
        ("app_store", "M19"),
        ("ua", "M19"),
        ("custom_dimension", "M19"),
        ("sharing_filter", "M14"),
        ("app_type", "M16"),
        ("fb_login_id", "M18"),
        ("eventCurrency", "M5"),
        ("idfa", "M9"),
    ],
)
def test_half_a_surrogate_pair_is_rejected_under_the_fields_rule(field: str, rule: str) -> None:
    event = prepared(**{field: f"x{SURROGATE}"})

    assert ("reject", rule, field) in found(event)


def test_half_a_surrogate_pair_among_partner_ids_is_rejected() -> None:
    assert found(prepared(sharing_filter=[SURROGATE])) == [("reject", "M14", "sharing_filter")]


# H9


@pytest.mark.parametrize("field", ["customer_user_id", "eventValue", "custom_data"])
def test_clear_email_is_sent_with_a_warning_that_names_the_field(field: str) -> None:
    value = "jane@example.com"
    event = prepared(**{field: value if field == "customer_user_id" else {"a": [{"b": value}]}})

    assert ("warn", "H9", field) in found(event)
    assert value in (event.body or b"").decode()


def test_clear_email_written_with_an_escape_is_seen_too() -> None:
    assert found(prepared(custom_data='{"a":"jane\\u0040example.com"}')) == [
        ("warn", "H9", "custom_data")
    ]
