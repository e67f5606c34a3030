"""`relay payments trigger` and `explain`: webhooks as providers send them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from relay.instants import utc_now
from relay.payments.providers.registry import PROVIDERS, samples_of
from relay.payments.providers.samples import Order
from relay_cli.payments.samples import RETURNS, REVERSALS, build
from relay_cli.payments.trigger import Address, movement_id, new_tag, orders_for, trigger
from relay_cli.terminal.errors import CliError, ExitCode
from relay_sandbox.sandbox import Sandbox
from tests.integration.cli.conftest import Run
from tests.integration.conftest import left_on
from tests.support.payments_harness import SECRETS, PaymentsHarness, source_of
from tests.support.payments_server import serving

DATA = Path(__file__).parents[2] / "data" / "webhooks"
REVENUES = {"trial": ["none"], "cancellation": ["none"]}
REVENUES |= {kind: ["-9.99", "9.99"] for kind in RETURNS}
REVENUES |= {kind: ["-9.99", "9.99", "9.99"] for kind in REVERSALS}

pytestmark = pytest.mark.xdist_group("sandbox for the page")


def order(provider: str, kind: str, tag: str, **more: Any) -> Order:
    metadata = {"app_user_id": f"c-{tag}", "appsflyer_id": "1-2", "af_app_id": "id123456789"}
    return Order(
        provider,
        kind,
        tag,
        utc_now(),
        f"c-{tag}",
        Decimal("9.99"),
        "EUR",
        metadata=metadata,
        **more,
    )


@pytest.fixture
def sandbox(sandbox_for_payments: Sandbox) -> Sandbox:
    return sandbox_for_payments


async def revenues_by_customer(sent: Iterable[tuple[Order, str | None]]) -> dict[str, list[str]]:
    """What was queued for AppsFlyer of each customer, an event once; from a relay in memory."""
    harness = PaymentsHarness()
    harness.clock.now = utc_now()
    async with serving(harness) as url:
        for one, original_tag in sent:
            source = source_of(one.provider)
            address = Address(f"{url}/{one.provider}/{source}", source, SECRETS[one.provider])
            assert await asyncio.to_thread(trigger, one, address, original_tag) is ExitCode.OK
    harness.settle()
    assert harness.dead == []
    events = {one["event_id"]: one["event"] for one in harness.mobile}
    found: dict[str, list[str]] = {}
    for event in events.values():
        revenue = event["eventValue"].get("af_revenue", "none")
        found.setdefault(event["customer_user_id"], []).append(revenue)
    return {customer: sorted(revenues) for customer, revenues in found.items()}


async def test_trigger_each_kind_of_each_provider_is_its_money_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
    sent = [
        order(provider, kind, new_tag())
        for provider in PROVIDERS
        for kind in samples_of(provider).KINDS
    ]

    assert await revenues_by_customer((one, None) for one in sent) == {
        f"c-{one.tag}": REVENUES.get(one.kind, ["9.99"]) for one in sent
    }


def returned_twice(provider: str, tag: str) -> list[tuple[Order, str | None]]:
    """A payment, its refund, and another refund that is reversed."""
    kinds = (("renewal", None), ("refund", tag), ("refund_reversed", tag))
    return [(order(provider, kind, tag), original) for kind, original in kinds]


RETURNED_TWICE = ["-9.99", "-9.99", "9.99", "9.99"]


async def test_trigger_returns_a_payment_that_an_earlier_call_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
    tags = {provider: new_tag() for provider in PROVIDERS}
    sent = [one for provider, tag in tags.items() for one in returned_twice(provider, tag)]

    assert await revenues_by_customer(sent) == {f"c-{tag}": RETURNED_TWICE for tag in tags.values()}


@pytest.mark.asyncio(loop_scope="session")
async def test_trigger_in_the_sandbox_reaches_appsflyer(sandbox: Sandbox, tmp_path: Path) -> None:
    ready, tag = tmp_path / "ready.json", new_tag()
    ready.write_text(json.dumps(sandbox.ready))

    for sent, original in returned_twice("stripe", tag):
        address = Address.of_sandbox(ready, sent.provider)
        assert await asyncio.to_thread(trigger, sent, address, original) is ExitCode.OK
    assert await sandbox.settled(60)

    recorded = [entry for entry in sandbox.stand_in.ledger if entry.recorded]
    matching = [one for one in recorded if f"c-{tag}" in json.dumps(one.payload, default=str)]
    assert sorted(str(entry.revenue) for entry in matching) == RETURNED_TWICE
    assert await left_on(sandbox, "payments_dlq") == []


def test_orders_for_the_reversal_of_a_named_refund_is_that_alone() -> None:
    (reversal,) = orders_for(order("stripe", "refund_reversed", "new"), "paid-1f2e")

    assert (reversal.tag, reversal.payment_tag) == ("paid-1f2e", "paid")


def test_trigger_kind_that_a_provider_does_not_have_posts_nothing() -> None:
    nowhere = Address("http://127.0.0.1:9/", "s", "s")

    with pytest.raises(CliError, match="tells of no such thing"):
        trigger(order("revenuecat", "dispute", "t"), nowhere)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_build_amount_with_more_places_than_its_currency_is_refused(provider: str) -> None:
    sent = replace(order(provider, "purchase", "t"), amount=Decimal("9.999"))

    with pytest.raises(CliError, match="more decimal places than EUR"):
        build(sent)


def test_build_kind_that_a_provider_does_not_have_lists_its_kinds() -> None:
    with pytest.raises(CliError, match="renewal, purchase, refund, refund_reversed, dispute"):
        build(order("adyen", "trial", "t"))


def test_build_unknown_provider_lists_the_providers() -> None:
    with pytest.raises(CliError, match="stripe, revenuecat, paddle, adyen, standard_webhooks"):
        build(order("braintree", "trial", "t"))


@pytest.mark.parametrize(
    ("provider", "kind", "expected"),
    [
        ("stripe", "refund", "re_a-b"),
        ("revenuecat", "refund", "a:refund:CANCELLATION-a-b"),
        ("stripe", "renewal", "in_a-b"),
        ("adyen", "dispute_won", "Ca-b:won"),
    ],
)
def test_movement_id_is_that_of_the_event(provider: str, kind: str, expected: str) -> None:
    assert movement_id(provider, build(order(provider, kind, "a-b"))) == expected


def test_movement_id_of_a_cancellation_has_its_time() -> None:
    sent = order("stripe", "cancellation", "a")

    assert movement_id("stripe", build(sent)) == f"sub_a:cancelled:{sent.seconds}"


def test_trigger_without_a_sandbox_ends_with_2(run: Run, tmp_path: Path) -> None:
    done = run(
        "payments", "trigger", "stripe", "trial", "--ready-file", str(tmp_path / "none.json")
    )

    assert done.returncode == 2
    assert b"is a sandbox up?" in done.stderr


@pytest.mark.parametrize("code", ["EURO", "E", "12a", "ÄÖÜ"])
def test_trigger_currency_that_is_none_ends_with_2(run: Run, code: str) -> None:
    done = run("payments", "trigger", "stripe", "purchase", f"--currency={code}")

    assert done.returncode == 2
    assert b"--currency must be" in done.stderr


@pytest.mark.parametrize("amount", ["free", "0", "-1", "nan"])
def test_trigger_amount_that_is_none_ends_with_2(run: Run, amount: str) -> None:
    done = run("payments", "trigger", "stripe", "purchase", f"--amount={amount}")

    assert done.returncode == 2
    assert b"--amount must be" in done.stderr


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("stripe_invoice_paid_first", ["first_payment", "59.49 EUR", '"af_revenue":"59.49"']),
        ("stripe_invoice_paid_renewal", ["renewal", '"af_revenue":"59.49"']),
        ("stripe_refund_created", ["refund", "20.00 EUR", "like its original's"]),
        ("stripe_invoice_payment_paid", ["no movement of money"]),
        ("adyen_authorisation", ["purchase", "QFQTPCQ8HXSKGK82"]),
        ("paddle_transaction_completed_web", ["first_payment", "46.51"]),
        ("revenuecat_sandbox_initial_purchase", ["a test: dropped"]),
    ],
)
def test_explain_says_what_a_webhook_becomes(run: Run, sample: str, expected: list[str]) -> None:
    done = run("payments", "explain", str(DATA / f"{sample}.json"))

    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    assert [text for text in expected if text not in shown] == []
    assert "jane.roe" not in shown


def test_explain_applies_the_rules_of_an_app(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "app.json"
    rules.write_text(
        '{"payments": {"names": {"first_payment": "joined"}, "revenue": "net_of_tax"}}'
    )
    sample = str(DATA / "stripe_invoice_paid_first.json")

    done = run("payments", "explain", sample, "--rules", str(rules))

    assert b'"eventName":"joined","eventValue":{"af_revenue":"49.99"' in done.stdout


def explained(run: Run, tmp_path: Path, sample: str, *options: str, **fields: Any) -> Any:
    """The output for one of Stripe's samples with changed fields."""
    event = json.loads((DATA / f"{sample}.json").read_text())
    event["data"]["object"].update(fields)
    event["type"] = fields.get("type", event["type"])
    file = tmp_path / "body.json"
    file.write_text(json.dumps(event))
    return run("payments", "explain", str(file), *options)


def test_explain_unreadable_webhook_says_why_and_ends_with_1(run: Run, tmp_path: Path) -> None:
    done = explained(run, tmp_path, "stripe_invoice_paid_first", amount_paid="all of it")

    assert (done.returncode, done.stderr) == (1, b"")
    assert b"unreadable: amount_paid is not a whole number" in done.stdout
    assert b"all of it" not in done.stdout


def test_explain_duplicate_webhook_names_the_one_that_counts(run: Run, tmp_path: Path) -> None:
    kind = "invoice.payment_succeeded"

    done = explained(run, tmp_path, "stripe_invoice_paid_first", type=kind)

    assert b"ignored: the same payment: an invoice" in done.stdout


def test_explain_foreign_app_is_not_reported_as_unknown_yet(run: Run, tmp_path: Path) -> None:
    done = explained(run, tmp_path, "stripe_invoice_paid_first", "--mobile-app", "id555")

    assert b"foreign_app: Acknowledged, and kept as a dead letter" in done.stdout


def test_explain_without_any_app_says_that_none_is_named(run: Run) -> None:
    done = run("payments", "explain", str(DATA / "paddle_transaction_completed_web.json"))

    assert b"no app is named here" in done.stdout


def test_explain_test_goes_where_the_app_sends_tests(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "app.json"
    rules.write_text('{"payments": {"test_events_to": "id999999999"}}')
    sample = str(DATA / "revenuecat_sandbox_initial_purchase.json")

    done = run("payments", "explain", sample, "--rules", str(rules))

    assert b"becomes mobile_event for id999999999" in done.stdout


def test_explain_file_of_no_known_provider_says_so(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"hello": 1}')

    done = run("payments", "explain", str(file))

    assert done.returncode == 2
    assert b"--provider" in done.stderr
