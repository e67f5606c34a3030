"""What happened, to whom, for how much and when: M1 to M6, M17 and M19."""

from decimal import Decimal

import pytest

from tests.builders import NOW
from tests.hostile_values import (
    SURROGATE,
    absent,
    found,
    nested,
    prepared,
    sent,
    wrong_types,
)

# M1, M2


@wrong_types()
def test_appsflyer_id_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared(appsflyer_id=value)) == [("reject", "M1", "appsflyer_id")]


@pytest.mark.parametrize("value", ["1-1", "1415211453000-6513894", "1415211453000-" + "1" * 19])
def test_appsflyer_id_of_digits_and_digits_is_sent(value: str) -> None:
    event = prepared(appsflyer_id=value)

    assert found(event) == []
    assert sent(event)["appsflyer_id"] == value


@pytest.mark.parametrize("value", ["x", "1415211453000", "1-2-3", "-", "１-１", " 1-1", "1-1\n"])
def test_appsflyer_id_of_another_form_is_sent_with_a_warning(value: str) -> None:
    event = prepared(appsflyer_id=value)

    assert found(event) == [("warn", "M1", "appsflyer_id")]
    assert sent(event)["appsflyer_id"] == value


@wrong_types()
def test_event_name_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared(eventName=value)) == [("reject", "M2", "eventName")]


@absent
def test_event_name_that_is_absent_is_rejected(value: str | None) -> None:
    assert found(prepared(eventName=value)) == [("reject", "M2", "eventName")]


# M3, M4


@pytest.mark.parametrize(
    "value",
    [None, "", " ", {}, "{}", " { } "],
    ids=["null", "empty", "blank", "{}", "text", "text2"],
)
def test_event_value_without_content_is_sent_as_an_empty_string(value: object) -> None:
    event = prepared(eventValue=value, eventCurrency=None)

    assert sent(event)["eventValue"] == ""


@wrong_types("object", "object of text", "20000 levels")
def test_event_value_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared(eventValue=value)) == [("reject", "M3", "eventValue")]


@pytest.mark.parametrize(
    "value",
    ["[]", "5", '"x"', "null", "true", "{", "{'a':1}", '{"a":NaN}', "af_revenue=5", SURROGATE],
)
def test_event_value_text_that_is_no_object_is_rejected(value: str) -> None:
    assert found(prepared(eventValue=value)) == [("reject", "M3", "eventValue")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": "é"}, '{"b":1,"a":"é"}'),
        ('{ "b" : 1e3, "a": [ 1.50, {"c": 1E-3} ] }', '{"b":1000,"a":[1.50,{"c":0.001}]}'),
        ('{"a":"\\u00e9\\u0041"}', '{"a":"éA"}'),
        ({"n": Decimal("1E+2"), "f": 0.1 + 0.2}, '{"n":100,"f":0.30000000000000004}'),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ({"a": None, "b": True}, '{"a":null,"b":true}'),
    ],
)
def test_event_value_is_written_compactly_with_plain_numbers(value: object, text: str) -> None:
    assert sent(prepared(eventValue=value))["eventValue"] == text


@pytest.mark.parametrize(
    "value",
    [
        {"a": SURROGATE},
        {SURROGATE: 1},
        {"a": Decimal("1E+999999")},
        {"a": 10**5_000},
        nested(300),
        nested(20_000),
        '{"a":"\\ud800"}',
        '{"a":1e999999}',
        '{"a":' * 300 + "1" + "}" * 300,
    ],
    ids=[
        "text",
        "key",
        "number",
        "int",
        "deep",
        "very deep",
        "json text",
        "json number",
        "json deep",
    ],
)
def test_event_value_without_a_json_form_is_rejected(value: object) -> None:
    assert found(prepared(eventValue=value)) == [("reject", "M3", "eventValue")]


@pytest.mark.parametrize(
    "value",
    ["[" * 100_000, '{"a":' * 100_000, '{"a":1e99999999999999999999}'],
    ids=["arrays", "objects", "exponent"],
)
def test_event_value_text_that_cannot_be_read_is_rejected(value: str) -> None:
    assert found(prepared(eventValue=value)) == [("reject", "M3", "eventValue")]


@pytest.mark.parametrize(
    ("revenue", "text"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("6.00"), "6.00"),
        (Decimal("-0.0"), "-0.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("6.00", '"6.00"'),
        ("007", '"007"'),
        (2**70, "1180591620717411303424"),
    ],
    ids=str,
)
def test_revenue_that_is_legal_keeps_its_digits_and_its_type(revenue: object, text: str) -> None:
    event = prepared(eventValue={"af_revenue": revenue})

    assert sent(event)["eventValue"] == f'{{"af_revenue":{text}}}'
    assert event.has_revenue


@pytest.mark.parametrize(
    "revenue",
    ["1e3", "5\n", "１２", None, True, [5], {"a": 5}, Decimal("NaN"), float("inf")],
    ids=str,
)
def test_revenue_that_is_illegal_is_rejected(revenue: object) -> None:
    assert ("reject", "M4", "eventValue.af_revenue") in found(
        prepared(eventValue={"af_revenue": revenue})
    )


def test_revenue_in_json_text_is_held_to_the_same_rule() -> None:
    assert found(prepared(eventValue='{"af_revenue":"1,234"}')) == [
        ("reject", "M4", "eventValue.af_revenue")
    ]


def test_revenue_of_1e400_is_written_with_all_its_zeros() -> None:
    event = prepared(eventValue='{"af_revenue":1e400}')

    assert sent(event)["eventValue"] == f'{{"af_revenue":1{"0" * 400}}}'


# M5


@pytest.mark.parametrize("currency", [None, "", " "], ids=["null", "empty", "blank"])
def test_currency_missing_beside_revenue_is_a_warning(currency: str | None) -> None:
    event = prepared(eventCurrency=currency)

    assert found(event) == [("warn", "M5", "eventCurrency")]
    assert "eventCurrency" not in sent(event)


def test_currency_missing_without_revenue_is_fine() -> None:
    assert found(prepared(eventValue={"a": 1}, eventCurrency=None)) == []


@wrong_types()
def test_currency_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared(eventCurrency=value)) == [("reject", "M5", "eventCurrency")]


# M6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-03-02T11:59:00.1Z", "2026-03-02 11:59:00.100"),
        ("2026-03-02T13:59:00.1239+02:00", "2026-03-02 11:59:00.123"),
        ("2026-03-02 11:59", "2026-03-02 11:59:00.000"),
        (1_772_452_740_123, "2026-03-02 11:59:00.123"),
        (1_772_452_740, "2026-03-02 11:59:00.000"),
        (Decimal("1772452740123.0"), "2026-03-02 11:59:00.123"),
    ],
)
def test_event_time_is_sent_in_the_documented_form(value: object, text: str) -> None:
    event = prepared(eventTime=value)

    assert found(event) == []
    assert sent(event)["eventTime"] == text


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-02",
        "1772452740123",
        "2026-06-30T23:59:60Z",
        "noon",
        SURROGATE,
        -1,
        10**5_000,
        True,
        Decimal("1.5"),
        Decimal("1E+999999"),
        [],
        {},
        nested(20_000),
    ],
    ids=[
        "date",
        "digits",
        "leap second",
        "word",
        "surrogate",
        "negative",
        "huge",
        "true",
        "fraction",
        "exponent",
        "array",
        "object",
        "deep",
    ],
)
def test_event_time_that_is_none_is_left_out_with_a_warning(value: object) -> None:
    event = prepared(eventTime=value)

    assert found(event) == [("warn", "M6", "eventTime")]
    assert "eventTime" not in sent(event)
    assert event.recorded == (NOW, "arrival", "T1")
    assert event.deadline is None


@absent
def test_event_time_that_is_absent_is_no_finding(value: str | None) -> None:
    event = prepared(eventTime=value)

    assert found(event) == []
    assert event.recorded == (NOW, "arrival", "T1")


# M17


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ("{}", "{}"),
        ({"n": Decimal("1E+1")}, '{"n":10}'),
        ('{ "a" : "é" }', '{"a":"é"}'),
    ],
)
def test_custom_data_is_sent_as_a_string(value: object, text: str) -> None:
    assert sent(prepared(custom_data=value))["custom_data"] == text


@wrong_types("object", "object of text")
def test_custom_data_of_a_wrong_type_or_form_is_rejected(value: object) -> None:
    assert found(prepared(custom_data=value)) == [("reject", "M17", "custom_data")]


@pytest.mark.parametrize("value", ["x", "[]", "5", "null", "{", '{"a":"\\ud800"}'])
def test_custom_data_text_that_is_no_object_is_rejected(value: str) -> None:
    assert found(prepared(custom_data=value)) == [("reject", "M17", "custom_data")]


# M19


TEXTS = ["customer_user_id", "app_version_name", "app_store", "ua", "custom_dimension"]


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        (0, "0"),
        (-5, "-5"),
        (12345678901234567890, "12345678901234567890"),
        (Decimal("9" * 40), "9" * 40),
        (Decimal("5.0"), "5"),
        (Decimal("1E+3"), "1000"),
        (5.0, "5"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("field", TEXTS)
def test_text_that_is_an_integer_is_repaired_to_its_digits(
    field: str, value: object, digits: str
) -> None:
    event = prepared(**{field: value})

    assert found(event) == [("repair", "M19", field)]
    assert sent(event)[field] == digits


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        [],
        ["x"],
        {},
        1.5,
        Decimal("1.5"),
        float("nan"),
        float("inf"),
        Decimal("1E+401"),
        10**5_000,
        nested(20_000),
    ],
    ids=[
        "true",
        "false",
        "array",
        "array of text",
        "object",
        "float",
        "fraction",
        "NaN",
        "infinity",
        "exponent",
        "int of 5001 digits",
        "deep",
    ],
)
@pytest.mark.parametrize("field", TEXTS)
def test_text_of_a_wrong_type_is_rejected(field: str, value: object) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M19", field)]
