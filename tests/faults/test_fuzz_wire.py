"""Where requests go: no event, no app id and no answer leads the relay, or its token, elsewhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from relay.appsflyer import Client, make_transport
from relay.domain.kinds import ENDPOINTS, App, Kind, Surface
from relay.rules.prepare import prepare
from relay.secrets import Secret
from relay_sandbox.http.server import Connection, Request, Response, Server
from tests.faults.conftest import Saw, Scale
from tests.faults.heard import hearing
from tests.faults.mutations import ODD_VALUES, Mutator
from tests.support.builders import (
    NOW,
    WEB_APP,
    make_envelope,
    make_event,
    make_sqs_event,
    make_web_event,
    make_web_visit,
)
from tests.support.harnesses import TOKEN, AcceptHarness, ForwarderHarness

MADE = {
    Kind.MOBILE_EVENT: (make_event, ("eventName", "customer_user_id", "appsflyer_id", "ua")),
    Kind.WEB_EVENT: (
        make_web_event,
        ("event_name", "customer_dedup_id", "event_url", "user_agent"),
    ),
    Kind.WEB_VISIT: (make_web_visit, ("event_url", "http_referrer", "customer_dedup_id")),
}
APP_IDS = [
    "id123456789",
    "com.example.shop",
    WEB_APP,
    "a\r\nX-Injected: 1",
    "a HTTP/1.1\r\nHost: example.com\r\n\r\nGET /",
    "../../elsewhere",
    "..",
    ".%2e",
    "//example.com/x",
    "@example.com",
    "a?b=c",
    "a#b",
    "http://example.com",
    "\\example.com",
    "a;b",
    "é\u202e",
    "\x00",
]
SERVED_SECONDS = 10.0


@dataclass
class Listening:
    """A server that keeps what came, and gives one answer to all of it."""

    answer: Response = field(default_factory=lambda: Response.text(200, "OK"))
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, request: Request, _: Connection) -> Response:
        """The server's handler."""
        self.requests.append(request)
        return self.answer


class Case(NamedTuple):
    kind: Kind
    app_id: str
    event: dict[str, Any]
    event_id: str | None


def make(mutator: Mutator) -> Case:
    random = mutator.random
    kind = random.choice(list(Kind))
    builder, fields = MADE[kind]
    changes = {random.choice(fields): _text(mutator) for _ in range(random.randrange(3))}
    app_id = mutator.text(APP_IDS) if random.random() < 0.7 else random.choice(APP_IDS)
    return Case(kind, app_id, builder(**changes), random.choice((None, _text(mutator))))


def cases(count: int) -> Iterator[Case]:
    """Every app id of the list on its own, and then by chance."""
    for kind in Kind:
        for app_id in APP_IDS:
            yield Case(kind, app_id, MADE[kind][0](), None)
    for number in range(count):
        yield make(Mutator(f"wire {number}"))


def _text(mutator: Mutator) -> str:
    texts = [value for value in ODD_VALUES if isinstance(value, str)]
    return mutator.random.choice(texts)


async def test_request_of_any_event_and_app_id_goes_to_its_path_with_its_headers_alone(
    scale: Scale, saw: Saw
) -> None:
    """Over a socket, read by h11: a request more, or a header more, would be seen."""
    count, sent = scale.mutations // 5, 0
    listening = Listening()
    async with Server(listening) as server:
        transport = make_transport(1, SERVED_SECONDS, SERVED_SECONDS)
        client = Client(transport, server.url)
        for case in cases(count):
            prepared = prepare(case.kind, App(case.app_id), case.event, NOW, case.event_id)
            if prepared.body is None:
                continue
            sent += 1
            answer = await client.send(
                case.kind, case.app_id, prepared.path, prepared.body, Secret(TOKEN)
            )

            assert answer.status == 200, case
            (request,) = listening.requests
            listening.requests.clear()
            target = ENDPOINTS[case.kind].path + quote(case.app_id, safe="")
            assert (request.method, request.target) == ("POST", target), case
            assert request.path.count("/") == target.count("/"), case
            assert request.headers == _headers(case.kind, server.url, prepared.body), case
            assert request.body == prepared.body, case
        await client.aclose()

    saw(events=count, requests=sent)
    assert sent > count // 4


def _headers(kind: Kind, url: str, body: bytes) -> tuple[tuple[str, str], ...]:
    is_mobile = kind is Kind.MOBILE_EVENT
    return (
        ("host", url.removeprefix("http://")),
        ("authentication", TOKEN) if is_mobile else ("authorization", f"Bearer {TOKEN}"),
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "appsflyer-relay"),
        ("content-length", str(len(body))),
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_event_answered_with_a_redirect_waits_and_nothing_goes_there(
    status: int,
) -> None:
    """E17: the token would go with it."""
    appsflyer, elsewhere = Listening(), Listening()
    async with Server(appsflyer) as server, Server(elsewhere) as other:
        appsflyer.answer = Response(status, (("location", f"{other.url}/inappevent/id1"),))
        harness = ForwarderHarness(appsflyer_url=server.url)
        transport = make_transport(1, SERVED_SECONDS, SERVED_SECONDS)
        forwarder = harness.make_forwarder(transport)
        records = make_sqs_event(make_envelope())["Records"]
        with hearing():
            failed = await forwarder.forward(records, lambda: 90.0)
        await transport.aclose()

    assert failed == []
    assert len(appsflyer.requests) == 1
    assert elsewhere.requests == []
    assert len(harness.waiting) == 1
    assert harness.dead == []


WEB = "POST /v1/web/{app_id}/visits"


async def test_urls_of_an_event_are_never_fetched() -> None:
    """Not to check them, not for a preview, not when they are sent: they are text."""
    appsflyer, page = Listening(), Listening()
    async with Server(appsflyer) as server, Server(page) as other:
        visit = make_web_visit(event_url=f"{other.url}/shoes", http_referrer=f"{other.url}/home")
        accept = AcceptHarness()
        forward = ForwarderHarness(Surface.WEB, appsflyer_url=server.url)
        transport = make_transport(1, SERVED_SECONDS, SERVED_SECONDS)
        with hearing():
            preview = accept.post(visit, route=WEB, app_id=WEB_APP, query={"preview": "true"})
            answer = accept.post(visit, route=WEB, app_id=WEB_APP)
            records = make_sqs_event(*(message.body for message in accept.web))["Records"]
            failed = await forward.make_forwarder(transport).forward(records, lambda: 90.0)
        await transport.aclose()

    assert (preview.status, answer.status, failed) == (200, 202, [])
    assert [json.loads(request.body)["event_url"] for request in appsflyer.requests] == [
        visit["event_url"]
    ]
    assert page.requests == []
