"""Create the template's resources in the local AWS and read them back.

All names, URLs and settings come from the template through moto, which resolves references and
parameters; the sandbox repeats none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay_sandbox.deployment.routes import Api, read_api
from relay_sandbox.deployment.template import Json, Template
from relay_sandbox.errors import SandboxError
from relay_sandbox.local_aws.aws import ACCOUNT, REGION, LocalAws

STACK_NAME = "relay"
# As in events/env.json, whatever the stack is called.
_FIXED = {"ParameterPrefix": "/appsflyer-relay"}
_AWS_QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/"


@dataclass(frozen=True)
class FunctionSettings:
    """A deployed function. `key` is the name of its folder: accept, forward_mobile ..."""

    key: str
    name: str
    arn: str
    handler: str
    runtime: str
    timeout_seconds: float
    memory_mb: int
    folder: Path
    layers: tuple[Path, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class EventSource:
    """An event source mapping: which queue feeds which function, and how.

    `max_concurrency` is None if the template sets no limit.
    """

    function: str
    queue_url: str
    queue_arn: str
    batch_size: int
    window_seconds: float
    reports_item_failures: bool
    max_concurrency: int | None


@dataclass(frozen=True)
class Stack:
    """The deployed template. `queues` maps logical ids to URLs; all URLs are local."""

    functions: Mapping[str, FunctionSettings]
    event_sources: tuple[EventSource, ...]
    api: Api
    queues: Mapping[str, str]
    outputs: Mapping[str, str]


def deploy(aws: LocalAws, template: Template, overrides: Mapping[str, str]) -> Stack:
    """Create the stack and read it back. Blocking: run it in a thread (about 0.3 s).

    `overrides` are values of the template's parameters. Raises SandboxError if the template has no
    such parameter, if CloudFormation would reject a value, or if moto cannot create a resource.
    """
    fixed = {k: v for k, v in _FIXED.items() if k in template.source.get("Parameters", {})}
    overrides = {**fixed, **overrides}
    parameters = template.parameters(overrides)
    _create(aws, template, overrides)
    names = _physical_names(aws)
    functions = _functions(aws, template, names)
    keys = {function.arn: function.key for function in functions.values()}
    queues = {
        logical_id: _local_url(aws, name)
        for logical_id, name in names.items()
        if name.startswith(_AWS_QUEUE_URL)
    }
    _put_queue_policies(aws, template, queues)
    return Stack(
        functions={function.key: function for function in functions.values()},
        event_sources=_event_sources(aws, keys, tuple(queues.values())),
        api=read_api(template, parameters, {k: v.key for k, v in functions.items()}),
        queues=queues,
        outputs=_outputs(aws),
    )


def _create(aws: LocalAws, template: Template, overrides: Mapping[str, str]) -> None:
    values = [{"ParameterKey": k, "ParameterValue": v} for k, v in overrides.items()]
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK_NAME, TemplateBody=json.dumps(template.local_part()), Parameters=values
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise SandboxError(
            f"moto could not create the stack of {template.path}: {stack['StackStatus']}"
        )


def _put_queue_policies(aws: LocalAws, template: Template, queues: Mapping[str, str]) -> None:
    """Give the queues the template's policies, which moto's CloudFormation does not know.

    They are there to be looked at: moto enforces none.
    """
    for resource in template.transformed["Resources"].values():
        if resource["Type"] == "AWS::SQS::QueuePolicy":
            policy = json.dumps(_with_arns(resource["Properties"]["PolicyDocument"], queues))
            for queue in resource["Properties"]["Queues"]:
                aws.sqs.set_queue_attributes(
                    QueueUrl=queues[queue["Ref"]], Attributes={"Policy": policy}
                )


def _with_arns(value: Any, queues: Mapping[str, str]) -> Any:
    """Replace `Fn::GetAtt` of a queue's `Arn`."""
    if isinstance(value, dict) and value.keys() == {"Fn::GetAtt"}:
        name = queues[value["Fn::GetAtt"][0]].rpartition("/")[2]
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    if isinstance(value, dict):
        return {key: _with_arns(inner, queues) for key, inner in value.items()}
    return [_with_arns(inner, queues) for inner in value] if isinstance(value, list) else value


def _physical_names(aws: LocalAws) -> dict[str, str]:
    response = aws.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)
    return {  # moto lists what a condition leaves out as well, without any name
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in response["StackResources"]
        if "LogicalResourceId" in one
    }


def _outputs(aws: LocalAws) -> dict[str, str]:
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {one["OutputKey"]: _local_url(aws, one["OutputValue"]) for one in stack["Outputs"]}


def _local_url(aws: LocalAws, value: str) -> str:
    return value.replace(_AWS_QUEUE_URL, f"{aws.url}/{ACCOUNT}/")


def _functions(
    aws: LocalAws, template: Template, names: Mapping[str, str]
) -> dict[str, FunctionSettings]:
    """Read the functions back, keyed by logical id."""
    client = aws.client("lambda")
    layers = tuple(_layer_root(template.folder(layer)) for layer in template.layers())
    deployed = {}
    for logical_id, resource in template.source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            response = client.get_function_configuration(FunctionName=names[logical_id])
            deployed[logical_id] = _function(aws, template.folder(logical_id), layers, response)
    return deployed


def _function(
    aws: LocalAws, folder: Path, layers: tuple[Path, ...], response: Json
) -> FunctionSettings:
    variables = response.get("Environment", {}).get("Variables", {})
    return FunctionSettings(
        key=folder.name,
        name=response["FunctionName"],
        arn=response["FunctionArn"],
        handler=response["Handler"],
        runtime=response["Runtime"],
        timeout_seconds=float(response["Timeout"]),
        memory_mb=int(response["MemorySize"]),
        folder=folder,
        layers=layers,
        environment={name: _local_url(aws, str(value)) for name, value in variables.items()},
    )


def _layer_root(content: Path) -> Path:
    """Return the folder to import from: a built layer has its packages in `python`."""
    built = content / "python"
    return built if built.is_dir() else content


def _event_sources(
    aws: LocalAws, keys: Mapping[str, str], queue_urls: tuple[str, ...]
) -> tuple[EventSource, ...]:
    urls = {url.rpartition("/")[2]: url for url in queue_urls}
    mappings = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return tuple(_event_source(mapping, keys, urls) for mapping in mappings)


def _event_source(mapping: Json, keys: Mapping[str, str], urls: Mapping[str, str]) -> EventSource:
    arn = mapping["EventSourceArn"]
    return EventSource(
        function=keys[mapping["FunctionArn"]],
        queue_url=urls[arn.rpartition(":")[2]],
        queue_arn=arn,
        batch_size=int(mapping["BatchSize"]),
        window_seconds=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
        reports_item_failures="ReportBatchItemFailures"
        in (mapping.get("FunctionResponseTypes") or ()),
        max_concurrency=(mapping.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )
