"""The mover, over a queue in memory that misbehaves on demand."""

import json
from datetime import timedelta
from threading import Event

from relay_cli.dlq.filter import Choice
from relay_cli.dlq.reader import Mailbox
from relay_cli.dlq.redrive import Mover, Tally
from tests.letters import NOW, FakeSqs, moment


def _run(sqs: FakeSqs, choice: Choice | None = None, stop: Event | None = None) -> Tally:
    mailbox = Mailbox(sqs.client, "dead")
    mover = Mover(mailbox, sqs.client, "target", choice or Choice(), NOW, None, stop or Event())
    return mover.run(lambda _: None)


def _ids(bodies: list[str]) -> list[str]:
    return [json.loads(body)["event_id"] for body in bodies]


def test_mover_moves_all_and_leaves_nothing_hidden() -> None:
    sqs = FakeSqs(25)

    tally = _run(sqs)

    assert (tally.sent, tally.failed) == (25, 0)
    assert _ids(sqs.target) == [f"e{n}" for n in range(25)]
    assert sqs.letters == {}


def test_mover_leaves_what_is_not_meant_visible() -> None:
    sqs = FakeSqs(10)

    tally = _run(sqs, Choice(reason="refused"))

    assert (tally.sent, tally.left) == (5, 5)
    assert len(sqs.letters) == 5
    assert sqs.hidden == set()


def test_mover_deletes_nothing_that_was_not_taken() -> None:
    sqs = FakeSqs(10)
    sqs.refused = {"e3", "e7"}

    tally = _run(sqs)

    assert (tally.sent, tally.failed) == (8, 2)
    assert tally.problems == {"SQS says Refused: no": 2}
    assert set(sqs.letters) == {"m3", "m7"}
    assert sqs.hidden == set()


def test_mover_stops_when_the_queue_takes_nothing() -> None:
    sqs = FakeSqs(30)
    sqs.refused = {f"e{n}" for n in range(30)}

    tally = _run(sqs)

    assert (tally.sent, tally.failed) == (0, 10)
    assert len(sqs.letters) == 30
    assert sqs.hidden == set()


def test_mover_says_which_are_on_both_queues() -> None:
    sqs = FakeSqs(3)
    sqs.undeletable = {"m1"}

    tally = _run(sqs)

    assert (tally.sent, tally.twice) == (3, 1)
    assert sqs.hidden == set()


def test_mover_sends_a_message_that_is_received_again_only_once() -> None:
    sqs = FakeSqs(25)
    sqs.undeletable = {"m0"}
    sqs.comes_back = ["m0", "m0"]

    _run(sqs)

    assert _ids(sqs.target).count("e0") == 1


def test_mover_leaves_letters_that_came_in_meanwhile() -> None:
    """An event that fails again at once must not go round and round."""
    sqs = FakeSqs(4, sent_at=NOW + timedelta(seconds=10))

    tally = _run(sqs)

    assert (tally.sent, tally.newer) == (0, 4)
    assert len(sqs.letters) == 4


def test_mover_sends_an_event_that_comes_back_at_once_only_once() -> None:
    """Rejected within the seconds by which two clocks may be apart."""
    sqs = FakeSqs(4, sent_at=NOW + timedelta(seconds=1))
    bodies = dict(sqs.letters)
    sqs.after_delete = lambda: sqs.letters.update(
        {f"again-{name}": body for name, body in bodies.items()}
    )

    tally = _run(sqs)

    assert (tally.sent, tally.newer) == (4, 4)
    assert _ids(sqs.target) == ["e0", "e1", "e2", "e3"]


def test_mover_that_is_stopped_ends_between_two_calls_and_gives_back() -> None:
    sqs, stop = FakeSqs(30), Event()
    sqs.after_send = stop.set

    tally = _run(sqs, stop=stop)

    assert tally.interrupted
    assert tally.sent == len(sqs.target) == 10
    assert len(sqs.letters) == 20
    assert sqs.hidden == set()


def test_mover_counts_of_what_it_sent_what_had_missed_its_deadline() -> None:
    sqs = FakeSqs(5)
    sqs.mark("m0", deadline=moment(hours=-1))
    sqs.mark("m1", deadline=moment(hours=-1))  # a "rejected" one, which is not chosen
    sqs.mark("m2", deadline=moment(hours=1))
    sqs.mark("m4", deadline=moment(hours=-1))
    sqs.refused = {"e4"}  # by SQS

    tally = _run(sqs, Choice(reason="refused"))

    assert (tally.sent, tally.missed) == (2, 1)
