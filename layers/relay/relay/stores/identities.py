"""Maps app and customer user id to the AppsFlyer id of the customer's latest install.

One item for each customer and app: pk is the customer user id, sk the app id.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from relay import telemetry
from relay.aws.table import (
    LONGEST_PK_BYTES,
    LONGEST_SK_BYTES,
    Condition,
    Item,
    Key,
    StoredItem,
    Table,
    is_key_text,
)
from relay.errors import TableUnavailableError, UnreadableItemError
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.attributes import Attributes

KEEP_DAYS: Final = 730
_SORT: Final = "identity"
_KEYS_A_CALL: Final = 100
"""BatchGetItem's limit."""


class UnusableIdError(ValueError):
    """An id that cannot be a key of the table; the message names the field, never its value."""

    def __init__(self, field: str, longest: int) -> None:
        super().__init__(f"{field}: must be Unicode text of 1 to {longest} bytes in UTF-8")
        self.field = field


class Customer(NamedTuple):
    """A customer of one app."""

    app_id: str
    customer_user_id: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A customer's latest install of one app."""

    app_id: str
    customer_user_id: str
    appsflyer_id: str
    installed_at: datetime
    """In UTC, to the millisecond."""
    platform: str | None = None
    """`ios`, `android` ..., lower case."""


class Identities:
    """The table of identities. Every method blocks and raises `TableUnavailableError`.

    An id that cannot be a key has no identity: looking it up makes no call. Neither has a customer
    whose item cannot be read: it is logged and counted, without its key.
    """

    def __init__(
        self,
        table: Table,
        keep_days: int = KEEP_DAYS,
        clock: Clock = utc_now,
    ) -> None:
        self._table = table
        self._keep = timedelta(days=keep_days)
        self._clock = clock

    def find(
        self, customers: Collection[Customer], may_call: Callable[[], bool] = lambda: True
    ) -> dict[Customer, Identity | None]:
        """The identities of these customers, None where there is none.

        A read unit for each customer, a hundred customers a call, whatever their apps. Customers
        whose call may not begin any more, or failed, are left out; raises `TableUnavailableError`
        only if the first call fails.
        """
        keys = {Key(one.customer_user_id, one.app_id): one for one in customers}
        usable = [key for key in keys if _unusable(key) is None]
        found: dict[Customer, Identity | None] = {
            one: None for key, one in keys.items() if _unusable(key) is not None
        }
        for start in range(0, len(usable), _KEYS_A_CALL):
            if not may_call():
                break
            chunk = usable[start : start + _KEYS_A_CALL]
            try:
                items = self._table.get(chunk)
            except TableUnavailableError:
                if not start:
                    raise
                break
            known = {Key(one.customer_user_id, one.app_id): one for one in self._unexpired(items)}
            found |= {keys[key]: known.get(key) for key in chunk}
        return found

    def of_customer(self, customer_user_id: str) -> list[Identity]:
        """A customer's identities in all apps, the latest install first."""
        items = self._under(customer_user_id)
        return sorted(self._unexpired(items), key=lambda one: one.installed_at, reverse=True)

    def remember(self, identity: Identity) -> bool:
        """Stores an identity; returns False, and stores nothing, if a newer install is known.

        The same install again extends how long it is kept. An item that cannot be read is replaced.
        One write unit (for that, two). Raises `UnusableIdError`.
        """
        key = Key(identity.customer_user_id, identity.app_id)
        unusable = _unusable(key)
        if unusable is not None:
            raise unusable
        item = _item(identity, self._clock() + self._keep)
        newest = Condition("installed_at", to_milliseconds(identity.installed_at))
        existing = self._table.put(key, item, newest)
        if existing is None:
            return True
        if _is_readable(key, existing):
            return False
        self._table.put(key, item)
        return True

    def forget(self, customer_user_id: str) -> int:
        """Erases a customer from all apps; returns from how many."""
        items = self._under(customer_user_id)
        self._table.delete(items)
        return len(items)

    def _under(self, customer_user_id: str) -> Mapping[Key, StoredItem]:
        if not is_key_text(customer_user_id, LONGEST_PK_BYTES):
            return {}
        return self._table.under(customer_user_id)

    def _unexpired(self, items: Mapping[Key, StoredItem]) -> Iterator[Identity]:
        """The identities that have not expired: DynamoDB deletes expired items late."""
        now, problems = _seconds(self._clock()), []
        for key, item in items.items():
            try:
                if _expiry(item) > now:
                    yield _identity(key, item)
            except UnreadableItemError as error:
                problems.append(str(error))
        if problems:
            telemetry.unreadable_items("identities", problems)


def _unusable(key: Key) -> UnusableIdError | None:
    if not is_key_text(key.pk, LONGEST_PK_BYTES):
        return UnusableIdError("customer_user_id", LONGEST_PK_BYTES)
    if not is_key_text(key.sk, LONGEST_SK_BYTES):
        return UnusableIdError("app_id", LONGEST_SK_BYTES)
    return None


def _item(identity: Identity, expires_at: datetime) -> Item:
    item: dict[str, str | int] = {
        "appsflyer_id": identity.appsflyer_id,
        "installed_at": to_milliseconds(identity.installed_at),
        "expires_at": _seconds(expires_at),
    }
    if identity.platform is not None:
        item["platform"] = identity.platform
    return item


def _identity(key: Key, item: StoredItem) -> Identity:
    """Raises `UnreadableItemError`. The platform decides nothing, so any other value is None."""
    attributes, platform = Attributes(_SORT, item), item.get("platform")
    return Identity(
        app_id=key.sk,
        customer_user_id=key.pk,
        appsflyer_id=attributes.filled("appsflyer_id"),
        installed_at=attributes.moment("installed_at"),
        platform=platform if isinstance(platform, str) else None,
    )


def _expiry(item: StoredItem) -> int:
    return Attributes(_SORT, item).whole("expires_at")


def _is_readable(key: Key, item: StoredItem) -> bool:
    try:
        _identity(key, item)
        _expiry(item)
    except UnreadableItemError:
        return False
    return True


def _seconds(moment: datetime) -> int:
    return to_milliseconds(moment) // 1000
