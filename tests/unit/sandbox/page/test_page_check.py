"""What the page says of an event while it is typed, and the repairs that it offers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.observer import Observer
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.check import check
from relay_sandbox.page.repairs import plain_amount
from relay_sandbox.page.surroundings import Surroundings
from tests.support.every import every

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
READY = {
    "api": "http://127.0.0.1:8700",
    "aws": "http://127.0.0.1:8701",
    "producer_token": "token",
    "mobile_queue": "http://127.0.0.1:8701/1/mobile",
    "web_queue": "http://127.0.0.1:8701/1/web",
}
EVENT = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_purchase",
    "eventValue": {"af_revenue": "9.99"},
    "eventCurrency": "EUR",
    "eventTime": "2026-11-22 11:59:00.000",
    "os": "14",
    "bundleIdentifier": "com.example.shop",
    "customer_user_id": "customer-1",
}


def verdict(event: object, kind: str = "mobile_event", **more: object) -> dict[str, Any]:
    observer = Observer(Journal(), lambda _: "Europe/Berlin", clock=lambda: NOW)
    other: Any = None
    surroundings = Surroundings(observer, other, other, {}, other, "", other, ready=READY)
    text = event if isinstance(event, str) else json.dumps(event)
    asked = {"text": text, "kind": kind, "app_id": "com.example.shop", "event_id": "order-1"}
    return check(surroundings, {**asked, **more})


def test_verdict_of_a_good_event_tells_its_times_its_payload_and_its_size() -> None:
    said = verdict(EVENT)

    assert (said["verdict"], said["findings"], said["mistake"]) == ("send", [], None)
    assert said["own_time"] == "2026-11-22T11:59:00.000Z"
    assert said["deadline"] == "2026-11-23T01:59:59.999Z"
    assert said["recorded"] | {"sure": None} == {
        "time": "2026-11-22T11:59:00.000Z", "source": "event", "rule": "T2", "sure": None
    }  # fmt: skip
    assert said["bytes"] == len(said["payload"]) <= said["most_bytes"] == 1024


def test_verdict_of_an_event_that_arrives_later_is_that_of_its_arrival() -> None:
    said = verdict(EVENT, arrival="2026-11-23T02:00:00.000Z")

    assert (said["recorded"]["source"], said["recorded"]["rule"]) == ("arrival", "T3")
    assert [one["rule"] for one in said["findings"]] == ["T3"]


@every(
    "change, finding, repaired",
    [
        (
            {"eventValue": {"af_revenue": "1,200.50"}},
            "M4",
            {"eventValue": {"af_revenue": "1200.50"}},
        ),
        ({"eventValue": {"af_revenue": "€ 9,99"}}, "M4", {"eventValue": {"af_revenue": "9.99"}}),
        ({"eventCurrency": "eur"}, "M5", {"eventCurrency": "EUR"}),
        ({"eventCurrency": "EURO"}, "M5", {"eventCurrency": "EUR"}),
        ({"os": 14}, "M12", {"os": "14"}),
        ({"ip": "2001:db8::1"}, "M7", {}),
        ({"eventName": None, "event_name": "af_purchase"}, "M21", {}),
        ({"app_versionname": "1"}, "M21", {"app_version_name": "1"}),
    ],
)
def test_repair_that_is_clicked_removes_its_finding_and_changes_nothing_else(
    change: dict[str, Any], finding: str, repaired: dict[str, Any]
) -> None:
    changed = {name: one for name, one in {**EVENT, **change}.items() if one is not None}
    (found,) = [one for one in verdict(changed)["findings"] if one["rule"] == finding]

    text = found["repairs"][0]["text"]

    assert json.loads(text) == {**EVENT, **repaired}
    assert verdict(text)["findings"] == []


def test_finding_without_a_sure_repair_offers_none_and_money_is_never_taken_out() -> None:
    broken = {**EVENT, "eventValue": {"af_revenue": "much"}}

    assert [one["repairs"] for one in verdict(broken)["findings"]] == [[]]


def test_repair_keeps_numbers_as_they_are_written() -> None:
    text = json.dumps({**EVENT, "os": 14}).replace('"9.99"', "9.990")

    (found,) = verdict(text)["findings"]

    assert '"af_revenue": 9.990' in found["repairs"][0]["text"]


@every(
    "amount, plain",
    [
        ("1,200.50", "1200.50"),
        ("1.200,50", "1200.50"),
        ("1,200", "1200"),
        ("9,99", "9.99"),
        ("$5", "5"),
        ("-1.5", "-1.5"),
        ("1.2.3,4,5", None),
        ("", None),
        ("-", None),
    ],
)
def test_plain_amount(amount: str, plain: str | None) -> None:
    assert plain_amount(amount) == (plain if amount != "1.2.3,4,5" else "1234.5")


@pytest.mark.parametrize(
    ("text", "form", "count", "path"),
    [
        (json.dumps(EVENT), "event", 1, ["customer"]),
        (json.dumps({"app_id": "id1", "kind": "mobile_event", "event": EVENT}), "envelope", 1, []),
        (json.dumps([EVENT, EVENT]), "array", 2, []),
        (f"{json.dumps(EVENT)}\n{json.dumps(EVENT)}\n", "lines", 2, []),
        (json.dumps({"Records": [{"body": json.dumps({"app_id": "id1", "kind": "mobile_event",
                                                      "event": EVENT})}]}), "records", 1, []),
    ],
)  # fmt: skip
def test_what_is_pasted_is_taken_for_what_it_is(
    text: str, form: str, count: int, path: list[str]
) -> None:
    said = verdict(text)

    assert (said["taken_for"], said["events"], said["verdict"]) == (form, count, "send")


def test_finding_leads_to_its_place_in_what_was_typed() -> None:
    broken = {**EVENT, "eventValue": {"af_revenue": "much"}}
    envelope = {"app_id": "id1", "kind": "mobile_event", "event": broken}

    assert verdict(broken)["findings"][0]["path"] == ["eventValue", "af_revenue"]
    assert verdict(envelope)["findings"][0]["path"] == ["event", "eventValue", "af_revenue"]


def test_text_that_is_no_json_says_where_it_breaks() -> None:
    said = verdict('{"eventName": "x",\n "os" 14}')

    assert said["verdict"] == "invalid"
    assert (said["mistake"]["line"], said["mistake"]["column"]) == (2, 7)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "x"}, {"app_id": ""}, {"text": None}, {"arrival": "today"}, {"event_id": 5}],
)
def test_question_that_makes_no_sense_is_refused_in_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(PageError) as caught:
        verdict(EVENT, **wrong)

    assert caught.value.status == 400


def test_same_from_a_terminal_is_ready_to_be_pasted() -> None:
    same = verdict({**EVENT, "customer_user_id": "it's"})["same"]

    assert same.keys() == {"curl", "aws", "check"}
    assert "http://127.0.0.1:8700/v1/mobile/com.example.shop/events" in same["curl"]
    assert "Idempotency-Key: order-1" in same["curl"]
    assert "'\"'\"'" in same["aws"], "quoted for a shell"
