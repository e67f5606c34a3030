"""Dead letters as SQS returns them, and SQS in memory with a queue of them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.memory_queue import State, Traffic
from tests.support.memory_sqs import MemorySqs

Json = dict[str, Any]
NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENVELOPE: Final = {"app_id": "id1", "kind": "mobile_event", "event": {"eventName": "a"}}
RELAY_FIELDS: Final = {
    "reason": "rejected",
    "outcome": "rejected",
    "dead_since": "2026-11-22T12:00:00.000Z",
}
"""Fields that the relay writes on every dead letter."""


def message(content: Any, message_id: str = "message-1", sent_at: datetime = NOW) -> Json:
    """An SQS message; `content` is the body itself, or a value to write as JSON."""
    return {
        "MessageId": message_id,
        "ReceiptHandle": message_id,
        "Body": content if isinstance(content, str) else json.dumps(content),
        "Attributes": {"SentTimestamp": str(int(sent_at.timestamp() * 1000))},
    }


def moment(**apart: float) -> str:
    """A time relative to NOW, in the form of dead letters."""
    return f"{NOW + timedelta(**apart):%Y-%m-%dT%H:%M:%S}.000Z"


class DeadLetterSqs(MemorySqs):
    """SQS with a queue and its dead-letter queue; on that, `number` dead letters of the relay's.

    They are known by their event ids: `e0`, `e1` ... All came in at `sent_at`, where the clock
    stands still.
    """

    def __init__(
        self,
        number: int = 0,
        sent_at: datetime = NOW,
        traffic: Traffic = Traffic(),  # noqa: B008 - a constant
    ) -> None:
        super().__init__(lambda: sent_at, traffic=traffic)
        self.target, self.dead = self.make_pair("mobile", max_receive_count=1)
        for one in range(number):
            self.add(one)

    def add(self, number: int, **fields: Any) -> None:
        """Puts one more dead letter on its queue: the even ones were refused, the odd rejected."""
        self.put(self.dead, json.dumps({**_numbered(number), **fields}))

    def move_by_itself(self, body: str) -> None:
        """Has SQS move a message, which was received once too often."""
        self.put(self.target, body)
        for _ in range(2):
            self.receive_message(QueueUrl=self.target, VisibilityTimeout=0)

    @property
    def ids(self) -> set[str]:
        """The message ids of all dead letters, hidden or not."""
        return {one.id for one in self.queue(self.dead)}

    @property
    def letters(self) -> list[str]:
        """The event ids of all dead letters, hidden or not."""
        return sorted(event_id_of(one.body) for one in self.queue(self.dead))

    @property
    def hidden(self) -> int:
        """How many dead letters are hidden."""
        return self.queue(self.dead).counts[State.IN_FLIGHT]

    def sent(self) -> list[str]:
        """The event ids on the target queue, in their order; it is emptied."""
        return [event_id_of(body) for body in self.take_all(self.target)]

    def refuse_to_send(self, *event_ids: str) -> None:
        """Has SQS take other events only."""
        self.refuses = lambda entry: (
            "MessageBody" in entry and event_id_of(entry["MessageBody"]) in event_ids
        )

    def refuse_to_delete(self, *event_ids: str) -> None:
        """Has SQS delete other dead letters only."""
        self.refuses = lambda entry: (
            not {"MessageBody", "VisibilityTimeout"} & entry.keys()
            and self._event_id_by(entry["ReceiptHandle"]) in event_ids
        )

    def _event_id_by(self, handle: str) -> str | None:
        bodies = [one.body for one in self.queue(self.dead) if one.handle == handle]
        return event_id_of(bodies[0]) if bodies else None

    def after(self, operation: str, do: Callable[[], None]) -> None:
        """Does something after each call of an operation; its answer is not lost."""

        def fault(called: str) -> None:
            if called == operation:
                do()

        self.loses_answer = fault


def event_id_of(body: str) -> str:
    """The event id in a message."""
    return str(json.loads(body)["event_id"])


def _numbered(number: int) -> Json:
    event = {"app_id": "id1", "kind": "mobile_event", "event": {}, "event_id": f"e{number}"}
    return {**event, **RELAY_FIELDS, "reason": "rejected" if number % 2 else "refused"}
