"""The settings that only sources of Stripe have."""

from typing import Annotated, Literal

from pydantic import Field

from relay.domain.payment_rules import SourceSettings


class StripeSettings(SourceSettings):
    """One account at Stripe."""

    one_off_source: Annotated[Literal["checkout", "payment_intent"], Field(alias="one_off")] = (
        "checkout"
    )
    """The object that reports a purchase without a subscription."""
    free_plans: bool = False
    """Subscriptions may be free, so a first invoice of zero is not a trial."""
