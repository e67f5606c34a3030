"""Payments on the page: webhooks told as a provider would, in any order, twice, or forged."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from relay.payments.providers.registry import PROVIDERS
from relay.payments.providers.samples import Order
from relay_cli.payments.samples import build, check_kind, kinds_of
from relay_cli.payments.signing import sign
from relay_cli.payments.trigger import movement_id, new_tag, orders_for
from relay_cli.terminal.errors import CliError
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.entries import request
from relay_sandbox.page.surroundings import Surroundings

_MOST_STORIES: Final = 200
_APPSFLYER_ID: Final = "1624875600000-2718281"
_HOWS: Final = ("right", "wrong_signature", "old_signature")
_ORDERS: Final = ("usual", "reversed", "shuffled")
_OLD: Final = timedelta(hours=2)


@dataclass(slots=True)
class Story:
    """Webhooks that were told; their bodies hold a made-up person's data, and stay here."""

    id: str
    provider: str
    kind: str
    tag: str
    event_id: str
    webhooks: list[bytes]
    told: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The story for the page."""
        return {
            "id": self.id,
            "provider": self.provider,
            "kind": self.kind,
            "tag": self.tag,
            "event_id": self.event_id,
            "told": self.told,
        }


class Payments:
    """Tells stories of payments to one sandbox."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._stories: dict[str, Story] = {}

    def overview(self) -> dict[str, Any]:
        """The providers with the stories that each tells, and those told here."""
        return {
            "providers": {provider: list(kinds_of(provider)) for provider in PROVIDERS},
            "stories": [story.as_json() for story in self._stories.values()],
        }

    async def tell(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Tell a new story, or one again; raises `PageError`.

        `{"provider", "kind", "tag", "alone", "order", "times", "how", "amount", "currency",
        "app_id", "customer"}`, or `{"again": id, "order", "times", "how"}`. A return without a
        `tag` is told after the payment that it is of, unless it is `alone`.
        """
        how = asked.get("how", "right")
        if how not in _HOWS:
            raise PageError(400, f"how is one of {', '.join(_HOWS)}")
        stories = self._again(asked) if "again" in asked else self._new(asked)
        order = str(asked.get("order", "usual"))
        if order not in _ORDERS:
            raise PageError(400, f"order is one of {', '.join(_ORDERS)}")
        times = 2 if asked.get("times") == 2 else 1  # noqa: PLR2004 - told twice
        told = in_order(stories, order, times)
        for story, body in told:
            await self._post(story, body, str(how))
        first_told = {story.id: story for story, _ in told}
        return {"stories": [story.as_json() for story in first_told.values()]}

    def _again(self, asked: Mapping[str, Any]) -> list[Story]:
        story = self._stories.get(str(asked["again"]))
        if story is None:
            raise PageError(404, "there is no such story")
        return [story]

    def _new(self, asked: Mapping[str, Any]) -> list[Story]:
        provider, kind = str(asked.get("provider")), str(asked.get("kind"))
        tag = asked.get("tag")
        customer = str(asked.get("customer") or "customer-1")
        app_id = str(asked.get("app_id") or "id123456789")
        metadata = {"app_user_id": customer, "appsflyer_id": _APPSFLYER_ID, "af_app_id": app_id}
        try:
            order = Order(
                provider, kind, new_tag(), self._surroundings.observer.clock(), customer,
                Decimal(str(asked.get("amount") or "9.99")),
                str(asked.get("currency") or "EUR"), metadata,
            )  # fmt: skip
            check_kind(provider, kind)
            orders = orders_for(order, tag if isinstance(tag, str) else None)
            told = [orders[-1]] if asked.get("alone") is True else orders
            return [self._story(one) for one in told]
        except (CliError, InvalidOperation) as error:
            raise PageError(400, str(error) or "amount must be a number") from error

    def _story(self, order: Order) -> Story:
        webhooks = build(order)
        source = self._surroundings.ready["payment_sources"][order.provider]["source"]
        story = Story(
            secrets.token_hex(4),
            order.provider,
            order.kind,
            order.tag,
            f"{source}:{movement_id(order.provider, webhooks)}",
            [json.dumps(webhook).encode() for webhook in webhooks],
        )
        self._stories[story.id] = story
        while len(self._stories) > _MOST_STORIES:
            self._stories.pop(next(iter(self._stories)))
        return story

    async def _post(self, story: Story, body: bytes, how: str) -> None:
        ready = self._surroundings.ready
        source = ready["payment_sources"][story.provider]
        signed = _signed(story.provider, body, source["secret"], how, self._surroundings)
        url = f"{ready['api']}/v1/payments/{story.provider}/{source['source']}"
        journal = self._surroundings.observer.journal
        before = journal.handed_in
        status, _ = await self._surroundings.aws.call(request, url, *signed)
        new = journal.newest(journal.handed_in - before)
        keys = [one.key for one in reversed(new) if one.kind == "webhook"]
        story.told.append({"keys": keys, "status": status, "how": how})


def in_order(stories: Sequence[Story], order: str, times: int) -> list[tuple[Story, bytes]]:
    """All webhooks of the stories, each `times` times, in the order in which they are told."""
    told = [(story, body) for story in stories for _ in range(times) for body in story.webhooks]
    if order == "reversed":
        told.reverse()
    elif order == "shuffled":
        random.shuffle(told)
    return told


def _signed(
    provider: str, body: bytes, secret: str, how: str, surroundings: Surroundings
) -> tuple[dict[str, str], bytes]:
    now: datetime = surroundings.observer.clock()
    webhook = sign(provider, body, secret, now - _OLD if how == "old_signature" else now)
    if how != "wrong_signature":
        return webhook.headers, webhook.body
    forged = {name: _other(name, value) for name, value in webhook.headers.items()}
    changed = webhook.body.replace(b'"hmacSignature": "', b'"hmacSignature": "AA')
    return forged, changed


def _other(name: str, value: str) -> str:
    """The header with another signature."""
    is_signature = "signature" in name or name == "authorization"
    return (
        value[:-6] + ("000000" if value[-6:] != "000000" else "111111") if is_signature else value
    )
