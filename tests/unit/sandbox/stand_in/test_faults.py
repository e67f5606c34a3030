"""Faults apply to the calls that they are meant for, as often as set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from relay.domain.kinds import Kind
from relay_sandbox.http.server import Request
from relay_sandbox.stand_in.calls import Call
from relay_sandbox.stand_in.faults import Fault, Faults
from tests.support.every import every

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _call(
    app_id: str = "id123456789",
    kind: Kind = Kind.MOBILE_EVENT,
    payload: dict[str, Any] | None = None,
) -> Call:
    request = Request("POST", "/", (), b"", ("127.0.0.1", 1), NOW)
    return Call(request, kind, app_id, NOW, payload)


def _faults(*fields: dict[str, Any]) -> Faults:
    faults = Faults()
    faults.add(Fault.model_validate(each) for each in fields)
    return faults


def _applied(faults: Faults, count: int) -> list[bool]:
    return [faults.trigger(_call()) is not None for _ in range(count)]


def test_fault_without_times_applies_until_it_is_cleared() -> None:
    faults = _faults({"status": 500})

    assert _applied(faults, 3) == [True, True, True]
    faults.clear()
    assert _applied(faults, 1) == [False]


def test_fault_with_times_is_gone_after_them() -> None:
    faults = _faults({"status": 500, "times": 2})

    assert _applied(faults, 3) == [True, True, False]
    assert list(faults) == []


def test_fault_with_every_applies_to_each_nth_call() -> None:
    faults = _faults({"reset": True, "every": 3, "times": 2})

    assert _applied(faults, 9) == [False, False, True, False, False, True, False, False, False]


def test_faults_apply_in_the_order_they_were_set() -> None:
    faults = _faults({"status": 500, "times": 1}, {"status": 503})

    triggered = [faults.trigger(_call()), faults.trigger(_call())]

    assert [fault.status for fault in triggered if fault] == [500, 503]


@every(
    "filters, call, applies",
    [
        ({"app_id": "id1"}, _call("id1"), True),
        ({"app_id": "id1"}, _call("id2"), False),
        ({"kind": "web_visit"}, _call(kind=Kind.WEB_VISIT), True),
        ({"kind": "web_visit"}, _call(kind=Kind.WEB_EVENT), False),
        ({"event_name": "a"}, _call(payload={"eventName": "a"}), True),
        ({"event_name": "a"}, _call(payload={"eventName": "b"}), False),
        ({"event_name": "a"}, _call(kind=Kind.WEB_EVENT, payload={"event_name": "a"}), True),
        ({"event_name": "a"}, _call(payload=None), False),
        ({"app_id": "id1", "event_name": "a"}, _call("id1", payload={"eventName": "b"}), False),
    ],
)
def test_fault_with_filters_applies_only_to_matching_calls(
    filters: dict[str, str], call: Call, *, applies: bool
) -> None:
    triggered = _faults({"status": 500, **filters}).trigger(call)

    assert (triggered is not None) is applies


def test_fault_meant_for_other_calls_does_not_count_them() -> None:
    faults = _faults({"status": 500, "app_id": "id1", "every": 2})

    triggered = [faults.trigger(_call(app_id)) is not None for app_id in ("id1", "id2", "id1")]

    assert triggered == [False, False, True]


@every(
    "wrong, message",
    [
        ({}, "says no fault"),
        ({"times": 1}, "says no fault"),
        ({"status": 500, "reset": True}, "only one of these at a time: status, reset"),
        ({"status": 99}, "status"),
        ({"status": 600}, "status"),
        ({"reset": False}, "reset"),
        ({"reset": True, "retry_after": 3}, "retry_after needs a status"),
        ({"status": 302, "location": "http://a\r\nx: y"}, "printable ASCII"),
        ({"latency_seconds": -1}, "latency_seconds"),
        ({"latency_seconds": "Infinity"}, "latency_seconds"),
        ({"status": 500, "times": 0}, "times"),
        ({"status": 500, "every": 0}, "every"),
        ({"status": 500, "recorded": "perhaps"}, "recorded"),
        ({"status": 500, "kind": "letter"}, "kind"),
        ({"status": 500, "colour": "red"}, "colour"),
    ],
)
def test_fault_that_is_invalid_is_rejected_with_the_reason(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Fault.model_validate(wrong)


def test_fault_shows_how_often_it_was_applied() -> None:
    faults = _faults({"status": 503, "retry_after": 2, "every": 2})
    _applied(faults, 4)

    assert faults.as_json() == [
        {"number": 1, "status": 503, "retry_after": 2, "every": 2, "applied": 2}
    ]
