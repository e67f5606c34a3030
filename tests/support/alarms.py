"""The alarms of template.yaml, as the tests read them."""

from tests.support.template import Json, of_type

ALARMS = of_type("AWS::CloudWatch::Alarm")
DAY = 24 * 60 * 60


def watched(alarm: Json) -> list[Json]:
    """What the alarm looks at: one metric, or those of its expression."""
    if "Metrics" not in alarm:
        return [alarm]
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


def period(alarm: Json) -> int:
    """Seconds."""
    periods = {one["MetricStat"]["Period"] for one in alarm.get("Metrics", [])[1:]}
    (found,) = periods or {alarm["Period"]}
    seconds: int = found
    return seconds


def on(metric: str, name: str, value: object) -> Json:
    """The one alarm on a metric with this dimension."""
    (found,) = _on(metric, name, value)
    return found


def on_queue(metric: str, queue: str, statistic: str) -> Json:
    """The one alarm on this statistic of a metric of a queue."""
    alarms = _on(metric, "QueueName", {"Fn::GetAtt": [queue, "QueueName"]})
    (found,) = (alarm for alarm in alarms if alarm["Statistic"] == statistic)
    return found


def _on(metric: str, name: str, value: object) -> list[Json]:
    dimensions = [{"Name": name, "Value": value}]
    return [
        alarm
        for alarm in ALARMS.values()
        for one in watched(alarm)
        if (one["MetricName"], one["Dimensions"]) == (metric, dimensions)
    ]


def result(alarm: Json, **values: float | None) -> float:
    """What the alarm's expression comes to; every name in it is one of its metrics."""
    (expression,) = (one["Expression"] for one in alarm["Metrics"] if "Expression" in one)
    names = {one["Id"] for one in alarm["Metrics"] if "MetricStat" in one}
    functions = {
        "IF": lambda condition, yes, no: yes if condition else no,
        "FILL": lambda value, default: default if value is None else value,
    }

    assert names == values.keys()
    scope: Json = {"__builtins__": {}, **functions, **values}
    return float(eval(expression, scope))  # noqa: S307 - our own template's, with nothing in reach
