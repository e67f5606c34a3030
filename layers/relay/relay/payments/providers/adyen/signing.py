"""Adyen's signatures, in the body or in a header, and basic authentication."""

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from relay.errors import ConfigurationError, SignatureRefusedError, UnreadableWebhookError
from relay.payments.providers.adyen.item import items_of
from relay.payments.providers.adyen.settings import AdyenSettings
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
_BASIC_AUTH: Final = "basic_auth_sha256="
"""Begins a line of the source's secrets that is no key, but the digest of a `user:password`."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def hex_keys(secrets: Sequence[Secret]) -> list[bytes]:
    """The keys that the secrets spell in hexadecimal; what is none is skipped."""
    return list(_decoded_keys(secrets))


def _decoded_keys(secrets: Sequence[Secret]) -> Iterator[bytes]:
    for secret in secrets:
        try:
            yield bytes.fromhex(secret.reveal())
        except ValueError:
            continue


def basic_auth_digests(secrets: Sequence[Secret], settings: AdyenSettings) -> Sequence[str]:
    """SHA-256 of the accepted `user:password` values, from the secrets, else from the settings.

    They stood in the settings before. Raises `ConfigurationError` for a malformed one: skipping it
    would accept everybody.
    """
    lines = [secret.reveal() for secret in secrets]
    digests = [line.removeprefix(_BASIC_AUTH) for line in lines if line.startswith(_BASIC_AUTH)]
    if not all(map(_DIGEST.fullmatch, digests)):
        problem = "basic_auth_sha256= must be followed by 64 hexadecimal characters in lower case"
        raise ConfigurationError("webhook_secrets", problem)
    return digests or settings.basic_auth_sha256


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
