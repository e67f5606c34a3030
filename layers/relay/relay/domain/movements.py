"""What all payment providers have in common: the words that the rest of the relay knows.

*source*: one account at a provider, with secrets and apps of its own. *notice*: one thing that a
provider tells us, stripped to the fields that matter. *movement*: one movement of money, or one
step in a subscription's life. *ref*: the provider's name of a thing, with its sort in front
(`invoice:in_1`). *clues*: what a notice says about whose money it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, Self

Basis = Literal["gross", "net_of_tax", "net_of_tax_and_fee"]

Ref = str
"""`<sort>:<id at the provider>`, as in `subscription:sub_1`."""


class MovementKind(StrEnum):
    """What a movement is. Each can be renamed or dropped for an app by its name here."""

    TRIAL = "trial"
    FIRST_PAYMENT = "first_payment"
    """The first paid period of a subscription, a converted trial included."""
    RENEWAL = "renewal"
    PURCHASE = "purchase"
    """Paid once, no subscription."""
    REFUND = "refund"
    REFUND_REVERSED = "refund_reversed"
    """A refund that failed or was taken back: the money is ours again."""
    DISPUTE = "dispute"
    """Money taken away by a chargeback."""
    DISPUTE_WON = "dispute_won"
    CANCELLATION = "cancellation"


NEGATIVE: Final = frozenset({MovementKind.REFUND, MovementKind.DISPUTE})
REVERSALS: Final = frozenset({MovementKind.REFUND_REVERSED, MovementKind.DISPUTE_WON})
"""They count only where the movement that they reverse was sent."""
WITHOUT_MONEY: Final = frozenset({MovementKind.TRIAL, MovementKind.CANCELLATION})


class Amount(NamedTuple):
    """Money in major units, never negative: the kind of movement gives the sign.

    What a provider does not tell is None.
    """

    currency: str
    """ISO 4217, upper case."""
    gross: Decimal
    net_of_tax: Decimal | None = None
    net_of_tax_and_fee: Decimal | None = None

    def on(self, basis: Basis) -> Decimal | None:
        """The amount on a basis; None where the provider does not tell it."""
        return {
            "gross": self.gross,
            "net_of_tax": self.net_of_tax,
            "net_of_tax_and_fee": self.net_of_tax_and_fee,
        }[basis]


@dataclass(frozen=True, slots=True)
class CustomerHints:
    """Whose money it is, as far as a notice says."""

    customer_user_id: str | None = None
    appsflyer_id: str | None = None
    app_id: str | None = None
    platform: str | None = None
    """`ios`, `android` or `web`, lower case."""

    def or_else(self, others: Self) -> Self:
        """These clues, with the gaps filled from others."""
        return type(self)(
            self.customer_user_id or others.customer_user_id,
            self.appsflyer_id or others.appsflyer_id,
            self.app_id or others.app_id,
            self.platform or others.platform,
        )


NO_HINTS: Final = CustomerHints()


@dataclass(frozen=True, slots=True)
class Link:
    """What a notice says about one thing at the provider: whose it is, and what it belongs to."""

    ref: Ref
    to: tuple[Ref, ...] = ()
    """What leads on from here towards the customer, at most one of each sort."""
    hints: CustomerHints = NO_HINTS
    trial_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of money, or one step in a subscription's life."""

    kind: MovementKind
    id: str
    """The money's own id at the provider, never the webhook's: two notices of it are one event."""
    ref: Ref
    """The thing that it is; the trail keeps it under this name."""
    at: datetime
    """When it happened, by the provider."""
    amount: Amount | None = None
    """None without money, and where only the original says how much."""
    original_ref: Ref | None = None
    """What a refund, dispute or reversal takes back; the trail leads from here to the original."""
    order_id: str | None = None
    product_id: str | None = None
    quantity: int | None = None
    period_start: datetime | None = None
    """Of the period that was paid: a renewal that starts where a trial ends is its conversion."""
    device: Mapping[str, str] = field(default_factory=dict)
    """AppsFlyer's device fields (`idfa`, `idfv`, `advertising_id`), where a provider has them."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What one notice means."""

    links: tuple[Link, ...] = ()
    movement: Movement | None = None
    """None when it only tells of links, or tells of nothing that counts."""


class Treatment(StrEnum):
    """What becomes of a type of webhook."""

    COUNTED = "counted"
    """It tells of a movement, or of links that others need."""
    IGNORED = "ignored"
    """Known, and a second telling or none of our business: acknowledged and counted."""
    UNKNOWN = "unknown"
    """Kept in the dead-letter queue by id, type, time and digest."""


@dataclass(frozen=True, slots=True)
class ParsedWebhook:
    """One thing that a provider tells us: an allow-list's worth of its webhook."""

    id: str
    """The webhook's own id, for people who look it up at the provider; nothing is keyed by it."""
    type: str
    treatment: Treatment
    occurred_at: datetime | None = None
    test: bool = False
    content: Mapping[str, Any] = field(default_factory=dict)
    """Only fields of the provider's allow-list; empty unless counted."""
    problem: str | None = None
    """Why it cannot be read, where others in the same webhook can; it is unknown then."""
