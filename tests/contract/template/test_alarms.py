"""The alarms: whom they tell, what they say, and that what they watch is there."""

import ast
import functools
from pathlib import Path

import pytest

from relay.domain.outcomes import Outcome
from tests.support.alarms import ALARMS, DAY, period, watched
from tests.support.template import FUNCTIONS, RESOURCES, TEMPLATE, Json, properties, variables

OURS = {"Fn::Sub": "AppsFlyerRelay/${AWS::StackName}"}
"""Of each stack its own, or one stack's alarms would ring for another."""
LAYER = Path(__file__).parents[3] / "layers" / "relay" / "relay"


@functools.cache
def counters_of_the_layer() -> set[str]:
    """Every text in the layer's code that may name a counter, those of the outcomes included."""
    texts = {
        node.value
        for path in LAYER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return texts | {outcome.capitalize() for outcome in Outcome}


def test_alarm_tells_mail_and_topic_when_it_begins_and_when_it_is_over() -> None:
    told = [
        {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AWS::NoValue"}]},
        {"Fn::If": ["HasAlarmEmail", {"Ref": "AlarmTopic"}, {"Ref": "AWS::NoValue"}]},
    ]

    assert [one for one in ALARMS if ALARMS[one]["AlarmActions"] != told] == []
    assert [one for one in ALARMS if ALARMS[one]["OKActions"] != told] == []


def test_mail_is_sent_to_the_address_that_was_given_and_only_if_one_was() -> None:
    assert properties("AlarmMail") == {
        "TopicArn": {"Ref": "AlarmTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "AlarmEmail"},
    }
    assert {RESOURCES[one]["Condition"] for one in ("AlarmTopic", "AlarmMail")} == {"HasAlarmEmail"}


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_says_what_to_do_in_one_sentence_and_where_more_is_said(name: str) -> None:
    described = ALARMS[name]["AlarmDescription"]
    text = described["Fn::Sub"] if isinstance(described, dict) else described
    sentence, end, rest = text.rpartition(" See docs/operations.md, ")

    assert (end, rest) == (" See docs/operations.md, ", "Alarms.")
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_is_named_after_its_stack(name: str) -> None:
    """Or a second stack in the same account would take the first one's alarms over."""
    assert ALARMS[name]["AlarmName"]["Fn::Sub"].startswith("${AWS::StackName}-")


def test_alarms_have_names_of_their_own() -> None:
    names = {alarm["AlarmName"]["Fn::Sub"] for alarm in ALARMS.values()}

    assert len(names) == len(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_looks_back_no_further_than_cloudwatch_does(name: str) -> None:
    """A day, or a week for periods of an hour and more."""
    seconds = period(ALARMS[name])

    assert seconds * ALARMS[name]["EvaluationPeriods"] <= (7 * DAY if seconds >= 3600 else DAY)


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_without_figures_does_not_ring(name: str) -> None:
    """A counter is written only when there is something to count, and idle queues say nothing."""
    assert ALARMS[name]["TreatMissingData"] in {"notBreaching", "ignore"}


@pytest.mark.parametrize(
    ("name", "one"),
    [(n, one) for n, alarm in ALARMS.items() for one in watched(alarm) if one["Namespace"] == OURS],
)
def test_alarm_on_a_counter_of_ours_watches_what_a_function_writes(name: str, one: Json) -> None:
    (dimension,) = one["Dimensions"]
    services = {variables(function)["POWERTOOLS_SERVICE_NAME"] for function in FUNCTIONS}
    written_to = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

    assert written_to["POWERTOOLS_METRICS_NAMESPACE"] == OURS
    assert dimension["Name"] == "service"
    assert dimension["Value"] in services
    assert one["MetricName"] in counters_of_the_layer()
