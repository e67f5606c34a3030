"""The loops of a template, written out as CloudFormation writes them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from relay_sandbox.deployment.loops import expanded
from relay_sandbox.deployment.template import parsed
from relay_sandbox.errors import SandboxError
from tests.support.template import PATH, TEMPLATE, TEXT, Json

ROOT = PATH.parent
BOTH = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
PARTS = ["Conditions", "Resources", "Outputs"]


def resources(body: Json, **others: Json) -> Json:
    """What a template with these resources comes to."""
    found: Json = expanded({"Transform": BOTH, "Resources": body, **others})["Resources"]
    return found


def test_loop_writes_its_body_once_for_each_item_in_order() -> None:
    """AWS's first example: four tables, with the item in the logical id and as a value."""
    loop = [
        "TableName",
        ["Points", "Score"],
        {"Dynamo${TableName}": {"Name": {"Ref": "TableName"}}},
    ]

    found = resources({"First": {}, "Fn::ForEach::Tables": loop, "Last": {}})

    assert list(found.items()) == [
        ("First", {}),
        ("DynamoPoints", {"Name": "Points"}),
        ("DynamoScore", {"Name": "Score"}),
        ("Last", {}),
    ]


def test_loop_in_a_loop_knows_the_items_of_both() -> None:
    inner = ["B", ["1", "2"], {"X${A}${B}": {"Fn::Sub": "${A}-${B}"}}]

    found = resources({"Fn::ForEach::Outer": ["A", ["a", "b"], {"Fn::ForEach::Inner": inner}]})

    assert found == {"Xa1": "a-1", "Xa2": "a-2", "Xb1": "b-1", "Xb2": "b-2"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"Ref": "Item"}, "One"),
        ({"Ref": "Other"}, {"Ref": "Other"}),
        ({"Ref": {"Fn::Sub": "${Item}Queue"}}, {"Ref": "OneQueue"}),
        ({"Fn::GetAtt": [{"Fn::Sub": "${Item}Queue"}, "Arn"]}, {"Fn::GetAtt": ["OneQueue", "Arn"]}),
        ({"Fn::Sub": "x-${Item}"}, "x-One"),
        ({"Fn::Sub": "${AWS::StackName}-${Item}"}, {"Fn::Sub": "${AWS::StackName}-One"}),
        ({"Fn::Sub": "${!Item}${Item}"}, {"Fn::Sub": "${!Item}One"}),
        ({"Fn::Sub": ["${a}-${Item}", {"a": {"Fn::FindInMap": ["T", "k", "n"]}}]}, "7-One"),
        ({"Fn::Sub": ["${a}${b}", {"a": "x", "b": {"Ref": "P"}}]},
         {"Fn::Sub": ["x${b}", {"b": {"Ref": "P"}}]}),
        ({"Fn::FindInMap": ["T", {"Ref": "Item"}, "w"]}, "one"),
        ({"Fn::FindInMap": ["T", {"Ref": "AWS::Region"}, "w"]},
         {"Fn::FindInMap": ["T", {"Ref": "AWS::Region"}, "w"]}),
        ({"Fn::If": ["Item", {"Ref": "Item"}, 5]}, {"Fn::If": ["Item", "One", 5]}),
        ("${Item} outside of Fn::Sub", "${Item} outside of Fn::Sub"),
    ],
)  # fmt: skip
def test_value_in_a_loop_names_the_item_as_cloudformation_has_it(written: Any, meant: Any) -> None:
    loop = ["Item", ["One"], {"${Item}X": {"Value": written}}]
    tables = {"T": {"k": {"n": 7}, "One": {"w": "one"}}}

    found = resources({"Fn::ForEach::L": loop}, Mappings=tables)

    assert found == {"OneX": {"Value": meant}}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"Transform": BOTH[1], "Resources": {"Fn::ForEach::L": []}}, r"L wants AWS::Lang.* first"),
        ({"Transform": BOTH[::-1], "Resources": {}}, "AWS::LanguageExtensions first"),
        (
            {"Transform": BOTH, "Resources": {"Fn::ForEach::L": ["A", {"Ref": "P"}, {}]}},
            "L must be",
        ),
        ({"Transform": BOTH, "Resources": {"Fn::ForEach::L": ["A", ["a"]]}}, "L must be a name"),
        (
            {
                "Transform": BOTH,
                "Resources": {"Xa": 1, "Fn::ForEach::L": ["A", ["a"], {"X${A}": 2}]},
            },
            "Xa twice",
        ),
        (
            {"Transform": BOTH, "Resources": {"X": {"Fn::FindInMap": ["T", "a", "b"]}}},
            "T: there is no T",
        ),
    ],
)
def test_loop_that_cloudformation_would_refuse_is_refused(template: Json, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        expanded(template)


def test_template_without_the_transform_is_left_alone() -> None:
    template = {"Transform": BOTH[1], "Resources": {"X": {"Fn::Sub": "plain"}}}

    assert expanded(template) is template


def test_nothing_of_a_loop_is_left_in_the_real_template() -> None:
    written = json.dumps({k: v for k, v in TEMPLATE.items() if k != "Mappings"})

    assert "Fn::ForEach" not in written
    assert "Fn::FindInMap" not in written


_SAM_CLI = """
import json, sys
from samcli.lib.cfn_language_extensions import api

context = api.TemplateProcessingContext(json.load(sys.stdin))
tables = api.IntrinsicResolver(context)
tables.register_resolver(api.FnFindInMapResolver)
steps = [api.TemplateParsingProcessor(), api.ForEachProcessor(tables)]
written = api.ProcessingPipeline(steps).process_template(context)
print(json.dumps({part: tables.resolve_value(written[part]) for part in sys.argv[1:]}))
"""
"""Loops and tables alone: all that it does decides conditions too, by defaults of parameters."""


def test_real_template_is_written_out_as_sam_cli_does_it() -> None:
    """AWS's own reading of its rules. It leaves literals in `Fn::Sub` to be put in.

    SAM CLI has an environment of its own, so this is a process.
    """
    subprocess.run([ROOT / "scripts" / "setup", "sam"], check=True)
    done = subprocess.run(
        [ROOT / ".venv-sam" / "bin" / "python", "-I", "-c", _SAM_CLI, *PARTS],
        input=json.dumps(parsed(TEXT)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    theirs = expanded({"Transform": BOTH, **json.loads(done.stdout)})

    for part in PARTS:
        assert len(theirs[part]) > 10
        assert list(theirs[part].items()) == list(TEMPLATE[part].items())
