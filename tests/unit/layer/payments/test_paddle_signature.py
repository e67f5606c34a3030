from datetime import UTC, datetime

import pytest
from paddle_billing.Notifications import PaddleSignature

from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import SignatureRefusedError, StaleSignatureError
from relay.payments.providers import paddle
from relay.payments.providers.protocol import Webhook
from relay.secrets import Secret

UNIX = 1793001606
NOW = datetime.fromtimestamp(UNIX, UTC)
SECRET = "pdl_ntfset_01jtest_primary_secret"
BODY = '{"event_id":"evt_1","event_type":"transaction.completed","name":"Zoë"}'
SETTINGS = SourceSettings(provider="paddle", apps=SourceApps())


def verify(
    value: str | None, body: bytes = BODY.encode(), now: datetime = NOW, *secrets: str
) -> None:
    headers = {} if value is None else {"paddle-signature": value}
    keys = [Secret(secret) for secret in secrets or (SECRET,)]
    paddle.verify(Webhook(headers, body), keys, SETTINGS, now)


def digest(body: str = BODY, unix: int = UNIX, secret: str = SECRET) -> str:
    """A signature, made by Paddle's own library."""
    signature: str = PaddleSignature.calculate_hmac(secret, f"{unix}:{body}".encode()).hexdigest()
    return signature


def signed(unix: int = UNIX, secret: str = SECRET) -> str:
    return f"ts={unix};h1={digest(unix=unix, secret=secret)}"


def flipped(raw: bytes) -> list[bytes]:
    """Every change of a single bit."""
    number = int.from_bytes(raw)
    return [(number ^ 1 << bit).to_bytes(len(raw)) for bit in range(8 * len(raw))]


def test_verify_signature_of_paddles_own_library_is_accepted() -> None:
    verify(signed())


def test_verify_several_signatures_one_is_enough() -> None:
    verify(f"ts={UNIX};h1={digest(secret='other')};h1={digest()}")


def test_verify_key_of_a_later_scheme_is_left_out() -> None:
    """Paddle's own library raises a ValueError."""
    verify(f"ts={UNIX};h2=later;h1={digest()};x")
    with pytest.raises(SignatureRefusedError):
        verify(f"ts={UNIX};h2={digest()}")


def test_verify_sdks_test_mode_in_the_environment_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_MODE", "1")

    with pytest.raises(StaleSignatureError):
        verify(signed(unix=UNIX - 301))


def test_verify_each_single_bit_change_of_the_body_is_refused() -> None:
    changes = flipped(BODY.encode())

    assert len(set(changes)) == 8 * len(BODY.encode())
    for change in changes:
        with pytest.raises(SignatureRefusedError):
            verify(signed(), change)


def test_verify_each_single_bit_change_of_the_header_is_refused() -> None:
    changes = flipped(signed().encode("ascii"))

    assert len(changes) == 8 * len("ts=1793001606;h1=") + 8 * 64
    for change in changes:
        with pytest.raises(SignatureRefusedError):
            verify(change.decode("latin-1"))
