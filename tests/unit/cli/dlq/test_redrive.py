"""The redriver, against queues in memory that fail on demand."""

from collections import Counter
from datetime import timedelta
from functools import partial
from threading import Event

from relay_cli.dlq.filter import Filter
from relay_cli.dlq.reader import DeadLetterReader
from relay_cli.dlq.redrive import Redriver, RedriveResult
from tests.support.dead_letters import NOW, DeadLetterSqs, moment
from tests.support.memory_queue import Traffic


def _run(
    sqs: DeadLetterSqs, filter_: Filter | None = None, stop: Event | None = None
) -> RedriveResult:
    reader = DeadLetterReader(sqs.client(), sqs.dead)
    redriver = Redriver(
        reader, sqs.client(), sqs.target, filter_ or Filter(), NOW, None, stop or Event()
    )
    return redriver.run(lambda _: None)


def _copies(number: int) -> Traffic:
    """Of the first so many messages that are received a copy comes at once."""
    return Traffic(duplicates=1.0, chance=partial(next, iter([0.0] * 2 * number), 1.0))


def test_redriver_moves_all_and_leaves_nothing_hidden() -> None:
    sqs = DeadLetterSqs(25)

    result = _run(sqs)

    assert (result.sent, result.failed) == (25, 0)
    assert sqs.sent() == [f"e{n}" for n in range(25)]
    assert sqs.letters == []


def test_redriver_leaves_what_is_not_selected_visible() -> None:
    sqs = DeadLetterSqs(10)

    result = _run(sqs, Filter(reason="refused"))

    assert (result.sent, result.skipped) == (5, 5)
    assert sqs.letters == ["e1", "e3", "e5", "e7", "e9"]
    assert sqs.hidden == 0


def test_redriver_deletes_only_what_sqs_accepted() -> None:
    sqs = DeadLetterSqs(10)
    sqs.refuse_to_send("e3", "e7")

    result = _run(sqs)

    assert (result.sent, result.failed) == (8, 2)
    assert result.failures == {"SQS says InternalError: refused": 2}
    assert sqs.letters == ["e3", "e7"]
    assert sqs.hidden == 0


def test_redriver_stops_when_the_queue_accepts_nothing() -> None:
    sqs = DeadLetterSqs(30)
    sqs.refuse_to_send(*(f"e{n}" for n in range(30)))

    result = _run(sqs)

    assert (result.sent, result.failed) == (0, 10)
    assert len(sqs.letters) == 30
    assert sqs.hidden == 0


def test_redriver_counts_messages_on_both_queues() -> None:
    sqs = DeadLetterSqs(3)
    sqs.refuse_to_delete("e1")

    result = _run(sqs)

    assert (result.sent, result.duplicated) == (3, 1)
    assert sqs.hidden == 0


def test_redriver_sends_a_message_that_is_received_again_only_once() -> None:
    """Each comes again and again, in the same response and in later ones."""
    sqs, events = (
        DeadLetterSqs(25, NOW - timedelta(hours=1), _copies(50)),
        {f"e{n}" for n in range(25)},
    )
    sqs.refuse_to_delete(*events)
    sqs.receive_message(QueueUrl=sqs.dead, MaxNumberOfMessages=10, VisibilityTimeout=0)

    result = _run(sqs)

    assert (result.sent, result.duplicated) == (25, 25)
    assert Counter(sqs.sent()) == Counter(events)


def test_redriver_deletes_a_copy_of_what_it_has_redriven_and_does_not_send_it() -> None:
    """SQS delivers once more what is deleted already."""
    sqs = DeadLetterSqs(25, NOW - timedelta(hours=1), _copies(25))

    result = _run(sqs)

    assert (result.sent, result.duplicated) == (25, 0)
    assert sorted(sqs.sent()) == sorted(f"e{n}" for n in range(25))
    assert sqs.letters == []


def test_redriver_does_not_send_a_copy_that_cannot_be_deleted() -> None:
    sqs = DeadLetterSqs(25, NOW - timedelta(hours=1), _copies(25))
    sqs.after("DeleteMessageBatch", partial(sqs.refuse_to_delete, *(f"e{n}" for n in range(25))))

    result = _run(sqs)

    assert result.sent == len(set(sqs.sent())) == 25
    assert sqs.hidden > 0


def test_redriver_leaves_messages_that_came_in_meanwhile() -> None:
    """An event that fails again at once must not circulate."""
    sqs = DeadLetterSqs(4, sent_at=NOW + timedelta(seconds=10))

    result = _run(sqs)

    assert (result.sent, result.newer) == (0, 4)
    assert len(sqs.letters) == 4


def test_redriver_sends_an_event_that_comes_back_at_once_only_once() -> None:
    """It is rejected within the clock skew."""
    sqs = DeadLetterSqs(4, sent_at=NOW + timedelta(seconds=1))
    coming = list(range(4))

    def come_back() -> None:
        while coming:
            sqs.add(coming.pop())

    sqs.after("DeleteMessageBatch", come_back)

    result = _run(sqs)

    assert (result.sent, result.newer) == (4, 4)
    assert sqs.sent() == ["e0", "e1", "e2", "e3"]


def test_redriver_that_is_stopped_ends_between_two_calls_and_releases_the_rest() -> None:
    sqs, stop = DeadLetterSqs(30), Event()
    sqs.after("SendMessageBatch", stop.set)

    result = _run(sqs, stop=stop)

    assert result.interrupted
    assert result.sent == len(sqs.sent()) == 10
    assert len(sqs.letters) == 20
    assert sqs.hidden == 0


def test_redriver_counts_sent_events_that_had_missed_their_deadline() -> None:
    sqs = DeadLetterSqs()
    sqs.add(0, deadline=moment(hours=-1))
    sqs.add(1, deadline=moment(hours=-1))  # a "rejected" one, which does not match
    sqs.add(2, deadline=moment(hours=1))
    sqs.add(3)
    sqs.add(4, deadline=moment(hours=-1))
    sqs.refuse_to_send("e4")

    result = _run(sqs, Filter(reason="refused"))

    assert (result.sent, result.missed) == (2, 1)
