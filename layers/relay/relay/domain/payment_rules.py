"""Settings of a payment source, and of an app's payments. Shapes only."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from relay.domain.movements import Basis, MovementKind

AppId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,255}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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


class SourceSettings(_Shape):
    """One account at a payment provider."""

    provider: Literal["stripe", "revenuecat", "paddle", "adyen", "standard_webhooks"]
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
    one_off_source: Annotated[Literal["checkout", "payment_intent"], Field(alias="one_off")] = (
        "checkout"
    )
    """Stripe: the object that reports a purchase without a subscription."""
    free_plans: bool = False
    """Stripe: does nothing any more, since a subscription itself says whether it has a trial."""
    accounts: tuple[Annotated[str, Field(pattern=r"^acct_[A-Za-z0-9_]{1,64}$")], ...] = ()
    """Stripe Connect: the connected accounts whose events count beside the account's own."""
    payment_event: Annotated[Literal["authorisation", "capture"], Field(alias="paid_at")] = (
        "authorisation"
    )
    """Adyen: which of the two is the payment; `capture` where captures are delayed."""
    test: bool = False
    """Everything from this account is a test (Paddle's sandbox does not mark it)."""
    basic_auth_sha256: tuple[Digest, ...] = ()
    """Adyen: where the digests of `user:password` stood before they were among the secrets. Still
    used if there are none; each reading of them is a warning in the log."""


class PaymentRules(_Shape):
    """How payments are reported to an app."""

    names: Mapping[MovementKind, EventName | None] = {}
    """Event names that replace the relay's own; null drops the movement."""
    revenue: Basis | Literal["none"] = "gross"
    """The basis of `af_revenue`; `none` sends the events without revenue."""
    test_events_to: AppId | None = None
    """The app of the same surface that gets test payments, by its own rules. Without it, test
    payments are dropped."""
