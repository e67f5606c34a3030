"""The template's resources in the local AWS, between the functions and AppsFlyer's stand-in.

They are deployed once; what a test wants otherwise stands in the function's environment. What a
queue or a table would keep back for minutes is not waited for: where no process is at work, a test
says that the time is over.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from relay.domain.kinds import Surface
from relay.stores.deliveries import delivery_key
from relay_sandbox.deployment.stack import EventSource, FunctionSettings, Stack, deploy
from relay_sandbox.http.server import Server
from relay_sandbox.local_aws.aws import LocalAws
from relay_sandbox.stand_in import Account, StandIn
from tests.faults.aws_front import AwsFront
from tests.faults.watching import Watched, quiet
from tests.support.builders import MOBILE_APP, WEB_APP, Json
from tests.support.template import sam_template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs.literals import QueueAttributeFilterType

_A_CALL: Final = 10
_TOKEN: Final = "s2s-key-1"
_APPS: Final = {Surface.MOBILE: MOBILE_APP, Surface.WEB: WEB_APP}

# Dead-letter queues first: the others name them.
_QUEUES: Final = ("MobileDeadLetterQueue", "WebDeadLetterQueue", "MobileQueue", "WebQueue")
_ATTRIBUTES: Final[Sequence["QueueAttributeFilterType"]] = (
    "MessageRetentionPeriod",
    "RedrivePolicy",
    "VisibilityTimeout",
)

_T = TypeVar("_T")


class Deployed(NamedTuple):
    """A local AWS, and what is in it."""

    aws: LocalAws
    stack: Stack


class Deployment:
    """What the functions work between. `front` stands before AWS for them, not for the test."""

    def __init__(self, deployed: Deployed) -> None:
        self.aws, self.stack = aws, _ = deployed
        self.stand_in = StandIn(
            Account.model_validate({"app_id": app_id, "kind": surface, "tokens": [_TOKEN]})
            for surface, app_id in _APPS.items()
        )
        self.front = AwsFront(aws.url)
        self.watched_aws = Watched(self.front.handle, "call", "return")
        self.watched_appsflyer = Watched(self.stand_in.handle, "request", "answer")
        self.front_url = ""
        self._variables: Mapping[str, str] = {}

    @asynccontextmanager
    async def up(self, **variables: str) -> AsyncIterator[None]:
        """Serves while the block runs, functions with these variables; then all is forgotten."""
        async with AsyncExitStack() as parts:
            parts.push_async_callback(self.aws.call, self._forget)
            parts.push_async_callback(self.front.aclose)
            front = await parts.enter_async_context(Server(self.watched_aws.handle))
            appsflyer = await parts.enter_async_context(Server(self.watched_appsflyer.handle))
            self.front_url = front.url
            self._variables = {"RELAY_APPSFLYER_URL": appsflyer.url, **variables}
            yield

    def _forget(self) -> None:
        """Makes what holds anything anew: a poller that has been stopped may still ask the old."""
        for name in _QUEUES:
            url = self.stack.queues[name]
            found = self.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_ATTRIBUTES)
            self.aws.sqs.delete_queue(QueueUrl=url)
            attributes = found["Attributes"]
            self.aws.sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes=attributes)
        table = self._dynamodb.describe_table(TableName=self._deliveries)["Table"]
        self._dynamodb.delete_table(TableName=self._deliveries)
        self._dynamodb.create_table(
            TableName=self._deliveries,
            KeySchema=table["KeySchema"],
            AttributeDefinitions=table["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
        )

    # The function

    def settings(self, surface: Surface) -> FunctionSettings:
        """A forwarder as deployed, but for what this test wants; its queues behind the front."""
        settings = self.stack.functions[f"forward_{surface}"]
        environment = {
            name: value.replace(self.aws.url, self.front_url)
            for name, value in settings.environment.items()
        }
        assert self._variables.keys() <= environment.keys(), "there are no such variables"
        return replace(settings, environment={**environment, **self._variables})

    async def quiet(self) -> None:
        """Waits until nothing is under way that a function has asked for."""
        await quiet(self.watched_aws, self.watched_appsflyer)

    # Its queue

    def source(self, surface: Surface) -> EventSource:
        """The mapping that feeds a forwarder."""
        name = f"forward_{surface}"
        return next(one for one in self.stack.event_sources if one.function == name)

    async def hand_in(self, surface: Surface, envelopes: Sequence[Json]) -> None:
        """Puts envelopes on a forwarder's queue, as a producer does."""
        for part in _in_calls(envelopes):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps(one), "MessageGroupId": one["app_id"]}
                for number, one in enumerate(part)
            ]
            await self.aws.call(
                self.aws.sqs.send_message_batch,
                QueueUrl=self.source(surface).queue_url,
                Entries=entries,  # type: ignore[arg-type] # is what the stubs want
            )

    async def waiting(self, surface: Surface) -> int:
        """How many messages are on a forwarder's queue, visible or not."""
        names = ("", "Delayed", "NotVisible")
        answer = await self.aws.call(
            self.aws.sqs.get_queue_attributes,
            QueueUrl=self.source(surface).queue_url,
            AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],  # type: ignore[misc] # likewise
        )
        return sum(map(int, answer["Attributes"].values()))

    async def letters(self, surface: Surface) -> list[Json]:
        """All that is on its dead-letter queue."""
        queue = self.stack.queues[f"{surface.capitalize()}DeadLetterQueue"]
        found: list[Json] = []
        while messages := (
            await self.aws.call(
                self.aws.sqs.receive_message,
                QueueUrl=queue,
                MaxNumberOfMessages=10,
                VisibilityTimeout=600,
            )
        ).get("Messages", []):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    # Time

    async def show_again(self, surface: Surface, records: Sequence[Mapping[str, Any]]) -> None:
        """The visibility time-out of these records is over."""
        for part in _in_calls(records):
            await self.aws.call(
                self.aws.sqs.change_message_visibility_batch,
                QueueUrl=self.source(surface).queue_url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": one["receiptHandle"], "VisibilityTimeout": 0}
                    for n, one in enumerate(part)
                ],
            )

    async def end_claims(self) -> set[str]:
        """The claims of processes that are gone run out: gives the keys of those that still held.

        So it is when their messages come back: the visibility time-out is many times as long.
        """
        return await self.aws.call(self._end_claims)

    def _end_claims(self) -> set[str]:
        now = int(time.time() * 1000)
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._deliveries)
        items = [item for page in pages for item in page["Items"]]
        held = [
            item
            for item in items
            if "delivered" not in item and int(item["taken_until"]["N"]) > now
        ]
        for item in held:
            self._dynamodb.update_item(
                TableName=self._deliveries,
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression="SET taken_until = :now",
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )
        return {item["pk"]["S"] for item in held}

    @property
    def _deliveries(self) -> str:
        return self.stack.outputs["DeliveriesTableName"]

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self.aws.client("dynamodb")
        return client


@asynccontextmanager
async def deployed(folder: Path) -> AsyncIterator[Deployed]:
    """The template in a local AWS, which takes as long to start as the template to be read."""
    reading = asyncio.ensure_future(asyncio.to_thread(sam_template))
    async with LocalAws(folder / "aws.log") as aws:
        stack = await aws.call(deploy, aws, await reading, {})
        await aws.call(_set_up_apps, aws, stack)
        yield Deployed(aws, stack)


def _set_up_apps(aws: LocalAws, stack: Stack) -> None:
    prefix = stack.outputs["ParameterPrefix"]
    for surface, app_id in _APPS.items():
        for name, value in (("apps", "{}"), ("tokens", _TOKEN)):
            aws.ssm.put_parameter(
                Name=f"{prefix}/{name}/{surface}/{app_id}", Value=value, Type="SecureString"
            )


def _in_calls(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """As many as one call of SQS's takes."""
    return (items[start : start + _A_CALL] for start in range(0, len(items), _A_CALL))


def claim_key(envelope: Json) -> str:
    """What an event goes by in the table of deliveries."""
    return delivery_key(f"app {envelope['app_id']}", envelope["event_id"])
