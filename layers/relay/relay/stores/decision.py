"""The decision about a movement, kept so that its redeliveries yield the same event."""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Final, Self, get_args

from relay.aws.table import StoredItem
from relay.domain.kinds import Surface
from relay.domain.movements import Basis, MovementKind
from relay.stores.attributes import Attributes

_NUMBERS: Final = frozenset({"at", "decided_at", "not_before", "quantity"})
_CHOICES: Final[Mapping[str, Collection[str]]] = {
    "kind": tuple(MovementKind),
    "surface": tuple(Surface),
    "basis": get_args(Basis),
}
_MOMENTS: Final = ("at", "decided_at", "not_before")
_AMOUNTS: Final = ("gross", "revenue")
_TOGETHER: Final = (("currency", "gross"), ("basis", "revenue"))
"""Either both are known or none is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a movement: everything needed to build its event again.

    Amounts are texts in major units, never negative. Moments are Unix milliseconds.
    """

    kind: MovementKind
    id: str
    at: int
    decided_at: int
    surface: str
    app_id: str
    name: str | None = None
    """The event's name; None if the app's settings drop the movement."""
    customer_user_id: str | None = None
    appsflyer_id: str | None = None
    not_before: int | None = None
    """When the event may be sent, if the customer has just installed the app (S3)."""
    currency: str | None = None
    gross: str | None = None
    revenue: str | None = None
    """The part of the gross amount reported to the app; None without money or without a report."""
    basis: str | None = None
    """The basis of `revenue`, by the app's rules at that time. Later refunds use the same basis."""
    order_id: str | None = None
    product_id: str | None = None
    quantity: int | None = None
    idfa: str | None = None
    idfv: str | None = None
    advertising_id: str | None = None
    part: str | None = None
    """Which part of a payment this is, if the provider may tell of several."""

    def as_item(self) -> dict[str, str | int]:
        """The decision as an item of a table."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of_item(cls, item: StoredItem) -> Self:
        """The decision in an item of a table.

        Raises `UnreadableItemError` if anything in it is not what the relay writes: a decision that
        is read wrongly, or is taken to be absent, can count money twice or not at all.
        """
        attributes = Attributes("decision", item)
        _check(attributes)
        values: dict[str, Any] = {
            one.name: attributes.whole(one.name)
            if one.name in _NUMBERS
            else attributes.text(one.name)
            for one in fields(cls)
            if one.name in item or one.default is MISSING
        }
        return cls(**values | {"kind": MovementKind(values["kind"])})


def _check(attributes: Attributes) -> None:
    item = attributes.item
    for name, allowed in _CHOICES.items():
        if name in item and attributes.text(name) not in allowed:
            attributes.refuse(name, "must be one that the relay knows")
    for name in _MOMENTS:
        if name in item:
            attributes.moment(name)
    for name in _AMOUNTS:
        if name in item:
            attributes.amount(name)
    for one, other in _TOGETHER:
        if (one in item) is not (other in item):
            attributes.refuse(one, f"must be there if {other} is, and only then")
