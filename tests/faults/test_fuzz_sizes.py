"""Deep, long and wide inputs: each entry settles them, in memory that is a multiple of them."""

import asyncio
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import pytest

from relay.domain.kinds import Surface
from relay.messages.reader import read_body
from relay.rules.hashing import normalize_phone
from tests.faults.conftest import Saw, Scale
from tests.faults.heard import assert_discreet, counted, hearing
from tests.faults.mutations import MEBIBYTE
from tests.faults.shapes import UNITS, WHOLE, Shape, list_of
from tests.support.builders import (
    MOBILE_APP,
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
from tests.support.harnesses import (
    INSTALL_POST,
    PUSH_TOKEN,
    AcceptHarness,
    ForwarderHarness,
    InstallsHarness,
)
from tests.support.payments_harness import SECRETS, PaymentsHarness, webhook_event
from tests.support.webhooks import Posted

MOST_BYTES_A_BYTE: Final = 150
"""Of memory at once, for each byte of an input. A list of half a million numbers is the worst:
orjson sets 256 bytes aside for each, most of which it never touches."""
_BESIDES: Final = 500_000
"""For what is loaded or remembered on the way, whatever the size."""

Inputs = Callable[..., Iterator[tuple[str, str]]]

SHAPES: Final[dict[str, Shape]] = {
    **WHOLE,
    **{
        title: partial(list_of, UNITS[title])
        for title in ("numbers", "prices", "large numbers", "empty objects")
    },
}

FIELDS = {
    Surface.MOBILE: (
        "eventValue",
        "eventName",
        "sharing_filter",
        "email",
        "phone",
        "no_such_field",
    ),
    Surface.WEB: ("event_value", "user_id", "event_url", "timestamp", "no_such_field"),
}
MADE = {
    Surface.MOBILE: (make_envelope, make_event),
    Surface.WEB: (make_web_envelope, make_web_event),
}
ENVELOPE_FIELDS = ("event", "findings", "event_id", "not_before", "attempts")
NOTICE_FIELDS = ("content", "size", "first_seen", "attempts", "type")
INSTALL_FIELDS = ("customer_user_id", "appsflyer_id", "install_time", "platform", "media_source")


def size_of(scale: Scale) -> int:
    """Of an input: as large as messages can be, in the short form 2 KB."""
    return min(MEBIBYTE - 3_000, 12 * scale.mutations)


@pytest.fixture
def inputs(pytestconfig: pytest.Config) -> Inputs:
    """Each shape in every place, in the short form alone and in one of the places in turn."""
    return partial(_inputs, full=pytestconfig.getoption("--full"))


def shaped(whole: Json, name: str, shape: str) -> str:
    """A JSON object as text, with a text of any form as the value of one of its fields."""
    marked = json.dumps({**whole, name: "@@@"})
    return marked.replace('"@@@"', shape)


def _inputs(
    size: int,
    *wholes: tuple[Json, str],
    full: bool,
) -> Iterator[tuple[str, str]]:
    """Each field of each object in each shape, and each shape alone, by what they are."""
    for number, (title, shape) in enumerate(SHAPES.items()):
        text = shape(size)
        yield title, text
        for whole, name in wholes if full else [wholes[number % len(wholes)]]:
            yield f"{title} as {name}", shaped(whole, name, text)


class Memory:
    """What is allocated at once while an input is handled."""

    def __init__(self) -> None:
        self.most = 0
        """Bytes of memory for a byte of input, at worst."""
        self.inputs = 0

    @contextmanager
    def bounded(self, title: str, text: str) -> Iterator[None]:
        """What happens inside takes no more memory than is promised."""
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
        self.inputs += 1
        used = peak - before - _BESIDES
        self.most = max(self.most, used // len(text))
        assert used <= len(text) * MOST_BYTES_A_BYTE, f"{title}: {used} bytes"


@pytest.fixture
def memory() -> Iterator[Memory]:
    """Whatever is there before, or is loaded but once, is not counted."""
    normalize_phone("+1 202 555 0142", None)
    tracemalloc.start()
    yield Memory()
    tracemalloc.stop()


@pytest.mark.parametrize("surface", list(Surface))
def test_forward_bears_every_shape_of_message(
    surface: Surface, inputs: Inputs, memory: Memory, scale: Scale, saw: Saw
) -> None:
    harness = ForwarderHarness(surface)
    made, event = MADE[surface]
    around = inputs(size_of(scale), *((made(), name) for name in ENVELOPE_FIELDS))
    inside = inputs(size_of(scale), *((event(), name) for name in FIELDS[surface]))
    whole = ((title, shaped(made(), "event", text)) for title, text in inside)
    with asyncio.Runner() as runner, hearing() as heard:
        for title, body in itertools.chain(around, whole):
            records = make_sqs_event(body)["Records"]
            with memory.bounded(title, body):
                failed = runner.run(harness.forwarder.forward(records, lambda: 90.0))
            left = len(harness.waiting) + len(harness.dead) + len(harness.appsflyer.requests)
            items = len(read_body(body, harness.clock(), "m"))
            harness.sqs.queues.clear()
            harness.sqs.calls.clear()
            harness.appsflyer.requests.clear()
            assert (failed, left) == ([], items), title
            assert_discreet(heard.take())

    saw(messages=memory.inputs, bytes=size_of(scale), most_bytes_a_byte=memory.most)


def test_map_payment_bears_every_shape_of_message(
    inputs: Inputs, memory: Memory, scale: Scale, saw: Saw
) -> None:
    harness = PaymentsHarness()
    with hearing() as heard:
        harness.tell("refund", id="r-1", original_id="p-1")
        notice = harness.waiting[0].content
        bodies = inputs(size_of(scale), *((notice, name) for name in NOTICE_FIELDS))
        for title, body in bodies:
            harness.sqs.queues.clear()
            harness.sqs.calls.clear()
            heard.take()
            with memory.bounded(title, body):
                failed = harness.map(body)
            assert (failed, len(harness.waiting) + len(harness.dead)) == ([], 1), title
            assert_discreet(heard.take())

    saw(messages=memory.inputs, bytes=size_of(scale), most_bytes_a_byte=memory.most)


def test_accept_bears_every_shape_of_body(
    inputs: Inputs, memory: Memory, scale: Scale, saw: Saw
) -> None:
    harness = AcceptHarness()
    routes = {
        Surface.MOBILE: ("POST /v1/mobile/{app_id}/events", MOBILE_APP, make_event()),
        Surface.WEB: ("POST /v1/web/{app_id}/events", WEB_APP, make_web_event()),
    }
    with hearing() as heard:
        for surface, (route, app_id, event) in routes.items():
            fields = ((event, name) for name in FIELDS[surface])
            for title, body in inputs(size_of(scale), *fields):
                request = make_http_event(body, route=route, app_id=app_id)
                with memory.bounded(title, body):
                    response = harness.accept.handle(request)
                queued = len(harness.mobile) + len(harness.web)
                harness.sqs.queues.clear()
                harness.sqs.calls.clear()
                assert response["statusCode"] in {202, 400, 413}, title
                assert queued == (response["statusCode"] == 202), title
                assert_discreet(heard.take())

    saw(bodies=memory.inputs, bytes=size_of(scale), most_bytes_a_byte=memory.most)


def test_receive_install_bears_every_shape_of_body(
    inputs: Inputs, memory: Memory, scale: Scale, saw: Saw
) -> None:
    harness = InstallsHarness()
    bodies = inputs(size_of(scale) // 5, *((make_install(), name) for name in INSTALL_FIELDS))
    with hearing() as heard:
        for title, body in bodies:
            query = {"token": PUSH_TOKEN}
            request = make_http_event(body, route=INSTALL_POST, token=None, query=query)
            with memory.bounded(title, body):
                response = harness.installs.handle(request)
            assert response["statusCode"] in {200, 400}, title
            assert_discreet(heard.take())

    saw(bodies=memory.inputs, bytes=size_of(scale) // 5, most_bytes_a_byte=memory.most)


def test_receive_payment_bears_every_shape_of_body(
    inputs: Inputs, memory: Memory, scale: Scale, saw: Saw
) -> None:
    """RevenueCat's, which signs nothing; the others read with the same few functions."""
    harness = PaymentsHarness()
    whole: Json = {"api_version": "1.0", "event": {"type": "RENEWAL", "id": "1"}}
    bodies = inputs(size_of(scale), (whole, "event"), (whole, "api_version"))
    with hearing() as heard:
        for title, body in bodies:
            webhook = Posted({"authorization": SECRETS["revenuecat"]}, body.encode())
            request = webhook_event("revenuecat", webhook)
            with memory.bounded(title, body):
                response = harness.receiver.handle(request)
            queued = len(harness.waiting)
            harness.sqs.queues.clear()
            harness.sqs.calls.clear()
            said = heard.take()
            assert response["statusCode"] == 200, title
            assert queued == 1, title
            assert counted(said)["WebhookReceived"] + counted(said)["WebhookUnreadable"] == 1, title
            assert_discreet(said)

    saw(bodies=memory.inputs, bytes=size_of(scale), most_bytes_a_byte=memory.most)
