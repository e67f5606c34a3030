"""AWS fails the forwarder in every way, for a while: nothing is lost, and no money is doubled.

The real clients, as `composition` makes them, speak to moto by way of what fails their calls.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from botocore.config import Config

from relay import composition
from relay.aws import parameter_store
from relay.domain.kinds import Surface
from relay_sandbox.lambda_runtime.sqs_events import Record, sqs_record
from relay_sandbox.stand_in import Fault
from tests.faults.aws_front import DYNAMODB, PARAMETER_STORE, SENDING, AwsFault
from tests.faults.conftest import Saw, Scale
from tests.faults.deployment import Deployed, Deployment
from tests.faults.ledger import Heard, make_order, overheard, recorded_in

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("local aws"),  # one for all of them
]

REMAINING_SECONDS = 85.0
SETTLE_SECONDS = 120
LEAST_EVENTS = 27
"""Of fewer, no batch is large enough for a fault to strike a part of it."""
IMPATIENT_SECONDS = 0.3
LATE = Fault(status=503, every=3)
"""So that some of the events have to wait."""
QUICK = {"RELAY_RETRY_SCHEDULE_SECONDS": ",".join(["0.1"] * 20), "RELAY_HOLD_SECONDS": "1"}


class Fed:
    """The forwarder of this process, and the mapping that feeds it, one batch at a time."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.orders: set[str] = set()
        self._source = deployment.source(Surface.MOBILE)
        self._forwarder = composition.forwarder(Surface.MOBILE)

    async def hand_in(self, name: str, count: int, *, paid: bool = True) -> None:
        """Puts so many orders on the queue."""
        orders = [make_order(Surface.MOBILE, f"{name}-{n}", paid=paid) for n in range(count)]
        self.orders |= {order["event_id"] for order in orders}
        await self.deployment.hand_in(Surface.MOBILE, orders)

    async def round(self, fault: AwsFault | None = None) -> int:
        """Hands in what waits, batch by batch, under a fault; gives how much that was.

        What failed comes back for the next one, and by then no claim is left over.
        """
        records = await self._received()
        self.deployment.front.fail(fault)
        failed = set[str]()
        for start in range(0, len(records), self._source.batch_size):
            batch = records[start : start + self._source.batch_size]
            failed |= set(await self._forwarder.forward(batch, lambda: REMAINING_SECONDS))
        self.deployment.front.fail(None)
        await self.deployment.quiet()
        await self.deployment.end_claims()
        await self._delete([one for one in records if one["messageId"] not in failed])
        await self.deployment.show_again(
            Surface.MOBILE, [one for one in records if one["messageId"] in failed]
        )
        return len(records)

    async def until_settled(self) -> None:
        """Goes on until nothing waits any more."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while await self.deployment.waiting(Surface.MOBILE):
                if not await self.round():
                    await asyncio.sleep(0.1)  # what waits is delayed for up to a second

    def recorded(self) -> Counter[str]:
        """How often AppsFlyer recorded each event."""
        return recorded_in(self.deployment.stand_in.ledger)

    async def _received(self) -> list[Record]:
        """All that can be seen now."""
        sqs, records = self.deployment.aws.sqs, list[Record]()
        while True:
            answer = await self.deployment.aws.call(
                sqs.receive_message,
                QueueUrl=self._source.queue_url,
                MaxNumberOfMessages=10,
                AttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                return records
            records += [sqs_record(message, self._source.queue_arn) for message in messages]

    async def _delete(self, records: list[Record]) -> None:
        for start in range(0, len(records), 10):
            await self.deployment.aws.call(
                self.deployment.aws.sqs.delete_message_batch,
                QueueUrl=self._source.queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                    for number, record in enumerate(records[start : start + 10])
                ],
            )


@asynccontextmanager
async def feeding(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fed]:
    """A forwarder made as in its function."""
    deployment = Deployment(deployed)
    async with deployment.up(**QUICK):
        for name, value in deployment.settings(Surface.MOBILE).environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", deployment.front_url)
        composition.forwarder.cache_clear()
        yield Fed(deployment)
        composition.forwarder.cache_clear()


def be_impatient_with_dynamodb(patch: pytest.MonkeyPatch) -> None:
    """A call that hangs does so for a moment only; the other services have their time."""
    patch.setattr(composition, "READ_SECONDS", IMPATIENT_SECONDS)


def be_impatient_with_boto3(patch: pytest.MonkeyPatch) -> None:
    """As above, for all that boto3 calls."""
    config = composition._AWS.merge(Config(read_timeout=IMPATIENT_SECONDS))  # noqa: SLF001 - no setting
    patch.setattr(composition, "_AWS", config)


def faults_of(service: str, *codes: str) -> list[AwsFault]:
    """All calls are refused with codes of AWS's, the service is down, it resets, it hangs."""
    entirely = [AwsFault(service, code) for code in codes]
    down = AwsFault(service, "ServiceUnavailable", status=503)
    return [*entirely, down, AwsFault(service, "reset"), AwsFault(service, "hang")]


def figures(heard: Heard) -> dict[str, int]:
    """What the table shows of what was said."""
    names = ("Deferred", "HandedBack", "Held", "Duplicate", "Unremembered")
    return {name: heard.counted[name] for name in names}


async def endure(fed: Fed, faults: list[AwsFault], count: int) -> None:
    """A round under each fault, with new orders in each; then all is well again."""
    for number, fault in enumerate(faults):
        failed = fed.deployment.front.failed
        await fed.hand_in(f"order-{number}", count // len(faults))
        await fed.round(fault)
        assert fed.deployment.front.failed > failed, fault
    await fed.until_settled()


async def test_parameter_store_that_fails_delays_events_and_loses_none(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, scale: Scale, saw: Saw
) -> None:
    faults = faults_of(PARAMETER_STORE, "ThrottlingException", "AccessDeniedException")
    be_impatient_with_boto3(monkeypatch)
    # It would rest after the first fault, and meet none of the others.
    monkeypatch.setattr(parameter_store, "REREAD_SECONDS", 0.0)
    with overheard() as heard:
        async with feeding(deployed, monkeypatch) as fed:
            await endure(fed, faults, scale.events)
            letters = await fed.deployment.letters(Surface.MOBILE)

    assert fed.recorded() == Counter(fed.orders)
    assert (letters, heard().in_doubt, heard().counted["Unexpected"]) == ([], {}, 0)
    saw(events=len(fed.orders), recorded=len(fed.recorded()), **figures(heard()))


async def test_deliveries_table_that_fails_delays_money_and_loses_none(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, scale: Scale, saw: Saw
) -> None:
    faults = faults_of(DYNAMODB, "ThrottlingException", "AccessDeniedException")
    partly = ("ProvisionedThroughputExceededException", "reset", "lost")
    faults += [AwsFault(DYNAMODB, how, share=2) for how in partly]
    faults += [AwsFault(DYNAMODB, "part")]
    be_impatient_with_dynamodb(monkeypatch)
    with overheard() as heard:
        async with feeding(deployed, monkeypatch) as fed:
            fed.deployment.stand_in.faults.add([LATE])
            await endure(fed, faults, max(scale.events, LEAST_EVENTS))
            letters = await fed.deployment.letters(Surface.MOBILE)

    said = heard()
    again = fed.recorded() - Counter(fed.orders)
    assert fed.recorded().keys() == fed.orders
    assert again.total() <= said.counted["Unremembered"]  # SQS itself may have given it out twice
    assert (letters, said.in_doubt, said.counted["Unexpected"]) == ([], {}, 0)
    saw(events=len(fed.orders), recorded=len(fed.recorded()), **figures(said))


async def test_deliveries_table_that_is_down_does_not_stop_what_carries_no_money(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with feeding(deployed, monkeypatch) as fed:
        await fed.hand_in("free", 5, paid=False)
        await fed.hand_in("paid", 5)
        await fed.round(AwsFault(DYNAMODB, "ServiceUnavailable", status=503))
        meanwhile = set(fed.recorded())
        await fed.until_settled()

    assert meanwhile == {f"free-{number}" for number in range(5)}
    assert fed.recorded() == Counter(fed.orders)


async def test_queue_that_takes_nothing_or_a_part_loses_nothing(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, scale: Scale, saw: Saw
) -> None:
    """What could not be put back to wait comes back by itself."""
    faults = [AwsFault(SENDING, "part"), *faults_of(SENDING, "RequestThrottled", "AccessDenied")]
    faults += [AwsFault(SENDING, "lost"), AwsFault(SENDING, "part", share=2)]
    be_impatient_with_boto3(monkeypatch)
    with overheard() as heard:
        async with feeding(deployed, monkeypatch) as fed:
            fed.deployment.stand_in.faults.add([LATE])
            await endure(fed, faults, max(scale.events, LEAST_EVENTS))
            letters = await fed.deployment.letters(Surface.MOBILE)

    assert fed.recorded() == Counter(fed.orders)
    assert (letters, heard().in_doubt, heard().counted["Unexpected"]) == ([], {}, 0)
    saw(events=len(fed.orders), recorded=len(fed.recorded()), **figures(heard()))
