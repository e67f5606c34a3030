"""The payments queue: what providers told becomes events, or waits."""

from typing import Any

from relay.lambda_adapter import Context, map_payments


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Handles one batch of SQS records; answers with those to be tried again."""
    return map_payments(event, context)
