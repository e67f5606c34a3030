"""How each type of Paddle's webhooks is treated."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from relay.domain.movements import Interpretation, Treatment
from relay.payments.providers.paddle import adjustments, subscriptions, transactions
from relay.payments.providers.paddle.event import Event
from relay.payments.providers.parsing import Shape


class CountedType(NamedTuple):
    """A type that counts: which fields to keep, and how to interpret them."""

    shape: Callable[[Shape], Shape]
    """Builds the allow-list of the event's object from the one of its custom data."""
    interpret: Callable[[Event], Interpretation]


COUNTED: Final[Mapping[str, CountedType]] = {
    "transaction.completed": CountedType(transactions.transaction_shape, transactions.transaction),
    "subscription.created": CountedType(
        subscriptions.subscription_shape, subscriptions.subscription_created
    ),
    "subscription.trialing": CountedType(
        subscriptions.subscription_shape, subscriptions.subscription_trialing
    ),
    **dict.fromkeys(
        (
            "subscription.activated",
            "subscription.imported",
            "subscription.past_due",
            "subscription.paused",
            "subscription.resumed",
            "subscription.updated",
        ),
        CountedType(subscriptions.subscription_shape, subscriptions.subscription),
    ),
    "subscription.canceled": CountedType(
        subscriptions.subscription_shape, subscriptions.subscription_canceled
    ),
    "adjustment.created": CountedType(adjustments.adjustment_shape, adjustments.adjustment),
    "adjustment.updated": CountedType(adjustments.adjustment_shape, adjustments.adjustment),
}

_REASONS: Final = {
    "the same payment: transaction.completed tells of it": "transaction.paid",
    "no money was moved": (
        "transaction.billed transaction.canceled transaction.created transaction.past_due "
        "transaction.payment_failed transaction.ready transaction.revised transaction.updated "
        "invoice.canceled invoice.created invoice.issued invoice.overdue invoice.scheduled"
    ),
    "transactions tell of the money": "invoice.paid",
    "what is sold, and how it may be paid": (
        "price.created price.imported price.updated product.created product.imported "
        "product.updated discount.created discount.imported discount.updated "
        "discount_group.created discount_group.updated payment_method.deleted "
        "payment_method.saved"
    ),
    "about a person or a company": (
        "address.created address.imported address.updated business.created business.imported "
        "business.updated customer.created customer.imported customer.updated"
    ),
    "between Paddle and the account, not between the account and a customer": (
        "payout.created payout.paid"
    ),
    "a tool": (
        "api_key.created api_key.expired api_key.expiring api_key.revoked api_key.updated "
        "api_key_exposure.created client_token.created client_token.revoked "
        "client_token.updated report.created report.updated"
    ),
}

IGNORED: Final[Mapping[str, str]] = {
    name: reason for reason, names in _REASONS.items() for name in names.split()
}
"""Types that are only acknowledged and counted, and why."""


def treatment_of(webhook_type: str) -> Treatment:
    """How an event is treated, by its type."""
    if webhook_type in COUNTED:
        return Treatment.COUNTED
    return Treatment.IGNORED if webhook_type in IGNORED else Treatment.UNKNOWN
