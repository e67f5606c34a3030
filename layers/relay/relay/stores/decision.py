"""The decision about a movement, kept so that its redeliveries yield the same event."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from relay.domain.movements import MovementKind


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

    def as_item(self) -> dict[str, str | int]:
        """The decision as an item of a table."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of_item(cls, item: Mapping[str, str | int]) -> Self:
        """The decision in an item of a table."""
        known = {one.name for one in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in item.items() if name in known}
        return cls(**values | {"kind": MovementKind(values["kind"])})
