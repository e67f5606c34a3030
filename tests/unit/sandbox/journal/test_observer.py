"""What the journal makes of facts: each story of an event, told by its outcomes and steps."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.domain.kinds import Kind
from relay.exact_json import dumps, loads
from relay.instants import Recorded
from relay_sandbox.http.messages import Request, Response
from relay_sandbox.journal.facts import QueueName, Role, Waits
from relay_sandbox.journal.journal import MOST_TRACES, Journal
from relay_sandbox.journal.observer import Observer
from relay_sandbox.journal.trace import Fate, Trace
from relay_sandbox.lambda_runtime.runtime_api import FunctionError
from relay_sandbox.stand_in.calls import Call, Verdict, parse_body
from relay_sandbox.stand_in.ledger import Ledger

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
APP = "com.example.shop"
EVENT = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_purchase",
    "eventValue": {"af_revenue": "9.99"},
    "eventCurrency": "EUR",
    "eventTime": "2026-11-22 11:59:00.000",
    "email": "jane.roe@example.com",
    "os": "14",
    "bundleIdentifier": APP,
}
URL = "http://127.0.0.1/123456789012/"


class Story:
    """A sandbox of which only the facts are there."""

    def __init__(self, most: int = MOST_TRACES) -> None:
        self.now = NOW
        self.journal = Journal(most)
        names: tuple[QueueName, ...] = ("mobile", "web", "payments")
        self.observer = Observer(
            self.journal,
            lambda _: "Europe/Berlin",
            clock=lambda: self.now,
            roles={
                **{name: Role(name, is_dead=False) for name in names},
                **{f"{name}-dead": Role(name, is_dead=True) for name in names},
            },
            waits=Waits((5, 30, 120), 300),
        )
        self._ledger = Ledger()
        self._numbers = 0

    def put(self, queue: str, body: object, caller: str = "", message_id: str | None = None) -> str:
        self._numbers += 1
        message_id = message_id or f"m{self._numbers}"
        text = body if isinstance(body, str) else dumps(body).decode()
        sent = round(self.now.timestamp() * 1000)
        fact = {"id": message_id, "body": text, "sent": sent, "delay": 0.0, "caller": caller}
        self._fact(what="put", queue=queue, **fact)
        return message_id

    def deleted(self, queue: str, message_id: str) -> None:
        self._fact(what="deleted", queue=queue, id=message_id, caller="")

    def _fact(self, **fact: object) -> None:
        self.observer.queue_line(json.dumps(fact).encode())

    def received(self, *message_ids: str, queue: str = "mobile") -> None:
        self.observer.received(URL + queue, self._records(message_ids))

    def settled(
        self,
        *message_ids: str,
        queue: str = "mobile",
        back: Iterable[str] = (),
        error: str | None = None,
    ) -> None:
        failure = FunctionError(error, "") if error else None
        self.observer.settled(URL + queue, self._records(message_ids), set(back), failure)

    def _records(self, message_ids: Iterable[str]) -> list[dict[str, Any]]:
        counts = {"ApproximateReceiveCount": "1"}
        return [{"messageId": one, "attributes": counts} for one in message_ids]

    def asked(
        self, payload: object, status: int | None = 200, *, recorded: bool = True, app_id: str = APP
    ) -> None:
        """AppsFlyer gets a request, and answers."""
        request = Request("POST", "/", (), dumps(payload), ("127.0.0.1", 1), self.now)
        call = Call(request, Kind.MOBILE_EVENT, app_id, self.now, parse_body(request.body))
        self.observer.began(call)
        time = Recorded(self.now, "event", "T2") if recorded else None
        verdict = Verdict(Response(), recorded, "recorded" if recorded else "no", time)
        self.observer.judged(call, self._ledger.write(call, verdict, "UTC", "r", status=status))

    def said(self, message_id: str, **more: object) -> None:
        line = {"message": "event not delivered", "message_id": message_id, **more}
        self.observer.function_line("forward_mobile", json.dumps(line).encode())

    @property
    def traces(self) -> list[Trace]:
        return list(self.journal)

    @property
    def outcomes(self) -> list[str]:
        return [trace.outcome.value for trace in self.journal]


def envelope(event_id: str | None = "order-1", **more: Any) -> dict[str, Any]:
    named = {} if event_id is None else {"event_id": event_id}
    return {"app_id": APP, "kind": "mobile_event", "event": EVENT, **named, **more}


def payload_of(trace: Trace) -> Any:
    """What the relay sends of an event."""
    return loads(trace.payload or "")


@pytest.fixture
def story() -> Story:
    return Story()


def delivered(story: Story, event_id: str | None = "order-1") -> Trace:
    message_id = story.put("mobile", envelope(event_id))
    story.received(message_id)
    story.asked(payload_of(story.traces[-1]))
    story.settled(message_id)
    return story.traces[-1]


def test_event_that_is_delivered_tells_its_whole_way(story: Story) -> None:
    trace = delivered(story)

    assert [step.kind for step in trace.steps] == ["handed_in", "received", "sent", "answered"]
    assert trace.steps[-1].sure == "surely"
    row = trace.row()
    assert row["outcome"] == "delivered"
    assert (row["source"], row["name"], row["revenue"], row["currency"]) == (
        "sqs", "af_purchase", "9.99", "EUR"
    )  # fmt: skip
    assert row["own_time"] == "2026-11-22T11:59:00.000Z"
    assert row["deadline"] == "2026-11-23T01:59:59.999Z"
    assert (row["recorded"]["rule"], row["times_recorded"]) == ("T2", 1)
    assert row["hashed_fields"] == ["email_hashed"]
    assert (row["ended"], row["zone"]) == ("2026-11-22T12:00:00.000Z", "UTC")
    assert trace.size == len(trace.payload or "")


def test_event_without_an_answer_waits_is_doubtful_and_keeps_its_trace(story: Story) -> None:
    """The message's id changes at each wait, the event's does not."""
    first = story.put("mobile", envelope(None))
    story.received(first)
    story.asked(payload_of(story.traces[0]), None)
    again = story.put("mobile", envelope(first, attempts=1), "forward_mobile")
    story.said(first, outcome="deferred", reason="read_timed_out", rule="E16", uncertain=True)
    story.settled(first)
    (trace,) = story.traces

    assert (trace.outcome, trace.reason, trace.event_id) == (Fate.WAITING, "read_timed_out", first)
    waits = trace.steps[-1]
    assert (waits.kind, waits.sure, waits.waits_in_production_seconds) == ("waits", "perhaps", 5)
    assert "E16" in trace.rules

    story.received(again)
    story.asked(payload_of(trace))
    story.settled(again)

    assert story.outcomes == ["delivered"]
    assert (trace.attempts, trace.times_recorded, sorted(trace.marks)) == (2, 2, ["counted_twice"])


def test_events_that_are_alike_are_told_apart_by_their_requests(story: Story) -> None:
    ids = [story.put("mobile", envelope(f"order-{number}")) for number in range(3)]
    other = story.put("mobile", envelope("order-x", event={**EVENT, "os": "15"}))
    story.received(*ids, other)
    story.asked({**payload_of(story.traces[3])})
    for _ in ids[:2]:
        story.asked(payload_of(story.traces[0]))
    story.settled(*ids, other)

    assert story.outcomes == ["delivered", "delivered", "duplicate", "delivered"]


def test_events_that_differ_only_in_the_time_that_the_relay_gives_them_are_told_apart(
    story: Story,
) -> None:
    """A function may have the later one first. The time is that of SQS, to the millisecond."""
    event = {name: value for name, value in EVENT.items() if name != "eventTime"}
    ids = []
    for number in range(2):
        ids.append(story.put("mobile", envelope(f"order-{number}", event=event)))
        story.now += timedelta(milliseconds=1)
    story.now += timedelta(seconds=1)
    story.received(*ids)

    story.asked(payload_of(story.traces[1]))
    story.settled(ids[1])

    assert story.outcomes == ["queued", "delivered"]


@pytest.mark.parametrize(
    ("outcome", "reason", "fate"),
    [
        ("rejected", "rejected", Fate.REJECTED),
        ("refused", "bad_request", Fate.REFUSED),
        ("deferred", "attempts_used_up: status_500", Fate.DEAD_LETTER),
    ],
)
def test_dead_letter_names_its_reason_and_can_be_redriven_or_dropped(
    story: Story, outcome: str, reason: str, fate: Fate
) -> None:
    message_id = story.put("mobile", envelope())
    story.received(message_id)
    letter = envelope(
        outcome=outcome, reason=reason, findings=[{"rule": "M1", "severity": "reject"}],
        first_seen="2026-11-22T12:00:00.000Z", dead_since="2026-11-22T12:00:00.000Z",
    )  # fmt: skip
    dead = story.put("mobile-dead", letter, "forward_mobile")
    story.settled(message_id)
    (trace,) = story.traces

    assert (trace.outcome, trace.reason, trace.rules) == (fate, reason, ["M1"])
    assert [(one, queue) for one, (queue, _) in story.observer.letters()] == [(dead, "mobile")]

    again = story.put("mobile", envelope(first_seen="2026-11-22T12:00:00.000Z"))
    story.deleted("mobile-dead", dead)

    assert story.outcomes == ["queued"], "redriven: the same event"
    assert story.observer.dead_letters == 0

    story.received(again)
    dead = story.put("mobile-dead", letter, "forward_mobile")
    story.settled(again)
    story.deleted("mobile-dead", dead)

    assert story.outcomes == ["dropped"]


def test_event_that_sqs_gave_up_is_a_dead_letter_of_its_queue(story: Story) -> None:
    message_id = story.put("web", "{not JSON", message_id="m-1")
    story.received(message_id, queue="web")
    story.settled(message_id, queue="web", error="Runtime.ExitError")
    story.put("web-dead", "{not JSON", message_id="m-1")

    assert (story.outcomes, story.traces[0].reason) == (["dead_letter"], "crashed")
    assert [queue for _, (queue, _) in story.observer.letters()] == ["web"]


def test_function_that_dies_after_a_request_leaves_it_in_doubt_and_not_ended(story: Story) -> None:
    message_id = story.put("mobile", envelope())
    story.received(message_id)
    story.asked(payload_of(story.traces[0]))
    story.settled(message_id, error="Runtime.ExitError")
    (trace,) = story.traces

    assert (trace.outcome, trace.ended, trace.steps[-1].sure) == (Fate.WAITING, None, "perhaps")
    assert sorted(trace.marks) == ["uncertain"]


def test_event_with_an_id_that_was_used_for_another_says_in_what_they_differ(story: Story) -> None:
    delivered(story)
    second = story.put("mobile", envelope(event={**EVENT, "eventTime": "2026-11-22 11:58:00.000"}))
    story.received(second)
    letter = envelope(outcome="rejected", reason="id_conflict")
    story.put("mobile-dead", letter, "forward_mobile")
    story.settled(second)

    assert story.outcomes == ["delivered", "rejected"]
    assert "with another time (S6)" in story.traces[1].steps[-1].text


def test_event_of_a_webhook_names_the_one_that_holds_its_movement(story: Story) -> None:
    def notice(number: int, **content: str) -> dict[str, Any]:
        return {
            "provider": "stripe", "source": "shop", "sha256": "0" * 64, "id": f"evt_{number}",
            "type": "invoice.paid", "content": content, "first_seen": "2026-11-22T12:00:00.000Z",
        }  # fmt: skip

    one = story.put("payments", notice(1, id="in_1"), "receive_payment")
    two = story.put("payments", notice(2, id="in_2"), "receive_payment")
    story.received(one, two, queue="payments")
    story.put("mobile", envelope("shop:in_2", source="shop"), "map_payment")
    story.settled(one, two, queue="payments")
    first, second, event = story.traces

    assert (event.caused_by, event.source) == (second.key, "payments:stripe")
    assert (first.reason, second.reason) == ("no_event", None)
    assert story.outcomes == ["delivered", "delivered", "queued"]


def test_http_request_tells_of_each_of_its_events(story: Story) -> None:
    good = {**EVENT, "eventName": "good"}
    body = dumps([good, {**EVENT, "eventName": "bad"}])
    request = Request("POST", "/", (), body, ("127.0.0.1", 1), NOW)
    queued = envelope(None, event=good, first_seen="2026-11-22T12:00:00.000Z")
    story.put("mobile", queued, "accept")
    finding = {"rule": "M4", "severity": "reject", "field": "eventValue.af_revenue", "message": "m"}
    answer = Response.json(
        207,
        {"events": [{"index": 0, "status": "queued", "findings": []},
                    {"index": 1, "status": "rejected", "findings": [finding]}]},
        (("apigw-requestid", "r-1"),),
    )  # fmt: skip
    route = "POST /v1/mobile/{app_id}/events"
    story.observer.answered(route, {"app_id": APP}, request, answer)

    assert [(one.name, one.outcome, one.source, one.request_id) for one in story.traces] == [
        ("good", Fate.QUEUED, "http", "r-1"),
        ("bad", Fate.REJECTED, "http", "r-1"),
    ]
    assert story.traces[1].rules == ["M4"]


def test_journal_holds_no_address_wherever_a_sender_puts_it(story: Story) -> None:
    raw = "planted@example.org"
    event = {
        **EVENT,
        "eventName": raw,
        "email": raw,
        raw: raw,
        "eventValue": {"note": f"x {raw} y"},
    }
    bodies: list[object] = [
        {"app_id": raw, "kind": "mobile_event", "event_id": raw, "event": event},
        {"app_id": APP, "kind": "web_event", "event_id": f"order of {raw}", "event": event},
        {"kind": raw, raw: raw},
        f"not JSON: {raw}",
    ]
    for number, body in enumerate(bodies):
        message_id = story.put("mobile", body)
        story.received(message_id)
        story.asked({"eventName": raw, "email": raw}, app_id=raw)
        story.said(message_id, outcome="held", reason=raw)
        letter = {"message_id": message_id, "reason": raw, "outcome": "refused", "message": raw}
        story.put("mobile-dead", letter if number % 2 else body, "forward_mobile")
        story.settled(message_id)
    problem = Response.json(400, {"detail": raw, "findings": [{"rule": "M1", "message": raw}]})
    request = Request("POST", "/", (), dumps(event), ("127.0.0.1", 1), NOW)
    for route in ("POST /v1/mobile/{app_id}/events", "POST /v1/payments/{provider}/{source}"):
        parameters = dict.fromkeys(("app_id", "provider", "source"), raw)
        story.observer.answered(route, parameters, request, problem)
    told = json.dumps([trace.as_json() for trace in story.traces])

    assert len(story.traces) >= 6
    assert raw not in told


def test_of_the_events_that_are_kept_no_step_is_dropped_and_nothing_else_is_kept() -> None:
    story = Story(most=500)
    for number in range(600):
        body = {"app_id": APP, "kind": "mobile_event", "event": {}, "event_id": f"e-{number}"}
        message_id = story.put("mobile", body)
        story.received(message_id)
        story.settled(message_id)

    assert MOST_TRACES == 10_000
    assert [trace.event_id for trace in story.journal] == [f"e-{n}" for n in range(100, 600)]
    assert all(len(trace.steps) == 3 for trace in story.journal)
    kept = {one.message_id for one in story.journal}
    assert story.observer._index.by_message.keys() == kept  # noqa: SLF001 - nothing else grows


_PERSONAL = ("email", "phone", "phone_number", "first_name", "last_name", "name", "fullName")


def _raw_values(value: object) -> Iterator[str]:
    """What must not be told of a sample: the values of fields of persons, at any depth."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):
            yield from _raw_values(json.loads(value))
    elif isinstance(value, list):
        for one in value:
            yield from _raw_values(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in _PERSONAL and isinstance(one, str):
                yield one
            else:
                yield from _raw_values(one)


def test_journal_holds_nobodys_data_of_any_sample(story: Story) -> None:
    raw: set[str] = set()
    for path in sorted(Path("events").glob("*_*.json")):
        sample = json.loads(path.read_text())
        raw |= set(_raw_values({name: one for name, one in sample.items() if name != "sample"}))
        queue = "payments" if path.stem.startswith("map") else "mobile"
        for record in sample.get("Records", ()):
            message_id = story.put(queue, record["body"])
            story.received(message_id, queue=queue)
            story.settled(message_id, queue=queue, back=[message_id])
        if "routeKey" in sample:
            body = (sample.get("body") or "").encode()
            request = Request("POST", "/", (), body, ("127.0.0.1", 1), NOW)
            answer = Response.json(400, {"findings": [{"rule": "M1", "message": "m"}]})
            story.observer.answered(sample["routeKey"], {"app_id": APP}, request, answer)
    told = json.dumps([trace.as_json() for trace in story.traces])

    assert len(raw) >= 4
    assert [text for text in raw if text in told] == []
