"""Signatures: any of those given, by any of the secrets, compared in constant time.

Several secrets are valid while one is rotated, and several signatures may be given for the same
reason. Everything that is wrong with a signature is a `SignatureRefusedError`, whatever a stranger
puts into a header.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from relay.errors import SignatureRefusedError, StaleSignatureError
from relay.payments.providers.protocol import Webhook
from relay.secrets import Secret

MOST_SIGNATURES: Final = 16
"""Signatures looked at; whoever sends more is not a provider who rotates a secret."""

_MOST_PARTS: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


def header(webhook: Webhook, name: str) -> str:
    """A header by its lower-case name; raises `SignatureRefusedError` where it is absent."""
    value = webhook.headers.get(name, "")
    if not value.strip():
        raise SignatureRefusedError(f"no header {name}")
    return value


class TimedSignatures(NamedTuple):
    """What a header of the form `t=1793001603,v1=...,v1=...` holds."""

    timestamp: str
    """Unix seconds, as they were signed."""
    signatures: list[str]
    """Of the scheme asked for; those of others are left out."""


def timed_signatures(value: str, separator: str, time_key: str, scheme: str) -> TimedSignatures:
    """The time and the signatures in a header; raises `SignatureRefusedError`.

    Exactly one time: of two, the signed one could be the other.
    """
    pairs = [part.partition("=") for part in value.split(separator, _MOST_PARTS)]
    times = [given for key, _, given in pairs if key == time_key]
    if len(times) != 1 or _UNIX_SECONDS.fullmatch(times[0]) is None:
        raise SignatureRefusedError("not one timestamp in Unix seconds")
    return TimedSignatures(times[0], [given for key, _, given in pairs if key == scheme])


def text_keys(secrets: Iterable[Secret]) -> list[bytes]:
    """The keys of secrets whose very characters are the key. A blank one is none."""
    return [value.encode() for secret in secrets if (value := secret.reveal()).strip()]


def in_hex(digest: bytes) -> str:
    """A digest in lower-case hexadecimal."""
    return digest.hex()


def in_base64(digest: bytes) -> str:
    """A digest in Base64, padded."""
    return base64.b64encode(digest).decode("ascii")


def check_hmac(
    given: Iterable[str],
    keys: Sequence[bytes],
    message: bytes,
    encode_digest: Callable[[bytes], str],
) -> None:
    """Refuses unless one of the signatures is the HMAC-SHA256 of the message by one of the keys.

    They are compared as text, so that a signature has one spelling. An empty key signs nothing.
    """
    usable = [key for key in keys if key]
    if not usable:
        raise SignatureRefusedError("no secret to check the signature with")
    expected = [encode_digest(hmac.digest(key, message, "sha256")) for key in usable]
    if not any_matches(given, expected):
        raise SignatureRefusedError("no signature by any of the secrets")


def any_matches(given: Iterable[str], expected: Sequence[str]) -> bool:
    """Whether one of the first texts given is one of those expected.

    Every pair is compared, in constant time: how long it takes tells nothing of what was expected.
    """
    matches = False
    for text in islice(given, MOST_SIGNATURES):
        raw = text.encode("utf-8", "surrogatepass")
        for other in expected:
            matches |= hmac.compare_digest(raw, other.encode())
    return matches


def check_age(timestamp: str, now: datetime, tolerance_seconds: int) -> None:
    """Refuses a time (Unix seconds, as signed) that is too far from ours, either way.

    Raises `StaleSignatureError`, and `SignatureRefusedError` where it is no time.
    """
    if _UNIX_SECONDS.fullmatch(timestamp) is None:
        raise SignatureRefusedError("the timestamp is not Unix seconds")
    age = now - _EPOCH - timedelta(seconds=int(timestamp))
    if abs(age) > timedelta(seconds=tolerance_seconds):
        direction = "ago" if age > timedelta() else "in the future"
        raise StaleSignatureError(f"signed more than {tolerance_seconds} s {direction}")
