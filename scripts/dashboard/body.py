"""From the table of widgets to the JSON that CloudWatch reads: places, metrics, one widget a line.

The form: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from scripts.dashboard.table import Alarms, Graph, Log, Mark, Metric, Number, Text, Widget

Json = dict[str, Any]
Rows = Sequence[tuple[int, Sequence[Widget]]]

PERIOD: Final = 300
REGION: Final = "${AWS::Region}"
_NUMBER_MARK: Final = "\0"
"""Around a `${...}` that becomes a number: it stands without quotes."""


def dashboard_body(rows: Rows, alarms: Sequence[str], namespace: str) -> str:
    """The body, `${...}` still in it. `alarms`: logical ids. `namespace`: of our metrics."""
    widgets = ",\n".join(_text(one) for one in _placed(rows, alarms, namespace))
    settings = '"start": "-PT3H", "periodOverride": "inherit"'
    return f'{{{settings}, "widgets": [\n{widgets}\n]}}'


def _text(widget: Json) -> str:
    text = json.dumps(widget, ensure_ascii=False, separators=(",", ":"))
    mark = json.dumps(_NUMBER_MARK)[1:-1]
    return text.replace(f'"{mark}', "").replace(f'{mark}"', "")


def _placed(rows: Rows, alarms: Sequence[str], namespace: str) -> Iterator[Json]:
    y = 0
    for height, row in rows:
        x = 0
        for widget in row:
            place = {"x": x, "y": y, "width": widget.width, "height": height}
            yield {**_widget(widget, alarms, namespace), **place}
            x += widget.width
        y += height


def _widget(widget: Widget, alarms: Sequence[str], namespace: str) -> Json:
    match widget:
        case Text():
            return {"type": "text", "properties": {"markdown": widget.markdown}}
        case Alarms():
            arns = [f"${{{alarm}.Arn}}" for alarm in alarms]
            shown = {"title": widget.title, "alarms": arns, "sortBy": "stateUpdatedTimestamp"}
            return {"type": "alarm", "properties": shown}
        case Log():
            return {"type": "log", "properties": _log(widget)}
        case Number():
            return {"type": "metric", "properties": _number(widget, namespace)}
        case Graph():
            return {"type": "metric", "properties": _graph(widget, namespace)}


def _log(widget: Log) -> Json:
    sources = [f"SOURCE '${{{group}}}'" for group in widget.groups]
    query = " | ".join([*sources, widget.query.replace("\n", " ")])
    return {"title": widget.title, "region": REGION, "view": "table", "query": query}


def _number(widget: Number, namespace: str) -> Json:
    """One number of several metrics; FILL, or what one of them has not counted would hide all."""
    ids = [f"m{n}" for n in range(len(widget.metrics))]
    total = " + ".join(f"FILL({one}, 0)" for one in ids)
    hidden = [
        [*_named(metric, namespace), {"id": one, "visible": False}]
        for one, metric in zip(ids, widget.metrics, strict=True)
    ]
    return {
        "title": widget.title,
        "region": REGION,
        "view": "singleValue",
        "stat": "Sum",
        "period": PERIOD,
        "setPeriodToTimeRange": True,
        "metrics": [[{"expression": total, "id": "total", "label": widget.title}], *hidden],
    }


def _graph(widget: Graph, namespace: str) -> Json:
    axes: Json = {"left": {"label": widget.unit, "min": 0, "showUnits": False}}
    if widget.right_unit:
        axes["right"] = {"label": widget.right_unit, "min": 0, "showUnits": False}
    found = {
        "title": widget.title,
        "region": REGION,
        "view": "timeSeries",
        "stacked": widget.stacked,
        "period": PERIOD,
        "metrics": [[*_named(metric, namespace), _shown(metric)] for metric in widget.metrics],
        "yAxis": axes,
    }
    if widget.marks:
        found["annotations"] = {"horizontal": [_mark(mark) for mark in widget.marks]}
    return found


def _named(metric: Metric, namespace: str) -> list[str]:
    names = [part for pair in metric.of.items() for part in pair]
    return [metric.namespace or namespace, metric.name, *names]


def _shown(metric: Metric) -> Json:
    shown = {"stat": metric.stat, "label": metric.label or metric.name}
    return shown if metric.side == "left" else {**shown, "yAxis": "right"}


def _mark(mark: Mark) -> Json:
    is_reference = isinstance(mark.value, str)
    value = f"{_NUMBER_MARK}{mark.value}{_NUMBER_MARK}" if is_reference else mark.value
    found = {"label": mark.label, "value": value}
    return found if mark.side == "left" else {**found, "yAxis": "right"}
