from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from relay.domain.movements import Amount, CustomerHints, Link, MovementKind, Telling
from relay.errors import TableUnavailableError, UnreadableItemError
from relay.stores.decision import Decision
from relay.stores.money_trail import History, Trail
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.every import every
from tests.support.fakes import FakeClock

WHOSE = CustomerHints("user-1", "1-2", "id1", "ios")
TRIAL_END = datetime(2026, 4, 1, tzinfo=UTC)
DAY = 86_400


class World:
    def __init__(self) -> None:
        self.table = MemoryTable()
        self.clock = FakeClock()
        self.trail = Trail(self.table, 400, self.clock)

    def learn(self, *links: Link) -> None:
        self.trail.learn("shop", links)

    def whose(self, ref: str) -> CustomerHints:
        return self.trail.look_up("shop", [ref]).hints


@pytest.fixture
def world() -> World:
    return World()


_DECISION = Decision(
    kind=MovementKind.RENEWAL,
    id="in_1",
    at=1_772_452_800_000,
    decided_at=1_772_452_801_000,
    surface="mobile",
    app_id="id1",
    name="af_subscribe",
    customer_user_id="user-1",
    currency="EUR",
    gross="59.49",
    revenue="49.99",
    basis="net_of_tax",
    quantity=2,
)


def decision(**fields: Any) -> Decision:
    return replace(_DECISION, **fields)


# Links


def test_walk_from_a_payment_finds_the_customer_at_the_end_of_its_links(world: World) -> None:
    world.learn(
        Link("payment:pi_1", to=("invoice:in_1",)),
        Link("invoice:in_1", to=("subscription:sub_1",)),
        Link("subscription:sub_1", hints=WHOSE, trial_end=TRIAL_END),
    )

    lookup = world.trail.look_up("shop", ["payment:pi_1"])

    assert lookup.hints == WHOSE
    assert lookup.histories["subscription:sub_1"] == History(trial_end=TRIAL_END)
    assert lookup.seen == ["payment:pi_1", "invoice:in_1", "subscription:sub_1"]
    assert world.table.calls["get"] == 3


def test_walk_takes_the_nearest_clue_of_each_sort(world: World) -> None:
    world.learn(
        Link("payment:pi_1", to=("customer:c", "subscription:s", "invoice:i")),
        Link("invoice:i", hints=CustomerHints(app_id="id1")),
        Link("subscription:s", hints=CustomerHints("user-1", app_id="id2")),
        Link("customer:c", hints=CustomerHints("user-2", "1-2", "id3")),
    )

    lookup = world.trail.look_up("shop", ["payment:pi_1"])

    assert lookup.hints == CustomerHints("user-1", "1-2", "id1")


def test_walk_in_a_circle_ends(world: World) -> None:
    world.learn(
        Link("charge:a", to=("payment:b",)), Link("payment:b", to=("charge:a",), hints=WHOSE)
    )

    assert world.whose("charge:a") == WHOSE
    assert world.table.calls["get"] == 2


def test_walk_of_many_steps_gives_up_after_eight(world: World) -> None:
    world.learn(*(Link(f"thing:{n}", to=(f"thing:{n + 1}",)) for n in range(20)))

    assert len(world.trail.look_up("shop", ["thing:0"]).seen) == 8


def test_walk_over_many_things_gives_up_after_sixty(world: World) -> None:
    sorts = [f"sort{n:02}" for n in range(40)]
    world.learn(
        Link("a:0", to=tuple(f"{sort}:1" for sort in sorts)),
        *(Link(f"{sort}:1", to=(f"{sort}:2",)) for sort in sorts),
    )

    assert len(world.trail.look_up("shop", ["a:0"]).seen) == 60


def test_walk_from_nothing_asks_for_nothing(world: World) -> None:
    assert world.trail.look_up("shop", []).hints == CustomerHints()
    assert not world.table.calls


def test_fact_told_in_parts_is_the_sum_of_them(world: World) -> None:
    world.learn(Link("subscription:s", hints=CustomerHints("user-1")))
    world.learn(Link("subscription:s", to=("customer:c",), hints=CustomerHints(platform="ios")))

    assert world.whose("subscription:s") == CustomerHints("user-1", platform="ios")
    assert world.trail.look_up("shop", ["subscription:s"]).seen[-1] == "customer:c"


def test_fact_that_says_nothing_is_not_written(world: World) -> None:
    world.learn(Link("customer:c"))

    assert not world.table.calls


def test_facts_of_another_source_are_not_seen(world: World) -> None:
    world.learn(Link("customer:c", hints=WHOSE))

    assert world.trail.look_up("other", ["customer:c"]).hints == CustomerHints()


def test_fact_is_known_for_its_days_and_no_longer(world: World) -> None:
    world.learn(Link("customer:c", hints=WHOSE))

    world.clock.advance(400 * DAY - 1)
    assert world.whose("customer:c") == WHOSE
    world.clock.advance(1)
    assert world.whose("customer:c") == CustomerHints()


def test_customer_user_id_that_no_index_takes_is_not_kept(world: World) -> None:
    world.learn(Link("customer:c", hints=CustomerHints("ü" * 1025, "1-2")))

    assert world.whose("customer:c") == CustomerHints(None, "1-2")


# Decisions


def test_decision_is_found_again_as_it_was_made(world: World) -> None:
    made = decision(
        appsflyer_id="1-2",
        not_before=1_772_452_860_000,
        order_id="0042",
        product_id="plan",
        idfa="A",
        idfv="V",
        advertising_id="G",
    )

    assert world.trail.decide("shop", "invoice:in_1", made) == made
    assert world.trail.look_up("shop", ["invoice:in_1"]).decisions == {"invoice:in_1": made}


def test_decision_that_was_made_first_stands(world: World) -> None:
    first, second = decision(app_id="id1"), decision(app_id="id2")
    world.trail.decide("shop", "invoice:in_1", first)

    assert world.trail.decide("shop", "invoice:in_1", second) == first
    assert world.trail.look_up("shop", ["invoice:in_1"]).decisions == {"invoice:in_1": first}


def test_decision_is_made_anew_after_its_days(world: World) -> None:
    world.trail.decide("shop", "invoice:in_1", decision(app_id="id1"))
    world.clock.advance(400 * DAY)

    second = decision(app_id="id2")

    assert world.trail.look_up("shop", ["invoice:in_1"]).decisions == {}
    assert world.trail.decide("shop", "invoice:in_1", second) == second


# Items that a person has edited


def edit(world: World, sort: str, changes: dict[str, str | int], gone: str = "") -> None:
    """Changes the one item of a sort."""
    ((key, item),) = (
        (key, item) for key, item in world.table.everything().items() if key.sk == sort
    )
    kept = {name: value for name, value in item.items() if name != gone}
    world.table.put(key, {**kept, **changes})


EDITED: list[tuple[str, dict[str, str | int], str]] = [
    *((gone, {}, gone) for gone in ("kind", "id", "at", "decided_at", "surface", "app_id")),
    *((gone, {}, "currency") for gone in ("currency", "gross")),
    *((gone, {}, "basis") for gone in ("basis", "revenue")),
    ("", {"kind": "gift"}, "kind"),
    ("", {"kind": 1}, "kind"),
    ("", {"surface": "desktop"}, "surface"),
    ("", {"basis": "half"}, "basis"),
    ("", {"at": "yesterday"}, "at"),
    ("", {"decided_at": 10**20}, "decided_at"),
    ("", {"not_before": -(10**20)}, "not_before"),
    ("", {"quantity": "two"}, "quantity"),
    ("", {"gross": 59}, "gross"),
    ("", {"gross": "59,49"}, "gross"),
    ("", {"revenue": "1e3"}, "revenue"),
    ("", {"name": 5}, "name"),
    ("", {"order_id": 5}, "order_id"),
    ("expires_at", {}, "expires_at"),
    ("", {"expires_at": "never"}, "expires_at"),
]


@every("gone, changes, field", EDITED)
def test_decision_that_cannot_be_read_is_an_error_and_never_absent(
    gone: str, changes: dict[str, str | int], field: str
) -> None:
    """It would be decided again, and its money count twice."""
    world = World()
    world.trail.decide("shop", "invoice:in_1", decision())
    edit(world, "decision", changes, gone)
    as_it_stands = world.table.everything()

    with pytest.raises(UnreadableItemError, match=rf"^decision\.{field}: must be ") as caught:
        world.trail.look_up("shop", ["invoice:in_1"])

    assert "59" not in str(caught.value)
    if field != "expires_at":
        with pytest.raises(UnreadableItemError):
            world.trail.decide("shop", "invoice:in_1", decision())
    assert world.table.everything() == as_it_stands


def test_decision_with_more_than_was_written_is_read(world: World) -> None:
    world.trail.decide("shop", "invoice:in_1", decision())
    edit(world, "decision", {"note": "seen by hand", "checked": 1})

    assert world.trail.look_up("shop", ["invoice:in_1"]).decisions == {"invoice:in_1": decision()}


def test_decision_that_cannot_be_read_is_forgotten_after_its_days(world: World) -> None:
    world.trail.decide("shop", "invoice:in_1", decision())
    edit(world, "decision", {}, "kind")
    world.clock.advance(400 * DAY)

    assert world.trail.look_up("shop", ["invoice:in_1"]).decisions == {}


@every(
    "changes, field",
    [
        ({"appsflyer_id": 5}, "appsflyer_id"),
        ({"trial_end": "soon"}, "trial_end"),
        ({"trial_end": 10**20}, "trial_end"),
        ({"started": "soon"}, "started"),
        ({"first_payment": 5}, "first_payment"),
        ({"later_payment": 5}, "later_payment"),
        ({"paid_invoice:in_1": "soon"}, "paid_invoice:in_1"),
        ({"promised_gross": "x", "promised_currency": "EUR"}, "promised_gross"),
        ({"promised_gross": "1.00"}, "promised_currency"),
        ({"to_subscription": 5}, r"to_\.\.\."),
        ({"by_payment:pi_1": 5}, r"by_\.\.\."),
        ({"expires_at": "never"}, "expires_at"),
    ],
    ids=str,
)
def test_link_that_cannot_be_read_is_an_error(changes: dict[str, str | int], field: str) -> None:
    """Without it the money would be somebody else's, or another kind's."""
    world = World()
    world.learn(Link("invoice:in_1", to=("subscription:s",), hints=WHOSE, trial_end=TRIAL_END))
    edit(world, "node", changes)

    with pytest.raises(UnreadableItemError, match=rf"^node\.{field}: must be "):
        world.trail.look_up("shop", ["invoice:in_1"])


@pytest.mark.parametrize(("gone", "field"), [("part", "part"), ("gross", "gross")])
def test_part_that_cannot_be_read_is_an_error(world: World, gone: str, field: str) -> None:
    part(world, "refund:r-1", "1.00")
    edit(world, "part#0", {}, gone)

    with pytest.raises(UnreadableItemError, match=rf"^part\.{field}: must be text"):
        part(world, "refund:r-2", "2.00")


def same_money(world: World, sort: str, ref: str, amount: str = "400") -> str:
    telling = Telling("charge:ch_1", amount, sort)
    return world.trail.same_money("shop", telling, ref, "user-1")


def test_money_of_two_tellings_is_paired_by_its_amount_in_the_order_of_each() -> None:
    for order in permutations(["a1", "a2", "b1", "b2"]):
        world = World()
        refs = {name: same_money(world, name[0], f"refund:{name}") for name in order}
        pairs = Counter(refs.values())

        assert sorted(pairs.values()) == [2, 2]
        assert refs["a1"] != refs["a2"]
        assert refs["b1"] != refs["b2"]
        assert {name: same_money(world, name[0], f"refund:{name}") for name in order} == refs
        assert same_money(world, "a", "refund:a3", "600") == "refund:a3"
        world.trail.forget("user-1")
        assert len(world.table) == 0


def test_money_beyond_the_most_parts_of_one_amount_goes_by_itself(world: World) -> None:
    for number in range(100):
        same_money(world, "a", f"refund:{number}")

    assert same_money(world, "a", "refund:more") == "refund:more"
    assert same_money(world, "b", "refund:b") == "refund:0"


def test_history_of_a_subscription_is_what_was_noted_of_it(world: World) -> None:
    subscription = "subscription:s"
    world.trail.note_payment("shop", subscription, "invoice:1", TRIAL_END)
    world.trail.note_decided("shop", subscription, "invoice:2", is_first=True)
    world.trail.note_decided("shop", subscription, "invoice:3", is_first=False)

    found = world.trail.look_up("shop", [subscription]).histories[subscription]

    expected = History(None, None, "invoice:2", "invoice:3", None, {"invoice:1": TRIAL_END})
    assert found == expected
    assert found.is_settled


@pytest.mark.parametrize("net", [None, Decimal("10.00")])
def test_promise_is_kept_as_it_was_told(world: World, net: Decimal | None) -> None:
    promised = Amount("EUR", Decimal("11.90"), net)
    world.learn(Link("payment:pi_1", promised=promised))

    assert world.trail.look_up("shop", ["payment:pi_1"]).promises == {"payment:pi_1": promised}


def test_first_decision_of_some_kinds_is_the_nearest(world: World) -> None:
    world.learn(Link("refund:r", to=("payment:p",)), Link("payment:p", to=("invoice:i",)))
    refund = decision(kind=MovementKind.REFUND)
    world.trail.decide("shop", "refund:r", refund)
    world.trail.decide("shop", "payment:p", decision(id="p"))
    world.trail.decide("shop", "invoice:i", decision(id="i"))

    lookup = world.trail.look_up("shop", ["refund:r"])

    assert lookup.first({MovementKind.RENEWAL, MovementKind.PURCHASE}) == decision(id="p")
    assert lookup.first({MovementKind.REFUND}) == refund
    assert lookup.first({MovementKind.DISPUTE}) is None


# Parts


def part(world: World, ref: str, gross: str) -> Decimal:
    return world.trail.part_before("shop", "invoice:i", ref, Decimal(gross), "user-1")


def test_part_knows_what_was_given_back_before_it(world: World) -> None:
    assert [part(world, ref, "1.50") for ref in ("refund:a", "refund:b", "refund:c")] == [
        *(Decimal(0), Decimal("1.50"), Decimal("3.00")),
    ]


def test_part_that_is_told_again_has_the_place_that_it_had(world: World) -> None:
    part(world, "refund:a", "1.50")
    part(world, "refund:b", "2.00")

    assert part(world, "refund:a", "1.50") == Decimal(0)
    assert part(world, "refund:c", "1.00") == Decimal("3.50")


def test_part_after_a_reversal_begins_where_the_reversed_one_did(world: World) -> None:
    part(world, "refund:a", "1.50")
    part(world, "refund:a:failed", "-1.50")

    assert part(world, "refund:b", "1.00") == Decimal(0)


def test_part_behind_a_hundred_others_has_no_place_and_is_told(world: World) -> None:
    for number in range(100):
        part(world, f"refund:{number}", "0.01")

    assert part(world, "refund:last", "5.00") == Decimal("1.00")
    assert len(world.table) == 100


def test_parts_of_a_payment_are_forgotten_with_its_customer(world: World) -> None:
    part(world, "refund:a", "1.50")
    world.trail.part_before("shop", "invoice:i", "refund:b", Decimal(1), None)

    assert world.trail.forget("user-1") == 1


# Whose it is, and forgetting him


def test_things_of_a_walk_become_the_customers(world: World) -> None:
    world.learn(
        Link("payment:p", to=("invoice:i",)),
        Link("invoice:i", to=("customer:c",), hints=CustomerHints("user-1")),
        Link("customer:c", hints=CustomerHints(appsflyer_id="1-2")),
    )
    lookup = world.trail.look_up("shop", ["payment:p"])

    world.trail.assign("shop", lookup, lookup.hints.customer_user_id)

    assert world.trail.look_up("shop", ["payment:p"]).ownerless == []
    assert world.trail.forget("user-1") == 3
    assert len(world.table) == 0


def test_things_that_left_word_become_the_customers_however_far_behind(world: World) -> None:
    charge = Link("charge:c", to=("payment:p", "invoice:i"))
    payment = Link("payment:p", to=("invoice:i",))
    for told_first in (charge, payment):
        world.learn(told_first)
        world.trail.add_back_references("shop", [told_first])
    world.learn(Link("invoice:i", hints=WHOSE))
    lookup = world.trail.look_up("shop", ["invoice:i"])

    world.trail.assign("shop", lookup, "user-1")

    assert {key.pk for key in world.table.of_customer("user-1")} == {
        *("shop#charge:c", "shop#payment:p", "shop#invoice:i"),
    }


def test_things_that_are_told_beside_become_the_customers_unless_somebody_has_them(
    world: World,
) -> None:
    world.learn(
        Link("charge:c", to=("payment:p",)), Link("charge:d", hints=CustomerHints("user-2"))
    )
    lookup = world.trail.look_up("shop", ["payment:p"])

    world.trail.assign("shop", lookup, "user-1", also=["charge:c", "charge:d", "charge:unknown"])

    assert [key.pk for key in world.table.of_customer("user-1")] == ["shop#charge:c"]
    assert [key.pk for key in world.table.of_customer("user-2")] == ["shop#charge:d"]


def test_word_is_left_by_nothing_that_is_somebodys_or_leads_nowhere(world: World) -> None:
    links = [Link("payment:p", to=("invoice:i",), hints=WHOSE), Link("customer:c")]

    world.trail.add_back_references("shop", links)

    assert len(world.table) == 0


def test_words_in_a_long_row_are_followed_for_eight_steps(world: World) -> None:
    for number in range(1, 12):
        link = Link(f"thing:{number}", to=(f"thing:{number - 1}",))
        world.learn(link)
        world.trail.add_back_references("shop", [link])
    lookup = world.trail.look_up("shop", ["thing:0"])

    world.trail.assign("shop", lookup, "user-1")

    assert len(world.table.of_customer("user-1")) == 1 + 8


def test_things_of_nobody_stay_nobodys(world: World) -> None:
    world.learn(Link("payment:p", to=("invoice:i",)))
    lookup = world.trail.look_up("shop", ["payment:p"])

    world.trail.assign("shop", lookup, lookup.hints.customer_user_id)

    assert lookup.ownerless == ["payment:p"]
    assert world.table.calls["merge"] == 1


def test_forgotten_customer_leaves_neither_links_nor_decisions(world: World) -> None:
    world.learn(
        Link("customer:c", hints=CustomerHints("user-1")),
        Link("customer:d", hints=CustomerHints("user-2")),
    )
    world.trail.decide("shop", "invoice:i", decision())

    assert world.trail.forget("user-1") == 2

    assert world.whose("customer:c") == CustomerHints()
    assert world.whose("customer:d") == CustomerHints("user-2")
    assert world.trail.look_up("shop", ["invoice:i"]).decisions == {}


@pytest.mark.parametrize("customer", ["", "x" * 2049, "\ud800"])
def test_forgetting_what_can_be_nobodys_id_is_no_call(world: World, customer: str) -> None:
    assert world.trail.forget(customer) == 0
    assert not world.table.calls


def test_table_that_fails_is_said_by_every_method(world: World) -> None:
    world.table.error = TableUnavailableError("DynamoDB failed: ThrottlingException")
    link, lookup = Link("customer:c", hints=WHOSE), Trail(MemoryTable(), 1).look_up("shop", [])
    lookup.ownerless.append("customer:c")

    for call in (
        lambda: world.trail.learn("shop", [link]),
        lambda: world.trail.look_up("shop", ["customer:c"]),
        lambda: world.trail.decide("shop", "invoice:i", decision()),
        lambda: world.trail.assign("shop", lookup, "user-1"),
        lambda: part(world, "refund:a", "1.50"),
        lambda: world.trail.add_back_references("shop", [Link("payment:p", to=("invoice:i",))]),
        lambda: world.trail.forget("user-1"),
    ):
        with pytest.raises(TableUnavailableError):
            call()


def test_moments_of_facts_are_kept_to_the_millisecond(world: World) -> None:
    end = TRIAL_END + timedelta(milliseconds=7)
    world.learn(Link("subscription:s", trial_end=end, started=end))

    found = world.trail.look_up("shop", ["subscription:s"]).histories["subscription:s"]
    assert found == History(started=end, trial_end=end)
