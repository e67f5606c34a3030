"""Hashed identity (section H): raw personal values in, SHA-256 digests out.

The types enforce the order: a `str` is normalised to `Normalized`, and only `Normalized` is hashed.
Nothing here keeps, logs or repeats a raw value.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, NewType

from relay.domain.findings import Findings

Normalized = NewType("Normalized", str)
"""Text in the form that the contract requires before hashing (H1 to H4)."""
Digest = NewType("Digest", str)
"""SHA-256 in 64 lower-case hexadecimal characters."""

RAW_FIELDS: Final = ("email", "phone", "first_name", "last_name")
"""Input fields with personal data in the clear, from producers: never sent, stored or logged."""
PRODUCER_ONLY_FIELDS: Final = (*RAW_FIELDS, "phone_region")
HASHED_FIELDS: Final = (
    "email_hashed",
    "phone_number_hashed",
    "phone_number_e164_hashed",
    "first_name_hashed",
    "last_name_hashed",
)
"""M20, W12: the five fields that AppsFlyer accepts."""

DIGEST: Final = re.compile(r"[a-fA-F0-9]{64}", re.ASCII)
_EMPTY_DIGEST: Final = hashlib.sha256(b"").hexdigest()  # H7: e3b0c442...b855
_LONGEST_PHONE: Final = 250  # libphonenumber's own limit


class Phone(NamedTuple):
    """One phone number in the two forms that are hashed."""

    digits: Normalized  # H2
    e164: Normalized  # H3


def sha256_hex(text: Normalized) -> Digest:
    """SHA-256 over UTF-8, as 64 lower-case hexadecimal characters.

    >>> sha256_hex(Normalized("16505551212"))[:16]
    'e323ec626319ca94'
    """
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def normalize_email(raw: str) -> Normalized | None:
    """H1, H8: trimmed and lower-cased; None if it is not an e-mail address."""
    text = raw.strip().lower()
    name, at, host = text.partition("@")
    return Normalized(text) if name and at and host and "@" not in host else None


def normalize_name(raw: str) -> Normalized | None:
    """H4: trimmed and lower-cased."""
    return Normalized(raw.strip().lower())


def normalize_phone(raw: str, region: str | None) -> Phone | None:
    """H2, H3, H5: a number parsed by libphonenumber; None if the result would be a guess.

    `region` is a two-letter ISO 3166 code, required for national numbers. An extension is dropped.
    Letters count as keys of a keypad, as in libphonenumber.
    """
    if len(raw) > _LONGEST_PHONE:
        return None
    import phonenumbers as lib  # noqa: PLC0415 - slow, and most functions never see a phone number

    try:
        number = lib.parse(raw, region.upper() if region else None)
    except lib.NumberParseException:
        return None
    if lib.is_possible_number_with_reason(number) != lib.ValidationResult.IS_POSSIBLE:
        return None
    number.extension = None
    e164 = lib.format_number(number, lib.PhoneNumberFormat.E164)
    return Phone(digits=Normalized(e164.removeprefix("+")), e164=Normalized(e164))


def hash_identity(
    event: Mapping[str, object], default_region: str | None, findings: Findings
) -> dict[str, Digest]:
    """The hashed identity fields to send, from raw values, from hashes of the sender, or from both.

    Adds the findings of H5 to H8. A raw value that cannot be hashed is rejected, never guessed.
    """
    hashes = _senders_hashes(event, findings)
    if event.keys().isdisjoint(PRODUCER_ONLY_FIELDS):
        return hashes
    for raw_field, hashed_field, normalize, hint in _SIMPLE_FIELDS:
        raw = _raw_value(event, raw_field, hashed_field, findings)
        if raw is not None:
            _add(hashes, raw_field, hashed_field, normalize(raw), hint, findings)
    _hash_phone(event, default_region, hashes, findings)
    return hashes


def _senders_hashes(event: Mapping[str, object], findings: Findings) -> dict[str, Digest]:
    hashes = {}
    for field in HASHED_FIELDS:
        value = event.get(field)
        if value is None or value == "":
            continue
        digest = _checked_digest(value, field, findings)
        if digest:
            hashes[field] = digest
    return hashes


def _checked_digest(value: object, field: str, findings: Findings) -> Digest | None:
    """H6, H7: the sender's digest, in lower case."""
    if isinstance(value, str) and not value.strip():
        return None
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        findings.reject("H6", field, "must be a SHA-256 digest: exactly 64 hexadecimal characters")
        return None
    digest = Digest(value.lower())
    if digest == _EMPTY_DIGEST:
        findings.reject("H7", field, "is the digest of the empty string: leave the field out")
        return None
    if digest != value:
        findings.repair("H6", field, "upper case; sent in lower case")
    return digest


def _raw_value(
    event: Mapping[str, object], raw_field: str, hashed_field: str, findings: Findings
) -> str | None:
    """A raw value to hash; a blank one is absent (H7), a digest is a mistake (H6)."""
    value = event.get(raw_field)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    rule = "H5" if raw_field == "phone" else "H8" if raw_field == "email" else "H4"
    if not isinstance(value, str):
        findings.reject(rule, raw_field, "must be a string")
    elif DIGEST.fullmatch(value.strip()):
        findings.reject("H6", raw_field, f"is already hashed: send it as {hashed_field}")
    elif not _is_unicode(value):
        findings.reject(rule, raw_field, "holds half a surrogate pair: not valid Unicode text")
    else:
        return value
    return None


def _add(
    hashes: dict[str, Digest],
    raw_field: str,
    hashed_field: str,
    normalized: Normalized | None,
    hint: str,
    findings: Findings,
) -> None:
    if normalized is None:
        findings.reject("H8", raw_field, hint)
        return
    digest = sha256_hex(normalized)
    if not hmac.compare_digest(hashes.setdefault(hashed_field, digest), digest):
        findings.reject("H6", hashed_field, f"disagrees with the hash of {raw_field}: send one")


def _hash_phone(
    event: Mapping[str, object],
    default_region: str | None,
    hashes: dict[str, Digest],
    findings: Findings,
) -> None:
    raw = _raw_value(event, "phone", "phone_number_e164_hashed", findings)
    region = event.get("phone_region")
    if region is not None and not isinstance(region, str):
        findings.reject("H5", "phone_region", "must be a two-letter ISO 3166 code, like US")
        return
    if raw is None:
        return
    region = region.strip() if region else ""
    phone = normalize_phone(raw, region or default_region)
    if phone is None:
        findings.reject("H5", "phone", _UNREADABLE_PHONE)
        return
    _add(hashes, "phone", "phone_number_hashed", phone.digits, "", findings)
    _add(hashes, "phone", "phone_number_e164_hashed", phone.e164, "", findings)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_UNREADABLE_PHONE: Final = (
    "cannot be read as one phone number, and a guess is never hashed: send it with + and country "
    "code, or add phone_region (two letters, like US)"
)

_SIMPLE_FIELDS: Final[tuple[tuple[str, str, Callable[[str], Normalized | None], str], ...]] = (
    (
        "email",
        "email_hashed",
        normalize_email,
        "is no e-mail address: it needs exactly one @ with something on both sides",
    ),
    ("first_name", "first_name_hashed", normalize_name, ""),
    ("last_name", "last_name_hashed", normalize_name, ""),
)
