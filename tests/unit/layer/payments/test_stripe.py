import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from relay.domain.movements import (
    Amount,
    Circumstances,
    CustomerHints,
    Interpretation,
    Link,
    Movement,
    MovementKind,
    ParsedWebhook,
    Telling,
    Treatment,
)
from relay.domain.payment_rules import SourceApps
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.payments.providers import stripe
from relay.payments.providers.stripe.settings import StripeSettings
from tests.support.builders import Json
from tests.support.every import every

SAMPLES = Path(__file__).parents[3] / "data" / "webhooks"
SETTINGS = StripeSettings(provider="stripe", apps=SourceApps())
WHOSE = CustomerHints("user_84213", "1698765432100-1234567890123456789", "id1234567890", "ios")
WHO = CustomerHints("user_84213")
TOLD_AT = datetime(2026, 10, 26, 9, 0, tzinfo=UTC)
TOLD_UNIX = 1793005200


def unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def settings(**fields: Any) -> StripeSettings:
    return SETTINGS.model_copy(update=fields)


def sample(name: str) -> Json:
    event: Json = json.loads((SAMPLES / f"stripe_{name}.json").read_text("utf-8"))
    return event


def of(kind: str, **thing: Any) -> Json:
    """An event of the least that Stripe would send."""
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": TOLD_UNIX,
        "livemode": True,
        "data": {"object": {"currency": "eur", **thing}},
    }


def told(event: Json, given: StripeSettings = SETTINGS) -> ParsedWebhook:
    (found,) = stripe.parse(json.dumps(event).encode(), given)
    return found


def understood(event: Json, given: StripeSettings = SETTINGS) -> Interpretation:
    """By way of the queue: what is not on the allow-list is gone."""
    found = told(event, given)
    assert found.treatment is Treatment.COUNTED
    return stripe.interpret(found.type, loads(dumps(found.content)), given)


def movement_of(event: Json, given: StripeSettings = SETTINGS) -> Movement:
    movement = understood(event, given).movement
    assert movement is not None
    return movement


def facts_of(event: Json, given: StripeSettings = SETTINGS) -> dict[str, Link]:
    return {link.ref: link for link in understood(event, given).links}


def eur(gross: str, net: str | None = None) -> Amount:
    return Amount("EUR", Decimal(gross), None if net is None else Decimal(net))


# The samples

SUBSCRIPTION = "subscription:sub_1Test84213"
CUSTOMER = "customer:cus_Test84213"
BY_SAMPLE: dict[str, Interpretation] = {
    "checkout_session_completed_subscription": Interpretation(
        (
            Link(
                "checkout:cs_live_a1TestSession",
                ("invoice:in_1TestFirst", SUBSCRIPTION, CUSTOMER),
                WHOSE,
            ),
            Link("invoice:in_1TestFirst", (SUBSCRIPTION, CUSTOMER), WHOSE),
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE, started=unix(1793005204)),
            Link(CUSTOMER, (), WHO),
        )
    ),
    "customer_subscription_created": Interpretation(
        (
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE, started=unix(1793001600)),
            Link(CUSTOMER, (), WHO),
        )
    ),
    "customer_subscription_created_trial": Interpretation(
        (
            Link(
                "subscription:sub_1TestTrial",
                (CUSTOMER,),
                WHOSE,
                unix(1793606400),
                unix(1793001600),
            ),
            Link(CUSTOMER, (), WHO),
            Link("trial:sub_1TestTrial:trial", ("subscription:sub_1TestTrial",)),
        ),
        Movement(
            MovementKind.TRIAL,
            "sub_1TestTrial:trial",
            "trial:sub_1TestTrial:trial",
            unix(1793001600),
            product_id="price_1TestYearly",
            quantity=1,
        ),
    ),
    "invoice_paid_trial_zero": Interpretation(
        (
            Link("invoice:in_1TestTrial", ("subscription:sub_1TestTrial", CUSTOMER), WHOSE),
            Link("subscription:sub_1TestTrial", (CUSTOMER,), WHOSE, started=unix(1793005202)),
            Link(CUSTOMER, (), WHO),
        )
    ),
    "invoice_paid_first": Interpretation(
        (
            Link("invoice:in_1TestFirst", (SUBSCRIPTION, CUSTOMER), WHOSE),
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE, started=unix(1793005202)),
            Link(CUSTOMER, (), WHO),
        ),
        Movement(
            MovementKind.FIRST_PAYMENT,
            "in_1TestFirst",
            "invoice:in_1TestFirst",
            unix(1793005202),
            eur("59.49", "49.99"),
            order_id="in_1TestFirst",
            product_id="price_1TestYearly",
            quantity=1,
            period_start=unix(1793001600),
            subscription=SUBSCRIPTION,
        ),
    ),
    "invoice_paid_renewal": Interpretation(
        (
            Link("invoice:in_1TestRenew", (SUBSCRIPTION, CUSTOMER), WHOSE),
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE),
            Link(CUSTOMER, (), WHO),
        ),
        Movement(
            MovementKind.RENEWAL,
            "in_1TestRenew",
            "invoice:in_1TestRenew",
            unix(1824541202),
            eur("59.49", "49.99"),
            order_id="in_1TestRenew",
            product_id="price_1TestYearly",
            quantity=1,
            period_start=unix(1824537600),
            subscription=SUBSCRIPTION,
        ),
    ),
    "invoice_payment_paid": Interpretation(
        (Link("payment:pi_3TestFirst", ("invoice:in_1TestFirst",)),)
    ),
    "refund_created": Interpretation(
        (
            Link("refund:re_3TestFirst", ("payment:pi_3TestFirst",)),
            Link("charge:ch_3TestFirst", ("payment:pi_3TestFirst",)),
        ),
        Movement(
            MovementKind.REFUND,
            "re_3TestFirst",
            "refund:re_3TestFirst",
            unix(1793174400),
            eur("20.00"),
            original_ref="payment:pi_3TestFirst",
            telling=Telling("charge:ch_3TestFirst", "2000", "refund"),
        ),
    ),
    "charge_dispute_created": Interpretation(
        (
            Link("dispute:du_1TestDispute", ("payment:pi_3TestFirst",)),
            Link("charge:ch_3TestFirst", ("payment:pi_3TestFirst",)),
        )
    ),
}


def test_samples_are_all_there() -> None:
    found = {path.stem.removeprefix("stripe_") for path in SAMPLES.glob("stripe_*.json")}
    assert found == BY_SAMPLE.keys()


@every("name", BY_SAMPLE)
def test_understand_sample_means_what_stripe_tells(name: str) -> None:
    assert understood(sample(name)) == BY_SAMPLE[name]


# What is read


def test_read_thin_event_is_unknown_whatever_its_type() -> None:
    event = {
        "id": "evt_test_1",
        "object": "v2.core.event",
        "type": "invoice.paid",
        "created": "2026-10-26T09:00:00.000Z",
        "livemode": False,
    }

    assert told(event) == ParsedWebhook(
        "evt_test_1", "invoice.paid", Treatment.UNKNOWN, TOLD_AT, test=True
    )


# Checkout

ONE_OFF: Json = {
    "id": "cs_1",
    "mode": "payment",
    "payment_status": "paid",
    "amount_total": 1190,
    "total_details": {"amount_tax": 190},
    "payment_intent": "pi_1",
    "customer": "cus_1",
    "client_reference_id": "u1",
    "metadata": {"platform": "web"},
}
CHECKOUT = ["checkout.session.completed", "checkout.session.async_payment_succeeded"]


@every("kind", CHECKOUT)
def test_session_that_is_paid_is_a_purchase(kind: str) -> None:
    hints = CustomerHints("u1", platform="web")

    assert understood(of(kind, **ONE_OFF)) == Interpretation(
        (Link("payment:pi_1", ("customer:cus_1",), hints), Link("customer:cus_1", (), WHO_IS_U1)),
        Movement(
            MovementKind.PURCHASE,
            "pi_1",
            "payment:pi_1",
            TOLD_AT,
            eur("11.90", "10.00"),
            order_id="pi_1",
        ),
    )


WHO_IS_U1 = CustomerHints("u1")


@every(
    "fields",
    [
        {"payment_status": "unpaid"},
        {"payment_status": "no_payment_required"},
        {"mode": "subscription"},
        {"mode": "setup"},
        {"amount_total": 0},
        {"invoice": "in_1"},
        {"invoice_creation": {"enabled": True}},
    ],
    ids=str,
)
def test_session_that_is_not_what_tells_of_its_payment_gives_links_alone(fields: Json) -> None:
    meaning = understood(of("checkout.session.completed", **{**ONE_OFF, **fields}))

    assert meaning.movement is None
    assert meaning.links[0].hints.customer_user_id == "u1"


def test_session_gives_links_alone_where_payments_tell() -> None:
    event = of("checkout.session.completed", **ONE_OFF)

    assert understood(event, settings(one_off_source="payment_intent")).movement is None


def test_session_without_a_payment_is_known_by_its_own_id() -> None:
    event = of("checkout.session.completed", **{**ONE_OFF, "payment_intent": None})

    movement = movement_of(event)
    assert (movement.id, movement.ref) == ("cs_1", "checkout:cs_1")
    assert facts_of(event)["checkout:cs_1"].hints.customer_user_id == "u1"


def test_session_without_told_tax_has_no_net_amount() -> None:
    event = of("checkout.session.completed", **{**ONE_OFF, "total_details": None})

    assert movement_of(event).amount == eur("11.90")


def test_session_metadata_goes_before_the_reference() -> None:
    event = of("checkout.session.completed", **{**ONE_OFF, "metadata": {"app_user_id": "u2"}})

    assert facts_of(event)["payment:pi_1"].hints == CustomerHints("u2")


def test_session_with_tax_above_its_total_is_unreadable() -> None:
    event = of("checkout.session.completed", **{**ONE_OFF, "total_details": {"amount_tax": 1191}})

    with pytest.raises(UnreadableWebhookError, match="below zero"):
        understood(event)


# Payments alone

PAYMENT: Json = {
    "id": "pi_1",
    "amount_received": 1190,
    "latest_charge": "ch_1",
    "customer": None,
    "customer_account": "acct_1",
    "metadata": {"app_user_id": "u1"},
}
BY_PAYMENT = settings(one_off_source="payment_intent")


def test_payment_with_clues_is_a_purchase_where_the_settings_say_so() -> None:
    assert understood(of("payment_intent.succeeded", **PAYMENT), BY_PAYMENT) == Interpretation(
        (
            Link("charge:ch_1", ("payment:pi_1", "customer:acct_1"), WHO_IS_U1),
            Link("payment:pi_1", ("customer:acct_1",), WHO_IS_U1),
            Link("customer:acct_1", (), WHO_IS_U1),
        ),
        Movement(
            MovementKind.PURCHASE, "pi_1", "payment:pi_1", TOLD_AT, eur("11.90"), order_id="pi_1"
        ),
    )


@every("metadata", [{}, None, {"platform": "ios"}, {"order": "7"}])
def test_payment_without_clues_is_an_invoices_and_ignored(metadata: Json | None) -> None:
    event = of("payment_intent.succeeded", **{**PAYMENT, "metadata": metadata})

    assert told(event, BY_PAYMENT).treatment is Treatment.IGNORED


def test_payment_of_nothing_is_no_purchase() -> None:
    event = of("payment_intent.succeeded", **{**PAYMENT, "amount_received": 0})

    assert understood(event, BY_PAYMENT).movement is None


# Invoices

LINE: Json = {
    "amount": 1000,
    "quantity": 2,
    "period": {"start": 1793001600, "end": 1795680000},
    "parent": {"subscription_item_details": {"subscription": "sub_1"}},
    "pricing": {"price_details": {"price": "price_1"}},
}
INVOICE: Json = {
    "id": "in_1",
    "billing_reason": "subscription_cycle",
    "amount_paid": 1190,
    "subtotal": 1000,
    "total": 1190,
    "total_excluding_tax": 1000,
    "customer": "cus_1",
    "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {}}},
    "status_transitions": {"paid_at": 1793005000},
    "lines": {"data": [LINE]},
}


def invoice(**fields: Any) -> Json:
    return of("invoice.paid", **{**copy.deepcopy(INVOICE), **fields})


@every(
    "reason, kind",
    [
        ("subscription_create", MovementKind.FIRST_PAYMENT),
        ("subscription_cycle", MovementKind.RENEWAL),
        ("subscription_update", MovementKind.RENEWAL),
        ("subscription_threshold", MovementKind.RENEWAL),
        ("manual", MovementKind.RENEWAL),
        ("one_of_tomorrow", MovementKind.RENEWAL),
        (None, MovementKind.RENEWAL),
    ],
)
def test_invoice_of_a_subscription_is_what_its_reason_says(
    reason: str | None, kind: MovementKind
) -> None:
    assert movement_of(invoice(billing_reason=reason)).kind is kind


@every("reason", ["manual", "quote_accept", "subscription_create"])
def test_invoice_without_a_subscription_is_a_purchase(reason: str) -> None:
    event = invoice(billing_reason=reason, parent=None, lines={"data": [{"amount": 1000}]})

    assert movement_of(event) == Movement(
        MovementKind.PURCHASE,
        "in_1",
        "invoice:in_1",
        unix(1793005000),
        eur("11.90", "10.00"),
        order_id="in_1",
    )
    assert understood(event, BY_PAYMENT).movement is None  # its payment tells


def test_invoice_with_less_than_its_total_paid_has_its_net_in_proportion() -> None:
    """11.90 with 10.00 net, of which 5.00 by credit: 6.90 x 10 / 11.90 = 5.798..."""
    assert movement_of(invoice(amount_paid=690)).amount == eur("6.90", "5.80")


@every(
    "paid, total, net, rounded",
    [(1, 2, 1, "0.01"), (1, 3, 1, "0.00"), (3, 3, 2, "0.02"), (1190, 1190, 1190, "11.90")],
)
def test_invoice_net_is_rounded_to_the_nearest_minor_unit(
    paid: int, total: int, net: int, rounded: str
) -> None:
    event = invoice(amount_paid=paid, total=total, total_excluding_tax=net)

    amount = movement_of(event).amount
    assert amount is not None
    assert str(amount.net_of_tax) == rounded


@every(
    "fields",
    [{"total_excluding_tax": None}, {"total": None}, {"total": 0}, {"total_excluding_tax": 1191}],
    ids=str,
)
def test_invoice_without_a_net_total_that_can_be_has_no_net_amount(fields: Json) -> None:
    assert movement_of(invoice(**fields)).amount == eur("11.90")


@every(
    "fields",
    [
        {"billing_reason": "subscription_create", "subtotal": 1000, "total": 0},  # a coupon
        {"billing_reason": "subscription_create"},  # credit
        {"billing_reason": "subscription_cycle", "subtotal": 0, "total": 0},
        {"billing_reason": "subscription_update", "subtotal": 0, "total": 0},
        {"billing_reason": "subscription_create", "subtotal": 0, "parent": None, "lines": None},
    ],
    ids=str,
)
def test_invoice_of_nothing_paid_is_neither_payment_nor_trial(fields: Json) -> None:
    assert understood(invoice(amount_paid=0, **fields)).movement is None


def test_invoice_of_an_upgrade_names_what_was_bought_and_when_it_starts() -> None:
    """What the old price gives back stands first, and began before."""
    back = {**LINE, "amount": -400, "quantity": 1, "pricing": None, "period": {"start": 1}}
    late = {"amount": 5, "period": {"start": 1795000000}}  # charged by hand meanwhile
    movement = movement_of(invoice(lines={"data": [back, LINE, late]}))

    assert (movement.product_id, movement.quantity) == ("price_1", 2)
    assert movement.period_start == unix(1793001600)


def test_invoice_without_lines_tells_of_no_product() -> None:
    movement = movement_of(invoice(lines=None))

    assert (movement.product_id, movement.quantity, movement.period_start) == (None, None, None)


def test_invoice_with_a_line_without_a_period_tells_of_none() -> None:
    movement = movement_of(invoice(lines={"data": [{**LINE, "period": None}]}))

    assert movement.period_start is None


def test_invoice_without_paid_at_is_paid_when_it_is_told() -> None:
    assert movement_of(invoice(status_transitions=None)).at == TOLD_AT


def test_invoice_of_an_older_api_version_is_understood() -> None:
    """Before 2025-03-31 these fields stood elsewhere, and the payment in the invoice."""
    event = of(
        "invoice.paid",
        id="in_1",
        billing_reason="subscription_create",
        amount_paid=1190,
        subscription="sub_1",
        subscription_details={"metadata": {"app_user_id": "u1"}},
        charge="ch_1",
        payment_intent="pi_1",
        customer="cus_1",
        lines={
            "data": [
                {
                    "amount": 1000,
                    "subscription": "sub_1",
                    "price": {"id": "price_1"},
                    "period": {"start": 1793001600},
                }
            ]
        },
    )

    movement = movement_of(event)
    assert (movement.kind, movement.product_id) == (MovementKind.FIRST_PAYMENT, "price_1")
    assert movement.period_start == unix(1793001600)
    assert facts_of(event)["charge:ch_1"].to == (
        "payment:pi_1",
        "invoice:in_1",
        "subscription:sub_1",
        "customer:cus_1",
    )
    assert facts_of(event)["subscription:sub_1"].hints == WHO_IS_U1


@every(
    "fields",
    [
        {"metadata": {"app_user_id": "u1"}},
        {"lines": {"data": [{**LINE, "metadata": {"app_user_id": "u1"}}]}},
    ],
    ids=["invoice", "line"],
)
def test_invoice_clues_are_looked_for_where_metadata_can_be(fields: Json) -> None:
    assert facts_of(invoice(**fields))["invoice:in_1"].hints == WHO_IS_U1


def test_invoice_whose_subscription_only_a_line_names_is_that_ones() -> None:
    assert "subscription:sub_1" in facts_of(invoice(parent=None))


@every(
    "fields",
    [
        {"amount_paid": None},
        {"amount_paid": "a lot"},
        {"amount_paid": -1},
        {"currency": None},
        {"currency": "euro"},
        {"id": None},
        {"billing_reason": 7},
    ],
    ids=str,
)
def test_invoice_that_cannot_be_is_unreadable(fields: Json) -> None:
    with pytest.raises(UnreadableWebhookError):
        understood(invoice(**fields))


def test_invoice_payment_by_a_charge_alone_leads_from_the_charge() -> None:
    event = of("invoice_payment.paid", invoice="in_1", payment={"type": "charge", "charge": "ch_1"})

    assert understood(event) == Interpretation((Link("charge:ch_1", ("invoice:in_1",)),))


# Subscriptions

SUB: Json = {"id": "sub_1", "status": "active", "customer": "cus_1", "metadata": {}}
LINKS = (Link("subscription:sub_1", ("customer:cus_1",)),)
ASKED, END = 1793001000, 1795680000


def test_trial_without_its_start_begins_when_it_is_told() -> None:
    event = of("customer.subscription.created", **{**SUB, "status": "trialing"})

    assert movement_of(event).at == TOLD_AT


def cancellation(**fields: Any) -> Movement:
    return Movement(
        MovementKind.CANCELLATION,
        f"sub_1:cancelled:{END}",
        f"cancellation:sub_1:cancelled:{END}",
        unix(ASKED),
    )


@every(
    "kind, fields",
    [
        ("customer.subscription.updated", {"cancel_at_period_end": True, "cancel_at": END}),
        ("customer.subscription.updated", {"cancel_at_period_end": False, "cancel_at": END}),
        ("customer.subscription.deleted", {"cancel_at_period_end": True, "cancel_at": END}),
        ("customer.subscription.deleted", {"cancel_at": END, "ended_at": END + 7}),
        ("customer.subscription.deleted", {"cancel_at": None, "ended_at": END}),
    ],
)
def test_cancellation_announced_or_come_is_one_movement(kind: str, fields: Json) -> None:
    meaning = understood(of(kind, **SUB, canceled_at=ASKED, **fields))

    assert meaning.movement is not None
    assert replace(meaning.movement, judge=None) == cancellation()
    link = Link(f"cancellation:sub_1:cancelled:{END}", ("subscription:sub_1",))
    noted = {} if "deleted" in kind else {f"leaving:{TOLD_UNIX * 1000}": TOLD_AT}
    by_ref = {one.ref: one for one in meaning.links}
    assert by_ref == {link.ref: link, LINKS[0].ref: replace(LINKS[0], moments=noted)}


STAYED = {"staying": TOLD_AT - timedelta(days=1)}
LEFT = {"leaving:1": TOLD_AT - timedelta(days=2)}


@every(
    "kind, moments, counts",
    [
        ("customer.subscription.updated", {"leaving:1": TOLD_AT}, True),  # itself
        ("customer.subscription.updated", {"leaving:1": TOLD_AT + timedelta(days=1)}, True),
        ("customer.subscription.updated", LEFT, False),
        ("customer.subscription.updated", {**LEFT, **STAYED}, True),
        ("customer.subscription.deleted", {}, True),
        ("customer.subscription.deleted", LEFT, False),
        ("customer.subscription.deleted", {**LEFT, **STAYED}, True),
        (
            "customer.subscription.deleted",
            {"leaving:1": TOLD_AT, "staying": TOLD_AT - timedelta(days=1)},
            False,
        ),
    ],
)
def test_end_that_is_told_for_another_time_is_the_same_end(
    kind: str, moments: dict[str, datetime], *, counts: bool
) -> None:
    judge = movement_of(of(kind, **SUB, cancel_at=END, canceled_at=ASKED)).judge

    assert judge is not None
    kind_of_end = judge(Circumstances(moments, {}, timedelta(0)))
    assert kind_of_end is (MovementKind.CANCELLATION if counts else None)


def test_end_of_what_was_never_paid_for_is_none() -> None:
    event = of("customer.subscription.deleted", **{**SUB, "status": "incomplete_expired"})

    assert understood(event) == Interpretation(LINKS)


def test_cancellation_without_any_time_is_told_by_the_events() -> None:
    movement = movement_of(of("customer.subscription.deleted", **SUB))

    assert (movement.id, movement.at) == (f"sub_1:cancelled:{TOLD_UNIX}", TOLD_AT)


@every(
    "fields",
    [
        {},
        {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None},
        {"cancel_at": END},  # made for a fixed term
        {"canceled_at": ASKED},
    ],
    ids=str,
)
def test_update_that_is_no_cancellation_gives_links_alone(fields: Json) -> None:
    links = (replace(LINKS[0], moments={"staying": TOLD_AT}),)
    assert understood(of("customer.subscription.updated", **SUB, **fields)) == Interpretation(links)


def test_update_tells_when_the_trial_ends_now() -> None:
    event = of("customer.subscription.updated", **SUB, trial_end=END)

    assert facts_of(event)["subscription:sub_1"].trial_end == unix(END)


@every(
    "before, status, is_trial",
    [
        ("incomplete", "trialing", True),
        ("active", "trialing", False),  # its next bill comes later
        (None, "trialing", False),
        ("incomplete", "active", False),
    ],
)
def test_trial_that_waited_for_the_customer_begins_when_it_is_confirmed(
    before: str | None, status: str, *, is_trial: bool
) -> None:
    event = of("customer.subscription.updated", **{**SUB, "status": status, "trial_start": ASKED})
    event["data"]["previous_attributes"] = {"status": before}

    movement = understood(event).movement

    assert (movement is not None) is is_trial
    if movement is not None:
        assert (movement.id, movement.at) == ("sub_1:trial", unix(ASKED))


# Refunds

REFUND: Json = {
    "id": "re_1",
    "status": "succeeded",
    "amount": 500,
    "created": 1793001000,
    "payment_intent": "pi_1",
    "charge": "ch_1",
}
BY_REFUND = Telling("charge:ch_1", "500", "refund")


@every("status", ["pending", "requires_action", "succeeded", None])
def test_refund_counts_from_its_start(status: str | None) -> None:
    movement = movement_of(of("refund.created", **{**REFUND, "status": status}))

    assert movement == Movement(
        MovementKind.REFUND,
        "re_1",
        "refund:re_1",
        unix(1793001000),
        eur("5.00"),
        original_ref="payment:pi_1",
        telling=BY_REFUND,
    )


@every("status", ["failed", "canceled"])
def test_refund_that_failed_at_once_moves_nothing(status: str) -> None:
    assert understood(of("refund.created", **{**REFUND, "status": status})).movement is None


@every(
    "kind, status",
    [
        ("refund.failed", "failed"),
        ("refund.failed", "pending"),
        ("refund.updated", "failed"),
        ("refund.updated", "canceled"),
    ],
)
def test_refund_that_failed_later_is_reversed_once(kind: str, status: str) -> None:
    meaning = understood(of(kind, **{**REFUND, "status": status}))

    assert meaning.movement == Movement(
        MovementKind.REFUND_REVERSED,
        "re_1:failed",
        "refund:re_1:failed",
        TOLD_AT,
        eur("5.00"),
        original_ref="refund:re_1",
        telling=BY_REFUND,
    )
    assert meaning.links == (
        Link("refund:re_1", ("payment:pi_1",)),
        Link("charge:ch_1", ("payment:pi_1",)),
        Link("refund:re_1:failed", ("refund:re_1",)),
    )


@every("status", ["pending", "succeeded"])
def test_refund_that_goes_on_is_not_told_again(status: str) -> None:
    assert understood(of("refund.updated", **{**REFUND, "status": status})).movement is None


def test_refund_of_a_charge_alone_is_about_the_charge() -> None:
    event = of("refund.created", **{**REFUND, "payment_intent": None})

    assert movement_of(event).original_ref == "charge:ch_1"
    assert facts_of(event)["refund:re_1"].to == ("charge:ch_1",)


def test_refund_of_nothing_known_is_unreadable() -> None:
    event = of("refund.created", **{**REFUND, "payment_intent": None, "charge": None})

    with pytest.raises(UnreadableWebhookError, match="neither payment_intent nor charge"):
        understood(event)


def test_refund_without_its_time_is_made_when_it_is_told() -> None:
    assert movement_of(of("refund.created", **{**REFUND, "created": None})).at == TOLD_AT


# Disputes

DISPUTE: Json = {
    "id": "du_1",
    "status": "under_review",
    "amount": 1190,
    "payment_intent": "pi_1",
    "charge": "ch_1",
}


@every(
    "kind, status",
    [("charge.dispute.funds_withdrawn", "needs_response"), ("charge.dispute.closed", "lost")],
)
def test_dispute_that_takes_money_is_one_movement_however_it_is_told(
    kind: str, status: str
) -> None:
    assert movement_of(of(kind, **{**DISPUTE, "status": status})) == Movement(
        MovementKind.DISPUTE,
        "du_1",
        "dispute:du_1",
        TOLD_AT,
        eur("11.90"),
        original_ref="payment:pi_1",
    )


@every(
    "kind, status",
    [("charge.dispute.funds_reinstated", "under_review"), ("charge.dispute.closed", "won")],
)
def test_dispute_that_is_won_is_about_the_dispute(kind: str, status: str) -> None:
    event = of(kind, **{**DISPUTE, "status": status})

    assert movement_of(event) == Movement(
        MovementKind.DISPUTE_WON,
        "du_1:won",
        "dispute:du_1:won",
        TOLD_AT,
        eur("11.90"),
        original_ref="dispute:du_1",
    )
    assert facts_of(event)["dispute:du_1:won"].to == ("dispute:du_1",)


@every(
    "kind, status",
    [
        ("charge.dispute.created", "needs_response"),
        ("charge.dispute.closed", "warning_closed"),
        ("charge.dispute.closed", None),
    ],
)
def test_dispute_that_moves_nothing_gives_links_alone(kind: str, status: str | None) -> None:
    meaning = understood(of(kind, **{**DISPUTE, "status": status}))

    assert meaning.movement is None
    assert meaning.links[0] == Link("dispute:du_1", ("payment:pi_1",))


# Connect, and what is not supported


def test_event_of_another_account_is_dropped_and_counted_unless_it_is_listed() -> None:
    event = {**sample("invoice_paid_first"), "account": "acct_1"}
    counters = [caveat.counter for caveat in told(event).caveats]

    assert (told(event).treatment, counters) == (Treatment.IGNORED, ["StripeForeignAccount"])
    listed = told(event, settings(accounts=("acct_1",)))
    assert (listed.treatment, listed.caveats) == (Treatment.COUNTED, ())
    assert told({**event, "account": None}).treatment is Treatment.COUNTED


CHARGE: Json = {"id": "ch_1", "amount": 1000, "captured": True, "payment_intent": None}


@every(
    "kind, fields, is_alone",
    [
        ("charge.succeeded", {}, True),
        ("charge.captured", {}, True),
        ("charge.succeeded", {"captured": False}, False),  # not money yet
        ("charge.succeeded", {"payment_intent": "pi_1"}, False),
        ("charge.succeeded", {"invoice": "in_1"}, False),
        ("charge.failed", {}, False),
    ],
)
def test_charge_without_a_payment_intent_is_counted_as_not_supported(
    kind: str, fields: Json, *, is_alone: bool
) -> None:
    found = told(of(kind, **{**CHARGE, **fields}))

    counters = [caveat.counter for caveat in found.caveats]
    assert found.treatment is Treatment.IGNORED
    assert counters == (["StripeChargeUnsupported"] if is_alone else [])


# Payments that a session promised


@every(
    "fields, treatment",
    [
        ({}, Treatment.COUNTED),
        ({"capture_method": "manual"}, Treatment.COUNTED),
        ({"capture_method": "automatic"}, Treatment.IGNORED),
        (
            {
                "capture_method": "automatic_async",
                "payment_method_options": {"card": {"capture_method": "manual"}},
            },
            Treatment.COUNTED,
        ),
        ({"invoice": "in_1"}, Treatment.IGNORED),
    ],
    ids=str,
)
def test_payment_may_count_where_it_may_have_been_captured_later(
    fields: Json, treatment: Treatment
) -> None:
    event = of("payment_intent.succeeded", **{**PAYMENT, **fields})

    assert told(event).treatment is treatment
    if treatment is Treatment.COUNTED:
        assert movement_of(event).is_capture


def test_session_that_is_unpaid_promises_its_payment() -> None:
    event = of("checkout.session.completed", **{**ONE_OFF, "payment_status": "unpaid"})

    promises = [link for link in understood(event).links if link.promised is not None]
    assert promises == [Link("payment:pi_1", promised=eur("11.90", "10.00"))]
    nameless = {**ONE_OFF, "payment_status": "unpaid", "payment_intent": None}
    meaning = understood(of("checkout.session.completed", **nameless))
    assert [link.promised for link in meaning.links] == [None, None]
