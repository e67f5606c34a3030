"""Any sequence of do, undo, redo and retell ends at the right sum, in any order of arrival.

The sums are those of the provider's books (`Ledger`), in minor units.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.builders import MOBILE_APP, Json
from tests.support.ledger_stories import Ledger, heard, played, sums

pytestmark = pytest.mark.untraced

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHOSE = {
    "app_user_id": "user-1",
    "appsflyer_id": "1698765432100-1",
    "af_app_id": MOBILE_APP,
}


class Step(NamedTuple):
    """What happens to one thing at a provider."""

    kind: str
    reference: str
    minor: int
    worth: int
    """In minor units: what it adds to the merchant's balance."""
    hour: int
    about: str = ""


Happen = Callable[..., None]
Draw = Any


def adyen(step: Step, minutes_late: int) -> Json:
    item = {
        "additionalData": {f"metadata.{name}": value for name, value in WHOSE.items()},
        "amount": {"currency": "EUR", "value": step.minor},
        "eventCode": step.kind,
        "eventDate": (START + timedelta(hours=step.hour, minutes=minutes_late)).isoformat(),
        "merchantReference": "order-1",
        "pspReference": step.reference,
        "success": "true",
        **({} if step.kind == "AUTHORISATION" else {"originalReference": "P1"}),
    }
    return {"live": "true", "notificationItems": [{"NotificationRequestItem": item}]}


def happens_at_adyen(draw: Draw, happen: Happen, *, at_capture: bool) -> None:
    """A payment with one capture or two, each of which may fail and be repaired, and returns."""
    happen("AUTHORISATION", "P1", 10000, 0 if at_capture else 10000)
    for number, minor in enumerate(draw(st.sampled_from([(10000,), (6000, 4000), (5000, 5000)]))):
        for turn in range(draw(st.integers(1, 5))):
            kind, worth = (("CAPTURE", minor), ("CAPTURE_FAILED", -minor))[turn % 2]
            is_in_payment = turn == 0 and not at_capture
            happen(kind, f"C{number}", minor, 0 if is_in_payment else worth)
    for number in range(draw(st.integers(0, 2))):
        for turn in range(draw(st.integers(0, 4))):
            undone = draw(st.sampled_from(["REFUND_FAILED", "REFUNDED_REVERSED"]))
            happen(("REFUND", undone)[turn % 2], f"R{number}", 3000, (-3000, 3000)[turn % 2])
    disputes = ("CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK", "CHARGEBACK_REVERSED")
    for turn, kind in enumerate(disputes[: draw(st.integers(0, 4))]):
        happen(kind, "D1", 2000, (-2000, 2000)[turn % 2])


def paddle(step: Step, minutes_late: int) -> Json:
    """Each kind is an action and a status of an adjustment, or a transaction."""
    action, _, status = step.kind.partition(" ")
    totals = {"total": str(step.minor), "tax": str(step.minor // 6), "currency_code": "EUR"}
    at = START + timedelta(hours=step.hour, minutes=minutes_late)
    told = "created" if minutes_late else "updated"
    data: Json = {"id": step.reference, "customer_id": "ctm_1"}
    if action == "transaction":
        paid = {"grand_total": str(step.minor), "fee": "60", "earnings": str(step.minor - 60)}
        data |= {"origin": "web", "custom_data": WHOSE, "details": {"totals": {**totals, **paid}}}
    else:
        data |= {"action": action, "status": status, "transaction_id": "txn_1", "totals": totals}
    return {
        "event_id": f"evt_{step.hour}_{minutes_late}",
        "event_type": "transaction.completed" if not status else f"adjustment.{told}",
        "occurred_at": at.isoformat(),
        "data": data,
    }


def happens_at_paddle(draw: Draw, happen: Happen) -> None:
    """A transaction, and adjustments of all sorts. Each return is an adjustment of its own."""
    happen("transaction", "txn_1", 10000, 10000)
    for number in range(draw(st.integers(0, 4))):
        name, minor = f"adj_{number}", draw(st.integers(1, 2400))
        sort = draw(st.sampled_from(["refund", "chargeback", "credit", "chargeback_warning"]))
        ending = draw(st.sampled_from(["pending_approval", "rejected", "approved", "reversed"]))
        happen(f"{sort} pending_approval", name, minor, 0)
        if ending in {"pending_approval", "rejected"}:
            happen(f"{sort} {ending}", name, minor, 0)
            continue
        worth = minor if sort in {"refund", "chargeback"} else 0
        happen(f"{sort} approved", name, minor, -worth)
        if ending == "reversed":
            is_refund = sort == "refund"
            happen(f"{sort} reversed", name, minor, worth if is_refund else 0)
            if not is_refund:
                happen(f"{sort}_reverse approved", f"{name}_back", minor, worth)


def standard_webhooks(step: Step, minutes_late: int) -> Json:
    data: Json = {"id": step.reference, "amount": f"{Decimal(step.minor) / 100:.2f}"}
    if step.about:
        data["original_id"] = step.about
    else:
        data |= {"tax": "16.67", "fee": "0.60", "customer_user_id": "user-1"}
        data |= {"appsflyer_id": WHOSE["appsflyer_id"], "app_id": MOBILE_APP}
    at = START + timedelta(hours=step.hour, minutes=minutes_late)
    kind = f"payment.{step.kind}"
    return {"type": kind, "timestamp": at.isoformat(), "data": {**data, "currency": "EUR"}}


def happens_in_own_billing(draw: Draw, happen: Happen) -> None:
    """A payment, and returns that are reversed and made again under ids of their own."""
    happen("purchase", "p-1", 10000, 10000)
    names = (f"m-{number}" for number in count())
    for _ in range(draw(st.integers(0, 5))):
        taken, back = draw(
            st.sampled_from([("refund", "refund_reversed"), ("dispute", "dispute_won")])
        )
        name, minor = next(names), draw(st.integers(1, 1900))
        happen(taken, name, minor, -minor, about="p-1")
        if draw(st.booleans()):
            happen(back, next(names), minor, minor, about=name)


PROVIDERS: Mapping[str, tuple[Callable[..., None], Callable[[Step, int], Json], Json]] = {
    "adyen": (happens_at_adyen, adyen, {}),
    "adyen at capture": (happens_at_adyen, adyen, {"paid_at": "capture"}),
    "paddle": (happens_at_paddle, paddle, {}),
    "standard_webhooks": (happens_in_own_billing, standard_webhooks, {}),
}


def steps_of(draw: Draw, happens: Callable[..., None], **how: Any) -> Iterator[Step]:
    steps: list[Step] = []

    def happen(kind: str, reference: str, minor: int, worth: int, about: str = "") -> None:
        steps.append(Step(kind, reference, minor, worth, len(steps), about))

    happens(draw, happen, **how)
    return iter(steps)


@pytest.mark.parametrize("name", PROVIDERS)
@settings(max_examples=7)
@given(st.data())
def test_any_order_of_arrival_ends_at_the_right_sum(name: str, data: st.DataObject) -> None:
    happens, told, source = PROVIDERS[name]
    provider = name.partition(" ")[0]
    how = {"at_capture": bool(source)} if provider == "adyen" else {}
    steps = list(steps_of(cast("Draw", data.draw), happens, **how))
    # Adyen may repeat a webhook with another time; the others repeat it as it was.
    later = st.lists(st.sampled_from([0, 20] if provider == "adyen" else [0]), max_size=2)
    bodies = [told(step, late) for step in steps for late in (0, *data.draw(later))]
    books = Ledger("EUR", Decimal(sum(step.worth for step in steps)) / 100)
    order = data.draw(st.permutations(bodies))

    harness = played(books.story(provider, order, settings=source))

    assert sums(heard(harness)) == books.sums()
    assert harness.dead == []


@pytest.mark.parametrize("name", ["paddle", "standard_webhooks"])
@settings(max_examples=7, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_net_parts_of_all_the_money_add_up_to_nothing(name: str, data: st.DataObject) -> None:
    """Returns, reversals and returns again, until all is given back: nothing net is left."""
    _, told, _ = PROVIDERS[name]
    taken, back = ("refund approved", "refund reversed") if name == "paddle" else (
        "refund", "refund_reversed"
    )  # fmt: skip
    steps = [Step("transaction" if name == "paddle" else "purchase", "txn_1", 10000, 0, 0)]
    left = 10000
    while left:
        minor = min(left, data.draw(st.sampled_from([3333, 6667, 1001, 4999])))
        reference, hour = f"r{len(steps)}", len(steps)
        steps.append(Step(taken, reference, minor, 0, hour, "txn_1"))
        if data.draw(st.integers(0, 3)) == 0:
            own = reference if name == "paddle" else f"{reference}b"
            steps.append(Step(back, own, minor, 0, hour + 1, reference))
        else:
            left -= minor
    books = Ledger("EUR")
    order = data.draw(st.permutations([told(step, 0) for step in steps]))

    harness = played(books.story(name, order, rules={"revenue": "net_of_tax_and_fee"}))

    assert sums(heard(harness)) == {}
    assert harness.dead == []
