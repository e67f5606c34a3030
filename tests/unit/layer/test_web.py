"""What the 311 cases of the contract leave open about web events and visits, rule by rule."""

import json
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from relay.domain.kinds import App, Kind
from relay.rules.prepare import prepare
from tests.builders import NOW, WEB_APP, make_web_event
from tests.hostile_values import (
    SURROGATE,
    absent,
    found,
    nested,
    prepared_visit,
    prepared_web,
    sent,
    wrong_types,
)

both = pytest.mark.parametrize("surface", [prepared_web, prepared_visit], ids=["event", "visit"])


@both
def test_build_event_without_a_fault_has_no_findings(surface: Any) -> None:
    assert found(surface()) == []


# W1


@wrong_types("object", "object of text", "20000 levels")
@both
def test_user_id_of_a_wrong_type_is_rejected(surface: Any, value: object) -> None:
    assert found(surface(user_id=value)) == [("reject", "W1", "user_id")]


@pytest.mark.parametrize(
    "user",
    [None, "u-1", {}, {"customer_user_id": None}, {"customer_user_id": " ", "appsflyer_id": ""}],
    ids=str,
)
@both
def test_user_id_that_names_nobody_is_rejected(surface: Any, user: object) -> None:
    assert found(surface(user_id=user)) == [("reject", "W1", "user_id")]


@pytest.mark.parametrize("key", ["email", "customerUserId", "", SURROGATE], ids=ascii)
def test_user_id_with_another_key_is_rejected(key: str) -> None:
    assert found(prepared_web(user_id={"customer_user_id": "u", key: "x"})) == [
        ("reject", "W1", "user_id")
    ]


@wrong_types()
@pytest.mark.parametrize("key", ["customer_user_id", "appsflyer_id"])
def test_user_id_of_something_but_text_is_rejected(key: str, value: object) -> None:
    assert found(prepared_web(user_id={key: value})) == [("reject", "W1", f"user_id.{key}")]


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_customer_user_id_of_64_characters_is_sent_and_of_65_rejected(character: str) -> None:
    user = {"customer_user_id": character * 64}

    assert sent(prepared_web(user_id=user))["user_id"] == user
    assert found(prepared_web(user_id={"customer_user_id": character * 65})) == [
        ("reject", "W1", "user_id.customer_user_id")
    ]


def test_appsflyer_id_of_a_user_has_no_greatest_length() -> None:
    assert sent(prepared_web(user_id={"appsflyer_id": "x" * 5_000}))


def test_user_id_that_is_absent_beside_the_other_is_not_sent() -> None:
    event = prepared_web(user_id={"customer_user_id": " ", "appsflyer_id": "a"})

    assert sent(event)["user_id"] == {"appsflyer_id": "a"}


# W2


@wrong_types()
def test_event_name_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared_web(event_name=value)) == [("reject", "W2", "event_name")]


@absent
def test_event_name_that_is_absent_is_rejected(value: str | None) -> None:
    assert found(prepared_web(event_name=value)) == [("reject", "W2", "event_name")]


@pytest.mark.parametrize("name", ["a@b", "a=b", "a+b", "a-b", "-", "@=+-"])
def test_event_name_with_a_forbidden_character_is_rejected(name: str) -> None:
    assert found(prepared_web(event_name=name)) == [("reject", "W2", "event_name")]


@pytest.mark.parametrize("name", ["x", "x" * 64, "é" * 64, "a b_c.d/e", "－＠"])
def test_event_name_of_up_to_64_other_characters_is_sent(name: str) -> None:
    assert sent(prepared_web(event_name=name))["event_name"] == name


def test_event_name_of_65_characters_is_rejected() -> None:
    assert found(prepared_web(event_name="x" * 65)) == [("reject", "W2", "event_name")]


# W3, W4


@pytest.mark.parametrize(
    ("revenue", "text"),
    [
        (0, "0"),
        (-5, "-5"),
        (Decimal("49.90"), "49.90"),
        (Decimal("1E+3"), "1000"),
        (2**70, "1180591620717411303424"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e22, "10000000000000000000000"),
    ],
    ids=repr,
)
def test_revenue_is_written_plainly(revenue: object, text: str) -> None:
    event = prepared_web(event_revenue=revenue)

    assert f'"event_revenue":{text},' in (event.body or b"").decode()
    assert event.has_revenue


@pytest.mark.parametrize(
    "revenue",
    ["49.99", "", "x", True, False, [], [5], {}, float("nan"), float("-inf"), Decimal("NaN"),
     Decimal("1E+401"), 10**5_000],
    ids=count(),
)  # fmt: skip
def test_revenue_that_is_no_json_number_is_rejected(revenue: object) -> None:
    assert found(prepared_web(event_revenue=revenue)) == [("reject", "W3", "event_revenue")]


def test_revenue_that_is_absent_is_no_revenue() -> None:
    event = prepared_web(event_revenue=None, event_revenue_currency=None)

    assert found(event) == []
    assert not event.has_revenue


@absent
def test_currency_missing_beside_revenue_is_a_warning(value: str | None) -> None:
    event = prepared_web(event_revenue_currency=value)

    assert found(event) == [("warn", "W4", "event_revenue_currency")]
    assert "event_revenue_currency" not in sent(event)


@wrong_types()
def test_currency_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared_web(event_revenue_currency=value)) == [
        ("reject", "W4", "event_revenue_currency")
    ]


@pytest.mark.parametrize(
    ("field", "rule", "value"),
    [
        ("event_name", "W2", "purchase"),
        ("event_revenue", "W3", 0),
        ("event_revenue_currency", "W4", "USD"),
    ],
)
def test_visit_with_a_field_of_events_is_rejected_under_its_rule(
    field: str, rule: str, value: object
) -> None:
    assert found(prepared_visit(**{field: value})) == [("reject", rule, field)]


@pytest.mark.parametrize("field", ["event_name", "event_revenue", "event_revenue_currency"])
def test_visit_with_null_in_a_field_of_events_is_fine(field: str) -> None:
    assert found(prepared_visit(**{field: None})) == []


# W5


@pytest.mark.parametrize("value", ["", "{}", 5, True, [], [{}]], ids=repr)
@both
def test_event_value_that_is_no_object_is_rejected(surface: Any, value: object) -> None:
    assert found(surface(event_value=value)) == [("reject", "W5", "event_value")]


@both
def test_event_value_is_sent_as_the_object_it_is(surface: Any) -> None:
    value = {"b": [1, {"c": None}], "a": "é", "custom_parameters": {"x": True}}
    event = surface(event_value=value)

    assert list(sent(event)["event_value"].items()) == list(value.items())


@pytest.mark.parametrize("value", ["x", "", 5, False, []], ids=repr)
def test_custom_parameters_of_a_wrong_type_are_rejected(value: object) -> None:
    assert found(prepared_web(event_value={"custom_parameters": value})) == [
        ("reject", "W5", "event_value.custom_parameters")
    ]


def test_custom_parameters_that_are_null_are_absent() -> None:
    event = prepared_web(event_value={"a": 1, "custom_parameters": None})

    assert found(event) == []
    assert sent(event)["event_value"] == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [{"a": SURROGATE}, {SURROGATE: 1}, {"a": Decimal("1E+401")}, {"a": 10**5_000}, nested(260),
     nested(20_000)],
    ids=["text", "key", "number", "int", "deep", "very deep"],
)  # fmt: skip
def test_event_value_without_a_json_form_is_rejected(value: object) -> None:
    assert found(prepared_web(event_value=value)) == [("reject", "W5", "event_value")]


# W6


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com",
        "http://example.com:8080/a?b=c#d",
        "HTTPS://EXAMPLE.COM/",
        "https://bücher.example.com/ä",
        "https://[2001:db8::1]/",
        "https://192.0.2.1/",
        "https://example.com/" + "x" * 4_076,
        "https://example.com/" + "é" * 4_076,
    ],
    ids=lambda value: f"{value[:30]}-{len(value.encode())}",
)
@both
def test_event_url_of_http_is_sent_as_it_stands(surface: Any, url: str) -> None:
    assert sent(surface(event_url=url))["event_url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "www.example.com/a",
        "//example.com",
        "/a",
        "https:",
        "https://",
        "https:///a",
        "https://:443/",
        "https://example.com:x/",
        "https://example.com:99999/",
        "https://[::1/",
        "ftp://example.com",
        "javascript:alert(1)",
        "app://example.com",
        " https://example.com",
        "https://exam ple.com",
        "https://example.com/a\nb",
        "https://example.com/\x00",
        "https://example.com/\x7f",
        "https://example.com/" + "x" * 4_077,
        "https://example.com/" + SURROGATE,
        "https://exa\u2100mple.com/",
    ],
    ids=count(),
)
@both
def test_event_url_that_is_none_is_rejected(surface: Any, url: str) -> None:
    assert found(surface(event_url=url)) == [("reject", "W6", "event_url")]


@wrong_types()
@both
def test_event_url_of_a_wrong_type_is_rejected(surface: Any, value: object) -> None:
    assert found(surface(event_url=value)) == [("reject", "W6", "event_url")]


@absent
def test_event_url_that_is_absent_is_rejected_on_a_visit_alone(value: str | None) -> None:
    assert found(prepared_visit(event_url=value)) == [("reject", "W6", "event_url")]
    assert found(prepared_web(event_url=value)) == []


# W7


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        # `date -u -d @1772452740` is 2026-03-02 11:59:00
        (1_772_452_740, 1_772_452_740_000),
        ("2026-03-02T11:59:00Z", 1_772_452_740_000),
        ("2026-03-02T12:59:00.123999+01:00", 1_772_452_740_123),
        (" 2026-03-02 11:59:00 +0000 ", 1_772_452_740_000),
    ],
)
@both
def test_timestamp_in_another_form_is_repaired(
    surface: Any, value: object, milliseconds: int
) -> None:
    event = surface(timestamp=value)

    assert found(event) == [("repair", "W7", "timestamp")]
    assert sent(event)["timestamp"] == milliseconds


def test_timestamp_of_2001_is_the_first_that_is_taken() -> None:
    """W7: `date -u -d 2001-01-01 +%s` is 978307200; nine digits of seconds make no sense."""
    first = prepared_web(timestamp=978_307_200_000)

    assert sent(first)["timestamp"] == 978_307_200_000
    assert found(prepared_web(timestamp=978_307_199_999)) == [("reject", "W7", "timestamp")]


@pytest.mark.parametrize(
    "value",
    ["", " ", "x", "1772452740000", "2026-03-02T11:59:00", "2026-03-02", "2000-12-31T23:59:59.999Z",
     "2026-06-30T23:59:60Z", 0, -1, 978_307_200, 177_245_274_000, 1_772_452_740_000_000, 10**5_000,
     True, False, 1_772_452_740_000.0, Decimal("1772452740000.0"), Decimal("1.5"), [], {},
     float("nan"), SURROGATE],
    ids=count(),
)  # fmt: skip
@both
def test_timestamp_of_another_kind_is_rejected(surface: Any, value: object) -> None:
    assert found(surface(timestamp=value)) == [("reject", "W7", "timestamp")]


# W8, W9, W10, W11


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "2001:DB8:0:0:0:0:0:1"]
)
@both
def test_ip_of_either_version_is_sent_as_it_stands(surface: Any, address: str) -> None:
    assert sent(surface(ip=address))["ip"] == address


@pytest.mark.parametrize(
    "address", ["192.0.2", "192.0.2.1:80", "192.0.2.1/32", "[::1]", "x", "192.0.2.1\n", SURROGATE],
    ids=ascii,
)  # fmt: skip
def test_ip_that_is_none_is_rejected(address: str) -> None:
    assert found(prepared_web(ip=address)) == [("reject", "W8", "ip")]


def test_ip_of_47_characters_is_rejected_for_its_length() -> None:
    address = "2001:0db8:0000:0000:0000:0000:0000:0001%" + "x" * 7

    assert found(prepared_web(ip=address[:46])) == []
    assert "47 characters" in prepared_web(ip=address).findings[0].message


def test_user_agent_of_1024_characters_is_sent_and_of_1025_rejected() -> None:
    assert sent(prepared_web(user_agent="é" * 1_024))
    assert found(prepared_web(user_agent="x" * 1_025)) == [("reject", "W9", "user_agent")]


OPTIONAL_TEXTS = [
    ("ip", "W8"),
    ("user_agent", "W9"),
    ("http_referrer", "W10"),
    ("customer_dedup_id", "W11"),
]


@wrong_types()
@pytest.mark.parametrize(("field", "rule"), OPTIONAL_TEXTS)
@both
def test_optional_text_of_a_wrong_type_is_rejected(
    surface: Any, field: str, rule: str, value: object
) -> None:
    assert found(surface(**{field: value})) == [("reject", rule, field)]


@absent
@pytest.mark.parametrize(("field", "rule"), OPTIONAL_TEXTS)
@both
def test_optional_text_that_is_absent_is_not_sent(
    surface: Any, field: str, rule: str, value: str | None
) -> None:
    event = surface(**{field: value})

    assert found(event) == [], rule
    assert field not in sent(event)


@pytest.mark.parametrize(
    ("field", "rule"),
    [("event_name", "W2"), ("user_agent", "W9"), ("http_referrer", "W10"),
     ("customer_dedup_id", "W11")],
)  # fmt: skip
def test_half_a_surrogate_pair_is_rejected_under_the_fields_rule(field: str, rule: str) -> None:
    assert found(prepared_web(**{field: SURROGATE})) == [("reject", rule, field)]


def test_half_a_surrogate_pair_in_the_users_id_is_rejected() -> None:
    assert found(prepared_web(user_id={"appsflyer_id": SURROGATE})) == [("reject", "W1", "user_id")]


@pytest.mark.parametrize(
    ("given", "event_id", "sent_id"),
    [
        (None, "order-1", "order-1"),
        ("", "order-1", "order-1"),
        (" ", "order-1", "order-1"),
        ("own", "order-1", "own"),
        ("own", None, "own"),
        (None, None, None),
        (None, "", None),
    ],
)
@pytest.mark.parametrize("kind", [Kind.WEB_EVENT, Kind.WEB_VISIT])
def test_customer_dedup_id_is_the_producers_or_else_the_event_id(
    kind: Kind, given: str | None, event_id: str | None, sent_id: str | None
) -> None:
    """W11."""
    event = {"user_id": {"customer_user_id": "u"}, "customer_dedup_id": given}
    event |= {"event_name": "x"} if kind is Kind.WEB_EVENT else {"event_url": "https://example.com"}

    prepared = prepare(kind, App(WEB_APP), event, NOW, event_id)

    assert sent(prepared).get("customer_dedup_id") == sent_id


# W13


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("eventName", "did you mean event_name?"),
        ("url", "did you mean event_url?"),
        ("event_revenu", "did you mean event_revenue?"),
        ("userid", "did you mean user_id?"),
        ("appsflyer_id", "did you mean user_id?"),
        ("zzzzzz", "put it into the event value"),
    ],
)
@both
def test_unknown_field_is_rejected_naming_the_nearest_one(
    surface: Any, field: str, hint: str
) -> None:
    event = surface(**{field: "x"})

    assert found(event) == [("reject", "W13", field)]
    assert hint in event.findings[0].message


@both
def test_unknown_field_that_is_null_is_absent(surface: Any) -> None:
    assert found(surface(eventName=None)) == []


# H9, and the body


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"user_id": {"customer_user_id": "jane@example.com"}}, "user_id.customer_user_id"),
        ({"event_value": {"a": ["jane@example.com"]}}, "event_value"),
        ({"event_value": {"jane@example.com": 1}}, "event_value"),
        ({"event_url": "https://example.com/?u=jane%40example.com"}, "event_url"),
        ({"http_referrer": "https://example.com/?u=jane@example.com"}, "http_referrer"),
    ],
    ids=str,
)
@both
def test_clear_email_is_sent_with_a_warning_that_names_the_field(
    surface: Any, fields: dict[str, Any], where: str
) -> None:
    event = surface(**fields)

    assert found(event) == [("warn", "H9", where)]
    assert event.verdict == "send"


def test_body_of_a_web_event_has_no_greatest_size() -> None:
    """E5."""
    assert len(prepared_web(event_value={"text": "x" * 65_536}).body or b"") > 65_536


def test_body_of_a_web_event_is_compact_and_holds_its_fields_once() -> None:
    event = prepare(Kind.WEB_EVENT, App(WEB_APP), make_web_event(event_name="é"), NOW, "order-1")

    assert (
        event.body
        == json.dumps(
            {
                "user_id": {"customer_user_id": "user-1"},
                "event_name": "é",
                "event_revenue": 9.99,
                "event_revenue_currency": "USD",
                "timestamp": 1772452740000,
                "customer_dedup_id": "order-1",
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
    )
