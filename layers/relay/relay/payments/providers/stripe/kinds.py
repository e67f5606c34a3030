"""How each type of Stripe's webhooks is treated."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from relay.domain.movements import Interpretation, Treatment
from relay.payments.providers.parsing import Shape, at
from relay.payments.providers.stripe import invoices, payments, returns, subscriptions
from relay.payments.providers.stripe.caveats import is_foreign
from relay.payments.providers.stripe.event import Event
from relay.payments.providers.stripe.settings import StripeSettings
from relay.payments.providers.stripe.versions import Version


class CountedType(NamedTuple):
    """A type that counts: which fields to keep, and how to interpret them."""

    shape: Callable[[Shape], Shape]
    """Builds the allow-list of the event's object from the one of its metadata."""
    interpret: Callable[[Event], Interpretation]


COUNTED: Final[Mapping[str, CountedType]] = {
    "checkout.session.completed": CountedType(payments.session_shape, payments.session),
    # A payment that takes days, such as a bank transfer: completed first, paid later.
    "checkout.session.async_payment_succeeded": CountedType(
        payments.session_shape, payments.session
    ),
    "payment_intent.succeeded": CountedType(payments.payment_shape, payments.payment),
    "invoice.paid": CountedType(invoices.invoice_shape, invoices.invoice),
    "invoice_payment.paid": CountedType(invoices.invoice_payment_shape, invoices.invoice_payment),
    "customer.subscription.created": CountedType(
        subscriptions.subscription_shape, subscriptions.subscription_created
    ),
    "customer.subscription.updated": CountedType(
        subscriptions.subscription_shape, subscriptions.subscription_updated
    ),
    "customer.subscription.deleted": CountedType(
        subscriptions.subscription_shape, subscriptions.subscription_deleted
    ),
    "refund.created": CountedType(returns.return_shape, returns.refund),
    "refund.updated": CountedType(returns.return_shape, returns.refund_updated),
    "refund.failed": CountedType(returns.return_shape, returns.refund_failed),
    "charge.refunded": CountedType(returns.charge_shape, returns.charge_refunded),
    "charge.refund.updated": CountedType(returns.return_shape, returns.refund_updated),
    "charge.dispute.created": CountedType(returns.return_shape, returns.dispute),
    "charge.dispute.funds_withdrawn": CountedType(returns.return_shape, returns.dispute_withdrawn),
    "charge.dispute.funds_reinstated": CountedType(
        returns.return_shape, returns.dispute_reinstated
    ),
    "charge.dispute.closed": CountedType(returns.return_shape, returns.dispute_closed),
}

_REASONS: Final = {
    "the same payment: an invoice, a session or a payment tells of it": (
        "invoice.payment_succeeded charge.succeeded charge.captured"
    ),
    "credit; what is given back in money is a refund": (
        "credit_note.created credit_note.updated credit_note.voided "
        "billing.credit_balance_transaction.created billing.credit_grant.created "
        "billing.credit_grant.updated"
    ),
    "money in a customer's balance: it counts when it pays for something": (
        "cash_balance.funds_available customer_cash_balance_transaction.created invoice.overpaid "
        "payment_intent.partially_funded"
    ),
    "no money was moved": (
        "charge.expired charge.failed charge.pending charge.updated charge.dispute.updated "
        "checkout.session.async_payment_failed checkout.session.expired "
        "invoice.created invoice.deleted invoice.finalization_failed invoice.finalized "
        "invoice.marked_uncollectible invoice.overdue "
        "invoice.payment_action_required invoice.payment_attempt_required invoice.payment_failed "
        "invoice.sent invoice.upcoming invoice.updated invoice.voided invoice.will_be_due "
        "payment_intent.amount_capturable_updated payment_intent.canceled payment_intent.created "
        "payment_intent.payment_failed payment_intent.processing "
        "payment_intent.requires_action"
    ),
    "a step of a subscription that is none of ours": (
        "customer.subscription.paused customer.subscription.resumed "
        "customer.subscription.pending_update_applied "
        "customer.subscription.pending_update_expired customer.subscription.trial_will_end"
    ),
    "about a person": "customer.created customer.deleted customer.updated",
}

_REASONS_OF_FAMILIES: Final = {
    "what is sold, and how it may be paid": (
        "coupon. plan. price. product. promotion_code. payment_link. payment_method. "
        "setup_intent. mandate. source. quote. invoiceitem. subscription_schedule. tax. "
        "tax_rate. entitlements. customer.discount. customer.source. customer.tax_id."
    ),
    "between Stripe and the account, not between the account and a customer": (
        "account. application_fee. balance. balance_settings. capability. "
        "climate. "
        "issuing_ payout. person. reserve. topup. transfer. treasury."
    ),
    "use that is measured: an invoice tells of its money": "billing.meter. billing.alert.",
    "a bank account that somebody connected, not a payment": "financial_connections.",
    "a tool": (
        "apps. billing_portal. file. identity. radar. reporting. review. sigma. terminal. "
        "test_helpers. three_d_secure."
    ),
}


def _by_name(reasons: Mapping[str, str]) -> dict[str, str]:
    return {name: reason for reason, names in reasons.items() for name in names.split()}


IGNORED: Final[Mapping[str, str]] = _by_name(_REASONS)
"""Types that are only acknowledged and counted, and why."""

IGNORED_FAMILIES: Final[Mapping[str, str]] = _by_name(_REASONS_OF_FAMILIES)
"""The same by prefix: families of types that will never report a customer's money."""

_FAMILIES: Final = tuple(IGNORED_FAMILIES)

TOLD_BY_REFUNDS: Final = frozenset({"charge.refunded", "charge.refund.updated"})
AT_TIMES: Final[Mapping[str, str]] = {
    "payment_intent.succeeded": (
        "an invoice or a session tells of it, or it does not say whose it is"
    ),
    **dict.fromkeys(
        TOLD_BY_REFUNDS,
        "the same refund: from API version 2024-10-28 on, refund.created tells of it",
    ),
}
"""Types of which some events count and others do not, and why not."""


def treatment_of(
    webhook_type: str, event: Mapping[str, Any], settings: StripeSettings
) -> Treatment:
    """How an event is treated: by its type, and some types by what is in them."""
    if event.get("object") != "event":
        return Treatment.UNKNOWN
    if is_foreign(event, settings):
        return Treatment.IGNORED
    if webhook_type in COUNTED:
        counts = _counts(webhook_type, event, settings)
        return Treatment.COUNTED if counts else Treatment.IGNORED
    ignored = webhook_type in IGNORED or webhook_type.startswith(_FAMILIES)
    return Treatment.IGNORED if ignored else Treatment.UNKNOWN


def _counts(webhook_type: str, event: Mapping[str, Any], settings: StripeSettings) -> bool:
    if webhook_type == "payment_intent.succeeded":
        return payments.payment_counts(at(event, "data.object"), settings)
    if webhook_type in TOLD_BY_REFUNDS:
        return not Version.of(event.get("api_version")).has_refund_events
    return True


def why_ignored(webhook_type: str) -> str:
    """Why a type, or some events of it, are only acknowledged and counted; empty if none are."""
    families = (
        reason for family, reason in IGNORED_FAMILIES.items() if webhook_type.startswith(family)
    )
    return IGNORED.get(webhook_type) or AT_TIMES.get(webhook_type) or next(families, "")
