"""The purger, against a queue in memory that fails on demand."""

import json
from collections.abc import Set as AbstractSet
from datetime import timedelta
from threading import Event

from relay_cli.dlq.filter import Filter
from relay_cli.dlq.purge import Purger, PurgeResult
from relay_cli.dlq.reader import DeadLetterReader
from tests.support.dead_letters import ENVELOPE, NOW, DeadLetterSqs


def _purge(
    sqs: DeadLetterSqs,
    filter_: Filter | None = None,
    confirmed_ids: AbstractSet[str] | None = None,
    stop: Event | None = None,
) -> PurgeResult:
    purger = Purger(
        DeadLetterReader(sqs.client(), sqs.dead),
        filter_ or Filter(),
        NOW,
        confirmed_ids,
        stop or Event(),
    )
    return purger.run(lambda _: None)


def test_purger_deletes_what_is_selected_and_releases_the_rest() -> None:
    sqs = DeadLetterSqs(25)

    result = _purge(sqs, Filter(reason="refused"))

    assert result.by_reason == {"refused": 13}
    assert result.skipped == 12
    assert result.is_complete
    assert sqs.letters == sorted(f"e{number}" for number in range(1, 25, 2))
    assert sqs.hidden == 0


def test_purger_leaves_what_was_not_confirmed() -> None:
    """Also what SQS itself moved here since then, with the send time of its original."""
    sqs = DeadLetterSqs(3)
    confirmed = sqs.ids
    sqs.move_by_itself(json.dumps(ENVELOPE))
    moved = sqs.ids - confirmed

    result = _purge(sqs, confirmed_ids=confirmed)

    assert result.newer == len(moved) == 1
    assert sqs.ids == moved


def test_purger_without_confirmation_leaves_what_came_in_since_it_began() -> None:
    sqs = DeadLetterSqs(3, sent_at=NOW + timedelta(seconds=10))

    result = _purge(sqs)

    assert (result.by_reason.total(), result.newer) == (0, 3)
    assert len(sqs.letters) == 3


def test_purger_counts_what_sqs_did_not_delete() -> None:
    sqs = DeadLetterSqs(3)
    sqs.refuse_to_delete("e1")

    result = _purge(sqs)

    assert result.by_reason == {"refused": 2}
    assert result.not_deleted == 1
    assert not result.is_complete
    assert sqs.letters == ["e1"]
    assert sqs.hidden == 0


def test_purger_counts_confirmed_messages_that_were_not_found() -> None:
    sqs = DeadLetterSqs(3)
    sqs.receive_message(QueueUrl=sqs.dead)  # by another consumer

    result = _purge(sqs, confirmed_ids=sqs.ids)

    assert (result.by_reason.total(), result.not_found) == (2, 1)
    assert not result.is_complete


def test_purger_that_is_stopped_ends_between_two_calls_and_releases_the_rest() -> None:
    sqs, stop = DeadLetterSqs(30), Event()
    sqs.after("DeleteMessageBatch", stop.set)

    result = _purge(sqs, confirmed_ids=sqs.ids, stop=stop)

    assert result.interrupted
    assert (result.by_reason.total(), result.not_found) == (10, 0)
    assert len(sqs.letters) == 20
    assert sqs.hidden == 0
