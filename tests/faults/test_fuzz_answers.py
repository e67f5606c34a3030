"""Answers that nobody expects of AppsFlyer: the event is delivered, waits, or is a dead letter."""

import asyncio
from collections import Counter
from typing import NamedTuple

import httpx
import pytest

from relay.domain.kinds import Surface
from relay.messages.reader import parse_envelope
from tests.faults.conftest import Saw, Scale
from tests.faults.heard import Heard, assert_discreet, counted
from tests.faults.mutations import CANARY, Mutator, fuzz
from tests.support.builders import make_envelope, make_sqs_event, make_web_envelope
from tests.support.harnesses import TOKEN, ForwarderHarness

TEXTS = [
    b"OK",
    b"appsflyer_id is a mandatory field",
    b"Failed to Authenticate",
    f"no app_id of {CANARY}".encode(),
    b'{"status": "accepted", "message": "x"}',
    b"<html><body>" + b"x" * 3_000 + b"</body></html>",
]
WAITS = [b"0", b"120", b"99999999", b"-5", b"1.5", b"Wed, 21 Oct 2026 07:28:00 GMT", b"1 Jan 1970"]
PLACES = [b"https://example.com/elsewhere", b"//example.com/x", b"/"]
STATUSES = [200, 202, 204, 301, 307, 400, 401, 403, 404, 408, 415, 429, 500, 503]


class Answer(NamedTuple):
    """One answer of AppsFlyer's, as bytes: it need not be text."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class AppsFlyer(httpx.AsyncBaseTransport):
    """Gives one answer to whatever comes."""

    def __init__(self) -> None:
        self.answer = Answer(200, [], b"")
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        stream = httpx.ByteStream(self.answer.body)
        return httpx.Response(self.answer.status, headers=self.answer.headers, stream=stream)


def make(mutator: Mutator) -> Answer:
    random = mutator.random
    status = random.choice(STATUSES) if random.random() < 0.8 else random.randrange(200, 600)
    headers = [
        (name, mutator.torn(random.choice(values)).translate(None, b"\r\n\0"))
        for name, values in ((b"Retry-After", WAITS), (b"Location", PLACES))
        if random.random() < 0.6
    ]
    return Answer(status, headers, mutator.torn(random.choice(TEXTS)))


@pytest.mark.parametrize("surface", list(Surface))
def test_forward_under_odd_answers_loses_no_event(surface: Surface, scale: Scale, saw: Saw) -> None:
    harness, appsflyer = ForwarderHarness(surface), AppsFlyer()
    forwarder = harness.make_forwarder(appsflyer)
    count = scale.mutations // len(Surface)
    totals: Counter[str] = Counter()
    envelope = make_envelope() if surface is Surface.MOBILE else make_web_envelope()
    records = make_sqs_event(envelope)["Records"]

    with asyncio.Runner() as runner:

        def promise(answer: Answer, heard: Heard) -> None:
            appsflyer.answer, appsflyer.sent = answer, 0
            failed = runner.run(forwarder.forward(records, lambda: 90.0))
            waiting, dead = list(harness.waiting), list(harness.dead)
            said = heard.take()
            told = counted(said)
            totals.update(told)
            harness.sqs.queues.clear()
            harness.sqs.calls.clear()
            harness.clock.advance(61)  # a token that was refused is tried again

            assert failed == []
            assert appsflyer.sent == 1  # no redirect is followed
            assert len(waiting) + len(dead) + told["Delivered"] == 1
            assert bool(told["Delivered"]) == (200 <= answer.status < 300)
            assert all(parse_envelope(message.body) for message in waiting)
            assert [letter for letter in dead if CANARY in letter.get("message", "")] == []
            assert_discreet(said, CANARY, TOKEN)

        fuzz(f"answers to the {surface} queue", count, make, promise)

    saw(answers=count, **totals)
    assert {"Delivered", "Deferred", "Held", "Refused", "Blocked"} <= totals.keys()
