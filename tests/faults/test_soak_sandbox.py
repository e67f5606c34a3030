"""The soak through the whole system: functions under Lambda's runtime, and moto as their AWS."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from relay.domain.kinds import Surface
from relay_sandbox.sandbox import Sandbox, SandboxOptions
from relay_sandbox.stand_in import Fault
from tests.faults.balance import Balance, Plan
from tests.faults.conftest import Saw, Scale
from tests.faults.listening import Heard

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("soak in the sandbox"),
]

BACKLOG = 60
"""Messages on a queue: moto is slow with many."""
SETTLE_SECONDS = 300
_A_CALL = 10

WAYS: tuple[dict[str, Any], ...] = (
    {"status": 429, "retry_after": 1},
    {"status": 503},
    {"status": 500},
    {"reset": True},
    {"garbage": True},
    {"time_out": True},
    {"status": 502, "recorded": "after"},
    {"status": 408, "recorded": "after"},
    {"reset": True, "recorded": "after"},
    {"garbage": True, "recorded": "after"},
    {"time_out": True, "recorded": "after"},
)
OFTEN = (31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73)
"""Each way strikes one call in so many: together about one in five."""
SELDOM = (199, 211, 223, 227, 229, 233, 239, 241, 251, 257, 263)
"""Together about one in twenty."""
REFUSAL = Fault(status=400, body="Bad request", event_name="refused")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    options = SandboxOptions(
        work_dir=tmp_path_factory.mktemp("relay"),
        retry_schedule="0.2,0.5,1,2,4,8,8,8",
        parameters={"ReadTimeoutSeconds": "1"},
    )
    async with Sandbox(options) as running:
        yield running


class Side:
    """One surface's half of the soak."""

    def __init__(self, sandbox: Sandbox, surface: Surface, count: int) -> None:
        self.surface = surface
        self.plan = Plan(surface, count, apps=sandbox.ready["apps"][surface.value])
        self.balance = Balance(self.plan)
        self._sandbox = sandbox
        self._queue = sandbox.ready[f"{surface.value}_queue"]
        self._dead = sandbox.ready[f"{surface.value}_dlq"]

    async def feed(self) -> None:
        """Hands in what is planned, no more at once than moto can take."""
        batch: list[dict[str, Any]] = []
        for entry in self._entries():
            batch.append({"Id": str(len(batch)), **entry})
            if len(batch) == _A_CALL:
                await self._send(batch)
                batch = []
        await self._send(batch)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for number in range(self.plan.count):
            for telling, (envelope, cents) in enumerate(self.plan.tellings(number)):
                self.balance.hand_in(number, cents)
                yield {"MessageBody": json.dumps(envelope), "DelaySeconds": telling * (number % 3)}

    async def _send(self, batch: list[dict[str, Any]]) -> None:
        aws = self._sandbox.aws
        while await self._waiting() > BACKLOG:  # noqa: ASYNC110 - moto tells nobody
            await asyncio.sleep(0.1)
        if batch:
            answer = await aws.call(
                aws.sqs.send_message_batch,
                QueueUrl=self._queue,
                Entries=batch,  # type: ignore[arg-type] # of strings and numbers, as it wants
            )
            assert not answer.get("Failed")

    async def _waiting(self) -> int:
        aws = self._sandbox.aws
        answer = await aws.call(
            aws.sqs.get_queue_attributes, QueueUrl=self._queue, AttributeNames=["All"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    async def close_the_books(self) -> None:
        """Writes down what AppsFlyer got, and the dead letters."""
        for entry in self._sandbox.stand_in.ledger:
            payload = entry.payload
            if Surface.of(entry.kind) is self.surface and isinstance(payload, dict):
                said_so = entry.status is not None and entry.status < 300
                self.balance.note(payload, recorded=entry.recorded, said_so=said_so)
        sqs, call = self._sandbox.aws.sqs, self._sandbox.aws.call
        while messages := (
            await call(sqs.receive_message, QueueUrl=self._dead, MaxNumberOfMessages=_A_CALL)
        ).get("Messages"):
            for message in messages:
                self.balance.dead_letter(json.loads(message["Body"]))
                handle = message["ReceiptHandle"]
                await call(sqs.delete_message, QueueUrl=self._dead, ReceiptHandle=handle)

    @property
    def counted(self) -> Heard:
        """What the function said."""
        heard = Heard(keeps_text=False)
        log = self._sandbox.logs / f"forward_{self.surface.value}.log"
        heard.write(log.read_text(encoding="utf-8"))
        return heard


@pytest.mark.full_only  # a sandbox of its own; test_all_the_way.py shares one
async def test_soak_through_the_sandbox_loses_and_doubles_nothing(
    sandbox: Sandbox, scale: Scale, saw: Saw
) -> None:
    sides = [Side(sandbox, surface, scale.sandbox // 2) for surface in Surface]
    every = SELDOM if scale.sandbox >= 1_000 else OFTEN
    sandbox.stand_in.faults.add(
        [REFUSAL, *(Fault(**way, every=one) for way, one in zip(WAYS, every, strict=True))]
    )

    await asyncio.gather(*(side.feed() for side in sides))
    assert await sandbox.settled(SETTLE_SECONDS)

    faults = sum(entry.fault is not None for entry in sandbox.stand_in.ledger)
    for side in sides:
        await side.close_the_books()
        side.balance.check()
        side.balance.check_money()
        side.balance.check_doubled()
        heard = side.counted
        assert heard.unexpected == []
        assert heard.counted["Duplicate"] == side.plan.duplicates
        extra = sum(side.balance.recorded[number] - 1 for number in side.balance.doubled)
        assert extra <= heard.counted["Uncertain"]
    assert faults > scale.sandbox / 30
    saw(
        events=scale.sandbox,
        faults=faults,
        delivered=sum(sum(side.balance.accepted) for side in sides),
        dead_letters=sum(sum(side.balance.dead) for side in sides),
        duplicates=sum(side.plan.duplicates for side in sides),
        doubled=sum(len(side.balance.doubled) for side in sides),
    )
