"""How calls move from one version of a function to the next, and back."""

from typing import Any

import pytest

from tests.support.alarms import ALARMS, period
from tests.support.every import every
from tests.support.template import (
    BEHIND_HTTP,
    CONSUMERS,
    FUNCTIONS,
    PARAMETERS,
    Json,
    conditions,
    listed,
    properties,
    sam_template,
    under,
)

SECONDS = {
    "Canary10Percent15Minutes": 900,
    "Canary10Percent30Minutes": 1800,
    "Linear10PercentEvery3Minutes": 1620,
    "Linear10PercentEvery10Minutes": 5400,
}
"""From the first call of the new version to the last of the old one, by CodeDeploy's documents."""


@pytest.fixture(scope="module")
def resources() -> Json:
    """What CloudFormation makes of the template."""
    found: Json = sam_template().transformed["Resources"]
    return found


def group(resources: Json, function: str) -> Json:
    """The deployment group of a function."""
    found: Json = resources[f"{function}DeploymentGroup"]["Properties"]
    return found


def alarms(resources: Json, function: str, **parameters: str) -> list[str]:
    """The alarms that take a deployment of the function back."""
    given = conditions(**parameters)
    configuration = under(group(resources, function).get("AlarmConfiguration", {}), given)
    return [one["Name"]["Ref"] for one in configuration.get("Alarms", [])]


@every("function", FUNCTIONS)
def test_change_of_nothing_but_the_layer_is_a_new_version(function: str) -> None:
    assert properties(function)["AutoPublishAliasAllProperties"] is True


@every("function", FUNCTIONS)
def test_alias_moves_by_codedeploy_under_a_role_of_ours(resources: Json, function: str) -> None:
    alias = resources[f"{function}Aliaslive"]
    moved = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]

    assert moved["DeploymentGroupName"] == {"Ref": f"{function}DeploymentGroup"}
    assert group(resources, function)["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}
    assert "CodeDeployServiceRole" not in resources


@every("function", FUNCTIONS)
def test_deployment_is_taken_back_by_the_functions_own_alarms(
    resources: Json, function: str
) -> None:
    name = function.removesuffix("Function")

    assert alarms(resources, function) == [f"{name}ErrorsAlarm", f"{name}UnexpectedAlarm"]
    assert set(alarms(resources, function)) <= ALARMS.keys()
    assert (
        "DEPLOYMENT_STOP_ON_ALARM"
        in group(resources, function)["AutoRollbackConfiguration"]["Events"]
    )


@every("function", FUNCTIONS)
def test_deployment_all_at_once_is_not_stopped_by_what_it_is_to_mend(
    resources: Json, function: str
) -> None:
    """CodeDeploy refuses to begin while one of the alarms rings."""
    assert alarms(resources, function, DeploymentPreference="AllAtOnce") == []


def test_every_way_is_long_enough_for_the_alarm_on_errors() -> None:
    choices = {*PARAMETERS["DeploymentPreference"]["AllowedValues"]} - {"AllAtOnce"}
    error_alarms = [one for name, one in ALARMS.items() if name.endswith("ErrorsAlarm")]
    # Its two periods, after the one in which the first error comes has begun, and a minute to look.
    needed = max(period(one) * (one["DatapointsToAlarm"] + 0.5) + 60 for one in error_alarms)

    assert SECONDS.keys() == choices
    assert {choice for choice in choices if SECONDS[choice] < needed} == set()


@every("function", CONSUMERS)
def test_queue_calls_the_alias(resources: Json, function: str) -> None:
    sources = [
        one["Properties"]["FunctionName"]
        for one in resources.values()
        if one["Type"] == "AWS::Lambda::EventSourceMapping"
    ]

    assert {"Ref": f"{function}Aliaslive"} in sources
    assert len(sources) == len(CONSUMERS)


def test_api_may_call_the_aliases_and_nothing_else(resources: Json) -> None:
    called = [
        one["Properties"]["FunctionName"]["Ref"]
        for one in resources.values()
        if one["Type"] == "AWS::Lambda::Permission"
    ]

    assert set(called) == {f"{function}Aliaslive" for function in BEHIND_HTTP}


def test_codedeploy_may_move_the_aliases_of_our_functions_and_see_alarms() -> None:
    (policy,) = properties("DeploymentRole")["Policies"]
    move, see = policy["PolicyDocument"]["Statement"]
    functions: list[Any] = [{"Fn::Sub": f"${{{function}.Arn}}*"} for function in FUNCTIONS]

    assert [one for one in listed(move["Resource"]) if one not in functions] == []
    assert len(move["Resource"]) == len(FUNCTIONS)
    assert move["Action"] == [
        *("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig")
    ]
    assert see["Action"] == "cloudwatch:DescribeAlarms"
