"""What `relay capacity` says of a load: one document, as JSON or as tables."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from relay_cli.capacity import cost, model
from relay_cli.capacity.data import Figures, Prices
from relay_cli.capacity.model import Load
from relay_cli.terminal.console import Block

Document = dict[str, Any]
Added = Callable[[Load, float, Figures], float]
MOST: Final = 0.99
_PARTS: Final = {"p50": 0.5, "p99": MOST}
_ASSUMED: Final = (
    "events come evenly, and none is tried twice",
    f"Lambda's {model.POLLERS} pollers share what comes in",
    f"{model.PICK_UP_SECONDS * 1000:.0f} ms from the queue to an invocation",
    f"{model.AWS_CALL_SECONDS * 1000:.0f} ms for a call to AWS",
    f"{model.GATEWAY_SECONDS * 1000:.0f} ms for API Gateway",
    "a core of Lambda's is as fast as the one that was measured on",
)
LABELS: Final = {
    "api_gateway": "API Gateway",
    "accept_invocations": "accept, invocations",
    "accept_time": "accept, time",
    "accept_logs": "accept and API, logs",
    "accept_data_out": "answers, data out",
    "sqs_sent": "SQS, sent",
    "sqs_received_and_deleted": "SQS, received and deleted",
    "forwarder_invocations": "forwarder, invocations",
    "forwarder_time": "forwarder, time",
    "dynamodb_money_once": "DynamoDB, money once",
    "dynamodb_former_ids": "DynamoDB, ids of release 0.1",
    "forwarder_logs": "forwarder, logs",
    "appsflyer_data_out": "to AppsFlyer, data out",
}


def document(load: Load, backlog: float, figures: Figures, prices: Prices) -> Document:
    """All figures of a load; money in USD, times in the unit that their name ends with."""
    queue, http = cost.by_queue(load, figures, prices), cost.over_http(load, figures, prices)
    fixed = cost.fixed(figures, prices)
    month = load.rate * cost.SECONDS_A_MONTH
    events = model.events_a_batch(load, figures)
    drain = model.drain_seconds(load, backlog, figures)
    return {
        "load": asdict(load),
        "events_a_month": round(month),
        "queue": {
            "events_an_invocation": round(events, 1),
            "invocations_a_second": round(load.rate / events, 3),
            "invocation_ms": round(1000 * model.duration_seconds(load, events, figures)),
            "concurrency": round(model.concurrency(load, figures), 2),
            "most_events_a_second": round(model.most_a_second(load, figures)),
            "added_latency_ms": _latency(model.added_seconds, load, figures),
            "usd_a_million": _costs(queue),
            "usd_a_month": round(cost.a_month(queue, fixed, month), 2),
        },
        "http": {
            "invocations_a_second": round(load.rate / load.together + load.rate / events, 3),
            "added_latency_ms": _latency(model.added_over_http, load, figures),
            "usd_a_million": _costs(http),
            "usd_a_month": round(cost.a_month(http, fixed, month), 2),
        },
        "fixed_usd_a_month": _costs(fixed),
        "backlog": {"events": round(backlog), "seconds": None if drain is None else round(drain)},
        "cold_start_ms": round(figures.forward.first_cpu_ms / load.share),
        "goal": _goal(load, figures, prices),
        "measured": {"on": figures.measured_on, "machine": figures.machine},
        "prices": prices.model_dump(),
        "assumed": list(_ASSUMED),
    }


def _latency(added: Added, load: Load, figures: Figures) -> dict[str, int | None]:
    """None where more comes in than can be delivered: then it grows without end."""
    if load.rate >= model.most_a_second(load, figures):
        return dict.fromkeys(_PARTS)
    return {name: round(1000 * added(load, part, figures)) for name, part in _PARTS.items()}


def _costs(items: Mapping[str, float]) -> dict[str, float]:
    return {
        **{name: round(usd, 4) for name, usd in items.items()},
        "sum": round(sum(items.values()), 4),
    }


def _goal(load: Load, figures: Figures, prices: Prices) -> Document:
    found = cost.way_to_goal(load, figures, prices)
    return {
        "usd_a_million": cost.GOAL_USD,
        "reached_with": None if found is None else dict(found.settings),
        "then": None if found is None else round(found.usd_a_million, 4),
    }


def blocks(told: Document) -> Iterator[Block]:
    """The document for people."""
    yield Block(Text(_given(told["load"], told["events_a_month"])))
    yield Block(_table(told))
    yield Block(Text(f"{_backlog(told)}\n{_goal_text(told)}"))
    yield Block(Text(_grounds(told), "quiet"))


def _given(load: Document, month: int) -> str:
    return (
        f"{_number(load['rate'])} events a second, {month:,} a month; {load['money']:.0%} with "
        f"revenue; AppsFlyer answers in {load['latency'] * 1000:.0f} ms.\n"
        f"Batches of {load['batch']} within {_number(load['window'])} s, {load['memory']} MB, "
        f"{load['concurrency']} invocations at once, {load['in_flight']} requests each.\n"
    )


def _grounds(told: Document) -> str:
    prices, measured = told["prices"], told["measured"]
    return (
        f"\nList prices of {prices['region']}, checked {prices['verified_on']}, without the free "
        f"tier. CPU measured {measured['on']} on {measured['machine']}. A cold start adds "
        f"{told['cold_start_ms']:,} ms at most. Assumed: {'; '.join(told['assumed'])}."
    )


def _table(told: Document) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(("", "by SQS", "over HTTP")):
        table.add_column(name, justify="right" if number else "left")
    _add_work(table, told["queue"], told["http"])
    table.add_section()
    _add_costs(table, told)
    return table


def _add_work(table: Table, queue: Document, http: Document) -> None:
    seconds = (_number(one["invocations_a_second"]) for one in (queue, http))
    table.add_row("invocations a second", *seconds)
    table.add_row("events in an invocation", _number(queue["events_an_invocation"]))
    table.add_row("an invocation takes", f"{queue['invocation_ms']:,} ms")
    table.add_row("invocations at once", _number(queue["concurrency"]))
    table.add_row("events a second at most", f"{queue['most_events_a_second']:,}")
    for name in _PARTS:
        row = (_milliseconds(one["added_latency_ms"][name]) for one in (queue, http))
        table.add_row(f"added latency, {name}", *row)


def _add_costs(table: Table, told: Document) -> None:
    queue, http = (told[name]["usd_a_million"] for name in ("queue", "http"))
    table.add_row("USD a million events", style="heading")
    for name, label in LABELS.items():
        table.add_row(f"  {label}", _usd(queue.get(name)), _usd(http[name]))
    table.add_row("  sum", _usd(queue["sum"]), _usd(http["sum"]), style="heading")
    table.add_section()
    fixed = _usd(told["fixed_usd_a_month"]["sum"])
    table.add_row("USD a month, whatever comes", fixed, fixed)
    table.add_row(
        "USD a month in all", *(_usd(told[one]["usd_a_month"]) for one in ("queue", "http"))
    )


def _backlog(told: Document) -> str:
    events, seconds = told["backlog"]["events"], told["backlog"]["seconds"]
    if seconds is None:
        return (
            f"A backlog of {events:,} never ends: more comes in than can be delivered. Raise "
            "MobileMaxConcurrency."
        )
    return f"A backlog of {events:,} events is delivered within {_time(seconds)}."


def _goal_text(told: Document) -> str:
    goal, found = told["goal"]["usd_a_million"], told["goal"]["reached_with"]
    if found is None:
        return f"No setting brings a million events by SQS down to {goal:.2f} USD."
    if not found:
        return f"A million events by SQS cost no more than {goal:.2f} USD, which is the goal."
    settings = " and ".join(_setting(*one) for one in found.items())
    return f"With {settings}, a million by SQS would cost {told['goal']['then']:.2f} USD."


def _setting(name: str, value: int | str) -> str:
    if name == cost.TOGETHER:
        return f"{value} events in each call of the senders to SQS"
    return f"{name} {value}"


def _milliseconds(value: int | None) -> str:
    return "grows" if value is None else f"{value:,} ms"


def _time(seconds: float) -> str:
    from datetime import timedelta

    from relay_cli.terminal.durations import format_duration

    return format_duration(timedelta(seconds=max(1, seconds)))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2g}"  # noqa: PLR2004


def _usd(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"
