import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from relay.domain.movements import ParsedWebhook, Treatment
from relay.errors import NotAnEnvelopeError
from relay.messages.notice import Notice, parse_notice, write_notice
from tests.support.builders import NOW, Json
from tests.support.every import every

BODY = b'{"id": "evt_1"}'
DIGEST = hashlib.sha256(BODY).hexdigest()


def told(**fields: Any) -> ParsedWebhook:
    return ParsedWebhook(
        **{"id": "evt_1", "type": "invoice.paid", "treatment": Treatment.COUNTED} | fields
    )  # fmt: skip


def notice(**fields: Any) -> Notice:
    return Notice.of_webhook(told(**fields), "stripe", "shop", BODY, NOW)


def written(one: Notice, **changes: object) -> Json:
    content: Json = json.loads(write_notice(one, **changes))
    return content


NOTICE = written(notice())


def test_notice_of_what_counts_holds_its_content() -> None:
    occurred = NOW - timedelta(minutes=1)

    assert written(notice(content={"created": 1}, occurred_at=occurred, test=True)) == {
        "provider": "stripe",
        "source": "shop",
        "sha256": DIGEST,
        "size": 15,
        "id": "evt_1",
        "type": "invoice.paid",
        "occurred_at": "2026-03-02T11:59:00.000Z",
        "test": True,
        "content": {"created": 1},
        "first_seen": "2026-03-02T12:00:00.000Z",
    }


def test_notice_of_what_cannot_be_read_beside_others_says_why() -> None:
    one = notice(treatment=Treatment.UNKNOWN, problem="pspReference is missing")

    assert written(one)["problem"] == "unreadable: pspReference is missing"


def test_notice_of_an_unknown_type_is_marked_as_that() -> None:
    assert written(notice(treatment=Treatment.UNKNOWN))["problem"] == "unknown_type"


def test_notice_of_what_cannot_be_read_is_its_digest_alone() -> None:
    unreadable = Notice.of_unreadable("id is missing", "stripe", "shop", BODY, NOW)

    assert written(unreadable) == {
        "provider": "stripe",
        "source": "shop",
        "sha256": DIGEST,
        "size": 15,
        "problem": "unreadable: id is missing",
        "first_seen": "2026-03-02T12:00:00.000Z",
    }


def test_notice_written_and_read_is_the_same() -> None:
    one = notice(content={"price": Decimal("59.490"), "at": 1793005200})
    changed = one.model_copy(
        update={"attempts": 3, "held_since": NOW, "not_before": NOW + timedelta(hours=1)}
    )

    assert parse_notice(write_notice(changed)) == changed


def test_notice_of_an_empty_body_can_be_read_back() -> None:
    empty = Notice.of_unreadable("not JSON", "stripe", "shop", b"", NOW)

    assert parse_notice(write_notice(empty)) == empty


def test_notice_as_dead_letter_is_read_back_as_the_notice() -> None:
    one = notice(content={"a": 1})

    letter = written(one, reason="original_unknown", outcome="rejected", dead_since=NOW)

    assert letter["reason"] == "original_unknown"
    assert letter["dead_since"] == "2026-03-02T12:00:00.000Z"
    assert parse_notice(json.dumps(letter)) == one


def test_notice_with_characters_that_sqs_refuses_is_written_without_them() -> None:
    one = notice(content={"metadata": {"app_user_id": "a\ufffe\uffff"}})

    text = write_notice(one)

    assert not {"\ufffe", "\uffff"} & set(text)
    assert parse_notice(text) == one


def test_moment_of_a_notice_is_in_utc() -> None:
    body = json.dumps(written(notice()) | {"first_seen": "2026-03-02T13:00:00+01:00"})

    assert parse_notice(body).first_seen == datetime(2026, 3, 2, 12, tzinfo=UTC)


@every(
    "body, problem",
    [
        ("jane.roe@example.com", "not JSON"),
        ('["jane.roe@example.com"]', "must be a JSON object"),
        ('{"source": ["jane.roe@example.com"]}', "provider: Field required; source: "),
        ('{"first_seen": "jane.roe@example.com"}', "first_seen: "),
        (json.dumps({**NOTICE, "content": {"jane.roe": "\ud800"}}), "content: cannot be written"),
        # What is empty would be left out when it is written, and be missed when it is read.
        (json.dumps({**NOTICE, "provider": ""}), "provider: "),
        (json.dumps({**NOTICE, "source": ""}), "source: "),
        (json.dumps({**NOTICE, "sha256": ""}), "sha256: "),
        # A decimal, as any number of more than 18 digits is: to make an integer of a million of
        # them would take half a minute.
        (json.dumps({**NOTICE, "size": 15.0}), "size: "),
    ],
)
def test_body_that_is_no_notice_is_told_without_its_content(body: str, problem: str) -> None:
    with pytest.raises(NotAnEnvelopeError, match=problem) as caught:
        parse_notice(body)

    assert "jane" not in str(caught.value)
