"""SQS in memory, for whoever uses boto3's client: the same contract tests run against moto's.

Standard queues only, and the calls that the relay, its producers, its pollers and its command make.
Where AWS leaves a choice it is the harsher one: an outdated receipt handle deletes nothing, and
characters that AWS would replace are refused. A long poll does not wait, for the clock stands still
meanwhile.
"""

# ruff: noqa: N803 - the names of parameters are AWS's

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, cast

from relay.instants import to_milliseconds, utc_now
from tests.support.builders import Json
from tests.support.fakes import aws_error
from tests.support.memory_queue import MemoryQueue, Traffic
from tests.support.sqs_rules import (
    LONGEST_VISIBILITY,
    LONGEST_WAIT,
    MOST_ENTRIES,
    PREFIX,
    answer_to_batch,
    problem_of,
    problem_of_batch,
)
from tests.support.sqs_shapes import (
    asked_for,
    attributes_of,
    delete,
    hide,
    md5,
    settings_of,
    shown,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_HOST: Final = "https://sqs.example.com/123456789012/"
_ARN: Final = "arn:aws:sqs:us-east-1:123456789012:"
_CHANGES: Final = ("SendMessage", "ChangeMessageVisibility")
"""How the operations begin after which there may be something to receive sooner than before."""

Fault = Callable[[str], Exception | None]
"""What goes wrong with an operation (`SendMessageBatch`); None when nothing does."""


class MemorySqs:
    """SQS. May be used by several threads at once.

    `duplicates` and `in_flight_limit` are those of `Traffic`, for every queue made from here on.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = utc_now,
        *,
        traffic: Traffic = Traffic(),  # noqa: B008 - a constant
    ) -> None:
        self.traffic = traffic
        self.calls: Counter[str] = Counter()
        """How often each operation was called."""
        self.fails: Fault = lambda operation: None
        """Raised instead of carrying out the call."""
        self.loses_answer: Fault = lambda operation: None
        """Raised after the call was carried out: its caller cannot know."""
        self.refuses: Callable[[Json], bool] = lambda entry: False
        """Entries of a batch that SQS reports as failed, in a call that succeeds."""
        self.on_change: Callable[[], object] = lambda: None
        """Called when a message has been put on a queue, or is to be seen at another moment."""
        self._clock = clock
        self._queues: dict[str, MemoryQueue] = {}
        self._lock = RLock()

    def client(self) -> "SQSClient":
        """This as boto3's client."""
        return cast("SQSClient", self)

    # What only a test can do

    def make_queue(self, name: str, **attributes: str) -> str:
        """Makes a queue; gives its URL."""
        url: str = self.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    def make_pair(
        self, name: str, max_receive_count: int = 10, **attributes: str
    ) -> tuple[str, str]:
        """A queue and its dead-letter queue; gives their URLs."""
        dead = self.make_queue(f"{name}-dead")
        policy = {"deadLetterTargetArn": f"{_ARN}{name}-dead", "maxReceiveCount": max_receive_count}
        return self.make_queue(name, RedrivePolicy=json.dumps(policy), **attributes), dead

    def queue(self, url: str) -> MemoryQueue:
        """What is on a queue, as nobody can see it on AWS."""
        with self._lock:
            queue = self._queues[url]
            queue.turn(self._now())
        return queue

    def put(self, url: str, body: str, group: str | None = None, delay_seconds: int = 0) -> None:
        """Puts a message on a queue, whatever is set to go wrong."""
        with self._lock:
            self._queues[url].put(body, group, delay_seconds, self._now())
        self.on_change()

    def take_all(self, url: str) -> list[str]:
        """Takes off a queue what may be received now, likewise; gives the bodies."""
        with self._lock:
            queue = self.queue(url)
            taken = queue.take(len(queue), None, self._now())
            bodies = [message.body for message in taken]
            for message in taken:
                queue.delete(str(message.handle))
        return bodies

    # SQS's own operations, by boto3's names and shapes

    def create_queue(self, *, QueueName: str, Attributes: Mapping[str, str] | None = None) -> Json:
        given = dict(Attributes or {})
        policy = json.loads(given.pop("RedrivePolicy", "{}"))
        target = policy.get("deadLetterTargetArn", "")
        with self._lock:
            dead = self._queues.get(_HOST + target.removeprefix(_ARN))
            if target and dead is None:
                raise aws_error(f"{PREFIX}NonExistentQueue")
            settings = settings_of(given, int(policy.get("maxReceiveCount", 0)))
            queue = MemoryQueue(_ARN + QueueName, settings, self.traffic, dead)
            self._queues[_HOST + QueueName] = queue
        return {"QueueUrl": _HOST + QueueName}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Sequence[str] = ()) -> Json:
        def answer(queue: MemoryQueue) -> Json:
            queue.turn(self._now())
            return {"Attributes": asked_for(attributes_of(queue), AttributeNames)}

        return self._call("GetQueueAttributes", QueueUrl, answer)

    def send_message(self, *, QueueUrl: str, **entry: Any) -> Json:
        def answer(queue: MemoryQueue) -> Json:
            _refuse(problem_of(entry))
            return self._put(queue, entry)

        return self._call("SendMessage", QueueUrl, answer)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:
        def put(queue: MemoryQueue, entry: Json) -> Json | str:
            return problem_of(entry) or self._put(queue, entry)

        def answer(queue: MemoryQueue) -> Json:
            return self._each(queue, Entries, put)

        return self._call("SendMessageBatch", QueueUrl, answer)

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int = 1,
        VisibilityTimeout: int | None = None,
        WaitTimeSeconds: int | None = None,
        AttributeNames: Sequence[str] = (),
        MessageSystemAttributeNames: Sequence[str] = (),
        MessageAttributeNames: Sequence[str] = (),
    ) -> Json:
        _check_within(MaxNumberOfMessages, 1, MOST_ENTRIES)
        _check_within(WaitTimeSeconds or 0, 0, LONGEST_WAIT)
        _check_within(VisibilityTimeout or 0, 0, LONGEST_VISIBILITY)
        names = (*AttributeNames, *MessageSystemAttributeNames)

        def answer(queue: MemoryQueue) -> Json:
            queue.turn(self._now())
            waits = queue.settings.wait if WaitTimeSeconds is None else WaitTimeSeconds
            if queue.is_full and not waits:
                raise aws_error("OverLimit")
            taken = queue.take(MaxNumberOfMessages, VisibilityTimeout, self._now())
            return {"Messages": [shown(one, names) for one in taken]} if taken else {}

        return self._call("ReceiveMessage", QueueUrl, answer)

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> Json:
        def answer(queue: MemoryQueue) -> Json:
            problem = delete(queue, {"ReceiptHandle": ReceiptHandle})
            if isinstance(problem, str):
                raise aws_error(problem)
            return {}

        return self._call("DeleteMessage", QueueUrl, answer)

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:
        def answer(queue: MemoryQueue) -> Json:
            return self._each(queue, Entries, delete)

        return self._call("DeleteMessageBatch", QueueUrl, answer)

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,
        ReceiptHandle: str,
        VisibilityTimeout: int,
    ) -> Json:
        entry = {"ReceiptHandle": ReceiptHandle, "VisibilityTimeout": VisibilityTimeout}

        def answer(queue: MemoryQueue) -> Json:
            _refuse(hide(queue, entry, self._now()))
            return {}

        return self._call("ChangeMessageVisibility", QueueUrl, answer)

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:
        def change(queue: MemoryQueue, entry: Json) -> Json | str:
            return hide(queue, entry, self._now()) or {}

        def answer(queue: MemoryQueue) -> Json:
            return self._each(queue, Entries, change)

        return self._call("ChangeMessageVisibilityBatch", QueueUrl, answer)

    # How a call is answered

    def _call(self, operation: str, url: str, answer: Callable[[MemoryQueue], Json]) -> Json:
        with self._lock:
            self.calls[operation] += 1
            _raise(self.fails(operation))
            if url not in self._queues:
                raise aws_error(f"{PREFIX}NonExistentQueue")
            content = answer(self._queues[url])
            if operation.startswith(_CHANGES):
                self.on_change()
            _raise(self.loses_answer(operation))
        return content

    def _each(
        self,
        queue: MemoryQueue,
        entries: Sequence[Json],
        do: Callable[[MemoryQueue, Json], Json | str],
    ) -> Json:
        _refuse(problem_of_batch(entries))
        return answer_to_batch(
            entries,
            lambda entry: "InternalError" if self.refuses(entry) else do(queue, entry),
        )

    def _put(self, queue: MemoryQueue, entry: Json) -> Json:
        body = entry["MessageBody"]
        group, delay = entry.get("MessageGroupId"), entry.get("DelaySeconds")
        message = queue.put(body, group, delay, self._now())
        return {"MessageId": message.id, "MD5OfMessageBody": md5(body)}

    def _now(self) -> int:
        return to_milliseconds(self._clock())


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _refuse(code: str | None) -> None:
    if code:
        raise aws_error(code)


def _check_within(number: int, least: int, most: int) -> None:
    """Refuses a parameter out of its bounds."""
    _refuse(None if least <= number <= most else "InvalidParameterValue")
