"""The payment sources that the sandbox starts with, one per provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.payments.providers.registry import PROVIDERS, samples_of


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

    The secrets only work in a sandbox.
    """
    return tuple(SeededSource(name, *samples_of(name).ACCOUNT) for name in PROVIDERS)
