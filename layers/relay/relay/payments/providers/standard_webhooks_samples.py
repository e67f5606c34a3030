"""Sample webhooks of a company's own billing."""

from collections.abc import Mapping
from typing import Final

from relay_cli.payments.samples.order import Build, Json, Order

_NAMES: Final = {"app_user_id": "customer_user_id", "af_app_id": "app_id"}


def _webhook(order: Order, name: str, **more: object) -> list[Json]:
    data = {"id": f"{name}-{order.tag}", "subscription_id": f"s-{order.payment_tag}", **more}
    return [{"type": f"payment.{order.kind}", "timestamp": order.iso, "data": data}]


def _metadata(order: Order) -> Json:
    return {_NAMES.get(name, name): value for name, value in order.metadata.items()}


def _money(order: Order) -> Json:
    return {"amount": f"{order.major:f}", "currency": order.currency}


def _payment(order: Order) -> list[Json]:
    return _webhook(order, "payment", **_money(order), **_metadata(order))


def _step(order: Order) -> list[Json]:
    return _webhook(order, order.kind, **_metadata(order))


def _return(order: Order) -> list[Json]:
    return _webhook(order, order.kind, original_id=f"payment-{order.payment_tag}", **_money(order))


def _reversal(of: str) -> Build:
    return lambda order: _webhook(order, order.kind, original_id=f"{of}-{order.tag}")


KINDS: Final[Mapping[str, Build]] = {
    "trial": _step,
    "first_payment": _payment,
    "renewal": _payment,
    "purchase": _payment,
    "refund": _return,
    "refund_reversed": _reversal("refund"),
    "dispute": _return,
    "dispute_won": _reversal("dispute"),
    "cancellation": _step,
}
