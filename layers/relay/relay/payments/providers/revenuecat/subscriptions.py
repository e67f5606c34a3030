"""The end of a subscription: `CANCELLATION`, `UNCANCELLATION` and `EXPIRATION`.

A customer who leaves is told by `CANCELLATION`, and by `EXPIRATION` once more when the period is
over. One whose card fails for good is told by `EXPIRATION` with `BILLING_ERROR` alone: the
`CANCELLATION` with that reason, and `BILLING_ISSUE`, come as soon as a charge fails, and the store
may still recover it. If both happen in one period, the first one counts.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from relay.domain.movements import (
    Circumstances,
    Interpretation,
    Link,
    Movement,
    MovementKind,
    Ref,
)
from relay.errors import UnreadableWebhookError
from relay.instants import to_milliseconds
from relay.payments.providers.parsing import identifier_or_none, text, text_or_none
from relay.payments.providers.revenuecat import returns
from relay.payments.providers.revenuecat.event import Event

_REFUND: Final = "CUSTOMER_SUPPORT"
_BILLING_ERROR: Final = "BILLING_ERROR"
_BY_A_PERSON: Final = frozenset({"UNSUBSCRIBE", "DEVELOPER_INITIATED", "PRICE_INCREASE", "UNKNOWN"})


def cancellation(event: Event) -> Interpretation:
    """A cancellation or a refund; nothing yet while the store retries a charge."""
    reason = text(event.content, "cancel_reason")
    if reason == _REFUND:
        return returns.refund(event)
    if reason == _BILLING_ERROR or event.period == "PROMOTIONAL":  # granted: nobody leaves
        return Interpretation(tuple(event.links()))
    if reason not in _BY_A_PERSON:
        raise UnreadableWebhookError("cancel_reason is none that is known")
    # The id has the time, because customers may return and cancel again.
    name = f"{event.first_transaction}:cancelled:{int(event.told_at.timestamp())}"
    return _ended(event, name, f"cancellation:{name}", "cancelled")


def expiration(event: Event) -> Interpretation:
    """Involuntary churn; other expirations are told before, by a cancellation or a refund."""
    if identifier_or_none(event.content, "transaction_id") is None:
        return Interpretation()
    if text_or_none(event.content, "expiration_reason") != _BILLING_ERROR:
        return Interpretation(tuple(event.links()))
    return _ended(event, f"{event.payment_key}:expired", _expiry(event), "expired")


def uncancellation(event: Event) -> Interpretation:
    """A customer who stays after all, and may leave again."""
    if identifier_or_none(event.content, "transaction_id") is None:
        return Interpretation()
    return Interpretation((*event.links(), _note(event, "uncancelled")))


def _ended(event: Event, name: str, ref: Ref, what: str) -> Interpretation:
    expiry = _expiry(event)
    is_expiry = ref == expiry
    movement = Movement(
        MovementKind.CANCELLATION,
        name,
        ref,
        at=event.told_at,
        product_id=event.product_id,
        device=event.device,
        judge=partial(_judge, event.told_at, None if is_expiry else expiry),
    )
    onward = () if is_expiry else (expiry,)
    link = Link(ref, to=(*onward, event.payment, event.subscription))
    return Interpretation((*event.links(), _note(event, what), link), movement)


def _expiry(event: Event) -> Ref:
    return f"expiration:{event.payment_key}"


def _note(event: Event, what: str) -> Link:
    """Each at its own time: the order in which they come does not matter."""
    name = f"{what}:{to_milliseconds(event.told_at)}"
    return Link(event.payment, moments={name: event.told_at})


def _judge(told_at: datetime, expiry: Ref | None, known: Circumstances) -> MovementKind | None:
    """A cancellation, unless the same end was told before.

    `expiry`: where the involuntary end of the period is kept, for the judgement of a voluntary one;
    None for that of the involuntary one itself.
    """
    if expiry is None:
        others = [one for one in _noted_as("cancelled", known.moments) if one <= told_at]
    else:
        others = [one for one in _noted_as("cancelled", known.moments) if one < told_at]
        others += _noted_as("expired", known.moments) if expiry in known.decided else []
    stayed = list(_noted_as("uncancelled", known.moments))
    is_told = any(not _any_between(stayed, told_at, other) for other in others)
    return None if is_told else MovementKind.CANCELLATION


def _any_between(moments: list[datetime], one: datetime, other: datetime) -> bool:
    return any(min(one, other) <= moment <= max(one, other) for moment in moments)


def _noted_as(what: str, moments: Mapping[str, datetime]) -> Iterator[datetime]:
    return (moment for name, moment in moments.items() if name.startswith(f"{what}:"))
