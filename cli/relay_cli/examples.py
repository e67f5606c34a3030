"""An example or two for the help of each command. A test runs them as they stand."""

from collections.abc import Mapping, Sequence
from typing import Final

EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "relay": ("relay check event.json", "relay send event.json --wait"),
    "relay check": ("relay check event.json", "relay check --ndjson events.ndjson"),
    "relay send": (
        "relay send event.json --wait",
        "relay send event.json --stack appsflyer-relay",
    ),
    "relay status": ("relay status order-1001",),
    "relay tail": ("relay tail --json", "relay tail --stack appsflyer-relay"),
    "relay doctor": ("relay doctor --json", "relay doctor --stack appsflyer-relay"),
    "relay setup": (
        "relay setup app add id123456789 --surface mobile",
        "relay setup producer add shop --app id123456789",
    ),
    "relay setup app": ("relay setup app add id123456789 --surface mobile",),
    "relay setup app add": ("relay setup app add id123456789 --surface mobile",),
    "relay setup producer": ("relay setup producer add shop --app id123456789",),
    "relay setup producer add": ("relay setup producer add shop --app id123456789",),
    "relay setup producer allow": ("relay setup producer allow shop --app com.example.shop",),
    "relay setup source": (
        "relay setup source add stripe-main --provider stripe --app id123456789",
    ),
    "relay setup source add": (
        "relay setup source add stripe-main --provider stripe --app id123456789",
    ),
    "relay setup token": ("relay setup token rotate producer shop",),
    "relay setup token rotate": (
        "relay setup token rotate producer shop",
        "relay setup token rotate producer shop --finish",
    ),
    "relay setup list": ("relay setup list --json",),
    "relay setup remove": ("relay setup remove producer shop --yes",),
    "relay setup schemas": ("relay setup schemas docs/schemas",),
    "relay rule": ("relay rule M22",),
    "relay forget": ("relay forget user-1001 --yes",),
    "relay capacity": ("relay capacity --month 10000000 --money 0.1",),
    "relay openapi": ("relay openapi --server https://relay.example.com",),
    "relay sandbox": ("relay sandbox --port 8700",),
    "relay demo": ("relay demo --once",),
    "relay dlq": ("relay dlq list mobile", "relay dlq redrive --reason credentials"),
    "relay dlq list": ("relay dlq list mobile",),
    "relay dlq show": ("relay dlq show order-1001",),
    "relay dlq edit": ("relay dlq edit order-1001",),
    "relay dlq export": ("relay dlq export --reason rejected --to letters.ndjson",),
    "relay dlq resubmit": ("relay dlq resubmit letters.ndjson",),
    "relay dlq redrive": ("relay dlq redrive mobile --reason credentials --yes",),
    "relay dlq drop": ("relay dlq drop --id order-1001 --yes",),
    "relay payments": ("relay payments trigger stripe first_payment",),
    "relay payments trigger": ("relay payments trigger stripe first_payment --customer user-1001",),
    "relay payments explain": ("relay payments explain webhook.json",),
    "relay payments story": ("relay payments story story.json --json",),
    "relay payments verify": ("relay payments verify webhook.json --headers headers.txt",),
    "relay identities get": ("relay identities get user-1001",),
    "relay identities": ("relay identities import installs.csv",),
    "relay identities import": ("relay identities import installs.csv --dry-run",),
}
