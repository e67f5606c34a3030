"""The model that all payment providers share.

*source*: one account at a provider, with its own secrets and apps. *notice*: one item of a webhook,
reduced to the fields that matter. *movement*: one movement of money, or one step in a
subscription's life. *ref*: the provider's id of an object, prefixed with its sort (`invoice:in_1`).
*link*: what a notice says about one object: whose it is, and what it belongs to. *customer hints*:
what a notice says about whose money it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, Self

Basis = Literal["gross", "net_of_tax", "net_of_tax_and_fee"]

Ref = str
"""`<sort>:<id at the provider>`, such as `subscription:sub_1`."""


class MovementKind(StrEnum):
    """The kinds of movements. An app's settings rename or drop them by these names."""

    TRIAL = "trial"
    FIRST_PAYMENT = "first_payment"
    """The first paid period of a subscription, also after a trial."""
    RENEWAL = "renewal"
    PURCHASE = "purchase"
    """A one-off payment, without a subscription."""
    REFUND = "refund"
    REFUND_REVERSED = "refund_reversed"
    """A refund failed or was taken back: the merchant has the money again."""
    DISPUTE = "dispute"
    """A chargeback took money away."""
    DISPUTE_WON = "dispute_won"
    CANCELLATION = "cancellation"


PAYMENTS: Final = frozenset(
    {MovementKind.FIRST_PAYMENT, MovementKind.RENEWAL, MovementKind.PURCHASE}
)
NEGATIVE: Final = frozenset({MovementKind.REFUND, MovementKind.DISPUTE})
REVERSALS: Final = frozenset({MovementKind.REFUND_REVERSED, MovementKind.DISPUTE_WON})
"""They count only if the movement that they reverse was sent."""
WITHOUT_MONEY: Final = frozenset({MovementKind.TRIAL, MovementKind.CANCELLATION})


class Amount(NamedTuple):
    """Money in major units, never negative: the kind of movement gives the sign.

    An amount that the provider does not report is None.
    """

    currency: str
    """ISO 4217, upper case."""
    gross: Decimal
    net_of_tax: Decimal | None = None
    net_of_tax_and_fee: Decimal | None = None

    def is_in_order(self) -> bool:
        """Whether net of tax and fee <= net of tax <= gross, as far as they are told."""
        told = [
            amount
            for amount in (self.net_of_tax_and_fee, self.net_of_tax, self.gross)
            if amount is not None
        ]
        return told == sorted(told)

    def on(self, basis: Basis) -> Decimal | None:
        """The amount on a basis; None if the provider does not report it."""
        return {
            "gross": self.gross,
            "net_of_tax": self.net_of_tax,
            "net_of_tax_and_fee": self.net_of_tax_and_fee,
        }[basis]


@dataclass(frozen=True, slots=True)
class CustomerHints:
    """What a notice says about whose money it is."""

    customer_user_id: str | None = None
    appsflyer_id: str | None = None
    app_id: str | None = None
    platform: str | None = None
    """`ios`, `android` or `web`, lower case."""

    def or_else(self, others: Self) -> Self:
        """These hints, with the gaps filled from `others`."""
        return type(self)(
            self.customer_user_id or others.customer_user_id,
            self.appsflyer_id or others.appsflyer_id,
            self.app_id or others.app_id,
            self.platform or others.platform,
        )


NO_HINTS: Final = CustomerHints()


@dataclass(frozen=True, slots=True)
class Link:
    """What a notice says about one object at the provider: whose it is, and what it belongs to."""

    ref: Ref
    to: tuple[Ref, ...] = ()
    """The next objects on the way to the customer, at most one of each sort."""
    hints: CustomerHints = NO_HINTS
    trial_end: datetime | None = None
    started: datetime | None = None
    """When a subscription began, where this notice saw it begin: its first payment is still to come
    or in this notice. Never from a notice about a subscription that had long been running."""
    opened_by: Ref | None = None
    """The payment, perhaps of nothing, that began a subscription: it may not name it yet."""
    promised: Amount | None = None
    """What a payment will be of once it is captured: only then does it count."""
    moments: Mapping[str, datetime] = field(default_factory=dict)
    """What happened to it and when, by names of the provider's choice; they add up over notices."""
    told_at: datetime | None = None
    """When it happened this time, of a thing that may be done and undone several times."""


class Circumstances(NamedTuple):
    """What the trail knows of the things around a movement, its own notice included."""

    moments: Mapping[str, datetime]
    """`Link.moments` of every node that the movement's links lead to."""
    decided: Mapping[Ref, MovementKind]
    """The kinds of the movements among these nodes that were decided before."""
    waited: timedelta
    """How long the movement has been held."""


class NotKnownYetError(Exception):
    """By what is known so far it cannot be said what a movement is; another notice may tell.

    `is_usual`: each of its sort waits for what is told at the same moment; nothing is missing yet.
    """

    def __init__(self, *, is_usual: bool = False) -> None:
        super().__init__()
        self.is_usual = is_usual


Judge = Callable[[Circumstances], MovementKind | None]
"""What a movement is, by what happened before and beside it; None if it does not count.

Pure. Raises `NotKnownYetError`.
"""


class Telling(NamedTuple):
    """How one of two sorts of webhooks tells of the same money, where they do not name it alike.

    They are paired: the first part of this amount that one sort tells of is the first that the
    other tells of, and so on. Money that both tell of counts once, in any order.
    """

    whole: Ref
    """What it is a part of."""
    part: str
    """Its amount in minor units: all that both sorts say."""
    sort: str


@dataclass(frozen=True, slots=True)
class Rounds:
    """What to look up about a thing that is done, undone and done again under one id.

    `payments.rounds` decides by it which movement a telling is, if any.
    """

    opposite: tuple[Ref, ...]
    """Refs of the movements that undo this one, or that it undoes: of their first slots."""
    is_undoing: bool = False
    """Whether this is what undoes: at the same moment it comes after what is done."""
    told: tuple[Ref, ...] = ()
    """Further nodes whose `told_at` tell of the opposite, whether or not it was a movement."""
    first: tuple[Ref, ...] = ()
    """Refs of a movement before the first round, of this `part` of a payment."""
    part: str | None = None
    refused: Ref | None = None
    """The node whose `told_at` say that the provider refused it after all."""
    only_after: bool = False
    """Whether it counts only after its opposite: else it says nothing new."""
    as_of: Ref | None = None
    """The node whose latest `told_at` is the moment that counts."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of money, or one step in a subscription's life."""

    kind: MovementKind
    id: str
    """The money's id at the provider, not the webhook's: two notices of one id are one event."""
    ref: Ref
    """The object that it is at the provider; the trail stores the movement under this ref."""
    at: datetime
    """When it happened, according to the provider."""
    amount: Amount | None = None
    """None without money, and if only the original has the amount."""
    original_ref: Ref | None = None
    """What a refund, dispute or reversal takes back. The trail leads from it to the original."""
    order_id: str | None = None
    product_id: str | None = None
    quantity: int | None = None
    period_start: datetime | None = None
    """Start of the paid period. A renewal that starts when a trial ends converts that trial."""
    judge: Judge | None = None
    """Decides about the kind where the notice alone does not say it."""
    is_share: bool = False
    """A return, or its reversal, of `original_ref`, which is the payment. Of one payment they are
    added up, by their times: none takes more than was left then, or brings back more than was
    taken. Without an amount it is all of that. Amounts are gross; net is the payment's share."""
    former_refs: tuple[Ref, ...] = ()
    """Where release 0.1 kept it, its payment, or other returns of its payment. It is the same
    movement if kind, moment and amount are; the payment is the same if it is of `period_start`."""
    subscription: Ref | None = None
    """The subscription whose first money decides between first payment and renewal. A renewal that
    turns out to be the first money of a subscription that was seen to begin is its first payment.
    None if the provider itself knows."""
    is_capture: bool = False
    """It counts only if its payment was promised (`Link.promised`)."""
    telling: Telling | None = None
    """How it is told (a reversal: how what it reverses is told), if another sort may tell too."""
    device: Mapping[str, str] = field(default_factory=dict)
    """AppsFlyer's device fields (`idfa`, `idfv`, `advertising_id`), if the provider sends them."""
    rounds: Rounds | None = None
    """For what may be done and undone again under one id."""
    part: str | None = None
    """Which part of a payment it is, if there may be several (captures). The first that is decided
    has the payment's ref and id, each other `:<part>` behind them."""
    again: "Movement | None" = None
    """What it is instead, if this part was counted, taken back, and has come again."""


class Caveat(NamedTuple):
    """What people should know of a webhook that cannot be treated in full, and its counter."""

    counter: str
    text: str
    """Says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What one notice means: links, and at most one movement."""

    links: tuple[Link, ...] = ()
    movement: Movement | None = None
    """None if the notice has only links, or nothing that counts."""
    caveats: tuple[Caveat, ...] = ()
    """Said in the dead letter, should it become one."""
    perhaps: Movement | None = None
    """A movement only if what it undoes is known (`Rounds.only_after`); most often it is none."""


class Treatment(StrEnum):
    """How the relay treats a type of webhook."""

    COUNTED = "counted"
    """It carries a movement, or links that other notices need."""
    IGNORED = "ignored"
    """Known duplicate or irrelevant: acknowledge and count."""
    UNKNOWN = "unknown"
    """Keep its id, type, time and digest in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class ParsedWebhook:
    """One item of a webhook, reduced to the fields of an allow-list."""

    id: str
    """The webhook's id, for people who look it up at the provider; never used as a key."""
    type: str
    treatment: Treatment
    occurred_at: datetime | None = None
    test: bool = False
    content: Mapping[str, Any] = field(default_factory=dict)
    """Only fields of the provider's allow-list; empty unless `treatment` is counted."""
    problem: str | None = None
    """Why this item cannot be read although others in the webhook can; it is then unknown."""
    caveats: tuple[Caveat, ...] = ()
    """Counted when the webhook comes in, and shown by `relay payments explain`."""
