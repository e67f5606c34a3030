"""The template is read as AWS reads it; what moto cannot create is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from relay_sandbox.deployment.template import Template, parsed, references
from relay_sandbox.errors import SandboxError
from tests.support.template import TEXT, sam_template

SMALL = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Endpoint: {Type: String, Default: https://example.com, AllowedPattern: "^https?://[a-z0-9.:]+$",
             ConstraintDescription: a base URL}
  Hold: {Type: Number, Default: 300, MinValue: 1, MaxValue: 900}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Things: {Type: AWS::DynamoDB::Table}
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/shared}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker
      Handler: app.handler
      Runtime: python3.13
      Layers: [!Ref Layer]
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
        Http: {Type: HttpApi, Properties: {Path: /, Method: get}}
Outputs:
  QueueUrl: {Value: !Ref Queue}
  ApiUrl: {Value: !Sub "https://${ServerlessHttpApi}.example.com"}
"""


def test_template_is_parsed_as_sam_does_it() -> None:
    assert parsed(TEXT) == yaml_parse(TEXT)


@pytest.fixture
def small(tmp_path: Path) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)
    return Template.read(path)


def test_template_folder_is_found_beside_the_template(small: Template, tmp_path: Path) -> None:
    assert small.folder("Worker") == tmp_path / "functions" / "worker"
    assert small.folder("Layer") == tmp_path / "layers" / "shared"


def test_local_part_has_no_event_source_mapping_that_moto_would_run(small: Template) -> None:
    mappings = [
        resource["Properties"]["Enabled"]
        for resource in small.local_part()["Resources"].values()
        if resource["Type"] == "AWS::Lambda::EventSourceMapping"
    ]

    assert mappings == [False]


def test_local_part_leaves_out_what_moto_cannot_create_and_what_refers_to_it(
    small: Template,
) -> None:
    local = small.local_part()

    types = {resource["Type"] for resource in local["Resources"].values()}
    assert types == {
        "AWS::SQS::Queue",
        "AWS::DynamoDB::Table",
        "AWS::Lambda::Function",
        "AWS::Lambda::EventSourceMapping",
        "AWS::IAM::Role",
    }
    assert local["Outputs"].keys() == {"QueueUrl"}
    assert "Layers" not in local["Resources"]["Worker"]["Properties"]


def test_local_part_gives_queues_and_tables_the_names_that_the_template_has_for_them(
    small: Template,
) -> None:
    """events/env.json contains these names, without having seen the sandbox."""
    local = small.local_part()["Resources"]

    assert local["Queue"]["Properties"]["QueueName"] == "Queue"
    assert local["Things"]["Properties"]["TableName"] == "Things"


def test_local_part_of_the_real_template_refers_to_nothing_that_was_left_out() -> None:
    template = sam_template()
    local = template.local_part()

    left_out = template.transformed["Resources"].keys() - local["Resources"].keys()
    assert left_out.isdisjoint(references(local))


def test_parameters_are_the_defaults_with_the_overrides_over_them(small: Template) -> None:
    assert small.parameters({"Hold": "5"}) == {"Endpoint": "https://example.com", "Hold": "5"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"Unknown": "1"}, "no parameter Unknown"),
        ({"Endpoint": "ftp://example.com"}, "Endpoint wants a base URL"),
        ({"Hold": "901"}, "Hold wants a number from 1 to 900"),
        ({"Hold": "soon"}, "Hold wants a number from 1 to 900"),
    ],
)
def test_parameters_that_cloudformation_would_reject_are_rejected(
    small: Template, overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(SandboxError, match=message):
        small.parameters(overrides)


def test_read_template_that_is_missing_names_it(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"cannot read the template .*missing\.yaml"):
        Template.read(tmp_path / "missing.yaml")


def test_read_template_that_is_invalid_names_the_resource(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL.replace("      CodeUri: functions/worker\n", "      CodeUris: x\n"))

    with pytest.raises(SandboxError, match="Worker"):
        Template.read(path)


def test_references_are_found_in_every_form() -> None:
    part = {
        "A": {"Ref": "One"},
        "B": [{"Fn::GetAtt": ["Two", "Arn"]}, {"Fn::GetAtt": "Three.Arn"}],
        "C": {"Fn::Sub": "x-${Four}-${Five.Arn}-${AWS::Region}"},
        "D": {"Fn::Sub": ["${Six}", {"x": {"Ref": "Seven"}}]},
    }

    assert {"One", "Two", "Three", "Four", "Five", "Six", "Seven"} <= set(references(part))
