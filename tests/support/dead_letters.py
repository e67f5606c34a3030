"""Dead letters as SQS returns them, and a fake SQS in memory that fails on demand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

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


class FakeSqs:
    """A dead-letter queue that hides received messages, and a target queue that keeps sent ones.

    Messages in `redelivered` are received again although they are hidden, as a standard queue may
    do.
    """

    def __init__(self, number: int, sent_at: datetime = NOW) -> None:
        self.messages = {f"m{n}": _numbered(n) for n in range(number)}
        self.sent_at = sent_at
        self.hidden: set[str] = set()
        self.target: list[str] = []
        self.refused: set[str] = set()
        self.undeletable: set[str] = set()
        self.redelivered: list[str] = []
        self.after_send: Callable[[], None] = lambda: None
        self.after_delete: Callable[[], None] = lambda: None
        self.visibility_timeout: int | None = None

    @property
    def client(self) -> "SQSClient":
        return cast("SQSClient", self)

    def update(self, id_: str, **fields: Any) -> None:
        """Writes more fields on a message."""
        self.messages[id_] = json.dumps({**json.loads(self.messages[id_]), **fields})

    def get_queue_attributes(self, **_: Any) -> Json:
        visible = len(self.messages) - len(self.hidden)
        return {"Attributes": {"ApproximateNumberOfMessages": str(visible)}}

    def receive_message(self, **call: Any) -> Json:
        self.visibility_timeout = call["VisibilityTimeout"]
        visible = [id_ for id_ in self.messages if id_ not in self.hidden]
        again = [self.redelivered.pop()] if self.redelivered else []
        taken = (again + visible)[: call["MaxNumberOfMessages"]]
        self.hidden |= set(taken)
        return {"Messages": [self._message(id_) for id_ in taken if id_ in self.messages]}

    def _message(self, id_: str) -> Json:
        return message(self.messages[id_], id_, self.sent_at)

    def send_message_batch(self, **call: Any) -> Json:
        failed = [entry for entry in call["Entries"] if self._is_refused(entry["MessageBody"])]
        self.target += [e["MessageBody"] for e in call["Entries"] if e not in failed]
        self.after_send()
        return {"Failed": [{"Id": e["Id"], "Code": "Refused", "Message": "no"} for e in failed]}

    def _is_refused(self, body: str) -> bool:
        return json.loads(body)["event_id"] in self.refused

    def delete_message_batch(self, **call: Any) -> Json:
        failed = [e for e in call["Entries"] if e["ReceiptHandle"] in self.undeletable]
        for entry in call["Entries"]:
            if entry not in failed:
                del self.messages[entry["ReceiptHandle"]]
                self.hidden.discard(entry["ReceiptHandle"])
        self.after_delete()
        return {"Failed": [{"Id": entry["Id"]} for entry in failed]}

    def change_message_visibility_batch(self, **call: Any) -> Json:
        for entry in call["Entries"]:
            assert entry["VisibilityTimeout"] == 0
            self.hidden.discard(entry["ReceiptHandle"])
        return {}


def _numbered(number: int) -> str:
    event = {"app_id": "id1", "kind": "mobile_event", "event": {}, "event_id": f"e{number}"}
    return json.dumps({**event, **RELAY_FIELDS, "reason": "rejected" if number % 2 else "refused"})
