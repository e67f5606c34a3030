"""Fresh webhooks for `relay payments trigger`: new ids, present times, somebody at example.com.

Each provider's module gives all that the provider sends for one thing, the links that a later
refund needs included. They are as rich as the real ones where it is about people, so that one can
see that nothing of it stays.
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
"""What each provider tells of."""

PAYMENTS: Final = frozenset({"first_payment", "renewal", "purchase"})
REVERSALS: Final[Mapping[str, str]] = {"refund_reversed": "refund", "dispute_won": "dispute"}
RETURNS: Final = frozenset(REVERSALS.values())


def kinds_of(provider: str) -> Mapping[str, Build]:
    """What a provider tells of; raises `CliError`."""
    kinds = KINDS.get(provider)
    if kinds is None:
        raise CliError(f"no such provider; there are {', '.join(KINDS)}")
    return kinds


def check_kind(provider: str, kind: str) -> None:
    """Raises `CliError` unless the provider tells of it."""
    kinds = kinds_of(provider)
    if kind not in kinds:
        raise CliError(f"{provider} tells of no such thing; it tells of {', '.join(kinds)}")


def build(order: Order) -> list[Json]:
    """The webhooks, in the order in which they are sent; raises `CliError`."""
    check_kind(order.provider, order.kind)
    return KINDS[order.provider][order.kind](order)


def payment_of(provider: str) -> str:
    """What is paid first where a refund names no payment; raises `CliError`."""
    return "first_payment" if "first_payment" in kinds_of(provider) else "purchase"
