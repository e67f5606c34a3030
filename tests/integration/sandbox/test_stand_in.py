"""The stand-in responds, records and drops according to AppsFlyer's rules (E, M, T, W)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from relay_sandbox.stand_in import Account, StandIn
from tests.support.local_http import local_client

MOBILE = "id123456789"
OTHER = "com.example.other"
WEB = "website-www.example.com"
ACCOUNTS = [
    {"app_id": MOBILE, "tokens": ["mobile-key", "mobile-key-2"], "time_zone": "America/New_York"},
    {"app_id": OTHER, "tokens": ["other-key"], "currency": "SEK"},
    {"app_id": WEB, "kind": "web", "tokens": ["web-token"], "time_zone": "Asia/Tokyo"},
    {"app_id": "com.example.blocked", "tokens": ["blocked-key"], "state": "blocked"},
    {"app_id": "website-blocked", "kind": "web", "tokens": ["blocked"], "state": "blocked"},
]
EVENT = {
    "appsflyer_id": "1700000000000-1234567",
    "eventName": "af_purchase",
    "eventValue": '{"af_revenue":"49.90"}',
    "eventCurrency": "EUR",
}
WEB_EVENT = {
    "user_id": {"customer_user_id": "u-1"},
    "event_name": "af_purchase",
    "event_revenue": 49.90,
    "event_revenue_currency": "USD",
}
WEB_VISIT = {"user_id": {"appsflyer_id": "a-1"}, "event_url": "https://example.com/shoes"}
EVENTS_PATH = f"/v2.0/s2s/inapps/app/web/{WEB}"
VISITS_PATH = f"/v2.0/s2s/visits/app/web/{WEB}"
JSON_TYPE = {"content-type": "application/json"}
BEARER = {"authorization": "Bearer web-token"}
CHANGEABLE = ("apps", "faults")


@dataclass
class Harness:
    """A running stand-in, a client for it, and the time of its clock."""

    client: httpx.AsyncClient
    stand_in: StandIn
    now: datetime = field(default=datetime(2026, 11, 22, 12, 0, tzinfo=UTC))

    async def mobile(
        self, payload: object = EVENT, app_id: str = MOBILE, key: str | None = "mobile-key"
    ) -> httpx.Response:
        headers = {"authentication": key} if key is not None else {}
        return await self.raw(f"/inappevent/{app_id}", payload, headers)

    async def web(self, payload: object = WEB_EVENT, path: str = EVENTS_PATH) -> httpx.Response:
        return await self.raw(path, payload, BEARER)

    async def raw(self, path: str, payload: object, headers: dict[str, str]) -> httpx.Response:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return await self.client.post(path, content=body, headers={**JSON_TYPE, **headers})

    async def entries(self, **filters: str) -> list[dict[str, Any]]:
        response = await self.client.get("/_standin/events", params=filters)
        events: list[dict[str, Any]] = response.json()["events"]
        return events

    async def entry(self) -> dict[str, Any]:
        """The only entry in the ledger."""
        (entry,) = await self.entries()
        return entry


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    stand_in = StandIn(
        [Account.model_validate(account) for account in ACCOUNTS], clock=lambda: ready.now
    )
    async with (
        stand_in.server() as server,
        local_client(base_url=server.url) as client,
    ):
        ready = Harness(client, stand_in)
        yield ready


# The mobile endpoint's responses


async def test_mobile_event_that_is_right_gets_ok_and_recorded(harness: Harness) -> None:
    response = await harness.mobile()

    entry = await harness.entry()
    assert (response.status_code, response.text) == (200, "OK")
    assert entry["request_id"] == response.headers["x-request-id"]
    del entry["request_id"]
    assert entry == {
        "sequence": 1,
        "arrived": "2026-11-22T12:00:00.000Z",
        "kind": "mobile_event",
        "app_id": MOBILE,
        "status": 200,
        "recorded": True,
        "why": "recorded",
        "recorded_time": "2026-11-22T12:00:00.000Z",
        "recorded_local": "2026-11-22T07:00:00.000-05:00",
        "recorded_source": "arrival",
        "recorded_rule": "T1",
        "event_name": "af_purchase",
        "revenue": "49.90",
        "revenue_why": "as sent",
        "currency": "EUR",
        "customer_dedup_id": None,
        "payload": EVENT,
        "fault": None,
    }


@pytest.mark.parametrize(
    ("app_id", "key", "status", "text"),
    [
        (MOBILE, None, 400, "Failed to Authenticate"),
        (MOBILE, "", 400, "Failed to Authenticate"),
        (MOBILE, "other-key", 400, "Bad request: the authentication key does not match app_id"),
        (MOBILE, "nobody-s-key", 401, "Unauthorized"),
        (MOBILE, "Bearer mobile-key", 401, "Unauthorized"),
        ("id999", "nobody-s-key", 401, "Unauthorized"),
        (WEB, "web-token", 401, "Unauthorized"),
        ("com.example.blocked", "blocked-key", 403, "Forbidden: zero package"),
    ],
)
async def test_mobile_event_with_wrong_credentials_or_account_is_refused(
    harness: Harness, app_id: str, key: str | None, status: int, text: str
) -> None:
    response = await harness.mobile(app_id=app_id, key=key)

    assert (response.status_code, response.text) == (status, text)
    assert (await harness.entry())["recorded"] is False


async def test_mobile_event_under_either_of_two_tokens_is_taken(harness: Harness) -> None:
    responses = [await harness.mobile(key=key) for key in ("mobile-key", "mobile-key-2")]

    assert [response.status_code for response in responses] == [200, 200]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", "Payload is missing or failed to parse"),
        (b"{", "Payload is missing or failed to parse"),
        (b"\xff", "Payload is missing or failed to parse"),
        (b"[]", "Payload is missing or failed to parse"),
        (b"null", "Payload is missing or failed to parse"),
        (b'{"a":NaN}', "Payload is missing or failed to parse"),
        ({}, "appsflyer_id is a mandatory field"),
        ({**EVENT, "appsflyer_id": " "}, "appsflyer_id is a mandatory field"),
        ({**EVENT, "appsflyer_id": 5}, "appsflyer_id is a mandatory field"),
        ({**EVENT, "eventName": ""}, "Bad request"),
        ({**EVENT, "eventValue": None}, "Bad request"),
    ],
)
async def test_mobile_event_without_its_mandatory_parts_gets_400(
    harness: Harness, payload: object, text: str
) -> None:
    response = await harness.mobile(payload)

    assert (response.status_code, response.text) == (400, text)
    assert (await harness.entry())["recorded"] is False


async def test_mobile_event_of_another_content_type_gets_400(harness: Harness) -> None:
    headers = {"authentication": "mobile-key", "content-type": "text/plain"}

    response = await harness.client.post(f"/inappevent/{MOBILE}", json=EVENT, headers=headers)

    assert (response.status_code, response.text) == (400, "Payload is missing or failed to parse")


async def test_mobile_app_id_is_percent_decoded(harness: Harness) -> None:
    await harness.mobile(app_id="id%31%323456789")

    assert (await harness.entry())["app_id"] == MOBILE


# What the mobile endpoint silently drops


async def test_mobile_event_of_an_ios_id_without_its_prefix_gets_ok_and_is_lost(
    harness: Harness,
) -> None:
    response = await harness.mobile(app_id="123456789")

    entry = await harness.entry()
    assert (response.status_code, response.text) == (200, "OK")
    assert (entry["recorded"], entry["why"][:2]) == (False, "E8")


@pytest.mark.parametrize(("size", "recorded"), [(1024, True), (1025, False)])
async def test_mobile_event_over_1024_bytes_gets_ok_and_is_lost(
    harness: Harness, size: int, *, recorded: bool
) -> None:
    filler = size - len(json.dumps({**EVENT, "ua": ""}))

    response = await harness.mobile({**EVENT, "ua": "x" * filler})

    entry = await harness.entry()
    assert response.status_code == 200
    assert entry["recorded"] is recorded
    assert ("E5" in entry["why"]) is not recorded


async def test_mobile_event_value_that_is_no_string_loses_value_and_revenue(
    harness: Harness,
) -> None:
    response = await harness.mobile({**EVENT, "eventValue": {"af_revenue": 5}})

    entry = await harness.entry()
    assert (response.status_code, entry["recorded"], entry["revenue"]) == (200, True, None)
    assert "M3" in entry["why"]
    assert "M3" in entry["revenue_why"]


async def test_mobile_revenue_with_a_comma_is_recorded_without_the_revenue(
    harness: Harness,
) -> None:
    await harness.mobile({**EVENT, "eventValue": '{"af_revenue":"1,234.56"}'})

    entry = await harness.entry()
    assert (entry["recorded"], entry["revenue"]) == (True, None)
    assert "M4" in entry["revenue_why"]


async def test_mobile_revenue_without_currency_is_in_the_apps_own(harness: Harness) -> None:
    event = {name: value for name, value in EVENT.items() if name != "eventCurrency"}

    await harness.mobile(event, OTHER, "other-key")

    entry = await harness.entry()
    assert (entry["revenue"], entry["currency"]) == ("49.90", "SEK")


@pytest.mark.parametrize(
    ("field", "value", "rule"), [("ip", "2001:db8::1", "M7"), ("colour", "red", "M21")]
)
async def test_mobile_field_that_appsflyer_cannot_use_is_lost_alone(
    harness: Harness, field: str, value: str, rule: str
) -> None:
    await harness.mobile({**EVENT, field: value})

    entry = await harness.entry()
    assert (entry["recorded"], entry["revenue"]) == (True, "49.90")
    assert rule in entry["why"]


async def test_mobile_event_sent_twice_is_recorded_twice(harness: Harness) -> None:
    """S6: the mobile API has no deduplication, not even by a field of that name."""
    for _ in range(2):
        await harness.mobile({**EVENT, "customer_dedup_id": "d-1"})

    assert [entry["recorded"] for entry in await harness.entries()] == [True, True]


# The time of mobile events: the guide's own example and its edges


@pytest.mark.parametrize(
    ("event_time", "now", "recorded", "rule"),
    [
        # Monday 21:00, arriving Tuesday 01:00 and Wednesday 09:00 (the guide's example).
        ("2026-11-16 21:00:00.000", "2026-11-17T01:00", "2026-11-16T21:00:00.000Z", "T2"),
        ("2026-11-16 21:00:00.000", "2026-11-18T09:00", "2026-11-18T09:00:00.000Z", "T3"),
        ("2026-11-16 21:00:00.000", "2026-11-17T02:00", "2026-11-17T02:00:00.000Z", "T3"),
        ("2026-11-16 21:00:00.000", "2026-11-16T12:00", "2026-11-16T21:00:00.000Z", "T4"),
        ("2026-11-17 00:00:00.000", "2026-11-16T12:00", "2026-11-16T12:00:00.000Z", "T5"),
        ("2026-11-16T11:00:00Z", "2026-11-16T12:00", "2026-11-16T12:00:00.000Z", "T1"),
        ("2026-02-30 11:00:00.000", "2026-11-16T12:00", "2026-11-16T12:00:00.000Z", "T1"),
        (1_795_000_000_000, "2026-11-16T12:00", "2026-11-16T12:00:00.000Z", "T1"),
    ],
)
async def test_mobile_event_time_is_kept_or_replaced_by_the_rules(
    harness: Harness, event_time: object, now: str, recorded: str, rule: str
) -> None:
    harness.now = datetime.fromisoformat(now).replace(tzinfo=UTC)

    await harness.mobile({**EVENT, "eventTime": event_time})

    entry = await harness.entry()
    assert (entry["recorded_time"], entry["recorded_rule"]) == (recorded, rule)


# The web endpoints' responses


async def test_web_event_that_is_right_gets_202_and_recorded(harness: Harness) -> None:
    response = await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1"})

    content, entry = response.json(), await harness.entry()
    assert response.status_code == 202
    assert sorted(content) == ["message", "messageId", "status"]
    assert (entry["kind"], entry["recorded"], entry["customer_dedup_id"]) == (
        "web_event",
        True,
        "d-1",
    )
    assert (entry["revenue"], entry["currency"]) == ("49.9", "USD")


async def test_web_visit_that_is_right_gets_202_and_recorded(harness: Harness) -> None:
    response = await harness.web(WEB_VISIT, VISITS_PATH)

    entry = await harness.entry()
    assert (response.status_code, entry["kind"], entry["recorded"]) == (202, "web_visit", True)
    assert (entry["event_name"], entry["revenue"]) == (None, None)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (EVENTS_PATH, {}, 401),
        (EVENTS_PATH, {"authorization": "web-token"}, 401),
        (EVENTS_PATH, {"authorization": "Bearer wrong"}, 401),
        (EVENTS_PATH.replace(WEB, "website-unknown"), BEARER, 401),
        (EVENTS_PATH.replace(WEB, MOBILE), {"authorization": "Bearer mobile-key"}, 401),
        (EVENTS_PATH.replace(WEB, "website-blocked"), {"authorization": "Bearer blocked"}, 403),
        (EVENTS_PATH, {**BEARER, "content-type": "text/plain"}, 415),
        (VISITS_PATH, {**BEARER, "content-type": "text/json"}, 415),
        (EVENTS_PATH, {**BEARER, "content-type": "Application/JSON; charset=utf-8"}, 202),
    ],
)
async def test_web_event_is_refused_for_credentials_account_and_content_type(
    harness: Harness, path: str, headers: dict[str, str], status: int
) -> None:
    payload = WEB_VISIT if path == VISITS_PATH else WEB_EVENT

    response = await harness.raw(path, payload, headers)

    assert response.status_code == status
    assert {"status", "message"} <= response.json().keys()
    assert (await harness.entry())["recorded"] is (status == 202)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user_id": {}}, "user_id"),
        ({"user_id": "u-1"}, "user_id"),
        ({"user_id": {"customer_user_id": "x" * 65}}, "customer_user_id"),
        ({"user_id": {"appsflyer_id": ""}}, "appsflyer_id"),
        ({"user_id": {"customer_user_id": "u", "email": "e"}}, "email"),
        ({"user_id": {"customer_user_id": "u", "appsflyer_id": None}}, "user_id"),
        ({"event_name": ""}, "event_name"),
        ({"event_name": "x" * 65}, "event_name"),
        ({"event_name": "a-b"}, "event_name"),
        ({"event_revenue": "49.90"}, "event_revenue"),
        ({"event_revenue": True}, "event_revenue"),
        ({"event_revenue_currency": "ABC"}, "event_revenue_currency"),
        ({"event_revenue_currency": "usd"}, "event_revenue_currency"),
        ({"event_value": "{}"}, "event_value"),
        ({"event_value": {"custom_parameters": []}}, "custom_parameters"),
        ({"event_url": "ftp://example.com"}, "event_url"),
        ({"event_url": "https://example.com/" + "x" * 4096}, "event_url"),
        ({"timestamp": "1712000000000"}, "timestamp"),
        ({"timestamp": 1712000000000.5}, "timestamp"),
        ({"timestamp": 10**18}, "timestamp"),
        ({"ip": "localhost"}, "ip"),
        ({"user_agent": "x" * 1025}, "user_agent"),
        ({"http_referrer": 5}, "http_referrer"),
        ({"customer_dedup_id": 5}, "customer_dedup_id"),
        ({"email_hashed": "abc"}, "email_hashed"),
        ({"ip": None}, "ip"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_web_event_with_a_wrong_field_gets_400_naming_it(
    harness: Harness, change: dict[str, object], field: str
) -> None:
    response = await harness.web({**WEB_EVENT, **change})

    assert response.status_code == 400
    assert field in response.json()["message"]
    assert (await harness.entry())["recorded"] is False


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"{}", {**WEB_EVENT, "event_name": None}])
async def test_web_event_without_its_required_parts_gets_400(
    harness: Harness, payload: object
) -> None:
    assert (await harness.web(payload)).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"event_name": "x"},
        {"event_revenue": 5},
        {"event_revenue_currency": "USD"},
        {"event_url": None},
    ],
)
async def test_web_visit_with_an_events_field_or_without_url_gets_400(
    harness: Harness, change: dict[str, object]
) -> None:
    response = await harness.web({**WEB_VISIT, **change}, VISITS_PATH)

    assert response.status_code == 400


async def test_web_event_with_every_field_is_recorded(harness: Harness) -> None:
    response = await harness.web(
        {
            **WEB_EVENT,
            "user_id": {"customer_user_id": "u-1", "appsflyer_id": "a"},
            "event_revenue": -3,
            "event_value": {"af_quantity": 2, "note": None, "custom_parameters": {"a": 1}},
            "event_url": "https://example.com/checkout",
            "timestamp": 1_795_348_800_000,
            "ip": "2001:db8::1",
            "user_agent": "Mozilla/5.0",
            "http_referrer": "https://example.com/",
            "customer_dedup_id": "d-1",
            **dict.fromkeys(
                [
                    "email_hashed",
                    "phone_number_hashed",
                    "phone_number_e164_hashed",
                    "first_name_hashed",
                    "last_name_hashed",
                ],
                "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
            ),
        }
    )

    assert response.status_code == 202
    assert (await harness.entry())["revenue"] == "-3"


async def test_web_revenue_without_currency_is_in_the_apps_own(harness: Harness) -> None:
    event = {k: v for k, v in WEB_EVENT.items() if k != "event_revenue_currency"}

    await harness.web(event)

    entry = await harness.entry()
    assert (entry["currency"], entry["revenue_why"][:2]) == ("USD", "W4")


async def test_web_revenue_is_kept_to_the_digit(harness: Harness) -> None:
    body = json.dumps(WEB_EVENT).replace("49.9", "1234567890123.4500")

    await harness.web(body.encode())

    assert (await harness.entry())["revenue"] == "1234567890123.4500"


# Duplicates on the web


async def test_web_event_with_a_known_dedup_id_gets_202_and_dropped(harness: Harness) -> None:
    responses = [await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1"}) for _ in range(2)]

    entries = await harness.entries()
    assert [response.status_code for response in responses] == [202, 202]
    assert [entry["recorded"] for entry in entries] == [True, False]
    assert "dropped as duplicate" in entries[1]["why"]


async def test_web_event_that_was_refused_does_not_use_up_its_dedup_id(harness: Harness) -> None:
    await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1", "timestamp": "wrong"})
    await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1"})

    assert [entry["recorded"] for entry in await harness.entries()] == [False, True]


async def test_web_visit_may_share_its_dedup_id_with_an_event(harness: Harness) -> None:
    await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1"})
    await harness.web({**WEB_VISIT, "customer_dedup_id": "d-1"}, VISITS_PATH)

    assert [entry["recorded"] for entry in await harness.entries()] == [True, True]


# The time of web events: days are Tokyo's (UTC+9) here


@pytest.mark.parametrize(
    ("timestamp", "now", "recorded", "rule"),
    [
        (None, "2026-11-17T12:00", "2026-11-17T12:00:00.000Z", "T6"),
        # 2026-11-16 21:00 in Tokyo; 00:30 of the next day there is 15:30 UTC.
        (1_794_830_400_000, "2026-11-16T15:30", "2026-11-16T12:00:00.000Z", "T7"),
        (1_794_830_400_000, "2026-11-16T15:31", "2026-11-16T15:31:00.000Z", "T8"),
        (1_794_830_400, "2026-11-16T12:00", "2026-11-16T12:00:00.000Z", "T8"),
    ],
)
async def test_web_timestamp_is_kept_or_replaced_by_the_rules(
    harness: Harness, timestamp: int | None, now: str, recorded: str, rule: str
) -> None:
    harness.now = datetime.fromisoformat(now).replace(tzinfo=UTC)

    await harness.web({**WEB_EVENT, **({"timestamp": timestamp} if timestamp else {})})

    entry = await harness.entry()
    assert (entry["recorded_time"], entry["recorded_rule"]) == (recorded, rule)


# Other requests


@pytest.mark.parametrize("path", ["/", "/inappevent/", "/inappevent/a/b", "/v1/other", "/_stand"])
async def test_path_that_is_no_endpoint_gets_404_and_is_not_in_the_ledger(
    harness: Harness, path: str
) -> None:
    response = await harness.client.post(path, json=EVENT)

    assert response.status_code == 404
    assert await harness.entries() == []


@pytest.mark.parametrize("path", [f"/inappevent/{MOBILE}", EVENTS_PATH, VISITS_PATH])
async def test_endpoint_under_another_method_gets_405(harness: Harness, path: str) -> None:
    response = await harness.client.get(path)

    assert (response.status_code, response.headers["allow"]) == (405, "POST")


# The control API


@pytest.mark.parametrize(
    ("filters", "sequences"),
    [
        ({}, [1, 2, 3]),
        ({"app_id": WEB}, [2]),
        ({"kind": "mobile_event"}, [1, 3]),
        ({"event_name": "login"}, [3]),
        ({"recorded": "true"}, [1, 2]),
        ({"recorded": "false", "app_id": MOBILE}, [3]),
        ({"recorded": "false", "app_id": WEB}, []),
    ],
)
async def test_ledger_shows_what_the_filters_ask_for(
    harness: Harness, filters: dict[str, str], sequences: list[int]
) -> None:
    await harness.mobile()
    await harness.web()
    await harness.mobile({**EVENT, "eventName": "login"}, key="wrong")

    entries = await harness.entries(**filters)

    assert [entry["sequence"] for entry in entries] == sequences


@pytest.mark.parametrize("query", ["recorded=perhaps", "colour=red"])
async def test_ledger_refuses_a_filter_that_it_does_not_know(harness: Harness, query: str) -> None:
    response = await harness.client.get(f"/_standin/events?{query}")

    assert response.status_code == 400


@pytest.mark.parametrize(
    "body", [b"not JSON", b"\xff\xfe", b'{"appsflyer_id":"a","eventName":"\\ud800"}', b"[" * 5000]
)
async def test_ledger_survives_any_body(harness: Harness, body: bytes) -> None:
    await harness.mobile(body)
    await harness.web(body)

    assert len(await harness.entries()) == 2


async def test_ledger_survives_a_field_whose_name_is_half_a_character(harness: Harness) -> None:
    response = await harness.web(b'{"\\ud800":1}')

    assert response.status_code == 400
    assert (await harness.entry())["recorded"] is False


async def test_reset_forgets_requests_faults_and_dedup_ids_and_keeps_the_apps(
    harness: Harness,
) -> None:
    await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1"})
    await harness.client.post("/_standin/faults", json={"status": 500})

    response = await harness.client.post("/_standin/reset")
    await harness.web({**WEB_EVENT, "customer_dedup_id": "d-1"})

    assert response.status_code == 200
    entry = await harness.entry()
    assert (entry["sequence"], entry["recorded"], entry["fault"]) == (1, True, None)


async def test_token_that_is_revoked_and_replaced_works_no_more(harness: Harness) -> None:
    change = {"app_id": MOBILE, "tokens": ["rotated-key"]}

    response = await harness.client.post("/_standin/apps", json=change)
    statuses = [
        (await harness.mobile(key=key)).status_code for key in ("mobile-key", "rotated-key")
    ]

    assert statuses == [401, 200]
    assert "rotated-key" not in response.text


async def test_app_that_is_blocked_and_opened_again_takes_events_again(harness: Harness) -> None:
    statuses = []
    for state in ("blocked", "open"):
        await harness.client.post("/_standin/apps", json=[{"app_id": MOBILE, "state": state}])
        statuses.append((await harness.mobile()).status_code)

    assert statuses == [403, 200]


async def test_app_that_is_added_takes_events(harness: Harness) -> None:
    await harness.client.post("/_standin/apps", json={"app_id": "com.example.new", "tokens": ["k"]})

    assert (await harness.mobile(app_id="com.example.new", key="k")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/_standin/faults", b"{", "not JSON"),
        ("/_standin/faults", b"5", "Known fields: status"),
        ("/_standin/faults", b'{"explode":true}', "Known fields: status"),
        ("/_standin/faults", b'[{"status":500},{}]', "says no fault"),
        ("/_standin/apps", b'{"app_id":"id1","state":"asleep"}', "'open' or 'blocked'"),
        ("/_standin/apps", b"[5]", "Known fields: app_id"),
        ("/_standin/apps", b'{"\\ud800":5}', "Known fields: app_id"),
    ],
)
async def test_command_that_is_wrong_gets_400_with_what_is_allowed_and_changes_nothing(
    harness: Harness, path: str, body: bytes, message: str
) -> None:
    before = (await harness.client.get(path)).json()

    response = await harness.client.post(path, content=body, headers=JSON_TYPE)

    assert response.status_code == 400
    assert message in response.json()["error"]
    assert (await harness.client.get(path)).json() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_standin/faults", b'{"status":500}'),
        ("/_standin/apps", b'{"app_id":"id1","state":"blocked"}'),
        ("/_standin/reset", b"{}"),
    ],
)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "",
        None,
    ],
)
async def test_command_that_a_form_could_send_gets_415_and_changes_nothing(
    harness: Harness, path: str, body: bytes, content_type: str | None
) -> None:
    await harness.client.post("/_standin/faults", json={"status": 503, "event_name": "never"})
    apps_and_faults = [(await harness.client.get(f"/_standin/{n}")).json() for n in CHANGEABLE]
    headers = {} if content_type is None else {"content-type": content_type}

    response = await harness.client.post(path, content=body, headers=headers)

    assert response.status_code == 415
    assert "Content-Type: application/json" in response.json()["error"]
    assert [
        (await harness.client.get(f"/_standin/{n}")).json() for n in CHANGEABLE
    ] == apps_and_faults


async def test_reset_of_an_empty_form_gets_415(harness: Harness) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    response = await harness.client.post("/_standin/reset", headers=headers)

    assert response.status_code == 415


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_command_in_json_is_executed(harness: Harness, content_type: str) -> None:
    headers = {"content-type": content_type}

    response = await harness.client.post("/_standin/faults", content=b"[]", headers=headers)

    assert response.status_code == 200


async def test_apps_are_shown_without_their_tokens(harness: Harness) -> None:
    response = await harness.client.get("/_standin/apps")

    assert response.json()["apps"][0] == {
        "app_id": MOBILE,
        "kind": "mobile",
        "tokens": 2,
        "time_zone": "America/New_York",
        "currency": "USD",
        "state": "open",
    }


async def test_command_that_does_not_exist_gets_404(harness: Harness) -> None:
    assert (await harness.client.get("/_standin/nothing")).status_code == 404


async def test_command_under_another_method_gets_405(harness: Harness) -> None:
    response = await harness.client.put("/_standin/faults", json={})

    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST, DELETE")


async def test_guide_lists_every_command_and_its_examples_are_accepted(harness: Harness) -> None:
    guide = (await harness.client.get("/_standin")).json()

    for command in guide["control"]:
        method, path = command.split()
        response = await harness.client.request(method, path, json={"status": 500, "app_id": "id1"})
        assert response.status_code not in (404, 405), command
    for example in guide["examples"].values():
        ((command, body),) = example.items()
        method, path = command.split()
        assert (await harness.client.request(method, path, json=body)).status_code == 200
