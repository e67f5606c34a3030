"""Odd contents of Parameter Store: events wait, callers are told to come back, nothing is lost."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from relay.aws.parameter_store import CACHE_SECONDS
from relay.config.producers import token_digest
from tests.faults.conftest import Saw, Scale
from tests.faults.heard import Heard, assert_discreet, counted, hearing
from tests.faults.mutations import Mutator, fuzz
from tests.support.builders import (
    MOBILE_APP,
    Json,
    make_envelope,
    make_event,
    make_http_event,
    make_install,
    make_sqs_event,
)
from tests.support.fakes import FakeSsm
from tests.support.harnesses import (
    INSTALL_POST,
    PUSH_TOKEN,
    AcceptHarness,
    ForwarderHarness,
    InstallsHarness,
)
from tests.support.openapi import check_answer
from tests.support.payments_harness import PaymentsHarness, billing_webhook, webhook_event

SECRET = "quill7-token"
"""Stands in every parameter that holds secrets: no log and no answer may have it."""

CALLERS = [
    {"name": "shop", "token_sha256": [token_digest("shop-token")], "apps": [MOBILE_APP]},
    {"name": "every", "token_sha256": [token_digest(PUSH_TOKEN), "0" * 64], "apps": ["*"]},
]
APP = {
    "time_zone": "America/New_York",
    "phone_region": "US",
    "payments": {
        "names": {"refund": "af_refund", "trial": None},
        "revenue": "gross",
        "test_events_to": "id1",
    },
}
SOURCES = PaymentsHarness().sources | {
    "shop": {
        "provider": "stripe",
        "apps": {"mobile": ["id1"], "web": []},
        "pick": ["web"],
        "metadata": {"customer_user_id": "user"},
        "tolerance_seconds": 60,
        "minor_units": {"UGX": 2},
        "basic_auth_sha256": ["0" * 64],
    }
}
"""All that a person may set up."""


PURCHASE = {
    "id": "p-1",
    "amount": "9.99",
    "currency": "EUR",
    "appsflyer_id": "1-1",
    "customer_user_id": "user-1",
    "app_id": MOBILE_APP,
}


class Parameter(NamedTuple):
    """One parameter, and a good value of it."""

    name: str
    good: bytes


def as_json(content: object) -> bytes:
    return json.dumps(content).encode()


APPS = Parameter(f"apps/mobile/{MOBILE_APP}", as_json(APP))
TOKENS = Parameter(f"tokens/mobile/{MOBILE_APP}", f"{SECRET}-1\n{SECRET}-2\n".encode())
PRODUCERS = Parameter("producers", as_json(CALLERS))
PUSH_SENDERS = Parameter("push_senders", as_json(CALLERS))
ALL_SOURCES = Parameter("sources", as_json(SOURCES))
WEBHOOK_SECRETS = Parameter(
    "webhook_secrets/standard-webhooks", f"whsec_{SECRET}\nwhsec_QUJD\n".encode()
)


ENTRIES = 5
"""Tests here, which share the inputs."""


class Change(NamedTuple):
    """A parameter with a value that nobody meant."""

    name: str
    value: str


def changing(*parameters: Parameter) -> Callable[[Mutator], Change]:
    """Parameter Store takes valid Unicode only. One in five is put right again."""

    def make(mutator: Mutator) -> Change:
        parameter = mutator.random.choice(parameters)
        if mutator.random.random() < 0.2:
            return Change(parameter.name, parameter.good.decode())
        return Change(parameter.name, mutator.body([parameter.good]).decode("utf-8", "replace"))

    return make


def put(ssm: FakeSsm, goods: tuple[Parameter, ...], change: Change) -> None:
    """Every parameter good but for one."""
    ssm.calls.clear()
    ssm.parameters |= {f"/relay/{one.name}": one.good.decode() for one in goods}
    ssm.parameters[f"/relay/{change.name}"] = change.value


def test_accept_with_odd_settings_answers_by_the_document(scale: Scale, saw: Saw) -> None:
    harness = AcceptHarness()
    statuses: Counter[str] = Counter()
    event = make_http_event(make_event())

    def promise(change: Change, heard: Heard) -> None:
        put(harness.ssm, (APPS, PRODUCERS), change)
        harness.clock.advance(CACHE_SECONDS + 1)
        response = harness.accept.handle(event)
        queued = len(harness.mobile)
        harness.sqs.queues.clear()
        harness.sqs.calls.clear()
        status = response["statusCode"]
        statuses[f"answers_{status}"] += 1

        assert status in {202, 401, 403, 503}
        check_answer("POST /v1/mobile/{app_id}/events", response)
        assert queued == (status == 202)
        assert_discreet(heard.take())

    fuzz("settings of accept", scale.mutations // ENTRIES, changing(APPS, PRODUCERS), promise)

    saw(settings=scale.mutations // ENTRIES, **statuses)
    assert {"answers_202", "answers_503"} <= statuses.keys()


def test_receive_install_with_odd_settings_answers_by_the_document(scale: Scale, saw: Saw) -> None:
    harness = InstallsHarness()
    statuses: Counter[str] = Counter()
    body = json.dumps(make_install())
    event = make_http_event(body, route=INSTALL_POST, token=None, query={"token": PUSH_TOKEN})

    def promise(change: Change, heard: Heard) -> None:
        put(harness.ssm, (PUSH_SENDERS,), change)
        harness.clock.advance(CACHE_SECONDS + 1)
        response = harness.installs.handle(event)
        statuses[f"answers_{response['statusCode']}"] += 1

        assert response["statusCode"] in {200, 401, 403, 503}
        check_answer(INSTALL_POST, response)
        assert_discreet(heard.take())

    fuzz("settings of receive_install", scale.mutations // ENTRIES, changing(PUSH_SENDERS), promise)

    saw(settings=scale.mutations // ENTRIES, **statuses)
    assert {"answers_200", "answers_503"} <= statuses.keys()


def test_receive_payment_with_odd_settings_answers_by_the_document(scale: Scale, saw: Saw) -> None:
    harness = PaymentsHarness()
    statuses: Counter[str] = Counter()
    route = "POST /v1/payments/{provider}/{source}"

    def promise(change: Change, heard: Heard) -> None:
        put(harness.ssm, (ALL_SOURCES, WEBHOOK_SECRETS), change)
        harness.clock.advance(CACHE_SECONDS + 1)
        webhook = billing_webhook("trial", harness.clock, "whsec_QUJD", id="t-1")
        response = harness.receiver.handle(webhook_event("standard_webhooks", webhook))
        queued = len(harness.waiting)
        harness.sqs.queues.clear()
        harness.sqs.calls.clear()
        status = response["statusCode"]
        statuses[f"answers_{status}"] += 1

        assert status in {200, 401, 503}
        check_answer(route, response)
        assert queued == (status == 200)
        assert_discreet(heard.take(), SECRET)

    make = changing(ALL_SOURCES, WEBHOOK_SECRETS)
    fuzz("settings of receive_payment", scale.mutations // ENTRIES, make, promise)

    saw(settings=scale.mutations // ENTRIES, **statuses)
    assert {"answers_200", "answers_503"} <= statuses.keys()


def test_map_payment_with_odd_settings_loses_nothing(scale: Scale, saw: Saw) -> None:
    harness = PaymentsHarness()
    with hearing():
        harness.tell("purchase", **PURCHASE)
    notice = harness.waiting[0].body
    totals: Counter[str] = Counter()

    def promise(change: Change, heard: Heard) -> None:
        harness.sqs.queues.clear()
        harness.sqs.calls.clear()
        put(harness.ssm, (APPS, ALL_SOURCES), change)
        harness.clock.advance(CACHE_SECONDS + 1)
        failed = harness.map(notice)
        left = sum(len(messages) for messages in harness.sqs.queues.values())
        said = heard.take()
        told = counted(said)
        totals.update(told)

        assert failed == []
        assert left + told["MovementDropped"] + told["MovementRetold"] == 1
        assert_discreet(said)

    fuzz(
        "settings of map_payment", scale.mutations // ENTRIES, changing(APPS, ALL_SOURCES), promise
    )

    saw(settings=scale.mutations // ENTRIES, **totals)
    assert {"MovementMapped", "Held"} <= totals.keys()


def test_forward_with_odd_settings_loses_nothing(scale: Scale, saw: Saw) -> None:
    harness = ForwarderHarness()
    totals: Counter[str] = Counter()
    records: list[Json] = make_sqs_event(make_envelope())["Records"]

    with asyncio.Runner() as runner:

        def promise(change: Change, heard: Heard) -> None:
            put(harness.ssm, (APPS, TOKENS), change)
            harness.clock.advance(CACHE_SECONDS + 1)
            failed = runner.run(harness.forwarder.forward(records, lambda: 90.0))
            left = len(harness.waiting) + len(harness.dead) + len(harness.appsflyer.requests)
            said = heard.take()
            totals.update(counted(said))
            harness.sqs.queues.clear()
            harness.sqs.calls.clear()
            harness.appsflyer.requests.clear()

            assert (failed, left) == ([], 1)
            assert_discreet(said, SECRET)

        fuzz(
            "settings of the forwarders",
            scale.mutations // ENTRIES,
            changing(APPS, TOKENS),
            promise,
        )

    saw(settings=scale.mutations // ENTRIES, **totals)
    assert {"Delivered", "Held"} <= totals.keys()
