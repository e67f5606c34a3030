"""HTTP API: mobile events, web events and web visits, checked and queued."""

from typing import Any

from relay.composition import accept
from relay.lambda_adapter import Context, remaining


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answers one request (payload format 2.0)."""
    return accept().handle(event, remaining(context))
