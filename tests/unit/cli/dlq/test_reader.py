"""Reading a queue whose messages come again before all are read."""

from datetime import timedelta
from typing import Any

import pytest

from relay.instants import to_milliseconds
from relay_cli.dlq.reader import VISIBILITY_TIMEOUT, DeadLetterReader
from tests.support.dead_letters import NOW, DeadLetterSqs, Json
from tests.support.memory_queue import State
from tests.support.sqs_shapes import shown


class Revolving(DeadLetterSqs):
    """Returns three of the first messages again in each of the next `times` responses."""

    def __init__(self, number: int, times: int) -> None:
        super().__init__(number)
        self.times = times

    def receive_message(self, **call: Any) -> Json:
        if self.hidden and self.times:
            self.times -= 1
            held = [one for one in self.queue(self.dead) if one.state is State.IN_FLIGHT]
            return {"Messages": [shown(one, ["All"]) for one in held[:3]]}
        return super().receive_message(**call)


def _seen(sqs: DeadLetterSqs) -> list[str]:
    with DeadLetterReader(sqs.client(), sqs.dead) as reader:
        return [dead_letter.message_id for batch in reader.batches() for dead_letter in batch]


def test_reader_goes_on_to_unseen_messages_when_seen_ones_come_again() -> None:
    """A slow redrive of some dead letters takes longer than the others stay hidden."""
    sqs = Revolving(40, times=3)

    assert sorted(_seen(sqs)) == sorted(sqs.ids)


def test_reader_ends_when_only_seen_messages_come() -> None:
    """SQS's count may stay wrong, such as when another consumer holds the rest."""
    sqs = Revolving(40, times=1_000)

    assert len(_seen(sqs)) == 10


@pytest.mark.parametrize(
    ("number", "seconds"), [(25, VISIBILITY_TIMEOUT), (100_000, VISIBILITY_TIMEOUT + 2_000)]
)
def test_reader_hides_the_messages_of_a_large_queue_for_longer(number: int, seconds: int) -> None:
    """They must not come again before the last is read, at 50 a second."""
    sqs = DeadLetterSqs(1)
    sqs.queue(sqs.dead).counts[State.VISIBLE] = number  # all that the reader sees of a queue's size

    with DeadLetterReader(sqs.client(), sqs.dead) as reader:
        next(reader.batches())
        visible_again = sqs.queue(sqs.dead).next_due()

    assert visible_again == to_milliseconds(NOW + timedelta(seconds=seconds))
