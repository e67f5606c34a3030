"""HTTP API: mobile events, web events and web visits, checked and queued."""

from typing import Any

from relay.composition import Context, intake


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answers one request (payload format 2.0)."""
    del context  # nothing here takes long enough to ask it
    return intake().handle(event)
