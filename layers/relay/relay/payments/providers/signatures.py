"""Signatures: accept any of those given by any of the secrets, compared in constant time.

During a rotation several secrets are valid, and a webhook may carry several signatures. Whatever a
stranger puts into a header, a wrong signature always raises `SignatureRefusedError`.
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
"""The signatures that are checked; a provider that rotates a secret never sends more."""

_MOST_PARTS: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


def header(webhook: Webhook, name: str) -> str:
    """A header by its lower-case name; raises `SignatureRefusedError` if absent or blank."""
    value = webhook.headers.get(name, "")
    if not value.strip():
        raise SignatureRefusedError(f"no header {name}")
    return value


class TimedSignatures(NamedTuple):
    """The content of a header of the form `t=1793001603,v1=...,v1=...`."""

    timestamp: str
    """Unix seconds, as signed."""
    signatures: list[str]
    """Those of the requested scheme only."""


def timed_signatures(value: str, separator: str, time_key: str, scheme: str) -> TimedSignatures:
    """The time and the signatures in a header; raises `SignatureRefusedError`.

    There must be exactly one time: with two, the wrong one could be the signed one.
    """
    pairs = [part.partition("=") for part in value.split(separator, _MOST_PARTS)]
    times = [given for key, _, given in pairs if key == time_key]
    if len(times) != 1 or _UNIX_SECONDS.fullmatch(times[0]) is None:
        raise SignatureRefusedError("not one timestamp in Unix seconds")
    return TimedSignatures(times[0], [given for key, _, given in pairs if key == scheme])


def text_keys(secrets: Iterable[Secret]) -> list[bytes]:
    """The keys of secrets whose characters are the key itself; blank secrets are skipped."""
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
    """Raises `SignatureRefusedError` unless a signature is the message's HMAC-SHA256 by a key.

    Signatures are compared as text, so that each has only one spelling. Empty keys are skipped.
    """
    usable = [key for key in keys if key]
    if not usable:
        raise SignatureRefusedError("no secret to check the signature with")
    expected = [encode_digest(hmac.digest(key, message, "sha256")) for key in usable]
    if not any_matches(given, expected):
        raise SignatureRefusedError("no signature by any of the secrets")


def any_matches(given: Iterable[str], expected: Sequence[str]) -> bool:
    """Whether one of the first `MOST_SIGNATURES` texts given is one of those expected.

    Compares every pair in constant time, so that the duration reveals nothing about the expected
    texts.
    """
    matches = False
    for text in islice(given, MOST_SIGNATURES):
        raw = text.encode("utf-8", "surrogatepass")
        for other in expected:
            matches |= hmac.compare_digest(raw, other.encode())
    return matches


def check_age(timestamp: str, now: datetime, tolerance_seconds: int) -> None:
    """Refuses a time (Unix seconds, as signed) that is too far from `now`, in either direction.

    Raises `StaleSignatureError`, or `SignatureRefusedError` if the timestamp is malformed.
    """
    if _UNIX_SECONDS.fullmatch(timestamp) is None:
        raise SignatureRefusedError("the timestamp is not Unix seconds")
    age = now - _EPOCH - timedelta(seconds=int(timestamp))
    if abs(age) > timedelta(seconds=tolerance_seconds):
        direction = "ago" if age > timedelta() else "in the future"
        raise StaleSignatureError(f"signed more than {tolerance_seconds} s {direction}")
