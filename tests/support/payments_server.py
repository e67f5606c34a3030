"""The payments harness behind HTTP, for what posts webhooks as a provider would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relay_sandbox.http.server import Connection, Request, Response, Server
from tests.support.payments_harness import PaymentsHarness, webhook_event
from tests.support.webhooks import Posted


@asynccontextmanager
async def serving(harness: PaymentsHarness) -> AsyncIterator[str]:
    """The base URL under which `receive_payment` takes webhooks while the block runs."""

    async def receive(request: Request, connection: Connection) -> Response:
        del connection
        headers = {name.lower(): value for name, value in request.headers}
        *_, provider, source = request.path.split("/")
        event = webhook_event(provider, Posted(headers, request.body), source)
        answer = harness.receiver.handle(event)
        return Response(answer["statusCode"], (), answer["body"].encode())

    async with Server(receive) as server:
        yield f"{server.url}/v1/payments"
