"""A customer's story as each provider tells it, through the whole system: every cent, once.

The webhooks are signed by the providers' own SDKs and come in any order, each of them twice. The
stories are brief: refunds in parts and disputes, thrice and in hundreds of orders, are told in
memory (tests/unit/layer/payments/test_mapping_stories.py).
"""

from __future__ import annotations

import asyncio
import json
import random
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from relay_sandbox.sandbox import Sandbox
from relay_sandbox.stand_in.ledger import Entry
from tests.integration.conftest import left_on
from tests.support.payment_stories import BRIEF, brief_story
from tests.support.webhooks import ACCOUNTS, APP, APPSFLYER_ID, PERSON, Account, Posted

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]

SETTLE_SECONDS = 90
TIMES_TOLD = 2
INSTALLED = "user-installed"
PRIVATE = (PERSON, "jane.roe", "Jane Roe", "033899:4242", "hosted_invoice", "visa", "Premium")
"""What the samples hold of a person, a card or a product's name."""


@pytest.fixture
def sandbox(sandbox_for_payments: Sandbox) -> Sandbox:
    return sandbox_for_payments


def customer_of(provider: str) -> str:
    return f"user-{provider.replace('_', '-')}"


def account(sandbox: Sandbox, provider: str, customer: str) -> Account:
    return ACCOUNTS[provider](sandbox.ready["payment_sources"][provider]["secret"], customer)


def post(sandbox: Sandbox, provider: str, webhook: Posted) -> int:
    source = sandbox.ready["payment_sources"][provider]["source"]
    url = f"{sandbox.ready['api']}/v1/payments/{provider}/{source}"
    headers = {"content-type": "application/json", **webhook.headers}
    request = urllib.request.Request(url, webhook.body, headers)  # noqa: S310 # the sandbox's
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 # as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def recorded(sandbox: Sandbox, customer: str) -> list[Entry]:
    return [
        entry
        for entry in sandbox.stand_in.ledger
        if entry.recorded and customer in json.dumps(entry.payload, default=str)
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(sandbox_for_payments: Sandbox) -> Sandbox:
    """The sandbox after every provider's story: all webhooks mixed, each of them twice.

    And after a payment of somebody of whom nothing but an install is known.
    """
    sandbox = sandbox_for_payments
    assert await asyncio.to_thread(install, sandbox, INSTALLED) == 200
    webhooks = [
        (provider, webhook)
        for provider in BRIEF
        for webhook in TIMES_TOLD * brief_story(account(sandbox, provider, customer_of(provider)))
    ]
    of_the_installed = account(sandbox, "stripe", INSTALLED)
    of_the_installed.hints = lambda: {"app_user_id": INSTALLED}  # type: ignore[method-assign]
    webhooks.append(("stripe", of_the_installed.renewal(1)[0]))
    random.Random("mixed").shuffle(webhooks)  # noqa: S311 # any order, the same in each run

    posted = [asyncio.to_thread(post, sandbox, *one) for one in webhooks]

    assert set(await asyncio.gather(*posted)) == {200}
    assert await sandbox.settled(SETTLE_SECONDS)
    return sandbox


@pytest.mark.parametrize("provider", BRIEF)
async def test_story_told_twice_in_any_order_is_each_movement_once(
    told: Sandbox, provider: str
) -> None:
    entries = recorded(told, customer_of(provider))

    assert await left_on(told, "payments_dlq") == []
    assert Counter((entry.event_name, entry.revenue) for entry in entries) == Counter(
        BRIEF[provider]
    )
    assert sum(Decimal(entry.revenue or 0) for entry in entries) == Decimal("59.49")
    assert {entry.currency for entry in entries if entry.revenue} == {"EUR"}
    assert {entry.app_id for entry in entries} == {APP}


async def test_refund_carries_the_order_id_of_its_payment(told: Sandbox) -> None:
    name = account(told, "stripe", customer_of("stripe")).name

    values = [_event_value(entry) for entry in recorded(told, customer_of("stripe"))]

    of_the_renewal = [one for one in values if one.get("af_order_id") == f"in_{name}_2"]
    assert sorted(one["af_revenue"] for one in of_the_renewal) == ["-59.49", "59.49"]


async def test_customer_of_whom_only_an_install_is_known_gets_its_appsflyer_id(
    told: Sandbox,
) -> None:
    """No AppsFlyer id and no app in the metadata: the latest install says both."""
    (entry,) = recorded(told, INSTALLED)

    assert isinstance(entry.payload, dict)
    assert (entry.app_id, entry.revenue) == (APP, "59.49")
    assert entry.payload["appsflyer_id"] == APPSFLYER_ID


def install(sandbox: Sandbox, customer: str) -> int:
    """AppsFlyer's Push API message of an install."""
    message = {
        "app_id": APP,
        "appsflyer_id": APPSFLYER_ID,
        "customer_user_id": customer,
        "install_time": "2026-10-26 08:00:00.000",
        "platform": "ios",
        "event_type": "install",
        "ip": "192.0.2.1",
    }
    url = f"{sandbox.ready['api']}/v1/appsflyer/installs/{APP}?token={sandbox.ready['push_token']}"
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310 # the sandbox's own address
        return int(answer.status)


@pytest.mark.parametrize("provider", BRIEF)
async def test_webhook_that_is_not_signed_is_refused(sandbox: Sandbox, provider: str) -> None:
    told = account(sandbox, provider, "user-forged")
    forged = Posted({}, told.renewal(1)[0].body.replace(b"hmacSignature", b"nothing"))

    assert await asyncio.to_thread(post, sandbox, provider, forged) == 401


async def test_nothing_that_a_provider_sent_of_a_person_is_kept_anywhere(told: Sandbox) -> None:
    """Runs on what the stories left: tables, queues of all kinds, logs and what was sent."""
    customer = customer_of("stripe")
    sent = b"".join(
        webhook.body
        for provider in BRIEF
        for webhook in brief_story(account(told, provider, customer_of(provider)))
    ).decode()
    assert [private for private in PRIVATE if private not in sent] == []

    kept = "\n".join([text async for text in everything(told)])

    assert customer in kept  # it is looked at in the right places
    assert [private for private in PRIVATE if private in kept] == []


async def everything(sandbox: Sandbox) -> AsyncIterator[str]:
    for name in ("identities_table", "trail_table", "deliveries_table"):
        for item in scanned(sandbox, sandbox.ready[name]):
            yield json.dumps(item)
    for queue in ("payments_queue", "payments_dlq", "mobile_queue", "mobile_dlq", "web_dlq"):
        for body in await left_on(sandbox, queue):
            yield body
    yield await asyncio.to_thread(logs, sandbox)
    for entry in sandbox.stand_in.ledger:
        yield json.dumps(entry.as_json(), default=str)


def logs(sandbox: Sandbox) -> str:
    found = sorted(sandbox.logs.glob("*.log"))
    return "".join(log.read_text(encoding="utf-8", errors="replace") for log in found)


def scanned(sandbox: Sandbox, table: str) -> Iterator[Any]:
    pages = sandbox.aws.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    for page in pages:
        yield from page["Items"]


def _event_value(entry: Entry) -> dict[str, Any]:
    assert isinstance(entry.payload, dict)
    value: dict[str, Any] = json.loads(entry.payload["eventValue"])
    return value
