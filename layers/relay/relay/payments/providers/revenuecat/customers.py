"""Who a customer is: `TRANSFER` and `SUBSCRIBER_ALIAS`.

A customer who buys before logging in has an anonymous id, by which nobody knows whose money it is.
When the purchases are transferred to an id of the app's, what still waits is that customer's. A
transfer between two ids of the app's changes nothing: what was paid stays whose it was, and later
events name the new owner.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from relay.domain.movements import CustomerHints, Interpretation, Link
from relay.payments.providers.parsing import MOST_ELEMENTS, at, keep, text_or_none
from relay.payments.providers.revenuecat.event import Event

ANONYMOUS: Final = "$RCAnonymousID:"


def customer_user_id(event: Mapping[str, Any]) -> str | None:
    """The id that the app set, last seen first; anonymous ids are RevenueCat's and skipped."""
    single = (at(event, "app_user_id"), at(event, "original_app_user_id"))
    return _named_by_the_app([*single, *_listed(event, "aliases")])


def subscriber(event: Mapping[str, Any]) -> str | None:
    """A digest of the id that RevenueCat gave the customer first, which stays the same."""
    given = (at(event, "original_app_user_id"), at(event, "app_user_id"))
    return next((_digest(one) for one in _texts(given)), None)


def transferred(event: Mapping[str, Any]) -> dict[str, Any]:
    """Digests of the anonymous ids from which something was transferred, and to whom."""
    given = _texts(_listed(event, "transferred_from"))
    anonymous = [{"digest": _digest(one)} for one in given if one.startswith(ANONYMOUS)]
    known = _named_by_the_app(_listed(event, "transferred_to"))
    return {"from": anonymous, "customer_user_id": known} if anonymous and known else {}


def transfer(event: Event) -> Interpretation:
    """What the anonymous customers paid is the known one's."""
    hints = CustomerHints(customer_user_id=text_or_none(event.content, "customer_user_id"))
    refs = [f"customer:{one['digest']}" for one in event.content.get("from", [])]
    return Interpretation(tuple(Link(ref, hints=hints) for ref in refs))


def alias(event: Event) -> Interpretation:
    """The app's id of a customer who had none."""
    known = text_or_none(event.content, "customer_user_id")
    if event.customer is None or known is None:
        return Interpretation()
    return Interpretation((Link(event.customer, hints=CustomerHints(customer_user_id=known)),))


def _named_by_the_app(given: Iterable[object]) -> str | None:
    return next((one for one in _texts(given) if not one.startswith(ANONYMOUS)), None)


def _listed(event: Mapping[str, Any], name: str) -> list[object]:
    given = at(event, name)
    return given[:MOST_ELEMENTS] if isinstance(given, list) else []


def _texts(given: Iterable[object]) -> Iterator[str]:
    """Those that are texts of bounded length, without white space around them."""
    kept = (keep({"id": one}, {"id": None}).get("id") for one in given)
    return (one.strip() for one in kept if isinstance(one, str) and one.strip())


def _digest(app_user_id: str) -> str:
    return hashlib.sha256(app_user_id.encode()).hexdigest()[:32]
