"""The functions as `sam build` makes them, under Lambda's own runtime client and emulator.

moto stands in for AWS, with the queues and tables of template.yaml; the stand-in for AppsFlyer.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from relay_sandbox.deployment.stack import Stack, deploy
from relay_sandbox.local_aws.aws import LocalAws
from relay_sandbox.local_aws.aws import environment as aws_environment
from relay_sandbox.stand_in import Account, Fault, StandIn
from tests.integration.emulator import Build, Function, running, why_not_here
from tests.support.template import sam_template

pytestmark = [
    pytest.mark.xdist_group("built"),  # one build for all of them
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(why_not_here() is not None, reason=str(why_not_here())),
]

PRODUCER_TOKEN = "a-token-for-tests"
PUSH_TOKEN = "a-push-token-for-tests"
STRIPE_SECRET = "whsec_for_tests"


@dataclass(frozen=True)
class Way:
    """One of the two ways to AppsFlyer, and an event that goes it."""

    function: str
    surface: str
    queue: str
    app_id: str
    kind: str
    event: dict[str, Any]

    @property
    def dead_letters(self) -> str:
        return self.queue.replace("Queue", "DeadLetterQueue")


MOBILE = Way(
    "forward_mobile",
    "mobile",
    "MobileQueue",
    "com.example.shop",
    "mobile_event",
    {"appsflyer_id": "1415211453000-6513894", "eventName": "af_login", "os": "14"},
)
WEB = Way(
    "forward_web",
    "web",
    "WebQueue",
    "website-www.example.com",
    "web_visit",
    {
        "user_id": {"customer_user_id": "u-9"},
        "event_url": "https://example.com/products/sneakers",
        "http_referrer": "https://example.com/",
    },
)
BOTH_WAYS = pytest.mark.parametrize("way", [MOBILE, WEB], ids=lambda way: way.function)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAws]:
    async with LocalAws(tmp_path_factory.mktemp("moto") / "log") as local:
        yield local


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def appsflyer() -> AsyncIterator[tuple[StandIn, str]]:
    """The stand-in and its address."""
    it = StandIn(
        Account(app_id=way.app_id, kind=way.surface, tokens=(f"{way.surface}-key",))  # type: ignore[arg-type]
        for way in (MOBILE, WEB)
    )
    async with it.server() as server:
        yield it, server.url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(aws: LocalAws, appsflyer: tuple[StandIn, str]) -> Stack:
    """The template's queues, and in Parameter Store what an operator would put there."""
    endpoints = {"MobileEndpoint": appsflyer[1], "WebEndpoint": appsflyer[1]}
    deployed = await aws.call(deploy, aws, sam_template(), endpoints)
    for name, value in parameters().items():
        full_name = f"{deployed.outputs['ParameterPrefix']}/{name}"
        await aws.call(aws.ssm.put_parameter, Name=full_name, Value=value, Type="SecureString")
    return deployed


def parameters() -> dict[str, str]:
    source = {"provider": "stripe", "apps": {MOBILE.surface: [MOBILE.app_id]}}
    found = {
        "producers": json.dumps([sender(PRODUCER_TOKEN)]),
        "push_senders": json.dumps([sender(PUSH_TOKEN)]),
        "sources": json.dumps({"shop": source}),
        "webhook_secrets/shop": STRIPE_SECRET,
    }
    for way in (MOBILE, WEB):
        found[f"apps/{way.surface}/{way.app_id}"] = "{}"
        found[f"tokens/{way.surface}/{way.app_id}"] = f"{way.surface}-key"
    return found


def sender(token: str) -> dict[str, Any]:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"name": "t", "token_sha256": [digest], "apps": ["*"]}


class Deployment:
    """What a test works with: the built functions, the queues and AppsFlyer."""

    def __init__(self, aws: LocalAws, stack: Stack, stand_in: StandIn) -> None:
        self._aws = aws
        self._stack = stack
        self.stand_in = stand_in

    def environment(self, function: str, **changes: str) -> dict[str, str]:
        """What the template and the local AWS tell a function."""
        settings = self._stack.functions[function]
        limits = {
            "AWS_LAMBDA_FUNCTION_TIMEOUT": f"{settings.timeout_seconds:.0f}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
        }
        return {**settings.environment, **limits, **aws_environment(self._aws.url), **changes}

    async def messages(self, queue: str) -> list[Any]:
        """Take off a queue what it holds, those that are delayed left out; their bodies."""
        url = self._stack.queues[queue]
        answer = await self._aws.call(
            self._aws.sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=10
        )
        found = answer.get("Messages", [])
        for message in found:
            handle = message["ReceiptHandle"]
            await self._aws.call(self._aws.sqs.delete_message, QueueUrl=url, ReceiptHandle=handle)
        return [json.loads(message["Body"]) for message in found]

    async def identity(self, customer_user_id: str, app_id: str) -> dict[str, Any]:
        """What the table of identities holds of a customer in an app."""
        answer = await self._aws.call(
            self._aws.client("dynamodb").get_item,
            TableName=self._stack.outputs["IdentitiesTableName"],
            Key={"pk": {"S": customer_user_id}, "sk": {"S": app_id}},
        )
        return dict(answer.get("Item", {}))

    async def delayed(self, queue: str) -> int:
        """How many messages wait on a queue for their time."""
        answer = await self._aws.call(
            self._aws.sqs.get_queue_attributes,
            QueueUrl=self._stack.queues[queue],
            AttributeNames=["ApproximateNumberOfMessagesDelayed"],
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessagesDelayed"])

    async def empty(self) -> None:
        """Leave nothing on queues and at AppsFlyer, but what is delayed for ten minutes."""
        self.stand_in.ledger.clear()
        self.stand_in.faults.clear()
        for queue in self._stack.queues:
            await self.messages(queue)


@pytest_asyncio.fixture(loop_scope="module")
async def deployment(
    aws: LocalAws, stack: Stack, appsflyer: tuple[StandIn, str]
) -> AsyncIterator[Deployment]:
    """Queues are empty; tables, and the functions' processes, are those of earlier tests."""
    it = Deployment(aws, stack, appsflyer[0])
    yield it
    await it.empty()


Start = Callable[..., Function]


@pytest.fixture(scope="module")
def warm() -> Iterator[tuple[dict[str, Function], ExitStack]]:
    """The functions that are up, as instances on Lambda stay up; they end with the module."""
    with ExitStack() as started:
        yield {}, started


@pytest.fixture
def start(
    built: Build,
    deployment: Deployment,
    warm: tuple[dict[str, Function], ExitStack],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Start]:
    """Gives a built function that is up; one of the test's own if it is `alone` or changed."""
    functions, until_all_end = warm
    with ExitStack() as until_this_ends:

        def start(name: str, *, alone: bool = False, **changes: str) -> Function:
            is_own = alone or bool(changes)
            if is_own or name not in functions:
                environment = deployment.environment(name, **changes)
                log = tmp_path_factory.mktemp("functions") / f"{name}.log"
                ends = until_this_ends if is_own else until_all_end
                function = ends.enter_context(running(built, name, environment, log))
                if is_own:
                    return function
                functions[name] = function
            return functions[name]

        yield start


def from_sqs(*bodies: Any) -> dict[str, Any]:
    """A batch as Lambda hands it to a function."""
    now = str(int(time.time() * 1000))
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies, start=1)
        ]
    }


def envelope(way: Way, **changes: Any) -> dict[str, Any]:
    return {"app_id": way.app_id, "kind": way.kind, "event": way.event | changes}


def from_http(route: str, app_id: str, event: Any, token: str = PRODUCER_TOKEN) -> dict[str, Any]:
    """A request with a bearer token."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return request(route, {"app_id": app_id}, headers, event)


def from_stripe(secret: str) -> dict[str, Any]:
    """A webhook of Stripe's, of a type that it has not invented yet."""
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "charge.teleported",
        "created": int(time.time()),
        "livemode": True,
        "data": {"object": {"object": "charge", "receipt_email": "jane.doe@example.com"}},
    }
    moment = int(time.time())
    signed = f"{moment}.{json.dumps(event)}".encode()
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    headers = {
        "stripe-signature": f"t={moment},v1={signature}",
        "content-type": "application/json; charset=utf-8",
    }
    path = {"provider": "stripe", "source": "shop"}
    return request("POST /v1/payments/{provider}/{source}", path, headers, event)


def request(
    route: str, path_parameters: dict[str, str], headers: dict[str, str], event: Any
) -> dict[str, Any]:
    """A request as an HTTP API hands it to a function (payload format 2.0)."""
    method, _, path = route.partition(" ")
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path.format(**path_parameters),
        "rawQueryString": "",
        "headers": headers,
        "pathParameters": path_parameters,
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "request-1",
            "timeEpoch": int(time.time() * 1000),
        },
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }


# --- accept


async def test_accept_queues_the_event_that_it_was_given(
    start: Start, deployment: Deployment
) -> None:
    request = from_http("POST /v1/mobile/{app_id}/events", MOBILE.app_id, MOBILE.event)

    answer = await asyncio.to_thread(start("accept").invoke, request)

    assert answer["statusCode"] == 202
    (queued,) = await deployment.messages("MobileQueue")
    assert queued["app_id"] == MOBILE.app_id
    assert queued["event"].items() >= MOBILE.event.items()


async def test_accept_with_an_event_that_breaks_a_rule_answers_400_and_queues_nothing(
    start: Start, deployment: Deployment
) -> None:
    broken = {name: value for name, value in WEB.event.items() if name != "event_url"}
    request = from_http("POST /v1/web/{app_id}/visits", WEB.app_id, broken)

    answer = await asyncio.to_thread(start("accept").invoke, request)

    assert answer["statusCode"] == 400
    assert await deployment.messages("WebQueue") == []


# --- receive_payment and map_payment


async def test_receive_payment_queues_what_a_provider_signed_and_keeps_no_more_than_it_needs(
    start: Start, deployment: Deployment
) -> None:
    webhook = from_stripe(STRIPE_SECRET)

    answer = await asyncio.to_thread(start("receive_payment").invoke, webhook)

    assert answer["statusCode"] == 200
    (notice,) = await deployment.messages("PaymentsQueue")
    said = json.dumps(notice)
    assert "evt_1" in said
    assert "jane.doe" not in said


async def test_receive_payment_refuses_what_somebody_else_signed(
    start: Start, deployment: Deployment
) -> None:
    webhook = from_stripe("whsec_of_somebody_else")

    answer = await asyncio.to_thread(start("receive_payment").invoke, webhook)

    assert answer["statusCode"] == 401
    assert await deployment.messages("PaymentsQueue") == []


async def test_map_payment_buries_a_webhook_of_a_type_that_it_does_not_know(
    start: Start, deployment: Deployment
) -> None:
    await asyncio.to_thread(start("receive_payment").invoke, from_stripe(STRIPE_SECRET))
    (notice,) = await deployment.messages("PaymentsQueue")

    answer = await asyncio.to_thread(start("map_payment").invoke, from_sqs(notice))

    assert answer == {"batchItemFailures": []}
    (dead,) = await deployment.messages("PaymentsDeadLetterQueue")
    assert dead["reason"] == "unknown_type"


# --- receive_install


async def test_receive_install_remembers_the_identity_that_appsflyer_tells_of(
    start: Start, deployment: Deployment
) -> None:
    install = {
        "app_id": MOBILE.app_id,
        "platform": "android",
        "event_name": "install",
        "appsflyer_id": "1415211453000-6513894",
        "customer_user_id": "u-11",
        "install_time": "2026-11-22 11:58:00.000",
    }
    message = from_http("POST /v1/appsflyer/installs/{app_id}", MOBILE.app_id, install, PUSH_TOKEN)

    answer = await asyncio.to_thread(start("receive_install").invoke, message)

    assert answer["statusCode"] == 200
    identity = await deployment.identity("u-11", MOBILE.app_id)
    assert {"S": "1415211453000-6513894"} in identity.values()


# --- forward_mobile and forward_web


@BOTH_WAYS
async def test_forwarder_has_its_event_recorded_by_appsflyer(
    way: Way, start: Start, deployment: Deployment
) -> None:
    answer = await asyncio.to_thread(start(way.function).invoke, from_sqs(envelope(way)))

    assert answer == {"batchItemFailures": []}
    (entry,) = deployment.stand_in.ledger
    assert (entry.app_id, entry.kind, entry.recorded) == (way.app_id, way.kind, True)


@BOTH_WAYS
async def test_forwarder_puts_a_message_that_is_no_event_on_its_dead_letter_queue(
    way: Way, start: Start, deployment: Deployment
) -> None:
    answer = await asyncio.to_thread(start(way.function).invoke, from_sqs("not an event"))

    assert answer == {"batchItemFailures": []}
    (dead,) = await deployment.messages(way.dead_letters)
    assert dead["outcome"] == "rejected"


@BOTH_WAYS
async def test_forwarder_has_an_event_wait_while_appsflyer_is_unavailable(
    way: Way, start: Start, deployment: Deployment
) -> None:
    deployment.stand_in.faults.add([Fault(status=503, retry_after=600)])
    function = start(way.function, alone=True)  # it sends nothing more for ten minutes

    answer = await asyncio.to_thread(function.invoke, from_sqs(envelope(way)))

    assert answer == {"batchItemFailures": []}
    assert await deployment.delayed(way.queue) == 1


@BOTH_WAYS
async def test_forwarder_reports_only_the_message_that_it_could_neither_send_nor_have_wait(
    way: Way, start: Start, deployment: Deployment
) -> None:
    deployment.stand_in.faults.add([Fault(status=503, times=1)])
    gone = deployment.environment(way.function)["RELAY_QUEUE_URL"] + "-gone"
    function = start(way.function, RELAY_QUEUE_URL=gone, RELAY_REQUESTS_IN_FLIGHT="1")

    answer = await asyncio.to_thread(
        function.invoke, from_sqs(envelope(way), envelope(way, customer_user_id="u-10"))
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


@BOTH_WAYS
async def test_forwarder_logs_nothing_that_names_the_person_or_the_key(
    way: Way, start: Start, deployment: Deployment
) -> None:
    deployment.stand_in.faults.add([Fault(status=400, body="jane.doe@example.com is no user")])
    function = start(way.function)

    await asyncio.to_thread(
        function.invoke, from_sqs(envelope(way, email="jane.doe@example.com"), "jane.doe")
    )

    said = function.logged()
    assert "event not delivered" in said  # or this test would prove nothing
    assert [word for word in ("jane.doe", f"{way.surface}-key", "u-9") if word in said] == []
