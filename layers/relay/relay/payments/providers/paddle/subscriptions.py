"""Subscriptions at Paddle: whose they are, their trials, their end."""

from dataclasses import replace
from datetime import datetime

from relay.domain.movements import Interpretation, Link, Movement, MovementKind
from relay.payments.providers.paddle.event import Event
from relay.payments.providers.parsing import (
    Shape,
    chain,
    identifier,
    identifier_or_none,
    moment_of_iso_or_none,
    refs_of,
    text_or_none,
    whole_or_none,
)


def subscription_shape(custom_data: Shape) -> Shape:
    """The allow-list of a subscription."""
    period = {"starts_at": None, "ends_at": None}
    return {
        **dict.fromkeys(("id", "status", "transaction_id", "customer_id", "canceled_at")),
        "started_at": None,
        "items": {"quantity": None, "price": {"id": None}, "trial_dates": period},
        "current_billing_period": period,
        "custom_data": custom_data,
    }


def subscription(event: Event, started: datetime | None = None) -> Interpretation:
    """Whose the subscription is, and when its trial ends."""
    refs = refs_of(
        transaction=identifier_or_none(event.entity, "transaction_id"),
        subscription=identifier(event.entity, "id"),
        customer=identifier_or_none(event.entity, "customer_id"),
    )
    ends = _trial_moment(event.entity, "ends_at")
    return Interpretation(chain(refs, event.hints(), ends, started))


def _trial_moment(subscription: object, boundary: str) -> datetime | None:
    """The start or end of the trial; without trial dates, that of the current period."""
    if text_or_none(subscription, "status") != "trialing":
        return None
    dates = moment_of_iso_or_none(subscription, f"items.0.trial_dates.{boundary}")
    return dates or moment_of_iso_or_none(subscription, f"current_billing_period.{boundary}")


def subscription_created(event: Event) -> Interpretation:
    """The start of a subscription, perhaps with a trial; transactions report the money."""
    created = _started(
        event, moment_of_iso_or_none(event.entity, "started_at") or event.occurred_at
    )
    transaction = identifier_or_none(event.entity, "transaction_id")
    if transaction is None:
        return created
    subscription_id = identifier(event.entity, "id")
    opening = Link(f"subscription:{subscription_id}", opened_by=f"transaction:{transaction}")
    return replace(created, links=(*created.links, opening))


def subscription_trialing(event: Event) -> Interpretation:
    """The start of a trial. It says nothing of what was paid before."""
    return _started(event, None)


def _started(event: Event, started: datetime | None) -> Interpretation:
    if text_or_none(event.entity, "status") != "trialing":
        return subscription(event, started)
    trial_started = _trial_moment(event.entity, "starts_at") or event.occurred_at
    return _step(event, MovementKind.TRIAL, "trial", "trial", trial_started, started)


def subscription_canceled(event: Event) -> Interpretation:
    """The subscription has ended for good."""
    ended = moment_of_iso_or_none(event.entity, "canceled_at") or event.occurred_at
    name = f"cancelled:{int(ended.timestamp())}"
    return _step(event, MovementKind.CANCELLATION, "cancellation", name, ended)


def _step(
    event: Event,
    kind: MovementKind,
    sort: str,
    name: str,
    moment: datetime,
    subscription_started: datetime | None = None,
) -> Interpretation:
    """A movement in a subscription's life, and its link to the subscription."""
    subscription_id = identifier(event.entity, "id")
    step_id = f"{subscription_id}:{name}"
    step = Movement(
        kind,
        step_id,
        f"{sort}:{step_id}",
        moment,
        product_id=identifier_or_none(event.entity, "items.0.price.id"),
        quantity=whole_or_none(event.entity, "items.0.quantity"),
    )
    link = Link(step.ref, to=(f"subscription:{subscription_id}",))
    return Interpretation((*subscription(event, subscription_started).links, link), step)
