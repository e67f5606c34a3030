"""Producers of one app, each with its own numbering, never touch one another's events."""

from collections.abc import Iterator, Sequence

import pytest

from relay.domain.kinds import Surface
from relay_sandbox.stand_in import Account
from tests.faults.fleet import Fleet
from tests.faults.in_process import AppsFlyer, Entries
from tests.faults.ledger import overheard
from tests.faults.virtual_time import run
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
    make_web_event,
)
from tests.support.fakes import FakeClock
from tests.support.harnesses import AcceptHarness

PRODUCERS = ("shop", "billing", "crm")
APPS = {Surface.MOBILE: MOBILE_APP, Surface.WEB: WEB_APP}
ROUTES = {
    Surface.MOBILE: "POST /v1/mobile/{app_id}/events",
    Surface.WEB: "POST /v1/web/{app_id}/events",
}


def event_of(surface: Surface, user: str, *, revenue: bool) -> Json:
    """An event of one user's; the users tell who sent it."""
    if surface is Surface.MOBILE:
        value = {"af_revenue": "9.99"} if revenue else None
        return make_event(customer_user_id=user, eventValue=value)
    amount = {"event_revenue": 9.99} if revenue else {"event_revenue": None}
    return make_web_event(user_id={"customer_user_id": user}, **amount)


def handed_in(surface: Surface, *, revenue: bool) -> Iterator[Json]:
    """What three producers and a queue hand in under ids that look alike; gives the messages."""
    accept = AcceptHarness()
    for name in PRODUCERS[1:]:
        accept.add_producer(name)
    for producer in PRODUCERS:
        for key, several in (("1001", False), ("1001:0", False), ("1002", True), ("1002:1", False)):
            user = f"{producer} {key}"
            event = event_of(surface, user, revenue=revenue)
            second = event_of(surface, f"{user} second", revenue=revenue)
            answer = accept.post(
                [event, second] if several else event,
                route=ROUTES[surface],
                app_id=APPS[surface],
                token=f"{producer}-token",
                headers={"idempotency-key": key},
            )
            assert answer.status == 202
    for message in accept.mobile + accept.web:
        yield message.content
    make = make_envelope if surface is Surface.MOBILE else make_web_envelope
    for event_id in ("1001", "1001:0", "shop:1001"):
        yield make(event=event_of(surface, f"queue {event_id}", revenue=revenue), event_id=event_id)


def users_in(entries: Entries) -> list[str]:
    """Whose events AppsFlyer recorded."""
    payloads = [entry.payload for entry in entries.all if entry.recorded]
    return sorted(
        str(payload.get("customer_user_id") or payload["user_id"]["customer_user_id"])  # type: ignore[index]
        for payload in payloads
    )


def delivered(surface: Surface, messages: Sequence[Json], deduplicate: str) -> Entries:
    """Forwards messages, twice each; gives what AppsFlyer heard."""
    clock, entries = FakeClock(), Entries()
    account = Account.model_validate(
        {"app_id": APPS[surface], "kind": surface.value, "tokens": ("t",)}
    )
    fleet = Fleet(
        AppsFlyer([account], clock, entries), clock, surface=surface, deduplicate=deduplicate
    )
    fleet.add_app(APPS[surface], "t")

    async def forward() -> None:
        fleet.put([*messages, *messages])
        async with fleet.at_work():
            await fleet.drained()

    with overheard():
        run(clock, forward())
    assert fleet.letters() == []
    return entries


@pytest.mark.parametrize("deduplicate", ["all", "money"])
@pytest.mark.parametrize("surface", list(Surface))
@pytest.mark.parametrize("revenue", [True, False], ids=["revenue", "no revenue"])
def test_events_of_several_producers_under_the_same_keys_are_recorded_once_each(
    surface: Surface, deduplicate: str, *, revenue: bool
) -> None:
    """In our memory, and in AppsFlyer's, which drops by `customer_dedup_id` (W11)."""
    messages = list(handed_in(surface, revenue=revenue))

    entries = delivered(surface, messages, deduplicate)

    handed = [str(_user_of(message["event"])) for message in messages]
    assert len(set(handed)) == len(messages) == 18
    remembered = revenue or deduplicate == "all" or surface is Surface.WEB
    assert users_in(entries) == sorted(handed * (1 if remembered else 2))


def _user_of(event: Json) -> object:
    return event.get("customer_user_id") or event["user_id"]["customer_user_id"]
