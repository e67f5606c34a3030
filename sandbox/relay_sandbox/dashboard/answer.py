"""What the page's dashboard draws: the widgets with their values, a second for a minute.

A run of the samples takes seconds and CloudWatch counts in periods of five minutes, so that a
period is 5 s here, and what is shown are the last two minutes.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from relay_sandbox.dashboard.body import Alarm, Board, Json, Rule, name_of
from relay_sandbox.dashboard.meter import Meter, Name

PERIOD_SECONDS: Final = 5
PERIODS: Final = 24
_SECONDS_TO_ONE: Final = 60
"""Seconds on AWS that one second here stands for."""
_MOST_ROWS: Final = 12
_BY: Final = re.compile(r"\bstats count\(\) as (\w+) by ([\w., ]+?) \|")
_MESSAGE: Final = re.compile(r'message = "([^"]+)"')
_PRESENT: Final = re.compile(r"\bispresent\(([\w.]+)\)")
_BREACHES: Final = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}


def answer(board: Board, meter: Meter) -> dict[str, Any]:
    """The dashboard, as JSON."""
    ringing = _ringing(board.alarms, meter)
    return {
        "name": board.name,
        "period_seconds": PERIOD_SECONDS,
        "periods": PERIODS,
        "widgets": [_drawn(widget, board, meter, ringing) for widget in board.widgets],
    }


def _drawn(widget: Json, board: Board, meter: Meter, ringing: set[str]) -> Json:
    found = widget["properties"]
    place = {name: widget[name] for name in ("x", "y", "width", "height", "type")}
    title = {"title": found.get("title", "")}
    match widget["type"]:
        case "alarm":
            return {**place, **title, "alarms": _alarms(found["alarms"], board, ringing)}
        case "log":
            return {**place, **title, **_rows(found["query"], meter)}
        case "text":
            return {**place, "markdown": found["markdown"]}
    if found["view"] == "singleValue":
        return {**place, **title, "view": "number", "value": _total(found["metrics"], meter)}
    return {**place, **title, "view": "graph", **_graph(found, meter)}


def _graph(found: Json, meter: Meter) -> Json:
    lines = [
        {
            "label": shown["label"],
            "side": shown.get("yAxis", "left"),
            "points": _points(meter, name_of(metric), shown["stat"]),
        }
        for metric, shown in ((one, one[-1]) for one in found["metrics"])
    ]
    marks = found.get("annotations", {}).get("horizontal", [])
    return {
        "stacked": found["stacked"],
        "units": {side: axis["label"] for side, axis in found["yAxis"].items()},
        "lines": lines,
        "marks": [{**mark, "side": mark.get("yAxis", "left")} for mark in marks],
    }


def _points(meter: Meter, name: Name, stat: str) -> list[float | None]:
    """A value for each period, the oldest first; None where nothing was told."""
    end = (meter.clock() // PERIOD_SECONDS + 1) * PERIOD_SECONDS
    starts = [end - PERIOD_SECONDS * (PERIODS - n) for n in range(PERIODS)]
    found = [meter.between(name, start, start + PERIOD_SECONDS) for start in starts]
    return [statistic(stat, values) if values else None for values in found]


def statistic(stat: str, values: Sequence[float]) -> float:
    """Sum, Maximum, Minimum, Average or a percentile (`p95`) of at least one value."""
    if stat.startswith("p"):
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * float(stat[1:]) / 100))]
    match stat:
        case "Sum":
            return sum(values)
        case "Average":
            return sum(values) / len(values)
    return min(values) if stat == "Minimum" else max(values)


def _total(metrics: list[Any], meter: Meter) -> float:
    """The sum of the hidden metrics, which is what the expression of our numbers says."""
    now = meter.clock()
    names = [name_of(one) for one in metrics if isinstance(one[0], str)]
    start = now - PERIOD_SECONDS * PERIODS
    return sum(value for name in names for value in meter.between(name, start, now + 1))


# Alarms


def _ringing(alarms: Mapping[str, Alarm], meter: Meter) -> set[str]:
    single = {name for name, one in alarms.items() if one.rule and _rings(one.rule, meter)}
    return single | {name for name, one in alarms.items() if single & set(one.any_of)}


def _rings(rule: Rule, meter: Meter) -> bool:
    """Whether the metric, over the alarm's time, is past the threshold."""
    now = meter.clock()
    seconds = max(rule.seconds / _SECONDS_TO_ONE, PERIOD_SECONDS)
    values = meter.between(rule.name, now - seconds, now + 1)
    if not values:
        return False
    return bool(_BREACHES[rule.comparison](statistic(rule.statistic, values), rule.threshold))


def _alarms(arns: list[str], board: Board, ringing: set[str]) -> list[Json]:
    found = [
        {"name": board.alarms[arn].title, "what": board.alarms[arn].what, "rings": arn in ringing}
        for arn in arns
    ]
    return sorted(found, key=lambda one: not one["rings"])


# Logs


def _rows(query: str, meter: Meter) -> Json:
    """Lines of the log, counted as the query says."""
    message, by = _MESSAGE.search(query), _BY.search(query)
    if not (message and by):
        return {"heads": [], "rows": []}
    heads = [head.strip() for head in by[2].split(",")]
    present = _PRESENT.findall(query)
    said = [
        line
        for line in meter.lines
        if line.get("message") == message[1] and all(name in line for name in present)
    ]
    counted = Counter(tuple(_cell(line.get(head)) for head in heads) for line in said)
    rows = [[*cells, str(times)] for cells, times in counted.most_common(_MOST_ROWS)]
    return {"heads": [*heads, by[1]], "rows": rows}


def _cell(value: object) -> str:
    return "" if value is None else str(value)
