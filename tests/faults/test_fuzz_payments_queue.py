"""Mutated messages on the payments queue: each becomes an event, waits, is dead or is counted."""

from collections import Counter

from relay.messages.notice import parse_notice
from relay.messages.reader import parse_envelope
from relay.payments.map import NEEDED_SECONDS
from relay.payments.providers.registry import PROVIDERS
from tests.faults.conftest import Saw, Scale
from tests.faults.heard import Heard, assert_discreet, counted, hearing
from tests.faults.mutations import CANARY, Mutator, fuzz
from tests.faults.test_fuzz_webhooks import event_of, good, signed
from tests.support.builders import make_sqs_event
from tests.support.payments_harness import PaymentsHarness

SETTLED = ("LinksLearnt", "MovementDropped", "TestDropped", "MovementRetold")
"""What leaves no message behind."""


def good_notices() -> list[bytes]:
    """What `receive_payment` queues of the providers' samples, with somebody's id in its values."""
    harness = PaymentsHarness()
    with hearing():
        for provider in PROVIDERS:
            for body in good(provider):
                harness.receiver.handle(event_of(provider, signed(provider, body, harness)))
    return [
        message.body.encode().replace(b"user-1", CANARY.encode()) for message in harness.waiting
    ]


def test_map_payment_under_mutated_messages_loses_none(scale: Scale, saw: Saw) -> None:
    harness = PaymentsHarness()
    notices = good_notices()
    totals: Counter[str] = Counter()

    def promise(body: str, heard: Heard) -> None:
        records = make_sqs_event(body)["Records"]
        failed = harness.mapper.map(records, lambda: NEEDED_SECONDS)
        queues = harness.sqs.queues
        left = sum(len(messages) for messages in queues.values())
        said = heard.take()
        told = counted(said)
        totals.update(told)

        assert failed == []
        assert left + sum(told[name] for name in SETTLED) == 1
        assert all(parse_envelope(message) for message in bodies(harness, "mobile", "web"))
        assert all(parse_notice(message) for message in bodies(harness, "payments"))
        assert_discreet(said, CANARY)
        queues.clear()
        harness.sqs.calls.clear()

    def make(mutator: Mutator) -> str:
        return mutator.message(notices)

    fuzz("payments queue", scale.mutations, make, promise)

    saw(messages=scale.mutations, **totals)
    assert {"DeadLettered", "MovementMapped", "LinksLearnt"} <= totals.keys()


def bodies(harness: PaymentsHarness, *queues: str) -> list[str]:
    """What is on these queues."""
    return [
        message.body
        for url, messages in harness.sqs.queues.items()
        for message in messages
        if url.rpartition("/")[2] in queues
    ]
