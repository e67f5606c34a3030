"""The forwarder with boto3 on both queues and Parameter Store; only AppsFlyer is made up."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from relay.aws.parameter_store import ParameterStore
from relay.domain.kinds import Surface
from tests.support.builders import MOBILE_APP, Json, make_envelope, make_event, make_settings
from tests.support.fakes import FakeAppsFlyer, FakeClock, Says
from tests.support.forwarders import make_forwarder

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

Receive = Callable[[str], list[Any]]


class Deployed:
    """Two queues, an app and its token, and a forwarder that uses them."""

    def __init__(
        self,
        sqs: "SQSClient",
        ssm: "SSMClient",
        queue: str,
        dead_letters: str,
        prefix: str,
    ) -> None:
        self._sqs = sqs
        self.queue = queue
        self.dead_letters = dead_letters
        self.appsflyer = FakeAppsFlyer()
        app, token = f"{prefix}/apps/mobile/{MOBILE_APP}", f"{prefix}/tokens/mobile/{MOBILE_APP}"
        ssm.put_parameter(Name=app, Value='{"phone_region": "US"}', Type="String")
        ssm.put_parameter(Name=token, Value="s2s-key", Type="SecureString")
        settings = make_settings(
            queue_url=queue, dead_letter_queue_url=dead_letters, retry_schedule_seconds=(0.5, 0.5)
        )
        self.forwarder = make_forwarder(
            Surface.MOBILE,
            settings,
            self.appsflyer.transport,
            ParameterStore(ssm, prefix),
            sqs,
            FakeClock(),
        )

    def put(self, envelope: Json) -> None:
        """As a producer does."""
        self._sqs.send_message(
            QueueUrl=self.queue, MessageBody=json.dumps(envelope), MessageGroupId=MOBILE_APP
        )

    async def round(self) -> int:
        """As Lambda's poller does: take a batch, hand it in, delete what did not fail."""
        messages = self._sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages", [])
        records = [
            {
                "messageId": message["MessageId"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in messages
        ]
        failed = await self.forwarder.forward(records, lambda: 90.0)
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(
                    QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"]
                )
        return len(messages)


@pytest.fixture
def deployed(
    sqs: "SQSClient", ssm: "SSMClient", make_queue: Callable[[], str], prefix: str
) -> Deployed:
    return Deployed(sqs, ssm, make_queue(), make_queue(), prefix)


async def test_forward_message_of_a_producer_reaches_appsflyer_and_is_gone(
    deployed: Deployed, receive: Receive
) -> None:
    deployed.put(make_envelope())

    await deployed.round()

    assert deployed.appsflyer.tokens == ["s2s-key"]
    assert receive(deployed.queue) == []
    assert receive(deployed.dead_letters) == []


async def test_forward_event_that_fails_once_is_delivered_in_the_next_round(
    deployed: Deployed, receive: Receive
) -> None:
    deployed.appsflyer.says(Says(503), Says(200))
    deployed.put(make_envelope(event=make_event(phone="(202) 555-0123")))

    rounds = [await deployed.round() for _ in range(3)]

    assert rounds == [1, 1, 0]
    assert deployed.appsflyer.bodies[0] == deployed.appsflyer.bodies[1]
    assert receive(deployed.dead_letters) == []


async def test_forward_event_without_a_time_keeps_its_first_one_through_sqs(
    deployed: Deployed,
) -> None:
    """Each re-sent message has a SentTimestamp of its own."""
    deployed.appsflyer.says(Says(503), Says(503), Says(200))
    deployed.put(make_envelope(event=make_event(eventTime=None)))

    for _ in range(3):
        await deployed.round()

    assert len({body["eventTime"] for body in deployed.appsflyer.bodies}) == 1
    assert len(deployed.appsflyer.bodies) == 3


async def test_forward_event_that_always_fails_is_a_dead_letter_without_raw_values(
    deployed: Deployed, receive: Receive
) -> None:
    deployed.appsflyer.says(Says(500))
    deployed.put(make_envelope(event=make_event(email="jane@example.com")))

    while await deployed.round():
        pass

    [message] = receive(deployed.dead_letters)
    letter = json.loads(message["Body"])
    assert letter["reason"] == "attempts_used_up: status_500"
    assert letter["attempts"] == 3
    assert "jane" not in message["Body"]
    assert message["Attributes"]["MessageGroupId"] == MOBILE_APP


async def test_forward_event_of_many_characters_survives_sqs(
    deployed: Deployed, receive: Receive
) -> None:
    """Control characters, those that SQS refuses, and beyond the first plane."""
    note = 'tab\t nul\x00 non\uffff bom\ufffe 😀 "quoted" \u2028'
    deployed.appsflyer.says(Says(400))
    deployed.put(make_envelope(event=make_event(eventValue={"note": note})))

    await deployed.round()

    [message] = receive(deployed.dead_letters)
    assert json.loads(message["Body"])["event"]["eventValue"] == {"note": note}
