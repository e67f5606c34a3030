"""The functions: what invokes each, how often at once, for how long, and what it is told."""

import json
from collections.abc import Mapping

from relay.aws.timeouts import ATTEMPTS, LONGEST_CALL_SECONDS
from relay.config.environment import INVOCATION_SECONDS, ForwardSettings
from relay.domain.kinds import Surface
from relay.errors import ConfigurationError
from tests.support.every import every
from tests.support.template import (
    BEHIND_HTTP,
    CONSUMERS,
    FORWARDERS,
    FUNCTIONS,
    PARAMETERS,
    SETTINGS,
    SOURCES,
    TEMPLATE,
    Json,
    conditions,
    environment,
    event_source,
    of_type,
    properties,
    under,
    variables,
)

PAUSE_SECONDS = 1
"""boto3's longest pause before the second attempt."""


def test_template_has_no_function_that_these_tests_do_not_know() -> None:
    assert of_type("AWS::Serverless::Function").keys() == set(FUNCTIONS)


@every("function", FUNCTIONS)
def test_function_runs_python_3_13_on_arm64(translated: Json, function: str) -> None:
    found = translated["Resources"][function]["Properties"]

    assert (found["Runtime"], found["Architectures"]) == ("python3.13", ["arm64"])


def test_silent_name_server_is_given_up_within_the_time_of_a_call_to_aws() -> None:
    """resolv.conf(5): `attempts` tries of `timeout` seconds, for each attempt of boto3's."""
    options = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["RES_OPTIONS"]
    found = dict(option.split(":") for option in options.split())
    a_name = int(found["timeout"]) * int(found["attempts"])

    assert ATTEMPTS * a_name + PAUSE_SECONDS <= LONGEST_CALL_SECONDS


@every("function, queue", list(zip(CONSUMERS, SOURCES, strict=True)))
def test_consumer_takes_from_its_own_queue(function: str, queue: str) -> None:
    assert event_source(function)["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}


@every("function", CONSUMERS)
def test_consumer_answers_with_the_failures_of_single_messages(function: str) -> None:
    assert event_source(function)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@every("function", CONSUMERS)
def test_consumer_has_a_bound_on_invocations_at_once(function: str) -> None:
    bound = PARAMETERS[event_source(function)["ScalingConfig"]["MaximumConcurrency"]["Ref"]]

    assert (bound["MinValue"], bound["MaxValue"]) == (2, 1000)  # what Lambda takes


@every("function", CONSUMERS)
def test_consumer_reserves_nothing_or_all_that_its_queue_may_start(function: str) -> None:
    """With less, pollers are throttled, and good messages end in the dead-letter queue."""
    reserved = properties(function)["ReservedConcurrentExecutions"]
    most = event_source(function)["ScalingConfig"]["MaximumConcurrency"]

    assert under(reserved, conditions()) is None
    assert under(reserved, conditions(QueuesReservedConcurrency="maximum")) == most


@every("function", BEHIND_HTTP)
def test_function_behind_http_has_a_bound_only_if_one_is_given(function: str) -> None:
    """Lambda refuses to reserve anything in an account with a concurrency of 100 or less."""
    reserved = properties(function)["ReservedConcurrentExecutions"]

    assert under(reserved, conditions()) is None
    assert under(reserved, conditions(ApiReservedConcurrency="50")) == {
        "Ref": "ApiReservedConcurrency"
    }


@every("function", CONSUMERS)
def test_consumer_may_send_to_the_queue_that_invokes_it(function: str) -> None:
    """Or Lambda ends an event's waiting after about 16 rounds."""
    assert properties(function)["RecursiveLoop"] == "Allow"


@every("function", BEHIND_HTTP)
def test_function_behind_http_stays_guarded_against_loops(function: str) -> None:
    assert "RecursiveLoop" not in properties(function)


@every("function", BEHIND_HTTP)
def test_function_behind_http_ends_before_the_gateway_stops_waiting(function: str) -> None:
    """An HTTP API waits for 30 seconds, and then answers 503 in its own words."""
    assert properties(function)["Timeout"] < 30


@every("function", BEHIND_HTTP)
def test_function_behind_http_may_start_from_a_snapshot(function: str) -> None:
    assert properties(function)["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}


@every("function", BEHIND_HTTP)
def test_routes_call_the_newest_version_of_their_function(
    translated: Json, routes: Mapping[tuple[str, str], Json], function: str
) -> None:
    alias = translated["Resources"][f"{function}Aliaslive"]["Properties"]
    integrations = [json.dumps(one["x-amazon-apigateway-integration"]) for one in routes.values()]

    assert alias["FunctionName"] == {"Ref": function}
    assert any(f"${{{function}Aliaslive}}" in integration for integration in integrations)
    assert not any(f"${{{function}.Arn}}" in integration for integration in integrations)


@every("function", FORWARDERS)
def test_forwarder_runs_for_as_long_as_its_settings_reckon_with(function: str) -> None:
    """They refuse a pace at which no invocation would get a turn in time."""
    assert properties(function)["Timeout"] == INVOCATION_SECONDS


@every("function, surface", zip(FORWARDERS, Surface, strict=True))
@every("bound", ["MinValue", "MaxValue"])
def test_forwarder_can_send_with_any_one_parameter_at_its_bound(
    function: str, surface: Surface, bound: str
) -> None:
    """What several of them forbid together, the settings refuse."""
    default, bounds = environment(function, "Default"), environment(function, bound)
    refused = set()

    for variable in default:
        settings = ForwardSettings.from_env(default | {variable: bounds[variable]})
        try:
            settings.check_pace(surface)
        except ConfigurationError:
            refused.add(variable)

    assert refused == set()


@every("limit", ["HoldLimitSeconds", "IdentityLimitSeconds"])
def test_held_event_is_given_up_before_its_queue_would_drop_it(limit: str) -> None:
    retention = min(properties(queue)["MessageRetentionPeriod"] for queue in SOURCES)

    assert PARAMETERS[limit]["MaxValue"] < retention


@every("function", FUNCTIONS)
def test_function_is_told_exactly_what_its_settings_read(function: str) -> None:
    settings = SETTINGS[function]
    told = {name for name in variables(function) if name.startswith("RELAY_")}
    looking_up = {"RELAY_IDENTITIES_TABLE", "RELAY_IDENTITY_LIMIT_SECONDS"}
    has_no_use_for = looking_up if function == "ForwardWebFunction" else set()

    read = {settings.variable(field) for field in settings.model_fields}
    assert told == read - has_no_use_for


@every("which", ["Default", "MinValue", "MaxValue"])
@every("function", FUNCTIONS)
def test_settings_take_whatever_the_parameters_let_through(function: str, which: str) -> None:
    SETTINGS[function].from_env(environment(function, which))


@every("function", FORWARDERS)
@every("choice", PARAMETERS["Deduplicate"]["AllowedValues"])
def test_settings_take_each_choice_of_what_is_remembered(function: str, choice: str) -> None:
    given = environment(function, "Default") | {"RELAY_DEDUPLICATE": choice}

    assert SETTINGS[function].from_env(given).deduplicate == choice


@every("choice", PARAMETERS["UncertainMoney"]["AllowedValues"])
def test_settings_take_each_choice_for_uncertain_money(choice: str) -> None:
    given = environment("ForwardMobileFunction", "Default") | {"RELAY_UNCERTAIN_MONEY": choice}

    assert ForwardSettings.from_env(given).uncertain_money == choice


@every("function", FUNCTIONS)
def test_function_names_itself_in_logs_and_metrics(function: str) -> None:
    folder = properties(function)["CodeUri"].removeprefix("functions/")

    assert variables(function)["POWERTOOLS_SERVICE_NAME"] == folder
