"""The 311 cases of the contract: input, verdict, address, payload and findings."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from relay.domain.kinds import App, Kind
from relay.exact_json import loads
from relay.rules.prepare import Prepared, prepare

_DATA = Path(__file__).parents[1] / "data"
_CASES = [loads(line) for line in (_DATA / "appsflyer_events.ndjson").read_bytes().splitlines()]
_STRINGIFIED = ("eventValue", "custom_data")


def _prepared(case: dict[str, Any]) -> Prepared:
    app = App(case["app_id"], case.get("time_zone", "UTC"), case.get("phone_region"))
    arrival = datetime.fromisoformat(case["arrival"])
    return prepare(Kind(case["kind"]), app, case["event"], arrival)


def _parsed(body: bytes) -> dict[str, Any]:
    """The payload with its stringified fields parsed, as the cases show it."""
    fields: dict[str, Any] = loads(body)
    return {
        name: loads(value) if name in _STRINGIFIED and value else value
        for name, value in fields.items()
    }


def _found(prepared: Prepared) -> list[list[str]]:
    """Severity and rule of each finding; on a reject, those of the rejects alone."""
    return sorted(
        [severity, rule]
        for rule, severity, _, _ in prepared.findings
        if prepared.verdict == "send" or severity == "reject"
    )


def test_cases_are_all_there() -> None:
    assert len(_CASES) == 311


@pytest.mark.parametrize("case", _CASES, ids=[case["id"] for case in _CASES])
def test_prepare_gives_what_the_contract_says(case: dict[str, Any]) -> None:
    expected = case["expect"]

    prepared = _prepared(case)

    assert _found(prepared) == sorted(expected["findings"])
    assert prepared.verdict == expected["verdict"]
    if prepared.body is None:
        assert expected["body"] is None
        return
    assert prepared.url == expected["url"]
    assert _parsed(prepared.body) == expected["body"]
    for name, text in expected.get("strings", {}).items():
        assert json.loads(prepared.body)[name] == text
