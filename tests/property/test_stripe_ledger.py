"""Whatever happens at Stripe, and in whatever order it is told: AppsFlyer hears the right sum.

Any sequence of payments, refunds, failures of refunds, further refunds and disputes, each told
once or more, by endpoints of any API version that can tell of it.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ledger_stories import Heard, heard, played, sums
from tests.support.stripe_ledger import MONTH, NAMES, START, StripeLedger

# Before refunds had webhooks of their own, after, of the present, and two endpoints at once.
VERSIONS = st.sampled_from(
    [
        ("2020-08-27",),
        ("2024-10-28.acacia",),
        ("2025-06-30.basil",),
        ("2026-10-28.endive",),
        ("2024-06-20", "2026-10-28.endive"),
        ("2024-06-20", "2024-10-28.acacia"),
    ]
)
START_OF = {
    "trial": ("trialing", 0),
    "coupon": ("active", 0),
    "paid": ("active", 1000),
}


@st.composite
def ledgers(draw: st.DrawFn) -> StripeLedger:
    """The books of a subscription with up to three payments and what becomes of them."""
    ledger = StripeLedger(versions=draw(VERSIONS))
    status, opening = START_OF[draw(st.sampled_from(sorted(START_OF)))]
    ledger.subscribe(status, START + MONTH if status == "trialing" else None)
    ledger.invoice("0", opening, "subscription_create")
    for number in range(1, draw(st.integers(1, 2)) + 1):
        ledger.now = START + number * MONTH
        ledger.invoice(str(number), 1000)
    steps = draw(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([400, 1000])), max_size=4))
    for step, (chosen, amount) in enumerate(steps):
        name = str(chosen)
        ledger.now += 60
        if ledger.paid.get(name, 0) - ledger.refunded[name] < amount:
            continue
        ledger.refund(str(step), name, amount)
        if draw(st.booleans()):
            ledger.now += 60
            ledger.refund_fails(str(step), name, amount)
    if not ledger.refunded["1"] and draw(st.booleans()):
        ledger.dispute("1", won=draw(st.booleans()))
    return ledger


@settings(max_examples=12)
@given(ledgers(), st.data())
def test_any_sequence_in_any_order_ends_at_the_right_sum(
    ledger: StripeLedger, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(ledger.webhooks), max_size=3))
    order = data.draw(st.permutations([*ledger.webhooks, *again]))

    harness = played(ledger.story("stripe", order, rules={"names": NAMES}))

    events = heard(harness)
    assert harness.dead == []
    assert sums(events) == ledger.sums()
    payments = [one for one in events.elements() if one.revenue is None or one.revenue > 0]
    assert len([one for one in payments if one == Heard("TRIAL")]) <= 1
    # Of each payment there is one event, and the first of them is the only first payment: the
    # others with its name bring back what a refund or a dispute of it took.
    first = {
        one["event_id"].rpartition(":")[2]
        for one in harness.mobile
        if one["event"]["eventName"] == "FIRST" and one["event_id"].count(":in_") == 1
    }
    assert first == {"in_0" if ledger.paid["0"] else "in_1"}
