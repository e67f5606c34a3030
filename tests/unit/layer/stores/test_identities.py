from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.aws.table import Item, Key
from relay.errors import TableUnavailableError
from relay.stores.identities import Customer, Identities, Identity, UnusableIdError
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.builders import MOBILE_APP, NOW, Json
from tests.support.fakes import FakeClock

OTHER_APP = "com.example.shop"
DAY = 86_400

INSTALL = Identity(
    app_id=MOBILE_APP,
    customer_user_id="user-1",
    appsflyer_id="1415211453000-6513894",
    installed_at=datetime(2026, 2, 20, 8, 30, 0, 123_000, tzinfo=UTC),
    platform="ios",
)


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def identities(table: MemoryTable, clock: FakeClock) -> Identities:
    return Identities(table, keep_days=730, clock=clock)


def find(identities: Identities, app_id: str, customers: Iterable[str]) -> dict[str, Identity]:
    """The customers of one app that are known, by their ids."""
    found = identities.find([Customer(app_id, one) for one in customers])
    return {one.customer_user_id: identity for one, identity in found.items() if identity}


# remember and find


def test_find_gives_what_was_remembered(identities: Identities) -> None:
    assert identities.remember(INSTALL)

    assert find(identities, MOBILE_APP, ["user-1"]) == {"user-1": INSTALL}


def test_find_gives_an_identity_without_a_platform(identities: Identities) -> None:
    without = replace(INSTALL, platform=None)
    identities.remember(without)

    assert find(identities, MOBILE_APP, ["user-1"]) == {"user-1": without}


def test_find_gives_those_that_are_known_in_this_app(
    identities: Identities, table: MemoryTable
) -> None:
    second = replace(INSTALL, customer_user_id="user-2", appsflyer_id="2-2")
    for identity in (INSTALL, second, replace(INSTALL, app_id=OTHER_APP, customer_user_id="u-3")):
        identities.remember(identity)

    found = find(identities, MOBILE_APP, ["user-1", "user-2", "u-3", "user-4"])

    assert found == {"user-1": INSTALL, "user-2": second}
    assert table.calls["get"] == 1


@pytest.mark.parametrize(
    ("app_id", "customer"),
    [(MOBILE_APP, ""), (MOBILE_APP, "u" * 2049), (MOBILE_APP, "\ud83d"), ("a" * 1025, "user-1")],
    ids=["empty", "too long", "no text", "app too long"],
)
def test_find_an_id_that_cannot_be_a_key_is_nobodys(
    identities: Identities, app_id: str, customer: str
) -> None:
    identities.remember(INSTALL)

    assert find(identities, app_id, [customer]) == {}


def test_find_an_impossible_id_costs_its_neighbours_nothing(identities: Identities) -> None:
    identities.remember(INSTALL)

    assert find(identities, MOBILE_APP, ["", "user-1", "u" * 5000]) == {"user-1": INSTALL}


def test_item_is_as_the_documents_say(identities: Identities, table: MemoryTable) -> None:
    """2026-02-20T08:30:00.123Z in ms; 730 days after 2026-03-02T12:00:00Z in s."""
    identities.remember(INSTALL)

    assert table.get([Key("user-1", MOBILE_APP)]) == {
        Key("user-1", MOBILE_APP): {
            "appsflyer_id": "1415211453000-6513894",
            "installed_at": 1771576200123,
            "expires_at": 1835524800,
            "platform": "ios",
        }
    }


# Newer and older


def test_remember_a_newer_install_replaces_the_older(identities: Identities) -> None:
    newer = replace(INSTALL, appsflyer_id="9-9", installed_at=NOW, platform=None)
    identities.remember(INSTALL)

    assert identities.remember(newer)

    assert find(identities, MOBILE_APP, ["user-1"]) == {"user-1": newer}


def test_remember_an_older_install_changes_nothing(identities: Identities) -> None:
    older = replace(
        INSTALL, appsflyer_id="9-9", installed_at=INSTALL.installed_at - timedelta(0, 0, 1000)
    )
    identities.remember(INSTALL)

    assert not identities.remember(older)

    assert find(identities, MOBILE_APP, ["user-1"]) == {"user-1": INSTALL}


def test_remember_the_same_install_again_renews_it(
    identities: Identities, clock: FakeClock
) -> None:
    identities.remember(INSTALL)
    clock.advance(700 * DAY)

    assert identities.remember(INSTALL)

    clock.advance(700 * DAY)
    assert find(identities, MOBILE_APP, ["user-1"]) == {"user-1": INSTALL}


def test_remember_costs_one_write_and_no_read(identities: Identities, table: MemoryTable) -> None:
    identities.remember(INSTALL)

    assert table.calls == {"put": 1}


@pytest.mark.parametrize(
    ("identity", "field"),
    [
        (replace(INSTALL, customer_user_id=""), "customer_user_id"),
        (replace(INSTALL, customer_user_id="ü" * 1025), "customer_user_id"),
        (replace(INSTALL, customer_user_id="user-\ud83d"), "customer_user_id"),
        (replace(INSTALL, app_id=""), "app_id"),
        (replace(INSTALL, app_id="a" * 1025), "app_id"),
    ],
    ids=["no customer", "long customer", "no text", "no app", "long app"],
)
def test_remember_an_id_that_cannot_be_a_key_is_refused_by_its_name(
    identities: Identities, table: MemoryTable, identity: Identity, field: str
) -> None:
    with pytest.raises(UnusableIdError, match=rf"^{field}: must be [\w ]*1 to \d+ bytes"):
        identities.remember(identity)

    assert table.calls == {}


# Expiry


@pytest.mark.parametrize(("seconds", "known"), [(730 * DAY - 1, 1), (730 * DAY, 0)])
def test_identity_is_known_for_its_days_and_not_a_second_longer(
    identities: Identities, clock: FakeClock, seconds: int, known: int
) -> None:
    """Though DynamoDB has not deleted it yet."""
    identities.remember(INSTALL)

    clock.advance(seconds)

    assert len(find(identities, MOBILE_APP, ["user-1"])) == known
    assert len(identities.of_customer("user-1")) == known


# Items that a person has edited

GOOD: dict[str, str | int] = {
    "appsflyer_id": "2-2",
    "installed_at": 1771576200123,
    "expires_at": 1835524800,
}
EDITED: list[tuple[Item, str]] = [
    ({}, "expires_at: must be a whole number"),
    *(({name: GOOD[name] for name in GOOD if name != gone}, gone) for gone in GOOD),
    (GOOD | {"appsflyer_id": 22}, "appsflyer_id: must be text"),
    (GOOD | {"appsflyer_id": " "}, "appsflyer_id: must not be blank"),
    (GOOD | {"installed_at": "2026-02-20"}, "installed_at: must be a whole number"),
    (GOOD | {"installed_at": 10**20}, "installed_at: must be a moment"),
    (GOOD | {"expires_at": "never"}, "expires_at: must be a whole number"),
]


@pytest.mark.parametrize(("item", "problem"), EDITED)
def test_item_that_cannot_be_read_is_its_customers_alone(
    identities: Identities,
    table: MemoryTable,
    lines: Callable[[], list[Json]],
    counted: Callable[[], dict[str, float]],
    item: Item,
    problem: str,
) -> None:
    identities.remember(INSTALL)
    for number in range(2):
        table.put(Key(f"edited-{number}", MOBILE_APP), item)

    found = find(identities, MOBILE_APP, ["edited-0", "user-1", "edited-1"])

    assert found == {"user-1": INSTALL}
    (line,) = lines()
    assert (line["message"], line["table"], line["items"]) == (
        "items cannot be read", "identities", 2,
    )  # fmt: skip
    (told,) = line["problems"]
    assert problem in told
    assert "edited-" not in str(line)
    assert counted() == {"ItemsUnreadable": 2}


def test_item_that_cannot_be_read_is_left_out_of_the_customers_others(
    identities: Identities, table: MemoryTable
) -> None:
    identities.remember(INSTALL)
    table.put(Key("user-1", OTHER_APP), {"expires_at": 1835524800})

    assert identities.of_customer("user-1") == [INSTALL]


@pytest.mark.parametrize(
    "more", [{"note": "by hand"}, {"platform": 5}, {"note": 7}], ids=["text", "platform", "number"]
)
def test_item_with_more_than_was_written_is_read(
    identities: Identities, table: MemoryTable, more: dict[str, str | int]
) -> None:
    table.put(Key("user-1", MOBILE_APP), GOOD | more)

    (identity,) = identities.of_customer("user-1")

    assert (identity.appsflyer_id, identity.platform) == ("2-2", None)


@pytest.mark.parametrize("item", [item for item, _ in EDITED])
def test_remember_replaces_an_item_that_cannot_be_read(
    identities: Identities, table: MemoryTable, item: Item
) -> None:
    """Nobody can use it, and a condition on it may never hold."""
    table.put(Key("user-1", MOBILE_APP), item)

    assert identities.remember(INSTALL)

    assert identities.of_customer("user-1") == [INSTALL]


# A customer in all apps


def test_of_customer_gives_the_latest_install_first(identities: Identities) -> None:
    latest = replace(INSTALL, app_id=OTHER_APP, installed_at=NOW)
    first = replace(INSTALL, app_id="id2", installed_at=NOW - timedelta(days=500))
    for identity in (INSTALL, latest, first, replace(INSTALL, customer_user_id="user-2")):
        identities.remember(identity)

    assert identities.of_customer("user-1") == [latest, INSTALL, first]


def test_of_customer_of_nobody_is_empty(identities: Identities, table: MemoryTable) -> None:
    assert identities.of_customer("user-1") == []
    assert identities.of_customer("") == []
    assert table.calls == {"under": 1}


def test_forget_erases_a_customer_from_all_apps_and_nobody_else(identities: Identities) -> None:
    other = replace(INSTALL, customer_user_id="user-2")
    for identity in (INSTALL, replace(INSTALL, app_id=OTHER_APP), other):
        identities.remember(identity)

    assert identities.forget("user-1") == 2

    assert identities.of_customer("user-1") == []
    assert identities.of_customer("user-2") == [other]
    assert identities.forget("user-1") == 0


def test_forget_erases_what_has_expired_too(
    identities: Identities, table: MemoryTable, clock: FakeClock
) -> None:
    identities.remember(INSTALL)
    clock.advance(800 * DAY)

    assert identities.forget("user-1") == 1

    assert len(table) == 0


def test_table_that_is_down_is_told(identities: Identities, table: MemoryTable) -> None:
    table.error = TableUnavailableError("DynamoDB failed: ThrottlingException")

    with pytest.raises(TableUnavailableError):
        find(identities, MOBILE_APP, ["user-1"])
    with pytest.raises(TableUnavailableError):
        identities.remember(INSTALL)


# Many customers


MANY = [Customer(f"app-{number % 7}", f"user-{number}") for number in range(250)]


def test_find_reads_a_hundred_customers_a_call_whatever_their_apps(
    identities: Identities, table: MemoryTable
) -> None:
    assert identities.find(MANY) == dict.fromkeys(MANY)

    assert table.calls["get"] == 3


def test_find_begins_no_call_that_may_not_begin(identities: Identities, table: MemoryTable) -> None:
    answers = iter([True, False])

    found = identities.find(MANY, lambda: next(answers))

    assert found == dict.fromkeys(MANY[:100])
    assert table.calls["get"] == 1


def test_find_gives_what_was_read_before_the_table_failed(
    identities: Identities, table: MemoryTable
) -> None:
    def fail_later() -> bool:
        if table.calls["get"]:
            table.error = TableUnavailableError("down")
        return True

    assert identities.find(MANY, fail_later) == dict.fromkeys(MANY[:100])
