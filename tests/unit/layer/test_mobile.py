"""What the 311 cases of the contract leave open about mobile events, rule by rule."""

import json
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from relay.mobile.draft import Platform, platform_of
from relay.preparation import App, Kind, Prepared, prepare
from tests.builders import MOBILE_APP, NOW, make_event

IOS, ANDROID, WINDOWS = MOBILE_APP, "com.example.shop", "9nblggh4nns1"
UUID = "F47AC10B-58CC-4372-A567-0E02B2C3D479"
ZERO_UUID = "00000000-0000-0000-0000-000000000000"
SURROGATE = "\ud800"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


WRONG_TYPES: dict[str, object] = {
    "int": 5,
    "decimal": Decimal("1.5"),
    "float": 1.5,
    "true": True,
    "false": False,
    "array": [],
    "array of text": ["x"],
    "object": {},
    "object of text": {"a": "x"},
    "100000 levels": nested(100_000),
}


def prepared(app_id: str = IOS, region: str | None = None, **fields: Any) -> Prepared:
    """An event without a fault, with these fields instead of its own; None leaves one out."""
    return prepare(Kind.MOBILE_EVENT, App(app_id, "UTC", region), make_event(**fields), NOW)


def found(event: Prepared) -> list[tuple[str, str, str]]:
    return [(item.severity.value, item.rule, item.field) for item in event.findings]


def sent(event: Prepared) -> dict[str, Any]:
    assert event.body is not None, event.findings
    body: dict[str, Any] = json.loads(event.body)
    return body


def wrong_types(*but: str) -> pytest.MarkDecorator:
    """Every JSON type but those that the field takes."""
    left = {name: value for name, value in WRONG_TYPES.items() if name not in but}
    return pytest.mark.parametrize("value", list(left.values()), ids=list(left))


ABSENT = pytest.mark.parametrize("value", [None, "", "  \t"], ids=["null", "empty", "blank"])


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


@ABSENT
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


@wrong_types("object", "object of text", "100000 levels")
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
        nested(100_000),
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


def test_revenue_of_1e400_is_plain_but_too_large_to_be_sent_with_more() -> None:
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
        nested(100_000),
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


@ABSENT
def test_event_time_that_is_absent_is_no_finding(value: str | None) -> None:
    event = prepared(eventTime=value)

    assert found(event) == []
    assert event.recorded == (NOW, "arrival", "T1")


# M7


@pytest.mark.parametrize("value", ["192.0.2.1", "0.0.0.1", "255.255.255.255"])
def test_ip_of_version_4_is_sent(value: str) -> None:
    assert sent(prepared(ip=value))["ip"] == value


@pytest.mark.parametrize("value", ["::ffff:192.0.2.1", "::FFFF:C000:201"])
def test_ip_mapped_is_repaired_to_version_4(value: str) -> None:
    event = prepared(ip=value)

    assert found(event) == [("repair", "M7", "ip")]
    assert sent(event)["ip"] == "192.0.2.1"


@pytest.mark.parametrize("value", ["2001:db8::1", "::1", "::192.0.2.1", "fe80::1%eth0"])
def test_ip_of_version_6_is_left_out_with_a_warning(value: str) -> None:
    event = prepared(ip=value)

    assert found(event) == [("warn", "M7", "ip")]
    assert "ip" not in sent(event)


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1.",
        "192.0.2.01",
        "192.0.2.1\n",
        " 192.0.2.1",
        "192.0.2.1/32",
        "192.0.2.1:80",
        "3221225985",
        "0xC0000201",
        "localhost",
        "１９２.0.2.1",
        "x" * 65_536,
        SURROGATE,
    ],
    ids=lambda value: f"{value!r:.16}",
)
def test_ip_that_is_none_is_rejected(value: str) -> None:
    assert found(prepared(ip=value)) == [("reject", "M7", "ip")]


@wrong_types()
def test_ip_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared(ip=value)) == [("reject", "M7", "ip")]


# M8


ANDROID_IDS = ["advertising_id", "oaid", "amazon_aid", "imei"]


@wrong_types()
@pytest.mark.parametrize("field", ANDROID_IDS)
def test_android_id_of_a_wrong_type_is_rejected(field: str, value: object) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M8", field)]


@pytest.mark.parametrize("app_id", [IOS, WINDOWS])
@pytest.mark.parametrize("field", ANDROID_IDS)
def test_android_id_on_another_platform_is_sent_with_a_warning(field: str, app_id: str) -> None:
    event = prepared(app_id, idfv=None, **{field: "x-1"})

    assert found(event) == [("warn", "M8", field)]
    assert sent(event)[field] == "x-1"


@pytest.mark.parametrize("field", ["oaid", "amazon_aid", "imei"])
def test_android_id_other_than_the_advertising_id_may_be_zero(field: str) -> None:
    assert sent(prepared(ANDROID, idfv=None, **{field: ZERO_UUID}))[field] == ZERO_UUID


@pytest.mark.parametrize("app_id", [IOS, ANDROID, WINDOWS])
def test_advertising_id_of_zeros_is_left_out_with_a_warning(app_id: str) -> None:
    event = prepared(app_id, idfv=None, advertising_id=ZERO_UUID)

    assert found(event) == [("warn", "M8", "advertising_id")]
    assert "advertising_id" not in sent(event)


@pytest.mark.parametrize("scope", [1, 2])
def test_app_set_id_in_its_form_is_sent_on_android(scope: int) -> None:
    event = prepared(ANDROID, idfv=None, app_set_id={"scope": scope, "id": UUID.lower()})

    assert found(event) == []
    assert sent(event)["app_set_id"] == {"scope": scope, "id": UUID.lower()}


def test_app_set_id_on_another_platform_is_sent_with_a_warning() -> None:
    assert found(prepared(app_set_id={"scope": 1, "id": UUID})) == [("warn", "M8", "app_set_id")]


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        UUID,
        1,
        True,
        [],
        {},
        {"scope": 1},
        {"id": UUID},
        {"scope": 0, "id": UUID},
        {"scope": 3, "id": UUID},
        {"scope": True, "id": UUID},
        {"scope": "1", "id": UUID},
        {"scope": Decimal("1.0"), "id": UUID},
        {"scope": 1, "id": UUID, "x": 1},
        {"scope": 1, "id": 5},
        {"scope": 1, "id": UUID + "\n"},
        {"scope": 1, "id": UUID[:-1]},
        {"scope": 1, "id": None},
        nested(100_000),
    ],
    ids=count(),
)
def test_app_set_id_in_any_other_form_is_rejected(value: object) -> None:
    assert found(prepared(ANDROID, idfv=None, app_set_id=value)) == [("reject", "M8", "app_set_id")]


# M9


@wrong_types()
@pytest.mark.parametrize("field", ["idfa", "idfv"])
def test_ios_id_of_a_wrong_type_is_rejected(field: str, value: object) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M9", field)]


@pytest.mark.parametrize(
    "value", [UUID.replace("-", ""), UUID[:-1], f"{{{UUID}}}", f"{UUID}\n", "x"]
)
@pytest.mark.parametrize("field", ["idfa", "idfv"])
def test_ios_id_that_is_no_uuid_is_rejected(field: str, value: str) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M9", field)]


def test_ios_id_on_android_in_lower_case_is_repaired_and_warned_of() -> None:
    event = prepared(ANDROID, idfv=None, idfa=UUID.lower())

    assert sorted(found(event)) == [("repair", "M9", "idfa"), ("warn", "M9", "idfa")]
    assert sent(event)["idfa"] == UUID


@pytest.mark.parametrize("app_id", [IOS, ANDROID])
def test_idfa_of_zeros_is_left_out_with_a_warning(app_id: str) -> None:
    event = prepared(app_id, idfv=None, idfa=ZERO_UUID)

    assert found(event) == [("warn", "M9", "idfa")]
    assert "idfa" not in sent(event)


def test_idfv_of_zeros_is_sent() -> None:
    event = prepared(idfv=ZERO_UUID)

    assert found(event) == []
    assert sent(event)["idfv"] == ZERO_UUID


# M10, M11, M12, M13


@pytest.mark.parametrize("value", [0, 1, 2, 3])
def test_att_of_ios_is_sent(value: int) -> None:
    event = prepared(att=value)

    assert found(event) == []
    assert sent(event)["att"] == value


@pytest.mark.parametrize(
    "value", [-1, 4, 10**5_000, "1", "", True, False, Decimal("1.0"), 1.0, [], {}], ids=count()
)
def test_att_of_another_value_is_rejected(value: object) -> None:
    assert found(prepared(att=value)) == [("reject", "M10", "att")]


@pytest.mark.parametrize("value", [1, 0, "true", "", [], {}, Decimal(1)], ids=repr)
def test_aie_that_is_no_boolean_is_rejected(value: object) -> None:
    assert found(prepared(aie=value)) == [("reject", "M11", "aie")]


@pytest.mark.parametrize("system", ["14.5", "14.6", "15", "17.4.1", "iOS 14.5", "14.10", "100"])
def test_aie_on_ios_from_14_5_without_att_is_a_warning(system: str) -> None:
    assert found(prepared(aie=True, os=system)) == [("warn", "M11", "aie")]


@pytest.mark.parametrize("system", ["14.4", "14.4.9", "14", "9.3", "unknown", "iOS"])
def test_aie_on_older_or_unknown_ios_is_fine(system: str) -> None:
    assert found(prepared(aie=False, os=system)) == []


def test_aie_beside_att_is_fine() -> None:
    assert found(prepared(aie=True, att=3)) == []


def test_aie_on_android_is_fine() -> None:
    assert found(prepared(ANDROID, idfv=None, aie=True, os="15")) == []


@pytest.mark.parametrize("field", ["os", "bundleIdentifier"])
@ABSENT
def test_recommended_field_that_is_absent_is_a_warning(field: str, value: str | None) -> None:
    event = prepared(**{field: value})

    assert [severity for severity, _, where in found(event) if where == field] == ["warn"]
    assert field not in sent(event)


@wrong_types()
@pytest.mark.parametrize(("field", "rule"), [("os", "M12"), ("bundleIdentifier", "M13")])
def test_recommended_field_of_a_wrong_type_is_rejected(
    field: str, rule: str, value: object
) -> None:
    assert found(prepared(**{field: value})) == [("reject", rule, field)]


def test_os_missing_on_ios_says_what_appsflyer_assumes() -> None:
    """M12."""
    messages = [prepared(app, idfv=None, os=None).findings[0].message for app in (IOS, ANDROID)]

    assert ["14.5" in message for message in messages] == [True, False]


# M14, M15, M16, M18


@pytest.mark.parametrize("value", ["all", ["x"], ["facebook_int", "x"]], ids=str)
def test_sharing_filter_in_its_form_is_sent(value: object) -> None:
    assert sent(prepared(sharing_filter=value))["sharing_filter"] == value


def test_sharing_filter_of_old_names_is_repaired() -> None:
    event = prepared(sharing_filter=["twitter_int", "x", "iossearchads_int"])

    assert found(event) == [("repair", "M14", "sharing_filter")]
    assert sent(event)["sharing_filter"] == ["twitter", "x", "Apple Search Ads"]


@pytest.mark.parametrize(
    "value",
    ["none", "ALL", [], [""], ["x", " "], ["x", None], ["x", 5], [["x"]], {}, 5, True],
    ids=str,
)
def test_sharing_filter_of_another_form_is_rejected(value: object) -> None:
    assert found(prepared(sharing_filter=value)) == [("reject", "M14", "sharing_filter")]


TCF = {
    "policy_version": 4,
    "gdpr_applies": 1,
    "cmp_sdk_id": 1,
    "cmp_sdk_version": 1,
    "tcstring": "C",
}
MANUAL = {"gdpr_applies": True, "ad_user_data_enabled": False, "ad_personalization_enabled": True}


@pytest.mark.parametrize(
    ("value", "as_sent"),
    [
        ({"tcf": TCF}, {"tcf": TCF}),
        ({"tcf": {"gdpr_applies": -1}}, {"tcf": {"gdpr_applies": -1}}),
        ({"tcf": {"gdpr_applies": 0, "tcstring": None}}, {"tcf": {"gdpr_applies": 0}}),
        ({"tcf": {}}, {"tcf": {}}),
        ({"manual": MANUAL}, {"manual": MANUAL}),
        ({"manual": {"gdpr_applies": False}}, {"manual": {"gdpr_applies": False}}),
        ({"manual": MANUAL, "tcf": None}, {"manual": MANUAL}),
    ],
)
def test_consent_data_of_one_form_is_sent(value: object, as_sent: object) -> None:
    event = prepared(consent_data=value)

    assert found(event) == []
    assert sent(event)["consent_data"] == as_sent


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "manual",
        5,
        True,
        [],
        {},
        {"tcf": None},
        {"tcf": []},
        {"tcf": "C"},
        {"other": {}},
        {"tcf": {}, "manual": {}},
        {"tcf": {"gdpr_applies": 2}},
        {"tcf": {"gdpr_applies": True}},
        {"tcf": {"cmp_sdk_id": "1"}},
        {"tcf": {"policy_version": Decimal("4.0")}},
        {"tcf": {"tcstring": 5}},
        {"tcf": {"x": 1}},
        {"manual": {"gdpr_applies": 1}},
        {"manual": {"ad_user_data_enabled": "true"}},
        {"manual": {"tcstring": "C"}},
        {"tcf": {"tcstring": SURROGATE}},
    ],
    ids=str,
)
def test_consent_data_of_another_form_is_rejected(value: object) -> None:
    assert found(prepared(consent_data=value)) == [("reject", "M15", "consent_data")]


@pytest.mark.parametrize(
    "value", ["App_Clip", "app_clip ", "x", 5, True, ["app_clip"], {}], ids=repr
)
def test_app_type_other_than_app_clip_is_rejected(value: object) -> None:
    assert found(prepared(app_type=value)) == [("reject", "M16", "app_type")]


def test_app_type_of_app_clip_is_sent() -> None:
    assert sent(prepared(app_type="app_clip"))["app_type"] == "app_clip"


@pytest.mark.parametrize(
    "value", [5, "-5", "5.0", " 5", "5\n", "１２", "²", "x", True, [], {}], ids=repr
)
def test_fb_login_id_that_is_no_numeric_string_is_rejected(value: object) -> None:
    assert found(prepared(fb_login_id=value)) == [("reject", "M18", "fb_login_id")]


@pytest.mark.parametrize("field", ["sharing_filter", "app_type", "fb_login_id", "custom_data"])
@ABSENT
def test_optional_field_that_is_absent_is_not_sent(field: str, value: str | None) -> None:
    event = prepared(**{field: value})

    assert found(event) == []
    assert field not in sent(event)


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
    [True, False, [], ["x"], {}, 1.5, Decimal("1.5"), float("nan"), float("inf"), Decimal("1E+401"),
     10**5_000, nested(100_000)],
    ids=["true", "false", "array", "array of text", "object", "float", "fraction", "NaN", "infinity",
         "exponent", "int of 5001 digits", "deep"],
)  # fmt: skip
@pytest.mark.parametrize("field", TEXTS)
def test_text_of_a_wrong_type_is_rejected(field: str, value: object) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M19", field)]


# M20 is tested with hashing


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
