import json
from collections.abc import Callable

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from relay import telemetry
from relay.appsflyer.answers import DELIVERED
from relay.consumer import reporting
from relay.consumer.settler import Settlement
from relay.domain.kinds import Surface
from relay.domain.outcomes import Outcome, Ruling
from relay.errors import ConfigurationError
from relay.messages.backoff import Delay
from tests.builders import Json
from tests.fakes import aws_error

Lines = Callable[[], list[Json]]
Counted = Callable[[], dict[str, float]]

DONE = Settlement(DELIVERED.outcome, DELIVERED.reason)
UNCERTAIN = Ruling(Outcome.DEFERRED, "E16", "status_500", uncertain=True)
DEFERRED = Settlement(Outcome.DEFERRED, "status_500", "{}", Delay(10, None), UNCERTAIN, 500)
REFUSED_RULING = Ruling(Outcome.REFUSED, "E11", "bad_request")
REFUSED = Settlement(Outcome.REFUSED, "bad_request", "{}", None, REFUSED_RULING, 400)


def report(*settlements: Settlement, handed_back: int = 0) -> None:
    by_id = {f"m-{index}": settlement for index, settlement in enumerate(settlements)}
    reporting.report_batch(Surface.MOBILE, by_id, failed={f"back-{n}" for n in range(handed_back)})


def test_report_batch_counts_each_outcome(counted: Counted) -> None:
    report(DONE, DONE, DEFERRED, REFUSED)

    sums = counted()
    assert (sums["Delivered"], sums["Deferred"], sums["Refused"]) == (2, 1, 1)


def test_report_batch_counts_uncertain_ones_apart(counted: Counted) -> None:
    report(DEFERRED, DEFERRED, REFUSED)

    assert counted()["Uncertain"] == 2


def test_report_batch_counts_dead_letters(counted: Counted) -> None:
    report(DEFERRED, REFUSED, DONE)

    assert counted()["DeadLettered"] == 1


def test_report_batch_counts_what_was_handed_back(counted: Counted) -> None:
    report(DONE, handed_back=3)

    assert counted()["HandedBack"] == 3


def test_report_batch_leaves_out_what_did_not_happen(counted: Counted) -> None:
    report(DONE)

    assert counted() == {"Delivered": 1}


def test_report_batch_of_nothing_writes_no_metrics(said: Callable[[], str]) -> None:
    report()

    assert "_aws" not in said()


def blobs(said: str) -> list[Json]:
    return [json.loads(line) for line in said.splitlines() if '"_aws"' in line]


def test_report_batch_counts_in_all_and_by_class_of_app(said: Callable[[], str]) -> None:
    """Each set of dimensions is a metric that is paid for: these two, and no ids."""
    ios, web = DONE._replace(app_class="ios"), DONE._replace(app_class="web")

    report(ios, web, ios)

    found = {blob["app_class"]: blob for blob in blobs(said())}
    assert {name: blob["Delivered"] for name, blob in found.items()} == {"ios": [2], "web": [1]}
    [metrics] = found["ios"]["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["service"], ["service", "app_class"]]
    assert metrics["Namespace"] == "AppsFlyerRelay"


def test_count_without_more_has_no_dimension_but_the_service(said: Callable[[], str]) -> None:
    telemetry.count({"Unexpected": 1})

    [blob] = blobs(said())
    assert blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_report_batch_tells_how_many_tries_a_delivery_took(said: Callable[[], str]) -> None:
    report(DONE._replace(tries=1), DONE._replace(tries=3), DONE._replace(tries=2))

    [blob] = blobs(said())
    assert blob["TriesUntilDelivered"] == [3, 2]
    assert blob["DeliveredAfterRetry"] == [2]


@pytest.mark.parametrize(
    ("settlement", "counter"),
    [
        (DONE._replace(is_late=True), "Late"),
        (DEFERRED._replace(is_near_deadline=True), "NearDeadline"),
        (Settlement(Outcome.HELD, "credentials", "{}", Delay(10, None)), "CredentialsRefused"),
    ],
)
def test_report_batch_counts_what_alarms_look_at(
    counted: Counted, settlement: Settlement, counter: str
) -> None:
    report(settlement, DONE, DEFERRED)

    assert counted()[counter] == 1


def test_report_batch_of_successes_logs_one_line(lines: Lines) -> None:
    report(DONE, DONE, DONE)

    [line] = lines()
    assert line["message"] == "batch"
    assert line["surface"] == "mobile"
    assert line["Delivered"] == 3


def test_report_batch_logs_a_line_for_each_failure(lines: Lines) -> None:
    report(DONE, DEFERRED, REFUSED)

    failures = [line for line in lines() if line["message"] == "event not delivered"]
    assert [(line["message_id"], line["outcome"]) for line in failures] == [
        ("m-1", "deferred"),
        ("m-2", "refused"),
    ]


def test_report_batch_failure_tells_rule_status_certainty_and_wait(lines: Lines) -> None:
    report(DEFERRED._replace(app_id="id123456789"))

    line = lines()[0]
    assert line["app_id"] == "id123456789"
    assert line["reason"] == "status_500"
    assert line["rule"] == "E16"
    assert line["status"] == 500
    assert line["uncertain"] is True
    assert line["delay_seconds"] == 10


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.REFUSED, "ERROR"),
        (Outcome.BLOCKED, "ERROR"),
        (Outcome.REJECTED, "WARNING"),
        (Outcome.DEFERRED, "WARNING"),
        (Outcome.HELD, "WARNING"),
    ],
)
def test_report_batch_failure_has_the_level_of_its_outcome(
    outcome: Outcome, level: str, lines: Lines
) -> None:
    report(Settlement(outcome, "a reason", "{}"))

    assert lines()[0]["level"] == level


def test_report_batch_duplicate_is_routine(lines: Lines) -> None:
    report(Settlement(Outcome.DUPLICATE, "duplicate"))

    assert [line["message"] for line in lines()] == ["batch"]


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - to have it with its traceback
        return caught


def test_unexpected_tells_type_and_place_and_never_the_text(
    lines: Lines, said: Callable[[], str]
) -> None:
    telemetry.unexpected(raised(ValueError("jane@example.com")), message_id="m-1")

    line = lines()[0]
    assert line["error"] == "ValueError"
    assert line["place"].startswith("raised:")
    assert line["message_id"] == "m-1"
    assert "jane" not in said()


def test_unexpected_without_a_traceback_is_logged_all_the_same(lines: Lines) -> None:
    telemetry.unexpected(ValueError("never raised"))

    assert lines()[0]["place"] == ""


def test_unexpected_is_counted(counted: Counted) -> None:
    telemetry.unexpected(ValueError())

    assert counted() == {"Unexpected": 1}


def test_wrong_setting_names_its_key(lines: Lines) -> None:
    telemetry.wrong_setting(ConfigurationError("/relay/producers", "not JSON"))

    line = lines()[0]
    assert line["level"] == "ERROR"
    assert line["key"] == "/relay/producers"
    assert line["problem"] == "/relay/producers: not JSON"


def test_aws_failed_tells_each_code_once(lines: Lines) -> None:
    telemetry.aws_failed("SendMessageBatch", ["Throttled", "AccessDenied", "Throttled"])

    line = lines()[0]
    assert line["level"] == "ERROR"
    assert line["operation"] == "SendMessageBatch"
    assert line["codes"] == ["AccessDenied", "Throttled"]


def test_aws_code_of_a_refusal_is_awss_own() -> None:
    assert telemetry.aws_code(aws_error("AccessDenied", "jane@example.com")) == "AccessDenied"


def test_aws_code_of_what_never_got_there_is_the_errors_type() -> None:
    error = EndpointConnectionError(endpoint_url="https://sqs.example.com")

    assert telemetry.aws_code(error) == "EndpointConnectionError"


def test_aws_code_of_a_call_that_timed_out_is_its_kind() -> None:
    """Botocore gives that error a `response` which is None."""
    error = ReadTimeoutError(endpoint_url="https://sqs.example.com", error=None)

    assert telemetry.aws_code(error) == "ReadTimeoutError"
