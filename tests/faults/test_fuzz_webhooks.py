"""Webhooks to `receive_payment`: signed right over odd bodies, and signed oddly over good ones."""

import base64
import hmac
from collections import Counter
from typing import NamedTuple

import pytest

from relay.messages.notice import parse_notice
from relay.payments.providers.registry import PROVIDERS
from relay.payments.receive import ROUTE
from relay_cli.payments.signing import sign
from tests.faults.conftest import Saw, Scale
from tests.faults.heard import Heard, assert_discreet, counted
from tests.faults.mutations import CANARY, Mutator, fuzz
from tests.support.builders import Json
from tests.support.openapi import check_answer
from tests.support.payments_harness import SECRETS, PaymentsHarness, billing_webhook, webhook_event
from tests.support.webhooks import DATA, PERSON, Posted

BILLING = {
    "id": "order-1",
    "amount": "9.99",
    "currency": "EUR",
    "tax": "1.60",
    "customer_user_id": "user-1",
    "app_id": "id123456789",
}


def good(provider: str) -> list[bytes]:
    """The provider's samples; a person's address stands in them where providers put it."""
    if provider == "standard_webhooks":
        clock = PaymentsHarness().clock
        kinds: Json = {
            "renewal": {},
            "trial": {"amount": None},
            "refund": {"original_id": "order-0"},
        }
        bodies = [
            billing_webhook(kind, clock, **{**BILLING, **more}).body for kind, more in kinds.items()
        ]
        return [
            body.replace(b'"data": {', b'"data": {"note": "%s", ' % CANARY.encode())
            for body in bodies
        ]
    samples = sorted(DATA.glob(f"{provider}_*.json"))
    return [path.read_bytes().replace(PERSON.encode(), CANARY.encode()) for path in samples]


def signed(provider: str, body: bytes, harness: PaymentsHarness) -> Posted:
    """A body, whatever it is, as its provider signs it; Adyen's in the header, over all of it."""
    if provider == "adyen":
        digest = hmac.digest(bytes.fromhex(SECRETS["adyen"]), body, "sha256")
        return Posted({"hmacsignature": base64.b64encode(digest).decode()}, body)
    return Posted(*sign(provider, body, SECRETS[provider], harness.clock.now))


def event_of(provider: str, webhook: Posted) -> Json:
    """Lambda's event, its body in Base64: it need not be text."""
    event = webhook_event(provider, Posted(webhook.headers, b""), encoded=True)
    event["body"] = base64.b64encode(webhook.body).decode()
    return event


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_receive_payment_signed_right_over_a_mutated_body_takes_and_keeps_it(
    provider: str, scale: Scale, saw: Saw
) -> None:
    """What cannot be read is kept, too: nobody sends it again once it is acknowledged."""
    harness, count = PaymentsHarness(), scale.mutations // len(PROVIDERS)
    bodies = good(provider)
    counts: Counter[str] = Counter()

    def promise(body: bytes, heard: Heard) -> None:
        response = harness.receiver.handle(event_of(provider, signed(provider, body, harness)))
        queued = list(harness.waiting)
        harness.sqs.queues.clear()
        harness.sqs.calls.clear()
        said = heard.take()
        told = counted(said)

        if len(body) > 1024 * 1024:
            assert response["statusCode"] == 413
            return
        counts.update(told)
        assert (response["statusCode"], response["body"]) == (
            200,
            PROVIDERS[provider].ACKNOWLEDGEMENT,
        )
        check_answer(ROUTE, response)
        assert len(queued) == told["WebhookReceived"] + told["WebhookUnreadable"]
        assert queued or told["WebhookIgnored"]
        assert {parse_notice(message.body).provider for message in queued} <= {provider}
        assert_discreet(said, CANARY)

    fuzz(f"webhooks of {provider}", count, lambda mutator: mutator.body(bodies), promise)

    saw(webhooks=count, **counts)
    assert {"WebhookReceived", "WebhookUnreadable"} <= counts.keys()


class Forged(NamedTuple):
    event: Json
    has_signature: bool
    """Whether the true signature still stands in its header."""


def forged(
    provider: str, harness: PaymentsHarness, bodies: list[bytes], mutator: Mutator
) -> Forged:
    """A good body with its signature, and one of its headers changed or another body with it."""
    random = mutator.random
    webhook = signed(provider, random.choice(bodies), harness)
    headers = {name: text for name, text in webhook.headers.items() if name != "content-type"}
    changed = random.choice(list(headers))
    true = headers[changed]
    headers[changed] = mutator.text([true])
    if random.random() < 0.2:
        headers[mutator.text([changed])] = mutator.text([true])
    event = event_of(provider, Posted(headers, webhook.body))
    event["headers"] = {name.lower(): text for name, text in headers.items()}
    event["pathParameters"] = {
        "provider": provider if random.random() < 0.9 else mutator.text([provider]),
        "source": event["pathParameters"]["source"]
        if random.random() < 0.9
        else mutator.text(["a"]),
    }
    secret = true.rpartition("=")[2].rpartition(",")[2]
    return Forged(event, any(secret in text for text in event["headers"].values()))


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_receive_payment_under_mutated_signatures_lets_nobody_in(
    provider: str, scale: Scale, saw: Saw
) -> None:
    harness, count = PaymentsHarness(), scale.mutations // len(PROVIDERS)
    bodies = good(provider)
    statuses: Counter[str] = Counter()

    def promise(case: Forged, heard: Heard) -> None:
        response = harness.receiver.handle(case.event)
        queued = len(harness.waiting)
        harness.sqs.queues.clear()
        harness.ssm.calls.clear()
        status = response["statusCode"]
        statuses[f"answers_{status}"] += 1

        assert status in {200, 400, 401}
        check_answer(ROUTE, response)
        assert status != 200 or case.has_signature
        assert status == 200 or not queued
        assert_discreet(heard.take(), CANARY, SECRETS[provider])
        assert CANARY not in response["body"]

    def make(mutator: Mutator) -> Forged:
        return forged(provider, harness, bodies, mutator)

    fuzz(f"signatures of {provider}", count, make, promise)

    saw(webhooks=count, **statuses)
    assert "answers_401" in statuses
