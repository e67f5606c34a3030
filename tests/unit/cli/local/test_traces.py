"""How samples ended, compared with what their files say, and shown."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from relay.domain.kinds import Kind
from relay_cli.local.demo.table import summary_blocks, traces_blocks
from relay_cli.local.demo.traces import (
    NOT_RECORDED,
    WAITING,
    SubmittedEvent,
    Trace,
    TraceResult,
    result_of,
)
from relay_cli.samples import Expected, Sample, with_age
from relay_cli.terminal.console import show

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT = {"appsflyer_id": "1415211453000-6513894", "eventName": "af_login", "os": "14"}
DELIVERED = Expected("delivered", "event", "T2", ("warn M13", "warn M22"))
ROW: dict[str, Any] = {
    "outcome": "delivered",
    "reason": None,
    "ended": "2026-11-22T12:00:00.000Z",
    "findings": [
        {"rule": "M13", "severity": "warn", "field": "bundleIdentifier", "message": ""},
        {"rule": "M22", "severity": "warn", "field": "customer_user_id", "message": ""},
    ],
    "recorded": {"time": "2026-11-22T11:59:59.000Z", "source": "event", "rule": "T2"},
}


def _trace(expected: Expected = DELIVERED, **more: Any) -> Trace:
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
    submitted = SubmittedEvent(Kind.MOBILE_EVENT, "com.example.shop", EVENT, "e1")
    return Trace(sample, 0, expected, submitted, message_id="m1", **more)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "delivered"),
        ({"recorded": None}, NOT_RECORDED),
        ({"outcome": "held", "ended": None, "reason": "credentials"}, WAITING),
        ({"outcome": "rejected", "recorded": None, "reason": "rejected"}, "rejected"),
    ],
)
def test_result_of_a_row_of_the_journal_is_its_outcome(
    changes: dict[str, Any], outcome: str
) -> None:
    assert result_of({**ROW, **changes}).outcome == outcome


def test_trace_that_ended_as_its_file_says_has_no_differences() -> None:
    assert _trace(result=result_of(ROW)).as_expected


def test_trace_that_still_waits_matches_held_and_deferred() -> None:
    assert _trace(Expected("held", None, None, ()), result=TraceResult(WAITING)).as_expected


def test_trace_that_ended_otherwise_says_how() -> None:
    trace = _trace(result=TraceResult("rejected", findings=("reject M1",)))

    assert trace.differences() == [
        "outcome rejected, expected delivered",
        "recorded none, expected event",
        "rule none, expected T2",
        "findings reject M1, expected warn M13, warn M22",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_output_shows_a_mismatch_clearly_and_breaks_no_word(width: int) -> None:
    wrong = _trace(result=TraceResult("rejected", findings=("reject M1",)))
    right = _trace(result=result_of(ROW))
    screen = StringIO()
    console = Console(file=screen, width=width)

    show(console, traces_blocks([wrong, right], width))

    text = screen.getvalue()
    assert text.count("✗") == 2, "one, and one in the legend"
    assert all(len(line) <= width for line in text.splitlines())
    for word in ("com.example.shop", "af_login", "rejected", "delivered", "reject\xa0M1", "ended"):
        assert word in text


def test_summary_names_the_file_and_what_was_expected() -> None:
    wrong = _trace(result=TraceResult("rejected"))

    text = "".join(str(block.content) for block in summary_blocks([wrong], 1.0))

    assert "events/forward_mobile_x.json" in text
    assert "outcome rejected, expected delivered" in text
    assert "1 did not end as their file says" in text


def test_with_age_sets_only_the_time_that_is_there() -> None:
    envelope = {"app_id": "com.example.shop", "kind": "mobile_event"}
    body = json.dumps({**envelope, "event": {"eventTime": "x", "n": 1}})

    event = json.loads(with_age(body, 3600, NOW))["event"]

    assert event == {"eventTime": "2026-11-22 11:00:00.000", "n": 1}
    assert with_age(body, None, NOW) == body
    assert with_age("not JSON", 3600, NOW) == "not JSON"
