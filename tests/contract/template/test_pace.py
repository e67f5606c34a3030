"""The pace (S2): both forwarders together never send more than 10,000 requests a second."""

from itertools import product

import pytest

from relay.config.environment import ForwardSettings
from relay.domain.kinds import Surface
from tests.support.every import every
from tests.support.template import FORWARDERS, PARAMETERS, environment, event_source, variables

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


def pace(function: str, given: dict[str, int]) -> float:
    """Requests a second of one invocation, by the code that reads what it is told."""
    told = environment(function, "Default")
    for variable, value in variables(function).items():
        if isinstance(value, dict) and value.get("Ref") in given:
            told[variable] = str(given[value["Ref"]])
    surface = Surface.WEB if function == "ForwardWebFunction" else Surface.MOBILE
    return ForwardSettings.from_env(told).requests_a_second_here(surface)


def at_once(function: str, given: dict[str, int]) -> int:
    """Invocations at the same time, at most, by the event source mapping."""
    return given[event_source(function)["ScalingConfig"]["MaximumConcurrency"]["Ref"]]


@every("given", CHOICES, ids=str)
def test_forwarders_together_never_send_more_than_the_baseline(given: dict[str, int]) -> None:
    total = sum(pace(function, given) * at_once(function, given) for function in FORWARDERS)

    assert total == pytest.approx(given["RequestsASecond"], rel=1e-9)
    assert given["RequestsASecond"] <= BASELINE


@every("function", FORWARDERS)
def test_forwarder_is_told_the_very_concurrency_that_its_mapping_has(function: str) -> None:
    """Two parameters could be changed apart, and every invocation would send too much."""
    mapping = event_source(function)["ScalingConfig"]["MaximumConcurrency"]

    assert variables(function)["RELAY_MAX_CONCURRENCY"] == mapping


@every("variable", ["RELAY_REQUESTS_A_SECOND", "RELAY_WEB_SHARE_PERCENT"])
def test_forwarders_share_one_and_the_same_total(variable: str) -> None:
    mobile, web = (variables(function)[variable] for function in FORWARDERS)

    assert mobile == web
