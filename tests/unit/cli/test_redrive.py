"""The mover, over a queue in memory that misbehaves on demand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from relay_cli.dead_letters import Choice
from relay_cli.mailbox import HIDDEN_SECONDS, Mailbox
from relay_cli.redrive import Mover, Tally

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeSqs:
    """A dead-letter queue whose messages hide when received, and a target that keeps what comes.

    `comes_back` are received again although they are hidden, as happens on a standard queue.
    """

    def __init__(self, number: int, sent_at: datetime = NOW) -> None:
        self.letters = {f"m{n}": _letter(n) for n in range(number)}
        self.sent_at = sent_at
        self.hidden: set[str] = set()
        self.target: list[str] = []
        self.refused: set[str] = set()
        self.undeletable: set[str] = set()
        self.comes_back: list[str] = []
        self.after_send: Callable[[], None] = lambda: None

    def get_queue_attributes(self, **_: Any) -> Json:
        visible = len(self.letters) - len(self.hidden)
        return {"Attributes": {"ApproximateNumberOfMessages": str(visible)}}

    def receive_message(self, **call: Any) -> Json:
        assert call["VisibilityTimeout"] == HIDDEN_SECONDS
        visible = [id_ for id_ in self.letters if id_ not in self.hidden]
        again = [self.comes_back.pop()] if self.comes_back else []
        taken = (again + visible)[: call["MaxNumberOfMessages"]]
        self.hidden |= set(taken)
        return {"Messages": [self._message(id_) for id_ in taken if id_ in self.letters]}

    def _message(self, id_: str) -> Json:
        sent = str(int(self.sent_at.timestamp() * 1000))
        attributes = {"SentTimestamp": sent}
        body = self.letters[id_]
        return {"MessageId": id_, "ReceiptHandle": id_, "Body": body, "Attributes": attributes}

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
                del self.letters[entry["ReceiptHandle"]]
                self.hidden.discard(entry["ReceiptHandle"])
        return {"Failed": [{"Id": entry["Id"]} for entry in failed]}

    def change_message_visibility_batch(self, **call: Any) -> Json:
        for entry in call["Entries"]:
            assert entry["VisibilityTimeout"] == 0
            self.hidden.discard(entry["ReceiptHandle"])
        return {}


def _letter(number: int) -> str:
    letter = {"app_id": "id1", "kind": "mobile_event", "event": {}, "event_id": f"e{number}"}
    return json.dumps({**letter, "reason": "rejected" if number % 2 else "refused"})


def _run(sqs: FakeSqs, choice: Choice | None = None, stop: Event | None = None) -> Tally:
    client = cast("SQSClient", sqs)
    mailbox = Mailbox(client, "dead")
    mover = Mover(mailbox, client, "target", choice or Choice(), NOW, None, stop or Event())
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


def test_mover_that_is_stopped_ends_between_two_calls_and_gives_back() -> None:
    sqs, stop = FakeSqs(30), Event()
    sqs.after_send = stop.set

    tally = _run(sqs, stop=stop)

    assert tally.interrupted
    assert tally.sent == len(sqs.target) == 10
    assert len(sqs.letters) == 20
    assert sqs.hidden == set()
