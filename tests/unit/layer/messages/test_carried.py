"""What travels with an event, and by what it is known after an upgrade (Q8)."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from relay.domain.kinds import App, Kind
from relay.exact_json import dumps, loads
from relay.messages.carried import carried_findings, together
from relay.rules.prepare import prepare
from relay.stores.deliveries import Deliveries, delivery_key
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable
from tests.support.builders import MOBILE_APP, NOW, Json, make_envelope, make_event
from tests.support.every import every
from tests.support.fakes import Says
from tests.support.harnesses import AcceptHarness, ForwarderHarness

DATA = Path(__file__).parents[3] / "data" / "appsflyer_events.ndjson"


def test_every_warning_and_repair_that_the_rules_report_travels_unchanged() -> None:
    cases = [loads(line) for line in DATA.read_bytes().splitlines()]
    lost = []
    for case in cases:
        app = App(case["app_id"], phone_region=case.get("phone_region"))
        for one in prepare(Kind(case["kind"]), app, case.get("event"), NOW).findings:
            is_carried = one.severity != "reject" and not one.rule.startswith("T")
            if carried_findings([one.as_dict()]) != ((one,) if is_carried else ()):
                lost.append(one)
    assert lost == []


def test_together_tells_nothing_twice() -> None:
    found = prepare(Kind.MOBILE_EVENT, App(MOBILE_APP), make_event(os=None, ip="x"), NOW).findings

    assert len(found) == 2
    assert together(found[:1], found) == found
    assert together(found, ()) == together((), found) == found


def digest_of_version_2(*content: Any) -> str:
    """As the release before wrote it: app, kind, name, money, person, time."""
    return f"2:{hashlib.sha256(dumps(list(content))).hexdigest()}"


PERSON = ["1415211453000-6513894", "user-1", None]
TIME = 1772452740000
MONEY_ABROAD = {"af_revenue": "9.99", "af_currency": "EUR"}
RETOLD: list[tuple[Json, str, int]] = [
    # an event, what the release before knew of it, and how often it is sent now
    (make_event(),
     digest_of_version_2(MOBILE_APP, "mobile_event", "af_purchase", ["9.99", "USD"], PERSON, TIME),
     0),
    (make_event(eventValue=MONEY_ABROAD, eventCurrency=None),
     digest_of_version_2(MOBILE_APP, "mobile_event", "af_purchase", ["9.99", None], PERSON, TIME),
     0),
    (make_event(eventTime="1772452740000000"),
     digest_of_version_2(MOBILE_APP, "mobile_event", "af_purchase", ["9.99", "USD"], PERSON, None),
     0),
    (make_event(),
     digest_of_version_2(MOBILE_APP, "mobile_event", "af_purchase", ["9.98", "USD"], PERSON, TIME),
     0),
]  # fmt: skip


@every("waits", [False, True], ids=["at once", "after a wait"])
async def test_event_that_the_release_before_delivered_is_a_duplicate(waits: bool) -> None:  # noqa: FBT001
    """Although it is known by its content as it is sent, and that is repaired."""
    for event, known, times in RETOLD:
        harness = ForwarderHarness(deduplicate="money")
        table = Deliveries(MemoryAsyncTable(harness.deliveries), 35, harness.clock)
        await table.remember(delivery_key(f"app {MOBILE_APP}", "order-1"), known)
        if waits:
            await harness.forward(make_envelope(event=event, not_before="2026-03-02T12:01:00Z"))
            harness.clock.advance(60)
            [message] = harness.waiting
            harness.waiting.clear()
            await harness.forward(message.body)
        else:
            await harness.forward(make_envelope(event=event))

        assert len(harness.appsflyer.requests) == times
        assert [letter["reason"] for letter in harness.dead] == (
            ["id_conflict"] if known == RETOLD[-1][1] else []
        )


@every("over_http", [False, True], ids=["by SQS", "over HTTP"])
async def test_event_that_release_0_1_delivered_is_a_duplicate_although_it_is_repaired(
    over_http: bool,  # noqa: FBT001 - a column
) -> None:
    """That release knew the event as it came; the digest of that travels with it."""
    event = make_event(eventName="af_purchase ", os=None, ip="10.0.0.1", email=" Ada@Example.com")
    hashed = {name: value for name, value in event.items() if value is not None and name != "email"}
    hashed["email_hashed"] = "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"
    text = json.dumps([MOBILE_APP, "mobile_event", hashed], sort_keys=True, separators=(",", ":"))
    known = hashlib.sha256(text.encode()).hexdigest()
    harness = ForwarderHarness(deduplicate="money", retry_schedule_seconds=(10,))
    harness.appsflyer.says(Says(503))
    table = Deliveries(MemoryAsyncTable(harness.deliveries), 35, harness.clock)
    await table.remember(delivery_key(f"app {MOBILE_APP}", "order-1"), known)
    bodies: list[Json | str] = [make_envelope(event=event, not_before="2026-03-02T12:01:00Z")]
    if over_http:
        accept = AcceptHarness()
        accept.post(event, headers={"idempotency-key": "order-1"})
        bodies = [message.body for message in accept.mobile]

    await harness.forward(*bodies)
    harness.clock.advance(timedelta(minutes=1).total_seconds())
    if harness.waiting:
        await harness.next_round()

    assert (harness.appsflyer.requests, harness.dead) == ([], [])
