"""Dead letters: parsed, grouped, filtered, and made into messages again."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.exact_json import loads
from relay_cli.dlq.dead_letter import CRASHED, NOT_AN_ENVELOPE, parse_dead_letter, redrive_body
from relay_cli.dlq.filter import Filter, Selection
from relay_cli.dlq.groups import Groups
from tests.support.builders import MOBILE_APP, WEB_APP, make_event, make_web_event
from tests.support.dead_letters import ENVELOPE, NOW, RELAY_FIELDS, message, moment
from tests.support.every import every


def _redriven(content: Any) -> Any:
    text = redrive_body(parse_dead_letter(message(content)))
    return text and loads(text)


def test_redrive_body_of_a_crashed_message_keeps_its_own_event_id_and_first_seen() -> None:
    given = {**ENVELOPE, "event_id": "order-1", "first_seen": "2026-11-20T00:00:00.000Z"}

    assert _redriven(given) == given


def test_redrive_body_of_a_crashed_message_without_id_has_the_messages_id_and_time() -> None:
    assert _redriven(ENVELOPE) == {
        **ENVELOPE,
        "event_id": "message-1",
        "first_seen": "2026-11-22T12:00:00.000Z",
    }


def test_redrive_body_keeps_numbers_and_not_before_as_they_were() -> None:
    body = (
        '{"app_id":"id1","kind":"mobile_event","event":{"n":4.990,"big":123456789012345678901},'
        '"event_id":"1","not_before":"2027-01-01T00:00:00.000Z","reason":"rejected","attempts":3,'
        '"outcome":"rejected","dead_since":"2026-11-21T00:00:00.000Z"}'
    )

    text = redrive_body(parse_dead_letter(message(body)))

    assert text is not None
    assert '"n":4.990,"big":123456789012345678901' in text
    assert '"not_before":"2027-01-01T00:00:00.000Z"' in text
    assert "attempts" not in text
    assert "dead_since" not in text


@pytest.mark.parametrize(
    ("reason", "resend"),
    [("uncertain_money: read_timed_out", RELAY_FIELDS["dead_since"]), ("rejected", None)],
)
def test_redrive_body_of_money_in_doubt_says_of_which_doubt_a_person_decided(
    reason: str, resend: str | None
) -> None:
    letter = {**ENVELOPE, **RELAY_FIELDS, "reason": reason, "event_id": "order-1"}

    assert _redriven(letter).get("resend") == resend


@pytest.mark.parametrize("body", ["", "secret", "[]", "{}", '{"reason": "not_an_envelope"}'])
def test_redrive_body_without_an_event_is_none(body: str) -> None:
    assert redrive_body(parse_dead_letter(message(body))) is None


def test_redrive_body_of_an_event_kept_as_a_digest_is_none() -> None:
    """It was too large for its queue. An empty event instead would be rejected for another reason.

    The dead letter, with the digest by which its sender can find it, would then be lost.
    """
    assert (
        _redriven({**ENVELOPE, **RELAY_FIELDS, "event": {}, "bytes": 1_100_000, "sha256": "0" * 64})
        is None
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({**ENVELOPE, **RELAY_FIELDS, "reason": "rejected"}, "rejected"),
        (ENVELOPE, CRASHED),
        ("secret", NOT_AN_ENVELOPE),
        ({**RELAY_FIELDS, "reason": "not_an_envelope", "sha256": ""}, NOT_AN_ENVELOPE),
    ],
)
def test_dead_letter_has_its_reason(content: Any, expected: str) -> None:
    assert parse_dead_letter(message(content)).reason == expected


@pytest.mark.parametrize(
    "forged",
    [
        {"reason": "ada@example.com"},
        {"reason": 5, "outcome": "rejected", "dead_since": "2026-11-22T12:00:00.000Z"},
        {"outcome": "ada@example.com", "message": "ada@example.com", "status": "ada@example.com"},
    ],
)
def test_dead_letter_moved_by_sqs_has_no_fields_of_the_relay(forged: dict[str, Any]) -> None:
    """A producer may write anything beside its event; it is not the reason of the dead letter."""
    dead_letter = parse_dead_letter(message({**ENVELOPE, **forged}))

    assert dead_letter.is_crashed
    assert dead_letter.reason == CRASHED
    assert dead_letter.fields == {}


def test_dead_letter_moved_by_sqs_after_its_own_redrive_is_crashed() -> None:
    """It still has the fields of the first time, which say nothing about the second."""
    moved = message({**ENVELOPE, **RELAY_FIELDS})
    moved["Attributes"]["DeadLetterQueueSourceArn"] = "arn:aws:sqs:us-east-1:123456789012:mobile"

    assert parse_dead_letter(moved).reason == CRASHED


def test_dead_letter_moved_by_sqs_shows_its_event_hashed() -> None:
    event = {"eventName": "af_login", "email": "ada@example.com", "e_mail": "ada@example.com"}

    dead_letter = parse_dead_letter(message({**ENVELOPE, "event": event}))

    hashed = hashlib.sha256(b"ada@example.com").hexdigest()
    assert dead_letter.event["email_hashed"] == hashed
    assert "ada@example.com" not in json.dumps(dead_letter.event)


@pytest.mark.parametrize(
    ("kind", "field", "deadline"),
    [
        ("mobile_event", "eventTime", datetime(2026, 11, 22, 1, 59, 59, 999_000, UTC)),  # T2
        ("web_event", "timestamp", None),  # T7: depends on the app's time zone
    ],
)
def test_dead_letter_moved_by_sqs_has_a_deadline_where_it_can_be_known(
    kind: str, field: str, deadline: datetime | None
) -> None:
    event = {
        "mobile_event": {**make_event(), field: "2026-11-21T09:00:00Z"},
        "web_event": {**make_web_event(), field: 1_795_251_600_000},
    }[kind]
    app_id = {"mobile_event": MOBILE_APP, "web_event": WEB_APP}[kind]

    dead_letter = parse_dead_letter(message({"app_id": app_id, "kind": kind, "event": event}))

    assert dead_letter.deadline == deadline
    assert dead_letter.has_missed(NOW) is (deadline is not None)


def test_dead_letter_without_an_event_has_the_id_of_the_message_that_its_producer_sent() -> None:
    content = {**RELAY_FIELDS, "reason": "not_an_envelope", "message_id": "sent-1"}

    dead_letter = parse_dead_letter(message(content))

    assert dead_letter.event_id == "sent-1"
    assert Filter(id="sent-1").matches(dead_letter)


@every(
    "filter_, matched",
    [
        (Filter(), True),
        (Filter(reason="attempts_used_up: status_500"), True),
        (Filter(reason="attempts_used_up"), True),
        (Filter(reason="attempts"), False),
        (Filter(app_id="id1"), True),
        (Filter(app_id="id2"), False),
        (Filter(id="order-1"), True),
        (Filter(id="message-1"), True),
        (Filter(id="order-2"), False),
        (Filter(reason="attempts_used_up", app_id="id2"), False),
    ],
)
def test_filter_matches_what_fits_all_of_it(filter_: Filter, matched: bool) -> None:  # noqa: FBT001
    content = {
        **ENVELOPE,
        **RELAY_FIELDS,
        "event_id": "order-1",
        "reason": "attempts_used_up: status_500",
    }

    assert filter_.matches(parse_dead_letter(message(content))) is matched


def _group_of(*fields: dict[str, Any]) -> Any:
    groups = Groups(NOW)
    for one in fields:
        groups.add(parse_dead_letter(message({**ENVELOPE, **RELAY_FIELDS, **one})))
    (group,) = groups.largest_first()
    return group


def test_group_counts_events_in_time_and_events_past_their_deadline() -> None:
    hours = (-3, -1, 2, 5)

    group = _group_of({}, *({"deadline": moment(hours=one)} for one in hours))

    assert (group.count, group.in_time, group.missed, group.without_deadline) == (5, 2, 2, 1)
    assert group.next_deadline == NOW + timedelta(hours=2)


def test_group_knows_its_oldest_and_its_newest_dead_letter() -> None:
    group = _group_of(*({"dead_since": moment(hours=-one)} for one in (5, 15, 1)))

    assert group.oldest == NOW - timedelta(hours=15)
    assert group.newest == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("attempts", "expected"), [((0, 11, 3), (0, 11)), ((11,), (11, 11)), ((0,), (0, 0))]
)
def test_group_knows_the_fewest_and_the_most_attempts(
    attempts: tuple[int, ...], expected: tuple[int, int]
) -> None:
    group = _group_of(*({"attempts": one} for one in attempts))

    assert (group.min_attempts, group.max_attempts) == expected


def test_groups_are_by_reason_and_app_the_largest_first() -> None:
    groups = Groups(NOW)
    for reason, app_id in (("b", "id1"), ("a", "id1"), ("a", "id2"), ("a", "id1")):
        groups.add(
            parse_dead_letter(
                message({**ENVELOPE, **RELAY_FIELDS, "reason": reason, "app_id": app_id})
            )
        )

    found = [(one.count, one.reason, one.app_id) for one in groups.largest_first()]

    assert found == [(2, "a", "id1"), (1, "a", "id2"), (1, "b", "id1")]


def test_selection_counts_by_reason_and_knows_ids_and_missed_deadlines() -> None:
    selection = Selection(NOW)
    for number, (reason, hours) in enumerate((("a", -1), ("a", 1), ("b", -1))):
        content = {**ENVELOPE, **RELAY_FIELDS, "reason": reason, "deadline": moment(hours=hours)}
        selection.add(parse_dead_letter(message(content, f"message-{number}")))

    assert selection.by_reason == {"a": 2, "b": 1}
    assert selection.ids == {"message-0", "message-1", "message-2"}
    assert selection.missed == 2
