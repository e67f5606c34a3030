"""Fresh webhooks for `relay payments trigger`: new ids, current times, example.com addresses.

Each provider brings its own (`samples` in its package): every webhook that it sends for one kind,
including the links that a later refund needs.
"""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.registry import PROVIDERS, samples_of
from relay.payments.providers.samples import Build, Json, Order, TooFineError
from relay_cli.terminal.errors import CliError

PAYMENTS: Final = frozenset({"first_payment", "renewal", "purchase"})
REVERSALS: Final[Mapping[str, str]] = {"refund_reversed": "refund", "dispute_won": "dispute"}
RETURNS: Final = frozenset(REVERSALS.values())


def check_provider(name: str) -> str:
    """The name of a provider; raises `CliError`."""
    if name not in PROVIDERS:
        raise CliError(f"no such provider; there are {', '.join(PROVIDERS)}")
    return name


def kinds_of(provider: str) -> Mapping[str, Build]:
    """The kinds of a provider; raises `CliError`."""
    return samples_of(check_provider(provider)).KINDS


def check_kind(provider: str, kind: str) -> None:
    """Raises `CliError` unless the provider has this kind."""
    kinds = kinds_of(provider)
    if kind not in kinds:
        raise CliError(f"{provider} tells of no such thing; it tells of {', '.join(kinds)}")


def build(order: Order) -> list[Json]:
    """The webhooks in the order of sending; raises `CliError`."""
    check_kind(order.provider, order.kind)
    try:
        return kinds_of(order.provider)[order.kind](order)
    except TooFineError:
        problem = f"--amount has more decimal places than {order.currency} has"
        raise CliError(problem) from None


def payment_of(provider: str) -> str:
    """The payment to make first if a refund names none; raises `CliError`."""
    return "first_payment" if "first_payment" in kinds_of(provider) else "purchase"
