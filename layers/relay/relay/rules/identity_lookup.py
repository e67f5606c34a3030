"""Mobile events that name a customer and no AppsFlyer id: the id is looked up before they are sent.

Pure: what is looked up, and what an event is with the id in it. The looking up is `identities`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from relay.domain.findings import Finding, Severity
from relay.domain.kinds import Kind
from relay.rules.fields import is_absent

PLACEHOLDER: Final = "0000000000000-0000000000000000000"
"""As long as the longest documented id (M1), so that an event that fits with it fits later too."""

AFTER_INSTALL: Final = timedelta(minutes=1)
"""S3: AppsFlyer takes half a minute or more to process an install."""

_ID: Final = "appsflyer_id"


def customer_to_look_up(kind: Kind, event: object) -> str | None:
    """The customer user id of an event that needs its AppsFlyer id looked up (M1), else None."""
    if kind is not Kind.MOBILE_EVENT or not isinstance(event, dict):
        return None
    if not is_absent(event.get(_ID)):
        return None
    customer = event.get("customer_user_id")
    if isinstance(customer, int) and not isinstance(customer, bool):
        return str(customer)  # M19
    return customer if isinstance(customer, str) and not is_absent(customer) else None


def with_appsflyer_id(event: Mapping[str, Any], appsflyer_id: str) -> dict[str, Any]:
    """The event with an id."""
    return {**event, _ID: appsflyer_id}


def without_appsflyer_id(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as it was handed in: an id that was looked up is looked up again next time."""
    return {name: value for name, value in event.items() if name != _ID}


def not_before_of(installed_at: datetime, now: datetime) -> datetime | None:
    """S3: the moment until which an event of so young an install waits; None when it need not."""
    ready = installed_at + AFTER_INSTALL
    return ready if installed_at <= now < ready else None


def will_be_looked_up() -> Finding:
    """M1, for an entry that does not look up itself."""
    return Finding(
        "M1",
        Severity.WARN,
        _ID,
        "is missing and will be looked up by customer_user_id before the event is sent: it waits "
        "until AppsFlyer has told of an install of this customer",
    )
