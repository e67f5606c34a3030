"""Hashed identity (section 3): raw personal values in, SHA-256 digests out.

The types enforce the order: a `str` is normalised to `Normalized`, and only `Normalized` is hashed.
Nothing here keeps, logs or repeats a raw value, and nothing rejects an event: what cannot be hashed
is left out.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, NewType

from relay.domain.findings import Findings
from relay.rules.identity_fields import (
    HASHED_FIELDS,
    HASHES_OF,
    IDENTITY_FIELDS,
    PHONE_HASHES,
    PRODUCER_ONLY_FIELDS,
    ZERO_DIGEST,
)
from relay.rules.leniency import FORMS, ascii_upper, read, trim

Normalized = NewType("Normalized", str)
"""Text in the form that the contract requires before hashing (H1 to H4)."""
Digest = NewType("Digest", str)
"""SHA-256 in 64 lower-case hexadecimal characters."""

DIGEST: Final = re.compile(r"[a-fA-F0-9]{64}", re.ASCII)
_EMPTY_DIGEST: Final = hashlib.sha256(b"").hexdigest()  # H7: e3b0c442...b855
_LONGEST_PHONE: Final = 250  # libphonenumber's own limit
_NO_EMAIL: Final = re.compile(r"[\s<>]|mailto:")  # H8, of text in lower case


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
    """H1, H8: trimmed and lower-cased; None if it is not an e-mail address and nothing else."""
    text = trim(raw).lower()
    name, at, host = text.partition("@")
    is_address = name and at and host and "@" not in host and not _NO_EMAIL.search(text)
    return Normalized(text) if is_address else None


def normalize_name(raw: str) -> Normalized:
    """H4: trimmed and lower-cased."""
    return Normalized(trim(raw).lower())


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
    is_possible = lib.is_possible_number_with_reason(number) == lib.ValidationResult.IS_POSSIBLE
    if not is_possible or number.national_number == 0:
        return None
    number.extension = None
    e164 = lib.format_number(number, lib.PhoneNumberFormat.E164)
    return Phone(digits=Normalized(e164.removeprefix("+")), e164=Normalized(e164))


def hash_identity(
    event: Mapping[str, object], default_region: str | None, findings: Findings
) -> dict[str, Digest]:
    """The hashed identity fields to send, from raw values, from hashes of the sender, or from both.

    `default_region` is the app's, for phones without a country code. Adds the findings of H3 to H8.
    """
    if IDENTITY_FIELDS.isdisjoint(event):
        return {}
    return _Hashing(event, findings).all(default_region)


class _Hashing:
    """The hashing of one event's identity."""

    def __init__(self, event: Mapping[str, object], findings: Findings) -> None:
        self._event = event
        self._findings = findings
        self._handed_in: dict[str, Digest] = {}
        """The sender's own digests, in their right form."""
        self._sent: dict[str, Digest] = {}

    def all(self, default_region: str | None) -> dict[str, Digest]:
        """Everything that is sent, in one order: prepared again, the body is the same."""
        for field in HASHED_FIELDS:
            digest = self._senders_digest(field) if field in self._event else None
            if digest:
                self._handed_in[field] = self._sent[field] = digest
        if not self._event.keys().isdisjoint(PRODUCER_ONLY_FIELDS):
            self._hash_email()
            self._hash_name("first_name")
            self._hash_name("last_name")
            self._hash_phone(default_region)
        self._report_repairs()
        return {field: self._sent[field] for field in HASHED_FIELDS if field in self._sent}

    def _senders_digest(self, field: str) -> Digest | None:
        """H6, H7: the sender's digest, in lower case."""
        value = read(self._event.get(field), FORMS[field]).value
        if value is None:
            return None
        if not isinstance(value, str) or not DIGEST.fullmatch(value):
            self._leave_out("H6", field, "is no SHA-256 digest: 64 hexadecimal characters")
        elif value == ZERO_DIGEST:
            self._leave_out("H6", field, "is a placeholder, and the digest of nobody's data")
        elif value.lower() == _EMPTY_DIGEST:
            self._leave_out("H7", field, "is the digest of the empty string")
        else:
            return Digest(value.lower())
        return None

    def _report_repairs(self) -> None:
        """H6 and H3, of the digests that are sent."""
        for field, digest in self._handed_in.items():
            if field in self._sent and self._event[field] != digest:
                self._findings.repair(
                    "H6", field, "upper case, or white space around it; sent in lower case"
                )
        digits, e164 = map(self._sent.get, PHONE_HASHES)
        if digits is not None and digits == e164:
            self._findings.warn(
                "H3", "phone_number_e164_hashed", "is the same as phone_number_hashed, so one of "
                "them is wrong: the number has a + in this one, and none in the other",
            )  # fmt: skip

    def _hash_email(self) -> None:
        """H1, H8."""
        raw = self._raw_value("email", "H8")
        if raw is None:
            return
        normalized = normalize_email(raw)
        if normalized is None:
            self._leave_out("H8", "email", "is not one e-mail address and nothing else")
        else:
            self._add("email", normalized)

    def _hash_name(self, field: str) -> None:
        """H4."""
        raw = self._raw_value(field, "H4")
        if raw is not None:
            self._add(field, normalize_name(raw))

    def _hash_phone(self, default_region: str | None) -> None:
        """H2, H3, H5."""
        raw = self._raw_value("phone", "H5")
        if raw is None:
            return
        region = self._region(default_region)
        phone = normalize_phone(trim(raw), region.code)
        if phone is None:
            self._leave_out("H5", "phone", _UNREADABLE_PHONE)
            return
        self._add("phone", *phone)
        if region.is_repaired and any(field in self._sent for field in PHONE_HASHES):
            self._findings.repair("H5", "phone_region", "UK is no ISO 3166 code; read as GB")

    def _region(self, default: str | None) -> "_Region":
        """H5: the region of a phone. None where it cannot be read: the default would be a guess."""
        given = self._event.get("phone_region")
        if given is None:
            return _Region(default)
        meant = read(given, FORMS["phone_region"])
        if meant.is_placeholder:
            self._findings.warn(
                "H5", "phone_region", "holds a placeholder: the app's own region counts"
            )
        if meant.value is None:
            return _Region(default)
        code = ascii_upper(meant.value) if isinstance(meant.value, str) else ""
        if code == "UK":
            return _Region("GB", is_repaired=True)
        if _is_region(code):
            return _Region(code)
        self._leave_out(
            "H5", "phone_region", "is no region of two letters (ISO 3166, like US), so a phone is "
            "read only with its country code",
        )  # fmt: skip
        return _Region(None)

    def _raw_value(self, field: str, rule: str) -> str | None:
        """A raw value to hash; a blank one is absent (H7), a digest is a mistake (H6)."""
        value = self._event.get(field)
        if value is None:
            return None
        if not isinstance(value, str):
            self._leave_out(rule, field, "is no text")
            return None
        text = trim(value)
        if not text:
            return None
        if DIGEST.fullmatch(text):
            right = " or ".join(HASHES_OF[field])
            self._leave_out("H6", field, f"is hashed already (send it as {right})")
        elif not text.isascii() and not _is_unicode(text):
            self._leave_out(rule, field, "is no valid Unicode text: half a surrogate pair")
        else:
            return text
        return None

    def _add(self, field: str, *normalized: Normalized) -> None:
        """The hashes of a raw value; none, if one that was handed in for it disagrees (H6)."""
        disagreeing = []
        for hashed, text in zip(HASHES_OF[field], normalized, strict=True):
            digest = sha256_hex(text)
            if self._sent.setdefault(hashed, digest) != digest:
                disagreeing.append(hashed)
        if not disagreeing:
            return
        for hashed in HASHES_OF[field]:
            del self._sent[hashed]
        for hashed in disagreeing:
            self._findings.warn(
                "H6", hashed, f"and {field} disagree, so neither is sent: send one of them"
            )

    def _leave_out(self, rule: str, field: str, fault: str) -> None:
        self._findings.warn(rule, field, f"{fault}: left out")


class _Region(NamedTuple):
    code: str | None
    is_repaired: bool = False


def _is_region(code: str) -> bool:
    import phonenumbers as lib  # noqa: PLC0415 - as in `normalize_phone`

    return code in lib.SUPPORTED_REGIONS


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_UNREADABLE_PHONE: Final = (
    "cannot be read as one whole phone number, and a guess is never hashed (send it with + and "
    "country code, or add phone_region, two letters like US)"
)
