"""HTTP API: AppsFlyer's messages about installs, kept as identities."""

from typing import Any

from relay.composition import receive_install
from relay.lambda_adapter import Context


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answers one request (payload format 2.0)."""
    del context  # it makes four calls to AWS at most, of 7 s at most each
    return receive_install().handle(event)
