"""Webhooks, the payments queue and the money trail in memory, around the two payment use cases."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from standardwebhooks import Webhook as StandardWebhook

from relay.aws.guarded_table import GuardedTable
from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.config.apps import Apps
from relay.config.environment import MapPaymentSettings
from relay.config.sources import Sources
from relay.consumer.deadline import CurrentDeadline
from relay.domain.kinds import Surface
from relay.payments.map import CALL_SECONDS, Mapper
from relay.payments.providers.registry import source_settings
from relay.payments.receive import ROUTE, Receiver
from relay.stores.identities import Identities, Identity
from relay.stores.money_trail import Trail
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.builders import MOBILE_APP, WEB_APP, Json, make_http_event, make_sqs_event
from tests.support.fakes import FakeClock, FakeSqs, FakeSsm, SentMessage, longest
from tests.support.harnesses import MOBILE_QUEUE, WEB_QUEUE
from tests.support.webhooks import Posted

PAYMENTS_QUEUE = "https://sqs.example.com/payments"
PAYMENTS_DEAD = "https://sqs.example.com/payments-dead"
ANDROID_APP = "com.example.shop"
HOLD_SECONDS = 3600
"""Longer than in the cloud: what waits for days is looked at less often."""
BILLING_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SECRETS = {
    "standard_webhooks": BILLING_SECRET,
    "stripe": "whsec_test_of_stripe",
    "paddle": "pdl_ntfset_01_test",
    "revenuecat": "Bearer a-long-and-random-value",
    "adyen": "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
}
"""The one secret of each source; a source is called as its provider, with a hyphen."""


class PaymentsHarness:
    """`receive_payment`, its queue, `map_payment`, and what stands around them."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.sqs = FakeSqs()
        self.ssm = FakeSsm(
            {
                f"/relay/apps/mobile/{MOBILE_APP}": "{}",
                f"/relay/apps/mobile/{ANDROID_APP}": "{}",
                f"/relay/apps/web/{WEB_APP}": "{}",
            }
        )
        self.sources: dict[str, Any] = {}
        for provider, secret in SECRETS.items():
            self.add_source(source_of(provider), provider, secret)
        self.trail_table = MemoryTable()
        self.identities_table = MemoryTable()
        self.settings = MapPaymentSettings.model_validate(
            {
                "parameter_prefix": "/relay",
                "queue_url": PAYMENTS_QUEUE,
                "dead_letter_queue_url": PAYMENTS_DEAD,
                "mobile_queue_url": MOBILE_QUEUE,
                "web_queue_url": WEB_QUEUE,
                "identities_table": "identities",
                "trail_table": "trail",
                "retry_schedule_seconds": (10, 100),
                "hold_seconds": HOLD_SECONDS,
                **settings,
            }
        )
        self.identities = Identities(self.identities_table, clock=self.clock)
        self.start_anew()

    def start_anew(self, processes: int = 1) -> None:
        """Processes that remember nothing, of so many."""
        store = ParameterStore(
            self.ssm.client(), "/relay", self.clock.seconds, processes=processes, jitter=longest
        )
        sqs = self.sqs.client()
        current = CurrentDeadline()

        def guarded(table: MemoryTable) -> GuardedTable:
            return GuardedTable(table, lambda: current.allows(CALL_SECONDS), self.clock.seconds)

        self.trail = Trail(guarded(self.trail_table), 400, self.clock)
        self.receiver = Receiver(
            Sources(store, source_settings()), Queue(sqs, PAYMENTS_QUEUE), self.clock
        )
        self.mapper = Mapper(
            self.settings,
            Sources(store, source_settings()),
            Apps(store, self.clock.seconds),
            self.trail,
            Identities(guarded(self.identities_table), clock=self.clock),
            queue=Queue(sqs, PAYMENTS_QUEUE),
            dead_letters=Queue(sqs, PAYMENTS_DEAD),
            delivery_queues={
                Surface.MOBILE: Queue(sqs, MOBILE_QUEUE),
                Surface.WEB: Queue(sqs, WEB_QUEUE),
            },
            current=current,
            clock=self.clock,
            jitter=longest,
        )

    # Parameter Store and identities

    def add_source(self, name: str, provider: str, secret: str, **settings: Any) -> None:
        """Sets a source up, or sets it up anew."""
        apps = {"mobile": [MOBILE_APP, ANDROID_APP], "web": [WEB_APP]}
        self.sources[name] = {"provider": provider, "apps": apps, **settings}
        self.ssm.parameters["/relay/sources"] = json.dumps(self.sources)
        self.ssm.parameters[f"/relay/webhook_secrets/{name}"] = secret

    def billing(self, **settings: Any) -> None:
        """Changes the settings of the source `standard-webhooks`."""
        self.add_source("standard-webhooks", "standard_webhooks", BILLING_SECRET, **settings)

    def payments_of(self, app_id: str, surface: str = "mobile", **rules: Any) -> None:
        """How an app wants to hear of payments."""
        self.ssm.parameters[f"/relay/apps/{surface}/{app_id}"] = json.dumps({"payments": rules})

    def installed(self, customer: str, app_id: str = MOBILE_APP, seconds_ago: float = 9e6) -> str:
        """A customer's install; gives its AppsFlyer id."""
        appsflyer_id = f"1698765432100-{sum(app_id.encode())}"
        installed_at = self.clock.now.__class__.fromtimestamp(
            self.clock.now.timestamp() - seconds_ago, self.clock.now.tzinfo
        )
        self.identities.remember(Identity(app_id, customer, appsflyer_id, installed_at))
        return appsflyer_id

    # Webhooks

    def post(self, provider: str, webhook: Posted, source: str | None = None) -> Json:
        """Posts a webhook as API Gateway hands it over; gives what Lambda answers."""
        return self.receiver.handle(webhook_event(provider, webhook, source))

    def tell(self, kind: str, **data: Any) -> None:
        """A webhook of a company's own billing, on its way to the payments queue."""
        answer = self.post("standard_webhooks", billing_webhook(kind, self.clock, **data))
        assert answer["statusCode"] == 200, answer

    # The payments queue

    def map(
        self,
        *bodies: Json | str,
        remaining: Callable[[], float] = lambda: 90.0,
        receives: Sequence[int] = (),
    ) -> list[str]:
        """Hands in a batch of bodies as the records m-0, m-1 ...; gives the ids that failed."""
        return self.mapper.map(make_sqs_event(*bodies, receives=receives)["Records"], remaining)

    def map_all(self) -> list[str]:
        """SQS delivers what is on the payments queue, its delay over."""
        messages = list(self.waiting)
        self.waiting.clear()
        self.clock.advance(max((one.delay_seconds for one in messages), default=0))
        return self.map(*(one.body for one in messages))

    def settle(self) -> None:
        """Until nothing waits any more."""
        for _ in range(500):
            if not self.waiting:
                return
            assert self.map_all() == []
        raise AssertionError("something waits for ever")

    @property
    def waiting(self) -> list[SentMessage]:
        return self.sqs.queues[PAYMENTS_QUEUE]

    @property
    def dead(self) -> list[Json]:
        return [message.content for message in self.sqs.queues[PAYMENTS_DEAD]]

    @property
    def mobile(self) -> list[Json]:
        return [message.content for message in self.sqs.queues[MOBILE_QUEUE]]

    @property
    def web(self) -> list[Json]:
        return [message.content for message in self.sqs.queues[WEB_QUEUE]]


def source_of(provider: str) -> str:
    """The source of a provider's."""
    return provider.replace("_", "-")


def webhook_event(
    provider: str, webhook: Posted, source: str | None = None, *, encoded: bool = False
) -> Json:
    """Lambda's event for a webhook, its body in Base64 where that is asked for."""
    event = make_http_event("", route=ROUTE, headers=webhook.headers, token=None)
    event["pathParameters"] = {"provider": provider, "source": source or source_of(provider)}
    event["isBase64Encoded"] = encoded
    event["body"] = (
        base64.b64encode(webhook.body).decode() if encoded else webhook.body.decode()
    )  # fmt: skip
    return event


def billing_webhook(
    kind: str, clock: FakeClock, secret: str = BILLING_SECRET, **data: Any
) -> Posted:
    """A signed webhook by the schema of ours."""
    body = {"type": f"payment.{kind}", "timestamp": f"{clock.now:%Y-%m-%dT%H:%M:%SZ}", "data": data}
    text = json.dumps(body)
    return Posted(
        {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(clock.now.timestamp())),
            "webhook-signature": StandardWebhook(secret).sign("msg_1", clock.now, text),
        },
        text.encode(),
    )
