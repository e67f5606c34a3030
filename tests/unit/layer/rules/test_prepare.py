"""What `prepare` does beyond the contract's own cases (`test_vectors.py`), in tables."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from relay.domain.findings import Severity
from relay.domain.kinds import App, Kind
from relay.exact_json import DoubledObject, dumps, loads
from relay.rules.prepare import Prepared, prepare
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    WEB_APP,
    make_event,
    make_web_event,
    make_web_visit,
)
from tests.support.every import every
from tests.support.hostile_values import ANDROID, IOS, SURROGATE, WINDOWS, found, nested, sent

UUID = "9D5C1A9C-1B1A-4B1E-9C1A-1B1A4B1E9C1A"
DIGEST = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"
HUGE = Decimal("1e500")

_VALID = {
    Kind.MOBILE_EVENT: make_event,
    Kind.WEB_EVENT: make_web_event,
    Kind.WEB_VISIT: make_web_visit,
}
_KINDS = {"m": Kind.MOBILE_EVENT, "w": Kind.WEB_EVENT, "v": Kind.WEB_VISIT}


def of(kind: Kind, fields: dict[str, Any], app_id: str | None = None) -> Prepared:
    """A right event of a kind, with these fields instead of its own; None takes one away."""
    event = {**_VALID[kind](), **fields}
    app = App(app_id or (MOBILE_APP if kind is Kind.MOBILE_EVENT else WEB_APP), phone_region="US")
    return prepare(kind, app, {k: v for k, v in event.items() if v is not None}, NOW)


_Case = tuple[str, dict[str, Any], str, dict[str, Any]]

# kind, changes, findings, what is sent in their place (None: not sent)
CASES: list[_Case] = [
    # general: lone surrogates, numbers without end, blanks
    ("m", {"ua": f"a{SURROGATE}"}, "", {"ua": "a\ufffd"}),
    ("m", {"eventValue": {"a": SURROGATE}}, "", {"eventValue": '{"a":"\ufffd"}'}),
    ("w", {"user_id": {"customer_user_id": "u", SURROGATE: None}}, "", {}),
    ("m", {"sharing_filter": [f"a{SURROGATE}"]}, "", {"sharing_filter": ["a\ufffd"]}),
    ("w", {"event_value": {SURROGATE: SURROGATE}}, "", {"event_value": {"\ufffd": "\ufffd"}}),
    ("m", {"eventValue": {"a": HUGE}}, "reject M3", {}),
    ("m", {"eventValue": nested(400)}, "reject M3", {}),
    ("m", {"eventValue": {"AF_REVENUE": HUGE}}, "reject M4", {}),
    ("m", {"eventValue": {"Vat": HUGE}}, "reject M3", {}),
    ("m", {"customer_user_id": 10**400}, "warn M19", {"customer_user_id": None}),
    ("m", {"consent_data": {"tcf": {"cmp_sdk_id": 10**399}}}, "reject M15", {}),  # 400 digits
    ("m", {"consent_data": {"tcf": {"cmp_sdk_id": -(10**399)}}}, "reject M15", {}),
    ("m", {"consent_data": {"tcf": {"cmp_sdk_id": 10**399 - 1}}}, "",
     {"consent_data": {"tcf": {"cmp_sdk_id": 10**399 - 1}}}),
    ("m", {"consent_data": {"tcf": {"cmp_sdk_id": Decimal(10**30)}}}, "",
     {"consent_data": {"tcf": {"cmp_sdk_id": 10**30}}}),
    ("m", {"att": 10**400}, "warn M10", {"att": None}),
    ("m", {"os": float("nan")}, "warn M12", {"os": None}),
    ("m", {"os": Decimal("5.10")}, "repair M12", {"os": "5.10"}),
    ("m", {"app_store": HUGE}, "warn M19", {"app_store": None}),
    ("w", {"event_value": nested(400)}, "reject W5", {}),
    ("w", {"event_revenue": 1.5}, "", {"event_revenue": 1.5}),
    ("w", {"event_revenue": Decimal("1e309")}, "reject W3", {}),
    ("w", {"event_revenue": True}, "reject W3", {}),
    # 2.1: the field itself beside another spelling of it
    ("m", {"idfv": "null", "IDFV": UUID}, "repair M21, warn M9", {"idfv": UUID}),
    ("m", {"appsflyer_id": "0", "appsflyerId": "1-1"}, "repair M21", {"appsflyer_id": "1-1"}),
    ("m", {"Idfa": UUID, "IDFA": UUID}, "reject M21", {}),
    ("w", {"timestamp": "", "timeStamp": 1_772_452_740_000}, "reject W7", {}),
    ("w", {"event_value": {}, "eventValue": {"a": 1}}, "repair W13", {"event_value": {"a": 1}}),
    ("m", {"bundleIdentifier": None, "bundle_id": "a.b", "bundleidentifier": "c.d"},
     "repair M21, warn M21", {"bundleIdentifier": "a.b"}),
    ("m", {"bundleIdentifier": None, "bundle_id": True}, "warn M13", {}),
    ("m", {"bundleIdentifier": None, "bundle_id": True, "bundleID": "x"}, "warn M13, warn M21", {}),
    ("m", {"app_set_id": {"scope": 1, "id": "0"}, "appSetId": {"scope": 1, "id": UUID}},
     "repair M21, warn M8", {"app_set_id": {"scope": 1, "id": UUID}}),
    ("m", {"app_set_id": [], "appSetId": {"scope": 1, "id": UUID}}, "warn M21, warn M8", {}),
    ("m", {"email_hashed": "0" * 64, "emailHashed": DIGEST}, "repair M21, warn H6",
     {"email_hashed": DIGEST}),
    ("m", {"event_value": {"a": 1}, "eventValue": "null"}, "repair M21", {"eventValue": '{"a":1}'}),
    ("m", {"Phone": "+12025550123", "phoneRegion": "US"}, "repair M21", {"Phone": None}),
    ("v", {"Event_Name": "x"}, "reject W13", {}),
    ("w", {"appsflyer_id": "a"}, "reject W13", {}),
    ("w", {"appsflyer_id": "a", "user_id": {"appsflyer_id": "b", "customer_user_id": "u"}},
     "warn W13", {"appsflyer_id": None}),
    ("w", {"appsflyer_id": "a", "customerUserId": "u", "user_id": "x"}, "reject W1", {}),
    ("m", {"revenue": 5, "eventValue": {"af_revenue": "x"}}, "reject M4, warn M21", {}),
    ("m", {"eventValue3": {}, "eventValue": {"a": 1}}, "warn M21", {"eventValue3": None}),
    ("m", {"consent_data12": {"a": 1}}, "reject M21", {}),
    ("m", {"eventCurrency99": "EUR", "eventCurrency": None}, "reject M21, warn M5", {}),
    # the money
    ("m", {"eventValue": {"a": [{"Af_Revenue": None}], "v": [[1]]}}, "warn M4", {}),
    ("m", {"eventValue": {"re-venue": None}}, "warn M4", {}),
    ("m", {"eventValue": '{"af_revenue":1e3}'}, "", {"eventValue": '{"af_revenue":1000}'}),
    ("m", {"eventValue": {"af_revenue": Decimal("0.1234567")}}, "warn M4", {}),
    ("m", {"eventCurrency": None, "eventValue": {"af_revenue": 1, "af_currency": " gbp"}},
     "repair M5", {"eventCurrency": "GBP"}),
    ("m", {"eventCurrency": " eur ", "eventValue": {"af_currency": "usd"}}, "repair M5, warn M5",
     {"eventCurrency": "EUR"}),
    ("w", {"event_revenue": None, "event_value": {"af_revenue": ""}}, "warn W3", {}),
    ("w", {"event_revenue_currency": "mro"}, "repair W4, warn W4",
     {"event_revenue_currency": "MRO"}),
    # devices, consent
    ("m", {"app_set_id": {"scope": Decimal("2.0"), "id": f" {UUID}"}}, "repair M8, warn M8",
     {"app_set_id": {"scope": 2, "id": UUID}}),
    ("m", {"app_set_id": {"scope": 1, "id": UUID, "x": ""}}, "warn M8", {"app_set_id": None}),
    ("m", {"oaid": {}}, "warn M8", {"oaid": None}),
    ("m", {"idfa": UUID.lower(), "att": "?"}, "warn M10, warn M9", {"idfa": None, "att": None}),
    ("m", {"aie": True, "os": "14.4"}, "", {"aie": True}),
    ("m", {"aie": True, "os": "14.10"}, "warn M11", {"aie": True}),
    ("m", {"aie": True, "os": "iOS 17"}, "", {"aie": True}),
    ("m", {"aie": "TRUE", "os": "17", "att": "9"}, "repair M11, warn M10, warn M11", {"aie": True}),
    ("m", {"consent_data": {"tcf": {}, "x": ""}}, "reject M15", {}),
    ("m", {"consent_data": {"tcf": {"policy_version": "x"}}}, "reject M15", {}),
    ("m", {"consent_data": {"tcf": 5}}, "reject M15", {}),
    ("m", {"consent_data": "{}"}, "reject M15", {}),
    ("m", {"ip": "172.31.255.255"}, "warn M7", {"ip": None}),
    ("m", {"ip": 5}, "warn M7", {"ip": None}),
    ("m", {"app_type": "app_clip"}, "", {"app_type": "app_clip"}),
    ("w", {"ip": "fd00::1"}, "warn W8", {"ip": None}),
    ("w", {"ip": "2001:db8::1"}, "", {"ip": "2001:db8::1"}),
    # what a web event has
    ("w", {"user_id": {"customer_user_id": "u", "appsflyer_id": "nil"}}, "warn W1",
     {"user_id": {"customer_user_id": "u"}}),
    ("w", {"event_name": "a=b"}, "reject W2", {}),
    ("w", {"event_value": {"custom_parameters": ""}}, "reject W5", {}),
    ("w", {"http_referrer": {}}, "warn W10", {"http_referrer": None}),
    ("w", {"event_url": "HTTPS://a@:1"}, "warn W6", {"event_url": None}),
    ("v", {"event_url": "HTTPS://[::1]:1"}, "", {"event_url": "HTTPS://[::1]:1"}),
    ("v", {"event_revenue": 5}, "reject W3", {}),
    ("v", {"event_revenue": 5, "revenue": 5}, "reject W13, reject W3", {}),
]  # fmt: skip


def _told(prepared: Prepared) -> list[str]:
    return sorted({f"{item.severity.value} {item.rule}" for item in prepared.findings})


def _expected(text: str) -> list[str]:
    return sorted(text.split(", ")) if text else []


def test_prepare_gives_what_the_rules_say() -> None:
    wrong: list[object] = []
    for letter, fields, findings, sent_fields in CASES:
        prepared = of(_KINDS[letter], fields)
        body = sent(prepared) if prepared.body else {}
        if _told(prepared) != _expected(findings) or any(
            body.get(name) != value for name, value in sent_fields.items()
        ):
            wrong.append((letter, str(fields)[:90], _told(prepared), body if sent_fields else ""))

    assert wrong == []


@every("kind", list(Kind))
def test_event_made_ready_once_is_not_repaired_again(kind: Kind) -> None:
    again: list[object] = []
    for letter, fields, _, _ in CASES:
        first = of(kind, fields)
        dumps(first.event)
        if _KINDS[letter] is kind and first.body:
            second = prepare(kind, App(first.app_id), first.event, NOW)
            if second.body != first.body or "repair" in str(_told(second)):
                again.append((fields, _told(second)))

    assert again == []


# Findings

SECRETS: Iterable[object] = (
    *(
        "Qzvxname",
        "Qzvxname@example.com",
        "+12025550147-qzvx",
        " qzvx ",
        "qzvx\u200b",
        "QZVX\ud800",
    ),
    *(["Qzvxname"], {"qzvx": "Qzvxname"}, {"tcf": {"qzvx": 1}}, '{"a":"qzvx","a":2}'),
    *({"af_revenue": "qzvx", "af_currency": "qzvx"}, {"Af_Revenue": 1, "AF_Revenue": "qzvx"}),
    *({"scope": "qzvx", "id": "qzvx"}, {"customer_user_id": {"qzvx": 1}, "qzvx": 1}),
    *("https://qzvx@example.com/qzvx", "2026-qzvx", "qzvx" * 300),
)


def test_missing_os_is_told_what_appsflyer_takes_instead_where_it_takes_something() -> None:
    """M12."""
    told = {
        app_id: [
            "AppsFlyer assumes iOS 14.5" in item.message
            for item in of(Kind.MOBILE_EVENT, {"os": None}, app_id).findings
            if item.rule == "M12"
        ]
        for app_id in (IOS, ANDROID, WINDOWS)
    }

    assert told == {IOS: [True], ANDROID: [False], WINDOWS: [False]}


@every("kind", list(Kind))
def test_no_finding_holds_a_value(kind: Kind) -> None:
    """A secret in each field, in names that are no field's, and as the app id."""
    names = {*_VALID[Kind.MOBILE_EVENT](), *_VALID[Kind.WEB_EVENT](), "email", "phone", "ip", "att",
             "aie", "idfa", "consent_data", "sharing_filter", "app_set_id", "custom_data", "imei",
             "phone_region", "email_hashed", "bundle_id", "eventname", "uid", "revenue", "att2",
             "emial", "user_agent", "timestamp", "qzvx@example.com"}  # fmt: skip
    told = [
        item
        for name in names
        for secret in SECRETS
        for item in of(kind, {name: secret}, "qzvx.qzvx.qzvx").findings
        if "qzvx" in f"{item.field} {item.message}".lower()
    ]

    assert told == []


_REPLACED: dict[str, set[str]] = {"MRO": {"MRU"}, "UDS": set(), "USDT": set(), "OMG": set()}


def test_hint_never_sends_money_or_a_person_to_another_place() -> None:
    """A name that is near two fields is told the one that is meant, or none."""
    wrong: list[object] = []
    for letter, name, hint, never in [
        ("w", "customer_user_id", "user_id.customer_user_id", "customer_dedup_id"),
        ("w", "customerUserID", "user_id.customer_user_id", "customer_dedup_id"),
        ("w", "customer_id", "event_value", "customer_dedup_id"),
        ("m", "user_id", "customer_user_id", "appsflyer_id"),
        ("m", "timestamp", "eventTime", "event_value"),
        ("m", "revenue", "eventValue.af_revenue", "eventName"),
        ("m", "lat", "aie", "att"),
        ("m", "emails", "email", "email_hashed"),
    ]:
        user = {"appsflyer_id": "a"} if letter == "w" else "u"
        prepared = of(_KINDS[letter], {"customer_user_id": None, "eventTime": None,
                                       "user_id": user, name: "x"})  # fmt: skip
        said = " ".join(item.message for item in prepared.findings)
        if hint not in said or never in said:
            wrong.append((name, said))
    for code, replacement in _REPLACED.items():
        (item,) = of(Kind.MOBILE_EVENT, {"eventCurrency": code}).findings
        codes = set(item.message.replace(";", " ").split()) & {"MRU", "OMR", "USD)", "USN"}
        if codes != {"USD)", *replacement}:
            wrong.append((code, item.message))

    assert wrong == []


def test_each_unknown_name_is_told_up_to_twenty_and_rejects_beyond() -> None:
    strangers = {f"stranger {number}": 1 for number in range(25)}

    warned = of(Kind.MOBILE_EVENT, strangers)
    refused = of(Kind.MOBILE_EVENT, {**strangers, "sharing_filters": ["x"]})

    assert (len(warned.findings), warned.verdict) == (21, "send")
    assert (len(refused.findings), refused.verdict) == (21, "reject")
    assert "sharing_filters" in refused.event


def test_finding_says_the_app_id_that_is_meant() -> None:
    said = {
        app_id: [item.message for item in of(kind, {}, app_id).findings if item.rule == "E8"]
        for kind, app_id in [
            (Kind.MOBILE_EVENT, "12345"), (Kind.WEB_EVENT, "12345678"), (Kind.WEB_VISIT, "idID 1"),
            (Kind.MOBILE_EVENT, "Switch-1"), (Kind.MOBILE_EVENT, "WEBSITE-a"),
            (Kind.WEB_EVENT, "id5"), (Kind.WEB_EVENT, "a.b.c"), (Kind.WEB_EVENT, ".."),
            (Kind.MOBILE_EVENT, "\ud800"), (Kind.WEB_EVENT, "x" * 300), (Kind.WEB_VISIT, " "),
        ]
    }  # fmt: skip
    parts = ["id123456789", "website-", "id in lower case", "CTV", "web_event", "mobile_event",
             "looks like", "no app id", None, None, "is blank"]  # fmt: skip

    assert [
        (app_id, messages)
        for (app_id, messages), part in zip(said.items(), parts, strict=True)
        if (part is None) != (messages == []) or (part and part not in messages[0])
    ] == []


# What is kept


def test_event_that_is_sent_is_kept_as_it_is_sent() -> None:
    given = {"email": "jane@example.com", "ip": "jane@example.com", "stranger": "Jane",
             "eventTime": "tomorrow", "AF": 1, "eventValue": {"AF_REVENUE": "6"}}  # fmt: skip
    kept = of(Kind.MOBILE_EVENT, given).event

    assert kept.keys() == make_event().keys() - {"eventTime"} | {"email_hashed"}
    assert kept["eventValue"] == {"af_revenue": "6"}
    assert prepare(Kind.WEB_EVENT, App(WEB_APP), make_web_event(customer_dedup_id=None), NOW,
                   "order-1").event["customer_dedup_id"] == "order-1"  # fmt: skip


# changes to an event that is rejected, and what is kept in their place (None: nothing)
KEPT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("m", {"foo": "x", "contact": "a@example.com"}, {"foo": "x", "contact": None}),
    ("m", {"phnoe": "Jane", "names": ["Jane"], "a\nb": 1}, {"phnoe": None, "names": None}),
    ("m", {"uid": "a@example.com"}, {"uid": "a@example.com"}),
    ("m", {"full_name": "Jane", "id": "x"}, {"full_name": None, "id": "x"}),
    ("m", {"E-Mail": "a@example.com"}, {"E-Mail": None, "email_hashed": "*"}),
    ("m", {"e_mail": "a@example.com", "Email": "b@example.com"}, {"e_mail": None, "Email": None}),
    ("m", {"email2": "x", "email_hashedd": DIGEST}, {"email2": None, "email_hashedd": DIGEST}),
    ("m", {"email_hashedd": "Jane"}, {"email_hashedd": None}),
    ("m", {"ip": "a@example.com", "os": {"name": 1}}, {"ip": None, "os": None}),
    ("m", {"consent_data": {"a@example.com": 1}}, {"consent_data": [False]}),
    ("m", {"tcf": {"name": 1}, "af_events_api": True}, {"tcf": [False], "af_events_api": True}),
    ("m", {"eventValue": "a@example.com"}, {"eventValue": "a@example.com"}),
    ("m", {"eventValue": {"a": HUGE}, "imei": HUGE}, {"eventValue": [False], "imei": None}),
    ("m", {"ua": f"{SURROGATE}"}, {"ua": "\ufffd"}),
    ("m", {"imei": nested(20_000), "bundle_id": "a.b"}, {"imei": None, "bundle_id": "a.b"}),
    ("m", {"bundleIdentifier": None, "bundle_id": True}, {"bundle_id": True}),
    ("m", {"customer_user_id": "a@example.com"}, {"customer_user_id": "a@example.com"}),
    ("w", {"user_id": {"customer_user_id": "a@example.com", "mail": 1, "x": 2, "y": "a@b.co"}},
     {"user_id": {"customer_user_id": "a@example.com", "x": 2}}),
    ("w", {"customer_user_id": "u", "consent": 1}, {"customer_user_id": "u", "consent": 1}),
    ("v", {"eventName": "x", "event_revenue": 5}, {"eventName": "x", "event_revenue": 5}),
]  # fmt: skip


def test_event_that_is_rejected_is_kept_without_what_may_be_a_persons() -> None:
    wrong: list[object] = []
    for letter, fields, expected in KEPT:
        kind = _KINDS[letter]
        refused = {"appsflyer_id": None} if letter == "m" else {"event_value": 5}
        first = of(kind, {**refused, **fields})
        again = prepare(kind, App(first.app_id, phone_region="US"), first.event, NOW)
        differs = [n for n, v in expected.items() if v != "*" and first.event.get(n) != v]
        if first.body or again.body or differs or again.event != first.event:
            wrong.append((fields, first.event, again.event))
        dumps(first.event)

    assert wrong == []


@every(
    "name, value",
    product(
        ["v event_name", "v eventname", "v appsflyerId", "w appsflyer_id", "w ua"],
        [HUGE, [HUGE], {"a": HUGE}, nested(20_000), f"x{SURROGATE}"],
    ),
    ids=lambda item: item if isinstance(item, str) else type(item).__name__,
)
def test_event_that_a_name_makes_wrong_is_kept_wrong_whatever_its_value(
    name: str, value: object
) -> None:
    """A redrive would send it otherwise, and as a visit what was meant as an event."""
    letter, _, field = name.partition(" ")
    first = of(_KINDS[letter], {field: value})
    again = prepare(first.kind, App(first.app_id), first.event, NOW)

    assert (first.body, again.body) == (None, None)
    assert again.event == first.event


def test_event_with_a_name_twice_is_kept_without_it_and_hashed() -> None:
    event = DoubledObject({**make_event(), "email": "jane@example.com"}, ["os"], "os")

    prepared = prepare(Kind.MOBILE_EVENT, App("123"), event, NOW)

    assert found(prepared) == [("reject", "E3", "event")]
    assert "os" in prepared.findings[0].message
    assert prepared.event["email_hashed"] == DIGEST
    assert (prepared.recorded, prepared.deadline, prepared.hashes) == (None, None, {})


# Times


def test_time_is_told_whether_the_event_is_sent_or_not() -> None:
    """T12: web days are those of the app's zone; nothing is told beyond the year 9999."""
    visit = make_web_visit(timestamp=1_772_488_800_000, user_id=None)
    zone = App(WEB_APP, "America/New_York")
    day, late = timedelta(days=1), datetime(9999, 12, 31, 12, tzinfo=UTC)

    refused = prepare(Kind.WEB_VISIT, zone, visit, NOW + day)
    last = prepare(Kind.MOBILE_EVENT, App(MOBILE_APP), make_event(
        eventTime="9999-12-31 11:00:00.000"), late)  # fmt: skip

    assert refused.deadline == datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
    assert refused.recorded is not None
    assert refused.recorded.rule in {"T7", "T8"}
    assert (last.deadline, last.recorded and last.recorded.rule) == (None, "T2")


def test_platform_decides_which_device_ids_are_odd() -> None:
    seen = {
        app_id: _told(of(Kind.MOBILE_EVENT, {"idfv": None, "att": None, "advertising_id": UUID,
                                             "os": "9"}, app_id))
        for app_id in (IOS, ANDROID, f"{ANDROID}-store", WINDOWS)
    }  # fmt: skip

    assert list(seen.values()) == [["warn M8"], ["repair M8"], ["repair M8"], []]


@every("kind", list(Kind))
def test_event_without_a_fault_is_kept_as_it_came(kind: Kind) -> None:
    event = loads(dumps(_VALID[kind]()))

    assert prepare(kind, App(MOBILE_APP if kind is Kind.MOBILE_EVENT else WEB_APP), event,
                       NOW).event == event  # fmt: skip


def test_findings_of_a_rejected_event_hold_no_repair() -> None:
    prepared = of(Kind.MOBILE_EVENT, {"eventCurrency": "usd", "eventName": ""})

    assert {item.severity for item in prepared.findings} == {Severity.REJECT}
