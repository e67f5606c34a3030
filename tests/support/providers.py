"""The payment providers of the contract tests: those of the registry, and one that is made up.

`WEBHOOKS` says where in its webhooks each tells what all of them tell. The rest comes from what a
provider brings along.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from relay.domain.payment_rules import SourceApps
from relay.payments.providers import registry
from relay.payments.providers.protocol import Provider, Webhook
from relay.payments.providers.registry import PROVIDERS as REGISTERED
from relay.payments.providers.samples import Order, Samples
from tests import made_up_provider
from tests.made_up_provider import samples as made_up_samples
from tests.support.builders import Json

DATA: Final = Path(__file__).parents[1] / "data"
NOW: Final = datetime(2026, 10, 26, 8, tzinfo=UTC)
METADATA: Final = {"app_user_id": "u-1", "appsflyer_id": "1-2", "af_app_id": "id123456789"}
PROVIDERS: Final[dict[str, Provider[Any]]] = {
    **REGISTERED,
    "made_up": cast("Provider[Any]", made_up_provider),
}

Place = tuple[str | int, ...]
"""The way to a value: names in objects, numbers in lists."""


class Places(NamedTuple):
    """Where a webhook says what. Without `needs`, the id is the type where there is none."""

    id: Place
    type: Place
    at: Place
    needs: dict[Place, list[object]]
    """What a webhook cannot be read without, and what it must not be instead of missing."""
    test: tuple[Place, object] | None = None
    """What says that it is no money, if the webhook and not the account says so."""


_ITEM: Final = ("notificationItems", 0, "NotificationRequestItem")
_NO_ID: Final[list[object]] = [7, "a b", {}]
WEBHOOKS: Final[dict[str, Places]] = {
    "stripe": Places(
        ("id",),
        ("type",),
        ("created",),
        {("id",): _NO_ID, ("type",): _NO_ID, ("created",): [-1, "soon"]},
        (("livemode",), False),
    ),
    "revenuecat": Places(
        ("event", "id"),
        ("event", "type"),
        ("event", "event_timestamp_ms"),
        {("event",): [7], ("event", "type"): _NO_ID, ("event", "environment"): ["STAGING"]},
        (("event", "environment"), "SANDBOX"),
    ),
    "paddle": Places(
        ("event_id",),
        ("event_type",),
        ("occurred_at",),
        {("event_id",): _NO_ID, ("event_type",): _NO_ID, ("occurred_at",): [7, "soon"]},
    ),
    "adyen": Places(
        (*_ITEM, "pspReference"),
        (*_ITEM, "eventCode"),
        (*_ITEM, "eventDate"),
        {("live",): ["maybe"], ("notificationItems",): [[], 7, [{"NotificationRequestItem": 7}]]},
        (("live",), "false"),
    ),
    "standard_webhooks": Places(
        ("data", "id"),
        ("type",),
        ("timestamp",),
        {("type",): _NO_ID},
        (("data", "test"), True),
    ),
    "made_up": Places(("id",), ("made_up",), ("at",), {("id",): _NO_ID, ("made_up",): _NO_ID}),
}


def settings_of(name: str, **more: Any) -> Any:
    return PROVIDERS[name].SETTINGS(provider=name, apps=SourceApps(), **more)


def samples_of(name: str) -> Samples:
    """As the registry's, of the made-up provider as well."""
    return registry.samples_of(name) if name in REGISTERED else cast("Samples", made_up_samples)


def order(name: str, kind: str = "purchase", **more: Any) -> Order:
    given: Json = {"amount": Decimal("9.90"), "currency": "EUR", "metadata": METADATA, **more}
    return Order(name, kind, "a-b", NOW, "u-1", **given)


def purchase_of(name: str, **more: Any) -> Json:
    """The last webhook of a purchase."""
    return samples_of(name).KINDS["purchase"](order(name, **more))[-1]


def webhooks_of(name: str) -> Iterator[Json]:
    """Every sample that the provider brings, with and without metadata, and those of the data."""
    for kind, build in samples_of(name).KINDS.items():
        for metadata in (METADATA, {}):
            yield from build(order(name, kind, metadata=metadata))
    for path in sorted((DATA / "webhooks").glob(f"{name}_*.json")):
        yield json.loads(path.read_text("utf-8"))


def body_of(webhook: Json) -> bytes:
    return json.dumps(webhook).encode()


def signed(
    name: str, body: bytes | None = None, moment: datetime = NOW, secret: str | None = None
) -> Webhook:
    samples = samples_of(name)
    body = body_of(purchase_of(name)) if body is None else body
    secret = samples.ACCOUNT.secret if secret is None else secret
    return samples.sign(body, secret, int(moment.timestamp()))


def at(content: Any, place: Place) -> Any:
    for part in place:
        content = content[part]
    return content


def put(content: Any, place: Place, value: object) -> Any:
    """The content with another value there; copied are only the containers on the way."""
    if not place:
        return value
    changed = content.copy()
    inner = content[place[0]] if len(place) > 1 else None
    changed[place[0]] = put(inner, place[1:], value)
    return changed


def places(content: object, before: Place = ()) -> Iterator[Place]:
    """The way to every value."""
    inner = dict(enumerate(content)) if isinstance(content, list) else content
    if isinstance(inner, dict):
        for key, value in inner.items():
            yield (*before, key)
            yield from places(value, (*before, key))
