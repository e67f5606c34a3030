"""Dead letters: read, grouped, chosen, and made into messages again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.exact_json import loads
from relay_cli.dead_letters import CRASHED, NOT_AN_ENVELOPE, Choice, Groups, read_letter, renewed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENVELOPE = {"app_id": "id1", "kind": "mobile_event", "event": {"eventName": "a"}}


def _message(content: Any, message_id: str = "message-1") -> dict[str, Any]:
    body = content if isinstance(content, str) else json.dumps(content)
    sent = int(NOW.timestamp() * 1000)
    attributes = {"SentTimestamp": str(sent)}
    return {
        "MessageId": message_id,
        "ReceiptHandle": "r",
        "Body": body,
        "Attributes": attributes,
    }


def _renewed(content: Any) -> Any:
    text = renewed(read_letter(_message(content)))
    return text and loads(text)


def test_renewed_crashed_message_keeps_its_own_event_id_and_first_seen() -> None:
    given = {**ENVELOPE, "event_id": "order-1", "first_seen": "2026-11-20T00:00:00.000Z"}

    assert _renewed(given) == given


def test_renewed_crashed_message_without_id_gets_the_messages_id_and_time() -> None:
    assert _renewed(ENVELOPE) == {
        **ENVELOPE,
        "event_id": "message-1",
        "first_seen": "2026-11-22T12:00:00.000Z",
    }


def test_renewed_keeps_numbers_and_not_before_as_they_were() -> None:
    body = (
        '{"app_id":"id1","kind":"mobile_event","event":{"n":4.990,"big":123456789012345678901},'
        '"event_id":"1","not_before":"2027-01-01T00:00:00.000Z","reason":"rejected","attempts":3}'
    )

    text = renewed(read_letter(_message(body)))

    assert text is not None
    assert '"n":4.990,"big":123456789012345678901' in text
    assert '"not_before":"2027-01-01T00:00:00.000Z"' in text
    assert "attempts" not in text


@pytest.mark.parametrize("body", ["", "secret", "[]", "{}", '{"reason": "not_an_envelope"}'])
def test_renewed_of_what_holds_no_event_is_nothing(body: str) -> None:
    assert renewed(read_letter(_message(body))) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({**ENVELOPE, "reason": "rejected"}, "rejected"),
        (ENVELOPE, CRASHED),
        ("secret", NOT_AN_ENVELOPE),
        ({"reason": "not_an_envelope", "sha256": ""}, NOT_AN_ENVELOPE),
        ({**ENVELOPE, "reason": 5}, CRASHED),
    ],
)
def test_letter_says_why_it_is_there(content: Any, expected: str) -> None:
    assert read_letter(_message(content)).reason == expected


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), True),
        (Choice(reason="attempts_used_up: status_500"), True),
        (Choice(reason="attempts_used_up"), True),
        (Choice(reason="attempts"), False),
        (Choice(app_id="id1"), True),
        (Choice(app_id="id2"), False),
        (Choice(id="order-1"), True),
        (Choice(id="message-1"), True),
        (Choice(id="order-2"), False),
        (Choice(reason="attempts_used_up", app_id="id2"), False),
    ],
)
def test_choice_takes_what_fits_all_of_it(choice: Choice, taken: bool) -> None:  # noqa: FBT001
    content = {**ENVELOPE, "event_id": "order-1", "reason": "attempts_used_up: status_500"}

    assert choice.takes(read_letter(_message(content))) is taken


def test_groups_know_the_oldest_and_the_next_deadline() -> None:
    groups = Groups(NOW)
    for hours in (-3, 2, 5):
        deadline = f"{NOW + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}.000Z"
        since = f"{NOW - timedelta(hours=10 + hours):%Y-%m-%dT%H:%M:%S}.000Z"
        letter = {**ENVELOPE, "reason": "r", "deadline": deadline, "dead_since": since}
        groups.add(read_letter(_message(letter)))
    groups.add(read_letter(_message({**ENVELOPE, "reason": "other"})))

    first, second = groups.largest_first()

    assert (first.reason, first.count, first.passed) == ("r", 3, 1)
    assert first.next_deadline == NOW + timedelta(hours=2)
    assert first.oldest == NOW - timedelta(hours=15)
    assert (second.count, second.next_deadline, second.oldest) == (1, None, NOW)
