"""The payment providers by name: the one place that names them all."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from pydantic import create_model

from relay.domain.payment_rules import SourceSettings
from relay.payments.providers import adyen, paddle, revenuecat, standard_webhooks, stripe
from relay.payments.providers.protocol import Provider

if TYPE_CHECKING:
    from relay.payments.providers.samples import Samples

PROVIDERS: Final[Mapping[str, Provider[Any]]] = {
    "stripe": stripe,
    "revenuecat": revenuecat,
    "paddle": paddle,
    "adyen": adyen,
    "standard_webhooks": standard_webhooks,
}
"""By the name in a webhook's URL and in a source's settings."""


def source_settings() -> type[SourceSettings]:
    """The shape of a source's settings, with those of every provider.

    Settings of another provider are read too, and change nothing. It is a subclass of every
    provider's `SETTINGS`.
    """
    return _merged(tuple(PROVIDERS), tuple(one.SETTINGS for one in PROVIDERS.values()))


@cache
def _merged(
    names: tuple[str, ...], settings: tuple[type[SourceSettings], ...]
) -> type[SourceSettings]:
    """One shape of several, for providers of these names."""
    own = dict.fromkeys(one for one in settings if one is not SourceSettings)
    provider: Any = Literal.__getitem__(names)
    return create_model("SourceSettings", __base__=tuple(own), provider=(provider, ...))


def samples_of(name: str) -> "Samples":
    """The samples of a provider, loaded only now: no function in the cloud has a use for them."""
    module = cast("Any", PROVIDERS[name])
    return cast("Samples", import_module(f"{module.__name__}.samples"))
