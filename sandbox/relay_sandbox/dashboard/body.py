"""The dashboard and the alarms of a template, as CloudWatch would get them.

Resources have their logical ids for names: `${MobileQueue.QueueName}` is MobileQueue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relay_sandbox.dashboard.meter import Name

Json = dict[str, Any]

_PLACE: Final = re.compile(r"\$\{(?!!)([A-Za-z0-9:]+)(?:\.[A-Za-z]+)?\}")


@dataclass(frozen=True)
class Rule:
    """One alarm's rule about one metric. `seconds`: of all its periods together."""

    name: Name
    statistic: str
    seconds: int
    comparison: str
    threshold: float


@dataclass(frozen=True)
class Alarm:
    """An alarm; one with metric math has no rule that can be judged here."""

    title: str
    what: str
    rule: Rule | None = None
    any_of: tuple[str, ...] = ()
    """Of a composite alarm: the alarms' logical ids."""


@dataclass(frozen=True)
class Board:
    """A dashboard's widgets, and the alarms by logical id."""

    name: str = ""
    widgets: tuple[Json, ...] = ()
    alarms: Mapping[str, Alarm] = field(default_factory=dict)


def read_board(source: Json, parameters: Mapping[str, str], stack: str, region: str) -> Board:
    """The dashboard of a template, its loops written out; an empty one if it has none."""
    values = {**parameters, "AWS::StackName": stack, "AWS::Region": region}
    resources = source["Resources"]
    alarms = {name: alarm for name, one in resources.items() if (alarm := _alarm(one, values))}
    for one in resources.values():
        if one["Type"] == "AWS::CloudWatch::Dashboard":
            body = json.loads(_text(one["Properties"]["DashboardBody"], values))
            name = _text(one["Properties"]["DashboardName"], values)
            return Board(name, tuple(body["widgets"]), alarms)
    return Board(alarms=alarms)


def _alarm(resource: Json, values: Mapping[str, str]) -> Alarm | None:
    found = resource.get("Properties", {})
    if resource["Type"] not in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}:
        return None
    title = _text(found["AlarmName"], values).removeprefix(f"{values['AWS::StackName']}-")
    what = _text(found["AlarmDescription"], values).partition(" See docs/")[0]
    if "AlarmRule" in found:
        rule = _text(found["AlarmRule"], values)
        return Alarm(title, what, any_of=tuple(re.findall(r'ALARM\("([^"]+)"\)', rule)))
    return Alarm(title, what, _rule(found, values) if "MetricName" in found else None)


def _rule(found: Json, values: Mapping[str, str]) -> Rule:
    of = {(one["Name"], _text(one["Value"], values)) for one in found["Dimensions"]}
    return Rule(
        Name(_text(found["Namespace"], values), found["MetricName"], frozenset(of)),
        found["Statistic"],
        int(found["Period"]) * int(found["EvaluationPeriods"]),
        found["ComparisonOperator"],
        float(found["Threshold"]),
    )


def name_of(metric: list[Any]) -> Name:
    """The metric that a line of a widget names; its last part may be how it is shown."""
    texts = [part for part in metric if isinstance(part, str)]
    pairs: Iterator[tuple[str, str]] = zip(texts[2::2], texts[3::2], strict=True)
    return Name(texts[0], texts[1], frozenset(pairs))


def _text(value: Any, values: Mapping[str, str]) -> str:
    match value:
        case {"Fn::Sub": str(text)}:
            return _PLACE.sub(lambda place: values.get(place[1], place[1]), text)
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return values.get(name, name)
    return str(value)
