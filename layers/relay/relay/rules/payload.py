"""The result of checking one event, and how its body is written: the same on both surfaces."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, dumps_with_room


class Content(NamedTuple):
    """What makes an event this one and no other: name, money, person, time. As it is sent."""

    name: str | None
    """`eventName` (M2), `event_name` (W2); of a visit its `event_url` (W6)."""
    revenue: object
    """`af_revenue` (M4), `event_revenue` (W3): text or number; None without revenue."""
    currency: str | None
    """`eventCurrency` (M5), `event_revenue_currency` (W4)."""
    appsflyer_id: str | None
    """M1, W1. None if it was looked up: then it is not the sender's."""
    customer_user_id: str | None
    """M19, W1."""
    email_hashed: str | None
    """H1. Not the hashes of a phone number: they depend on the app's settings (H5)."""
    time: datetime | None
    """`eventTime` (M6), `timestamp` (W7), if it can be read."""


class CheckedEvent(NamedTuple):
    """A checked event. Rejected events have one too, because their hashes are needed."""

    body: bytes
    hashes: Mapping[str, str]
    has_revenue: bool
    content: Content


def write(body: Mapping[str, Any], rules: Mapping[str, str], findings: Findings) -> bytes:
    """The body as it is sent (E5).

    A field without a JSON form is rejected under its own rule, which is in `rules`.
    """
    try:
        return dumps_with_room(body)
    except UnwritableError:
        _reject_unwritable(body, rules, findings)
        return b""


def _reject_unwritable(
    body: Mapping[str, Any], rules: Mapping[str, str], findings: Findings
) -> None:
    for field, value in body.items():
        try:
            dumps_with_room({field: value})
        except UnwritableError as error:
            findings.reject(rules.get(field, "E3"), field, str(error))
