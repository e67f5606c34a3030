"""What a forwarder logs and counts of a batch."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.appsflyer.answers import DELIVERED
from relay.aws.sqs import Message
from relay.consumer.consumer import Batch
from relay.consumer.settler import Destination, Settlement
from relay.domain.kinds import App, Surface
from relay.domain.outcomes import (
    CREDENTIALS_REASON,
    NOT_BEFORE,
    AppsFlyerResponse,
    Outcome,
    Verdict,
)
from relay.forward.event_job import EventJob
from relay.forward.reporting import count_uncertain, report_batch
from relay.messages.reader import parse_envelope
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    SENT_AT,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
)
from tests.support.every import every

Lines = Callable[[], list[Json]]
Counted = Callable[[], dict[str, float]]

UNCERTAIN = Verdict(
    Outcome.DEFERRED, "E16", "status_500", uncertain=True, response=AppsFlyerResponse(500, "", None)
)
BAD_REQUEST = Verdict(Outcome.REFUSED, "E11", "bad_request")
CREDENTIALS = Verdict(Outcome.HELD, "E13", CREDENTIALS_REASON)


def waiting(verdict: Verdict) -> Settlement:
    """It waits for ten seconds."""
    message, moment = Message("{}", "group", 10), NOW + timedelta(seconds=10)
    return Settlement(
        verdict.outcome, verdict.reason, verdict, Destination.WAITING, message, moment
    )


def dead(verdict: Verdict) -> Settlement:
    message = Message("{}", "group")
    return Settlement(verdict.outcome, verdict.reason, verdict, Destination.DEAD_LETTERS, message)


DONE = Settlement(DELIVERED.outcome, DELIVERED.reason, DELIVERED)
DEFERRED, REFUSED = waiting(UNCERTAIN), dead(BAD_REQUEST)


def job(envelope: Json | None = None, now: datetime = NOW, **changes: Any) -> EventJob:
    """A job whose event has been checked."""
    found = EventJob(
        "m-1", SENT_AT, parse_envelope(json.dumps(envelope or make_envelope(**changes)))
    )
    found.app = App(found.envelope.app_id)
    found.prepared = found.checked(found.app, now)
    return found


def report(
    *settlements: Settlement,
    jobs: list[EventJob] | None = None,
    handed_back: int = 0,
    now: datetime = NOW,
) -> None:
    given = jobs or [job() for _ in settlements]
    batch = Batch(
        {f"m-{index}": one for index, one in enumerate(given)},
        {f"m-{index}": settlement for index, settlement in enumerate(settlements)},
        {f"back-{n}" for n in range(handed_back)},
    )
    report_batch(Surface.MOBILE, batch, now)


# Counters


def test_report_counts_each_outcome(counted: Counted) -> None:
    report(DONE, DONE, DEFERRED, REFUSED)

    sums = counted()
    assert (sums["Delivered"], sums["Deferred"], sums["Refused"]) == (2, 1, 1)


def test_report_counts_uncertain_ones_when_they_are_sent_and_not_with_their_batch(
    counted: Counted,
) -> None:
    count_uncertain(job())
    count_uncertain(job())
    report(DEFERRED, DEFERRED, REFUSED)

    assert counted()["Uncertain"] == 2


def test_report_counts_dead_letters(counted: Counted) -> None:
    report(DEFERRED, REFUSED, DONE)

    assert counted()["DeadLettered"] == 1


def test_report_counts_planned_waits_apart_from_other_holds(counted: Counted) -> None:
    report(waiting(CREDENTIALS), waiting(Verdict(Outcome.HELD, "", NOT_BEFORE)))

    sums = counted()
    assert (sums["Held"], sums["HeldEarly"]) == (2, 1)


def test_report_counts_what_was_handed_back(counted: Counted) -> None:
    report(DONE, handed_back=3)

    assert counted()["HandedBack"] == 3


def test_report_leaves_out_what_did_not_happen(counted: Counted) -> None:
    report(DONE)

    assert counted() == {"Delivered": 1}


def test_report_of_nothing_writes_no_metrics(said: Callable[[], str]) -> None:
    report()

    assert "_aws" not in said()


def blobs(said: str) -> list[Json]:
    return [json.loads(line) for line in said.splitlines() if '"_aws"' in line]


def test_report_counts_in_all_and_by_class_of_app(said: Callable[[], str]) -> None:
    """Each set of dimensions is a metric that is paid for: these two, and no ids."""
    web = job(make_web_envelope())

    report(DONE, DONE, DONE, jobs=[job(), web, job()])

    found = {blob["app_class"]: blob for blob in blobs(said())}
    assert {name: blob["Delivered"] for name, blob in found.items()} == {"ios": [2], "web": [1]}
    [metrics] = found["ios"]["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["service"], ["service", "app_class"]]
    assert metrics["Namespace"] == "AppsFlyerRelay"


@every(
    "app_id, app_class",
    [("id123456789", "ios"), ("com.example.shop", "android"), ("9nblggh4nns1", "windows")],
)
def test_class_of_a_mobile_app_is_that_of_its_id(app_id: str, app_class: str) -> None:
    """E9."""
    assert job(app_id=app_id).app_class == app_class


def test_report_tells_how_many_tries_a_delivery_took(said: Callable[[], str]) -> None:
    jobs = [job(attempts=attempts) for attempts in (0, 2, 1, 5)]
    duplicate = DONE._replace(outcome=Outcome.DUPLICATE)

    report(DONE, DONE, DONE, duplicate, jobs=jobs)

    [blob] = blobs(said())
    assert blob["TriesUntilDelivered"] == [3, 2]
    assert blob["DeliveredAfterRetry"] == [2]


def test_report_counts_refused_credentials(counted: Counted) -> None:
    report(waiting(CREDENTIALS), DONE, DEFERRED)

    assert counted()["CredentialsRefused"] == 1


# What comes too late, and what nearly


def on_sunday(now: str, **envelope: Any) -> EventJob:
    """An event of Sunday evening: AppsFlyer keeps its time until Monday 02:00 UTC (T2)."""
    event = make_event(eventTime="2026-03-01 21:00:00.000")
    return job(now=datetime.fromisoformat(now), event=event, **envelope)


@pytest.mark.parametrize(
    ("arrival", "late"), [("2026-03-02T01:59:59+00:00", 0), ("2026-03-02T02:00:00+00:00", 1)]
)
def test_report_delivered_is_late_when_its_time_was_not_kept(
    arrival: str, late: int, counted: Counted
) -> None:
    report(DONE, DEFERRED, jobs=[on_sunday(arrival), on_sunday(arrival)])

    assert counted().get("Late", 0) == late


@pytest.mark.parametrize(
    ("now", "seconds", "near"),
    [
        ("2026-03-02T00:59:49+00:00", 10, 0),  # the next look is an hour before
        ("2026-03-02T00:59:51+00:00", 10, 1),
        ("2026-03-02T00:44:00+00:00", 1000, 1),
        ("2026-03-02T01:59:59+00:00", 10, 1),
        ("2026-03-02T02:00:00+00:00", 10, 0),  # missed already
    ],
)
def test_report_deferred_is_near_its_deadline_in_the_last_hour(
    now: str, seconds: int, near: int, counted: Counted
) -> None:
    moment = datetime.fromisoformat(now)
    deferred = DEFERRED._replace(next_look=moment + timedelta(seconds=seconds))

    report(deferred, jobs=[on_sunday(now)], now=moment)

    assert counted().get("NearDeadline", 0) == near


def test_report_dead_letter_is_near_no_deadline(counted: Counted) -> None:
    now = "2026-03-02T01:30:00+00:00"

    report(REFUSED, jobs=[on_sunday(now)], now=datetime.fromisoformat(now))

    assert "NearDeadline" not in counted()


# Log lines


def test_report_of_successes_logs_one_line(lines: Lines) -> None:
    report(DONE, DONE, DONE)

    [line] = lines()
    assert line["message"] == "batch"
    assert line["surface"] == "mobile"
    assert line["Delivered"] == 3


def test_report_logs_a_line_for_each_failure(lines: Lines) -> None:
    report(DONE, DEFERRED, REFUSED)

    failures = [line for line in lines() if line["message"] == "event not delivered"]
    assert [(line["message_id"], line["outcome"]) for line in failures] == [
        ("m-1", "deferred"),
        ("m-2", "refused"),
    ]


def test_report_failure_names_its_event_by_a_digest_of_its_id(lines: Lines) -> None:
    """sha256sum of `order-1042`, its first 16 digits: the id itself may be anything."""
    report(DEFERRED, jobs=[job(event_id="order-1042")])

    line = lines()[0]
    assert line["event_key"] == "bff83cdfb94d8087"
    assert "order-1042" not in json.dumps(line)


def test_report_failure_tells_rule_status_certainty_and_wait(lines: Lines) -> None:
    report(DEFERRED)

    line = lines()[0]
    assert line["app_id"] == MOBILE_APP
    assert line["reason"] == "status_500"
    assert line["rule"] == "E16"
    assert line["status"] == 500
    assert line["uncertain"] is True
    assert line["delay_seconds"] == 10


def test_report_failure_tells_no_wait_of_what_does_not_wait(lines: Lines) -> None:
    """A dead letter is a message too."""
    report(REFUSED)

    assert lines()[0].get("delay_seconds") is None


def test_report_failure_names_the_app_only_where_it_is_set_up(said: Callable[[], str]) -> None:
    """What else a sender puts there may be anything."""
    stranger = job(make_web_envelope(app_id="jane.roe@example.com"))
    stranger.app = None

    report(REFUSED, REFUSED, jobs=[stranger, job(make_web_envelope())])

    assert "jane.roe" not in said()
    assert WEB_APP in said()


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
def test_report_failure_has_the_level_of_its_outcome(
    outcome: Outcome, level: str, lines: Lines
) -> None:
    report(dead(Verdict(outcome, "", "a reason")))

    assert lines()[0]["level"] == level


def test_report_duplicate_is_routine(lines: Lines) -> None:
    report(DONE._replace(outcome=Outcome.DUPLICATE))

    assert [line["message"] for line in lines()] == ["batch"]
