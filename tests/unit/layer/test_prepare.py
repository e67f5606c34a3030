"""What `prepare` promises about an event as a whole; the rules of its fields are tested apart."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from relay.domain.kinds import App, Kind
from relay.exact_json import dumps
from relay.rules.prepare import prepare
from tests.builders import MOBILE_APP, NOW, WEB_APP, make_event, make_web_event, make_web_visit
from tests.hostile_values import (
    SURROGATE,
    found,
    nested,
    prepared,
    prepared_visit,
    prepared_web,
    sent,
)

JANE_AT_EXAMPLE = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"


# Where it goes (E1, E8)


@pytest.mark.parametrize(
    ("kind", "app_id", "url"),
    [
        (
            Kind.MOBILE_EVENT,
            "id123456789",
            "https://api3.appsflyer.com/inappevent/id123456789",
        ),
        (
            Kind.WEB_EVENT,
            "website-www.example.com",
            "https://events.appsflyer.com/v2.0/s2s/inapps/app/web/website-www.example.com",
        ),
        (
            Kind.WEB_VISIT,
            "website-www.example.com",
            "https://events.appsflyer.com/v2.0/s2s/visits/app/web/website-www.example.com",
        ),
    ],
)
def test_prepare_kind_has_an_address_of_its_own(kind: Kind, app_id: str, url: str) -> None:
    assert prepare(kind, App(app_id), {}, NOW).url == url


@pytest.mark.parametrize(
    ("app_id", "end"),
    [
        ("com.example/../x", "com.example%2F..%2Fx"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("a?b#c", "a%3Fb%23c"),
        ("a\r\nHost: x", "a%0D%0AHost%3A%20x"),
        ("\x00", "%00"),
        ("...", "..."),
        ("é", "%C3%A9"),
        ("\U0001f600", "%F0%9F%98%80"),
        ("x" * 255, "x" * 255),
    ],
    ids=lambda value: f"{value!r:.16}",
)
@pytest.mark.parametrize("kind", list(Kind))
def test_prepare_odd_app_id_is_one_percent_encoded_segment(
    kind: Kind, app_id: str, end: str
) -> None:
    path = prepare(kind, App(app_id), {}, NOW).path

    assert path.rsplit("/", 1)[1] == end
    assert unquote(path.rsplit("/", 1)[1]) == app_id


@pytest.mark.parametrize(
    "app_id", ["", " ", "\n", ".", "..", "x" * 256, SURROGATE, f"id1{SURROGATE}"], ids=ascii
)
@pytest.mark.parametrize("kind", list(Kind))
def test_prepare_app_id_that_is_none_is_rejected(kind: Kind, app_id: str) -> None:
    event = prepare(kind, App(app_id), make_event(), NOW)

    assert ("reject", "E8", "app_id") in found(event)
    assert event.body is None


@pytest.mark.parametrize("app_id", ["123456789", "0", "１２３", "٣"])
def test_prepare_bare_number_as_mobile_app_id_is_rejected(app_id: str) -> None:
    """E8: AppsFlyer would answer OK, and record nothing."""
    assert ("reject", "E8", "app_id") in found(prepared(app_id))


def test_prepare_bare_number_as_web_app_id_is_fine() -> None:
    assert found(prepare(Kind.WEB_EVENT, App("123456789"), make_web_event(), NOW)) == []


def test_app_of_a_zone_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="time zone"):
        App(WEB_APP, "Mars/Olympus")


# What is no event


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "event", [None, 5, "x", True, [], [make_event()], "{}", SURROGATE, nested(3)["a"]["a"]["a"]],
    ids=["null", "int", "text", "true", "array", "array of one", "json text", "surrogate", "inner"],
)  # fmt: skip
def test_prepare_what_is_no_object_is_rejected_and_none_of_it_kept(
    kind: Kind, event: object
) -> None:
    app_id = MOBILE_APP if kind is Kind.MOBILE_EVENT else WEB_APP
    prepared = prepare(kind, App(app_id), event, NOW)

    assert found(prepared) == [("reject", "E3", "event")]
    assert prepared.event == {}


# Verdict, findings, body


def test_prepare_event_without_a_fault_is_sent() -> None:
    event = prepared()

    assert event.verdict == "send"
    assert event.body


def test_prepare_event_with_a_fault_has_no_body_time_or_deadline() -> None:
    event = prepared(eventName="")

    assert (event.verdict, event.body) == ("reject", None)
    assert (event.recorded, event.deadline) == (None, None)


def test_prepare_event_with_many_faults_tells_all_of_them_at_once() -> None:
    event = prepared("123", eventName="", ip="x", att=9, e_mail="x", phone="555", aie="yes")

    rules = sorted(rule for severity, rule, _ in found(event) if severity == "reject")
    assert rules == ["E8", "H5", "M10", "M11", "M2", "M21", "M7"]


def test_prepare_does_not_change_the_event_it_was_given() -> None:
    given = make_event(
        email="jane@example.com", eventCurrency="usd", sharing_filter=["twitter_int"]
    )
    before = repr(given)

    prepare(Kind.MOBILE_EVENT, App(MOBILE_APP), given, NOW)

    assert repr(given) == before


SECRET = "Q7zSecretValue"


@pytest.mark.parametrize(
    "fields",
    [
        {"appsflyer_id": SECRET},
        {"eventName": [SECRET]},
        {"eventValue": SECRET},
        {"eventValue": {"af_revenue": SECRET}},
        {"eventCurrency": SECRET},
        {"eventTime": SECRET},
        {"ip": SECRET},
        {"advertising_id": [SECRET]},
        {"app_set_id": {"scope": SECRET, "id": SECRET}},
        {"idfa": SECRET},
        {"att": SECRET},
        {"aie": SECRET},
        {"os": [SECRET]},
        {"bundleIdentifier": [SECRET]},
        {"sharing_filter": SECRET},
        {"consent_data": {SECRET: SECRET}},
        {"app_type": SECRET},
        {"custom_data": SECRET},
        {"fb_login_id": SECRET},
        {"ua": [SECRET]},
        {"email": SECRET},
        {"email_hashed": SECRET},
        {"phone": SECRET, "phone_region": [SECRET]},
        {"first_name": [SECRET]},
        {"unknown": SECRET},
        {f"{SECRET}@example.com": 1},
        {"custom_dimension": SECRET * 200},
    ],
    ids=str,
)
def test_finding_of_a_mobile_event_never_holds_the_value(fields: dict[str, Any]) -> None:
    event = prepared("com.example.shop", **fields)

    assert event.findings
    assert SECRET not in str(event.findings)


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": SECRET},
        {"user_id": {"customer_user_id": SECRET * 9}},
        {"user_id": {SECRET: SECRET}},
        {"event_name": f"@{SECRET}"},
        {"event_revenue": SECRET},
        {"event_revenue_currency": SECRET},
        {"event_value": SECRET},
        {"event_value": {"custom_parameters": SECRET}},
        {"event_url": SECRET},
        {"event_url": f"https://example.com/?{SECRET}@example.com"},
        {"timestamp": SECRET},
        {"ip": SECRET},
        {"user_agent": [SECRET]},
        {"http_referrer": [SECRET]},
        {"customer_dedup_id": [SECRET]},
        {"unknown": SECRET},
    ],
    ids=str,
)
def test_finding_of_a_web_event_never_holds_the_value(fields: dict[str, Any]) -> None:
    event = prepared_web(**fields)

    assert event.findings
    assert SECRET not in str(event.findings)


# Which time is recorded (section T)


def test_prepare_mobile_event_knows_its_recorded_time_and_deadline() -> None:
    event = prepared()

    assert event.recorded == (datetime(2026, 3, 2, 11, 59, tzinfo=UTC), "event", "T2")
    assert event.deadline == datetime(2026, 3, 3, 1, 59, 59, 999_000, tzinfo=UTC)


def test_prepare_web_event_counts_days_in_the_apps_zone() -> None:
    app = App(WEB_APP, "Asia/Tokyo")

    event = prepare(Kind.WEB_EVENT, app, make_web_event(), NOW)

    assert event.recorded == (datetime(2026, 3, 2, 11, 59, tzinfo=UTC), "event", "T7")
    assert event.deadline == datetime(2026, 3, 2, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "field", "value", "rule"),
    [
        (prepared, "eventTime", "2026-03-01 12:00:00", "T3"),
        (prepared, "eventTime", "2026-03-03 00:00:00", "T5"),
        (prepared_web, "timestamp", 1_772_366_400_000, "T8"),  # 2026-03-01 12:00
        (prepared_visit, "timestamp", 1_772_452_800_001, "T9"),  # NOW, and one millisecond
    ],
)
def test_prepare_time_that_is_not_kept_is_sent_with_a_warning(
    given: Callable[..., Any], field: str, value: object, rule: str
) -> None:
    """T11."""
    event = given(**{field: value})

    assert found(event) == [("warn", rule, field)]
    assert event.verdict == "send"


def test_prepare_event_without_a_time_has_the_arrivals_and_no_deadline() -> None:
    event = prepared_web(timestamp=None)

    assert event.recorded == (NOW, "arrival", "T6")
    assert event.deadline is None


# What may be kept of it


def test_prepared_event_without_a_finding_is_the_event_itself() -> None:
    given = make_event()

    assert prepare(Kind.MOBILE_EVENT, App(MOBILE_APP), given, NOW).event is given


@pytest.mark.parametrize("given", [prepared, prepared_web, prepared_visit])
def test_prepared_event_holds_hashes_instead_of_raw_values(given: Callable[..., Any]) -> None:
    event = given(email="Jane@example.com", phone_region="US")

    assert sent(event)["email_hashed"] == JANE_AT_EXAMPLE
    assert event.event["email_hashed"] == JANE_AT_EXAMPLE
    assert event.event.keys().isdisjoint({"email", "phone_region"})


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "jane"},
        {"email": ["Jane"]},
        {"phone": "Jane"},
        {"phone": 12025550123},
        {"first_name": {"a": "Jane"}},
        {"email_hashed": "Jane"},
        {"last_name_hashed": ["Jane"]},
        {"e_mail": "Jane"},
        {"emial": "Jane"},
        {"userName": "Jane"},
        {"user": {"email": "Jane"}},
        {"event": {"email": "Jane", "eventName": "x"}},
        {"ip": "jane@example.com"},
    ],
    ids=str,
)
def test_prepared_event_of_a_reject_holds_no_raw_identity(fields: dict[str, Any]) -> None:
    event = prepared(**fields)

    assert event.verdict == "reject"
    assert "jane" not in repr(event.event).lower()


def test_prepared_event_of_a_reject_keeps_what_is_wanted_to_put_it_right() -> None:
    event = prepared(eventName=None, price=49, email="jane@example.com")

    assert event.event["price"] == 49
    assert event.event["eventValue"] == make_event()["eventValue"]
    assert event.event["email_hashed"] == JANE_AT_EXAMPLE


@pytest.mark.parametrize(
    "fields",
    [
        {"eventTime": SURROGATE},
        {"eventTime": nested(100_000)},
        {"wifi": SURROGATE},
        {"app_version": {"a": 10**5_000}},
        {SURROGATE: None},
    ],
    ids=["time", "deep time", "field left out", "number left out", "name"],
)
def test_prepared_event_that_is_sent_can_also_be_queued(fields: dict[str, Any]) -> None:
    """What is left out of the payload must not be in the way of the message."""
    event = prepared(**fields)

    assert event.verdict == "send"
    assert dumps({"event": event.event})


def arrays(levels: int) -> Any:
    """So deep, and yet only two bytes a level."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize("levels", range(225, 262))
@pytest.mark.parametrize(
    ("given", "field"),
    [(prepared, "eventValue"), (prepared, "custom_data"), (prepared_web, "event_value")],
)
def test_prepared_event_of_any_depth_that_is_sent_can_also_be_queued(
    given: Callable[..., Any], field: str, levels: int
) -> None:
    event = given(**{field: arrays(levels)})

    assert event.verdict == ("send" if levels < 240 else event.verdict)
    assert event.verdict == "reject" or dumps({"event": event.event})


def test_prepared_event_is_the_same_at_any_other_moment() -> None:
    """The deadline is a matter of the event alone, so a redrive may look at it again."""
    later = prepare(Kind.WEB_VISIT, App(WEB_APP), make_web_visit(), NOW + timedelta(days=30))

    assert later.deadline == prepared_visit().deadline
    assert later.body == prepared_visit().body


@pytest.mark.parametrize("name", ["jane.doe@example.com", "Доу", "Jane Doe", "+1 202 555 0147"])
def test_prepare_keeps_no_field_whose_name_is_data(name: str) -> None:
    """Somebody put a value where a name belongs: the event is rejected, and kept without it."""
    event = {"eventName": "a", name: 1, "user_id": {name: 2, "customer_user_id": "u"}}

    for kind in Kind:
        kept = dumps(prepare(kind, App("id1"), event, NOW).event).decode()
        assert name not in kept
