"""The redriver, against a fake queue that fails on demand."""

import json
from datetime import timedelta
from threading import Event

from relay_cli.dlq.filter import Filter
from relay_cli.dlq.reader import DeadLetterReader
from relay_cli.dlq.redrive import Redriver, RedriveResult
from tests.support.dead_letters import NOW, FakeSqs, moment


def _run(sqs: FakeSqs, filter_: Filter | None = None, stop: Event | None = None) -> RedriveResult:
    reader = DeadLetterReader(sqs.client, "dead")
    redriver = Redriver(
        reader, sqs.client, "target", filter_ or Filter(), NOW, None, stop or Event()
    )
    return redriver.run(lambda _: None)


def _ids(bodies: list[str]) -> list[str]:
    return [json.loads(body)["event_id"] for body in bodies]


def test_redriver_moves_all_and_leaves_nothing_hidden() -> None:
    sqs = FakeSqs(25)

    result = _run(sqs)

    assert (result.sent, result.failed) == (25, 0)
    assert _ids(sqs.target) == [f"e{n}" for n in range(25)]
    assert sqs.messages == {}


def test_redriver_leaves_what_is_not_selected_visible() -> None:
    sqs = FakeSqs(10)

    result = _run(sqs, Filter(reason="refused"))

    assert (result.sent, result.skipped) == (5, 5)
    assert len(sqs.messages) == 5
    assert sqs.hidden == set()


def test_redriver_deletes_only_what_sqs_accepted() -> None:
    sqs = FakeSqs(10)
    sqs.refused = {"e3", "e7"}

    result = _run(sqs)

    assert (result.sent, result.failed) == (8, 2)
    assert result.failures == {"SQS says Refused: no": 2}
    assert set(sqs.messages) == {"m3", "m7"}
    assert sqs.hidden == set()


def test_redriver_stops_when_the_queue_accepts_nothing() -> None:
    sqs = FakeSqs(30)
    sqs.refused = {f"e{n}" for n in range(30)}

    result = _run(sqs)

    assert (result.sent, result.failed) == (0, 10)
    assert len(sqs.messages) == 30
    assert sqs.hidden == set()


def test_redriver_counts_messages_on_both_queues() -> None:
    sqs = FakeSqs(3)
    sqs.undeletable = {"m1"}

    result = _run(sqs)

    assert (result.sent, result.duplicated) == (3, 1)
    assert sqs.hidden == set()


def test_redriver_sends_a_message_that_is_received_again_only_once() -> None:
    sqs = FakeSqs(25)
    sqs.undeletable = {"m0"}
    sqs.redelivered = ["m0", "m0"]

    _run(sqs)

    assert _ids(sqs.target).count("e0") == 1


def test_redriver_leaves_messages_that_came_in_meanwhile() -> None:
    """An event that fails again at once must not circulate."""
    sqs = FakeSqs(4, sent_at=NOW + timedelta(seconds=10))

    result = _run(sqs)

    assert (result.sent, result.newer) == (0, 4)
    assert len(sqs.messages) == 4


def test_redriver_sends_an_event_that_comes_back_at_once_only_once() -> None:
    """It is rejected within the clock skew."""
    sqs = FakeSqs(4, sent_at=NOW + timedelta(seconds=1))
    bodies = dict(sqs.messages)
    sqs.after_delete = lambda: sqs.messages.update(
        {f"again-{name}": body for name, body in bodies.items()}
    )

    result = _run(sqs)

    assert (result.sent, result.newer) == (4, 4)
    assert _ids(sqs.target) == ["e0", "e1", "e2", "e3"]


def test_redriver_that_is_stopped_ends_between_two_calls_and_releases_the_rest() -> None:
    sqs, stop = FakeSqs(30), Event()
    sqs.after_send = stop.set

    result = _run(sqs, stop=stop)

    assert result.interrupted
    assert result.sent == len(sqs.target) == 10
    assert len(sqs.messages) == 20
    assert sqs.hidden == set()


def test_redriver_counts_sent_events_that_had_missed_their_deadline() -> None:
    sqs = FakeSqs(5)
    sqs.update("m0", deadline=moment(hours=-1))
    sqs.update("m1", deadline=moment(hours=-1))  # a "rejected" one, which does not match
    sqs.update("m2", deadline=moment(hours=1))
    sqs.update("m4", deadline=moment(hours=-1))
    sqs.refused = {"e4"}  # by SQS

    result = _run(sqs, Filter(reason="refused"))

    assert (result.sent, result.missed) == (2, 1)
