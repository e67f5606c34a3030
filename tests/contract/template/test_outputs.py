"""The outputs: what a person or the command asks the stack for."""

from tests.support.every import every
from tests.support.template import (
    DEAD_LETTERS,
    FUNCTIONS,
    SOURCES,
    TABLES,
    TEMPLATE,
    conditions,
    under,
)


@every("queue", [*SOURCES, *DEAD_LETTERS])
def test_outputs_give_the_url_and_the_arn_of_each_queue(queue: str) -> None:
    assert TEMPLATE["Outputs"][f"{queue}Url"]["Value"] == {"Ref": queue}
    assert TEMPLATE["Outputs"][f"{queue}Arn"]["Value"] == {"Fn::GetAtt": [queue, "Arn"]}


@every("table", TABLES)
def test_outputs_give_the_name_of_each_table(table: str) -> None:
    value = TEMPLATE["Outputs"][f"{table}Name"]["Value"]
    adopted = conditions(**{f"{table}Name": "of-a-former-stack"})

    assert under(value, conditions()) == {"Ref": table}
    assert under(value, adopted) == {"Ref": f"{table}Name"}


@every("function", FUNCTIONS)
def test_outputs_give_the_name_of_each_function(function: str) -> None:
    assert TEMPLATE["Outputs"][f"{function}Name"]["Value"] == {"Ref": function}


def test_outputs_give_the_address_of_the_api() -> None:
    assert "ApiUrl" in TEMPLATE["Outputs"]


def test_outputs_give_the_address_of_the_dashboard_if_there_is_one() -> None:
    output = TEMPLATE["Outputs"]["DashboardUrl"]

    assert output["Value"]["Fn::Sub"].endswith("#dashboards/dashboard/${StackDashboard}")
    assert output["Condition"] == "HasDashboard"
    assert conditions()["HasDashboard"]
    assert not conditions(Dashboard="no")["HasDashboard"]


def test_outputs_give_the_place_of_the_secrets() -> None:
    """That which the functions are told, be it given or the stack's name."""
    told = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["RELAY_PARAMETER_PREFIX"]

    assert TEMPLATE["Outputs"]["ParameterPrefix"]["Value"] == told
