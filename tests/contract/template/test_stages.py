"""Two stages in one account and region share nothing: no name, ARN, metric or parameter.

Their templates, written out and with every function resolved, are compared text by text. What is
the same in both must be something that says nothing about which one is meant.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scripts.deploy import deploy_settings
from tests.contract.test_deployer import STATEMENTS
from tests.support.every import every
from tests.support.resolved import Surroundings, leaves, resolve
from tests.support.template import Json, listed, sam_template

ROOT = Path(__file__).parents[3]
REGION = "eu-west-1"
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

MADE = {
    *("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::IAM::Role"),
    *("AWS::Lambda::Function", "AWS::SNS::Topic"),
}
"""Types that the local AWS makes, and lets us see afterwards."""

UNSEEN = {"Layers", "Environment"}
"""What makes no difference to a function's name; the local AWS takes long to read it."""


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
        "AWS::AccountId": "123456789012",
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


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, set[str]]]:
    """All stages in one local AWS: the ARNs of what each is made of."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        before: set[str] = set()
        found = {}
        for stage in STAGES:
            create(*settings(stage))
            now = set(arns())
            found[stage] = now - before
            before = now
        yield found


def create(stack: str, given: Mapping[str, str]) -> None:
    """Make what can be made of a stage's template, code apart."""
    kept = {name: dict(one) for name, one in template()["Resources"].items() if one["Type"] in MADE}
    for one in kept.values():
        if one["Type"] == "AWS::Lambda::Function":
            properties = {key: v for key, v in one["Properties"].items() if key not in UNSEEN}
            one["Properties"] = properties | {"Code": {"ZipFile": "# none"}}
        if one["Type"] == "AWS::IAM::Role":
            properties = {k: v for k, v in one["Properties"].items() if k != "ManagedPolicyArns"}
            one["Properties"] = properties
    parameters = {
        name: {key: one[key] for key in ("Type", "Default")}
        for name, one in template()["Parameters"].items()
    }
    body: Json = {"Parameters": parameters, "Conditions": template()["Conditions"]}
    values: list[Any] = [{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()]
    boto3.client("cloudformation").create_stack(
        StackName=stack, TemplateBody=json.dumps(body | {"Resources": kept}), Parameters=values
    )


def arns() -> Iterator[str]:
    """Of everything that there is in the local AWS, of the types above."""
    sqs = boto3.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        yield asked["Attributes"]["QueueArn"]
    for name in boto3.client("dynamodb").list_tables()["TableNames"]:
        yield f"arn:aws:dynamodb:{REGION}:123456789012:table/{name}"
    for one in boto3.client("logs").describe_log_groups()["logGroups"]:
        yield one["arn"].removesuffix(":*")
    for role in boto3.client("iam").list_roles()["Roles"]:
        yield role["Arn"]
    for function in boto3.client("lambda").list_functions()["Functions"]:
        yield function["FunctionArn"]
    for topic in boto3.client("sns").list_topics()["Topics"]:
        yield topic["TopicArn"]


def test_each_stage_gets_resources_of_its_own_beside_the_others(made: dict[str, set[str]]) -> None:
    """A name that another stage has taken would not be made again."""
    expected = sum(one["Type"] in MADE for one in template()["Resources"].values())

    assert {stage: len(found) for stage, found in made.items()} == dict.fromkeys(STAGES, expected)


def test_deployer_reaches_every_resource_of_every_stage(made: dict[str, set[str]]) -> None:
    patterns = [arn for one in STATEMENTS for arn in listed(one["Resource"]) if arn != "*"]

    assert [
        arn
        for found in made.values()
        for arn in found
        if not any(fnmatchcase(arn, pattern) for pattern in patterns)
    ] == []
