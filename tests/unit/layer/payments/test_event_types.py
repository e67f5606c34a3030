"""Each type in the providers' current lists is counted, ignored for a reason, or left to a person.

`tests/data/event_types` holds the lists, with source and date. A type that is unknown on purpose
becomes a dead letter: what it does to the money differs, so a person should look.
"""

import ast
import json
from importlib.metadata import version
from pathlib import Path

from stripe.params import _webhook_endpoint_create_params

from relay.domain.movements import Interpretation, MovementKind, ParsedWebhook, Treatment
from relay.payments.providers.registry import PROVIDERS
from relay.payments.providers.revenuecat.kinds import COUNTED, IGNORED
from tests.support.builders import Json
from tests.support.every import every
from tests.support.paddle_sdk import EventTypeName
from tests.support.providers import DATA, body_of, settings_of


def listed(provider: str) -> Json:
    path = DATA / "event_types" / f"{provider}.json"
    content: Json = json.loads(path.read_text("utf-8"))
    return content


def webhook(provider: str, name: str) -> Json:
    match provider:
        case "paddle":
            data = {"id": "x_1", "custom_data": {"app_user_id": "u1"}}
            return {"event_id": "evt_1", "event_type": name, "data": data}
        case "stripe":
            thing = {"id": "x_1", "metadata": {"app_user_id": "u1"}}
            return {"id": "evt_1", "object": "event", "type": name, "data": {"object": thing}}
        case "revenuecat":
            return {"event": {**revenuecats_renewal(), "type": name}}
        case "adyen" if name.isupper():
            item = {"eventCode": name, "pspReference": "P1", "success": "true"}
            return {"live": "true", "notificationItems": [{"NotificationRequestItem": item}]}
        case _:
            return {"type": name, "environment": "live"}


def revenuecats_renewal() -> Json:
    path = DATA / "webhooks" / "revenuecat_renewal_trial_conversion.json"
    content: Json = json.loads(path.read_text("utf-8"))["event"]
    return content


def told(provider: str, content: Json) -> ParsedWebhook:
    (found,) = PROVIDERS[provider].parse(body_of(content), settings_of(provider))
    return found


@every("provider, least", [("adyen", 50), ("paddle", 60), ("stripe", 250), ("revenuecat", 23)])
def test_each_listed_type_has_its_treatment_and_its_reason(provider: str, least: int) -> None:
    found = {name: told(provider, webhook(provider, name)) for name in listed(provider)["types"]}
    why = PROVIDERS[provider].why_ignored

    unknown = {name for name, one in found.items() if one.treatment is Treatment.UNKNOWN}
    ignored = {name for name, one in found.items() if one.treatment is Treatment.IGNORED}
    assert len(found) >= least
    assert unknown == set(listed(provider).get("unknown_on_purpose", ()))
    assert {name for name in ignored if not why(name)} == set()
    assert {name for name in ignored | unknown if found[name].content} == set()


# Those that could be taken for money, and those that tell of the same money once more.
@every(
    "provider, kind, reason",
    [
        # Nothing of the customer's balance, and what was overpaid, is a payment for anything yet.
        ("stripe", "invoice.overpaid", "balance"),
        ("stripe", "customer_cash_balance_transaction.created", "balance"),
        ("stripe", "cash_balance.funds_available", "balance"),
        ("stripe", "payment_intent.partially_funded", "balance"),
        ("stripe", "billing.credit_grant.created", "credit"),
        ("stripe", "billing.meter.updated", "use that is measured"),
        ("stripe", "financial_connections.account.created", "bank account"),
        ("stripe", "invoice.payment_succeeded", "the same payment"),
        ("stripe", "charge.succeeded", "same payment"),
        ("stripe", "charge.captured", "same payment"),
        ("stripe", "charge.refunded", "the same refund"),
        ("stripe", "charge.refunded", "refund.created tells"),
        ("stripe", "charge.refund.updated", "refund"),
        ("stripe", "customer.subscription.resumed", "subscription"),
        ("stripe", "customer.subscription.trial_will_end", "subscription"),
        ("stripe", "payment_intent.created", "no money was moved"),
        ("stripe", "customer.created", "about a person"),
        ("stripe", "customer.source.updated", ""),
        ("stripe", "invoice.finalized", "no money was moved"),
        ("stripe", "credit_note.created", ""),
        ("stripe", "product.updated", ""),
        ("stripe", "issuing_card.created", ""),
        ("stripe", "radar.early_fraud_warning.created", ""),
        ("stripe", "payout.paid", "between Stripe and the account"),
        ("paddle", "transaction.paid", "the same payment"),
        ("paddle", "transaction.billed", ""),
        ("paddle", "invoice.paid", ""),
        ("paddle", "customer.created", ""),
        ("paddle", "payout.paid", ""),
        ("paddle", "report.created", ""),
        ("adyen", "NOTIFICATION_OF_CHARGEBACK", "moves no money"),
        ("adyen", "REPORT_AVAILABLE", ""),
        ("adyen", "recurring.token.created", "no money"),
        ("revenuecat", "SUBSCRIPTION_EXTENDED", "the same money"),
    ],
)
def test_type_that_is_no_new_money_is_ignored_for_its_true_reason(
    provider: str, kind: str, reason: str
) -> None:
    assert told(provider, webhook(provider, kind)).treatment is Treatment.IGNORED
    assert PROVIDERS[provider].why_ignored(kind) != ""
    assert reason in PROVIDERS[provider].why_ignored(kind)


def test_type_that_counts_at_times_has_a_reason_for_when_it_does_not() -> None:
    assert "does not say whose" in PROVIDERS["stripe"].why_ignored("payment_intent.succeeded")
    assert "did not succeed, or" in PROVIDERS["adyen"].why_ignored("CAPTURE")


# The lists themselves, which are written anew with a new release of the libraries


def test_paddles_list_is_that_of_the_library_that_is_installed() -> None:
    kinds = {str(kind) for kind in vars(EventTypeName).values() if isinstance(kind, EventTypeName)}

    assert set(listed("paddle")["types"]) == kinds


def types_of_stripes_library() -> set[str]:
    """Every type that an endpoint can ask for, as the library's annotations name them."""
    tree = ast.parse(Path(_webhook_endpoint_create_params.__file__).read_text("utf-8"))
    return {
        node.value
        for field in ast.walk(tree)
        if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "enabled_events"
        for node in ast.walk(field.annotation)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != "*"
    }


def test_stripes_list_is_that_of_the_library_that_is_installed() -> None:
    stripes = listed("stripe")

    assert types_of_stripes_library() <= set(stripes["types"])
    assert stripes["sdk"] == f"stripe {version('stripe')}"


def test_stripes_thin_events_hold_nothing_that_could_be_counted() -> None:
    thin = {"id": "evt_1", "object": "v2.core.event"}
    kinds = listed("stripe")["thin_types"]

    assert {told("stripe", {**thin, "type": kind}).treatment for kind in kinds} == {
        Treatment.UNKNOWN
    }


# RevenueCat's list says how each is treated, and each reason of an end


def meaning(**event: object) -> Interpretation:
    one = told("revenuecat", {"event": {**revenuecats_renewal(), **event}})
    return PROVIDERS["revenuecat"].interpret(one.type, one.content, settings_of("revenuecat"))


def kind_of(field: str, reason: str) -> MovementKind | None:
    kind = "CANCELLATION" if field == "cancel_reason" else "EXPIRATION"
    movement = meaning(type=kind, **{field: reason}).movement
    return movement.kind if movement else None


def test_revenuecats_types_and_reasons_are_treated_as_its_list_says() -> None:
    revenuecats = listed("revenuecat")
    types = revenuecats["types"]
    found = {name: told("revenuecat", webhook("revenuecat", name)).treatment for name in types}
    reasons = {
        field: {reason: kind_of(field, reason) for reason in of_field}
        for field, of_field in revenuecats["reasons"].items()
    }

    assert found == types
    assert reasons == revenuecats["reasons"]
    assert set(COUNTED) | set(IGNORED) == {name.upper() for name in types}
