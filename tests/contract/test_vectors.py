"""The 834 cases of the contract: input, verdict, address, payload, findings and times."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from relay.domain.kinds import App, Kind
from relay.exact_json import InvalidJsonError, NameTwiceError, loads, loads_once
from relay.instants import iso_form
from relay.rules.prepare import Prepared, prepare

_DATA = Path(__file__).parents[1] / "data"
_CASES = [loads(line) for line in (_DATA / "appsflyer_events.ndjson").read_bytes().splitlines()]
_STRINGIFIED = ("eventValue", "custom_data")


def _event(case: dict[str, Any]) -> Any:
    """The event; of one that is told as its text, what a reader of that makes of it."""
    if "event" in case:
        return case["event"]
    try:
        return loads_once(case["event_text"])
    except NameTwiceError as error:
        return error.rest
    except InvalidJsonError:
        return None


def _prepared(case: dict[str, Any]) -> Prepared:
    app = App(case["app_id"], case.get("time_zone", "UTC"), case.get("phone_region"))
    arrival = datetime.fromisoformat(case["arrival"])
    return prepare(Kind(case["kind"]), app, _event(case), arrival, case.get("event_id"))


def _parsed(body: bytes) -> dict[str, Any]:
    """The payload with its stringified fields parsed, as the cases show it."""
    fields: dict[str, Any] = loads(body)
    return {
        name: loads(value) if name in _STRINGIFIED and value else value
        for name, value in fields.items()
    }


def _told(prepared: Prepared) -> dict[str, Any]:
    """What came of a case, in the form in which the cases tell it."""
    recorded = prepared.recorded
    return {
        "verdict": prepared.verdict,
        "url": prepared.url if prepared.body else None,
        "body": _parsed(prepared.body) if prepared.body else None,
        "findings": sorted({(severity.value, rule) for rule, severity, _, _ in prepared.findings}),
        "recorded": recorded and {"source": recorded.source, "rule": recorded.rule},
        "deadline": iso_form(prepared.deadline) if prepared.deadline else None,
    }


def _expected(case: dict[str, Any]) -> dict[str, Any]:
    expect = {"recorded": None, "deadline": None, **case["expect"]}
    expect.pop("strings", None)
    return {**expect, "findings": sorted(map(tuple, expect["findings"]))}


def _strings_differ(case: dict[str, Any], prepared: Prepared) -> bool:
    body = json.loads(prepared.body or "{}")
    strings = case["expect"].get("strings", {})
    return any(body.get(name) != text for name, text in strings.items())


def test_prepare_gives_what_the_contract_says_in_each_of_its_cases() -> None:
    wrong = {}
    for case in _CASES:
        prepared, expected = _prepared(case), _expected(case)
        told = _told(prepared)
        differing = [name for name in expected if told[name] != expected[name]]
        if differing or _strings_differ(case, prepared):
            wrong[case["id"]] = [(told[name], expected[name]) for name in differing]

    assert wrong == {}
    assert len(_CASES) == 834
