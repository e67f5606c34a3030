import json
from datetime import datetime, timedelta
from typing import Any

from relay.appsflyer.answers import DELIVERED
from relay.aws.sqs import MAX_MESSAGE_BYTES
from relay.consumer.settler import Destination, Settlement, Settler
from relay.domain.kinds import App
from relay.domain.outcomes import (
    CREDENTIALS_REASON,
    IDENTITY_UNKNOWN,
    IN_PROGRESS,
    AppsFlyerResponse,
    Outcome,
    Verdict,
)
from relay.forward.event_job import EventJob
from relay.messages.reader import parse_envelope
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    SENT_AT,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_settings,
    make_web_envelope,
)
from tests.support.every import every
from tests.support.fakes import longest

DEFERRED = Verdict(Outcome.DEFERRED, "E16", "status_503")
UNCERTAIN = Verdict(Outcome.DEFERRED, "E16", "read_timed_out", uncertain=True)
HELD = Verdict(Outcome.HELD, "E13", CREDENTIALS_REASON)
REFUSED = Verdict(Outcome.REFUSED, "E11", "bad_request")
REJECTED = Verdict(Outcome.REJECTED, "", "rejected")


def make_settler(jitter: Any = longest, now: datetime = NOW, **settings: Any) -> Settler:
    short_hold_reasons = {IDENTITY_UNKNOWN, IN_PROGRESS}
    return Settler(make_settings(**settings), lambda: now, jitter, short_hold_reasons)


def make_job(app: App | None = None, **envelope: Any) -> EventJob:
    """A job whose event has been checked, as it is when AppsFlyer has answered."""
    job = make_unchecked_job(**envelope)
    job.app = app or App(job.envelope.app_id)
    job.prepared = job.checked(job.app, NOW)
    return job


def make_unchecked_job(**envelope: Any) -> EventJob:
    return EventJob("m-1", SENT_AT, parse_envelope(json.dumps(make_envelope(**envelope))))


def shortest(lowest: float, _highest: float) -> float:
    return lowest


def text_of(settlement: Settlement) -> str:
    """The message that keeps it."""
    assert settlement.message is not None
    return settlement.message.body


def body_of(settlement: Settlement) -> Json:
    content: Json = json.loads(text_of(settlement))
    return content


def delay_of(settlement: Settlement) -> int:
    """Seconds that it waits in its own queue."""
    assert settlement.destination is Destination.WAITING
    assert settlement.message is not None
    return settlement.message.delay_seconds


def is_dead_letter(settlement: Settlement) -> bool:
    return settlement.destination is Destination.DEAD_LETTERS


def answered(verdict: Verdict, status: int, text: str, retry_after: float | None) -> Verdict:
    """The verdict on a response of AppsFlyer's."""
    return verdict._replace(response=AppsFlyerResponse(status, text, retry_after))


# Delivered


@every("outcome", [Outcome.DELIVERED, Outcome.DUPLICATE])
def test_settle_what_is_done_keeps_nothing(outcome: Outcome) -> None:
    settlement = make_settler().settle(make_job(), DELIVERED._replace(outcome=outcome))

    assert settlement.outcome is outcome
    assert settlement.message is None


# Deferred: another attempt


def test_settle_deferred_waits_with_one_attempt_more() -> None:
    settlement = make_settler().settle(make_job(attempts=1), DEFERRED)

    assert settlement.outcome is Outcome.DEFERRED
    assert body_of(settlement)["attempts"] == 2


@every("attempts, least, step", [(0, 0, 10), (1, 50, 100), (2, 500, 1000)])
def test_settle_deferred_waits_within_the_step_of_its_attempt(
    attempts: int, least: int, step: int
) -> None:
    bounds: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        bounds.append((low, high))
        return 7.0

    settlement = make_settler(jitter).settle(make_job(attempts=attempts), DEFERRED)

    assert bounds == [(least, step)]
    assert delay_of(settlement) == 7


def test_settle_deferred_stamps_the_senders_event_id() -> None:
    settlement = make_settler().settle(make_job(event_id="order-1"), DEFERRED)

    assert body_of(settlement)["event_id"] == "order-1"


def test_settle_deferred_without_event_id_stamps_the_message_id() -> None:
    settlement = make_settler().settle(make_job(event_id=None), DEFERRED)

    assert body_of(settlement)["event_id"] == "m-1"


def test_settle_deferred_stamps_when_it_first_came_in() -> None:
    settlement = make_settler().settle(make_job(), DEFERRED)

    assert body_of(settlement)["first_seen"] == "2026-03-02T11:59:55.000Z"


def test_settle_deferred_again_keeps_when_it_first_came_in() -> None:
    job = make_job(first_seen="2026-03-01T08:00:00Z", attempts=1)

    assert body_of(make_settler().settle(job, DEFERRED))["first_seen"] == "2026-03-01T08:00:00.000Z"


def test_settle_deferred_forgets_an_earlier_hold() -> None:
    job = make_job(held_since="2026-03-01T08:00:00Z")

    assert "held_since" not in body_of(make_settler().settle(job, DEFERRED))


def test_settle_deferred_forgets_a_moment_that_has_come() -> None:
    job = make_job(not_before="2026-03-01T08:00:00Z")

    assert "not_before" not in body_of(make_settler().settle(job, DEFERRED))


def test_settle_deferred_event_is_kept_in_its_hashed_form() -> None:
    """The digest is that of `printf %s john@example.com | sha256sum`."""
    job = make_job(event=make_event(email=" John@Example.com "))

    event = body_of(make_settler().settle(job, DEFERRED))["event"]

    assert "email" not in event
    assert (
        event["email_hashed"] == "855f96e983f1f8e8be944692b6f719fd54329826cb62e98015efee8e2e071dd4"
    )


def test_settle_deferred_under_a_second_waits_not_at_all() -> None:
    settlement = make_settler(retry_schedule_seconds=(0.9,)).settle(make_job(), DEFERRED)

    assert delay_of(settlement) == 0
    assert "not_before" not in body_of(settlement)


def test_settle_deferred_for_longer_than_sqs_delays_carries_its_moment() -> None:
    settlement = make_settler().settle(make_job(attempts=2), DEFERRED)

    assert delay_of(settlement) == 900
    assert body_of(settlement)["not_before"] == "2026-03-02T12:16:40.000Z"


def test_settle_deferred_with_retry_after_waits_no_less() -> None:
    """E18."""
    settlement = make_settler(shortest).settle(make_job(), answered(DEFERRED, 503, "", 42.0))

    assert delay_of(settlement) == 42


def test_settle_deferred_with_a_long_retry_after_waits_six_hours() -> None:
    settlement = make_settler(shortest).settle(make_job(), answered(DEFERRED, 429, "", 1e9))

    assert body_of(settlement)["not_before"] == "2026-03-02T18:00:00.000Z"


def test_settle_deferred_tells_rule_and_status_for_the_log() -> None:
    settlement = make_settler().settle(make_job(), answered(DEFERRED, 503, "", None))

    assert settlement.verdict == answered(DEFERRED, 503, "", None)


# The last attempt


def test_settle_deferred_for_the_last_time_goes_to_the_dead_letter_queue() -> None:
    settlement = make_settler().settle(make_job(attempts=3), DEFERRED)

    assert is_dead_letter(settlement)
    assert body_of(settlement)["reason"] == "attempts_used_up: status_503"


def test_settle_deferred_for_the_last_time_is_so_whatever_retry_after_says() -> None:
    assert is_dead_letter(
        make_settler().settle(make_job(attempts=3), answered(DEFERRED, 503, "", 60.0))
    )


def test_settle_deferred_for_the_last_time_counts_every_attempt() -> None:
    assert body_of(make_settler().settle(make_job(attempts=3), DEFERRED))["attempts"] == 4


def test_settle_deferred_for_the_last_time_without_settings_counts_that_attempt() -> None:
    settlement = make_settler().settle(make_unchecked_job(attempts=3), DEFERRED)

    assert body_of(settlement)["attempts"] == 4


# Held


def test_settle_held_uses_no_attempt() -> None:
    settlement = make_settler().settle(make_job(attempts=2), HELD)

    assert settlement.outcome is Outcome.HELD
    assert body_of(settlement)["attempts"] == 2


def test_settle_held_waits_up_to_the_hold_time() -> None:
    settlement = make_settler(hold_seconds=120).settle(make_job(), HELD)

    assert delay_of(settlement) == 120


def test_settle_held_stamps_since_when() -> None:
    assert body_of(make_settler().settle(make_job(), HELD))["held_since"] == (
        "2026-03-02T12:00:00.000Z"
    )


def test_settle_held_again_keeps_since_when() -> None:
    job = make_job(held_since="2026-03-02T09:00:00Z")

    assert body_of(make_settler().settle(job, HELD))["held_since"] == "2026-03-02T09:00:00.000Z"


def test_settle_held_for_longer_than_sqs_delays_carries_its_moment() -> None:
    settlement = make_settler(hold_seconds=3600).settle(make_job(), HELD)

    assert delay_of(settlement) == 900
    assert body_of(settlement)["not_before"] == "2026-03-02T13:00:00.000Z"


def test_settle_held_until_the_limit_goes_to_the_dead_letter_queue() -> None:
    job = make_job(held_since="2026-03-02T11:00:00Z")

    settlement = make_settler(hold_limit_seconds=3600).settle(job, HELD)

    assert is_dead_letter(settlement)
    assert body_of(settlement)["reason"] == "hold_limit: credentials"


def test_settle_held_just_below_the_limit_still_waits() -> None:
    job = make_job(held_since="2026-03-02T11:00:00.001Z")

    assert not is_dead_letter(make_settler(hold_limit_seconds=3600).settle(job, HELD))


# Longer than one delay


def test_extend_delay_of_a_far_moment_waits_one_delay_and_keeps_the_moment() -> None:
    settlement = make_settler().extend_delay(make_job(), NOW + timedelta(hours=2))

    assert settlement.outcome is Outcome.HELD
    assert delay_of(settlement) == 900


def test_extend_delay_of_a_near_moment_waits_until_it() -> None:
    settlement = make_settler().extend_delay(make_job(), NOW + timedelta(seconds=61.2))

    assert delay_of(settlement) == 62


def test_extend_delay_changes_nothing_that_is_waited_with() -> None:
    job = make_job(attempts=2, not_before="2026-03-02T14:00:00Z", held_since="2026-03-02T09:00:00Z")

    body = body_of(make_settler().extend_delay(job, NOW + timedelta(hours=2)))

    assert body["attempts"] == 2
    assert body["not_before"] == "2026-03-02T14:00:00.000Z"
    assert body["held_since"] == "2026-03-02T09:00:00.000Z"


@every(
    "given, utc",
    [
        ("2026-03-02T15:00:00+02:00", "2026-03-02T13:00:00.000Z"),
        ("2026-03-02T08:00:00-05:30", "2026-03-02T13:30:00.000Z"),
    ],
)
def test_extend_delay_of_a_moment_with_an_offset_keeps_the_moment(given: str, utc: str) -> None:
    job = make_job(not_before=given)
    assert job.envelope.not_before is not None

    settlement = make_settler().extend_delay(job, job.envelope.not_before)

    assert body_of(settlement)["not_before"] == utc


# Dead letters


def test_settle_refused_tells_reason_status_and_appsflyers_message() -> None:
    settlement = make_settler().settle(make_job(), answered(REFUSED, 400, "Bad request", None))

    assert is_dead_letter(settlement)
    letter = body_of(settlement)
    assert letter["outcome"] == "refused"
    assert letter["reason"] == "bad_request"
    assert letter["status"] == 400
    assert letter["message"] == "Bad request"


def test_settle_refused_takes_email_addresses_out_of_the_message() -> None:
    verdict = answered(REFUSED, 400, "unknown user jane.doe@example.com in request", None)

    letter = body_of(make_settler().settle(make_job(), verdict))

    assert letter["message"] == "unknown user (an e-mail address) in request"


def test_settle_refused_counts_the_attempt() -> None:
    job = make_job(attempts=2)
    job.attempted = True

    assert body_of(make_settler().settle(job, REFUSED))["attempts"] == 3


def test_settle_refused_tells_when_it_came_and_when_it_died() -> None:
    letter = body_of(make_settler().settle(make_job(), REFUSED))

    assert letter["first_seen"] == "2026-03-02T11:59:55.000Z"
    assert letter["dead_since"] == "2026-03-02T12:00:00.000Z"


def test_settle_refused_tells_the_events_deadline() -> None:
    """T2, T11: an event of 11:59 on 2 March counts until before 02:00 UTC of 3 March."""
    letter = body_of(make_settler().settle(make_job(), REFUSED))

    assert letter["deadline"] == "2026-03-03T01:59:59.999Z"


def test_settle_refused_web_event_has_the_deadline_of_its_apps_zone() -> None:
    """T7: 00:30 of 3 March in New York (UTC-5) is 05:30 UTC."""
    job = make_job(App(WEB_APP, "America/New_York"), **make_web_envelope())

    letter = body_of(make_settler().settle(job, REFUSED))

    assert letter["deadline"] == "2026-03-03T05:30:00.000Z"


def test_settle_rejected_tells_every_finding() -> None:
    job = make_job(event=make_event(appsflyer_id="", customer_user_id="", eventCurrency="QQQ"))

    letter = body_of(make_settler().settle(job, REJECTED))

    assert [(found["severity"], found["rule"]) for found in letter["findings"]] == [
        ("reject", "M1"),
        ("reject", "M5"),
    ]


def test_settle_rejected_event_loses_what_could_not_be_hashed() -> None:
    """A national number without a region (H5)."""
    job = make_job(event=make_event(phone="202 555 0123"))

    settlement = make_settler().settle(job, REJECTED)

    assert "555" not in text_of(settlement)


def test_settle_rejected_before_it_was_checked_is_hashed_all_the_same() -> None:
    job = make_unchecked_job(event=make_event(email="jane@example.com"))

    settlement = make_settler().settle(job, REJECTED)

    assert "jane" not in text_of(settlement)
    assert "email_hashed" in body_of(settlement)["event"]


def test_settle_rejected_of_what_has_no_json_form_keeps_the_rest() -> None:
    job = make_job(event={"ua": "\ud800", "eventName": "af_open"})

    letter = body_of(make_settler().settle(job, REJECTED))

    assert letter["event"].keys() == {"ua", "eventName", "eventTime"}


def test_settle_deferred_with_a_left_out_field_of_no_json_form_keeps_the_rest() -> None:
    """M21: `wifi` is left out with a warning, so such an event is sent, and may have to wait."""
    job = make_job(event=make_event(wifi="\ud800"))

    event = body_of(make_settler().settle(job, DEFERRED))["event"]

    assert event.keys() == make_event().keys()


def test_no_envelope_keeps_id_size_and_digest_only() -> None:
    """The digest is that of `printf %s 'my secret' | sha256sum`."""
    settlement = make_settler().no_envelope("my secret", "m-9", "not JSON")

    assert settlement.outcome is Outcome.REJECTED
    assert is_dead_letter(settlement)
    assert body_of(settlement) == {
        "reason": "not_an_envelope",
        "outcome": "rejected",
        "message": "not JSON",
        "message_id": "m-9",
        "bytes": 9,
        "sha256": "b9d1d013f600ec1bf16bae6a3634cad15dcc490c9f2835764201a41a1d70de44",
        "dead_since": "2026-03-02T12:00:00.000Z",
    }


# S6: money without an event id


def s6_of(settlement: Settlement) -> list[Json]:
    return [found for found in body_of(settlement).get("findings", []) if found["rule"] == "S6"]


def test_settle_money_without_event_id_is_warned_about() -> None:
    assert len(s6_of(make_settler().settle(make_job(event_id=None), DEFERRED))) == 1


def test_settle_money_with_event_id_is_not_warned_about() -> None:
    assert s6_of(make_settler().settle(make_job(), DEFERRED)) == []


def test_settle_event_without_money_needs_no_event_id() -> None:
    job = make_job(event_id=None, event=make_event(eventValue=None, eventCurrency=None))

    assert s6_of(make_settler().settle(job, DEFERRED)) == []


def test_settle_money_warned_about_before_keeps_that_one_warning() -> None:
    """Its event id is a message id by now, so only the envelope still knows."""
    settler = make_settler()
    first = settler.settle(make_job(event_id=None), DEFERRED)
    again = EventJob("m-2", NOW, parse_envelope(text_of(first)))
    again.prepared = again.checked(App(MOBILE_APP), NOW)

    assert len(s6_of(settler.settle(again, REFUSED))) == 1


def test_settle_money_deferred_before_it_was_checked_is_warned_about_later() -> None:
    settler = make_settler()
    first = settler.settle(make_unchecked_job(event_id=None), DEFERRED)
    again = EventJob("m-2", NOW, parse_envelope(text_of(first)))
    again.prepared = again.checked(App(MOBILE_APP), NOW)

    assert len(s6_of(settler.settle(again, REFUSED))) == 1


# The time stamped at entry


@every(
    "envelope, field, moment",
    [
        (make_envelope(event=make_event(eventTime=None)), "eventTime", "2026-03-02 11:59:55.000"),
        (
            make_web_envelope(event={"user_id": {"customer_user_id": "u"}, "event_name": "n"}),
            "timestamp",
            1772452795000,
        ),
    ],
    ids=["mobile", "web"],
)
def test_settle_event_without_a_time_is_kept_with_the_moment_it_came_in(
    envelope: Json, field: str, moment: object
) -> None:
    assert body_of(make_settler().settle(make_job(**envelope), DEFERRED))["event"][field] == moment


def test_settle_event_with_its_own_time_keeps_it() -> None:
    event = body_of(make_settler().settle(make_job(), DEFERRED))["event"]

    assert event["eventTime"] == "2026-03-02 11:59:00.000"


@every("first_seen", ["2026-03-02T10:00:00Z", "2026-03-02T12:00:00+02:00"])
def test_check_event_without_a_time_that_came_before_takes_its_first_moment(
    first_seen: str,
) -> None:
    job = make_job(event=make_event(eventTime=None), first_seen=first_seen)

    assert job.prepared is not None
    assert json.loads(job.prepared.body or b"")["eventTime"] == "2026-03-02 10:00:00.000"


# Too large for a queue


def oversize_job(message: str = "x") -> EventJob:
    """A web event at which a queue's limit is reached once more is noted on it."""
    value = {"blob": message * (MAX_MESSAGE_BYTES - 100)}
    envelope = make_web_envelope(event_id="visit-1")
    envelope["event"]["event_value"] = value
    job = EventJob("m-1", SENT_AT, parse_envelope(json.dumps(envelope)))
    job.prepared = job.checked(App(WEB_APP), NOW)
    return job


@every("verdict", [DEFERRED, HELD, REFUSED])
def test_settle_too_large_for_a_queue_is_a_dead_letter_that_holds_its_digest(
    verdict: Verdict,
) -> None:
    letter = body_of(make_settler().settle(oversize_job(), verdict))

    assert letter["event"] == {}
    assert letter["event_id"] == "visit-1"
    assert letter["bytes"] > MAX_MESSAGE_BYTES
    assert len(letter["sha256"]) == 64


def test_settle_too_large_to_wait_says_so() -> None:
    settlement = make_settler().settle(oversize_job(), DEFERRED)

    assert is_dead_letter(settlement)
    assert body_of(settlement)["reason"] == "too_large_to_wait: status_503"


def test_settle_takes_no_text_of_a_finding_that_a_producer_wrote() -> None:
    forged = {"rule": "S6", "message": "jane@example.com"}

    letter = make_settler().settle(make_job(findings=[forged]), REFUSED)

    assert "jane@example.com" not in text_of(letter)
    assert "S6" in {finding["rule"] for finding in body_of(letter)["findings"]}
