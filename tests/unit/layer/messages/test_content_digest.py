"""What makes an event another one under the same id: name, money, person, time."""

import hashlib
from datetime import timedelta
from typing import Any

from relay.domain.kinds import App, Kind
from relay.exact_json import dumps, loads
from relay.messages.arrival import prepare_arrival
from relay.messages.envelope import Envelope, content_digest, former_content_digest, stamped
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    WEB_APP,
    Json,
    make_event,
    make_web_event,
    make_web_visit,
)
from tests.support.every import every

VALUE: Json = {"af_revenue": "9.99", "af_content_id": "sku-1"}
FIRST = {
    Kind.MOBILE_EVENT: make_event(),
    Kind.WEB_EVENT: make_web_event(),
    Kind.WEB_VISIT: make_web_visit(),
}


def digest(kind: Kind, event: Json, app: App | None = None, **given: Any) -> str:
    """Of an event as a forwarder sees it: through JSON, its time stamped."""
    app = app or App(MOBILE_APP if kind is Kind.MOBILE_EVENT else WEB_APP)
    first_seen = given.pop("first_seen", NOW)
    found = given.pop("appsflyer_id", None)
    envelope = Envelope(app_id=app.id, kind=kind, event=None, **given)
    given = loads(dumps(event))
    prepared = prepare_arrival(kind, app, given, first_seen, NOW, "order-1", found)
    assert prepared.body is not None
    return content_digest(envelope, prepared.content, first_seen)


SAME: list[tuple[Kind, Json]] = [
    (Kind.MOBILE_EVENT, {"eventValue": {**VALUE, "af_revenue": loads("9.99")}}),
    (Kind.MOBILE_EVENT, {"eventValue": {**VALUE, "af_revenue": loads("9.990")}}),
    (Kind.MOBILE_EVENT, {"eventValue": {**VALUE, "af_revenue": "009.9900"}}),
    (Kind.MOBILE_EVENT, {"eventValue": '{"af_content_id": "sku-1", "af_revenue": "9.99"}'}),
    (Kind.MOBILE_EVENT, {"eventValue": {"af_revenue": "9.99"}}),
    (Kind.MOBILE_EVENT, {"eventCurrency": "usd"}),
    (Kind.MOBILE_EVENT, {"eventTime": "2026-03-02T12:59:00+01:00"}),
    (Kind.MOBILE_EVENT, {"eventTime": 1772452740000}),
    (Kind.MOBILE_EVENT, {"os": "18", "idfv": None, "ip": "192.0.2.1"}),
    (Kind.MOBILE_EVENT, {"first_name": "Ada", "phone": "+12025550142"}),
    (Kind.WEB_EVENT, {"last_name": "Example"}),
    (Kind.WEB_EVENT, {"event_revenue": loads("9.990")}),
    (Kind.WEB_EVENT, {"event_url": "https://www.example.com/other"}),
    (Kind.WEB_EVENT, {"timestamp": "2026-03-02T11:59:00Z"}),
    (Kind.WEB_EVENT, {"customer_dedup_id": "own"}),
    (Kind.WEB_VISIT, {"user_agent": "Mozilla/5.0"}),
]
OTHER: list[tuple[Kind, Json]] = [
    (Kind.MOBILE_EVENT, {"eventName": "af_subscribe"}),
    (Kind.MOBILE_EVENT, {"eventValue": {**VALUE, "af_revenue": "9.9"}}),
    (Kind.MOBILE_EVENT, {"eventValue": {**VALUE, "af_revenue": "-9.99"}}),
    (Kind.MOBILE_EVENT, {"eventValue": None}),
    (Kind.MOBILE_EVENT, {"eventCurrency": "EUR"}),
    (Kind.MOBILE_EVENT, {"eventCurrency": None}),
    (Kind.MOBILE_EVENT, {"customer_user_id": "user-2"}),
    (Kind.MOBILE_EVENT, {"appsflyer_id": "1415211453000-6513895"}),
    (Kind.MOBILE_EVENT, {"appsflyer_id": None}),
    (Kind.MOBILE_EVENT, {"email": "ada@example.com"}),
    (Kind.MOBILE_EVENT, {"eventTime": "2026-03-02 11:59:00.001"}),
    (Kind.MOBILE_EVENT, {"eventTime": None}),
    (Kind.WEB_EVENT, {"event_name": "sign_up"}),
    (Kind.WEB_EVENT, {"event_revenue": 9}),
    (Kind.WEB_EVENT, {"event_revenue_currency": "EUR"}),
    (Kind.WEB_EVENT, {"user_id": {"customer_user_id": "user-2"}}),
    (Kind.WEB_EVENT, {"user_id": {"customer_user_id": "user-1", "appsflyer_id": "visitor-p"}}),
    (Kind.WEB_EVENT, {"email": "ada@example.com"}),
    (Kind.WEB_EVENT, {"timestamp": 1772452740001}),
    (Kind.WEB_VISIT, {"event_url": "https://www.example.com/other"}),
]


@every("kind, changed", SAME)
def test_content_that_is_the_same_in_another_writing_or_beside_the_point(
    kind: Kind, changed: Json
) -> None:
    assert digest(kind, FIRST[kind] | changed) == digest(kind, FIRST[kind])


@every("kind, changed", OTHER)
def test_content_of_another_name_money_person_or_time_is_another(kind: Kind, changed: Json) -> None:
    assert digest(kind, FIRST[kind] | changed) != digest(kind, FIRST[kind])


def test_content_of_an_e_mail_and_of_its_hash_is_the_same() -> None:
    digest_of_it = "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"
    raw = FIRST[Kind.WEB_EVENT] | {"email": " Ada@Example.com"}

    hashed = FIRST[Kind.WEB_EVENT] | {"email_hashed": digest_of_it}
    assert digest(Kind.WEB_EVENT, raw) == digest(Kind.WEB_EVENT, hashed)


def test_content_of_an_event_without_money_has_no_currency() -> None:
    bare = make_event(eventValue=None, eventCurrency=None)

    assert digest(Kind.MOBILE_EVENT, bare | {"eventCurrency": "USD"}) == digest(
        Kind.MOBILE_EVENT, bare
    )


def test_content_is_the_same_after_a_change_of_the_phone_region() -> None:
    event = make_event(phone="(202) 555-0142")

    here, there = App(MOBILE_APP, phone_region="US"), App(MOBILE_APP, phone_region="DE")
    assert digest(Kind.MOBILE_EVENT, event, here) == digest(Kind.MOBILE_EVENT, event, there)


def test_content_of_another_app_or_kind_is_another() -> None:
    web = FIRST[Kind.WEB_EVENT]

    assert digest(Kind.WEB_EVENT, web) != digest(
        Kind.WEB_EVENT, web, App("website-www.example.org")
    )


@every("kind", [Kind.MOBILE_EVENT, Kind.WEB_EVENT])
def test_content_has_no_time_that_the_relay_stamped(kind: Kind) -> None:
    event = FIRST[kind] | {"eventTime" if kind is Kind.MOBILE_EVENT else "timestamp": None}

    later = digest(kind, event, first_seen=NOW + timedelta(hours=1))
    assert later == digest(kind, event)


def test_content_has_no_appsflyer_id_that_the_relay_looked_up() -> None:
    """The customer may have installed the app anew since."""
    event = make_event(appsflyer_id=None)

    found = digest(Kind.MOBILE_EVENT, event, appsflyer_id="1415211453000-6513894")
    assert found == digest(Kind.MOBILE_EVENT, event)


def test_content_of_a_payment_is_its_movement() -> None:
    movement = "ab" * 32

    given: Json = {"source": "stripe-main", "content_sha256": movement}
    assert digest(Kind.MOBILE_EVENT, make_event(), **given) == movement


def test_content_digest_says_its_version() -> None:
    text = (
        '["id123456789","mobile_event","af_purchase",["9.99","USD"],'
        '["1415211453000-6513894","user-1",null],1772452740000]'
    )

    expected = f"3:{hashlib.sha256(text.encode()).hexdigest()}"
    assert digest(Kind.MOBILE_EVENT, make_event()) == expected


def test_digest_of_release_0_1_leaves_out_a_time_that_was_stamped() -> None:
    """The expected one was made by that release."""
    envelope = Envelope(app_id=MOBILE_APP, kind=Kind.MOBILE_EVENT, event=None)
    first_seen = NOW - timedelta(seconds=5)
    event = stamped(Kind.MOBILE_EVENT, make_event(eventTime=None), first_seen)

    digest = former_content_digest(envelope, event, first_seen)

    assert digest == "38121ff8e7ed93c672f870dbbe88cacbcfed3d9231b32f12b91eb23e8a3512a3"
