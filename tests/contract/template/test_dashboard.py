"""The dashboard, the alarm for a pager and the saved queries: CloudWatch says nothing of a slip.

cfn-lint looks into none of them: it takes a body that is not JSON, and a metric that nobody writes.
"""

import ast
import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from relay.domain.findings import Severity
from relay.domain.outcomes import Outcome
from relay_cli.rules.table import rules_of
from scripts.dashboard.block import written
from tests.contract.test_operations import ROWS, kinds
from tests.support.alarms import ALARMS
from tests.support.every import every
from tests.support.template import (
    FUNCTIONS,
    PARAMETERS,
    RESOURCES,
    TEMPLATE,
    TEXT,
    Json,
    of_type,
    sam_template,
    variables,
)

ROOT = Path(__file__).parents[3]
LAYER = ROOT / "layers" / "relay" / "relay"
COMPOSITE = "SomebodyMustLookAlarm"
COLUMNS = 24
PSEUDO = {"AWS::Region", "AWS::StackName", "AWS::AccountId", "AWS::Partition"}
ATTRIBUTES = {
    "AWS::SQS::Queue": {"QueueName", "Arn"},
    "AWS::CloudWatch::Alarm": {"Arn"},
    "AWS::CloudWatch::CompositeAlarm": {"Arn"},
}
AWS_METRICS = {
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "ConcurrentExecutions"},
    "AWS/SQS": {
        *("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesDelayed"),
        *("ApproximateNumberOfMessagesNotVisible", "ApproximateAgeOfOldestMessage"),
    },
    "AWS/ApiGateway": {"Count", "4xx", "5xx", "Latency", "IntegrationLatency"},
}
"""What those services write, by their documents."""
AWS_DIMENSIONS = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName", "AWS/ApiGateway": "ApiId"}
NOT_SHOWN: set[str] = set()
"""Counters that the dashboard leaves out, each with its reason beside it. There are none."""
NO_COUNTERS = {"Bearer", "Code", "Error", "ConfigurationError"}
"""Words of the modules that count, which are no counters."""

_PLACE = re.compile(r"\$\{([A-Za-z0-9:]+)(?:\.([A-Za-z]+))?\}")
_COUNTER = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")


def text() -> str:
    found: str = RESOURCES["StackDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    return found


def namespace() -> str:
    """That of the relay's metrics."""
    found = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    name: Any = found["POWERTOOLS_METRICS_NAMESPACE"]
    name = name["Fn::Sub"] if isinstance(name, dict) else name
    return _PLACE.sub(lambda place: place[1], str(name))


WIDGETS: list[Json] = json.loads(
    _PLACE.sub(lambda place: "10" if place[1].endswith("MaxConcurrency") else place[1], text())
)["widgets"]


def metrics() -> list[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of each metric of each widget."""
    found = []
    for widget in (one for one in WIDGETS if one["type"] == "metric"):
        for metric in widget["properties"]["metrics"]:
            space, name, *pairs = [part for part in metric if isinstance(part, str)] or ["", ""]
            found.append((space, name, dict(zip(pairs[::2], pairs[1::2], strict=True))))
    return [one for one in found if one[0]]


@cache
def emitted() -> set[str]:
    """Every counter that the layer's code can write."""
    modules = {path: path.read_text("utf-8") for path in LAYER.rglob("*.py")}
    counting = [
        ast.parse(code)
        for path, code in modules.items()
        if "telemetry.count(" in code or path.name == "telemetry.py"
    ]
    literal = {word for tree in counting for word in _words(tree)} - NO_COUNTERS
    caveats = {
        word
        for code in modules.values()
        for word in re.findall(r"\bStripe(?:[A-Z][a-z]+){2}\b", code)
    }
    outcomes = {outcome.capitalize() for outcome in Outcome}
    return literal | caveats | outcomes | {f"Findings{one.capitalize()}" for one in Severity}


def _words(tree: ast.Module) -> set[str]:
    formatted = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in formatted
        if isinstance(node.value, str) and _COUNTER.fullmatch(node.value)
    }


def test_template_has_what_the_table_says() -> None:
    assert written(TEXT) == TEXT, "run `make dashboard`"


# The body


def test_widgets_stand_within_the_columns_and_none_on_another() -> None:
    def cells(one: Json) -> set[tuple[int, int]]:
        xs = range(one["x"], one["x"] + one["width"])
        return {(x, y) for x in xs for y in range(one["y"], one["y"] + one["height"])}

    assert [one for one in WIDGETS if one["x"] + one["width"] > COLUMNS] == []
    assert [pair for pair in combinations(WIDGETS, 2) if cells(pair[0]) & cells(pair[1])] == []


def test_widgets_have_the_form_that_cloudwatch_wants() -> None:
    assert {one["type"] for one in WIDGETS} == {"text", "alarm", "metric", "log"}
    assert [
        one for one in WIDGETS if {*one} != {"type", "x", "y", "width", "height", "properties"}
    ] == []
    with_region = [one["properties"] for one in WIDGETS if one["type"] in {"metric", "log"}]
    assert {one["region"] for one in with_region} == {"AWS::Region"}
    assert all(len(one["properties"].get("metrics", ())) <= 500 for one in WIDGETS)


def test_every_name_in_the_body_is_one_of_the_template() -> None:
    unknown = [
        (name, attribute)
        for name, attribute in _PLACE.findall(text())
        if not (
            name in PSEUDO | PARAMETERS.keys()
            or (name in RESOURCES and not attribute)
            or attribute in ATTRIBUTES.get(RESOURCES.get(name, {}).get("Type", ""), ())
        )
    ]

    assert unknown == []
    assert text().count("${") == len(_PLACE.findall(text()))


def test_every_alarm_is_on_the_dashboard_that_for_a_pager_first() -> None:
    (widget,) = (one["properties"] for one in WIDGETS if one["type"] == "alarm")

    assert widget["alarms"] == [COMPOSITE, *ALARMS]
    assert len(widget["alarms"]) <= 100
    assert widget["sortBy"] == "stateUpdatedTimestamp"


# Metrics


def test_every_metric_of_the_relay_is_one_that_the_code_writes() -> None:
    services = {variables(one)["POWERTOOLS_SERVICE_NAME"] for one in FUNCTIONS}
    ours = [(name, of) for space, name, of in metrics() if space == namespace()]

    assert {name for name, _ in ours} - emitted() == set()
    assert {of["service"] for _, of in ours} <= services
    assert {key for _, of in ours for key in of} == {"service", "app_class"}


def test_every_counter_of_the_code_is_on_the_dashboard() -> None:
    shown = {name for space, name, _ in metrics() if space == namespace()}

    assert emitted() - shown - NOT_SHOWN == set()


def test_every_metric_of_aws_is_one_that_aws_writes() -> None:
    of_aws = [one for one in metrics() if one[0] != namespace()]
    wrong = [
        one
        for one in of_aws
        if one[1] not in AWS_METRICS[one[0]] or list(one[2]) != [AWS_DIMENSIONS[one[0]]]
    ]

    assert wrong == []
    assert {name for _, _, of in of_aws for name in of.values()} <= RESOURCES.keys()


# The alarm for a pager


def test_alarm_for_a_pager_rings_with_each_that_cannot_wait_until_the_morning() -> None:
    rule = RESOURCES[COMPOSITE]["Properties"]["AlarmRule"]["Fn::Sub"]
    named = re.findall(r'ALARM\("\$\{(\w+)\}"\)', rule)
    urgent = [
        name
        for name in ALARMS
        for row in kinds(name) & ROWS.keys()
        if not ROWS[row][2].startswith("can wait")
    ]

    assert sorted(named) == sorted(urgent)
    assert rule == " OR ".join(f'ALARM("${{{name}}}")' for name in named)


# Saved queries


def test_saved_queries_have_the_form_that_logs_insights_wants() -> None:
    queries = of_type("AWS::Logs::QueryDefinition")
    groups = of_type("AWS::Logs::LogGroup").keys()

    assert len({one["Name"]["Fn::Sub"] for one in queries.values()}) == len(queries) > 5
    assert all(
        re.fullmatch(r"\$\{AWS::StackName\}/[^:*]{1,120}", q["Name"]["Fn::Sub"])
        for q in queries.values()
    )
    assert all(0 < len(one["QueryString"]) <= 10_000 for one in queries.values())
    assert {one["Ref"] for q in queries.values() for one in q["LogGroupNames"]} <= groups


def test_findings_are_asked_for_by_every_rule_that_has_any() -> None:
    query = of_type("AWS::Logs::QueryDefinition")["FindingsByRuleQuery"]["QueryString"]
    rules = rules_of((ROOT / "docs" / "appsflyer.md").read_text("utf-8")).values()
    told = {one.number for one in rules if re.search("reject|warn|repair", one.severity)}

    assert set(re.findall(r"sum\(findings\.(\w+)\) as \1\b", query)) == told


@every("words", ["batch", "event not delivered", "unexpected error"])
def test_saved_queries_ask_for_lines_that_functions_write(words: str) -> None:
    asked = [one["QueryString"] for one in of_type("AWS::Logs::QueryDefinition").values()]
    written_ = "".join(path.read_text("utf-8") for path in LAYER.rglob("*.py"))
    messages = {found for query in asked for found in re.findall(r'message = "([^"]+)"', query)}

    assert words in messages
    assert {one for one in messages if f'"{one}"' not in written_} == set()


def test_sam_leaves_the_dashboard_as_it_is() -> None:
    assert sam_template().transformed["Resources"]["StackDashboard"] == RESOURCES["StackDashboard"]
