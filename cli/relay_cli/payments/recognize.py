"""Whose webhook a body is, by the names in it."""

from pathlib import Path

from relay.exact_json import InvalidJsonError, loads
from relay_cli.terminal.errors import CliError


def recognize(path: Path, body: bytes) -> str:
    """The provider of one body; raises `CliError`."""
    try:
        content = loads(body)
    except InvalidJsonError as error:
        raise CliError(f"{path} is {error}") from error
    names = set(content) if isinstance(content, dict) else set()
    for provider, mark in (
        ("adyen", {"notificationItems"}),
        ("revenuecat", {"event", "api_version"}),
        ("paddle", {"event_type", "notification_id"}),
        ("stripe", {"object", "livemode"}),
        ("standard_webhooks", {"type", "timestamp", "data"}),
    ):
        if mark <= names:
            return provider
    raise CliError(f"the provider is not to be seen from {path}: say which with --provider")
