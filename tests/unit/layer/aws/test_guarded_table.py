from collections.abc import Callable
from typing import Any

import pytest

from relay.aws.guarded_table import GuardedTable
from relay.aws.rest import HUNG_SECONDS, REST_SECONDS
from relay.aws.table import Condition, Item, Key
from relay.errors import TableUnavailableError
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.fakes import FakeClock

KEY = Key("pk", "sk")
DOWN = TableUnavailableError("DynamoDB failed: ReadTimeoutError")

CALLS: dict[str, Callable[[GuardedTable], Any]] = {
    "get": lambda table: table.get([KEY]),
    "put": lambda table: table.put(KEY, {"n": 1}),
    "merge": lambda table: table.merge(KEY, {"n": 1}),
    "delete": lambda table: table.delete([KEY]),
    "under": lambda table: table.under("pk"),
    "of_customer": lambda table: table.of_customer("user-1"),
}
EACH = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class SlowTable(MemoryTable):
    """A table whose calls take `seconds`."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.seconds = 0.0

    def get(self, keys: Any) -> dict[Key, Item]:
        self.clock.advance(self.seconds)
        return super().get(keys)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def table(clock: FakeClock) -> SlowTable:
    return SlowTable(clock)


@pytest.fixture
def guarded(table: SlowTable, clock: FakeClock) -> GuardedTable:
    return GuardedTable(table, clock=clock.seconds)


def ask(guarded: GuardedTable) -> None:
    with pytest.raises(TableUnavailableError):
        guarded.get([KEY])


def test_calls_reach_the_table_and_bring_its_answers(guarded: GuardedTable) -> None:
    guarded.merge(KEY, {"customer_user_id": "user-1", "n": 1})
    item = {"customer_user_id": "user-1", "n": 1}

    assert guarded.get([KEY]) == guarded.under("pk") == {KEY: item}
    assert guarded.of_customer("user-1") == [KEY]
    assert guarded.put(KEY, {"n": 2}, Condition("n", 0)) == item
    guarded.delete([KEY])
    assert guarded.get([KEY]) == {}


@EACH
def test_table_without_an_answer_rests(
    call: Callable[[GuardedTable], Any], guarded: GuardedTable, table: SlowTable, clock: FakeClock
) -> None:
    table.error, table.seconds = DOWN, HUNG_SECONDS
    ask(guarded)
    table.error, asked = None, table.calls.total()

    clock.advance(REST_SECONDS - 0.001)
    with pytest.raises(TableUnavailableError, match="a moment ago"):
        call(guarded)

    assert table.calls.total() == asked
    clock.advance(0.001)
    call(guarded)


def test_table_that_fails_at_once_does_not_rest(guarded: GuardedTable, table: SlowTable) -> None:
    table.error, table.seconds = DOWN, HUNG_SECONDS - 0.001
    ask(guarded)
    table.error = None

    assert guarded.get([KEY]) == {}


def test_table_that_is_slow_and_answers_does_not_rest(
    guarded: GuardedTable, table: SlowTable
) -> None:
    table.seconds = 5 * HUNG_SECONDS

    assert guarded.get([KEY]) == guarded.get([KEY]) == {}


def test_rest_ends_where_the_clock_is_set_back(
    guarded: GuardedTable, table: SlowTable, clock: FakeClock
) -> None:
    table.error, table.seconds = DOWN, HUNG_SECONDS
    ask(guarded)
    table.error, table.seconds = None, 0.0

    clock.advance(-60)

    assert guarded.get([KEY]) == {}


@EACH
def test_table_is_not_asked_without_time_for_its_answer(
    call: Callable[[GuardedTable], Any], table: SlowTable
) -> None:
    guarded = GuardedTable(table, lambda: False)

    with pytest.raises(TableUnavailableError, match="too little time"):
        call(guarded)

    assert table.calls.total() == 0
