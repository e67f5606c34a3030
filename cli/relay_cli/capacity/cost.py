"""What a load costs: USD a million events by item, and what a month costs whatever comes. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Final, NamedTuple

from relay_cli.capacity.data import Figures, Prices
from relay_cli.capacity.model import (
    MESSAGES_A_CALL,
    POLLERS,
    Load,
    accept_seconds,
    deletes_an_event,
    duration_seconds,
    events_a_batch,
    receives_an_event,
    sends_an_event,
)

MILLION: Final = 1_000_000
GOAL_USD: Final = 1.0
"""A million events, handed in by SQS."""
SECONDS_A_MONTH: Final = 365 * 86_400 / 12
QUEUES: Final = 3
ALARM_METRICS: Final = 64
"""Metrics that the template's alarms watch."""
LONG_POLL_SECONDS: Final = 20
RUNTIME_LOG_BYTES: Final = 330
"""Lambda's own lines of an invocation: START, END and REPORT."""
ACCESS_LOG_BYTES: Final = 330
"""A line of the API's access log."""
RESPONSE_BYTES: Final = 500
"""Of `accept`, head and body."""
TRANSPORT_BYTES: Final = 150
"""TLS and TCP of a request."""
_GB: Final = 1e9
_MB_A_GB: Final = 1024

Items = Mapping[str, float]
"""USD a million events, or USD a month, by what it is for."""


class Change(NamedTuple):
    """What is to be set otherwise, and what a million events then cost by SQS."""

    settings: Mapping[str, int | str]
    """Parameters of the template; TOGETHER is the senders'."""
    usd_a_million: float


def by_queue(load: Load, figures: Figures, prices: Prices) -> Items:
    """USD a million events that their senders put on the queue."""
    return {"sqs_sent": _sent(load, prices), **_forwarded(load, figures, prices)}


def over_http(load: Load, figures: Figures, prices: Prices) -> Items:
    """USD a million events that come in over the HTTP API."""
    requests = MILLION / load.together
    seconds = _billed(accept_seconds(load, figures)) * load.memory / _MB_A_GB
    logged = figures.accept.log_bytes_a_request + RUNTIME_LOG_BYTES + ACCESS_LOG_BYTES
    return {
        "api_gateway": prices.of("http_api_requests", requests),
        "accept_invocations": prices.of("lambda_requests", requests),
        "accept_time": prices.of("lambda_gb_seconds", requests * seconds),
        "accept_logs": _logs(requests * logged, prices),
        "accept_data_out": prices.of("data_out_gb", requests * RESPONSE_BYTES / _GB),
        "sqs_sent": _sent(load, prices),
        # What release 0.1 remembered is asked for as well, until FormerIdsUntil.
        "dynamodb_former_ids": prices.of("dynamodb_reads", MILLION * load.money),
        **_forwarded(load, figures, prices),
    }


def _sent(load: Load, prices: Prices) -> float:
    return prices.of("sqs_requests", MILLION * sends_an_event(load))


def _forwarded(load: Load, figures: Figures, prices: Prices) -> Items:
    """From the queue to AppsFlyer."""
    one, events = figures.forward, events_a_batch(load, figures)
    batches = MILLION / events
    seconds = _billed(duration_seconds(load, events, figures)) * load.memory / _MB_A_GB
    calls = receives_an_event(load, figures) + deletes_an_event(load, figures)
    own = one.log_bytes_a_batch if load.logs else one.counter_bytes_a_batch
    return {
        "sqs_received_and_deleted": prices.of("sqs_requests", MILLION * calls),
        "forwarder_invocations": prices.of("lambda_requests", batches),
        "forwarder_time": prices.of("lambda_gb_seconds", batches * seconds),
        "dynamodb_money_once": prices.of(
            "dynamodb_writes", MILLION * load.money * one.writes_with_money
        ),
        "forwarder_logs": _logs(batches * (RUNTIME_LOG_BYTES + own), prices),
        "appsflyer_data_out": prices.of(
            "data_out_gb", MILLION * (one.request_bytes + TRANSPORT_BYTES) / _GB
        ),
    }


def _billed(seconds: float) -> float:
    """Lambda bills whole milliseconds."""
    return math.ceil(round(seconds * 1000, 6)) / 1000


def _logs(size: float, prices: Prices) -> float:
    """Taken in, and kept for a month (LogRetentionDays)."""
    return prices.of("logs_gb", size / _GB) + prices.of("log_gb_months", size / _GB)


def fixed(figures: Figures, prices: Prices) -> Items:
    """USD a month that the stack costs without any event."""
    polls = QUEUES * POLLERS / LONG_POLL_SECONDS * SECONDS_A_MONTH
    return {
        "alarms": prices.of("alarm_metrics", ALARM_METRICS),
        "sqs_empty_receives": prices.of("sqs_requests", polls),
        "custom_metrics": prices.of("custom_metrics", figures.forward.custom_metrics),
    }


def a_month(items: Items, fixed_items: Items, events: float) -> float:
    """USD a month for so many events."""
    return sum(items.values()) * events / MILLION + sum(fixed_items.values())


TOGETHER: Final = "together"
"""Events that senders put into each call to SQS."""
_WINDOWS: Final = (1, 2, 5, 10, 20)
_LEAST_MEMORY: Final = 256


def way_to_goal(load: Load, figures: Figures, prices: Prices) -> Change | None:
    """The first change that reaches the goal; None if none does.

    First how events are sent, which costs nothing; then the window, which costs latency; then
    memory, which costs speed; then the lines of batches.
    """
    for change, changed in _changes(load):
        cost = sum(by_queue(changed, figures, prices).values())
        if cost <= GOAL_USD:
            return Change(change, cost)
    return None


def _changes(load: Load) -> Iterator[tuple[Mapping[str, int | str], Load]]:
    windows = (load.window, *(one for one in _WINDOWS if one > load.window))
    memories = sorted({load.memory, _LEAST_MEMORY}, reverse=True)
    togethers = sorted({load.together, max(load.together, MESSAGES_A_CALL)})
    for logs, memory, window, together in product((load.logs, False), memories, windows, togethers):
        changed = replace(load, logs=logs, memory=memory, window=window, together=together)
        yield _differences(load, changed), changed


def _differences(load: Load, changed: Load) -> Mapping[str, int | str]:
    found: dict[str, int | str] = {}
    if changed.together != load.together:
        found[TOGETHER] = changed.together
    if changed.window != load.window:
        found["BatchingWindowSeconds"] = int(changed.window)
    if changed.memory != load.memory:
        found["MemorySize"] = changed.memory
    if changed.logs != load.logs:
        found["LogLevel"] = "WARNING"
    return found
