"""Release 0.1 and this one at work at once, on the same queues and tables: as while calls move.

While an alias moves from one version to the next, and when it is taken back, either may get what
the other has written. What they would not do as one is written down: docs/operations.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from relay.domain.kinds import Surface
from tests.support import former_release
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_event,
    make_http_event,
    make_web_event,
)
from tests.support.fakes import Says
from tests.support.harnesses import (
    INSTALL_POST,
    PUSH_TOKEN,
    AcceptHarness,
    ForwarderHarness,
    InstallsHarness,
)
from tests.support.payment_stories import NET_SUMS, STORIES, story
from tests.support.payments_harness import SECRETS, PaymentsHarness, webhook_event
from tests.support.webhooks import ACCOUNTS

pytestmark = pytest.mark.untraced  # the lines of release 0.1 are none of ours

Forward = Callable[..., Awaitable[list[str]]]

BOTH_WAYS = pytest.mark.parametrize("old_first", [True, False], ids=["old first", "new first"])


def in_turn(harness: ForwarderHarness, *, old_first: bool) -> tuple[Forward, Forward]:
    """The two releases' `forward`, in the order in which they get to work."""
    pair = (former_release.forwarder(harness), harness.forward)
    return pair if old_first else (pair[1], pair[0])


def envelope(event_id: str, surface: Surface = Surface.MOBILE) -> Json:
    if surface is Surface.WEB:
        return {
            "app_id": WEB_APP,
            "kind": "web_event",
            "event_id": event_id,
            "event": make_web_event(),
        }
    return {
        "app_id": MOBILE_APP,
        "kind": "mobile_event",
        "event_id": event_id,
        "event": make_event(),
    }


# Events


@BOTH_WAYS
@pytest.mark.parametrize("surface", Surface)
async def test_what_one_lets_wait_the_other_delivers(surface: Surface, *, old_first: bool) -> None:
    harness = ForwarderHarness(surface)
    first, second = in_turn(harness, old_first=old_first)
    harness.appsflyer.says(Says(503), Says(503), Says(200, "OK"))

    assert await first(envelope("a", surface), envelope("b", surface)) == []
    waiting = list(harness.waiting)
    harness.waiting.clear()
    harness.clock.advance(max(one.delay_seconds for one in waiting))
    assert await second(*(one.body for one in waiting)) == []

    bodies = [json.dumps(body, sort_keys=True) for body in harness.appsflyer.bodies]
    assert (len(bodies), harness.waiting, harness.dead) == (4, [], [])
    assert Counter(bodies[2:]) == Counter(bodies[:2])


@BOTH_WAYS
async def test_what_one_holds_for_its_key_the_other_delivers(*, old_first: bool) -> None:
    harness = ForwarderHarness()
    first, second = in_turn(harness, old_first=old_first)
    harness.appsflyer.says(Says(401), Says(200, "OK"))

    assert await first(envelope("a")) == []
    (waiting,) = harness.waiting
    harness.waiting.clear()
    harness.clock.advance(waiting.delay_seconds + 300)
    assert await second(waiting.body) == []

    assert (len(harness.appsflyer.requests), harness.waiting, harness.dead) == (2, [], [])


@BOTH_WAYS
async def test_what_one_has_delivered_the_other_does_not_send_again(*, old_first: bool) -> None:
    harness = ForwarderHarness(deduplicate="money")
    first, second = in_turn(harness, old_first=old_first)

    await first(envelope("a"))
    await second(envelope("a"))

    assert len(harness.appsflyer.requests) == 1


async def test_copy_of_what_this_release_has_delivered_is_a_dead_letter_of_release_0_1() -> None:
    """It reckons a digest of another form, and takes the copy for other content under this id."""
    harness = ForwarderHarness(deduplicate="money")
    new_then_old = in_turn(harness, old_first=False)
    for forward in new_then_old:
        await forward(envelope("a"))

    assert [letter["reason"] for letter in harness.dead] == ["id_conflict"]


@BOTH_WAYS
async def test_what_one_accepts_the_other_delivers(*, old_first: bool) -> None:
    accept, harness = AcceptHarness(), ForwarderHarness(deduplicate="money")
    handle = former_release.accept(accept) if old_first else accept.accept.handle
    forward = harness.forward if old_first else former_release.forwarder(harness)
    request = make_http_event(make_event(), token="shop-token", headers={"idempotency-key": "o1"})

    assert handle(request)["statusCode"] == 202
    assert await forward(*(message.body for message in accept.mobile)) == []

    assert (len(harness.appsflyer.requests), harness.dead) == (1, [])


# Identities


@BOTH_WAYS
async def test_customer_of_whom_one_learns_is_known_to_the_other(*, old_first: bool) -> None:
    installs, harness = InstallsHarness(), ForwarderHarness()
    harness.identities = installs.table
    harness.forwarder = harness.make_forwarder()
    handle = former_release.installs(installs) if old_first else installs.installs.handle
    forward = harness.forward if old_first else former_release.forwarder(harness)
    message = {
        "app_id": MOBILE_APP,
        "appsflyer_id": "1415211453000-6513894",
        "customer_user_id": "user-1",
        "event_name": "install",
        "install_time": "2026-03-01 10:00:00.000",
    }
    request = make_http_event(message, route=INSTALL_POST, token=None, query={"token": PUSH_TOKEN})
    event = envelope("a")
    del event["event"]["appsflyer_id"]

    assert handle(request)["statusCode"] == 200
    await forward(event)

    (sent,) = harness.appsflyer.bodies
    assert sent["appsflyer_id"] == message["appsflyer_id"]


# Payments


class TwoMappers:
    """The payments of both releases, which take turns: webhooks, and batches of the queue."""

    def __init__(self, *, old_first: bool) -> None:
        self.harness = PaymentsHarness()
        self._old = former_release.payments(self.harness)
        self._turn = old_first

    def _is_olds(self) -> bool:
        self._turn = not self._turn
        return not self._turn

    def post(self, event: Json) -> None:
        handle = self._old.handle if self._is_olds() else self.harness.receiver.handle
        assert handle(event)["statusCode"] == 200

    def map_due(self) -> None:
        """Each message that waits for nothing is handled by the one whose turn it is."""
        waiting = list(self.harness.waiting)
        self.harness.waiting[:] = [one for one in waiting if one.delay_seconds]
        for message in (one for one in waiting if not one.delay_seconds):
            self._map(message.body)

    def _map(self, body: str) -> None:
        map_ = self._old.map if self._is_olds() else lambda bodies: self.harness.map(*bodies)
        assert map_([body]) == []

    def _map_all(self) -> None:
        messages = list(self.harness.waiting)
        self.harness.waiting.clear()
        self.harness.clock.advance(max((one.delay_seconds for one in messages), default=0))
        for message in messages:
            self._map(message.body)

    def settle(self) -> None:
        for _ in range(500):
            if not self.harness.waiting:
                return
            self._map_all()
        raise AssertionError("something waits for ever")

    def told_twice_and_differently(self) -> set[str]:
        """Ids of events that the forwarders would take for conflicts."""
        contents = {(one["event_id"], one["content_sha256"]) for one in self.harness.mobile}
        counted = Counter(event_id for event_id, _ in contents)
        return {event_id for event_id, times in counted.items() if times > 1}

    def revenue(self) -> Decimal:
        """What the forwarders would send, each event id once."""
        events = {one["event_id"]: one["event"] for one in self.harness.mobile}
        sums = (event["eventValue"].get("af_revenue", "0") for event in events.values())
        return sum(map(Decimal, sums), Decimal(0))


@BOTH_WAYS
@pytest.mark.parametrize("provider", STORIES)
def test_payments_that_they_share_come_to_the_right_sum(provider: str, *, old_first: bool) -> None:
    two = TwoMappers(old_first=old_first)
    account = ACCOUNTS[provider](SECRETS[provider], "user-1")
    two.harness.clock.now = account.start  # its webhooks are signed at this moment
    for webhook in story(account):
        two.post(webhook_event(provider, webhook))
        two.map_due()
    two.settle()

    assert [letter["reason"] for letter in two.harness.dead] == []
    assert two.revenue() == NET_SUMS[provider]
    assert two.told_twice_and_differently() == set()
