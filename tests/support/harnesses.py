"""A use case with everything around it in memory: what a test of the whole turns and looks at."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from relay.accept.accept import Accept
from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.config.apps import Apps
from relay.config.producers import Producers, token_digest
from relay.domain.kinds import Surface
from relay.forward.forwarder import Forwarder
from relay.installs.receive import Installs
from relay.stores.identities import Identities, Identity
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_http_event,
    make_settings,
    make_sqs_event,
)
from tests.support.fakes import FakeAppsFlyer, FakeClock, FakeSqs, FakeSsm, SentMessage, longest
from tests.support.forwarders import make_forwarder

TOKEN = "s2s-key-1"
MOBILE_QUEUE = "https://sqs.example.com/mobile"
WEB_QUEUE = "https://sqs.example.com/web"
PUSH_TOKEN = "push-token"
INSTALL_POST = "POST /v1/appsflyer/installs/{app_id}"
INSTALL_GET = "GET /v1/appsflyer/installs/{app_id}"


class ForwarderHarness:
    """A forwarder between its queue, its dead-letter queue, Parameter Store and AppsFlyer."""

    def __init__(self, surface: Surface = Surface.MOBILE, **settings: Any) -> None:
        self.surface = surface
        self.clock = FakeClock()
        self.sqs = FakeSqs()
        self.ssm = FakeSsm(
            {
                f"/relay/apps/mobile/{MOBILE_APP}": "{}",
                f"/relay/tokens/mobile/{MOBILE_APP}": TOKEN,
                f"/relay/apps/web/{WEB_APP}": "{}",
                f"/relay/tokens/web/{WEB_APP}": TOKEN,
            }
        )
        self.appsflyer = FakeAppsFlyer()
        self.deliveries = MemoryTable()
        self.identities = MemoryTable()
        self.knows_customers = True
        """Whether the forwarder has a table of identities."""
        self.settings = make_settings(**settings)
        self.forwarder = self.make_forwarder()

    def make_forwarder(self, transport: httpx.AsyncBaseTransport | None = None) -> Forwarder:
        """See `make_forwarder`."""
        transport = transport or self.appsflyer.transport
        store = ParameterStore(self.ssm.client(), "/relay", self.clock.seconds, jitter=longest)
        return make_forwarder(
            self.surface,
            self.settings,
            transport,
            store,
            self.sqs.client(),
            self.clock,
            deliveries=MemoryAsyncTable(self.deliveries),
            identities=self.identities if self.knows_customers else None,
        )

    async def forward(
        self, *bodies: Json | list[Any] | str, remaining: Callable[[], float] = lambda: 90.0
    ) -> list[str]:
        """Hands in a batch of bodies as the records m-0, m-1 ...; gives the ids that failed."""
        return await self.forwarder.forward(make_sqs_event(*bodies)["Records"], remaining)

    @property
    def waiting(self) -> list[SentMessage]:
        """What is on the forwarder's own queue."""
        return self.sqs.queues[self.settings.queue_url]

    @property
    def dead(self) -> list[Json]:
        """What is on the dead-letter queue."""
        return [message.content for message in self.sqs.queues[self.settings.dead_letter_queue_url]]

    async def next_round(self) -> list[str]:
        """SQS delivers what waits, its delay over."""
        messages = list(self.waiting)
        self.waiting.clear()
        self.clock.advance(max(message.delay_seconds for message in messages))
        return await self.forward(*(message.body for message in messages))


class AcceptHarness:
    """The HTTP API between its callers, Parameter Store and the two queues."""

    def __init__(self, processes: int = 1) -> None:
        self.clock = FakeClock()
        self.sqs = FakeSqs()
        self.ssm = FakeSsm(
            {
                f"/relay/apps/mobile/{MOBILE_APP}": '{"phone_region": "US"}',
                f"/relay/apps/web/{WEB_APP}": "{}",
                f"/relay/apps/web/{MOBILE_APP}": "{}",
            }
        )
        self.producers = [
            {
                "name": "shop",
                "token_sha256": [token_digest("shop-token")],
                "apps": [MOBILE_APP, WEB_APP],
            }
        ]
        self.publish_producers()
        store = ParameterStore(
            self.ssm.client(), "/relay", self.clock.seconds, processes=processes, jitter=longest
        )
        self.accept = Accept(
            Apps(store, self.clock.seconds),
            Producers(store),
            {
                Surface.MOBILE: Queue(self.sqs.client(), MOBILE_QUEUE),
                Surface.WEB: Queue(self.sqs.client(), WEB_QUEUE),
            },
        )

    def add_producer(self, name: str) -> None:
        """Sets up a producer for all apps, whose token is `<name>-token`."""
        digest = token_digest(f"{name}-token")
        self.producers.append({"name": name, "token_sha256": [digest], "apps": ["*"]})
        self.publish_producers()

    def publish_producers(self) -> None:
        """Writes `producers` to Parameter Store."""
        self.ssm.parameters["/relay/producers"] = json.dumps(self.producers)

    def post(self, body: Any, **request: Any) -> "HttpResponse":
        """Sends a request made by `make_http_event`."""
        return self.handle(make_http_event(body, **request))

    def handle(self, event: Json) -> "HttpResponse":
        return HttpResponse(self.accept.handle(event))

    @property
    def mobile(self) -> list[SentMessage]:
        """What is on the mobile queue."""
        return self.sqs.queues[MOBILE_QUEUE]

    @property
    def web(self) -> list[SentMessage]:
        """What is on the web queue."""
        return self.sqs.queues[WEB_QUEUE]

    @property
    def queued(self) -> int:
        """How many messages are on either queue."""
        return len(self.mobile) + len(self.web)


class InstallsHarness:
    """The use case between AppsFlyer, Parameter Store and the table."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.table = MemoryTable()
        senders = [
            {"name": "appsflyer", "token_sha256": [token_digest(PUSH_TOKEN)], "apps": [MOBILE_APP]},
            {"name": "every", "token_sha256": [token_digest("every-token")], "apps": ["*"]},
        ]
        self.ssm = FakeSsm({"/relay/push_senders": json.dumps(senders)})
        store = ParameterStore(self.ssm.client(), "/relay", self.clock.seconds, jitter=longest)
        self.identities = Identities(self.table, 730, self.clock)
        self.installs = Installs(Producers(store, "push_senders"), self.identities)

    def post(self, message: Any, **request: Any) -> "HttpResponse":
        given = {"route": INSTALL_POST, "token": None, "query": {"token": PUSH_TOKEN}, **request}
        return self.handle(make_http_event(message, **given))

    def get(self, message: Json, **request: Any) -> "HttpResponse":
        query = {name: value for name, value in message.items() if value is not None}
        given = {
            "route": INSTALL_GET,
            "token": None,
            "query": {"token": PUSH_TOKEN, **query},
            **request,
        }
        return self.handle(make_http_event("", **given))

    def handle(self, event: Json) -> "HttpResponse":
        return HttpResponse(self.installs.handle(event))

    @property
    def known(self) -> list[Identity]:
        return self.identities.of_customer("user-1")


class HttpResponse:
    """What Lambda would hand back to API Gateway."""

    def __init__(self, response: Json) -> None:
        self.status: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]
        self.content: Json = json.loads(self.text)

    @property
    def statuses(self) -> list[str]:
        """The status of each event in the answer."""
        return [event["status"] for event in self.content["events"]]
