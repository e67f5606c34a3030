"""Matching events with requests in the ledger and with dead letters."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from relay.domain.kinds import Kind
from relay_cli.dlq.dead_letter import parse_dead_letter
from relay_cli.local.demo.table import summary_blocks, traces_table
from relay_cli.local.demo.traces import (
    WAITING,
    SubmittedEvent,
    Trace,
    TraceResult,
    match_dead_letter,
    match_ledger,
)
from relay_cli.samples import Expected, Sample, with_age

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT = {"appsflyer_id": "1415211453000-6513894", "eventName": "af_login", "os": "14"}
DELIVERED = Expected("delivered", "event", "T2", ("warn M13", "warn M22"))


def _trace(
    expected: Expected = DELIVERED, event: Any = None, event_id: str | None = "e1", **more: Any
) -> Trace:
    sample = Sample(
        name="forward_mobile_x",
        entry="forward_mobile",
        description="About it.",
        age_seconds=None,
        status=None,
        expect=(expected,),
        becomes=(),
        signed_by=None,
        event={},
    )
    submitted = SubmittedEvent(Kind.MOBILE_EVENT, "com.example.shop", event or EVENT, event_id)
    return Trace(sample, 0, expected, submitted, message_id="m1", **more)


def _entry(sequence: int = 1, **more: Any) -> dict[str, Any]:
    payload = {**EVENT, "eventValue": "", "eventTime": "2026-11-22 11:59:59.000"}
    entry = {
        "sequence": sequence,
        "arrived": "2026-11-22T12:00:00.000Z",
        "kind": "mobile_event",
        "app_id": "com.example.shop",
        "recorded": True,
        "why": "",
        "recorded_time": "2026-11-22T11:59:59.000Z",
        "recorded_source": "event",
        "recorded_rule": "T2",
        "customer_dedup_id": None,
        "payload": payload,
    }
    return {**entry, **more}


def test_ledger_request_with_the_same_payload_matches_the_event() -> None:
    trace = _trace()

    match_ledger([trace], [_entry()])

    assert trace.as_expected, trace.differences()


@pytest.mark.parametrize(
    "other",
    [
        {"app_id": "id1"},
        {"kind": "web_event"},
        {"payload": {**EVENT, "eventValue": "", "os": "15"}},
        {"payload": "text"},
        {"recorded": False, "why": "no"},
    ],
)
def test_ledger_request_of_another_event_does_not_match(other: dict[str, Any]) -> None:
    trace = _trace()

    match_ledger([trace], [_entry(**other)])

    assert trace.result is None


def test_ledger_two_equal_events_need_two_requests() -> None:
    first, second = _trace(), _trace()

    match_ledger([first, second], [_entry(1)])

    assert first.result is not None
    assert second.result is None


def test_ledger_time_of_its_own_must_be_the_same() -> None:
    trace = _trace(event={**EVENT, "eventTime": "2026-11-22 11:00:00.000"})

    match_ledger([trace], [_entry()])

    assert trace.result is None


def _dead_letter(content: dict[str, Any], message_id: str = "other") -> Any:
    return parse_dead_letter(
        {
            "MessageId": message_id,
            "ReceiptHandle": "r",
            "Body": json.dumps({"dead_since": "2026-11-22T12:00:00.000Z", **content}),
            "Attributes": {"SentTimestamp": "1795348800000"},
        }
    )


ENVELOPE = {"app_id": "com.example.shop", "kind": "mobile_event", "event": EVENT}


@pytest.mark.parametrize(
    ("event_id", "content", "matches"),
    [
        ("e1", {**ENVELOPE, "event_id": "e1", "reason": "rejected", "outcome": "rejected"}, True),
        ("e1", {**ENVELOPE, "event_id": "e2", "reason": "rejected", "outcome": "rejected"}, False),
        (None, {**ENVELOPE, "event_id": "m1", "reason": "rejected", "outcome": "rejected"}, True),
        ("e1", {"reason": "not_an_envelope", "outcome": "rejected", "message_id": "m1"}, True),
        ("e1", {"reason": "not_an_envelope", "outcome": "rejected", "message_id": "m2"}, False),
    ],
)
def test_dead_letter_matches_the_event_by_id(
    event_id: str | None,
    content: dict[str, Any],
    matches: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    trace = _trace(event_id=event_id)

    match_dead_letter([trace], _dead_letter(content))

    assert (trace.result is not None) is matches


def test_trace_that_still_waits_matches_held_and_deferred() -> None:
    held = _trace(Expected("held", None, None, ()))
    held.result = TraceResult(WAITING)

    assert held.as_expected


def test_trace_that_ended_otherwise_says_how() -> None:
    trace = _trace()
    trace.result = TraceResult("rejected", findings=("reject M1",))

    assert trace.differences() == [
        "outcome rejected, expected delivered",
        "recorded none, expected event",
        "rule none, expected T2",
        "findings reject M1, expected warn M13, warn M22",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_table_shows_a_mismatch_clearly(width: int) -> None:
    wrong, right = _trace(), _trace()
    wrong.result = TraceResult("rejected", findings=("reject M1",))
    match_ledger([right], [_entry()])
    screen = StringIO()
    console = Console(file=screen, width=width)

    console.print(traces_table([wrong, right], width))

    text = screen.getvalue()
    assert text.count("✗") == 1
    assert text.count("✓") == 1
    assert all(len(line) <= width for line in text.splitlines())


def test_summary_names_the_file_and_what_was_expected() -> None:
    wrong = _trace()
    wrong.result = TraceResult("rejected")

    text = "".join(str(block.content) for block in summary_blocks([wrong], 1.0))

    assert "events/forward_mobile_x.json" in text
    assert "outcome rejected, expected delivered" in text
    assert "1 did not end as their file says" in text


def test_with_age_sets_only_the_time_that_is_there() -> None:
    body = json.dumps({**ENVELOPE, "event": {"eventTime": "x", "n": 1}})

    event = json.loads(with_age(body, 3600, NOW))["event"]

    assert event == {"eventTime": "2026-11-22 11:00:00.000", "n": 1}
    assert with_age(body, None, NOW) == body
    assert with_age("not JSON", 3600, NOW) == "not JSON"
