"""The check of what became of the events of the last hour."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from relay_cli.clients.aws import translate_errors
from relay_cli.clients.targets import QUEUES
from relay_cli.doctor.check import Case, Check, Fault, check_of

COUNTED: Final = ("Delivered", "Deferred", "Held", "Blocked", "DeadLettered")
_FEW: Final = 10
_HOUR: Final = timedelta(hours=1)


def numbers(case: Case) -> Check:
    """Most of what was handled was delivered, and no dead letter lies about."""
    sums = _sums(case)
    told = ", ".join(f"{sums[name]:,.0f} {name}" for name in COUNTED)
    return check_of("numbers", f"the last hour: {told}", [*_faults(case, sums, told)])


def _faults(case: Case, sums: dict[str, float], told: str) -> Iterator[Fault]:
    waiting = sum(sums[name] for name in ("Deferred", "Held", "Blocked"))
    if waiting >= _FEW and waiting > sums["Delivered"]:
        do = "docs/operations.md, What to do when; the reason is in the forwarders' logs"
        yield Fault(f"more waits than is delivered ({told})", do)
    dead = {name: _dead_letters(case, name) for name in QUEUES}
    for name, count in dead.items():
        if count:
            noun = "dead letter" if count == 1 else "dead letters"
            yield Fault(f"{count:,} {noun} of {name}", f"relay dlq list{case.option}")


def _dead_letters(case: Case, name: str) -> int:
    return int(case.queue_attributes(f"{name}_dlq").get("ApproximateNumberOfMessages", 0))


def _sums(case: Case) -> dict[str, float]:
    """The sums of the last hour over all functions whose deliveries an alarm looks at."""
    queries = [
        {
            "Id": f"m{number}",
            "Label": name,
            "MetricStat": {
                "Metric": {**place, "MetricName": name},
                "Period": int(_HOUR.total_seconds()),
                "Stat": "Sum",
            },
        }
        for number, (place, name) in enumerate(
            (place, name) for place in _places(case.alarms) for name in COUNTED
        )
    ]
    sums = dict.fromkeys(COUNTED, 0.0)
    if not queries:
        return sums
    with translate_errors("CloudWatch"):
        answer = case.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=case.now - _HOUR, EndTime=case.now
        )
    for one in answer["MetricDataResults"]:
        sums[one["Label"]] += sum(one["Values"])
    return sums


def _places(alarms: list[Any]) -> list[dict[str, Any]]:
    """Namespace and dimensions of the forwarders' counters, as the alarms on them have them."""
    metrics = (
        one["MetricStat"]["Metric"]
        for alarm in alarms
        for one in alarm.get("Metrics", [])
        if "MetricStat" in one
    )
    found: list[dict[str, Any]] = []
    for metric in metrics:
        place = {"Namespace": metric["Namespace"], "Dimensions": metric.get("Dimensions", [])}
        if metric["MetricName"] == "Delivered" and place not in found:
            found.append(place)
    return found
