"""The one place where tests put a forwarder together."""

from typing import TYPE_CHECKING

import httpx

from relay.appsflyer import Client
from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.aws.table import AsyncTable
from relay.config.apps import Apps
from relay.config.environment import ForwardSettings
from relay.domain.kinds import Surface
from relay.forward.forwarder import Forwarder
from relay.forward.rate_limiter import RateLimiter
from relay.messages.backoff import Jitter
from relay.stores.deliveries import Deliveries
from relay.stores.identities import Identities
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.support.fakes import FakeClock, longest

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def make_forwarder(  # noqa: PLR0913 - everything that a forwarder uses
    surface: Surface,
    settings: ForwardSettings,
    appsflyer: Client | httpx.AsyncBaseTransport,
    parameters: ParameterStore,
    sqs: "SQSClient",
    clock: FakeClock,
    *,
    deliveries: AsyncTable | None = None,
    identities: MemoryTable | None = None,
    limiter: RateLimiter | None = None,
    jitter: Jitter = longest,
) -> Forwarder:
    """A forwarder of a fresh process, on the queues of its settings.

    Without `deliveries` it has an empty table of them, without `identities` none.
    """
    if not isinstance(appsflyer, Client):
        appsflyer = Client(appsflyer, settings.appsflyer_url, clock=clock)
    table = MemoryAsyncTable(MemoryTable()) if deliveries is None else deliveries
    return Forwarder(
        surface,
        settings,
        appsflyer,
        Apps(parameters, clock.seconds),
        queue=Queue(sqs, settings.queue_url),
        dead_letters=Queue(sqs, settings.dead_letter_queue_url),
        deliveries=Deliveries(table, settings.delivery_days, clock),
        identities=None if identities is None else Identities(identities, clock=clock),
        limiter=limiter,
        clock=clock,
        jitter=jitter,
    )
