"""Any sequence of do, undo, redo and retell ends at the right sum, in any order of arrival."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MOBILE_APP, Json
from tests.ledger_stories import Ledger, heard, played, sums

pytestmark = pytest.mark.untraced

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Step(NamedTuple):
    """What happens to one thing at a provider, and how often it is told of."""

    code: str
    reference: str
    minor: int
    worth: int
    """In minor units: what it adds to the merchant's balance."""
    hour: int
    told: tuple[int, ...] = (0,)
    """For each telling, how many minutes later its time is."""


TELLINGS = st.lists(st.integers(0, 30), max_size=2).map(lambda later: (0, *later))


def adyen(step: Step, late: int) -> Json:
    at = START + timedelta(hours=step.hour, minutes=late)
    item = {
        "additionalData": {
            "metadata.app_user_id": "user-1",
            "metadata.appsflyer_id": "1698765432100-1",
            "metadata.af_app_id": MOBILE_APP,
        },
        "amount": {"currency": "EUR", "value": step.minor},
        "eventCode": step.code,
        "eventDate": at.isoformat(),
        "merchantAccountCode": "M",
        "merchantReference": "order-1",
        "pspReference": step.reference,
        "success": "true",
        **({} if step.code == "AUTHORISATION" else {"originalReference": "P1"}),
    }
    return {"live": "true", "notificationItems": [{"NotificationRequestItem": item}]}


def rounds_of(codes: Sequence[str], worth: int) -> Iterator[tuple[str, int]]:
    """Doing and undoing by turns, and what each adds."""
    return zip(codes, cycle((worth, -worth)), strict=False)


@st.composite
def histories(draw: st.DrawFn, *, at_capture: bool) -> list[Step]:
    """What happens to a payment at Adyen, in its order."""
    hour, steps = iter(range(1000)), []

    def happen(code: str, reference: str, minor: int, worth: int) -> None:
        steps.append(Step(code, reference, minor, worth, next(hour), draw(TELLINGS)))

    captures = draw(st.sampled_from([(10000,), (6000, 4000), (5000, 5000)]))
    happen("AUTHORISATION", "P1", 10000, 0 if at_capture else 10000)
    for number, minor in enumerate(captures):
        for turn in range(draw(st.integers(1, 4))):
            code, worth = (("CAPTURE", minor), ("CAPTURE_FAILED", -minor))[turn % 2]
            is_first = turn == 0 and not at_capture
            happen(code, f"C{number}", minor, 0 if is_first else worth)
    for number in range(draw(st.integers(0, 2))):
        for turn in range(draw(st.integers(0, 4))):
            undone = draw(st.sampled_from(["REFUND_FAILED", "REFUNDED_REVERSED"]))
            happen(("REFUND", undone)[turn % 2], f"R{number}", 3000, (-3000, 3000)[turn % 2])
    disputes = ("CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK", "CHARGEBACK_REVERSED")
    for turn, code in enumerate(disputes[: draw(st.integers(0, 4))]):
        happen(code, "D1", 2000, (-2000, 2000)[turn % 2])
    return steps


@settings(max_examples=int(__import__("os").environ.get("N", "40")))
@given(st.data(), st.booleans())
def test_adyen_any_order_of_arrival_ends_at_the_right_sum(
    data: st.DataObject,
    at_capture: bool,  # noqa: FBT001 - drawn
) -> None:
    steps = data.draw(histories(at_capture=at_capture))
    told = [adyen(step, late) for step in steps for late in step.told]
    given_settings: dict[str, Any] = {"paid_at": "capture"} if at_capture else {}
    books = Ledger("EUR")
    for step in steps:
        books.balance += step.worth

    harness = played(
        books.story("adyen", data.draw(st.permutations(told)), settings=given_settings)
    )

    assert {code: amount * 100 for code, amount in sums(heard(harness)).items()} == books.sums()
    assert harness.dead == []
