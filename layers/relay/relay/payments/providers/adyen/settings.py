"""The settings that only sources of Adyen have."""

from typing import Annotated, Literal

from pydantic import Field

from relay.domain.payment_rules import Outdated, SourceSettings

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AdyenSettings(SourceSettings):
    """One account at Adyen."""

    payment_event: Annotated[Literal["authorisation", "capture"], Field(alias="paid_at")] = (
        "authorisation"
    )
    """Which of the two is the payment; `capture` where captures are delayed."""
    basic_auth_sha256: Annotated[
        tuple[Digest, ...], Outdated("belongs in the source's secrets", "webhook_secrets")
    ] = ()
    """Where the digests of `user:password` stood before they were among the secrets. Still used if
    there are none."""
