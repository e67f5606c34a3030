"""The alarms: at what each rings, neither too late nor at every trifle."""

from itertools import accumulate

from tests.support.alarms import DAY, on, on_queue, period, result
from tests.support.every import every
from tests.support.template import (
    CONSUMERS,
    DEAD_LETTERS,
    FORWARDERS,
    FUNCTIONS,
    SOURCES,
    TEMPLATE,
    properties,
    variables,
)

LONGEST_DELAY = 900
"""Seconds that SQS keeps a message back, at most; a longer wait is several of these."""


# --- queues


@every("queue", SOURCES)
def test_queue_is_behind_only_after_longer_than_waiting_and_one_crash_take(queue: str) -> None:
    alarm = on_queue("ApproximateAgeOfOldestMessage", queue, "Maximum")

    assert alarm["Threshold"] > LONGEST_DELAY + properties(queue)["VisibilityTimeout"]
    assert alarm["EvaluationPeriods"] * alarm["Period"] == 900


@every("queue", DEAD_LETTERS)
def test_first_dead_letter_rings(queue: str) -> None:
    alarm = on_queue("ApproximateNumberOfMessagesVisible", queue, "Maximum")

    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    assert alarm["EvaluationPeriods"] == 1


@every("queue", DEAD_LETTERS)
def test_dead_letter_goes_on_ringing_while_cloudwatch_hears_nothing_of_its_queue(
    queue: str,
) -> None:
    """It may stop six hours after the last call, with the letters still there."""
    alarm = on_queue("ApproximateNumberOfMessagesVisible", queue, "Maximum")

    assert alarm["TreatMissingData"] == "ignore"


@every("queue", DEAD_LETTERS)
def test_dead_letter_of_ten_days_rings(queue: str) -> None:
    alarm = on_queue("ApproximateAgeOfOldestMessage", queue, "Maximum")

    assert alarm["Threshold"] == 10 * DAY
    assert alarm["Threshold"] < properties(queue)["MessageRetentionPeriod"]


@every("queue, source", list(zip(DEAD_LETTERS, SOURCES, strict=True)))
def test_dead_letter_that_nobody_does_anything_about_rings_before_it_is_lost(
    queue: str, source: str
) -> None:
    """SQS does not count the age of what was received three times, as when it was looked at.

    What SQS moved itself keeps its age, and that may be all of the source queue's retention.
    """
    alarm = on_queue("ApproximateNumberOfMessagesVisible", queue, "Minimum")
    retention = properties(queue)["MessageRetentionPeriod"]
    forgotten = alarm["EvaluationPeriods"] * alarm["Period"]

    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    assert 10 * DAY + forgotten <= retention
    assert forgotten < retention - properties(source)["MessageRetentionPeriod"]


# --- what becomes of events


@every("metric", ["CredentialsRefused", "NearDeadline", "Blocked", "Late"])
@every("function", FORWARDERS)
def test_forwarder_rings_at_the_first(function: str, metric: str) -> None:
    alarm = on(metric, "service", variables(function)["POWERTOOLS_SERVICE_NAME"])

    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["EvaluationPeriods"] == 1


@every("metric", ["CredentialsRefused", "NearDeadline", "Blocked", "Late"])
@every("function", FORWARDERS)
def test_alarm_stands_while_its_event_waits_for_its_next_try(function: str, metric: str) -> None:
    """Or one event that waits would ring again and again."""
    alarm = on(metric, "service", variables(function)["POWERTOOLS_SERVICE_NAME"])
    default = TEMPLATE["Parameters"]["HoldSeconds"]["Default"]

    assert alarm["Period"] >= max(LONGEST_DELAY, default)


def test_webhooks_that_are_refused_ring_before_revenuecat_gives_up() -> None:
    """It tries after 5, 10, 20, 40 and 80 minutes; each comes that much after the one before."""
    alarm = on("WebhookRefused", "service", "receive_payment")
    tries = [0, 5, 15, 35, 75, 155]
    within = [t for t in tries if t * 60 < alarm["Period"]]

    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert 1 < alarm["Threshold"] < len(within)


@every("function", FORWARDERS)
@every(
    "uncertain, delivered, rings",
    [(9, 0, False), (10, 0, True), (10, 100_000, False), (101, 99_899, True), (100, 99_900, False)],
)
def test_doubtful_money_rings_when_it_is_more_than_the_network_explains(
    function: str, uncertain: int, delivered: int, *, rings: bool
) -> None:
    alarm = on("Uncertain", "service", variables(function)["POWERTOOLS_SERVICE_NAME"])

    assert rings == (result(alarm, uncertain=uncertain, delivered=delivered) > alarm["Threshold"])


@every("function", FORWARDERS)
@every(
    "deferred, delivered, rings",
    [(9, 0, False), (10, 0, True), (10, 10, False), (11, 10, True), (900, 1000, False)],
)
def test_failing_sends_ring_when_they_are_most(
    function: str, deferred: int, delivered: int, *, rings: bool
) -> None:
    alarm = on("Deferred", "service", variables(function)["POWERTOOLS_SERVICE_NAME"])

    assert rings == (result(alarm, deferred=deferred, delivered=delivered) > alarm["Threshold"])


@every("function", FORWARDERS)
def test_failing_sends_of_one_event_alone_do_not_ring(function: str) -> None:
    """Its waits are a matter of chance; half of the longest, on average."""
    alarm = on("Deferred", "service", variables(function)["POWERTOOLS_SERVICE_NAME"])
    waits = TEMPLATE["Parameters"]["RetryScheduleSeconds"]["Default"].split(",")
    begun = list(accumulate((float(wait) / 2 for wait in waits), initial=0.0))
    tries = sum(moment <= period(alarm) for moment in begun)

    assert result(alarm, deferred=tries, delivered=0) <= alarm["Threshold"]


@every(
    "held, early, done, rings",
    [
        (9, None, None, False),
        (10, None, None, True),
        (10, None, 10, False),
        (11, None, 10, True),
        (1000, 991, None, False),
        (1000, 990, 9, True),
    ],
)
def test_held_events_ring_whatever_the_reason_unless_the_wait_was_planned(
    held: int, early: int | None, done: int | None, *, rings: bool
) -> None:
    figures: dict[str, float | None] = {"held": held, "early": early, "done": done}
    for function in CONSUMERS:
        alarm = on("Held", "service", variables(function)["POWERTOOLS_SERVICE_NAME"])

        assert rings == (result(alarm, **figures) > alarm["Threshold"])
        assert period(alarm) >= LONGEST_DELAY


@every("function", FUNCTIONS)
def test_wrong_setting_rings_at_the_first(function: str) -> None:
    alarm = on("SettingsWrong", "service", variables(function)["POWERTOOLS_SERVICE_NAME"])

    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Sum", 0, 1)


@every(
    "errors, requests, rings",
    [(2, 2, False), (3, 3, True), (3, 60, False), (4, 60, True), (3000, 60_000, False)],
)
def test_failing_api_rings_when_more_than_one_request_in_twenty_fails(
    errors: int, requests: int, *, rings: bool
) -> None:
    alarm = on("5xx", "ApiId", {"Ref": "Api"})

    assert rings == (result(alarm, errors=errors, requests=requests) > alarm["Threshold"])


# --- functions


@every("function", FUNCTIONS)
def test_bug_of_ours_rings_at_the_first(function: str) -> None:
    alarm = on("Unexpected", "service", variables(function)["POWERTOOLS_SERVICE_NAME"])

    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Sum", 0, 1)


@every("function", FUNCTIONS)
def test_lone_crash_does_not_ring(function: str) -> None:
    alarm = on("Errors", "FunctionName", {"Ref": function})

    assert (alarm["Namespace"], alarm["Threshold"]) == ("AWS/Lambda", 0)
    assert alarm["DatapointsToAlarm"] == 2


@every("queue, function", list(zip(SOURCES, CONSUMERS, strict=True)))
def test_message_that_crashes_its_function_rings_when_it_does_so_again(
    queue: str, function: str
) -> None:
    """It comes back after the visibility time-out, wherever in a period the first crash was."""
    alarm = on("Errors", "FunctionName", {"Ref": function})
    again = properties(queue)["VisibilityTimeout"]
    apart = {(start + again) // alarm["Period"] for start in range(alarm["Period"])}

    assert {1, 2} >= apart
    assert max(apart) < alarm["EvaluationPeriods"]


@every("function", FUNCTIONS)
def test_throttled_function_rings_long_before_its_messages_are_given_up(function: str) -> None:
    alarm = on("Throttles", "FunctionName", {"Ref": function})
    chances = min(properties(queue)["RedrivePolicy"]["maxReceiveCount"] for queue in SOURCES)
    hidden = min(properties(queue)["VisibilityTimeout"] for queue in SOURCES)

    assert alarm["Namespace"] == "AWS/Lambda"
    assert 2 * alarm["EvaluationPeriods"] * alarm["Period"] < chances * hidden
