"""What becomes of one movement: whose it is, for which app, under which name and for how much.

Everything that is needed is looked up here, in the money trail and among the identities; what is
decided is kept, so that the next telling of the same money comes to the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from relay.config.apps import Apps
from relay.domain.kinds import Surface
from relay.domain.movements import NEGATIVE, REVERSALS, Movement, MovementKind, Ref
from relay.domain.payment_rules import PaymentRules, SourceSettings
from relay.instants import from_milliseconds, to_milliseconds, utc_now
from relay.payments.app_selection import Choice, choose
from relay.payments.errors import IdConflictError, IdentityUnknownError, OriginalUnknownError
from relay.payments.events import event_name
from relay.payments.revenue import NO_MONEY, Money, given_back, paid, unheard
from relay.rules.identity_lookup import not_before_of
from relay.stores.decision import Decision
from relay.stores.identities import Identities, Identity
from relay.stores.money_trail import Trail, Walk

PAYMENTS: Final = frozenset(
    {MovementKind.FIRST_PAYMENT, MovementKind.RENEWAL, MovementKind.PURCHASE}
)
RETOLD_TOO_LATE: Final = timedelta(days=30)
"""A dispute is told when its money is taken and again when it is lost, months later. By then the
deliveries have forgotten it (35 days), the trail has not."""

_SAME_MOMENT: Final = timedelta(minutes=1)


class NotWantedError(Exception):
    """It is a test, and no app asks for tests."""


class Decided(NamedTuple):
    """A decision that stands."""

    decision: Decision
    is_old_news: bool = False
    """It was decided so long ago that its event is not sent again."""


class Decider:
    """Decides about movements. Blocking; lives as long as its process.

    `decide` raises `UnmappableError`, `NotWantedError`, `UnknownAppError`, `ConfigurationError`,
    `ParametersUnavailableError` and `TableUnavailableError`.
    """

    def __init__(
        self,
        apps: Apps,
        trail: Trail,
        identities: Identities,
        clock: Callable[[], datetime] = utc_now,
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
        links: Iterable[Ref] = (),
    ) -> Decided:
        """What is sent for a movement, by what is known now; or what was decided before.

        `links`: the things of which its notice told as well; they are the same customer's.
        """
        refs = [movement.ref] if movement.about is None else [movement.ref, movement.about]
        walk = self._trail.walk(source, refs)
        standing = walk.decisions.get(movement.ref)
        if standing is None:
            decision = (
                self._first_telling(settings, movement, walk, test=test)
                if movement.about is None
                else self._taking_back(source, movement, walk)
            )
            # Another telling may have been decided meanwhile; then that one stands.
            standing = self._trail.decide(source, movement.ref, decision)
        self._trail.assign(source, walk, standing.customer_user_id, links)
        return self._as_told(standing, movement)

    def _as_told(self, standing: Decision, movement: Movement) -> Decided:
        """A decision for this telling, which must tell of as much money."""
        told = None if movement.kind in REVERSALS else movement.amount
        if told is not None and (
            standing.currency != told.currency or Decimal(standing.gross or 0) != told.gross
        ):
            raise IdConflictError
        age = self._clock() - from_milliseconds(standing.decided_at)
        return Decided(standing, is_old_news=age > RETOLD_TOO_LATE)

    # Payments, trials, cancellations

    def _first_telling(
        self, settings: SourceSettings, movement: Movement, walk: Walk, *, test: bool
    ) -> Decision:
        customer = walk.clues.customer_user_id
        installs = self._identities.of_customer(customer) if customer else []
        choice = choose(settings, walk.clues, installs)
        if choice is None:
            raise IdentityUnknownError
        if test:
            choice = self._for_tests(choice)
        rules = self._rules(choice.surface, choice.app_id)
        kind = _kind(movement, walk)
        name = event_name(kind, rules, None)
        money = _money(movement, rules, is_heard=name is not None)
        return Decision(
            kind=kind,
            id=movement.id,
            at=to_milliseconds(movement.at),
            decided_at=to_milliseconds(self._clock()),
            surface=choice.surface.value,
            app_id=choice.app_id,
            name=name,
            customer_user_id=customer,
            appsflyer_id=choice.appsflyer_id,
            not_before=self._not_before(choice.identity),
            order_id=movement.order_id,
            product_id=movement.product_id,
            quantity=movement.quantity,
            **money._asdict(),
            **_device(movement),
        )

    def _for_tests(self, choice: Choice) -> Choice:
        """The app that hears of another one's test payments, as its own rules say."""
        test_app = self._rules(choice.surface, choice.app_id).test_events_to
        if test_app is None:
            raise NotWantedError
        return choice._replace(app_id=test_app)

    def _not_before(self, identity: Identity | None) -> int | None:
        """S3, for an id that the forwarder will not look up."""
        moment = identity and not_before_of(identity.installed_at, self._clock())
        return to_milliseconds(moment) if moment else None

    # Refunds, disputes, and what reverses them

    def _taking_back(self, source: str, movement: Movement, walk: Walk) -> Decision:
        """It goes where the original went, under its name and order id."""
        original = walk.first(NEGATIVE if movement.kind in REVERSALS else PAYMENTS)
        if original is None:
            raise OriginalUnknownError
        rules = self._rules(Surface(original.surface), original.app_id)
        # What reverses a refund brings back just what that took.
        amount = None if movement.kind in REVERSALS else movement.amount
        before = self._given_back_before(source, movement, walk, original)
        return replace(
            original,
            kind=movement.kind,
            id=movement.id,
            at=to_milliseconds(movement.at),
            decided_at=to_milliseconds(self._clock()),
            name=event_name(movement.kind, rules, original),
            quantity=None,
            **given_back(amount, original, before)._asdict(),
        )

    def _given_back_before(
        self, source: str, movement: Movement, walk: Walk, original: Decision
    ) -> Decimal:
        """How much of the payment was given back before: net parts are rounded to add up."""
        payment = walk.first_ref(PAYMENTS)
        if payment is None or original.basis in (None, "gross"):
            return Decimal(0)
        is_back = movement.kind in REVERSALS
        amount = None if is_back else movement.amount
        gross = Decimal(original.gross or 0) if amount is None else amount.gross
        return self._trail.part_before(
            source, payment, movement.ref, -gross if is_back else gross, original.customer_user_id
        )

    def _rules(self, surface: Surface, app_id: str) -> PaymentRules:
        self._apps.preload_settings(surface, app_id)
        return self._apps.payment_rules(surface, app_id)


def _kind(movement: Movement, walk: Walk) -> MovementKind:
    """A renewal of a trial is the first payment."""
    starts, ends = movement.period_start, walk.trial_end
    is_conversion = (
        movement.kind is MovementKind.RENEWAL
        and starts is not None
        and ends is not None
        and abs(starts - ends) < _SAME_MOMENT
    )
    return MovementKind.FIRST_PAYMENT if is_conversion else movement.kind


def _money(movement: Movement, rules: PaymentRules, *, is_heard: bool) -> Money:
    """Of what an app does not hear, it need not be known on which basis."""
    if movement.amount is None:
        return NO_MONEY
    return paid(movement.amount, rules) if is_heard else unheard(movement.amount)


def _device(movement: Movement) -> dict[str, str | None]:
    return {name: movement.device.get(name) for name in ("idfa", "idfv", "advertising_id")}
