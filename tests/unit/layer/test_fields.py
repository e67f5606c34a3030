from typing import Any

import pytest

from relay.domain.findings import Findings
from relay.rules.fields import (
    is_absent,
    optional_text,
    reject_unknown,
    showable,
    warn_of_clear_email,
    warn_of_clear_email_in_url,
    without_clear_email,
    without_raw_identity,
    writable,
)

KNOWN = frozenset({"eventName", "ip", "customer_user_id", "eventValue", "ua", "user_id"})


def nested(levels: int) -> Any:
    value: Any = "jane@example.com"
    for _ in range(levels):
        value = {"a": [value]}
    return value


# Absence and text


@pytest.mark.parametrize("value", [None, "", " ", "\t\r\n", "\u3000", "\xa0"], ids=repr)
def test_is_absent_null_and_blank_are_absent(value: object) -> None:
    assert is_absent(value)


@pytest.mark.parametrize("value", [0, False, [], {}, "x", "\x00", "\u200b"], ids=repr)
def test_is_absent_other_values_are_there(value: object) -> None:
    assert not is_absent(value)


@pytest.mark.parametrize("value", ["x" * 10, "é" * 10, "\U0001f600" * 10])
def test_optional_text_of_the_greatest_length_is_kept(value: str) -> None:
    """Lengths are in code points."""
    findings = Findings()

    assert optional_text(value, "W9", "user_agent", findings, longest=10) == value
    assert findings.as_tuple() == ()


def test_optional_text_one_character_longer_is_rejected_with_both_lengths() -> None:
    findings = Findings()

    assert optional_text("x" * 11, "W9", "user_agent", findings, longest=10) is None
    assert "is 11 characters long; at most 10" in findings.as_tuple()[0].message


@pytest.mark.parametrize("value", [0, True, 1.5, [], {}, ["x"]], ids=repr)
def test_optional_text_that_is_no_string_is_rejected_under_its_rule(value: object) -> None:
    findings = Findings()

    assert optional_text(value, "W10", "http_referrer", findings) is None
    assert [(item.rule, item.severity) for item in findings.as_tuple()] == [("W10", "reject")]


# Unknown fields


@pytest.mark.parametrize(
    ("name", "meant"), [("eventname", "eventName"), ("event_name", "eventName"), ("IP", None)]
)
def test_reject_unknown_slip_names_the_nearest_known_field(name: str, meant: str | None) -> None:
    findings = Findings()

    reject_unknown("M21", [name], sorted(KNOWN), findings)

    hint = f"did you mean {meant}?" if meant else "remove it"
    assert hint in findings.as_tuple()[0].message


def test_reject_unknown_many_fields_names_the_first_and_counts_the_rest() -> None:
    """Else the findings of one record would not fit into a dead letter."""
    findings = Findings()

    reject_unknown("M21", [f"field_{number}" for number in range(1_000)], KNOWN, findings)

    heard = findings.as_tuple()
    assert len(heard) < 50
    assert {item.rule for item in heard} == {"M21"}
    assert f"{1_000 - len(heard) + 1} more" in heard[-1].message


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("eventname", True),
        ("device.model-2", True),
        ("_private", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("jane@example.com", False),
        ("+12025550123", False),
        ("12025550123", False),
        ("Jane Doe", False),
        ("naïve", False),
        ("a\nb", False),
        ("a\n", False),
        ("\ud800", False),
    ],
    ids=lambda value: f"{value!r:.24}",
)
def test_showable_name_that_looks_like_data_is_not_shown(name: str, *, is_shown: bool) -> None:
    assert (showable(name) == name) is is_shown


# E-mail addresses in the clear (H9)


@pytest.mark.parametrize(
    "value",
    [
        "jane@example.com",
        "write to jane.doe+shop@mail.example.com!",
        "ｊａｎｅ@example.com",
        "a@b.co",
        {"note": "jane@example.com"},
        {"jane@example.com": 1},
        [[{"deep": ["x", "jane@example.com"]}]],
        nested(100_000),
    ],
    ids=lambda value: (
        f"{value!r:.24}" if not isinstance(value, dict) or "a" not in value else "deep"
    ),
)
def test_warn_of_clear_email_anywhere_in_a_value_warns_once(value: object) -> None:
    findings = Findings()

    warn_of_clear_email("eventValue", value, findings)

    assert [(item.rule, item.severity, item.field) for item in findings.as_tuple()] == [
        ("H9", "warn", "eventValue")
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "@",
        "@example.com",
        "jane@",
        "jane@example",
        "jane@example.c",
        "jane @example.com",
        "a@b@c",
        "price/@example.com",
        ["jane", "@example.com"],
        "@." * 30_000,
    ],
    ids=lambda value: f"{value!r:.24}",
)
def test_warn_of_clear_email_what_is_no_address_is_left_alone(value: object) -> None:
    findings = Findings()

    warn_of_clear_email("eventValue", value, findings)

    assert findings.as_tuple() == ()


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("https://example.com/?mail=jane@example.com", True),
        ("https://example.com/?mail=jane%40example.com", True),
        ("https://example.com/jane%40example%2Ecom", True),
        ("https://jane@example.com/", True),
        ("https://example.com/?mail=jane%2540example.com", False),
        ("https://example.com/@jane", False),
        ("https://example.com/", False),
    ],
)
def test_warn_of_clear_email_in_url_looks_after_percent_decoding(url: str, *, warns: bool) -> None:
    findings = Findings()

    warn_of_clear_email_in_url("event_url", url, findings)

    assert [item.rule for item in findings.as_tuple()] == ["H9"] * warns


def test_without_clear_email_text_of_somebody_else_loses_the_address_alone() -> None:
    text = without_clear_email("no user jane.doe@example.com/x at b@c")

    assert text == "no user (an e-mail address)/x at (an e-mail address)"


# What may be kept of an event


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "phone",
        "first_name",
        "last_name",
        "phone_region",
        "email_hashed",
        "phone_number_e164_hashed",
        "e_mail",
        "Email",
        "emial",
        "phnoe",
        "userPhone",
        "mobile_number",
        "firstname",
        "surname",
        "telephone",
    ],
)
def test_without_raw_identity_field_of_identity_is_not_kept(name: str) -> None:
    kept = without_raw_identity({name: "Jane", "eventName": "x"}, KNOWN, {}, is_sent=False)

    assert kept == {"eventName": "x"}


@pytest.mark.parametrize(
    "value",
    [
        "jane@example.com",
        ["jane@example.com"],
        {"email": "Jane"},
        {"user": {"firstName": "Jane"}},
        {"contact": "jane@example.com"},
    ],
    ids=str,
)
@pytest.mark.parametrize("field", ["contact", "ip"])
def test_without_raw_identity_identity_inside_another_field_is_not_kept(
    field: str, value: object
) -> None:
    assert without_raw_identity({field: value}, KNOWN, {}, is_sent=False) == {}


def test_without_raw_identity_slip_that_is_no_identity_is_kept_to_be_put_right() -> None:
    event = {"evntValue": {"price": 5}, "price": 49, "ip": "192.0.2.1"}

    assert without_raw_identity(event, KNOWN, {}, is_sent=False) == event


def test_without_raw_identity_of_a_user_only_the_ids_are_kept() -> None:
    user = {"customer_user_id": "u-1", "email": "x", "contact": "jane@example.com", "plan": "pro"}

    kept = without_raw_identity({"user_id": user}, KNOWN, {}, is_sent=False)

    assert kept == {"user_id": {"customer_user_id": "u-1", "plan": "pro"}}


def test_without_raw_identity_what_h9_leaves_to_its_owner_is_kept() -> None:
    event = {"customer_user_id": "jane@example.com", "eventValue": {"email": "jane@example.com"}}

    assert without_raw_identity(event, KNOWN, {}, is_sent=False) == event


def test_without_raw_identity_object_as_customer_user_id_is_not_kept() -> None:
    event = {"customer_user_id": {"email": "jane@example.com"}}

    assert without_raw_identity(event, KNOWN, {}, is_sent=False) == {}


def test_without_raw_identity_of_what_is_sent_every_known_field_is_kept() -> None:
    """Else the payload made from it would be another one."""
    event = {"eventName": "jane@example.com", "ua": "x", "e_mail": None}

    kept = without_raw_identity(event, KNOWN, {"email_hashed": "0" * 64}, is_sent=True)

    assert kept == {"eventName": "jane@example.com", "ua": "x", "email_hashed": "0" * 64}


def test_without_raw_identity_user_id_nested_without_end_is_no_trouble() -> None:
    value: Any = "x"
    for _ in range(100_000):
        value = {"user_id": value}

    assert without_raw_identity(value, KNOWN, {}, is_sent=False).keys() == {"user_id"}


def test_writable_event_without_trouble_is_the_same_event() -> None:
    event = {"eventName": "x", "eventValue": {"a": 1}}

    assert writable(event) is event


def test_writable_event_loses_only_what_has_no_json_form() -> None:
    event = {"eventName": "x", "ua": "\ud800", "\ud800": 1, "deep": nested(300)}

    assert writable(event) == {"eventName": "x"}


def test_without_raw_identity_of_thousands_of_made_up_fields_keeps_the_known_ones_only() -> None:
    event = {"eventName": "login", **{f"made-up-{number}": "x" for number in range(5_000)}}

    kept = without_raw_identity(event, {"eventName"}, {}, is_sent=False)

    assert kept == {"eventName": "login"}


def test_without_raw_identity_drops_an_address_where_a_time_belongs() -> None:
    event = {"eventTime": "jane@example.com"}

    assert without_raw_identity(event, {"eventTime"}, {}, is_sent=True) == {}
