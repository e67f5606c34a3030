"""The payment sources that the sandbox starts with, one per provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SeededSource:
    """An account at a payment provider; `secret` signs its webhooks."""

    provider: str
    name: str
    secret: str = field(repr=False)

    def settings(self, apps: Mapping[str, Sequence[str]]) -> dict[str, object]:
        """Return its entry of the parameter `sources`; it feeds all these apps."""
        return {"provider": self.provider, "apps": dict(apps)}


def seeded_sources() -> tuple[SeededSource, ...]:
    """Return one source per provider, each with a secret in that provider's format.

    The secrets only work in a sandbox. They are fixed, because the samples in events/ are signed
    with them.
    """
    return (
        SeededSource("stripe", "stripe-sandbox", f"whsec_{'sandbox0' * 4}"),
        SeededSource("revenuecat", "revenuecat-sandbox", f"Bearer {'sandbox0' * 4}"),
        SeededSource("paddle", "paddle-sandbox", f"pdl_ntfset_{26 * '0'}_{'sandbox0' * 4}"),
        SeededSource("adyen", "adyen-sandbox", 16 * "5A0D"),
        SeededSource(
            "standard_webhooks", "webhooks-sandbox", "whsec_c2FuZGJveC1vbmx5LXNhbmRib3gtMDAh"
        ),
    )
