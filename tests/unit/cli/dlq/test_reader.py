"""Reading a queue whose messages come again before all are read."""

from typing import Any

import pytest

from relay_cli.dlq.reader import VISIBILITY_TIMEOUT, DeadLetterReader
from tests.support.dead_letters import FakeSqs, Json


class Revolving(FakeSqs):
    """Returns three of the first messages again in each of the next `times` responses."""

    def __init__(self, number: int, times: int) -> None:
        super().__init__(number)
        self.times = times

    def receive_message(self, **call: Any) -> Json:
        if self.hidden and self.times:
            self.times -= 1
            return {"Messages": [self._message(id_) for id_ in sorted(self.hidden)[:3]]}
        return super().receive_message(**call)


def _seen(sqs: FakeSqs) -> list[str]:
    with DeadLetterReader(sqs.client, "dead") as reader:
        return [dead_letter.message_id for batch in reader.batches() for dead_letter in batch]


def test_reader_goes_on_to_unseen_messages_when_seen_ones_come_again() -> None:
    """A slow redrive of some dead letters takes longer than the others stay hidden."""
    sqs = Revolving(40, times=3)

    assert sorted(_seen(sqs)) == sorted(sqs.messages)


def test_reader_ends_when_only_seen_messages_come() -> None:
    """SQS's count may stay wrong, such as when another consumer holds the rest."""
    sqs = Revolving(40, times=1_000_000)

    assert len(_seen(sqs)) == 10


@pytest.mark.parametrize(
    ("number", "seconds"), [(25, VISIBILITY_TIMEOUT), (100_000, VISIBILITY_TIMEOUT + 2_000)]
)
def test_reader_hides_the_messages_of_a_large_queue_for_longer(number: int, seconds: int) -> None:
    """They must not come again before the last is read, at 50 a second."""
    sqs = FakeSqs(1)
    sqs.get_queue_attributes = lambda **_: {  # type: ignore[method-assign] # reports this number
        "Attributes": {"ApproximateNumberOfMessages": str(number)}
    }

    _seen(sqs)

    assert sqs.visibility_timeout == seconds
