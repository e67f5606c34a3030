"""Adyen's signatures, in the body or in a header, and basic authentication."""

import hashlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from relay.errors import SignatureRefusedError, UnreadableWebhookError
from relay.payments.providers.adyen.item import items_of
from relay.payments.providers.parsing import at, read_object
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.signatures import any_matches, check_hmac, header, in_base64
from relay.secrets import Secret

_SIGNED: Final = (
    *("pspReference", "originalReference", "merchantAccountCode", "merchantReference"),
    *("amount.value", "amount.currency", "eventCode", "success"),
)
BODY_SIGNATURE: Final = "hmacsignature"
"""The signature header of webhooks whose items carry no signatures of their own."""
_MAY_HOLD_COLONS: Final = "merchantReference"


def hex_keys(secrets: Sequence[Secret]) -> list[bytes]:
    """The keys that the secrets spell in hexadecimal; malformed secrets are skipped."""
    return list(_decoded_keys(secrets))


def _decoded_keys(secrets: Sequence[Secret]) -> Iterator[bytes]:
    for secret in secrets:
        try:
            yield bytes.fromhex(secret.reveal())
        except ValueError:
            continue


def check_basic_auth(webhook: Webhook, digests: Sequence[str]) -> None:
    """Refuses unless `user:password` has one of the SHA-256 digests; accepts all if none is set."""
    if not digests:
        return
    scheme, _, credentials = header(webhook, "authorization").partition(" ")
    try:
        given = b64decode(credentials.strip(), validate=True)
    except ValueError:
        raise SignatureRefusedError("the authorization is not Base64") from None
    if scheme.lower() != "basic" or not any_matches([hashlib.sha256(given).hexdigest()], digests):
        raise SignatureRefusedError("the authorization is none of the source's")


def check_body(webhook: Webhook, keys: Sequence[bytes]) -> None:
    """Refuses unless the header's signature is valid for the whole body."""
    check_hmac([header(webhook, BODY_SIGNATURE)], keys, webhook.body, in_base64)


def check_items(body: bytes, keys: Sequence[bytes]) -> None:
    """Refuses unless there are items and each has a valid signature."""
    try:
        items = items_of(read_object(body))
    except UnreadableWebhookError as error:
        raise SignatureRefusedError(str(error)) from None
    for item in items:
        check_hmac([_signature(item)], keys, _signed_text(item), in_base64)


def _signature(item: Mapping[str, Any]) -> str:
    given = at(item, "additionalData.hmacSignature")
    if not isinstance(given, str):
        raise SignatureRefusedError("an item without a signature")
    return given


def _signed_text(item: Mapping[str, Any]) -> bytes:
    signed = ":".join(_signed_field(item, path) for path in _SIGNED)
    return signed.encode("utf-8", "surrogatepass")


def _signed_field(item: Mapping[str, Any], path: str) -> str:
    """A field as it is signed; empty if it is absent.

    Colons separate the fields and are not escaped, so only one field may contain any. In others, a
    valid signature would also fit another item, made by moving the end of one field to the start of
    the next: the same money under another reference.
    """
    value = at(item, path)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise SignatureRefusedError(f"{path} is neither a text nor a whole number")
    if ":" in str(value) and path != _MAY_HOLD_COLONS:
        raise SignatureRefusedError(f"{path} holds a colon")
    return str(value)
