"""How each provider signs a webhook. From their pages, independent of the verification."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple


class SignedWebhook(NamedTuple):
    """A signed webhook, ready to be sent."""

    headers: dict[str, str]
    body: bytes


def sign(provider: str, body: bytes, secret: str, now: datetime) -> SignedWebhook:
    """Signs a body as the provider does, at the time `now`."""
    headers, signed = _SIGNERS[provider](body, secret, int(now.timestamp()))
    return SignedWebhook({"content-type": "application/json", **headers}, signed)


_Signer = Callable[[bytes, str, int], tuple[dict[str, str], bytes]]


def _stripe(body: bytes, secret: str, seconds: int) -> tuple[dict[str, str], bytes]:
    digest = _digest(secret.encode(), b"%d.%s" % (seconds, body)).hex()
    return {"stripe-signature": f"t={seconds},v1={digest}"}, body


def _paddle(body: bytes, secret: str, seconds: int) -> tuple[dict[str, str], bytes]:
    digest = _digest(secret.encode(), b"%d:%s" % (seconds, body)).hex()
    return {"paddle-signature": f"ts={seconds};h1={digest}"}, body


def _revenuecat(body: bytes, secret: str, _: int) -> tuple[dict[str, str], bytes]:
    return {"authorization": secret}, body


def _standard(body: bytes, secret: str, seconds: int) -> tuple[dict[str, str], bytes]:
    message_id = f"msg_{message_id_of(body)}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = _digest(key, f"{message_id}.{seconds}.".encode() + body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }, body


def _adyen(body: bytes, secret: str, _: int) -> tuple[dict[str, str], bytes]:
    """Signs each item; the signature is part of the body."""
    content = json.loads(body)
    for one in content["notificationItems"]:
        item = one["NotificationRequestItem"]
        digest = _digest(bytes.fromhex(secret), _signed_text(item).encode())
        item.setdefault("additionalData", {})["hmacSignature"] = base64.b64encode(digest).decode()
    return {}, json.dumps(content).encode()


def _signed_text(item: Mapping[str, Any]) -> str:
    amount = item["amount"]
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    parts = [item.get(name, "") for name in names]
    parts += [amount["value"], amount["currency"], item["eventCode"], item["success"]]
    return ":".join(map(str, parts))


def _digest(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def message_id_of(body: bytes) -> str:
    """An id derived from the body."""
    return hmac.digest(b"", body, "sha256").hex()[:24]


_SIGNERS: Final[Mapping[str, _Signer]] = {
    "stripe": _stripe,
    "revenuecat": _revenuecat,
    "paddle": _paddle,
    "adyen": _adyen,
    "standard_webhooks": _standard,
}
