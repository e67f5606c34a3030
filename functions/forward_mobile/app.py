"""The mobile queue: each event to AppsFlyer, or to where it waits."""

from typing import Any

from relay.domain.kinds import Surface
from relay.lambda_adapter import Context, forward


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Handles one batch of SQS records; answers with those to be tried again."""
    return forward(event, context, Surface.MOBILE)
