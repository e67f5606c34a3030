"""What the providers call things, for people to find them in a dashboard."""

from relay.payments.providers.registry import samples_of
from relay.payments.providers.samples import Names


def names_of(provider: str) -> Names:
    """What a provider calls things."""
    return samples_of(provider).NAMES


def label(provider: str) -> str:
    """A provider's name for people."""
    return names_of(provider).provider
