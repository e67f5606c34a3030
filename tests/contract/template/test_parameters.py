"""The parameters: each with a default, bounds, a unit, and its place in the console."""

import re

from tests.support.every import every
from tests.support.template import PARAMETERS, TEMPLATE


@every("name", PARAMETERS)
def test_parameter_has_a_default(name: str) -> None:
    assert "Default" in PARAMETERS[name]


@every("name", PARAMETERS)
def test_parameter_has_bounds(name: str) -> None:
    bounds = {"AllowedValues", "AllowedPattern"} & PARAMETERS[name].keys()

    assert bounds or {"MinValue", "MaxValue"} <= PARAMETERS[name].keys()


@every("name", PARAMETERS)
def test_parameter_says_its_unit(name: str) -> None:
    units = (
        r"seconds|days|MB|messages|requests|invocations|percent|scheme and host, no path|no unit"
    )

    assert re.search(rf"\b({units})\b", PARAMETERS[name]["Description"], re.IGNORECASE)


@every("name", PARAMETERS)
def test_parameter_default_is_within_its_bounds(name: str) -> None:
    parameter = PARAMETERS[name]
    default = parameter["Default"]

    assert default in parameter.get("AllowedValues", [default])
    assert re.fullmatch(parameter.get("AllowedPattern", ".*"), str(default))
    if "MinValue" in parameter:
        assert parameter["MinValue"] <= default <= parameter["MaxValue"]


@every("name", PARAMETERS)
def test_parameter_stands_in_a_group_of_the_console(name: str) -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert [group for group in groups if name in group["Parameters"]]
