"""Deleting letters, over a queue in memory that misbehaves on demand."""

import json
from collections.abc import Set as AbstractSet
from datetime import timedelta
from threading import Event

from relay_cli.dlq.drop import Dropped, Dropper
from relay_cli.dlq.filter import Choice
from relay_cli.dlq.reader import Mailbox
from tests.letters import ENVELOPE, NOW, FakeSqs


def _drop(
    sqs: FakeSqs,
    choice: Choice | None = None,
    counted: AbstractSet[str] | None = None,
    stop: Event | None = None,
) -> Dropped:
    dropper = Dropper(
        Mailbox(sqs.client, "dead"), choice or Choice(), NOW, counted, stop or Event()
    )
    return dropper.run(lambda _: None)


def test_dropper_deletes_what_is_chosen_and_gives_the_rest_back() -> None:
    sqs = FakeSqs(25)

    dropped = _drop(sqs, Choice(reason="refused"))

    assert dropped.by_reason == {"refused": 13}
    assert dropped.left == 12
    assert dropped.is_whole
    assert set(sqs.letters) == {f"m{number}" for number in range(1, 25, 2)}
    assert sqs.hidden == set()


def test_dropper_leaves_what_was_not_there_when_somebody_agreed() -> None:
    """Also a letter that SQS itself moved here since then, which bears the time of its original."""
    sqs = FakeSqs(3)
    sqs.letters["moved"] = json.dumps(ENVELOPE)

    dropped = _drop(sqs, counted={"m0", "m1", "m2"})

    assert dropped.newer == 1
    assert set(sqs.letters) == {"moved"}


def test_dropper_without_a_question_leaves_what_came_in_since_it_began() -> None:
    sqs = FakeSqs(3, sent_at=NOW + timedelta(seconds=10))

    dropped = _drop(sqs)

    assert (dropped.by_reason.total(), dropped.newer) == (0, 3)
    assert len(sqs.letters) == 3


def test_dropper_says_what_sqs_did_not_delete() -> None:
    sqs = FakeSqs(3)
    sqs.undeletable = {"m1"}

    dropped = _drop(sqs)

    assert dropped.by_reason == {"refused": 2}
    assert dropped.undeleted == 1
    assert not dropped.is_whole
    assert sqs.hidden == set()


def test_dropper_says_what_was_counted_and_is_in_somebody_elses_hands() -> None:
    sqs = FakeSqs(3)
    sqs.hidden = {"m0"}

    dropped = _drop(sqs, counted={"m0", "m1", "m2"})

    assert (dropped.by_reason.total(), dropped.unseen) == (2, 1)
    assert not dropped.is_whole


def test_dropper_that_is_stopped_ends_between_two_calls_and_gives_back() -> None:
    sqs, stop = FakeSqs(30), Event()
    sqs.after_delete = stop.set

    dropped = _drop(sqs, counted=set(sqs.letters), stop=stop)

    assert dropped.interrupted
    assert (dropped.by_reason.total(), dropped.unseen) == (10, 0)
    assert len(sqs.letters) == 20
    assert sqs.hidden == set()
