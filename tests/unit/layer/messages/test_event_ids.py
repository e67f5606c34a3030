import hashlib

from relay.messages.event_ids import former_event_id, http_event_id
from tests.support.every import every

LONG = "n" * 64
DIGEST = hashlib.sha256(LONG.encode()).hexdigest()[:32]


@every(
    "producer, key, position, event_id",
    [
        ("shop", "order-1", None, "@shop:order-1"),
        ("shop", "a:0", None, "@shop:a:0"),
        ("shop", "a", 0, "@shop/array:a:0"),
        ("shop", "a", 499, "@shop/array:a:499"),
        ("a shop: the 1st", "order-1", None, "@a%20shop%3A%20the%201st:order-1"),
        ("shop/array", "a:0", None, "@shop%2Farray:a:0"),
        ("=shop", "order-1", None, "@%3Dshop:order-1"),
        (LONG, "k" * 190, None, f"@{LONG}:{'k' * 190}"),
        (LONG, "k" * 191, None, f"@={DIGEST}:{'k' * 191}"),
        (LONG, "k" * 200, 499, f"@={DIGEST}/array:{'k' * 200}:499"),
        (
            "shop",
            "k" * 256,
            None,
            "@=" + hashlib.sha256(f"@shop:{'k' * 256}".encode()).hexdigest(),
        ),
    ],
)
def test_http_event_id_is_the_same_in_every_release(
    producer: str, key: str, position: int | None, event_id: str
) -> None:
    """AppsFlyer and the table of deliveries remember it."""
    assert http_event_id(producer, key, position) == event_id


@every(
    "event_id, former",
    [
        ("@shop:order-1", "order-1"),
        ("@shop:a:0", "a:0"),
        ("@shop/array:a:0", "a:0"),
        ("@=" + "0" * 64, None),
        ("@shop:", None),
        ("order-1", None),
        ("stripe-main:in_1", None),
    ],
)
def test_former_event_id_is_that_of_an_id_over_http(event_id: str, former: str | None) -> None:
    assert former_event_id(event_id) == former
