"""The settings that only sources of Stripe have."""

from typing import Annotated, Literal

from pydantic import Field

from relay.domain.payment_rules import Outdated, SourceSettings


class StripeSettings(SourceSettings):
    """One account at Stripe."""

    one_off_source: Annotated[Literal["checkout", "payment_intent"], Field(alias="one_off")] = (
        "checkout"
    )
    """The object that reports a purchase without a subscription."""
    free_plans: Annotated[
        bool, Outdated("does nothing any more: take it out of the source's settings")
    ] = False
    """A subscription itself says whether it has a trial."""
    accounts: tuple[Annotated[str, Field(pattern=r"^acct_[A-Za-z0-9_]{1,64}$")], ...] = ()
    """Connect: the connected accounts whose events count beside the account's own."""
