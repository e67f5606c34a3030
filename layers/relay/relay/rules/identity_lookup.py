"""Mobile events with a customer but no AppsFlyer id: the id is looked up before they are sent.

Pure: it decides which customer to look up, and checks such an event. `relay.stores.identities` does
the lookup.
"""

from datetime import datetime, timedelta
from typing import Final

from relay.domain.findings import Finding, Severity
from relay.domain.kinds import App, Kind
from relay.rules import mobile, names
from relay.rules.leniency import FORMS, read
from relay.rules.payload import is_given
from relay.rules.prepare import Prepared, prepare

_STAND_IN: Final = "9999999999999-9999999999999999999"
"""As long as the longest documented id (M1), so that an event that fits now also fits later."""

AFTER_INSTALL: Final = timedelta(minutes=1)
"""S3: AppsFlyer needs half a minute or more to process an install."""

_ID: Final = "appsflyer_id"
_CUSTOMER: Final = "customer_user_id"
_DIGITS_OF_NO_ZERO: Final = frozenset("123456789")


def customer_to_look_up(kind: Kind, event: object) -> str | None:
    """The customer user id of an event whose AppsFlyer id must be looked up (M1), else None."""
    if kind is not Kind.MOBILE_EVENT or not isinstance(event, dict):
        return None
    own_id = event.get(_ID)
    if isinstance(own_id, str) and own_id[:1] in _DIGITS_OF_NO_ZERO:
        return None  # as of most events: neither blank nor a placeholder
    fields = names.resolve(event, mobile.VOCABULARY, is_given).fields
    if is_given(_ID, fields.get(_ID)):
        return None
    customer = read(fields.get(_CUSTOMER), FORMS[_CUSTOMER]).value
    return customer if isinstance(customer, str) else None


def prepare_with_lookup(
    kind: Kind,
    app: App,
    event: object,
    now: datetime,
    event_id: str | None,
    appsflyer_id: str | None = None,
) -> Prepared:
    """Like `prepare`, for an event whose AppsFlyer id may have to be looked up.

    It checks such an event with `appsflyer_id`, or with a stand-in while the id is unknown: all
    other findings and the event's size are known at once. `Prepared.event` has no id, so the next
    attempt looks it up again.
    """
    if not isinstance(event, dict) or customer_to_look_up(kind, event) is None:
        return prepare(kind, app, event, now, event_id)
    with_id = {**event, _ID: appsflyer_id or _STAND_IN}
    prepared = prepare(kind, app, with_id, now, event_id)
    without_id = {name: value for name, value in prepared.event.items() if name != _ID}
    content = prepared.content._replace(appsflyer_id=None)
    return prepared._replace(event=without_id, content=content)


def not_before_of(installed_at: datetime, now: datetime) -> datetime | None:
    """S3: the moment until which events wait after an install; None if they need not wait."""
    ready = installed_at + AFTER_INSTALL
    return ready if installed_at <= now < ready else None


def will_be_looked_up() -> Finding:
    """M1, for an entry point that does not look up ids itself."""
    return Finding(
        "M1",
        Severity.WARN,
        _ID,
        "is missing and will be looked up by customer_user_id before the event is sent: it waits "
        "until AppsFlyer has told of an install of this customer",
    )
