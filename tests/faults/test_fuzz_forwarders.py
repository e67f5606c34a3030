"""Mutated messages on the delivery queues: each is delivered, waits, or is a dead letter."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import strategies as st

from relay.domain.kinds import ENDPOINTS, Kind, Surface
from relay.messages.envelope import Envelope
from relay.messages.reader import parse_envelope, read_body
from relay.stores.identities import Identities, Identity
from tests.faults.conftest import Saw, Scale
from tests.faults.drawing import draw
from tests.faults.heard import Heard, assert_discreet, counted
from tests.faults.mutations import CANARY, Mutator, fuzz
from tests.faults.test_fuzz_accept import as_text
from tests.property.strategies import json_values, near_valid_events
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    Json,
    make_envelope,
    make_event,
    make_sqs_event,
    make_web_envelope,
    make_web_event,
    make_web_visit,
)
from tests.support.harnesses import TOKEN, ForwarderHarness

PERSON = {"email": CANARY, "phone": "+1 202 555 0142", "first_name": "Ada", "last_name": "Quill"}
FREE = {
    "af_order_id": "order-1001",
    "af_content": [{"id": "sku-1", "price": 4.9}, {"id": "sku-2", "price": "4.90", "tags": []}],
    "note": "Straße \U0001f600",
    "flags": {"gift": True, "first": None, "depth": {"of": {"it": [1, 2, 3]}}},
    "count": 3,
}
"""What is a sender's own to say: it is sent whatever it is."""

ENVELOPES: dict[Surface, list[Json]] = {
    Surface.MOBILE: [
        make_envelope(event_id=None, event=make_event(**PERSON)),
        make_envelope(event_id=None, not_before="2026-03-02T11:00:00Z"),
        make_envelope(event_id=None, event=make_event(eventValue=f'{{"note":"{CANARY}"}}')),
        make_envelope(
            event_id=None, event=make_event(appsflyer_id=None, customer_user_id="user-1")
        ),
        make_envelope(event=make_event(appsflyer_id=None, customer_user_id=CANARY)),
        make_envelope(
            event_id=None,
            attempts=2,
            first_seen="2026-03-02T10:00:00+01:00",
            held_since="2026-03-02T10:00:00Z",
            findings=[{"rule": "S6", "severity": "warn", "field": "event_id", "message": CANARY}],
            event=make_event(custom_data={"a": {"b": [CANARY]}}, sharing_filter=["all"]),
        ),
        make_envelope(event_id=None, event=make_event(eventValue=FREE, eventCurrency=None)),
        make_envelope(event_id=None, event=make_event(custom_data=FREE, eventValue=None)),
        make_envelope(source="stripe-main", content_sha256="0" * 64),
    ],
    Surface.WEB: [
        make_web_envelope(event_id=None, event=make_web_event(**PERSON)),
        make_web_envelope(event_id=None, event=make_web_event(event_value={"note": CANARY})),
        make_web_envelope(event_id=None, event=make_web_event(event_value=FREE)),
        make_web_envelope(event_id=None, event=make_web_event(event_value={**FREE, "a": [FREE]})),
        make_web_envelope(
            event_id=None, kind="web_visit", event=make_web_visit(http_referrer=CANARY)
        ),
        make_web_envelope(event_id=None, reason="crash", status=500, message=CANARY, attempts=9),
    ],
}


def around(good: list[Json]) -> list[Any]:
    """The same in what other services put around it."""
    return [
        {"Type": "Notification", "MessageId": "sns-1", "Message": json.dumps(good[0])},
        {"detail-type": "purchase", "source": "shop", "id": "e-1", "detail": good[1]},
        {"specversion": "1.0", "id": "c-1", "data": json.dumps(good[2]), "subject": CANARY},
        json.dumps(good[3]),
        good[:3],
        {"event": good[0]["event"], "note": CANARY},
    ]


MESSAGES = {
    surface: [json.dumps(one).encode() for one in [*good, *around(good)]]
    for surface, good in ENVELOPES.items()
}
AUTHENTICATION = {
    Surface.MOBILE: ("authentication", TOKEN),
    Surface.WEB: ("authorization", f"Bearer {TOKEN}"),
}


def check_request(request: httpx.Request, surface: Surface, app_id: str) -> None:
    """Whatever an event holds, it goes to AppsFlyer's address with AppsFlyer's headers."""
    kinds = [kind for kind in ENDPOINTS if Surface.of(kind) is surface]
    name, value = AUTHENTICATION[surface]

    assert (request.method, str(request.url)) in {
        ("POST", f"https://appsflyer.example.com{ENDPOINTS[kind].path}{quote(app_id, safe='')}")
        for kind in kinds
    }
    assert request.headers.multi_items() == [
        ("host", "appsflyer.example.com"),
        (name, value),
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "appsflyer-relay"),
        ("content-length", str(len(request.content))),
    ]


class Queue:
    """A forwarder and its queue; each message goes through it alone."""

    def __init__(self, surface: Surface, runner: asyncio.Runner) -> None:
        self.surface = surface
        self.harness = ForwarderHarness(surface, deduplicate="all")
        identities = Identities(self.harness.identities, clock=self.harness.clock)
        identities.remember(Identity(MOBILE_APP, "user-1", "1-2", NOW - timedelta(days=1)))
        self.totals: Counter[str] = Counter()
        self.taken = 0
        self._runner = runner

    def hold(self, body: str, heard: Heard) -> None:
        """What is promised of every message."""
        harness = self.harness
        self.taken += 1
        record = make_sqs_event(body)["Records"][0] | {"messageId": f"m-{self.taken}"}
        failed = self._runner.run(harness.forwarder.forward([record], lambda: 90.0))
        sent, waiting, dead = harness.appsflyer.requests, harness.waiting, harness.dead
        said = heard.take()
        told = counted(said)
        self.totals.update(told)

        assert failed == []
        items = read_body(body, harness.clock(), "m")
        assert len(sent) + len(waiting) + len(dead) + told["Duplicate"] == len(items)
        for request in sent:
            check_request(request, self.surface, items[0].envelope.app_id)
        assert all(parse_envelope(message.body) for message in waiting)
        assert_discreet(said, CANARY, TOKEN)
        sent.clear()
        harness.sqs.queues.clear()
        harness.sqs.calls.clear()


@pytest.mark.parametrize("surface", list(Surface))
def test_forward_under_mutated_messages_loses_none(
    surface: Surface, scale: Scale, saw: Saw
) -> None:
    with asyncio.Runner() as runner:
        queue = Queue(surface, runner)

        def make(mutator: Mutator) -> str:
            return mutator.message(MESSAGES[surface])

        fuzz(f"{surface} queue", scale.mutations, make, queue.hold)

    saw(messages=queue.taken, **queue.totals)
    assert {"Delivered", "Rejected"} <= queue.totals.keys()


@st.composite
def drawn(draw_: st.DrawFn, surface: Surface) -> str:
    """Envelopes whose events and fields may be anything."""
    kind = draw_(st.sampled_from([kind for kind in Kind if Surface.of(kind) is surface]))
    make = make_envelope if surface is Surface.MOBILE else make_web_envelope
    names = st.sampled_from([*Envelope.model_fields, "reason", "eventName"])
    changes = draw_(st.dictionaries(names, json_values, max_size=1))
    given = {"kind": kind, "event_id": None, "event": draw_(near_valid_events(kind))}
    return as_text(make(**given | changes))


@pytest.mark.parametrize("surface", list(Surface))
def test_forward_under_drawn_messages_loses_none(surface: Surface, scale: Scale, saw: Saw) -> None:
    with asyncio.Runner() as runner:
        queue = Queue(surface, runner)

        draw(drawn(surface), scale.drawn, queue.hold)

    saw(messages=queue.taken, **queue.totals)
    assert "Rejected" in queue.totals
