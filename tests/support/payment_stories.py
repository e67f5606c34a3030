"""A customer's story at each provider, and what AppsFlyer has to hear of it.

The provider's own books are the measure: what was paid, less what was given back.
"""

from __future__ import annotations

from decimal import Decimal

from tests.support.webhooks import Account, Posted

Heard = tuple[str, str | None]
"""An event's name, and its revenue as text."""

PAID_MINOR, PART_MINOR, REST_MINOR = 5949, 2000, 3949

TRIAL: Heard = ("af_start_trial", None)
PAID: Heard = ("af_subscribe", "59.49")
PART: Heard = ("af_subscribe", "-20.00")
PART_BACK: Heard = ("af_subscribe", "20.00")
REST: Heard = ("af_subscribe", "-39.49")
ALL: Heard = ("af_subscribe", "-59.49")

_AFTERWARDS = [PART, REST, ALL, PART, PART_BACK, ALL, PAID]
STORIES: dict[str, list[Heard]] = {
    "stripe": [TRIAL, *5 * [PAID], *_AFTERWARDS],
    "paddle": [TRIAL, *5 * [PAID], *_AFTERWARDS],
    "standard_webhooks": [TRIAL, *5 * [PAID], *_AFTERWARDS],
    # Neither trials nor subscriptions: the first payment is a purchase.
    "adyen": [("af_purchase", "59.49"), *4 * [PAID], *_AFTERWARDS],
    # No disputes, and one refund a transaction, of all of it; one of the two was taken back.
    "revenuecat": [TRIAL, *5 * [PAID], ALL, ALL, PAID],
}
NET_SUMS = dict.fromkeys(STORIES, 3 * Decimal("59.49")) | {"revenuecat": 4 * Decimal("59.49")}

BRIEF: dict[str, list[Heard]] = {
    **{provider: [TRIAL, PAID, PAID, ALL] for provider in STORIES},
    "adyen": [("af_purchase", "59.49"), PAID, ALL],
}
"""As `STORIES`, of a brief one, whose net sum is one payment."""


def brief_story(account: Account) -> list[Posted]:
    """Trial, conversion, a renewal, and its refund: each of the ways of money through the relay."""
    payments = [webhook for number in (1, 2) for webhook in account.renewal(number)]
    return [*account.trial(), *payments, *account.refund(2, 0, PAID_MINOR)]


def story(account: Account) -> list[Posted]:
    """Trial, conversion and four renewals, and what becomes of them.

    The second is refunded in two parts; the third disputed, and lost; a refund of the fourth comes
    back; the fifth is disputed, and won.
    """
    payments = [webhook for number in range(1, 6) for webhook in account.renewal(number)]
    return [
        *account.trial(),
        *payments,
        *account.refund(2, 0, PART_MINOR),
        *account.refund(2, 1, REST_MINOR),
        *account.dispute(3),
        *account.dispute_lost(3),
        *account.refund(4, 0, PART_MINOR),
        *account.refund_came_back(4, 0, PART_MINOR),
        *account.dispute(5),
        *account.dispute_won(5),
    ]
