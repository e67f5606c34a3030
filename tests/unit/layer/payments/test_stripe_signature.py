import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stripe as sdk

from relay.domain.movements import Treatment
from relay.domain.payment_rules import SourceApps
from relay.errors import SignatureRefusedError
from relay.payments.providers import stripe
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.stripe.settings import StripeSettings
from relay.secrets import Secret

DATA = Path(__file__).parents[3] / "data"
VECTORS = [
    vector
    for vector in json.loads((DATA / "webhook_signatures.json").read_text("utf-8"))
    if vector["provider"] == "stripe"
]
UNIX = 1793001603
NOW = datetime.fromtimestamp(UNIX, UTC)
SECRET = "whsec_test_primary_0123456789abcdef"
BODY = '{"id":"evt_1","type":"invoice.paid","customer_name":"Zoë"}'
SETTINGS = StripeSettings(provider="stripe", apps=SourceApps())


def verify(
    value: str | None, body: bytes = BODY.encode(), now: datetime = NOW, *secrets: str
) -> None:
    headers = {} if value is None else {"stripe-signature": value}
    keys = [Secret(secret) for secret in secrets or (SECRET,)]
    stripe.verify(Webhook(headers, body), keys, SETTINGS, now)


def signed(body: str = BODY, unix: int = UNIX, secret: str = SECRET) -> str:
    """A header, made by Stripe's own library."""
    made: str = sdk.WebhookSignature.generate_signature_header(body, secret, timestamp=unix)
    return made


def flipped(raw: bytes) -> list[bytes]:
    """Every change of a single bit."""
    number = int.from_bytes(raw)
    return [(number ^ 1 << bit).to_bytes(len(raw)) for bit in range(8 * len(raw))]


def test_read_thin_event_is_unknown_and_nothing_of_it_is_kept() -> None:
    (vector,) = [vector for vector in VECTORS if vector["id"] == "stripe-thin-event-v2"]

    (told,) = stripe.parse(vector["payload"].encode(), SETTINGS)

    assert told.treatment is Treatment.UNKNOWN
    assert told.content == {}


def test_verify_header_of_stripes_own_library_is_accepted() -> None:
    verify(signed())


def test_verify_several_signatures_one_is_enough() -> None:
    other = signed(secret="whsec_other").partition(",")[2]

    verify(f"t={UNIX},{other},{signed().partition(',')[2]},v0=beef")


def test_verify_each_single_bit_change_of_the_body_is_refused() -> None:
    changes = flipped(BODY.encode())

    assert len(set(changes)) == 8 * len(BODY.encode())
    for change in changes:
        with pytest.raises(SignatureRefusedError):
            verify(signed(), change)


def test_verify_each_single_bit_change_of_the_header_is_refused() -> None:
    changes = flipped(signed().encode("ascii"))

    assert len(changes) == 8 * len("t=1793001603,v1=") + 8 * 64
    for change in changes:
        with pytest.raises(SignatureRefusedError):
            verify(change.decode("latin-1"))
