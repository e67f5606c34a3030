"""Read `template.yaml` as AWS does: loops, transform, parameters, and the part to create here.

This module only reads; `stack` creates the resources.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor
from yaml import YAMLError

from relay_sandbox.deployment.loops import expanded
from relay_sandbox.errors import SandboxError
from relay_sandbox.local_aws.aws import local_session

_NOT_UPLOADED = (
    "s3://not-uploaded/code.zip"  # the transform needs an S3 URI; the sandbox runs the folder
)
_FOLDERS = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}

# The resources to create in the local AWS. All others are left out: moto rejects some (layers,
# versions, policies with statements that hang on a condition), fails on others (an HTTP API, which
# `gateway` serves), and needs none of them.
_LOCAL_TYPES = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SSM::Parameter",
    }
)
_NAMES = {"AWS::DynamoDB::Table": "TableName", "AWS::SQS::Queue": "QueueName"}

Json = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # either
    """As SAM's translator reads YAML, but by libyaml where it is there: in a tenth of the time."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def parsed(text: str) -> Json:
    """Return a template with its short forms (`!Ref`) as CloudFormation's long ones.

    Raises YAMLError if it is not YAML.
    """
    template: Json = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    return template


@dataclass(frozen=True)
class Template:
    """A SAM template, with its loops written out, and as transformed. Neither is ever modified."""

    path: Path
    source: Json
    transformed: Json

    @classmethod
    def read(cls, path: Path) -> Template:
        """Read and transform a template; raises SandboxError if it cannot be read or is invalid."""
        try:
            source = expanded(parsed(path.read_text()))
        except OSError as error:
            raise SandboxError(f"cannot read the template {path}: {error.strerror}") from error
        except YAMLError as error:
            raise SandboxError(f"{path} is not YAML: {error}") from error
        return cls(path, source, _transform(path, source))

    def folder(self, logical_id: str) -> Path:
        """Return the folder with the code of a function or layer."""
        resource = self.source["Resources"][logical_id]
        folder: str = resource["Properties"][_FOLDERS[resource["Type"]]]
        return (self.path.parent / folder).resolve()

    def layers(self) -> list[str]:
        """Return the logical ids of the layers, in the order written."""
        return [
            logical_id
            for logical_id, resource in self.source["Resources"].items()
            if resource["Type"] == "AWS::Serverless::LayerVersion"
        ]

    def functions(self) -> dict[str, str]:
        """Return the logical ids of the functions by the names of their folders."""
        return {
            self.folder(logical_id).name: logical_id
            for logical_id, resource in self.source["Resources"].items()
            if resource["Type"] == "AWS::Serverless::Function"
        }

    def function_behind(self, reference: object) -> str:
        """Return the logical id of the function that is referred to, through its alias if any."""
        resources = self.transformed["Resources"]
        named = [name for name in references(reference) if name in resources]
        while resources[named[0]]["Type"] == "AWS::Lambda::Alias":
            named = list(references(resources[named[0]]["Properties"]["FunctionName"]))
        return named[0]

    def local_part(self) -> Json:
        """Return the template for the local AWS, with all event source mappings disabled.

        An enabled mapping would make moto take messages off the queue and lose them. Aliases are
        left out: a mapping is of the function itself, of which there is one version here.
        """
        local = copy.deepcopy(self.transformed)
        local["Resources"] = {
            logical_id: self._local_resource(logical_id, resource)
            for logical_id, resource in local["Resources"].items()
            if resource["Type"] in _LOCAL_TYPES
        }
        left_out = self.transformed["Resources"].keys() - local["Resources"].keys()
        local["Outputs"] = {
            name: output
            for name, output in local.get("Outputs", {}).items()
            if left_out.isdisjoint(references(output))
        }
        return local

    def _local_resource(self, logical_id: str, resource: Json) -> Json:
        properties = resource.setdefault("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            properties["Code"] = {"ZipFile": "# the sandbox runs the folder of the function"}
            properties.pop("Layers", None)
        if resource["Type"] == "AWS::IAM::Role":
            properties.pop("ManagedPolicyArns", None)
        if resource["Type"] in _NAMES:  # fixed names, because events/env.json contains them
            properties.setdefault(_NAMES[resource["Type"]], logical_id)
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            properties["Enabled"] = False
            properties["FunctionName"] = {"Ref": self.function_behind(properties["FunctionName"])}
        return resource

    def parameters(self, overrides: Mapping[str, str]) -> dict[str, str]:
        """Return the values of all parameters; raises SandboxError if one is invalid or unknown."""
        declared = self.source.get("Parameters", {})
        if unknown := sorted(overrides.keys() - declared.keys()):
            raise SandboxError(f"{self.path.name} has no parameter {', '.join(unknown)}")
        values = {name: str(one["Default"]) for name, one in declared.items() if "Default" in one}
        values.update(overrides)
        for name, value in overrides.items():
            _check_parameter(name, value, declared[name])
        return values

    def resolve(self, value: object, parameters: Mapping[str, str]) -> object:
        """Replace a `Ref` to a parameter by its value; return anything else unchanged."""
        if isinstance(value, dict) and value.keys() == {"Ref"}:
            return parameters.get(value["Ref"], value)
        return value


def references(value: object) -> Iterator[str]:
    """Yield the logical ids that a part of a template refers to by Ref, Fn::GetAtt and Fn::Sub."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _named_by(key, inner)
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def _named_by(key: str, inner: Any) -> Iterator[str]:
    if key == "Ref":
        yield inner
    elif key == "Fn::GetAtt":
        yield inner[0] if isinstance(inner, list) else inner.partition(".")[0]
    elif key == "Fn::Sub":
        text = inner[0] if isinstance(inner, list) else inner
        yield from re.findall(r"\$\{([A-Za-z0-9]+)", text)


def _transform(path: Path, source: Json) -> Json:
    uploaded = copy.deepcopy(source)
    for resource in uploaded["Resources"].values():
        if folder := _FOLDERS.get(resource["Type"]):
            resource["Properties"][folder] = _NOT_UPLOADED
    defaults = {k: v["Default"] for k, v in source.get("Parameters", {}).items() if "Default" in v}
    translator = Translator({}, Parser(), boto_session=local_session())
    try:
        transformed: Json = translator.translate(uploaded, defaults)
    except InvalidDocumentException as error:
        causes = "\n".join(f"  {cause.message}" for cause in error.causes)
        raise SandboxError(f"{path} is not a valid SAM template:\n{causes}") from error
    finally:
        translator.metrics.publish()  # sends nothing; without it, there is a warning in the log
    return transformed


def _check_parameter(name: str, value: str, declared: Json) -> None:
    pattern = declared.get("AllowedPattern")
    if pattern and not re.search(pattern, value):
        wanted = declared.get("ConstraintDescription", f"what matches {pattern}")
        raise SandboxError(f"the template's parameter {name} wants {wanted}")
    if declared.get("Type") == "Number" and not _within(value, declared):
        low, high = declared.get("MinValue", "-"), declared.get("MaxValue", "-")
        raise SandboxError(f"the template's parameter {name} wants a number from {low} to {high}")


def _within(value: str, declared: Json) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    low, high = declared.get("MinValue", number), declared.get("MaxValue", number)
    return float(low) <= number <= float(high)
