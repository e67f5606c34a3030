"""Event source mappings receive messages, invoke the function and delete messages like Lambda."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from relay_sandbox.deployment.stack import EventSource
from relay_sandbox.lambda_runtime.execution import Invocation
from relay_sandbox.lambda_runtime.pollers import Poller
from relay_sandbox.lambda_runtime.runtime_api import MAX_PAYLOAD_BYTES, FunctionError
from relay_sandbox.local_aws.aws import LocalAws

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("local AWS"),  # shared by all of them
]

Handler = Callable[[list[Any]], object]


@dataclass
class RecordingFunction:
    """A function in this process that remembers its batches; `handler` makes its result."""

    handler: Handler
    batches: list[list[Any]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def invoke(self, event: Any) -> Invocation:
        self.batches.append(event["Records"])
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await self.free.wait()
        self.running -= 1
        result = self.handler(event["Records"])
        error = result if isinstance(result, FunctionError) else None
        return Invocation("1", None if error else result, error, "")

    def bodies(self) -> list[str]:
        return [record["body"] for batch in self.batches for record in batch]


@dataclass
class PolledQueue:
    """A queue with an event source mapping, and its dead-letter queue."""

    aws: LocalAws
    url: str
    dead_letters: str
    function: RecordingFunction

    async def send(self, *bodies: str) -> None:
        for body in bodies:
            await self.aws.call(self.aws.sqs.send_message, QueueUrl=self.url, MessageBody=body)

    async def left(self, url: str | None = None) -> int:
        response = await self.aws.call(
            self.aws.sqs.get_queue_attributes, QueueUrl=url or self.url, AttributeNames=["All"]
        )
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        numbers: dict[Any, str] = {**response["Attributes"]}
        return sum(int(numbers[name]) for name in names)


async def until(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; it may be a coroutine function."""
    async with asyncio.timeout(20):
        while True:
            holds = condition()
            if await holds if asyncio.iscoroutine(holds) else holds:
                return
            await asyncio.sleep(0.02)


async def queue_with_dead_letters(aws: LocalAws, visibility_seconds: int) -> tuple[str, str]:
    name = uuid.uuid4().hex
    dead_letters = (await aws.call(aws.sqs.create_queue, QueueName=f"{name}-dead"))["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:123456789012:{name}-dead"
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    attributes: Any = {
        "VisibilityTimeout": str(visibility_seconds),
        "RedrivePolicy": redrive,
    }
    made = await aws.call(aws.sqs.create_queue, QueueName=name, Attributes=attributes)
    return made["QueueUrl"], dead_letters


@contextlib.asynccontextmanager
async def polled(
    aws: LocalAws,
    handler: Handler = lambda _: None,
    *bodies: str,
    batch_size: int = 10,
    window_seconds: float = 0.0,
    visibility_seconds: int = 60,
    reports: bool = True,
    limit: int = 1,
    blocked: bool = False,
) -> AsyncIterator[PolledQueue]:
    """Poll a queue that contains these messages from the start."""
    url, dead_letters = await queue_with_dead_letters(aws, visibility_seconds)
    function = RecordingFunction(handler)
    if not blocked:
        function.free.set()
    source = EventSource("worker", url, "arn:aws:sqs:x", batch_size, window_seconds, reports, None)
    setup = PolledQueue(aws, url, dead_letters, function)
    await setup.send(*bodies)
    poller = Poller(aws, source, function, limit=limit, window_seconds=window_seconds)
    task = asyncio.create_task(poller.run())
    try:
        yield setup
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_poller_hands_a_message_over_and_deletes_it(aws: LocalAws) -> None:
    async with polled(aws) as setup:
        await setup.send("hello")
        await until(lambda: setup.function.bodies() == ["hello"])

        async def gone() -> bool:
            return await setup.left() == 0

        await until(gone)

    (record,) = setup.function.batches[0]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= (
        record["attributes"].keys()
    )


async def test_poller_message_group_and_attributes_reach_the_function(aws: LocalAws) -> None:
    async with polled(aws) as setup:
        await aws.call(
            aws.sqs.send_message,
            QueueUrl=setup.url,
            MessageBody="hello",
            MessageGroupId="id123456789",
            MessageAttributes={"tenant": {"DataType": "String", "StringValue": "shop"}},
        )
        await until(setup.function.bodies)

    (record,) = setup.function.batches[0]
    assert record["attributes"]["MessageGroupId"] == "id123456789"
    assert record["messageAttributes"]["tenant"]["stringValue"] == "shop"
    assert record["md5OfMessageAttributes"]


async def test_poller_deletes_all_but_the_failures_reported(aws: LocalAws) -> None:
    def only_bad_fails(records: list[Any]) -> object:
        bad = [r["messageId"] for r in records if r["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}

    async with polled(aws, only_bad_fails, "good", "bad", "fine") as setup:

        async def one_left() -> bool:
            return await setup.left() == 1

        await until(one_left)


async def test_poller_failed_message_comes_back_and_ends_in_the_dead_letter_queue(
    aws: LocalAws,
) -> None:
    def fail(records: list[Any]) -> object:
        return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in records]}

    async with polled(aws, fail, "bad", visibility_seconds=1) as setup:

        async def one_is_dead() -> bool:
            return await setup.left(setup.dead_letters) == 1

        await until(one_is_dead)

    receives = [b[0]["attributes"]["ApproximateReceiveCount"] for b in setup.function.batches]
    assert receives == ["1", "2"]


@pytest.mark.parametrize(
    "result",
    [FunctionError("KeyError", "'x'"), {"batchItemFailures": [{"itemIdentifier": ""}]}],
    ids=["function error", "malformed result"],
)
async def test_poller_batch_that_failed_whole_stays_on_the_queue(
    aws: LocalAws, result: object
) -> None:
    async with polled(aws, lambda _: result, "a", "b", "c") as setup:
        await until(lambda: len(setup.function.bodies()) == 3)
        await until(lambda: setup.function.running == 0)

        assert await setup.left() == 3


async def test_poller_without_partial_responses_deletes_the_batch_whatever_the_result(
    aws: LocalAws,
) -> None:
    result = {"batchItemFailures": [{"itemIdentifier": ""}]}
    async with polled(aws, lambda _: result, "a", "b", reports=False) as setup:

        async def gone() -> bool:
            return await setup.left() == 0

        await until(gone)


async def test_poller_fills_a_batch_with_several_receives_within_the_window(
    aws: LocalAws,
) -> None:
    bodies = [str(number) for number in range(25)]
    async with polled(aws, lambda _: None, *bodies, batch_size=20, window_seconds=5) as setup:
        await until(lambda: len(setup.function.bodies()) >= 20)

    assert len(setup.function.batches[0]) == 20


async def test_poller_window_ends_a_batch_that_is_not_full(aws: LocalAws) -> None:
    async with polled(aws, lambda _: None, "a", "b", batch_size=20, window_seconds=0.2) as setup:
        await until(setup.function.bodies)

    assert len(setup.function.batches[0]) == 2


async def test_poller_event_never_exceeds_6_mb_and_nothing_is_lost(aws: LocalAws) -> None:
    bodies = [f"{number}{'x' * 1_000_000}" for number in range(8)]
    async with polled(aws, lambda _: None, *bodies, batch_size=10, window_seconds=1) as setup:
        await until(lambda: len(setup.function.bodies()) == 8)

    sizes = [len(json.dumps({"Records": batch})) for batch in setup.function.batches]
    assert max(sizes) <= MAX_PAYLOAD_BYTES
    assert sorted(setup.function.bodies()) == sorted(bodies)


async def test_poller_has_no_more_invocations_under_way_than_its_limit(aws: LocalAws) -> None:
    bodies = [str(number) for number in range(6)]
    async with polled(aws, lambda _: None, *bodies, batch_size=1, limit=2, blocked=True) as setup:
        await until(lambda: setup.function.running == 2)
        setup.function.free.set()
        await until(lambda: len(setup.function.bodies()) == 6)

    assert setup.function.most_running == 2
