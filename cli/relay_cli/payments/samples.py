"""Fresh webhooks for `relay payments trigger`: new ids, current times, example.com addresses.

Each provider's module builds every webhook that the provider sends for one kind, including the
links that a later refund needs. They hold as much personal data as real ones, so that one can see
that the relay keeps none of it.
"""

from collections.abc import Mapping
from typing import Final

from relay_cli.payments.samples import adyen, paddle, revenuecat, standard_webhooks, stripe
from relay_cli.payments.samples.order import Build, Json, Order
from relay_cli.terminal.errors import CliError

KINDS: Final[Mapping[str, Mapping[str, Build]]] = {
    "stripe": stripe.KINDS,
    "revenuecat": revenuecat.KINDS,
    "paddle": paddle.KINDS,
    "adyen": adyen.KINDS,
    "standard_webhooks": standard_webhooks.KINDS,
}
"""The kinds of each provider."""

PAYMENTS: Final = frozenset({"first_payment", "renewal", "purchase"})
REVERSALS: Final[Mapping[str, str]] = {"refund_reversed": "refund", "dispute_won": "dispute"}
RETURNS: Final = frozenset(REVERSALS.values())


def kinds_of(provider: str) -> Mapping[str, Build]:
    """The kinds of a provider; raises `CliError`."""
    kinds = KINDS.get(provider)
    if kinds is None:
        raise CliError(f"no such provider; there are {', '.join(KINDS)}")
    return kinds


def check_kind(provider: str, kind: str) -> None:
    """Raises `CliError` unless the provider has this kind."""
    kinds = kinds_of(provider)
    if kind not in kinds:
        raise CliError(f"{provider} tells of no such thing; it tells of {', '.join(kinds)}")


def build(order: Order) -> list[Json]:
    """The webhooks in the order of sending; raises `CliError`."""
    check_kind(order.provider, order.kind)
    return KINDS[order.provider][order.kind](order)


def payment_of(provider: str) -> str:
    """The payment to make first if a refund names none; raises `CliError`."""
    return "first_payment" if "first_payment" in kinds_of(provider) else "purchase"
