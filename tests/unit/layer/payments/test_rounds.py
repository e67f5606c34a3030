"""What is done, undone and done again under one id: which movement each telling is.

Each case is a row of tellings of Adyen's, in the order of their arrival: what is told, of what, at
which hour by Adyen's clock; and the ids of the movements that are decided.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.aws.parameter_store import ParameterStore
from relay.config.apps import Apps
from relay.domain.movements import NEGATIVE, REVERSALS, MovementKind, Ref
from relay.domain.payment_rules import SourceApps
from relay.instants import to_milliseconds
from relay.payments.decide import Decider
from relay.payments.errors import UncountedError
from relay.payments.providers import adyen
from relay.payments.providers.adyen.item import content_of
from relay.payments.providers.adyen.settings import AdyenSettings
from relay.payments.rounds import in_its_round
from relay.stores.decision import Decision
from relay.stores.money_trail import Trail, TrailLookup
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.builders import MOBILE_APP, Json
from tests.support.every import every
from tests.support.ledger_stories import tell
from tests.support.payments_harness import SECRETS, PaymentsHarness

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAYMENTS = frozenset({MovementKind.PURCHASE})
SETTINGS = AdyenSettings(provider="adyen", apps=SourceApps())
AT_CAPTURE = SETTINGS.model_copy(update={"payment_event": "capture"})


def item(code: str, reference: str, hour: int, success: str = "true", reason: str = "") -> Json:
    return {
        "additionalData": {"shopperReference": "user-1"},
        "amount": {"currency": "EUR", "value": 1000},
        "eventCode": code,
        "eventDate": (START + timedelta(hours=hour)).isoformat(),
        "pspReference": reference,
        "success": success,
        "reason": reason,
        **({} if code == "AUTHORISATION" else {"originalReference": "P1"}),
    }


class World:
    """A money trail, and the ids of what has been decided, with + or -."""

    def __init__(self, settings: AdyenSettings, parts_have_names: bool = True) -> None:  # noqa: FBT001, FBT002 - as release 0.1 had none
        self.settings = settings
        self.trail = Trail(MemoryTable(), 400, lambda: START)
        self.parts_have_names = parts_have_names
        self.decided: list[str] = []

    def hear(self, code: str, *about: Any) -> bool:
        """Whether the telling is done with: else it waits for its original."""
        told = adyen.interpret(code, content_of(item(code, *about), self.settings), self.settings)
        self.trail.learn("shop", told.links)
        movement = told.movement or told.perhaps
        if movement is None:
            return True
        try:
            placed = in_its_round(self.trail, "shop", movement)
        except UncountedError:
            return True
        lookup = self.trail.look_up("shop", [placed.ref, placed.original_ref or placed.ref])
        if placed.ref in lookup.decisions:
            return True
        originals = NEGATIVE if placed.kind in REVERSALS else PAYMENTS
        if placed.original_ref and lookup.first(originals) is None:
            return False
        decision = Decision(
            kind=placed.kind,
            id=placed.id,
            at=to_milliseconds(placed.at),
            decided_at=0,
            surface="mobile",
            app_id="id1",
            part=placed.part if self.parts_have_names else None,
        )
        self.trail.decide("shop", placed.ref, decision)
        self.decided.append(f"{'-' if placed.kind in NEGATIVE else '+'}{placed.id}")
        return True

    def hear_all(self, tellings: str) -> list[str]:
        """Each telling is `<code> <reference> <hour> [<success> <reason>]`; those that wait do."""
        waiting = [tuple(telling.split()) for telling in tellings.split(", ")]
        for _ in range(len(waiting)):
            waiting = [
                (code, reference, hour, *more)
                for code, reference, hour, *more in waiting
                if not self.hear(_CODES[code], reference, int(hour), *more)
            ]
        assert waiting == []
        return self.decided


_CODES = {
    "auth": "AUTHORISATION",
    "capture": "CAPTURE",
    "uncapture": "CAPTURE_FAILED",
    "refund": "REFUND",
    "unrefund": "REFUND_FAILED",
    "reversed": "REFUNDED_REVERSED",
    "dispute": "CHARGEBACK",
    "won": "CHARGEBACK_REVERSED",
    "lost": "SECOND_CHARGEBACK",
}
REPAIR = "true Auto-recaptured"


@every(
    "tellings, decided",
    [
        # In the order of what happened, and each told again.
        ("capture C 1, uncapture C 2, capture C 3", "+P1 -C +C:captured"),
        ("capture C 1, uncapture C 1, capture C 3", "+P1 -C +C:captured"),
        (f"capture C 1, uncapture C 1, capture C 1 {REPAIR}", "+P1 -C +C:captured"),
        (
            "capture C 1, uncapture C 2, capture C 3, uncapture C 4, capture C 5",
            "+P1 -C +C:captured -C:2 +C:captured:2",
        ),
        ("capture C 1, capture C 1, capture C 4", "+P1"),
        ("capture C 1, uncapture C 2, uncapture C 3, capture C 4, capture C 5",
         "+P1 -C +C:captured"),
        # Parts.
        ("capture C 1, capture B 1, capture B 1, capture C 1", "+P1 +P1:B"),
        ("capture C 1, capture B 1, uncapture B 2, capture B 3, capture C 1",
         "+P1 +P1:B -B +B:captured"),
        # Late: the sum is that of capture, failure and capture.
        ("capture C 1, capture C 3, uncapture C 2", "+P1"),
        ("capture C 3, uncapture C 2, capture C 1", "+P1 -C +C:captured"),
        ("capture C 3, capture C 1, uncapture C 2, capture C 3", "+P1"),
        ("uncapture C 2, capture C 3, capture C 1", "+P1"),
        ("capture A 9, uncapture C 2, uncapture C 6, capture C 5", "+P1 -C"),
        ("capture C 1, uncapture C 2, uncapture C 4, capture C 3", "+P1 -C"),
    ],
)  # fmt: skip
def test_capture_is_done_and_undone_by_the_times_that_are_told(tellings: str, decided: str) -> None:
    assert World(AT_CAPTURE).hear_all(tellings) == decided.split()


@every(
    "tellings, decided",
    [
        ("capture C 1, capture B 1, capture C 1", ""),
        ("capture C 1, uncapture C 2, capture C 3, capture C 1", "-C +C:captured"),
        ("uncapture C 1, capture C 1", "-C"),
        (f"capture C 1, uncapture C 1, capture C 1 {REPAIR}", "-C +C:captured"),
        ("capture C 3, uncapture C 2, capture C 1", ""),
        ("refund R 1, unrefund R 2, refund R 3, reversed R 4", "-R +R:failed -R:2 +R:failed:2"),
        ("refund R 1, unrefund R 2, reversed R 3", "-R +R:failed"),
        ("unrefund R 2, refund R 1", "-R +R:failed"),
        ("refund R 1, refund R 3, unrefund R 2", "-R"),
        ("refund R 1 false, refund R 2", "-R"),
        ("refund R 2, refund R 1 false", "-R"),
        ("refund R 1, refund R 2 false, unrefund R 2", "-R +R:failed"),
        ("refund R 2 false, refund R 1", ""),
        ("dispute D 1, won D 2, lost D 3, won D 4", "-D +D:won -D:second +D:won:2"),
        ("lost D 3, dispute D 1, won D 2", "-D:second -D +D:won"),
        ("dispute D 1, won D 2, dispute D 1, dispute D 3", "-D +D:won -D:2"),
    ],
)
def test_authorised_payment_is_taken_back_and_brought_back(tellings: str, decided: str) -> None:
    assert World(SETTINGS).hear_all(f"auth P1 0, {tellings}") == ["+P1", *decided.split()]


def test_capture_that_release_0_1_decided_is_the_payment_whatever_its_name() -> None:
    """It named no part: the next telling of the payment's capture is no second one."""
    world = World(AT_CAPTURE, parts_have_names=False)
    world.hear_all("capture C 1")

    assert world.hear_all("capture C 1, uncapture C 2, capture C 3") == ["+P1", "-C", "+C:captured"]


def test_reversal_is_of_the_latest_that_it_may_reverse() -> None:
    world = World(SETTINGS)
    world.hear_all("auth P1 0, dispute D 1, won D 2, lost D 3")
    told = adyen.interpret(
        "CHARGEBACK_REVERSED",
        content_of(item("CHARGEBACK_REVERSED", "D", 4), SETTINGS),
        SETTINGS,
    )
    assert told.movement is not None

    placed = in_its_round(world.trail, "shop", told.movement)

    assert placed is not None
    assert (placed.ref, placed.original_ref) == ("dispute:D:won:2", "dispute:D:second")


class Overtaken(Trail):
    """Another process decides about another capture just after this one has looked."""

    def read(self, source: str, refs: Iterable[Ref]) -> TrailLookup:
        found = super().read(source, refs)
        self.decide(source, "payment:P1", OTHER)
        return found


OTHER = Decision(
    kind=MovementKind.PURCHASE,
    id="P1",
    at=to_milliseconds(START),
    decided_at=to_milliseconds(START),
    surface="mobile",
    app_id=MOBILE_APP,
    currency="EUR",
    gross="10.00",
    part="B",
)


def test_capture_whose_ref_another_has_just_taken_gets_one_of_its_own() -> None:
    harness = PaymentsHarness()
    trail = Overtaken(MemoryTable(), 400, harness.clock)
    store = ParameterStore(harness.ssm.client(), "/relay", harness.clock.seconds)
    apps = Apps(store, harness.clock.seconds)
    decider = Decider(apps, trail, harness.identities, harness.clock)
    harness.installed("user-1")
    told = adyen.interpret("CAPTURE", content_of(item("CAPTURE", "C", 1), AT_CAPTURE), AT_CAPTURE)
    settings = AdyenSettings.model_validate(
        {"provider": "adyen", "apps": {"mobile": [MOBILE_APP]}, "paid_at": "capture"}
    )
    trail.learn("shop", told.links)
    assert told.movement is not None

    decided = decider.decide("shop", settings, told.movement, test=False)

    assert decided is not None
    assert (decided.decision.id, decided.decision.part) == ("P1:C", "C")


def test_telling_that_is_no_movement_is_learnt_from() -> None:
    harness = PaymentsHarness()
    harness.add_source("adyen", "adyen", SECRETS["adyen"])
    told = [
        item("AUTHORISATION", "P1", 0),
        item("CAPTURE", "C", 1),
        item("REFUND", "R", 2, success="false"),
    ]
    harness.installed("user-1")

    for one in told:
        wrapped = {"live": "true", "notificationItems": [{"NotificationRequestItem": one}]}
        tell(harness, "adyen", wrapped)

    assert [event["event_id"] for event in harness.mobile] == ["adyen:P1"]
    assert (harness.waiting, harness.dead) == ([], [])
    assert harness.trail.forget("user-1") == 4
    assert len(harness.trail_table) == 0
