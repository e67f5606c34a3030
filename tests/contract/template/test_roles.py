"""The roles: each function may do what it is for, and nothing else."""

import json
import re
from collections import Counter

import pytest

from tests.support.every import every
from tests.support.template import (
    DEAD_LETTERS,
    FUNCTIONS,
    SOURCES,
    TABLES,
    TEXT,
    Json,
    conditions,
    listed,
    objects,
    statements,
    under,
    variables,
)

TAKE = {"ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"}
"""What Lambda's pollers do under the role of the function that a queue invokes."""

CLAIM = {"BatchGetItem", "PartiQLInsert", "PutItem", "BatchWriteItem", "DeleteItem"}
"""To claim an event, and to remember or release it: writes only."""

ACCESS = {
    ("MapPaymentFunction", "PaymentTrailTable"): {"BatchGetItem", "PutItem", "UpdateItem"},
    ("MapPaymentFunction", "IdentitiesTable"): {"BatchGetItem", "Query"},
    ("ReceiveInstallFunction", "IdentitiesTable"): {"PutItem"},
    ("ForwardMobileFunction", "IdentitiesTable"): {"BatchGetItem"},
    ("ForwardMobileFunction", "DeliveriesTable"): CLAIM,
    ("ForwardWebFunction", "DeliveriesTable"): CLAIM,
}
"""Everything that a function may do on a table; what is not here it may not touch."""

QUEUE_ACCESS = {
    ("AcceptFunction", "MobileQueue"): {"SendMessage"},
    ("AcceptFunction", "WebQueue"): {"SendMessage"},
    ("ReceivePaymentFunction", "PaymentsQueue"): {"SendMessage"},
    ("MapPaymentFunction", "PaymentsQueue"): {*TAKE, "SendMessage"},
    ("MapPaymentFunction", "PaymentsDeadLetterQueue"): {"SendMessage"},
    ("MapPaymentFunction", "MobileQueue"): {"SendMessage"},
    ("MapPaymentFunction", "WebQueue"): {"SendMessage"},
    ("ForwardMobileFunction", "MobileQueue"): {*TAKE, "SendMessage"},
    ("ForwardMobileFunction", "MobileDeadLetterQueue"): {"SendMessage"},
    ("ForwardWebFunction", "WebQueue"): {*TAKE, "SendMessage"},
    ("ForwardWebFunction", "WebDeadLetterQueue"): {"SendMessage"},
}
"""Likewise on a queue. Nobody takes from a dead-letter queue: that is done by a person's role."""

SERVICES = {"logs", "sqs", "dynamodb", "ssm", "kms", "xray"}
"""All that any function may call."""


_ADOPTED = "arn:${{AWS::Partition}}:dynamodb:${{AWS::Region}}:${{AWS::AccountId}}:table/${{{}Name}}"
"""The ARN of a table that a former stack has made."""


def actions_on(function: str, resource: object, *, former: str = "none") -> set[str]:
    """What a function may do with a resource; `former`: a table of a former stack."""
    scope = conditions(**{f"{former}Name": "of-a-former-stack"})
    return {
        action
        for statement in statements(function)
        if resource in [under(one, scope) for one in listed(statement["Resource"])]
        for action in listed(statement["Action"])
    }


@pytest.fixture(scope="session")
def grants(translated: Json) -> list[Json]:
    """Every statement that allows something, wherever it stands in what CloudFormation gets."""
    return [one for one in objects(translated) if one.get("Effect") == "Allow"]


@every("table", TABLES)
@every("function", FUNCTIONS)
def test_function_does_with_a_table_only_what_it_needs(function: str, table: str) -> None:
    expected = ACCESS.get((function, table), set())

    allowed = {f"dynamodb:{one}" for one in expected}

    assert actions_on(function, {"Fn::GetAtt": [table, "Arn"]}) == allowed
    assert actions_on(function, {"Fn::Sub": _ADOPTED.format(table)}, former=table) == allowed


@every("queue", [*SOURCES, *DEAD_LETTERS])
@every("function", FUNCTIONS)
def test_function_does_with_a_queue_only_what_it_needs(function: str, queue: str) -> None:
    expected = QUEUE_ACCESS.get((function, queue), set())

    assert actions_on(function, {"Fn::GetAtt": [queue, "Arn"]}) == {f"sqs:{e}" for e in expected}


@every("function", FUNCTIONS)
def test_function_writes_to_its_own_log_only(function: str) -> None:
    own = {"Fn::GetAtt": [function.replace("Function", "LogGroup"), "Arn"]}
    logging = [s for s in statements(function) if any("logs:" in a for a in listed(s["Action"]))]

    assert [statement["Resource"] for statement in logging] == [own]
    assert actions_on(function, own) == {"logs:CreateLogStream", "logs:PutLogEvents"}


@every("function", FUNCTIONS)
def test_function_calls_no_service_that_these_tests_do_not_know(function: str) -> None:
    actions = [action for one in statements(function) for action in listed(one["Action"])]

    assert {action.partition(":")[0] for action in actions} <= SERVICES


@every("function", FUNCTIONS)
def test_function_may_use_each_table_that_it_is_told_of(function: str) -> None:
    values = [under(value, conditions()) for value in variables(function).values()]
    told = {value.get("Ref") for value in values if isinstance(value, dict)}

    assert told & set(TABLES) == {table for one, table in ACCESS if one == function}


@every("function", FUNCTIONS)
def test_function_may_do_only_what_is_written_in_its_role(translated: Json, function: str) -> None:
    """SAM adds nothing: its managed policies may receive from, and log to, everything."""
    role = function.replace("Function", "Role")
    own = function.replace("Function", "Policy")
    resources = translated["Resources"]

    assert resources[function]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}
    assert resources[role]["Properties"]["ManagedPolicyArns"] == [{"Ref": own}]


def test_no_policy_is_handed_to_a_role_from_outside(translated: Json) -> None:
    """It would come after the role, and Lambda might find that it may not read a queue yet."""
    policies = [one for one in translated["Resources"].values() if "::IAM::" in one["Type"]]
    wrong = [
        one
        for one in policies
        if one["Type"] not in {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}
        or {"Roles", "Users", "Groups"} & one["Properties"].keys()
    ]

    assert len(policies) == 2 * len(FUNCTIONS) + len(["DeploymentRole"])
    assert wrong == []


def test_every_statement_says_its_reason_beside_it() -> None:
    assert re.findall(r"- Sid: \w+ *$", TEXT, re.MULTILINE) == []


@every("function", FUNCTIONS)
def test_no_statement_is_without_a_sid_to_carry_its_reason(function: str) -> None:
    assert all("Sid" in statement for statement in statements(function))


def test_nothing_in_the_template_allows_a_family_of_actions(grants: list[Json]) -> None:
    actions = [action for one in grants for action in listed(one["Action"])]

    assert actions
    assert [action for action in actions if "*" in action] == []


def test_nothing_in_the_template_allows_all_but_something(grants: list[Json]) -> None:
    exceptions = {"NotAction", "NotResource", "NotPrincipal"}

    assert [one for one in grants if exceptions & one.keys()] == []


def test_nothing_in_the_template_is_allowed_to_everybody(grants: list[Json]) -> None:
    principals = [one["Principal"] for one in grants if "Principal" in one]

    services = Counter(one["Service"] for one in principals)

    assert services == {"lambda.amazonaws.com": len(FUNCTIONS), "codedeploy.amazonaws.com": 1}


def test_only_the_api_may_invoke_a_function_and_only_by_its_own_routes(translated: Json) -> None:
    invokers = [
        one["Properties"]
        for one in translated["Resources"].values()
        if one["Type"] == "AWS::Lambda::Permission"
    ]

    assert invokers
    for one in invokers:
        assert one["Principal"] == "apigateway.amazonaws.com"
        assert one["SourceArn"]["Fn::Sub"][1]["__ApiId__"] == {"Ref": "Api"}
        assert "/v1/" in one["SourceArn"]["Fn::Sub"][0]


@every("function", FUNCTIONS)
def test_no_role_reaches_every_resource_except_to_send_traces(function: str) -> None:
    """X-Ray has no resources to name."""
    everywhere = [one["Sid"] for one in statements(function) if "*" in listed(one["Resource"])]

    assert everywhere == ["SendTraces"]


def test_every_grant_on_all_resources_says_its_reason_beside_it() -> None:
    assert re.findall(r'Resource: "\*" *$', TEXT, re.MULTILINE) == []


@every("function", FUNCTIONS)
def test_parameters_are_read_by_exact_name_only(function: str) -> None:
    """A grant on a path would return everything below it, whatever is denied there."""
    actions = {action for one in statements(function) for action in listed(one["Action"])}

    assert {action for action in actions if action.startswith("ssm:")} == {"ssm:GetParameters"}


@every("function", FUNCTIONS)
def test_role_without_a_customer_key_knows_no_key(function: str) -> None:
    assert "kms:" not in json.dumps(statements(function, conditions=False))


@every("function", FUNCTIONS)
def test_customer_key_is_used_only_through_the_services_that_a_function_calls(
    function: str,
) -> None:
    calls = {
        action.partition(":")[0] for s in statements(function) for action in listed(s["Action"])
    }
    (statement,) = (one for one in statements(function) if "kms:Decrypt" in listed(one["Action"]))

    assert statement["Resource"] == {"Ref": "KmsKeyArn"}
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == [
        {"Fn::Sub": f"{service}.${{AWS::Region}}.amazonaws.com"}
        for service in ("sqs", "ssm", "dynamodb")
        if service in calls
    ]


@every("function", FUNCTIONS)
def test_customer_key_makes_new_keys_only_for_those_that_send_to_a_queue(function: str) -> None:
    actions = {action for one in statements(function) for action in listed(one["Action"])}

    assert ("kms:GenerateDataKey" in actions) == ("sqs:SendMessage" in actions)
