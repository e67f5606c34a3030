"""Looking through a queue whose letters come round again before it is over."""

from typing import Any

import pytest

from relay_cli.dlq.reader import HIDDEN_SECONDS, Mailbox
from tests.letters import FakeSqs, Json


class Revolving(FakeSqs):
    """Once some were seen, shows three of those again in each of its next `times` answers."""

    def __init__(self, number: int, times: int) -> None:
        super().__init__(number)
        self.times = times

    def receive_message(self, **call: Any) -> Json:
        if self.hidden and self.times:
            self.times -= 1
            return {"Messages": [self._message(id_) for id_ in sorted(self.hidden)[:3]]}
        return super().receive_message(**call)


def _seen(sqs: FakeSqs) -> list[str]:
    with Mailbox(sqs.client, "dead") as mailbox:
        return [letter.message_id for batch in mailbox.batches() for letter in batch]


def test_mailbox_letters_that_come_round_again_do_not_end_the_look_at_the_others() -> None:
    """A slow redrive of some letters takes longer than the others stay hidden."""
    sqs = Revolving(40, times=3)

    assert sorted(_seen(sqs)) == sorted(sqs.letters)


def test_mailbox_where_only_seen_letters_come_ends_nevertheless() -> None:
    """SQS's count may be wrong for good, as where somebody else has the rest in hand."""
    sqs = Revolving(40, times=1_000_000)

    assert len(_seen(sqs)) == 10


@pytest.mark.parametrize(
    ("number", "seconds"), [(25, HIDDEN_SECONDS), (100_000, HIDDEN_SECONDS + 2_000)]
)
def test_mailbox_hides_the_letters_of_a_large_queue_for_longer(number: int, seconds: int) -> None:
    """They must not come round before the last is seen: 50 a second are expected."""
    sqs = FakeSqs(1)
    sqs.get_queue_attributes = lambda **_: {  # type: ignore[method-assign] # a queue that says so
        "Attributes": {"ApproximateNumberOfMessages": str(number)}
    }

    _seen(sqs)

    assert sqs.hidden_seconds == seconds
