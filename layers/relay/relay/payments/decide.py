"""Decides about one movement: whose it is, for which app, under which name and for how much.

The decider looks up what it needs in the money trail and the identities. It stores the decision, so
that a redelivered webhook yields the same event.

What a decision hangs on may be told at the same moment, in any order: whether money is the first of
its subscription, whether a payment is one that was promised. Such a movement is noted and waits
(`NotSettledError`) until that moment has passed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Final, NamedTuple

from relay import telemetry
from relay.config.apps import Apps
from relay.domain.kinds import Surface
from relay.domain.movements import (
    NEGATIVE,
    PAYMENTS,
    REVERSALS,
    Amount,
    Circumstances,
    Movement,
    MovementKind,
    Ref,
    Telling,
)
from relay.domain.payment_rules import PaymentRules, SourceSettings
from relay.instants import Clock, from_milliseconds, to_milliseconds, utc_now
from relay.payments.app_selection import AppMatch, select_app
from relay.payments.errors import (
    IdConflictError,
    IdentityUnknownError,
    NothingLeftError,
    OriginalUnknownError,
    RevenueUnknownError,
    UncountedError,
)
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
from relay.payments.shares import as_it_was, fitted, former_payment, is_same
from relay.rules.identity_lookup import not_before_of
from relay.stores.decision import Decision
from relay.stores.identities import Identities, Identity
from relay.stores.money_trail import History, Part, Trail, TrailLookup

REPLAY_LIMIT: Final = timedelta(days=30)
"""A dispute is reported when its money is taken and again, months later, when it is lost. By then
the deliveries have forgotten it (`DeliveryDays`: 35, never below 31), but the trail has not."""

NO_HISTORY: Final = History()
_SAME_MOMENT: Final = timedelta(minutes=1)


class UnwantedTestError(Exception):
    """The movement is a test, and its app has no app for test payments."""


class NotSettledError(Exception):
    """What other webhooks of the same moment tell may change the decision: it is made later."""


class NotOursError(Exception):
    """The payment was not promised (`Link.promised`): it is reported otherwise, or not at all."""


class Decided(NamedTuple):
    """The decision about a movement."""

    decision: Decision
    is_replay: bool = False
    """Whether this is a redelivery after `REPLAY_LIMIT`, whose event is not sent again."""


class Decider:
    """Decides about movements. Blocks; lives as long as its process.

    `decide` raises `MappingError`, `UnwantedTestError`, `UncountedError`, `NotKnownYetError`,
    `NotSettledError`, `NotOursError`, `UnknownAppError`, `ConfigurationError`,
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
        waited: timedelta = timedelta(0),
        may_wait: bool = False,
    ) -> Decided:
        """The earlier decision about a movement, or a new one by what is known now.

        `known_refs`: the other things in the movement's notice; they are the same customer's.
        `waited`: how long it has been held.
        `may_wait`: whether it may be left open for a moment (`NotSettledError`).
        """
        told, movement = movement, in_its_round(self._trail, source, movement)
        lookup = self._look_up(source, movement, told)
        if movement.ref not in lookup.decisions and movement.telling is not None:
            movement = self._as_told_first(source, movement, movement.telling, lookup)
            lookup = self._look_up(source, movement, movement)
        standing = lookup.decisions.get(movement.ref)
        former: Mapping[Ref, Decision] = {}
        if standing is None:
            former = self._trail.decisions(source, movement.former_refs)
            standing = next((one for one in former.values() if is_same(one, movement)), None)
        if standing is None:
            movement = _judged(movement, lookup, waited)
            if movement.is_share:
                decision = self._decide_share(source, movement, lookup, former)
            elif movement.original_ref is None:
                movement = self._settled(source, movement, lookup, may_wait=may_wait)
                decision = self._decide_by_customer(settings, movement, lookup, test=test)
            else:
                decision = self._decide_by_original(source, movement, lookup)
            # A redelivery may have been decided in the meantime; then that decision stands.
            standing = self._trail.decide(source, movement.ref, decision)
        if standing.part not in (None, movement.part):  # another part has just taken this ref
            return self.decide(
                source,
                settings,
                told,
                test=test,
                known_refs=known_refs,
                waited=waited,
                may_wait=may_wait,
            )
        self._trail.assign(source, lookup, standing.customer_user_id, known_refs)
        return self._decided(standing, movement)

    def _look_up(self, source: str, movement: Movement, told: Movement) -> TrailLookup:
        """What is known of a movement; what is known of a payment holds for each of its parts."""
        return self._trail.look_up(source, [movement.ref, movement.original_ref or told.ref])

    def _decided(self, standing: Decision, movement: Movement) -> Decided:
        """Applies a decision to a movement; raises `IdConflictError` if their amounts differ."""
        amount = None if movement.kind in REVERSALS else movement.amount
        if amount is not None and not _is_same(amount, standing):
            raise IdConflictError
        age = self._clock() - from_milliseconds(standing.decided_at)
        return Decided(standing, is_replay=age > REPLAY_LIMIT)

    # What other webhooks of the same moment decide

    def _settled(
        self, source: str, movement: Movement, lookup: TrailLookup, *, may_wait: bool
    ) -> Movement:
        """The movement with what only other webhooks tell of it.

        Raises `NotSettledError` and `NotOursError`.
        """
        if movement.is_capture:
            promised = lookup.promises.get(movement.ref)
            if promised is None:
                raise NotSettledError if may_wait else NotOursError
            return replace(movement, amount=_captured(movement.amount, promised))
        if movement.subscription is None:
            return movement
        kind = self._kind(source, movement, movement.subscription, lookup, may_wait=may_wait)
        return replace(movement, kind=kind)

    def _kind(
        self,
        source: str,
        movement: Movement,
        subscription: Ref,
        lookup: TrailLookup,
        *,
        may_wait: bool,
    ) -> MovementKind:
        """Whether money is a subscription's first; noted, so that all that follows is a renewal.

        What the provider calls the first payment is it, unless another was reported as that.
        """
        history = self._history(source, movement, subscription, lookup)
        is_first = history.first_payment == movement.ref or (
            history.first_payment is None and movement.kind is MovementKind.FIRST_PAYMENT
        )
        if not is_first:
            if history.is_settled:
                return MovementKind.RENEWAL
            self._trail.note_payment(source, subscription, movement.ref, movement.at)
            if may_wait:
                raise NotSettledError
            is_first = is_first_payment(movement, history)
            if not is_first and _saw_start(movement, history):
                return MovementKind.RENEWAL  # an earlier payment will be the first
        self._trail.note_decided(source, subscription, movement.ref, is_first=is_first)
        return MovementKind.FIRST_PAYMENT if is_first else MovementKind.RENEWAL

    def _history(
        self, source: str, movement: Movement, subscription: Ref, lookup: TrailLookup
    ) -> History:
        """What is known of a subscription; a payment that began it and did not name it is noted."""
        history = lookup.histories.get(subscription, NO_HISTORY)
        opened_by = history.opened_by
        if history.first_payment is not None or opened_by in (None, movement.ref):
            return history
        opening = self._trail.decisions(source, [opened_by]).get(opened_by)
        if opening is None or opening.kind is not MovementKind.FIRST_PAYMENT:
            return history
        self._trail.note_decided(source, subscription, opened_by, is_first=True)
        return replace(history, first_payment=opened_by)

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
        name = event_name(movement.kind, rules, None)
        money = _money(movement, rules, is_reported=name is not None)
        return Decision(
            kind=movement.kind,
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

    def _as_told_first(
        self, source: str, movement: Movement, telling: Telling, lookup: TrailLookup
    ) -> Movement:
        """The movement under the ref of the telling that came first; a reversal, about that ref.

        Raises `OriginalUnknownError` while the payment is unknown.
        """
        payment = lookup.first(PAYMENTS)
        if payment is None:
            raise OriginalUnknownError(lookup.held_since)

        def told_first(ref: Ref) -> Ref:
            return self._trail.same_money(source, telling, ref, payment.customer_user_id)

        if movement.kind in REVERSALS and movement.original_ref is not None:
            return replace(movement, original_ref=told_first(movement.original_ref))
        ref = told_first(movement.ref)
        return replace(movement, ref=ref, id=ref.partition(":")[2])

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
        name = event_name(movement.kind, rules, original)
        return self._like_original(original, movement, name, money)

    def _like_original(
        self, original: Decision, movement: Movement, name: str | None, money: Money
    ) -> Decision:
        return replace(
            original,
            kind=movement.kind,
            id=movement.id,
            at=to_milliseconds(movement.at),
            decided_at=to_milliseconds(self._clock()),
            name=name,
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

    # Returns that are shares of their payment

    def _decide_share(
        self,
        source: str,
        movement: Movement,
        lookup: TrailLookup,
        former: Mapping[Ref, Decision],
    ) -> Decision:
        """A decision about what a return takes of what is left of its payment, or brings back."""
        known = {**former, **lookup.decisions}
        payment = lookup.first_ref(PAYMENTS) or former_payment(former, movement)
        if payment is None:
            raise OriginalUnknownError(lookup.held_since)
        original = known[payment]
        parts = self._placed(source, payment, original, movement, former)
        if not parts:
            raise NothingLeftError(lookup.held_since)
        # A reversal has the name of the return that it reverses, and is dropped with it.
        base = original
        if movement.kind in REVERSALS:
            taken = self._trail.decisions(source, [one.ref for one in reversed(parts[:-1])])
            base = next((one for one in taken.values() if one.kind in NEGATIVE), original)
        rules = self._rules(Surface(original.surface), original.app_id)
        gross, before = parts[-1].gross, sum((one.gross for one in parts[:-1]), Decimal(0))
        amount = Amount(original.currency or "", abs(gross))
        money = money_returned(amount, original, min(before, before + gross))
        name = event_name(movement.kind, rules, base)
        return self._like_original(original, movement, name, money)

    def _placed(
        self,
        source: str,
        payment: Ref,
        original: Decision,
        movement: Movement,
        former: Mapping[Ref, Decision],
    ) -> list[Part]:
        """What was taken of a payment and brought back, up to this movement; none if it must wait.

        What release 0.1 returned of it stands there too.
        """
        amount, owner = movement.amount, original.customer_user_id
        if amount is not None and amount.currency != original.currency:
            raise RevenueUnknownError("the payment was in another currency")
        for ref, one in former.items():
            if one.kind in NEGATIVE | REVERSALS:
                fit = partial(as_it_was, ref, one)
                self._trail.place_part(source, payment, ref, fit, owner)
        fit_in = partial(fitted, movement, Decimal(original.gross or 0))
        return self._trail.place_part(source, payment, movement.ref, fit_in, owner)

    def _rules(self, surface: Surface, app_id: str) -> PaymentRules:
        self._apps.preload_settings(surface, app_id)
        return self._apps.payment_rules(surface, app_id)


def _judged(movement: Movement, lookup: TrailLookup, waited: timedelta) -> Movement:
    """The movement with its kind by what the trail knows; raises `UncountedError`."""
    if movement.judge is None:
        return movement
    decided = {ref: one.kind for ref, one in lookup.decisions.items()}
    kind = movement.judge(Circumstances(lookup.moments, decided, waited))
    if kind is None:
        raise UncountedError
    return replace(movement, kind=kind)


def is_first_payment(movement: Movement, history: History) -> bool:
    """Whether this is the first money of a subscription that was seen to begin.

    By when it was paid, not by when it was told: of payments that are told in the wrong order, the
    earliest is the first.
    """
    own = (movement.at, movement.ref)
    others = ((paid_at, ref) for ref, paid_at in history.payments.items())
    return _saw_start(movement, history) and all(own <= other for other in others)


def _saw_start(movement: Movement, history: History) -> bool:
    """Whether all money before this one would be known.

    Of a trial that began under release 0.1, only the end is known: what starts later than that may
    be the second payment.
    """
    starts, ends = movement.period_start, history.trial_end
    in_trial = starts is not None and ends is not None and starts - ends < _SAME_MOMENT
    return history.started is not None or in_trial


def _captured(amount: Amount | None, promised: Amount) -> Amount | None:
    """What was captured; its tax is in proportion to the promised amount's, to the last place."""
    if amount is None or promised.net_of_tax is None or not promised.gross:
        return amount
    net = amount.gross * promised.net_of_tax / promised.gross
    return amount._replace(net_of_tax=net.quantize(amount.gross, ROUND_HALF_UP))


def _is_same(amount: Amount, standing: Decision) -> bool:
    """Whether an amount is the one that was decided about.

    So it is with the same digits as well: the number of a currency's decimal places was corrected.
    """
    gross = Decimal(standing.gross or 0)
    same_digits = gross.as_tuple().digits == amount.gross.as_tuple().digits
    return standing.currency == amount.currency and (gross == amount.gross or same_digits)


def _money(movement: Movement, rules: PaymentRules, *, is_reported: bool) -> Money:
    """The money on the app's basis; an event that is not sent needs no basis."""
    if movement.amount is None:
        return NO_MONEY
    if not movement.amount.is_in_order():
        telemetry.count({"AmountsContradict": 1})
    return money_paid(movement.amount, rules) if is_reported else money_unreported(movement.amount)


def _device_fields(movement: Movement) -> dict[str, str | None]:
    return {name: movement.device.get(name) for name in ("idfa", "idfv", "advertising_id")}
