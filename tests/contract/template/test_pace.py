"""The pace (S2): both forwarders together never send more than 10,000 requests a second."""

from fractions import Fraction
from itertools import product

import pytest

from tests.template import FORWARDERS, PARAMETERS, event_source, variables

BASELINE = 10_000
"""Requests a second (S2)."""
PACING = [
    "RequestsASecond",
    "WebSharePercent",
    "MobileMaxConcurrency",
    "WebMaxConcurrency",
]
CHOICES = [
    dict(zip(PACING, values, strict=True))
    for values in product(
        *({PARAMETERS[name][one] for one in ("MinValue", "Default", "MaxValue")} for name in PACING)
    )
]
"""Each parameter at its least, its default and its largest, in every combination."""


def told(function: str, variable: str) -> str:
    """The parameter that a variable of the function is set by."""
    name: str = variables(function)[variable]["Ref"]
    return name


def pace(function: str, given: dict[str, int]) -> Fraction:
    """Requests a second of one invocation, from what it is told."""
    web = given[told(function, "RELAY_WEB_SHARE_PERCENT")]
    percent = web if function == "ForwardWebFunction" else 100 - web
    total = given[told(function, "RELAY_REQUESTS_A_SECOND")]
    return Fraction(total * percent, 100 * given[told(function, "RELAY_MAX_CONCURRENCY")])


def at_once(function: str, given: dict[str, int]) -> int:
    """Invocations at the same time, at most, by the event source mapping."""
    return given[event_source(function)["ScalingConfig"]["MaximumConcurrency"]["Ref"]]


@pytest.mark.parametrize("given", CHOICES, ids=str)
def test_forwarders_together_never_send_more_than_the_baseline(given: dict[str, int]) -> None:
    total = sum(pace(function, given) * at_once(function, given) for function in FORWARDERS)

    assert total == given["RequestsASecond"] <= BASELINE


@pytest.mark.parametrize("function", FORWARDERS)
def test_forwarder_is_told_the_very_concurrency_that_its_mapping_has(function: str) -> None:
    """Two parameters could be changed apart, and every invocation would send too much."""
    mapping = event_source(function)["ScalingConfig"]["MaximumConcurrency"]

    assert variables(function)["RELAY_MAX_CONCURRENCY"] == mapping


@pytest.mark.parametrize("variable", ["RELAY_REQUESTS_A_SECOND", "RELAY_WEB_SHARE_PERCENT"])
def test_forwarders_share_one_and_the_same_total(variable: str) -> None:
    mobile, web = (variables(function)[variable] for function in FORWARDERS)

    assert mobile == web


@pytest.mark.parametrize("function", FORWARDERS)
@pytest.mark.parametrize("given", CHOICES, ids=str)
def test_each_forwarder_has_a_part_of_the_pace(function: str, given: dict[str, int]) -> None:
    assert pace(function, given) > 0
