"""`relay capacity`: expected figures are worked out by hand from AWS's list prices."""

import json
from dataclasses import replace
from typing import Any

import pytest

from relay_cli.capacity import cost, model
from relay_cli.capacity.data import Accept, Figures, Forward, Timed, list_prices, measured
from relay_cli.capacity.model import Load
from relay_cli.main import app
from tests.support.alarms import ALARMS, watched
from tests.support.template import PARAMETERS

PRICES = list_prices()
# No CPU, and round numbers: what is left is waiting, requests and bytes.
FIGURES = Figures(
    measured_on="2026-11-27",
    machine="made up",
    forward=Forward(
        cpu_ms_a_batch=0,
        cpu_ms_an_event=0,
        cpu_ms_more_with_money=0,
        writes_with_money=2,
        log_bytes_a_batch=670,
        counter_bytes_a_batch=170,
        request_bytes=850,
        custom_metrics=2,
        first_cpu_ms=290,
    ),
    accept=Accept(cpu_ms_a_request=0, cpu_ms_an_event=0, log_bytes_a_request=0, first_cpu_ms=290),
    timed=Timed(latency_ms=100, in_flight=50, wall_ms={}),
)
SLOW = Load(rate=5, money=0, latency=0.1)  # one event a second for each of five pollers
FULL = Load(rate=1e6, money=0, latency=0.1)  # more than can be delivered: batches are full
TENS = replace(FULL, together=10)
MONEY = replace(FULL, money=1)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        app(["capacity", *arguments])
    output, problem = capsys.readouterr()
    return int(end.value.code or 0), output, problem


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    code, output, problem = shown(capsys, "--json", *arguments)
    assert (code, problem) == (0, "")
    return json.loads(output)


COSTS = [
    (FULL, "sqs_sent", 0.40),  # a request each
    (TENS, "sqs_sent", 0.04),  # ten in a request
    (FULL, "sqs_received_and_deleted", 0.08),  # two requests for ten
    (SLOW, "sqs_received_and_deleted", 0.4 / 1.02 + 0.4 / 2),  # 1.02 in a receive, 2 in a batch
    (FULL, "forwarder_invocations", 0.002),  # 10,000 invocations
    (SLOW, "forwarder_invocations", 0.1),  # two events each
    (FULL, "forwarder_time", 10_000 * 0.2 * 0.5 * 0.0000133334),  # two rounds of 0.1 s, half a GB
    (MONEY, "dynamodb_money_once", 1.25),  # two million writes
    (FULL, "dynamodb_money_once", 0),
    (FULL, "forwarder_logs", 10_000 * 1000 / 1e9 * 0.53),  # 1,000 bytes an invocation
    (replace(FULL, logs=False), "forwarder_logs", 10_000 * 500 / 1e9 * 0.53),
    (FULL, "appsflyer_data_out", 0.09),  # 1,000 bytes an event
    (FULL, "api_gateway", 1.00),
    (TENS, "api_gateway", 0.10),
    (FULL, "accept_invocations", 0.20),
    (MONEY, "dynamodb_former_ids", 0.125),
]


@pytest.mark.parametrize(("load", "item", "usd"), COSTS)
def test_item_costs_what_the_price_list_says(load: Load, item: str, usd: float) -> None:
    assert cost.over_http(load, FIGURES, PRICES)[item] == pytest.approx(usd)
    assert cost.by_queue(load, FIGURES, PRICES).get(item, usd) == pytest.approx(usd)


def test_event_by_sqs_pays_for_nothing_of_the_http_api() -> None:
    of_http = cost.over_http(SLOW, FIGURES, PRICES).keys()
    of_queue = cost.by_queue(SLOW, FIGURES, PRICES).keys()

    assert of_http - of_queue == {
        *("api_gateway", "accept_invocations", "accept_time", "accept_logs", "accept_data_out"),
        "dynamodb_former_ids",
    }


def test_load_takes_what_little_s_law_says() -> None:
    assert model.events_a_batch(SLOW, FIGURES) == 2  # the first, and what comes in its second
    assert model.duration_seconds(SLOW, 2, FIGURES) == pytest.approx(0.1)
    assert model.concurrency(SLOW, FIGURES) == pytest.approx(0.25)  # 2.5 a second, 0.1 s each
    assert model.most_a_second(FULL, FIGURES) == pytest.approx(5_000)  # ten times 100 in 0.2 s


def test_most_that_is_delivered_is_what_appsflyer_may_be_sent() -> None:
    assert model.most_a_second(replace(FULL, concurrency=1000), FIGURES) == 8_000


def test_backlog_is_drained_by_what_is_left_of_the_capacity() -> None:
    assert model.drain_seconds(replace(FULL, rate=1_000), 36_000, FIGURES) == pytest.approx(9)
    assert model.drain_seconds(replace(FULL, rate=5_000), 1, FIGURES) is None


def test_event_that_opens_a_batch_waits_for_its_window() -> None:
    def added(part: float, **changed: float) -> float:
        load = replace(SLOW, **changed)  # type: ignore[arg-type]  # numbers alone
        return model.added_seconds(load, part, FIGURES)

    assert added(0.99) == pytest.approx(0.03 + 1)  # to be picked up, and the window
    assert added(0.99, window=10) == pytest.approx(0.03 + 10)
    assert added(0.25) == pytest.approx(0.03 + 0.5)  # half came later, within the second
    assert added(0.99, batch=1) == pytest.approx(0.03)  # nothing to wait for


def test_way_to_the_goal_changes_as_little_as_is_needed() -> None:
    def way(load: Load) -> Any:
        found = cost.way_to_goal(load, FIGURES, PRICES)
        return found and dict(found.settings)

    assert way(FULL) == {}
    assert way(replace(FULL, rate=100, latency=0.5)) == {"together": 10}
    assert way(replace(SLOW, latency=0.15, money=0.3)) == {
        "together": 10,
        "BatchingWindowSeconds": 10,
    }
    assert way(MONEY) is None


def test_defaults_are_those_of_the_template(capsys: pytest.CaptureFixture[str]) -> None:
    load = told(capsys)["load"]

    ours = {
        "BatchSize": load["batch"],
        "BatchingWindowSeconds": load["window"],
        "MemorySize": load["memory"],
        "MobileMaxConcurrency": load["concurrency"],
        "RequestsInFlight": load["in_flight"],
    }
    assert ours == {name: PARAMETERS[name]["Default"] for name in ours}
    share = 1 - PARAMETERS["WebSharePercent"]["Default"] / 100
    assert load["most_sent"] == PARAMETERS["RequestsASecond"]["Default"] * share
    assert Load(rate=10) == Load(**{**load, "rate": 10})


def test_alarms_cost_what_those_of_the_template_watch() -> None:
    numbers = [len(watched(alarm)) for alarm in ALARMS.values()]

    assert sum(numbers) == cost.ALARM_METRICS


def test_every_price_has_its_date_and_the_page_of_aws() -> None:
    wrong = [
        name
        for name, price in PRICES.prices.items()
        if not price.source.startswith("https://aws.amazon.com/")
        or not "2025-11" <= price.as_of <= PRICES.verified_on
    ]

    assert len(PRICES.prices) == 12
    assert wrong == []


def test_invocations_take_about_as_long_as_was_measured() -> None:
    """A model that adds CPU and waiting, though they overlap, is a little above."""
    found = measured()
    load = model.whole_core(found)

    wrong = {
        events: took
        for events, took in found.timed.wall_ms.items()
        if not 0.7 < 1000 * model.duration_seconds(load, int(events), found) / took < 1.3
    }

    assert found.timed.wall_ms
    assert wrong == {}


def test_document_is_the_same_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    document = told(capsys, "--month", "10000000", "--backlog", "50000")
    code, output, problem = shown(capsys, "--month", "10000000", "--backlog", "50000")

    assert (code, problem) == (0, "")
    for path in ("queue", "http"):
        usd = document[path]["usd_a_million"]
        assert usd.pop("sum") == pytest.approx(sum(usd.values()), abs=0.001)
        assert f"{document[path]['usd_a_month']:,.2f}" in output
    assert document["events_a_month"] == 10_000_000
    assert "50,000" in output
    assert {"region", "verified_on", "prices"} <= document["prices"].keys()


def test_more_than_can_be_delivered_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    document = told(capsys, "--rate", "90000")

    assert document["queue"]["added_latency_ms"] == {"p50": None, "p99": None}
    assert document["backlog"]["seconds"] is None
    assert "never ends" in shown(capsys, "--rate", "90000")[1]


def test_capacity_fits_into_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    _, output, _ = shown(capsys)

    assert max(map(len, output.splitlines())) <= 80


def test_rate_and_month_together_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, problem = shown(capsys, "--rate", "1", "--month", "1000000")

    assert (code, output) == (2, "")
    assert "--rate or --month" in problem
