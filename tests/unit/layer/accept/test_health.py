"""GET /v1/health: `ok` only where a producer could be served; else the names of what is wrong."""

import json
from typing import Any

import pytest

from relay.config.producers import token_digest
from tests.support.builders import MOBILE_APP, WEB_APP
from tests.support.fakes import aws_error
from tests.support.harnesses import AcceptHarness

PRODUCERS = "/relay/producers"
MOBILE = f"/relay/apps/mobile/{MOBILE_APP}"
WEB = f"/relay/apps/web/{WEB_APP}"
SHOP = {"name": "shop", "token_sha256": [token_digest("t")], "apps": [MOBILE_APP, WEB_APP]}
SECRET = "planted-in-a-parameter"


def _health(harness: AcceptHarness) -> Any:
    answer = harness.post(None, route="GET /v1/health", token=None)
    assert answer.status == 200
    return answer.content


def _degraded(*names: str) -> dict[str, Any]:
    return {"status": "degraded", "parameters": list(names)}


@pytest.fixture
def harness() -> AcceptHarness:
    return AcceptHarness()


def test_health_is_ok_where_a_producer_could_be_served(harness: AcceptHarness) -> None:
    assert _health(harness) == {"status": "ok"}


@pytest.mark.parametrize(
    ("producers", "expected"),
    [
        ([SHOP], {"status": "ok"}),
        ([{**SHOP, "apps": ["*"]}], {"status": "ok"}),
        ([{**SHOP, "apps": ["id9"]}, SHOP], {"status": "ok"}),
        (None, _degraded(PRODUCERS)),
        ([], _degraded(PRODUCERS)),
        ({SECRET: 1}, _degraded(PRODUCERS)),
        ([SHOP, {"name": SECRET}], _degraded(PRODUCERS)),
        ([{**SHOP, "token_sha256": []}], _degraded(PRODUCERS)),
        ([{**SHOP, "apps": ["id9"]}], _degraded(PRODUCERS)),
        ([{**SHOP, "apps": ["no/name"]}], _degraded(PRODUCERS)),
    ],
)
def test_health_is_degraded_by_producers_that_nobody_is_served_by_or_that_are_wrong(
    harness: AcceptHarness, producers: Any, expected: Any
) -> None:
    if producers is None:
        del harness.ssm.parameters[PRODUCERS]
    else:
        harness.ssm.parameters[PRODUCERS] = json.dumps(producers)

    assert _health(harness) == expected


def test_health_names_each_app_whose_settings_are_wrong(harness: AcceptHarness) -> None:
    harness.ssm.parameters[MOBILE] = f'{{"time_zone": "{SECRET}"}}'
    harness.ssm.parameters[WEB] = f'{{"{SECRET}": 1}}'

    assert _health(harness) == _degraded(MOBILE, WEB)


def test_health_names_producers_while_parameter_store_is_down(harness: AcceptHarness) -> None:
    harness.ssm.error = aws_error("InternalServerError")

    assert _health(harness) == _degraded(PRODUCERS)


def test_health_names_the_apps_that_may_not_be_read(harness: AcceptHarness) -> None:
    harness.ssm.forbidden = {MOBILE, WEB, f"/relay/apps/mobile/{WEB_APP}"}
    harness.ssm.parameters.pop(f"/relay/apps/web/{MOBILE_APP}")

    assert _health(harness) == _degraded(MOBILE, f"/relay/apps/mobile/{WEB_APP}", WEB)


def test_health_costs_four_calls_at_most_then_none(
    harness: AcceptHarness,
) -> None:
    harness.ssm.parameters[PRODUCERS] = json.dumps(
        [{**SHOP, "apps": [f"id{n}" for n in range(100)]}]
    )
    _health(harness)
    _health(harness)

    assert [len(names) for names in harness.ssm.calls] == [1, 10, 10, 10]
