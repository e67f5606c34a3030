"""deploy/deployer-policy.json: enough to deploy every resource of the template, and little more.

What CloudFormation calls for a resource is said by the schema of its type (`handlers`), which
cfn-lint brings along.
"""

import importlib.util
import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from tests.support.template import Json, listed, sam_template

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "deployer-policy.json").read_text(encoding="utf-8")
STATEMENTS: list[Json] = json.loads(TEXT)["Statement"]
MOST_CHARACTERS = 10_240
"""Of all that is written into a role itself, white space apart (IAM's quotas).

Beside it, in a managed policy, it would be 6,144.
"""


def resources() -> dict[str, Json]:
    """Those of the template, after SAM's transform."""
    found: dict[str, Json] = sam_template().transformed["Resources"]
    return found


NOT_CALLED = {
    r"(ec2|elasticfilesystem|s3files|kinesis|firehose):.*": "networks, file systems and streams:"
    " ours have none",
    r"codedeploy:RegisterOnPremisesInstance": "ours are functions",
    r"kms:.*": "a key of one's own: docs/deploy.md says what that needs",
    r"iam:CreateServiceLinkedRole": "for a table's replicas and scaling",
    r"iam:.*PermissionsBoundary": "our roles have none",
    r"iam:(Attach|Detach)(User|Group)Policy": "our policies are for roles",
    r"dynamodb:(.*Item|Query|Scan|ImportTable|DescribeImport)": "for replicas and imports: content",
    r"dynamodb:.*(Replica|KinesisStreamingDestination|ContributorInsights)": "no such property",
    r"dynamodb:(Put|Delete)ResourcePolicy": "no such property",
    r"lambda:.*(CodeSigningConfig|CapacityProvider|RuntimeAlias)": "likewise",
    r"lambda:.*(ScalingConfig|ProvisionedConcurrencyConfig|RuntimeManagementConfig)": "likewise",
    r"logs:(CreateLogStream|DescribeLogStreams|PutLogEvents)": "by DynamoDB's import, not by us",
    r"logs:.*(IndexPolicy|BearerTokenAuthentication|DeletionProtection)": "no such property",
    r"logs:(Put|Delete)ResourcePolicy": "the statement ApiLog has the one that is needed",
    r"s3:(GetObjectMetadata|ListBucket|REST\.PUT\.OBJECT|getObject)": "for imports and an API",
    r"sns:PutDataProtectionPolicy": "no such property",
}
"""Actions of schemas that our use of the types does not call, with the reason."""

OTHERWISE_CALLED = {
    r"cloudformation:.*": "by SAM CLI, for the stack and for the one with its bucket",
    r"s3:.*": "by SAM CLI, which makes the bucket and uploads into it",
    r"logs:(\w+LogDelivery|\w+LogDeliveries|DescribeLogGroups|\w+ResourcePolic(y|ies))": "for the"
    " access log of an HTTP API (API Gateway's guide, Permissions to enable logging)",
}
"""Actions that no type's schema names, or not for what they are called here, with the caller."""

WITHOUT_A_NAME = {
    "ReadTemplates": "a template is no resource",
    "QueuesToFunctions": "a mapping's id is drawn by lot; bound by the function that it feeds",
    "ApiLog": "API Gateway's log delivery knows no resource",
    "PagerAlarm": "for a composite alarm CloudWatch takes these on all resources only",
    "SavedQueries": "a saved query is no resource",
}
"""Statements about all resources, with the reason."""


@cache
def schema(kind: str) -> Json:
    (package,) = importlib.util.find_spec("cfnlint").submodule_search_locations  # type: ignore[union-attr, misc]
    schemas = Path(package) / "data" / "schemas"
    name = json.loads((schemas / "providers" / "us-east-1.json").read_text())[kind]
    found: Json = json.loads((schemas / "resources" / f"{name}.json").read_text())
    return found


def called(kind: str) -> set[str]:
    """What CloudFormation calls to create, read, update or delete a resource of a type."""
    handlers = schema(kind)["handlers"]
    return {
        action
        for way in ("create", "read", "update", "delete")
        for action in handlers.get(way, {}).get("permissions", [])
        if not any(re.fullmatch(pattern, action) for pattern in NOT_CALLED)
    }


GRANTED = {action for one in STATEMENTS for action in listed(one["Action"])}


def test_policy_has_the_actions_of_every_type_of_the_template() -> None:
    kinds = {one["Type"] for one in resources().values()}
    missing = {
        (kind, action)
        for kind in kinds
        for action in called(kind)
        if not any(fnmatchcase(action, one) for one in GRANTED)
    }

    assert "AWS::Lambda::Function" in kinds
    assert missing == set()


def test_policy_has_no_action_that_nothing_calls() -> None:
    needed = {action for one in resources().values() for action in called(one["Type"])}
    superfluous = [
        action
        for action in GRANTED
        if not any(fnmatchcase(one, action) for one in needed)
        and not any(re.fullmatch(pattern, action) for pattern in OTHERWISE_CALLED)
    ]

    assert superfluous == []


def test_policy_has_a_wildcard_only_where_it_reads() -> None:
    reading = re.compile(r"[a-z0-9]+:(Get|List|Describe)[A-Za-z]*\*")

    assert [one for one in GRANTED if "*" in one and not reading.fullmatch(one)] == []


def test_policy_reads_no_content() -> None:
    """Neither messages, items, logs nor parameters, whose values may be secrets."""
    content = [
        *("sqs:ReceiveMessage", "dynamodb:GetItem", "dynamodb:Scan", "logs:GetLogEvents"),
        *("logs:FilterLogEvents", "ssm:GetParameter", "ssm:GetParameters", "lambda:InvokeFunction"),
    ]

    assert [one for one in content if any(fnmatchcase(one, granted) for granted in GRANTED)] == []


def test_policy_is_about_the_stacks_alone_but_for_what_has_no_name() -> None:
    wide = {
        one["Sid"]
        for one in STATEMENTS
        if any("appsflyer-relay" not in arn for arn in listed(one["Resource"]))
    }

    of_aws = {"Transforms", "DeploymentSteps"}

    assert wide == WITHOUT_A_NAME.keys() | of_aws | {"Stack", "Uploads", "Api", "TagMappings"}


def test_policy_about_every_resource_is_bound_or_has_a_reason() -> None:
    assert {one["Sid"] for one in STATEMENTS if one["Resource"] == "*"} == WITHOUT_A_NAME.keys()


def test_policy_passes_only_the_stacks_roles_and_only_to_whom_they_are_for() -> None:
    """Or whoever deploys could give any role of the account to a function."""
    (passing,) = (one for one in STATEMENTS if "iam:PassRole" in listed(one["Action"]))
    trusted = {
        service
        for one in resources().values()
        if one["Type"] == "AWS::IAM::Role"
        for statement in one["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for service in listed(statement["Principal"]["Service"])
    }

    assert passing["Resource"] == "arn:aws:iam::*:role/appsflyer-relay-*"
    assert set(listed(passing["Condition"]["StringEquals"]["iam:PassedToService"])) == trusted


def test_policy_is_short_enough_for_iam() -> None:
    assert len(re.sub(r"\s", "", TEXT)) < MOST_CHARACTERS


def test_trust_policy_lets_in_one_environment_of_one_repository() -> None:
    """Each by its whole name: a pattern would let in branches that nobody has approved."""
    (statement,) = json.loads((ROOT / "deploy" / "github-trust-policy.json").read_text())[
        "Statement"
    ]
    claims = statement["Condition"]["StringEquals"]

    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert claims["token.actions.githubusercontent.com:sub"] == "SUBJECT:environment:STAGE"


def test_page_gives_the_deployer_a_name_that_it_may_not_change() -> None:
    """A role of a name within its own reach could allow itself everything."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    names = set(re.findall(r"--role-name (\S+)", page))
    reach = [arn for one in STATEMENTS for arn in listed(one["Resource"]) if ":role/" in arn]

    assert names == {"relay-deployer-prod"}
    assert [
        name
        for name in names
        for arn in reach
        if fnmatchcase(f"arn:aws:iam::123456789012:role/{name}", arn)
    ] == []
