"""The schemas of messages from others: installs from AppsFlyer, webhooks from providers."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from relay.installs.receive import LONGEST_APPSFLYER_ID
from relay.payments.providers.standard_webhooks import TYPES, Data
from relay_cli.openapi.fields import text
from relay_cli.openapi.shapes import Components, Schema
from relay_cli.terminal.errors import CliError

INSTALL: Final[Mapping[str, Schema]] = {
    "customer_user_id": {
        "description": "Your own id of the customer. Without it nothing is kept.",
        "type": ["string", "integer"],
        "examples": ["user-84213"],
    },
    "appsflyer_id": text(
        "1415211453000-6513894",
        description="AppsFlyer's id of the install.",
        minLength=1,
        maxLength=LONGEST_APPSFLYER_ID,
    ),
    "install_time": text(
        "2026-03-02 11:58:03.120",
        description="When it was installed: `yyyy-mm-dd hh:mm:ss.sss` in UTC, or ISO 8601.",
    ),
    "app_id": text(
        "id123456789", description="The app; where it is given, it has to be that of the path."
    ),
    "platform": text("ios", description="The platform that it was installed on."),
}
"""The fields that the relay reads, of about a hundred in AppsFlyer's Push API."""

_EXAMPLE: Final = re.compile(r"^```json\n(.+?)^```", re.MULTILINE | re.DOTALL)


def install_of(components: Components) -> Schema:
    """The schema of an install message."""
    return components.add(
        "InstallMessage",
        {
            "description": "A message of AppsFlyer's Push API. Its other fields are not looked at.",
            "type": "object",
            "properties": dict(INSTALL),
            "dependentRequired": {"customer_user_id": ["appsflyer_id", "install_time"]},
        },
    )


def webhook_of(components: Components, page: Path) -> Schema:
    """The schema of a webhook: the relay's own, or a provider's. Raises `CliError`."""
    own_webhook = components.add(
        "PaymentWebhook",
        {
            "description": "What a company's own billing tells (`standard_webhooks`), see "
            "docs/payments-schema.md.",
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"type": "string", "enum": list(TYPES)},
                "timestamp": text(description="When it happened: ISO 8601 with an offset."),
                "data": _movement(),
            },
            "examples": [_example(page)],
        },
    )
    provider_webhook = components.add(
        "ProviderWebhook",
        {"description": "What a payment provider itself sends.", "type": "object"},
    )
    return {"anyOf": [own_webhook, provider_webhook]}


def _movement() -> Schema:
    """The layer's own model, without ignored fields, plus the mark of a test."""
    schema = Data.model_json_schema()
    schema["properties"]["test"] = {"type": "boolean", "description": "Whether it is a test."}
    del schema["additionalProperties"], schema["title"]
    return schema


def _example(page: Path) -> object:
    """The first example of a page; raises `CliError`."""
    try:
        found = _EXAMPLE.search(page.read_text(encoding="utf-8"))
        return json.loads(found[1]) if found else {}
    except (OSError, ValueError) as error:
        raise CliError(f"{page} has no example that can be read") from error
