"""M5 across fields: a currency for revenue, from the event value where there is one."""

from typing import Any, Final

from relay.rules.leniency import ascii_upper, trim
from relay.rules.mobile.context import CheckContext
from relay.rules.money import (
    LISTED_CURRENCIES,
    currency_inside,
    is_known_currency,
    warn_of_unlisted_currency,
)
from relay.rules.payload import is_given

FIELD: Final = "eventCurrency"
_INSIDE: Final = "eventValue.af_currency"


def settle_currency(context: CheckContext, room: int) -> bool:
    """Fills or misses the currency, or warns that there are two; returns whether it filled it.

    `room` is how many bytes more the body may have.
    """
    inside = currency_inside(context.money.value)
    if inside is None and FIELD in context.body:
        return False
    given = context.fields.get(FIELD)
    if is_given(FIELD, given):
        if inside is not None and isinstance(given, str) and ascii_upper(trim(given)) != inside:
            context.findings.warn(
                "M5", FIELD, f"and {_INSIDE} are different currencies: AppsFlyer counts the "
                "revenue in eventCurrency; send the same in both, or one of them",
            )  # fmt: skip
    elif context.money.is_at_the_top:
        return _fill(inside, room, context)
    return False


def _fill(inside: str | None, room: int, context: CheckContext) -> bool:
    if inside is None:
        hint = ""
    elif not is_known_currency(inside):
        hint = f"; {_INSIDE} is no code that AppsFlyer lists"
    elif room < _BYTES_OF_A_CURRENCY:
        hint = f"; {_INSIDE} would no longer fit"
    else:
        _insert(inside, context)
        return True
    context.findings.warn(
        "M5", FIELD, "is missing for an event with revenue: AppsFlyer assumes the app's default "
        f"currency{hint}",
    )  # fmt: skip
    return False


_BYTES_OF_A_CURRENCY: Final = len(f',"{FIELD}":"USD"')


def _insert(code: str, context: CheckContext) -> None:
    """The currency goes where it stands in every body, behind the value."""
    body: dict[str, Any] = {}
    for field, value in context.body.items():
        body[field] = value
        if field == "eventValue":
            body[FIELD] = code
    context.body = body
    context.findings.repair("M5", FIELD, f"was missing; filled from {_INSIDE}")
    if code not in LISTED_CURRENCIES:
        warn_of_unlisted_currency(code, "M5", FIELD, context.findings)
