"""Webhooks as the five providers send them, for one customer's story.

The bodies are the providers' samples (`tests/data/webhooks`) with ids, amounts and times of their
own, signed by the providers' own SDKs where there is one.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import Adyen.util
import stripe
from standardwebhooks import Webhook as StandardWebhook

from tests.support.paddle_sdk import PaddleSignature

DATA = Path(__file__).parents[1] / "data" / "webhooks"
APP = "id123456789"
APPSFLYER_ID = "1698765432100-1234567890123456789"
PERSON = "jane.roe@example.com"
"""Stands in the bodies as the providers put it there; the relay must keep it nowhere."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Posted:
    """One webhook: what is posted to `/v1/payments/<provider>/<source>`."""

    headers: Mapping[str, str]
    body: bytes


def sample(name: str) -> Json:
    content: Json = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return content


def present() -> datetime:
    """The moment of everything in a story; only what a signature says must be fresh."""
    return datetime.now(UTC).replace(microsecond=0)


def _text(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


class Account(ABC):
    """An account at a provider, with one customer who has one subscription.

    A payment is 59.49 EUR. Each method gives all the webhooks by which the provider tells of that
    one thing, second tellings included; none where the provider tells of no such thing.
    """

    def __init__(self, secret: str, customer: str) -> None:
        self.secret = secret
        self.customer = customer
        self.name = customer.replace("-", "")
        self.start = present()

    def hints(self) -> dict[str, str]:
        return {
            "app_user_id": self.customer,
            "appsflyer_id": APPSFLYER_ID,
            "platform": "ios",
            "af_app_id": APP,
        }

    @abstractmethod
    def trial(self) -> list[Posted]: ...

    @abstractmethod
    def renewal(self, number: int) -> list[Posted]: ...

    @abstractmethod
    def refund(self, number: int, part: int, minor: int) -> list[Posted]: ...

    @abstractmethod
    def refund_came_back(self, number: int, part: int, minor: int) -> list[Posted]: ...

    @abstractmethod
    def dispute(self, number: int) -> list[Posted]:
        """The money is taken away."""

    def dispute_lost(self, number: int) -> list[Posted]:
        """It is said to be gone for good, where a provider says so."""
        del number
        return []

    @abstractmethod
    def dispute_won(self, number: int) -> list[Posted]: ...


class Stripe(Account):
    def _event(self, kind: str, name: str, **fields: Any) -> Posted:
        event = sample(name)
        thing = event["data"]["object"]
        thing.update(fields)
        event.update(id=f"evt_{kind}_{thing['id']}", type=kind, created=self._unix())
        return self.signed(event)

    def _unix(self) -> int:
        return int(self.start.timestamp())

    def signed(self, event: Json) -> Posted:
        text = _text(event)
        signature = stripe.WebhookSignature.generate_signature_header(text, self.secret)
        return Posted({"stripe-signature": signature}, text.encode())

    def of_version(self, version: str) -> Posted:
        """A first payment, as an endpoint of this API version hears of it."""
        return self.signed({**sample("stripe_invoice_paid_first"), "api_version": version})

    def of_account(self, account: str) -> Posted:
        """A first payment of a connected account."""
        return self.signed({**sample("stripe_invoice_paid_first"), "account": account})

    @property
    def subscription(self) -> str:
        return f"sub_{self.name}"

    def _invoice(self, number: int, kind: str, template: str, reason: str) -> Posted:
        invoice = sample(template)["data"]["object"]
        parent = invoice["parent"]
        parent["subscription_details"] |= {
            "subscription": self.subscription,
            "metadata": self.hints(),
        }
        line = copy.deepcopy(invoice["lines"])
        for one in line["data"]:
            one["metadata"] = self.hints()
        return self._event(
            kind,
            template,
            id=f"in_{self.name}_{number}",
            billing_reason=reason,
            customer=f"cus_{self.name}",
            parent=parent,
            lines=line,
            status_transitions=invoice["status_transitions"] | {"paid_at": self._unix()},
        )

    def trial(self) -> list[Posted]:
        created = self._event(
            "customer.subscription.created",
            "stripe_customer_subscription_created_trial",
            id=self.subscription,
            customer=f"cus_{self.name}",
            metadata=self.hints(),
        )
        return [
            created,
            self._invoice(
                0, "invoice.paid", "stripe_invoice_paid_trial_zero", "subscription_create"
            ),
        ]

    def renewal(self, number: int) -> list[Posted]:
        """59.49 EUR; told as Stripe tells it: three types for one payment."""
        template, reason = "stripe_invoice_paid_renewal", "subscription_cycle"
        return [
            self._invoice(number, "invoice.paid", template, reason),
            self._invoice(number, "invoice.payment_succeeded", template, reason),
            self._event(
                "invoice_payment.paid",
                "stripe_invoice_payment_paid",
                id=f"inpay_{self.name}_{number}",
                invoice=f"in_{self.name}_{number}",
                payment={"payment_intent": f"pi_{self.name}_{number}", "type": "payment_intent"},
            ),
        ]

    def _refund(self, kind: str, number: int, part: int, **fields: Any) -> Posted:
        return self._event(
            kind,
            "stripe_refund_created",
            id=f"re_{self.name}_{number}_{part}",
            charge=f"ch_{self.name}_{number}",
            customer=f"cus_{self.name}",
            payment_intent=f"pi_{self.name}_{number}",
            created=self._unix(),
            **fields,
        )

    def refund(self, number: int, part: int, minor: int) -> list[Posted]:
        return [
            self._refund("refund.created", number, part, amount=minor, status="pending"),
            self._refund("refund.updated", number, part, amount=minor, status="pending"),
            self._refund("charge.refund.updated", number, part, amount=minor, status="pending"),
        ]

    def refund_came_back(self, number: int, part: int, minor: int) -> list[Posted]:
        return [
            self._refund("refund.updated", number, part, amount=minor, status="failed"),
            self._refund("refund.failed", number, part, amount=minor, status="failed"),
        ]

    def _dispute(self, kind: str, number: int, status: str) -> Posted:
        return self._event(
            f"charge.dispute.{kind}",
            "stripe_charge_dispute_created",
            id=f"du_{self.name}_{number}",
            amount=5949,
            status=status,
            charge=f"ch_{self.name}_{number}",
            payment_intent=f"pi_{self.name}_{number}",
        )

    def dispute(self, number: int) -> list[Posted]:
        return [
            self._dispute(kind, number, "needs_response") for kind in ("created", "funds_withdrawn")
        ]

    def dispute_lost(self, number: int) -> list[Posted]:
        return [self._dispute("closed", number, "lost")]

    def dispute_won(self, number: int) -> list[Posted]:
        return [self._dispute(kind, number, "won") for kind in ("closed", "funds_reinstated")]


class Paddle(Account):
    def _event(self, kind: str, name: str, **fields: Any) -> Posted:
        event = sample(name)
        thing = event["data"]
        thing.update(fields)
        moment = f"{self.start:%Y-%m-%dT%H:%M:%S}.000000Z"
        event.update(event_id=f"evt_{kind}_{thing['id']}", event_type=kind, occurred_at=moment)
        text = _text(event)
        stamp = str(int(present().timestamp()))
        digest = PaddleSignature.calculate_hmac(self.secret, f"{stamp}:{text}".encode())
        return Posted({"paddle-signature": f"ts={stamp};h1={digest.hexdigest()}"}, text.encode())

    def _mine(self) -> Json:
        return {"customer_id": f"ctm_{self.name}"}

    def trial(self) -> list[Posted]:
        return [
            self._event(
                "subscription.created",
                "paddle_subscription_created_trial",
                id=f"sub_{self.name}",
                transaction_id=f"txn_{self.name}_0",
                custom_data=self.hints(),
                **self._mine(),
            )
        ]

    def renewal(self, number: int) -> list[Posted]:
        return [
            self._event(
                kind,
                "paddle_transaction_completed_renewal",
                id=f"txn_{self.name}_{number}",
                subscription_id=f"sub_{self.name}",
                custom_data=self.hints(),
                **self._mine(),
            )
            for kind in ("transaction.paid", "transaction.completed")
        ]

    def _adjustment(
        self, number: int, part: str, action: str, minor: int, *statuses: str
    ) -> list[Posted]:
        fields = {
            "id": f"adj_{self.name}_{number}_{part}",
            "action": action,
            "transaction_id": f"txn_{self.name}_{number}",
            "subscription_id": f"sub_{self.name}",
            "totals": {
                "subtotal": str(minor),
                "tax": "0",
                "total": str(minor),
                "fee": "0",
                "earnings": str(minor),
                "currency_code": "EUR",
            },
            **self._mine(),
        }
        template = "paddle_adjustment_updated_refund_approved"
        return [
            self._event("adjustment.updated", template, status=status, **fields)
            for status in statuses
        ]

    def refund(self, number: int, part: int, minor: int) -> list[Posted]:
        statuses = ("pending_approval", "approved")
        return self._adjustment(number, str(part), "refund", minor, *statuses)

    def refund_came_back(self, number: int, part: int, minor: int) -> list[Posted]:
        return self._adjustment(number, str(part), "refund", minor, "reversed")

    def dispute(self, number: int) -> list[Posted]:
        warning = self._adjustment(number, "w", "chargeback_warning", 5949, "approved")
        return warning + self._adjustment(number, "c", "chargeback", 5949, "approved")

    def dispute_won(self, number: int) -> list[Posted]:
        chargeback = self._adjustment(number, "c", "chargeback", 5949, "reversed")
        return chargeback + self._adjustment(number, "r", "chargeback_reverse", 5949, "approved")


_SORTS = {
    **dict.fromkeys(("REFUND", "REFUND_FAILED", "REFUNDED_REVERSED"), "REF"),
    **dict.fromkeys(("NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "CHARGEBACK_REVERSED"), "CHA"),
}
"""What reverses something has its reference."""


class Adyen_(Account):  # noqa: N801 - the SDK's package has the plain name
    def _item(self, name: str, additional: Mapping[str, str], **fields: Any) -> Posted:
        body = sample(name)
        item = body["notificationItems"][0]["NotificationRequestItem"]
        item.update(fields)
        item["eventDate"] = f"{self.start:%Y-%m-%dT%H:%M:%S}+00:00"
        signature = Adyen.util.generate_notification_sig(item, self.secret)
        if isinstance(signature, bytes):
            signature = signature.decode()
        item["additionalData"] = {**additional, "hmacSignature": signature}
        return Posted({"content-type": "application/json"}, _text(body).encode())

    def _additional(self, interaction: str) -> dict[str, str]:
        metadata = {f"metadata.{key}": value for key, value in self.hints().items()}
        return {
            "shopperReference": self.customer,
            "shopperEmail": PERSON,
            "shopperInteraction": interaction,
            **metadata,
        }

    def trial(self) -> list[Posted]:
        return []  # Adyen knows of none

    def renewal(self, number: int) -> list[Posted]:
        interaction = "Ecommerce" if number == 1 else "ContAuth"
        return [
            self._item(
                "adyen_authorisation",
                self._additional(interaction),
                pspReference=f"PSP{self.name}{number}".upper(),
                merchantReference=f"order:{self.name}:{number}",
            )
        ]

    def _after(self, number: int, code: str, part: str, minor: int) -> list[Posted]:
        return [
            self._item(
                "adyen_refund",
                {},
                eventCode=code,
                amount={"currency": "EUR", "value": minor},
                pspReference=f"{_SORTS[code]}{self.name}{number}{part}".upper(),
                originalReference=f"PSP{self.name}{number}".upper(),
                merchantReference=f"order:{self.name}:{number}",
            )
        ]

    def refund(self, number: int, part: int, minor: int) -> list[Posted]:
        return self._after(number, "REFUND", str(part), minor)

    def refund_came_back(self, number: int, part: int, minor: int) -> list[Posted]:
        """By either type, and with the refund's own reference."""
        failed = self._after(number, "REFUND_FAILED", str(part), minor)
        return failed + self._after(number, "REFUNDED_REVERSED", str(part), minor)

    def dispute(self, number: int) -> list[Posted]:
        notified = self._after(number, "NOTIFICATION_OF_CHARGEBACK", "c", 5949)
        return notified + self._after(number, "CHARGEBACK", "c", 5949)

    def dispute_won(self, number: int) -> list[Posted]:
        return self._after(number, "CHARGEBACK_REVERSED", "c", 5949)


class RevenueCat(Account):
    """RevenueCat has no SDK for webhooks and signs nothing: the secret is a header's value."""

    def _event(self, name: str, transaction: str, kind: str, **fields: Any) -> Posted:
        body = sample(name)
        event = body["event"]
        moment = int(self.start.timestamp() * 1000)
        event.update(
            id=f"{kind}-{transaction}",
            type=kind,
            event_timestamp_ms=moment,
            purchased_at_ms=moment,
            transaction_id=transaction,
            original_transaction_id=f"{self.name}0",
            app_user_id=self.customer,
            aliases=[self.customer],
            original_app_user_id=self.customer,
            **fields,
        )
        return Posted({"authorization": self.secret}, _text(body).encode())

    def trial(self) -> list[Posted]:
        name = "revenuecat_initial_purchase_trial"
        return [self._event(name, f"{self.name}0", "INITIAL_PURCHASE")]

    def renewal(self, number: int) -> list[Posted]:
        return [
            self._event(
                "revenuecat_renewal_trial_conversion",
                f"{self.name}{number}",
                "RENEWAL",
                is_trial_conversion=number == 1,
                price=69.15,
                price_in_purchased_currency=59.49,
            )
        ]

    def refund(self, number: int, part: int, minor: int) -> list[Posted]:
        """RevenueCat tells of one refund a transaction, and of its whole amount."""
        if part == 1:
            return []
        return [
            self._event(
                "revenuecat_renewal_trial_conversion",
                f"{self.name}{number}",
                "CANCELLATION",
                cancel_reason="CUSTOMER_SUPPORT",
                price=-69.15,
                price_in_purchased_currency=-59.49,
            )
        ]

    def refund_came_back(self, number: int, part: int, minor: int) -> list[Posted]:
        template, money = "revenuecat_renewal_trial_conversion", f"{self.name}{number}"
        price = {"price": 69.15, "price_in_purchased_currency": 59.49}
        return [self._event(template, money, "REFUND_REVERSED", **price)]

    def dispute(self, number: int) -> list[Posted]:
        return []  # RevenueCat knows of none

    def dispute_won(self, number: int) -> list[Posted]:
        return []


class Standard(Account):
    def _event(self, kind: str, **data: Any) -> Posted:
        moment = present()
        body = {
            "type": f"payment.{kind}",
            "timestamp": f"{self.start:%Y-%m-%dT%H:%M:%S}Z",
            "data": {"subscription_id": f"s-{self.name}", **data},
        }
        text = _text(body)
        message_id = f"msg_{kind}_{data['id']}"
        return Posted(
            {
                "webhook-id": message_id,
                "webhook-timestamp": str(int(moment.timestamp())),
                "webhook-signature": StandardWebhook(self.secret).sign(message_id, moment, text),
            },
            text.encode(),
        )

    def _whose(self) -> Json:
        return {
            "customer_user_id": self.customer,
            "appsflyer_id": APPSFLYER_ID,
            "app_id": APP,
        }

    def trial(self) -> list[Posted]:
        return [self._event("trial", id=f"t-{self.name}", **self._whose())]

    def renewal(self, number: int) -> list[Posted]:
        kind = "first_payment" if number == 1 else "renewal"
        identifier = f"p-{self.name}-{number}"
        return [self._event(kind, id=identifier, amount="59.49", currency="EUR", **self._whose())]

    def refund(self, number: int, part: int, minor: int) -> list[Posted]:
        return [
            self._event(
                "refund",
                id=f"r-{self.name}-{number}-{part}",
                original_id=f"p-{self.name}-{number}",
                amount=f"{minor // 100}.{minor % 100:02}",
                currency="EUR",
            )
        ]

    def refund_came_back(self, number: int, part: int, minor: int) -> list[Posted]:
        name = f"{self.name}-{number}-{part}"
        return [self._event("refund_reversed", id=f"rr-{name}", original_id=f"r-{name}")]

    def dispute_won(self, number: int) -> list[Posted]:
        name = f"{self.name}-{number}"
        return [self._event("dispute_won", id=f"dw-{name}", original_id=f"d-{name}")]

    def dispute(self, number: int) -> list[Posted]:
        return [
            self._event(
                "dispute",
                id=f"d-{self.name}-{number}",
                original_id=f"p-{self.name}-{number}",
                amount="59.49",
                currency="EUR",
            )
        ]


ACCOUNTS: Mapping[str, type[Account]] = {
    "stripe": Stripe,
    "revenuecat": RevenueCat,
    "paddle": Paddle,
    "adyen": Adyen_,
    "standard_webhooks": Standard,
}
