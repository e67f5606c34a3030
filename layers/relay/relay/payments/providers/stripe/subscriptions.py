"""Subscriptions at Stripe: whose they are, their trials, their end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from relay.domain.movements import (
    Circumstances,
    Interpretation,
    Link,
    Movement,
    MovementKind,
)
from relay.instants import to_milliseconds
from relay.payments.providers.parsing import (
    Shape,
    at,
    chain,
    flag,
    identifier,
    moment_of_unix_or_none,
    refs_of,
    text_or_none,
    whole_or_none,
)
from relay.payments.providers.stripe.event import Event, price_of, scalars

_LEAVING: Final = "leaving"
_STAYING: Final = "staying"
"""Noted at a subscription: when its end stood requested, each, and when last told that it did not.
An end that is told once more for another time is the same end."""
_INSTANT: Final = timedelta(milliseconds=1)


def subscription_shape(metadata: Shape) -> Shape:
    """The allow-list of a subscription."""
    return {
        **scalars("id status customer customer_account start_date trial_start trial_end"),
        **scalars("cancel_at_period_end cancel_at canceled_at ended_at"),
        "items": {"data": {"quantity": None, "price": scalars("id")}},
        "metadata": metadata,
    }


def subscription_created(event: Event) -> Interpretation:
    """Whose the subscription is, its start, and that of its trial."""
    started = moment_of_unix_or_none(event.entity, "start_date") or event.created
    if _status(event.entity) == "trialing":
        return _trial(event, started)
    return Interpretation(_links(event, started))


def _status(entity: object) -> str | None:
    return text_or_none(entity, "status")


def _trial(event: Event, started: datetime | None = None) -> Interpretation:
    """The start of a trial: the subscription alone says that it has one."""
    subscription, item = identifier(event.entity, "id"), at(event.entity, "items.data.0")
    name = f"{subscription}:trial"
    trial = Movement(
        MovementKind.TRIAL,
        name,
        f"trial:{name}",
        moment_of_unix_or_none(event.entity, "trial_start") or event.created,
        product_id=price_of(item),
        quantity=whole_or_none(item, "quantity"),
    )
    links = (*_links(event, started), _link_to_subscription(trial, subscription))
    return Interpretation(links, trial)


def subscription_updated(event: Event) -> Interpretation:
    """A cancellation counts when it is requested; the subscription may run on for months.

    A fixed-term subscription also has an end (`cancel_at`), but nobody requested that.
    """
    was_requested = at(event.entity, "cancel_at") and at(event.entity, "canceled_at")
    if flag(event.entity, "cancel_at_period_end") or was_requested:
        requested = _judged(subscription_cancelled(event), event.created - _INSTANT)
        name = f"{_LEAVING}:{to_milliseconds(event.created)}"
        return replace(requested, links=_noted(requested.links, event, name))
    # It waited for a payment or a confirmation, and only now begins. A running subscription that
    # becomes `trialing` gets its next bill later, which is no new trial.
    if _status(event.entity) == "trialing" and _status(event.previous) == "incomplete":
        return _trial(event)
    return Interpretation(_noted(_links(event), event, _STAYING))


def subscription_deleted(event: Event) -> Interpretation:
    """The end. That of a subscription that was never paid for and never began is none."""
    if _status(event.entity) == "incomplete_expired":
        return Interpretation(_links(event))
    return _judged(subscription_cancelled(event), event.created)


def _judged(ended: Interpretation, until: datetime) -> Interpretation:
    """An end, unless it was requested before for another time, and not called off since."""
    judge = partial(_judge, until)
    return replace(ended, movement=ended.movement and replace(ended.movement, judge=judge))


def _judge(until: datetime, known: Circumstances) -> MovementKind | None:
    noted = (one for name, one in known.moments.items() if name.startswith(f"{_LEAVING}:"))
    requested = max((one for one in noted if one <= until), default=None)
    stayed = known.moments.get(_STAYING)
    is_told = requested and not (stayed and requested < stayed <= until)
    return None if is_told else MovementKind.CANCELLATION


def _noted(links: Sequence[Link], event: Event, name: str) -> tuple[Link, ...]:
    """The links, the subscription's with a moment that is noted there."""
    subscription = f"subscription:{identifier(event.entity, 'id')}"
    own = next((one for one in links if one.ref == subscription), Link(subscription))
    others = (one for one in links if one.ref != subscription)
    return (*others, replace(own, moments={name: event.created}))


def subscription_cancelled(event: Event) -> Interpretation:
    """A cancellation; the request and the actual end yield the same movement."""
    subscription = identifier(event.entity, "id")
    requested_at = moment_of_unix_or_none(event.entity, "canceled_at") or event.created
    end = (
        moment_of_unix_or_none(event.entity, "cancel_at")
        or moment_of_unix_or_none(event.entity, "ended_at")
        or requested_at
    )
    name = f"{subscription}:cancelled:{int(end.timestamp())}"
    cancellation = Movement(
        MovementKind.CANCELLATION,
        name,
        f"cancellation:{name}",
        requested_at,
        product_id=price_of(at(event.entity, "items.data.0")),
    )
    return Interpretation(
        (*_links(event), _link_to_subscription(cancellation, subscription)), cancellation
    )


def _link_to_subscription(movement: Movement, subscription: str) -> Link:
    """A link from a movement in a subscription's life to the subscription."""
    return Link(movement.ref, to=(f"subscription:{subscription}",))


def _links(event: Event, started: datetime | None = None) -> tuple[Link, ...]:
    refs = refs_of(subscription=identifier(event.entity, "id"), customer=event.customer())
    ends = moment_of_unix_or_none(event.entity, "trial_end")
    return chain(refs, event.hints("metadata"), ends, started)
