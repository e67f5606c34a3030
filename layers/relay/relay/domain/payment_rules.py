"""Settings of a payment source, and of an app's payments. Shapes only."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from relay.domain.movements import Basis, MovementKind

AppId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,255}$")]
EventName = Annotated[str, Field(min_length=1, max_length=64)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SourceApps(_Shape):
    """The apps that a source may feed."""

    mobile: tuple[AppId, ...] = ()
    web: tuple[AppId, ...] = ()


class HintKeys(_Shape):
    """The keys of the provider's metadata (or custom data) that hold the customer hints."""

    customer_user_id: str = "app_user_id"
    appsflyer_id: str = "appsflyer_id"
    app_id: str = "af_app_id"
    platform: str = "platform"


class Outdated(NamedTuple):
    """Marks a setting that is still read, and named in the log wherever it is set.

    Stands in the setting's `Annotated`.
    """

    advice: str
    """What to do about it, after its name: `belongs in the source's secrets`."""
    place: Literal["sources", "webhook_secrets"] = "sources"
    """The parameter in which to do it."""


class SourceSettings(_Shape):
    """One account at a payment provider: what every provider's sources have.

    A provider with settings of its own adds them in a subclass, and an entry of the parameter
    `sources` may hold those of all (`payments/providers/registry.py`).
    """

    provider: str
    apps: SourceApps
    app_selection: Annotated[
        tuple[Literal["metadata", "latest_install", "web"], ...], Field(alias="pick")
    ] = ("metadata", "latest_install", "web")
    """What selects the app of an event, in order; the first that knows one decides."""
    metadata: HintKeys = HintKeys()
    tolerance_seconds: Annotated[int, Field(ge=5, le=3600, strict=True)] = 300
    """How far a signature's time may be from the current time, in the past or the future."""
    minor_units: Mapping[
        Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[int, Field(ge=0, le=4, strict=True)]
    ] = {}
    """Decimal places of currencies, where the provider's differ from the relay's tables."""
    test: bool = False
    """Everything from this account is a test (Paddle's sandbox does not mark it)."""

    def outdated(self) -> Iterator[tuple[str, Outdated]]:
        """The outdated settings that are set, by name."""
        for name, field in type(self).model_fields.items():
            marks = [mark for mark in field.metadata if isinstance(mark, Outdated)]
            if marks and name in self.model_fields_set:
                yield field.alias or name, marks[0]


class PaymentRules(_Shape):
    """How payments are reported to an app."""

    names: Mapping[MovementKind, EventName | None] = {}
    """Event names that replace the relay's own; null drops the movement."""
    revenue: Basis | Literal["none"] = "gross"
    """The basis of `af_revenue`; `none` sends the events without revenue."""
    test_events_to: AppId | None = None
    """The app of the same surface that gets test payments, by its own rules. Without it, test
    payments are dropped."""
