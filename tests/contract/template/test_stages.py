"""Two stages in one account and region share nothing: no name, ARN, metric or parameter.

Their templates, written out and with every function resolved, are compared text by text. What is
the same in both must be something that says nothing about which one is meant.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from scripts.deploy import deploy_settings
from tests.contract.test_deployer import STATEMENTS
from tests.support.every import every
from tests.support.resolved import Surroundings, leaves, resolve
from tests.support.template import Json, listed, sam_template

ROOT = Path(__file__).parents[3]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
STAGES = ["dev", "staging", "prod"]


def template() -> Json:
    """After SAM's transform."""
    return sam_template().transformed


NAMES = re.compile(
    r"(?i).*(name|namespace|arn|url|prefix|group|topic|role|resource|endpoint|table)"
)
"""Keys that a name or an address stands at, whatever the type of the resource."""

ALIKE = {
    "AttributeName": "of a table's item",
    "IndexName": "within a table",
    "PolicyName": "within a role",
    "Name": "of a dimension, whose value is compared with its metric, or an alias of a function",
    "StageName": "within an API",
    "name": "of a parameter in a route's path, or a tag",
    "MetricName": "within a namespace: `metrics` compares both together with the dimensions",
    "Namespace": "AWS's own: see MetricName",
    "POWERTOOLS_SERVICE_NAME": "a dimension within a namespace",
    "DeploymentConfigName": "CodeDeploy's own",
    "RELAY_APPSFLYER_URL": "AppsFlyer, which is one",
    "AWS_ENDPOINT_URL": "nothing, on AWS",
}
"""Those among them whose text may be the same in two stages, with the reason."""

_HERE = f"{REGION}:{ACCOUNT}"
ARNS = {
    "AWS::SQS::Queue": ("QueueName", f"arn:aws:sqs:{_HERE}:{{}}"),
    "AWS::DynamoDB::Table": ("TableName", f"arn:aws:dynamodb:{_HERE}:table/{{}}"),
    "AWS::Logs::LogGroup": ("LogGroupName", f"arn:aws:logs:{_HERE}:log-group:{{}}"),
    "AWS::IAM::Role": ("RoleName", f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
    "AWS::Lambda::Function": ("FunctionName", f"arn:aws:lambda:{_HERE}:function:{{}}"),
    "AWS::SNS::Topic": ("TopicName", f"arn:aws:sns:{_HERE}:{{}}"),
}
"""By type what names a resource, and its ARN as AWS's Service Authorization Reference has it."""


ALWAYS: Json = {"Fn::Equals": ["", ""]}


def settings(stage: str) -> tuple[str, dict[str, str]]:
    """The stack of a stage, and the parameters that samconfig.toml gives it."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    found = deploy_settings(config[stage])
    given = dict(one.split("=", 1) for one in found["parameter_overrides"])
    return found["stack_name"], given | {"AlarmEmail": f"{stage}@example.com"}


def surroundings(stack: str, given: Mapping[str, str]) -> Surroundings:
    defaults = {name: str(one["Default"]) for name, one in template()["Parameters"].items()}
    pseudo = {
        "AWS::StackName": stack,
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }
    return Surroundings({**defaults, **pseudo, **given}, template()["Conditions"])


def texts(stack: str, given: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """Type of resource, key and text, of everything in the stack's template."""
    around = surroundings(stack, given)
    return {
        (resource["Type"], key, text)
        for resource in template()["Resources"].values()
        if around.holds(resource.get("Condition", ALWAYS))
        for key, text in leaves(resolve(resource.get("Properties", {}), around))
    }


def metrics(stack: str, given: Mapping[str, str]) -> set[str]:
    """Every metric that an alarm of the stack watches, as namespace, name and dimensions."""
    around = surroundings(stack, given)
    alarms: list[Json] = [
        one for one in template()["Resources"].values() if one["Type"].endswith("::Alarm")
    ]
    return {
        json.dumps([one["Namespace"], one["MetricName"], one["Dimensions"]], sort_keys=True)
        for alarm in alarms
        for one in watched(resolve(alarm["Properties"], around))
    }


def watched(alarm: Any) -> Iterator[Json]:
    if "MetricName" in alarm:
        yield alarm
    for one in alarm.get("Metrics", []):
        if "MetricStat" in one:
            yield one["MetricStat"]["Metric"]


def names(found: set[tuple[str, str, str]]) -> dict[str, str]:
    """The names and addresses among these; `*`, where AWS takes nothing else, is neither."""
    told = {key: text for _, key, text in found if NAMES.fullmatch(key) and key not in ALIKE}
    return {key: text for key, text in told.items() if text != "*"}


PAIRS = [("dev", "staging"), ("staging", "prod"), ("dev", "prod")]


@every("one, other", PAIRS)
def test_stages_have_no_name_and_no_address_in_common(one: str, other: str) -> None:
    both = texts(*settings(one)) & texts(*settings(other))

    assert names(both) == {}


@every("one, other", PAIRS)
def test_stages_have_no_metric_in_common(one: str, other: str) -> None:
    assert len(metrics(*settings(one))) > 20
    assert metrics(*settings(one)) & metrics(*settings(other)) == set()


def test_a_second_stack_of_any_name_has_nothing_of_the_first_by_default() -> None:
    """Deployed by hand, or by another tool: the defaults alone keep them apart."""
    both = texts("first", {}) & texts("second", {})

    assert names(both) == {}
    assert metrics("first", {}) & metrics("second", {}) == set()
    assert ("AWS::Lambda::Function", "RELAY_PARAMETER_PREFIX", "/first") in texts("first", {})


def arns(stack: str, given: Mapping[str, str]) -> Iterator[str]:
    """Of the stack's resources of those types. Who has no name gets one of the stack's."""
    around = surroundings(stack, given)
    for logical_id, resource in template()["Resources"].items():
        if resource["Type"] in ARNS and around.holds(resource.get("Condition", ALWAYS)):
            key, arn = ARNS[resource["Type"]]
            named = resource.get("Properties", {}).get(key, {"Ref": logical_id})
            yield arn.format(resolve(named, around))


def test_each_stage_gets_resources_of_its_own_beside_the_others() -> None:
    """A name that another stage has taken would not be made again."""
    found = [arn for stage in STAGES for arn in arns(*settings(stage))]
    kinds = {resource["Type"] for resource in template()["Resources"].values()}

    assert len(found) >= 30 * len(STAGES)
    assert ARNS.keys() <= kinds
    assert [arn for arn, times in Counter(found).items() if times > 1] == []


def test_deployer_reaches_every_resource_of_every_stage() -> None:
    patterns = [arn for one in STATEMENTS for arn in listed(one["Resource"]) if arn != "*"]

    assert [
        arn
        for stage in STAGES
        for arn in arns(*settings(stage))
        if not any(fnmatchcase(arn, pattern) for pattern in patterns)
    ] == []
