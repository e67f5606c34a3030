"""The decision: what was settled about a movement, and is kept for its retellings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from relay.domain.movements import MovementKind


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a movement. All there is to know to build its event again.

    Amounts are texts in major units, never negative. Moments are Unix milliseconds.
    """

    kind: MovementKind
    id: str
    at: int
    decided_at: int
    surface: str
    app_id: str
    name: str | None = None
    """The event's name; None where the app does not want to hear of it."""
    customer_user_id: str | None = None
    appsflyer_id: str | None = None
    not_before: int | None = None
    """When the event may go out, for a customer who has installed the app a moment ago."""
    currency: str | None = None
    gross: str | None = None
    revenue: str | None = None
    """What the app hears of the gross amount; None without money, or where it hears of none."""
    basis: str | None = None
    """What `revenue` is, by the app's rules of then: what is given back later is on the same."""
    order_id: str | None = None
    product_id: str | None = None
    quantity: int | None = None
    idfa: str | None = None
    idfv: str | None = None
    advertising_id: str | None = None

    def as_item(self) -> dict[str, str | int]:
        """The decision as a table keeps it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of_item(cls, item: Mapping[str, str | int]) -> Self:
        """The decision that a table kept."""
        known = {one.name for one in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in item.items() if name in known}
        return cls(**given | {"kind": MovementKind(given["kind"])})
