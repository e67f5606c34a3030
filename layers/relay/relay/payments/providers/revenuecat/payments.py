"""Payments and trials: `INITIAL_PURCHASE`, `RENEWAL`, `NON_RENEWING_PURCHASE`.

The type alone does not say whether a payment is a subscription's first. At Google Play a change of
product is told as `PRODUCT_CHANGE` and, beside it, as `INITIAL_PURCHASE` of a new transaction with
no link to the old one; at the App Store and over Stripe it is a `RENEWAL`. After periods that cost
nothing, the first payment is a `RENEWAL`. So each notice notes in the trail what happened to the
subscription and to the customer, and the payment is judged by what is noted, in whatever order the
notices come.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple

from relay.domain.movements import (
    Amount,
    Circumstances,
    Interpretation,
    Judge,
    Link,
    Movement,
    MovementKind,
    NotKnownYetError,
)
from relay.errors import UnreadableWebhookError
from relay.instants import from_milliseconds, to_milliseconds
from relay.payments.providers.parsing import (
    flag,
    identifier_or_none,
    moment_of_milliseconds,
    text_or_none,
)
from relay.payments.providers.revenuecat.amounts import amount_paid, below_zero, price_paid
from relay.payments.providers.revenuecat.event import PRICE, Event

_KINDS: Final[Mapping[str, MovementKind]] = {
    "INITIAL_PURCHASE": MovementKind.FIRST_PAYMENT,
    "RENEWAL": MovementKind.RENEWAL,
    "NON_RENEWING_PURCHASE": MovementKind.PURCHASE,
}
_PLAY_STORE: Final = "PLAY_STORE"

_FREE_FROM: Final = "free_from"
_PAID_AT: Final = "paid_at"
FREE: Final = "free"
"""Noted at a payment that cost nothing. What is noted, by name: at a subscription `free:<number>`,
until when that period lasts (number 0: not told), `free_from:<moment>`, the same by when it began,
and `paid_at:<moment>`, for a period whose number is not told. At a customer of Google Play, by
subscription: `paid:` and `trial:`, until when, and `changed:`, when it was replaced by another; and
`changes_to:` with a product, when that begins."""

_BESIDE: Final = timedelta(hours=1)
"""A change of product and its purchase are told together."""
_AT_THE_END: Final = timedelta(days=1)
_GRACE: Final = timedelta(days=3)
"""A renewal may be paid late; the shortest period is a week."""
_LONGEST_WAIT: Final = timedelta(hours=3)
"""For a `PRODUCT_CHANGE` that is late: RevenueCat's last retry comes after 155 minutes."""
_SETTLING: Final = timedelta(seconds=30)
"""For one that is told at the same moment, in either order."""
_MOST_FREE_PERIODS: Final = 24


def payment(event: Event) -> Interpretation:
    """A payment or a trial, or what a period without a price is noted as."""
    price, code = price_paid(event)
    below_zero(price)
    if price is None and event.period not in {"TRIAL", "PROMOTIONAL"}:
        raise UnreadableWebhookError(f"{PRICE} is missing")
    is_free = not price or event.period == "PROMOTIONAL"
    is_trial = is_free and event.period == "TRIAL"
    links = event.links(event.expires_at if event.period == "TRIAL" else None)
    links += _noted(event, is_trial=is_trial, is_free=is_free)
    if is_trial:
        judge = partial(_judge_trial, event.bought_at)
        return Interpretation(tuple(links), _movement(event, MovementKind.TRIAL, None, judge))
    if is_free:
        return Interpretation(tuple(links))
    kind, amount = _kind(event), amount_paid(event, price or Decimal(0), code)
    return Interpretation(tuple(links), _movement(event, kind, amount, _judge(event, kind)))


def _kind(event: Event) -> MovementKind:
    is_conversion = flag(event.content, "is_trial_conversion")
    return MovementKind.FIRST_PAYMENT if is_conversion else _KINDS[event.type]


def _movement(
    event: Event, kind: MovementKind, amount: Amount | None, judge: Judge | None
) -> Movement:
    return Movement(
        kind,
        event.payment_id,
        event.payment,
        at=moment_of_milliseconds(event.content, "purchased_at_ms"),
        amount=amount,
        order_id=event.payment_id,
        product_id=event.product_id,
        device=event.device,
        judge=judge,
        former_refs=event.former_payment,
    )


# What is noted


def _noted(event: Event, *, is_trial: bool, is_free: bool) -> list[Link]:
    """What the trail keeps of a payment for the judgement of others."""
    links = []
    if event.former_payment:
        links.append(Link(event.former_payment[0], to=(event.payment,)))
    ends = event.expires_at
    if is_free and event.bought_at:
        links.append(Link(event.payment, moments={FREE: event.bought_at}))
    if is_free and ends:
        links.append(Link(event.subscription, moments={f"{FREE}:{event.number or 0}": ends}))
    if is_free and ends and event.bought_at:
        began = f"{_FREE_FROM}:{to_milliseconds(event.bought_at)}"
        links.append(Link(event.subscription, moments={began: ends}))
    if not is_free and event.bought_at and event.content.get("renewal_number") is None:
        paid = f"{_PAID_AT}:{to_milliseconds(event.bought_at)}"
        links.append(Link(event.subscription, moments={paid: event.bought_at}))
    if event.store == _PLAY_STORE and event.customer and ends and (is_trial or not is_free):
        name = f"{'trial' if is_trial else 'paid'}:{event.first_transaction}"
        links.append(Link(event.customer, moments={name: ends}))
    return links


def product_change(event: Event) -> Interpretation:
    """A change of product: what comes of it is a payment of its own, which is judged by it."""
    if identifier_or_none(event.content, "transaction_id") is None:
        return Interpretation()
    if event.store != _PLAY_STORE or event.customer is None:
        return Interpretation(tuple(event.links()))
    moments = {f"changed:{event.first_transaction}": event.told_at}
    new_product = text_or_none(event.content, "new_product_id")
    if new_product and event.expires_at:
        moments[f"changes_to:{new_product}"] = event.expires_at
    return Interpretation((*event.links(), Link(event.customer, moments=moments)))


# Judgements


class _Purchase(NamedTuple):
    """An `INITIAL_PURCHASE` at Google Play."""

    subscription: str
    product_id: str | None
    told_at: datetime
    bought_at: datetime


def _judge(event: Event, kind: MovementKind) -> Judge | None:
    if kind is MovementKind.RENEWAL:
        return partial(_judge_renewal, event.number, event.bought_at, event.first_transaction)
    if event.type == "INITIAL_PURCHASE" and event.store == _PLAY_STORE:
        bought_at = moment_of_milliseconds(event.content, "purchased_at_ms")
        told_at = event.told_at if event.content.get("event_timestamp_ms") else bought_at
        purchase = _Purchase(event.first_transaction, event.product_id, told_at, bought_at)
        return partial(_judge_purchase, purchase)
    return None


def _judge_trial(bought_at: datetime | None, known: Circumstances) -> MovementKind | None:
    """None for a trial that goes on with another product."""
    spans = _free_spans(known.moments)
    goes_on = bought_at and any(began < bought_at < ends for began, ends in spans)
    return None if goes_on else MovementKind.TRIAL


def _free_spans(moments: Mapping[str, datetime]) -> list[tuple[datetime, datetime]]:
    """From when to when a subscription was free."""
    noted = _noted_as(_FREE_FROM, moments)
    return [(from_milliseconds(int(began)), ends) for began, ends in noted.items()]


def _judge_renewal(
    number: int | None, bought_at: datetime | None, subscription: str, known: Circumstances
) -> MovementKind:
    """The first payment, if every period before is known to have cost nothing.

    It is none if the subscription itself replaced one that was paid for.
    """
    moments = known.moments
    if number is not None and f"{FREE}:0" not in moments:
        before = range(1, min(number, _MOST_FREE_PERIODS))
        is_first = bool(before) and all(f"{FREE}:{one}" in moments for one in before)
    else:
        is_first = bought_at is not None and _is_first_by_time(bought_at, moments)
    if is_first and _is_upgrade(subscription, moments):
        return MovementKind.RENEWAL
    return MovementKind.FIRST_PAYMENT if is_first else MovementKind.RENEWAL


def _is_first_by_time(bought_at: datetime, moments: Mapping[str, datetime]) -> bool:
    """Whether it follows a free period, or ends it early, and nothing was paid before."""
    follows = any(began < bought_at <= ends + _GRACE for began, ends in _free_spans(moments))
    return follows and all(paid >= bought_at for paid in _noted_as(_PAID_AT, moments).values())


def _is_upgrade(subscription: str, moments: Mapping[str, datetime]) -> bool:
    """Whether it began, for nothing, in place of a subscription that was paid for."""
    began = min((start for start, _ in _free_spans(moments)), default=None)
    if began is None:
        return False
    replaced = _replaced(_Purchase(subscription, None, began, began), moments)
    return any(not _was_only_a_trial(one, moments) for one in replaced)


def _judge_purchase(purchase: _Purchase, known: Circumstances) -> MovementKind:
    """A renewal, if it replaces a subscription that was paid for.

    Raises `NotKnownYetError` while the change may still be told: for a moment, and for longer if
    the customer is known to have another that may be the replaced one.
    """
    replaced = _replaced(purchase, known.moments)
    if replaced:
        are_trials = all(_was_only_a_trial(one, known.moments) for one in replaced)
        return MovementKind.FIRST_PAYMENT if are_trials else MovementKind.RENEWAL
    if _takes_effect_now(purchase, known.moments):
        return MovementKind.RENEWAL
    if known.waited < _SETTLING:
        raise NotKnownYetError(is_usual=True)
    if known.waited < _LONGEST_WAIT and _has_another(purchase, known.moments):
        raise NotKnownYetError
    return MovementKind.FIRST_PAYMENT


def _replaced(purchase: _Purchase, moments: Mapping[str, datetime]) -> list[str]:
    """The customer's other subscriptions that were replaced just then."""
    return [
        subscription
        for subscription, told_at in _noted_as("changed", moments).items()
        if subscription != purchase.subscription
        and min(abs(told_at - one) for one in (purchase.told_at, purchase.bought_at)) <= _BESIDE
    ]


def _was_only_a_trial(subscription: str, moments: Mapping[str, datetime]) -> bool:
    return f"trial:{subscription}" in moments and f"paid:{subscription}" not in moments


def _takes_effect_now(purchase: _Purchase, moments: Mapping[str, datetime]) -> bool:
    """Whether a change to this product was announced for this moment."""
    announced = moments.get(f"changes_to:{purchase.product_id}")
    return announced is not None and abs(purchase.bought_at - announced) <= _AT_THE_END


def _has_another(purchase: _Purchase, moments: Mapping[str, datetime]) -> bool:
    """Whether another subscription of the customer's is paid for beyond this purchase."""
    return any(
        ends > purchase.bought_at
        for subscription, ends in _noted_as("paid", moments).items()
        if subscription != purchase.subscription
    )


def _noted_as(sort: str, moments: Mapping[str, datetime]) -> dict[str, datetime]:
    return {
        name.removeprefix(f"{sort}:"): moment
        for name, moment in moments.items()
        if name.startswith(f"{sort}:")
    }
