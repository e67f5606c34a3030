"""Plays stories of money in virtual time, and keeps the books that the outcome is compared with.

A story is an object as in `tests/data/payment_stories`: `provider`, the source's `settings`, the
apps' payment `rules`, `install` (a customer user id, or null) and `webhooks` (`after_days` since
the one before, `body`), without signatures. Each webhook is mapped at once; what still waits is
settled after the last.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from relay.domain.movements import Treatment
from relay.messages.notice import Notice, write_notice
from relay.payments.providers.registry import PROVIDERS, source_settings
from tests.support.builders import MOBILE_APP, WEB_APP, Json
from tests.support.payments_harness import ANDROID_APP, SECRETS, PaymentsHarness, source_of

DAY_SECONDS = 86_400


class Heard(NamedTuple):
    """What AppsFlyer hears: an event's name, and its revenue and currency, if it has any."""

    name: str
    revenue: Decimal | None = None
    currency: str | None = None

    @classmethod
    def of_answer(cls, answer: Sequence[Any]) -> Heard:
        """From a list as in `expected.json`: the revenue is a text, or null."""
        name, revenue, currency = answer
        return cls(name, None if revenue is None else Decimal(revenue), currency)


def played(story: Mapping[str, Any]) -> PaymentsHarness:
    """A stack that has heard the whole story."""
    provider, harness = story["provider"], PaymentsHarness()
    harness.add_source(source_of(provider), provider, SECRETS[provider], **story["settings"])
    for app, surface in ((MOBILE_APP, "mobile"), (ANDROID_APP, "mobile"), (WEB_APP, "web")):
        harness.payments_of(app, surface, **story["rules"])
    if story["install"] is not None:
        harness.installed(story["install"])
    for webhook in story["webhooks"]:
        harness.clock.advance(webhook["after_days"] * DAY_SECONDS)
        tell(harness, provider, webhook["body"])
    harness.settle()
    return harness


def tell(harness: PaymentsHarness, provider: str, body: Json) -> None:
    """Maps what is in a webhook, once."""
    raw = json.dumps(body).encode()
    settings = source_settings().model_validate(harness.sources[source_of(provider)])
    notices = [
        write_notice(Notice.of_webhook(one, provider, source_of(provider), raw, harness.clock.now))
        for one in PROVIDERS[provider].parse(raw, settings)
        if one.treatment is not Treatment.IGNORED
    ]
    assert harness.map(*notices) == []


def heard(harness: PaymentsHarness) -> Counter[Heard]:
    """The events on the delivery queues, each once: the forwarder drops duplicates by their id."""
    events: dict[str, Json] = {}
    for one in (*harness.mobile, *harness.web):
        events.setdefault(one["event_id"], one["event"])
    return Counter(map(_heard, events.values()))


def _heard(event: Json) -> Heard:
    if "event_name" in event:
        revenue, currency = event.get("event_revenue"), event.get("event_revenue_currency")
        name = event["event_name"]
    else:
        name, value = event["eventName"], event["eventValue"]
        revenue, currency = value.get("af_revenue"), value.get("af_currency")
    return Heard(name, None if revenue is None else Decimal(str(revenue)), currency)


def sums(events: Counter[Heard]) -> dict[str, Decimal]:
    """The revenue by currency, without sums of nothing."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for event in events.elements():
        if event.revenue is not None and event.currency is not None:
            found[event.currency] += event.revenue
    return {currency: amount for currency, amount in found.items() if amount}


@dataclass
class Ledger:
    """The provider's own books about a story while it is made up: what was paid and given back."""

    currency: str = "USD"
    balance: Decimal = Decimal(0)
    webhooks: list[Json] = field(default_factory=list)
    """The bodies by which the provider told of it, in their order."""

    def book(self, amount: Decimal | int, *bodies: Json) -> None:
        """A movement of so much (below zero: given back), and the webhooks that tell of it."""
        self.balance += amount
        self.webhooks.extend(bodies)

    def sums(self) -> dict[str, Decimal]:
        """As `sums` of what AppsFlyer hears has to be."""
        return {self.currency: self.balance} if self.balance else {}

    def story(self, provider: str, order: Iterable[Json] | None = None, **given: Any) -> Json:
        """A story in which its webhooks are told, all at once, in this order."""
        told = self.webhooks if order is None else order
        webhooks = [{"after_days": 0, "body": body} for body in told]
        fixed: Json = {"provider": provider, "settings": {}, "rules": {}, "install": None}
        return {**fixed, **given, "webhooks": webhooks}
