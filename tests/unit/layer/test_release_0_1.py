"""What release 0.1 left in queues, tables and Parameter Store is read, and written the same.

See tests/data/release_0_1/README.md.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from relay.aws.parameter_store import ParameterStore
from relay.aws.table import Item, Key, item_of, record_of
from relay.config.apps import Apps
from relay.config.producers import Producers
from relay.config.sources import Sources
from relay.domain.kinds import Surface
from relay.domain.movements import Link, MovementKind
from relay.domain.payment_rules import PaymentRules
from relay.exact_json import dumps_for_queue, loads
from relay.messages.envelope import DEAD_LETTER_FIELDS, write_envelope
from relay.messages.notice import DEAD_LETTER_FIELDS as DEAD_NOTICE_FIELDS
from relay.messages.notice import parse_notice, write_notice
from relay.messages.reader import parse_envelope
from relay.payments.events import movement_digest
from relay.payments.providers.registry import source_settings
from relay.stores.decision import Decision
from relay.stores.deliveries import Claim, Deliveries, delivery_key
from relay.stores.identities import Identities
from relay.stores.money_trail import Trail
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.support.builders import MOBILE_APP, NOW, Json, make_event
from tests.support.every import every
from tests.support.fakes import FakeSsm
from tests.support.harnesses import AcceptHarness, ForwarderHarness
from tests.support.ledger_stories import tell
from tests.support.payment_stories import STORIES, story
from tests.support.payments_harness import SECRETS, PaymentsHarness, source_of
from tests.support.stripe_ledger import DAY, MONTH, NAMES, START, StripeLedger
from tests.support.webhooks import ACCOUNTS

pytestmark = pytest.mark.untraced  # what reads the old is what reads the new

DATA = Path(__file__).parents[2] / "data" / "release_0_1"
SHOP, WEB_SHOP = "com.example.shop", "website-www.example.com"


def lines(name: str) -> list[str]:
    """The lines of a file; only a line feed ends one."""
    return (DATA / f"{name}.ndjson").read_text("utf-8").removesuffix("\n").split("\n")


def items(name: str) -> list[tuple[Key, Item]]:
    return [(key, cast("Item", item)) for key, item in map(item_of, map(json.loads, lines(name)))]


def rewritten_envelope(text: str) -> str:
    envelope = parse_envelope(text)
    return write_envelope(envelope, envelope.event)


def rewritten_dead_letter(text: str) -> str:
    content = loads(text)
    if content["reason"] == "not_an_envelope":
        return dumps_for_queue(content)
    marks = {name: content[name] for name in content if name in DEAD_LETTER_FIELDS}
    return write_envelope(parse_envelope(text), content["event"], **marks)


def rewritten_dead_notice(text: str) -> str:
    content = loads(text)
    if content["reason"] == "not_an_envelope":
        return dumps_for_queue(content)
    marks = {name: content[name] for name in content if name in DEAD_NOTICE_FIELDS}
    return write_notice(parse_notice(text), **marks)


# Queues


@every(
    "name, least, rewrite",
    [
        ("envelopes", 50, rewritten_envelope),
        ("dead_letters", 19, rewritten_dead_letter),
        ("notices", 51, lambda text: write_notice(parse_notice(text))),
        ("dead_notices", 11, rewritten_dead_notice),
    ],
)
def test_messages_are_read_and_written_to_the_same_bytes(
    name: str, least: int, rewrite: Callable[[str], str]
) -> None:
    messages = lines(name)

    assert len(messages) >= least
    assert [text for text in messages if rewrite(text) != text] == []


# Tables


def test_items_of_all_tables_are_written_in_the_same_form() -> None:
    for table in TABLES:
        records = [json.loads(line) for line in lines(table)]

        assert [record_of(key, item) for key, item in items(table)] == records


TABLES = ("identities", "deliveries", "trail")


def expiring(item: Item, days: int) -> Callable[[], datetime]:
    """The clock by which an item that is kept for so many days runs out when this one does."""
    written = datetime.fromtimestamp(int(item["expires_at"]), UTC) - timedelta(days=days)
    return lambda: written


def test_identities_are_read_and_written_the_same() -> None:
    for key, item in items("identities"):
        old, new, clock = MemoryTable(), MemoryTable(), expiring(item, 730)
        old.put(key, item)

        (identity,) = Identities(old, clock=clock).of_customer(key.pk)
        assert Identities(new, clock=clock).remember(identity)

        assert new.everything() == {key: item}


async def test_deliveries_are_read_and_written_the_same() -> None:
    for key, item in items("deliveries"):
        old, new = MemoryTable(), MemoryTable()
        old.put(key, item)
        content = str(item["content"])
        found = await Deliveries(MemoryAsyncTable(old), 35, lambda: NOW).claim(key.pk, content, 60)

        assert found is (Claim.DUPLICATE if "delivered" in item else Claim.BUSY)
        if found is Claim.DUPLICATE:
            written = expiring({"expires_at": int(item["expires_at"]) - 1}, 35)
            await Deliveries(MemoryAsyncTable(new), 35, written).remember(key.pk, content)
            assert new.everything() == {key: item}


DELIVERED = "o1"
"""An `Idempotency-Key` under which release 0.1 delivered `make_event()`."""


async def handed_in_over_http(key: str, event: Json, token: str = "shop-token") -> ForwarderHarness:
    """An event comes over HTTP after the upgrade, and is forwarded."""
    accept, forwarder = AcceptHarness(), ForwarderHarness(deduplicate="money")
    accept.add_producer("billing")
    for item_key, item in items("deliveries"):
        forwarder.deliveries.put(item_key, item)
    assert accept.post(event, token=token, headers={"idempotency-key": key}).status == 202
    await forwarder.forward(*(message.body for message in accept.mobile))
    return forwarder


async def test_event_that_was_delivered_under_its_bare_key_is_not_sent_again() -> None:
    assert delivery_key(f"app {MOBILE_APP}", DELIVERED) in {
        key.pk for key, _ in items("deliveries")
    }

    forwarder = await handed_in_over_http(DELIVERED, make_event())

    assert (forwarder.appsflyer.requests, forwarder.dead) == ([], [])


async def test_event_of_another_producer_under_the_same_bare_key_is_sent() -> None:
    other = make_event(customer_user_id="user-2")

    forwarder = await handed_in_over_http(DELIVERED, other, "billing-token")

    assert (len(forwarder.appsflyer.requests), forwarder.dead) == (1, [])


async def test_message_with_a_bare_key_is_known_by_it() -> None:
    """It stood on the queue during the upgrade, or is a dead letter that is sent again."""
    forwarder = ForwarderHarness(deduplicate="money")
    for key, item in items("deliveries"):
        forwarder.deliveries.put(key, item)
    envelope = {"app_id": MOBILE_APP, "kind": "mobile_event", "event": make_event()}

    await forwarder.forward(envelope | {"event_id": DELIVERED}, envelope | {"event_id": "new"})
    await forwarder.forward(envelope | {"event_id": "new"})

    assert (len(forwarder.appsflyer.requests), forwarder.dead) == (1, [])


def of_trail(sort: str) -> list[tuple[Key, Item]]:
    return [(key, item) for key, item in items("trail") if key.sk.partition("#")[0] == sort]


def test_every_sort_of_item_of_the_trail_is_there() -> None:
    assert {key.sk.partition("#")[0] for key, _ in items("trail")} == {"node", "decision", "part"}


def test_decisions_are_read_and_written_the_same() -> None:
    found = of_trail("decision")
    written = [(key, Decision.of_item(item).as_item()) for key, item in found]

    assert {decision["kind"] for _, decision in written} >= {
        *("trial", "first_payment", "renewal", "purchase"),
        *("refund", "refund_reversed", "dispute", "dispute_won"),
    }
    assert written == [(key, without_expiry(item)) for key, item in found]


def without_expiry(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "expires_at"}


def test_links_are_read_and_written_the_same() -> None:
    for key, item in of_trail("node"):
        source, _, ref = key.pk.partition("#")
        old, new, clock = MemoryTable(), MemoryTable(), expiring(item, 400)
        old.put(key, item)

        found = Trail(old, 400, clock).look_up(source, [ref])
        led_to = {str(value) for name, value in item.items() if name.startswith("to_")}
        left_word = {str(value) for name, value in item.items() if name.startswith("by_")}
        assert set(found.seen) == {ref, *led_to}
        assert found.back_references == left_word

        trail = Trail(new, 400, clock)
        trial_end = found.histories[ref].trial_end
        trail.learn(source, [Link(ref, tuple(led_to), found.hints, trial_end)])
        trail.add_back_references(source, [Link(other, (ref,)) for other in left_word])
        assert new.everything() == {key: item}


def test_parts_that_were_given_back_are_read() -> None:
    table = MemoryTable()
    for key, item in of_trail("part"):
        table.put(key, item)
    ((source, _, whole),) = {key.pk.partition("#") for key, _ in of_trail("part")}
    before = Trail(table, 400, lambda: NOW).part_before

    parts = {key.sk: item for key, item in of_trail("part")}
    assert parts.keys() == {"part#0", "part#1"}
    second = str(parts["part#1"]["part"])
    assert str(before(source, whole, second, Decimal(0), None)) == parts["part#0"]["gross"]


# Payments that it sent


def sent_before(provider: str) -> dict[str, str]:
    """The digests of what release 0.1 sent of a provider's story, by event id."""
    source = source_of(provider)
    decisions = {
        f"{source}:{item['id']}": Decision.of_item(item)
        for key, item in of_trail("decision")
        if key.pk.startswith(f"{source}#") and "user1" in str(item["id"]).lower()
    }
    return {event_id: movement_digest(decision) for event_id, decision in decisions.items()}


@every("provider", STORIES)
def test_payments_that_were_sent_are_the_same_events_when_they_are_told_again(
    provider: str,
) -> None:
    """The deliveries drop them by id and digest: no money is sent under another."""
    harness = PaymentsHarness()
    for key, item in items("trail"):
        harness.trail_table.put(key, item)
    account = ACCOUNTS[provider](SECRETS[provider], "user-1")
    account.start = harness.clock.now
    for webhook in story(account):
        tell(harness, provider, json.loads(webhook.body))
    harness.settle()

    told = {one["event_id"]: one["content_sha256"] for one in harness.mobile}
    before = sent_before(provider)
    assert len(before) > 3
    assert {event_id: told.get(event_id) for event_id in before} == before


def test_conversion_of_a_trial_that_began_before_is_its_first_payment_and_no_other() -> None:
    """Of such a trial only the end was kept, and not whether anything was paid since."""
    harness = PaymentsHarness()
    ends = START + 7 * DAY
    trial = Link("subscription:sub_1", trial_end=datetime.fromtimestamp(ends, UTC))
    harness.trail.learn("stripe", [trial])
    ledger = StripeLedger(now=ends)
    ledger.invoice("1", 1000)
    ledger.now += MONTH
    ledger.invoice("2", 1000)
    harness.payments_of(MOBILE_APP, names=NAMES)

    for body in ledger.webhooks:
        tell(harness, "stripe", body)
        harness.settle()

    assert [one["event"]["eventName"] for one in harness.mobile] == ["FIRST", "RENEW"]


def test_renewal_of_a_trial_that_was_converted_before_is_no_first_payment() -> None:
    harness = PaymentsHarness()
    trial_end = datetime.fromtimestamp(START, UTC)
    harness.trail.learn("stripe", [Link("subscription:sub_1", trial_end=trial_end)])
    ledger = StripeLedger(now=START + MONTH)
    ledger.invoice("2", 1000)
    harness.payments_of(MOBILE_APP, names=NAMES)

    tell(harness, "stripe", ledger.webhooks[0])
    harness.settle()

    assert [one["event"]["eventName"] for one in harness.mobile] == ["RENEW"]


def test_payment_that_was_sent_a_hundredfold_is_still_that_payment() -> None:
    """Release 0.1 gave UGX no decimal places at Stripe."""
    harness = PaymentsHarness()
    ledger = StripeLedger()
    ledger.invoice("1", 500_000, "subscription_create", currency="ugx")
    harness.add_source("stripe", "stripe", SECRETS["stripe"], minor_units={"UGX": 0})
    tell(harness, "stripe", ledger.webhooks[0])
    harness.add_source("stripe", "stripe", SECRETS["stripe"])
    harness.start_anew()
    tell(harness, "stripe", ledger.webhooks[0])

    first, second = harness.mobile
    assert harness.dead == []
    assert (first["event_id"], first["event"]) == (second["event_id"], second["event"])


# Parameter Store


@pytest.fixture
def store() -> ParameterStore:
    texts = json.loads((DATA / "parameters.json").read_text("utf-8"))
    ssm = FakeSsm({f"/relay/{name}": text for name, text in texts.items()})
    return ParameterStore(ssm.client(), "/relay", lambda: 100_000.0)


def test_apps_and_their_tokens_are_read(store: ParameterStore) -> None:
    apps = Apps(store, lambda: 100_000.0)
    apps.preload(Surface.MOBILE, ["id123456789", SHOP])
    apps.preload(Surface.WEB, [WEB_SHOP])

    assert apps.app(Surface.MOBILE, SHOP).time_zone == "America/New_York"
    assert apps.app(Surface.MOBILE, SHOP).phone_region == "US"
    assert apps.payment_rules(Surface.MOBILE, "id123456789") == PaymentRules()
    assert apps.payment_rules(Surface.MOBILE, SHOP) == PaymentRules(
        names={MovementKind.RENEWAL: "af_renewal", MovementKind.CANCELLATION: None},
        revenue="net_of_tax",
        test_events_to="com.example.shop.test",
    )
    assert apps.payment_rules(Surface.WEB, WEB_SHOP).revenue == "none"
    first = apps.token(Surface.MOBILE, "id123456789")
    assert first is not None
    assert first.reveal() == "first-s2s-key"
    second = apps.refuse(Surface.MOBILE, "id123456789", first)
    assert second is not None
    assert second.reveal() == "second-s2s-key"


@pytest.mark.parametrize(
    ("parameter", "token", "name"),
    [
        ("producers", "test", "shop"),
        ("producers", "every", "every"),
        ("producers", "example", None),
        ("push_senders", "test", "appsflyer"),
    ],
)
def test_producers_and_push_senders_are_read(
    store: ParameterStore, parameter: str, token: str, name: str | None
) -> None:
    found = Producers(store, parameter).by_token(token)

    assert (found and found.name) == name


def test_sources_and_their_secrets_are_read(store: ParameterStore) -> None:
    sources = Sources(store, source_settings())
    written = json.loads(json.loads((DATA / "parameters.json").read_text("utf-8"))["sources"])

    for name, given in written.items():
        settings = sources.settings(name)
        assert settings is not None
        assert settings.model_dump(mode="json", by_alias=True, exclude_unset=True) == given
    assert [one.reveal() for one in sources.secrets("stripe-main")] == [
        "whsec_first",
        "whsec_second",
    ]
