"""What is reported by endpoints of which API version of Stripe's, as docs/payments.md says."""

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from relay.exact_json import dumps
from relay.payments.providers import stripe
from relay.payments.providers.stripe.versions import NO_LINK, Version
from tests.support.builders import Json
from tests.support.every import every
from tests.support.ledger_stories import Heard, heard, played
from tests.support.payments_harness import PaymentsHarness
from tests.support.stripe_ledger import NAMES, StripeLedger
from tests.unit.layer.payments.test_stripe import SETTINGS

DOCS = Path(__file__).parents[4] / "docs" / "payments.md"
FIRST = Heard("FIRST", Decimal("10.00"), "USD")
PART, REST = Heard("FIRST", Decimal("-4.00"), "USD"), Heard("FIRST", Decimal("-6.00"), "USD")
OUTSIDE = Heard("RENEW", Decimal("7.00"), "USD")
RULES = {"names": NAMES}

VERSIONS: dict[str, tuple[str, str, bool]] = {
    # the row of the table, what tells of refunds, whether they can be matched to an invoice
    "2020-08-27": ("before 2024-10-28", "charge.refunded", True),
    "2024-06-20": ("before 2024-10-28", "charge.refunded", True),
    "2024-10-28.acacia": ("2024-10-28 to 2025-02-24", "refund.created", True),
    "2025-03-31.basil": ("2025-03-31 to 2025-05-28", "refund.created", False),
    "2025-05-28.basil": ("2025-03-31 to 2025-05-28", "refund.created", False),
    "2025-06-30.basil": ("2025-06-30 and later", "refund.created", True),
    "2026-10-28.endive": ("2025-06-30 and later", "refund.created", True),
}


def ledger_of(version: str) -> StripeLedger:
    """A first payment that is refunded in two parts, and a renewal that was paid outside Stripe."""
    ledger = StripeLedger(versions=[version])
    ledger.subscribe()
    ledger.invoice("1", 1000, "subscription_create")
    ledger.refund("a", "1", 400)
    ledger.refund("b", "1", 600)
    outside: Json = {"paid_out_of_band": True, "amount_paid": 0, "payment_intent": None}
    changes = outside if version < "2025-03-31" else {}
    ledger.invoice("2", 700, **changes)
    return ledger


def parts_dead(harness: PaymentsHarness) -> list[tuple[str, str, str]]:
    return [(one["type"], one["reason"], one.get("message", "")) for one in harness.dead]


def test_versions_report_what_the_table_says() -> None:
    wrong: dict[str, Any] = {}
    for version, (_, _, is_matched) in VERSIONS.items():
        harness = played(ledger_of(version).story("stripe", rules=RULES))
        expected = Counter([FIRST, OUTSIDE, *([PART, REST] if is_matched else [])])
        letter = ("refund.created", "original_unknown", NO_LINK.text)
        dead = [] if is_matched else [letter, letter]
        if (heard(harness), parts_dead(harness)) != (expected, dead):
            wrong[version] = heard(harness), parts_dead(harness)

    assert wrong == {}


def test_table_in_the_docs_is_this_one() -> None:
    text = DOCS.read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| `([a-z.]+)` \| (yes|no)\b", text, re.MULTILINE)

    assert {(row, told_by, matched == "yes") for row, told_by, matched in rows} == set(
        VERSIONS.values()
    )


def test_webhooks_of_a_version_that_cannot_be_matched_say_so_when_they_come_in() -> None:
    wrong = []
    for version, (_, _, is_matched) in VERSIONS.items():
        for body in ledger_of(version).webhooks:
            (webhook,) = stripe.parse(dumps(body), SETTINGS)
            is_about_it = body["type"] in {"invoice.paid", "refund.created"}
            expected = (NO_LINK,) if is_about_it and not is_matched else ()
            if webhook.caveats != expected:
                wrong.append((version, body["type"], webhook.caveats))

    assert wrong == []


@every("given", [None, 7, "", "soon", "2025-04", "2025-04-30 basil"])
def test_version_that_is_none_is_the_newest(given: object) -> None:
    version = Version.of(given)

    assert version.has_refund_events
    assert version.links_payments
    assert not version.refunds_what_is_not_captured


def told_refund(version: str, **fields: Any) -> Counter[Heard]:
    """A payment of 6.00 of which 10.00 were authorised, and a refund."""
    ledger = StripeLedger(versions=[version])
    ledger.invoice("1", 600, "subscription_create")
    ledger.paid["1"] = 1000
    ledger.refund("a", "1", 400)
    for body in ledger.webhooks:
        thing = body["data"]["object"]
        if thing["object"] == "charge":
            thing["amount_captured"] = 600
        if thing["object"] == "refund":
            thing |= fields
    return heard(played(ledger.story("stripe", rules=RULES)))


PAID = Heard("FIRST", Decimal("6.00"), "USD")


@every(
    "version, fields, refunded",
    [
        ("2024-06-20", {}, []),
        ("2024-10-28.acacia", {"balance_transaction": None}, []),
        ("2024-10-28.acacia", {}, [PART]),
        # Not done yet: it has no balance transaction either.
        ("2024-10-28.acacia", {"balance_transaction": None, "status": "pending"}, [PART]),
        # No longer made of what was not captured.
        ("2026-10-28.endive", {"balance_transaction": None}, [PART]),
    ],
)
def test_refund_of_what_was_never_captured_is_none(
    version: str, fields: Json, refunded: list[Heard]
) -> None:
    assert told_refund(version, **fields) == Counter([PAID, *refunded])


def test_cancelled_charge_of_an_older_version_gives_nothing_back() -> None:
    ledger = StripeLedger(versions=["2024-06-20"])
    ledger.invoice("1", 1000, "subscription_create")
    ledger.refund("a", "1", 1000)
    ledger.webhooks[-1]["data"]["object"] |= {"amount_captured": None, "captured": False}

    harness = played(ledger.story("stripe", rules=RULES))

    assert (heard(harness), harness.dead) == (Counter([FIRST]), [])


def test_refund_that_two_endpoints_tell_of_is_one_and_so_is_its_failure() -> None:
    ledger = StripeLedger(versions=["2024-06-20", "2026-10-28.endive"])
    ledger.invoice("1", 1000, "subscription_create")
    ledger.refund("a", "1", 400)
    ledger.refund_fails("a", "1", 400)
    back = Heard("FIRST", Decimal("4.00"), "USD")

    for order in (ledger.webhooks, ledger.webhooks[::-1]):
        harness = played(ledger.story("stripe", order, rules=RULES))
        assert (heard(harness), harness.dead) == (Counter([FIRST, PART, back]), [])


def test_refund_that_is_told_as_a_charge_without_what_it_was_before_is_kept() -> None:
    ledger = StripeLedger(versions=["2024-06-20"])
    ledger.invoice("1", 1000, "subscription_create")
    ledger.refund("a", "1", 400)
    del ledger.webhooks[-1]["data"]["previous_attributes"]

    harness = played(ledger.story("stripe", rules=RULES))

    assert [(type_, reason) for type_, reason, _ in parts_dead(harness)] == [
        ("charge.refunded", "unreadable")
    ]
