"""A run: the real forwarder and its real client, over TLS, against the stand-in for AppsFlyer.

The queues and the tables are in memory, and the clock stands still until a round is over, so that
the waits of a whole day pass at once. Everything between the forwarder and the socket at the other
end is real.
"""

import asyncio
import json
import random
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

from relay.appsflyer import Client, make_transport
from relay.aws.parameter_store import ParameterStore
from relay.domain.kinds import Surface
from relay.forward.forwarder import Forwarder
from relay_sandbox.http.server import Connection
from relay_sandbox.local_aws.memory_table import MemoryTable
from relay_sandbox.stand_in import Account, StandIn
from tests.faults.ledger import Heard, RunLedger, make_order, overheard, recorded_in
from tests.support.builders import MOBILE_APP, WEB_APP, make_settings, make_sqs_event
from tests.support.fakes import FakeClock, FakeSqs, FakeSsm
from tests.support.forwarders import make_forwarder

BATCH: Final = 100
"""Messages of one invocation, as the template has it."""
_MOST_ROUNDS: Final = 80
_TOKEN: Final = "s2s-key-1"
_LOCALHOST: Final = "127.0.0.1"

Door = Callable[[int], AbstractAsyncContextManager[object]]
"""Makes what is behind a port while its block runs."""


class Certificates(NamedTuple):
    """For servers: one that the client trusts, one of an authority that nobody knows."""

    trusted: ssl.SSLContext
    strange: ssl.SSLContext


class Site:
    """The one port that AppsFlyer is looked for at; what is behind it changes."""

    def __init__(self) -> None:
        self._behind = AsyncExitStack()
        with socket.create_server((_LOCALHOST, 0)) as free:
            self.port: int = free.getsockname()[1]

    async def put(self, door: Door) -> None:
        """Takes away what is there, its connections with it, and puts another in its place."""
        await self.close()
        await self._behind.enter_async_context(door(self.port))

    async def close(self) -> None:
        await self._behind.aclose()


@asynccontextmanager
async def nobody(port: int) -> AsyncIterator[None]:
    """Nobody listens: the connection is refused. The port is held, so that nobody else can."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((_LOCALHOST, port))
        yield


@asynccontextmanager
async def resetting(port: int) -> AsyncIterator[None]:
    """Every connection is reset at once, before anything was read from it."""

    def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        Connection(reader, writer).abort()

    async with await asyncio.start_server(reset, _LOCALHOST, port):
        yield


class Run:
    """Events on their way from a queue in memory to AppsFlyer behind a socket."""

    def __init__(
        self,
        surface: Surface,
        tls: ssl.SSLContext | None,
        heard: Callable[[], Heard],
        **settings: Any,
    ) -> None:
        self.surface = surface
        self.app_id = MOBILE_APP if surface is Surface.MOBILE else WEB_APP
        self.clock = FakeClock()
        self.sqs = FakeSqs()
        self.site = Site()
        self.stand_in = StandIn(
            [Account.model_validate({"app_id": self.app_id, "kind": surface, "tokens": [_TOKEN]})],
            clock=self.clock,
        )
        scheme = "https" if tls else "http"
        self.settings = make_settings(
            appsflyer_url=f"{scheme}://{_LOCALHOST}:{self.site.port}",
            **{"deduplicate": "money", **settings},
        )
        self._tls = tls
        self._heard = heard
        self._clients: list[Client] = []
        self._event_ids: dict[str, str] = {}
        self._came_back: list[tuple[str, str]] = []
        self._handed_in: set[str] = set()
        self.forwarder = self.make_forwarder()

    def make_forwarder(self) -> Forwarder:
        """A forwarder of a fresh process, with connections of its own."""
        settings = self.settings
        transport = make_transport(
            settings.requests_in_flight,
            settings.connect_timeout_seconds,
            settings.read_timeout_seconds,
        )
        client = Client(transport, settings.appsflyer_url, clock=self.clock)
        self._clients.append(client)
        parameters = {
            f"/relay/apps/{self.surface}/{self.app_id}": "{}",
            f"/relay/tokens/{self.surface}/{self.app_id}": _TOKEN,
        }
        store = ParameterStore(FakeSsm(parameters).client(), "/relay", self.clock.seconds)
        return make_forwarder(
            self.surface,
            settings,
            client,
            store,
            self.sqs.client(),
            self.clock,
            identities=MemoryTable(),
            jitter=random.Random(1).uniform,  # noqa: S311 - jitter, the same in every run
        )

    # AppsFlyer

    def appsflyer(self, port: int) -> AbstractAsyncContextManager[object]:
        """The door to the stand-in."""
        return self.stand_in.server(port=port, ssl_context=self._tls)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
        await self.site.close()

    # The queue

    def hand_in(self, count: int) -> None:
        """Puts so many further orders on the queue, each with an id of its own."""
        for number in range(len(self._handed_in), len(self._handed_in) + count):
            order = make_order(self.surface, f"order-{number}")
            self._handed_in.add(order["event_id"])
            self._came_back.append(self._received(json.dumps(order)))

    async def round(self) -> None:
        """SQS hands out all that waits, its delay over; what failed comes back in the next one."""
        queue = self.sqs.queues[self.settings.queue_url]
        self.clock.advance(max((message.delay_seconds for message in queue), default=0))
        waiting = self._came_back + [self._received(message.body) for message in queue]
        queue.clear()
        self._came_back = []
        for start in range(0, len(waiting), BATCH):
            await self._invoke(waiting[start : start + BATCH])

    async def until_settled(self) -> None:
        """Goes on until nothing waits any more."""
        for _ in range(_MOST_ROUNDS):
            if not self.waiting:
                return
            await self.round()
        raise AssertionError(f"{self.waiting} messages still wait after {_MOST_ROUNDS} rounds")

    @property
    def waiting(self) -> int:
        """How many messages are on the queue."""
        return len(self._came_back) + len(self.sqs.queues[self.settings.queue_url])

    @property
    def letters(self) -> list[dict[str, Any]]:
        """What is on the dead-letter queue."""
        return [one.content for one in self.sqs.queues[self.settings.dead_letter_queue_url]]

    def ledger(self) -> RunLedger:
        """What became of everything; the log must tell of as many doubts as the metric."""
        heard = self._heard()
        assert heard.counted["Uncertain"] == heard.in_doubt.total()
        in_doubt: Counter[str] = Counter()
        for message_id, times in heard.in_doubt.items():
            in_doubt[self._event_ids[message_id]] += times
        dead = Counter(letter["event_id"] for letter in self.letters)
        recorded = recorded_in(self.stand_in.ledger)
        return RunLedger(frozenset(self._handed_in), recorded, dead, in_doubt)

    def _received(self, body: str) -> tuple[str, str]:
        """A message with an id of its own: one that was sent again has another."""
        message_id = f"m-{len(self._event_ids)}"
        self._event_ids[message_id] = json.loads(body)["event_id"]
        return message_id, body

    async def _invoke(self, messages: Sequence[tuple[str, str]]) -> None:
        records = make_sqs_event(*(body for _, body in messages))["Records"]
        for record, (message_id, _) in zip(records, messages, strict=True):
            record["messageId"] = message_id
        failed = set(await self.forwarder.forward(records, lambda: 90.0))
        self._came_back += [message for message in messages if message[0] in failed]


@asynccontextmanager
async def running(
    surface: Surface = Surface.MOBILE, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[Run]:
    """A run while its block runs, AppsFlyer well and at home."""
    with overheard() as heard:
        run = Run(surface, tls, heard, **settings)
        await run.site.put(run.appsflyer)
        try:
            yield run
        finally:
            await run.close()
