"""Decides about one movement: whose it is, for which app, under which name and for how much.

The decider looks up what it needs in the money trail and the identities. It stores the decision, so
that a redelivered webhook yields the same event.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from relay import telemetry
from relay.config.apps import Apps
from relay.domain.kinds import Surface
from relay.domain.movements import NEGATIVE, REVERSALS, Movement, MovementKind, Ref
from relay.domain.payment_rules import PaymentRules, SourceSettings
from relay.instants import Clock, from_milliseconds, to_milliseconds, utc_now
from relay.payments.app_selection import AppMatch, select_app
from relay.payments.errors import IdConflictError, IdentityUnknownError, OriginalUnknownError
from relay.payments.events import event_name
from relay.payments.revenue import (
    NO_MONEY,
    Money,
    money_brought_back,
    money_paid,
    money_returned,
    money_unreported,
)
from relay.payments.rounds import in_its_round
from relay.rules.identity_lookup import not_before_of
from relay.stores.decision import Decision
from relay.stores.identities import Identities, Identity
from relay.stores.money_trail import Trail, TrailLookup

PAYMENTS: Final = frozenset(
    {MovementKind.FIRST_PAYMENT, MovementKind.RENEWAL, MovementKind.PURCHASE}
)
REPLAY_LIMIT: Final = timedelta(days=30)
"""A dispute is reported when its money is taken and again, months later, when it is lost. By then
the deliveries have forgotten it (`DeliveryDays`: 35, never below 31), but the trail has not."""

_SAME_MOMENT: Final = timedelta(minutes=1)


class UnwantedTestError(Exception):
    """The movement is a test, and its app has no app for test payments."""


class Decided(NamedTuple):
    """The decision about a movement."""

    decision: Decision
    is_replay: bool = False
    """Whether this is a redelivery after `REPLAY_LIMIT`, whose event is not sent again."""


class Decider:
    """Decides about movements. Blocks; lives as long as its process.

    `decide` raises `MappingError`, `UnwantedTestError`, `UnknownAppError`, `ConfigurationError`,
    `ParametersUnavailableError`, `TableUnavailableError` and `UnreadableItemError`.
    """

    def __init__(
        self,
        apps: Apps,
        trail: Trail,
        identities: Identities,
        clock: Clock = utc_now,
    ) -> None:
        self._apps = apps
        self._trail = trail
        self._identities = identities
        self._clock = clock

    def decide(
        self,
        source: str,
        settings: SourceSettings,
        movement: Movement,
        *,
        test: bool,
        known_refs: Iterable[Ref] = (),
    ) -> Decided | None:
        """The earlier decision about a movement, or a new one by what is known now.

        `known_refs`: the other things in the movement's notice; they are the same customer's. None
        if what is known of its rounds shows that nothing moved.
        """
        told, placed = movement, in_its_round(self._trail, source, movement)
        if placed is None:
            return None
        movement = placed
        # What is known of a payment holds for each of its parts.
        refs = (
            [movement.ref, told.ref]
            if movement.original_ref is None
            else [movement.ref, movement.original_ref]
        )
        lookup = self._trail.look_up(source, refs)
        standing = lookup.decisions.get(movement.ref)
        if standing is None:
            decision = (
                self._decide_by_customer(settings, movement, lookup, test=test)
                if movement.original_ref is None
                else self._decide_by_original(source, movement, lookup)
            )
            # A redelivery may have been decided in the meantime; then that decision stands.
            standing = self._trail.decide(source, movement.ref, decision)
        if standing.part not in (None, movement.part):  # another part has just taken this ref
            return self.decide(source, settings, told, test=test, known_refs=known_refs)
        self._trail.assign(source, lookup, standing.customer_user_id, known_refs)
        return self._decided(standing, movement)

    def _decided(self, standing: Decision, movement: Movement) -> Decided:
        """Applies a decision to a movement; raises `IdConflictError` if their amounts differ."""
        amount = None if movement.kind in REVERSALS else movement.amount
        if amount is not None and (
            standing.currency != amount.currency or Decimal(standing.gross or 0) != amount.gross
        ):
            raise IdConflictError
        age = self._clock() - from_milliseconds(standing.decided_at)
        return Decided(standing, is_replay=age > REPLAY_LIMIT)

    # Payments, trials, cancellations

    def _decide_by_customer(
        self, settings: SourceSettings, movement: Movement, lookup: TrailLookup, *, test: bool
    ) -> Decision:
        customer = lookup.hints.customer_user_id
        installs = self._identities.of_customer(customer) if customer else []
        app_match = select_app(settings, lookup.hints, installs)
        if app_match is None:
            raise IdentityUnknownError
        if test:
            app_match = self._test_app(app_match)
        rules = self._rules(app_match.surface, app_match.app_id)
        kind = _movement_kind(movement, lookup)
        name = event_name(kind, rules, None)
        money = _money(movement, rules, is_reported=name is not None)
        return Decision(
            kind=kind,
            id=movement.id,
            at=to_milliseconds(movement.at),
            decided_at=to_milliseconds(self._clock()),
            surface=app_match.surface.value,
            app_id=app_match.app_id,
            name=name,
            customer_user_id=customer,
            appsflyer_id=app_match.appsflyer_id,
            not_before=self._not_before(app_match.identity),
            order_id=movement.order_id,
            product_id=movement.product_id,
            quantity=movement.quantity,
            part=movement.part,
            **money._asdict(),
            **_device_fields(movement),
        )

    def _test_app(self, app_match: AppMatch) -> AppMatch:
        """The app that gets this app's test payments; raises `UnwantedTestError`."""
        test_app_id = self._rules(app_match.surface, app_match.app_id).test_events_to
        if test_app_id is None:
            raise UnwantedTestError
        return app_match._replace(app_id=test_app_id)

    def _not_before(self, identity: Identity | None) -> int | None:
        """S3 for an AppsFlyer id found here: the forwarder will not look it up."""
        moment = identity and not_before_of(identity.installed_at, self._clock())
        return to_milliseconds(moment) if moment else None

    # Refunds, disputes, and what reverses them

    def _decide_by_original(self, source: str, movement: Movement, lookup: TrailLookup) -> Decision:
        """A decision for the original's app, under the original's name and order id."""
        original = lookup.first(NEGATIVE if movement.kind in REVERSALS else PAYMENTS)
        if original is None:
            raise OriginalUnknownError(lookup.held_since)
        rules = self._rules(Surface(original.surface), original.app_id)
        # A reversal brings back exactly what its original took.
        returned_before = self._returned_before(source, movement, lookup, original)
        money = (
            money_brought_back(original, lookup.first(PAYMENTS), returned_before)
            if movement.kind in REVERSALS
            else money_returned(movement.amount, original, returned_before)
        )
        return replace(
            original,
            kind=movement.kind,
            id=movement.id,
            at=to_milliseconds(movement.at),
            decided_at=to_milliseconds(self._clock()),
            name=event_name(movement.kind, rules, original),
            quantity=None,
            part=None,
            **money._asdict(),
        )

    def _returned_before(
        self, source: str, movement: Movement, lookup: TrailLookup, original: Decision
    ) -> Decimal:
        """How much of the payment was returned before: net parts are rounded to add up."""
        payment = lookup.first_ref(PAYMENTS)
        if payment is None or original.basis in (None, "gross"):
            return Decimal(0)
        is_reversal = movement.kind in REVERSALS
        amount = None if is_reversal else movement.amount
        gross = Decimal(original.gross or 0) if amount is None else amount.gross
        return self._trail.part_before(
            source,
            payment,
            movement.ref,
            -gross if is_reversal else gross,
            original.customer_user_id,
        )

    def _rules(self, surface: Surface, app_id: str) -> PaymentRules:
        self._apps.preload_settings(surface, app_id)
        return self._apps.payment_rules(surface, app_id)


def _movement_kind(movement: Movement, lookup: TrailLookup) -> MovementKind:
    """The movement's kind; a renewal that starts where a trial ends is the first payment."""
    starts, ends = movement.period_start, lookup.trial_end
    is_conversion = (
        movement.kind is MovementKind.RENEWAL
        and starts is not None
        and ends is not None
        and abs(starts - ends) < _SAME_MOMENT
    )
    return MovementKind.FIRST_PAYMENT if is_conversion else movement.kind


def _money(movement: Movement, rules: PaymentRules, *, is_reported: bool) -> Money:
    """The money on the app's basis; an event that is not sent needs no basis."""
    if movement.amount is None:
        return NO_MONEY
    if not movement.amount.is_in_order():
        telemetry.count({"AmountsContradict": 1})
    return money_paid(movement.amount, rules) if is_reported else money_unreported(movement.amount)


def _device_fields(movement: Movement) -> dict[str, str | None]:
    return {name: movement.device.get(name) for name in ("idfa", "idfv", "advertising_id")}
