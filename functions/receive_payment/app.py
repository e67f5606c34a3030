"""HTTP API: a payment provider's webhooks, verified and queued."""

from typing import Any

from relay.composition import receive_payment
from relay.lambda_adapter import Context, remaining


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answers one request (payload format 2.0)."""
    return receive_payment().handle(event, remaining(context))
