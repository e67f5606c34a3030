"""Every function fits into the least memory that the template allows, whatever it is handed.

Measured is the process under Lambda's real runtime client: the most that was ever resident, its
libraries included, after input upon input of the largest size that Lambda passes in.
"""

import base64
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from relay.accept.bodies import MAX_BODY_BYTES, MAX_EVENTS, MAX_VALUES
from relay.aws.sqs import MAX_MESSAGE_BYTES
from relay.exact_json import MOST_VALUES
from relay.installs import receive as installs
from relay.payments import receive as payments
from relay_sandbox.lambda_runtime.execution import FunctionLog
from relay_sandbox.lambda_runtime.runtime_api import MAX_PAYLOAD_BYTES
from relay_sandbox.processes.children import Child
from relay_sandbox.processes.forker import Launch
from tests.faults.conftest import Saw
from tests.faults.footprint import (
    ODD_APP,
    PUSH_TOKEN,
    WEBHOOK_SECRET,
    forking,
    payload_of,
    process_of,
)
from tests.faults.shapes import Shape, shapes
from tests.support.builders import (
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_http_event,
    make_install,
    make_sqs_event,
    make_web_envelope,
    make_web_event,
)
from tests.support.harnesses import INSTALL_POST
from tests.support.template import PARAMETERS

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and Lambda is Linux"),
]

_MEBIBYTE: Final = 1024 * 1024
LAMBDA_S_OWN: Final = 56 * _MEBIBYTE
"""What is left to Lambda beside the function's process, of which it counts more than we see."""
LEAST: Final = PARAMETERS["MemorySize"]["MinValue"] * _MEBIBYTE - LAMBDA_S_OWN

Make = Callable[[], Json]
Inputs = Iterator[tuple[str, Make]]
"""Events by what they are; each is made when it is needed, for they are large."""

SHORT: Final = frozenset(
    {
        "numbers with an exponent as eventValue",
        "prices, as many as are read in a text",
        "numbers with an exponent",
        "6 messages: lists in lists as eventValue",
        "6 messages: numbers with an exponent as content",
        "6 messages: lists in lists as event_value",
    }
)
"""Some of the worst, and of those the quick ones: at least one for each function."""

WEB: Final[Json] = {"route": "POST /v1/web/{app_id}/events", "app_id": WEB_APP}
NOTICE: Final[Json] = {
    "provider": "revenuecat",
    "source": "shop",
    "sha256": "0" * 64,
    "first_seen": "2026-03-02T12:00:00Z",
    "type": "RENEWAL",
}
WEBHOOK: Final[Json] = {"api_version": "1.0", "event": {"type": "RENEWAL", "id": "1"}}


def shaped(whole: Json, name: str, shape: str) -> str:
    """A JSON object as text, with a text of any form as the value of one of its fields."""
    return json.dumps({**whole, name: "@@@"}).replace('"@@@"', shape)


def as_object(shape: str) -> str:
    """What may stand where an object is asked for."""
    return shape if shape.startswith("{") else f'{{"a":{shape}}}'


def mobile_event(shape: str) -> str:
    return shaped(make_event(), "eventValue", as_object(shape))


def mobile_event_in_text(shape: str) -> str:
    return json.dumps(make_event(eventValue=as_object(shape)))


def web_event(shape: str) -> str:
    return shaped(make_web_event(), "event_value", as_object(shape))


def install(shape: str) -> str:
    return shaped(make_install(), "customer_user_id", shape)


def webhook_body(shape: str) -> str:
    return shaped(WEBHOOK, "event", as_object(shape))


def mobile_envelope(shape: str) -> str:
    return shaped(make_envelope(), "event", mobile_event(shape))


def web_envelope(shape: str) -> str:
    return shaped(make_web_envelope(), "event", web_event(shape))


def notice(shape: str) -> str:
    return shaped(NOTICE, "content", as_object(shape))


def within(whole: Callable[[str], str], shape: Shape) -> Shape:
    """What `whole` makes of a shape."""
    return lambda size: whole(shape(size))


# HTTP


def accept_inputs() -> Inputs:
    """Bodies of each shape: alone, as a field, as JSON in a field's text; and of many events."""
    size = MAX_BODY_BYTES - 1_000
    for title, shape in shapes(MAX_VALUES).items():
        yield title, posted(shape, size)
        yield f"{title} as eventValue", posted(within(mobile_event, shape), size)
        yield f"{title} in a text", posted(within(mobile_event_in_text, shape), size)
        yield f"{title} as event_value", posted(within(web_event, shape), size, **WEB)
        yield f"{title} in base64", posted_in_base64(within(web_event, shape), size)
    for title, shape in shapes(MAX_VALUES // MAX_EVENTS).items():
        for what, query in (("events", {}), ("previews", {"query": {"preview": "true"}})):
            yield (
                f"{MAX_EVENTS} {what}: {title}",
                posted(partial(many_events, shape), size, **WEB, **query),
            )
    yield "a parameter", lambda: make_http_event("{}", **{**WEB, "app_id": ODD_APP})


def many_events(shape: Shape, size: int) -> str:
    one = web_event(shape(size // MAX_EVENTS - 700))
    return f"[{','.join([one] * MAX_EVENTS)}]"


def posted(body: Shape, size: int, **request: Any) -> Make:
    """A request with the largest body of about this size that Lambda hands in."""
    return lambda: fitted(lambda n: make_http_event(body(n), **request), size)


def posted_in_base64(body: Shape, size: int) -> Make:
    def made(length: int) -> Json:
        encoded = base64.b64encode(body(length).encode()).decode()
        return {**make_http_event("", **WEB), "body": encoded, "isBase64Encoded": True}

    return lambda: fitted(made, size)


def fitted(make: Callable[[int], Json], size: int) -> Json:
    """An event of this size, or the largest that Lambda hands in: escapes make it longer."""
    while (length := len(payload_of(event := make(size)))) > MAX_PAYLOAD_BYTES:
        size = int(size * MAX_PAYLOAD_BYTES / length * 0.99)
    return event


def install_inputs() -> Inputs:
    """Messages of each shape."""
    size = installs.MAX_BODY_BYTES - 1_000
    request: Json = {"route": INSTALL_POST, "token": None, "query": {"token": PUSH_TOKEN}}
    for title, shape in shapes(MOST_VALUES).items():
        yield title, posted(shape, size, **request)
        yield (
            f"{title} as customer_user_id",
            posted(within(install, shape), size, **request),
        )


def payment_inputs() -> Inputs:
    """Webhooks of each shape. RevenueCat's, because it signs nothing: all are read alike."""
    size = payments.MAX_BODY_BYTES - 1_000
    for title, shape in shapes(MOST_VALUES).items():
        yield title, webhook(shape, size)
        yield (
            f"{title} as event",
            webhook(within(webhook_body, shape), size),
        )


def webhook(body: Shape, size: int) -> Make:
    def made() -> Json:
        headers = {"authorization": WEBHOOK_SECRET}
        request = make_http_event(body(size), route=payments.ROUTE, token=None, headers=headers)
        return {**request, "pathParameters": {"provider": "revenuecat", "source": "shop"}}

    return made


# Queues


def mobile_batches() -> Inputs:
    yield from batches("", str)
    yield from batches(" as eventValue", mobile_envelope)


def web_batches() -> Inputs:
    yield from batches(" as event_value", web_envelope)


def notice_batches() -> Inputs:
    yield from batches(" as content", notice)


def batches(where: str, body_of: Callable[[str], str]) -> Inputs:
    """As much as Lambda hands in, of messages of each size: 1 MiB, 600 KB, 60 KB, 6 KB."""
    for count in (6, 10, 100, 1_000):
        size = min(MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES // count) - 1_500
        for title, shape in shapes(MOST_VALUES).items():
            yield (
                f"{count} messages: {title}{where}",
                partial(batch, within(body_of, shape), size, count),
            )


def batch(made: Shape, size: int, most: int) -> Json:
    """As many messages with this body as Lambda hands in: escapes make them longer."""
    body = made(size)
    one = len(payload_of(make_sqs_event(body)["Records"][0])) + 10
    return make_sqs_event(*[body] * min(most, MAX_PAYLOAD_BYTES // one))


FUNCTIONS: Final[dict[str, Callable[[], Inputs]]] = {
    "accept": accept_inputs,
    "receive_install": install_inputs,
    "receive_payment": payment_inputs,
    "map_payment": notice_batches,
    "forward_mobile": mobile_batches,
    "forward_web": web_batches,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def launch(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Launch]:
    """As Lambda starts a process; in the short form by forking."""
    if pytestconfig.getoption("--full"):
        yield Child.start
        return
    log = FunctionLog(tmp_path_factory.mktemp("forking") / "forking.log")
    async with forking(log) as launch:
        yield launch
    log.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("function", list(FUNCTIONS))
async def test_function_fits_into_the_least_memory_whatever_it_is_handed(
    function: str, launch: Launch, tmp_path: Path, pytestconfig: pytest.Config, saw: Saw
) -> None:
    full: bool = pytestconfig.getoption("--full")
    inputs = 0
    async with process_of(function, tmp_path, launch) as process:
        for title, make in FUNCTIONS[function]():
            if full or title in SHORT:
                await process.invoke(make())
                inputs += 1
                assert process.peak <= LEAST, f"{title}: {process.peak // _MEBIBYTE} MiB"

    assert inputs
    saw(inputs=inputs, most_mebibytes=process.peak // _MEBIBYTE, of=LEAST // _MEBIBYTE)
