"""What replaces a dead letter, and which letters fail again: by the functions that decide it."""

import json
from typing import Any

import pytest

from relay_cli.dlq.correction import read_correction, replacement
from relay_cli.dlq.dead_letter import DeadLetter, parse_dead_letter
from relay_cli.dlq.export import line_of
from relay_cli.dlq.filter import Filter
from relay_cli.dlq.prospects import fails_again
from tests.support.dead_letters import NOW, Json, message, moment

GOOD = {"appsflyer_id": "1415211453000-6513894", "eventName": "af_login", "os": "14"}
BAD = {"eventName": "af_login"}
M1 = {"rule": "M1", "severity": "reject", "field": "appsflyer_id", "message": "is missing"}
LETTER = {
    "app_id": "com.example.shop",
    "kind": "mobile_event",
    "event": GOOD,
    "event_id": "order-1",
    "first_seen": moment(hours=-2),
    "attempts": 11,
    "held_since": moment(hours=-1),
    "reason": "attempts_used_up: status_500",
    "outcome": "deferred",
    "dead_since": moment(hours=-1),
}
REJECTED = {
    **LETTER, "event": BAD, "attempts": 0, "reason": "rejected", "outcome": "rejected",
    "findings": [M1],
}  # fmt: skip
NOTICE = {
    "provider": "stripe",
    "source": "shop",
    "sha256": "0" * 64,
    "id": "evt_1",
    "content": {"id": "in_1"},
    "first_seen": moment(hours=-2),
    "reason": "original_unknown",
    "outcome": "held",
    "dead_since": moment(hours=-1),
}


def letter_of(content: Json) -> DeadLetter:
    return parse_dead_letter(message(content))


def replaced(content: Json, changes: Json | None = None, **options: Any) -> Any:
    """What replaces a letter whose export was changed so."""
    letter = letter_of(content)
    line = {**json.loads(line_of(letter, "mobile")), **(changes or {})}
    correction = read_correction(line, "line 1")
    assert correction is not None
    return replacement(correction, letter, NOW, **options)


def test_replacement_of_a_corrected_event_keeps_its_id_and_time_and_begins_anew() -> None:
    made = replaced(REJECTED, {"event": GOOD})

    sent = json.loads(made.body)
    assert (made.surface, made.group) == ("mobile", "com.example.shop")
    assert (sent["event_id"], sent["first_seen"]) == ("order-1", moment(hours=-2))
    assert sent["event"]["eventTime"] == "2026-11-22 10:00:00.000"  # of its coming
    assert sent.keys() <= {"app_id", "kind", "event", "event_id", "first_seen", "findings"}
    assert "M1" not in {one["rule"] for one in sent["findings"]}


def test_replacement_of_an_event_with_what_may_be_a_persons_is_hashed() -> None:
    made = replaced(REJECTED, {"event": {**GOOD, "email": "ada@example.com"}})

    assert "ada@example.com" not in made.body
    # printf ada@example.com | sha256sum
    assert "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72" in made.body


NOTHING_SENT: dict[str, tuple[Json, Json, str]] = {
    "not corrected": (REJECTED, {}, "still breaks a rule"),
    "corrected, and wrong": (REJECTED, {"event": {**BAD, "os": "1"}}, "still breaks a rule"),
    "refused by AppsFlyer, not corrected": (
        {**LETTER, "reason": "bad_request", "outcome": "refused"}, {}, "is not corrected",
    ),
    "the id of another event": (
        {**LETTER, "reason": "id_conflict", "outcome": "rejected"},
        {"event": {**GOOD, "os": "15"}},
        "has the id of an event that was delivered",
    ),
    "only a digest": ({**LETTER, "event": {}, "sha256": "0" * 64}, {}, "holds no event"),
    "no envelope, not corrected": (
        {**LETTER, "reason": "not_an_envelope", "outcome": "rejected"}, {}, "is no envelope",
    ),
    "another kind of thing": (LETTER, {"kind": "push"}, "is no envelope"),
    "a webhook, changed": (NOTICE, {"content": {"id": "in_2"}}, "is a provider's webhook"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "changes", "problem"), list(NOTHING_SENT.values()), ids=list(NOTHING_SENT)
)
def test_replacement_that_would_come_back_is_none(
    content: Json, changes: Json, problem: str
) -> None:
    made = replaced(content, changes)

    assert made.body is None
    assert made.problem.startswith(problem)


SENT: dict[str, tuple[Json, Json, Json]] = {
    "not corrected, and fine": (LETTER, {}, {"event": GOOD}),
    "another app": ({**LETTER, "reason": "unknown_app"}, {"app_id": "id1"}, {"app_id": "id1"}),
    "another id": (
        {**LETTER, "reason": "id_conflict"}, {"event_id": "order-2"}, {"event_id": "order-2"},
    ),
    "an envelope, mended": (
        {**LETTER, "reason": "not_an_envelope", "app_id": None, "event_id": None},
        {"app_id": "id1"},
        {"app_id": "id1", "event_id": "message-1"},
    ),
    "money in doubt is a decision": (
        {**LETTER, "reason": "uncertain_money: read_timed_out"},
        {"event": {**GOOD, "os": "15"}},
        {"resend": moment(hours=-1)},
    ),
    "a webhook": (NOTICE, {}, {"content": {"id": "in_1"}, "source": "shop"}),
}  # fmt: skip


@pytest.mark.parametrize(("content", "changes", "expected"), list(SENT.values()), ids=list(SENT))
def test_replacement_is_what_the_line_says(content: Json, changes: Json, expected: Json) -> None:
    sent = json.loads(replaced(content, changes).body)

    assert {name: sent[name] for name in expected} == expected
    assert sent.keys().isdisjoint({"reason", "outcome", "dead_since", "attempts", "held_since"})


def test_replacement_goes_to_the_queue_of_its_kind() -> None:
    """On the queue that it came from, it would be a dead letter again."""
    visit = {"user_id": {"customer_user_id": "u"}, "event_url": "https://www.example.com/"}
    letter = {**LETTER, "kind": "web_visit", "event": visit, "reason": "wrong_queue"}

    assert replaced(letter).surface == "web"
    assert replaced({**letter, "event": {**visit, "event_url": 5}}).problem


def test_replacement_of_what_fails_again_is_sent_if_a_person_says_so() -> None:
    refused = {**LETTER, "reason": "bad_request", "outcome": "refused"}

    assert json.loads(replaced(refused, anyway=True).body)["event"] == GOOD


def test_replacement_of_what_sqs_moved_is_the_message_itself_unless_it_was_corrected() -> None:
    """What cannot be hashed without the app's region is only in the message."""
    raw = {"app_id": "com.example.shop", "kind": "mobile_event"}
    letter = {**raw, "event": {**GOOD, "phone": "(202) 555-0143"}}

    as_it_is = json.loads(replaced(letter).body)
    corrected = json.loads(replaced(letter, {"event": GOOD}).body)

    assert as_it_is["event"]["phone"] == "(202) 555-0143"
    assert "phone" not in corrected["event"]


@pytest.mark.parametrize("content", [None, [], "x", {}, {"queue": "mobile"}, {"letter_id": "1"}])
def test_correction_of_anything_but_a_line_of_an_export_is_none(content: object) -> None:
    assert read_correction(content, "line 1") is None


FAILING: dict[str, tuple[Json, bool]] = {
    "breaks a rule": (REJECTED, True),
    "breaks none any more": ({**REJECTED, "event": GOOD}, False),
    "refused": ({**LETTER, "reason": "status_422", "outcome": "refused"}, True),
    "id of another event": ({**LETTER, "reason": "id_conflict", "outcome": "rejected"}, True),
    "on the wrong queue": ({**LETTER, "reason": "wrong_queue", "outcome": "rejected"}, True),
    "an outage": (LETTER, False),
    "a key": ({**LETTER, "reason": "hold_limit: credentials", "outcome": "held"}, False),
    "an app that may be set up": ({**LETTER, "reason": "unknown_app"}, False),
    "not to be redriven at all": ({**LETTER, "reason": "not_an_envelope"}, False),
    "moved by SQS": ({"app_id": "id1", "kind": "mobile_event", "event": BAD}, False),
    "a webhook": (NOTICE, False),
    "a webhook of no known type": ({**NOTICE, "reason": "unknown_type"}, True),
}


def test_fails_again_says_so_where_the_reason_is_in_the_event() -> None:
    told = {name: fails_again(letter_of(content), NOW) for name, (content, _) in FAILING.items()}

    assert told == {name: expected for name, (_, expected) in FAILING.items()}


@pytest.mark.parametrize(
    ("filter_", "matches"),
    [
        (Filter(rule="M1"), True),
        (Filter(rule="m1"), True),
        (Filter(rule="M4"), False),
        (Filter(reason="rejected"), True),
    ],
)
def test_filter_selects_by_rule(filter_: Filter, *, matches: bool) -> None:
    assert filter_.matches(letter_of(REJECTED)) is matches


@pytest.mark.parametrize("reason", ["hold_limit", "account_blocked", "hold_limit: account_blocked"])
def test_filter_selects_by_each_part_of_a_reason(reason: str) -> None:
    letter = letter_of({**LETTER, "reason": "hold_limit: account_blocked"})

    assert Filter(reason).matches(letter)
