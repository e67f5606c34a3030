"""The names of the fields of section 3: what producers may hand in, and what is sent."""

from typing import Final

RAW_FIELDS: Final = ("email", "phone", "first_name", "last_name")
"""Input fields with personal data in the clear, from producers: never sent, stored or logged."""

PRODUCER_ONLY_FIELDS: Final = (*RAW_FIELDS, "phone_region")
"""Section 0: inputs that are never sent."""

HASHED_FIELDS: Final = (
    "email_hashed",
    "phone_number_hashed",
    "phone_number_e164_hashed",
    "first_name_hashed",
    "last_name_hashed",
)
"""M20, W12: the five fields that AppsFlyer accepts."""

PHONE_HASHES: Final = ("phone_number_hashed", "phone_number_e164_hashed")

HASHES_OF: Final = {
    "email": ("email_hashed",),
    "first_name": ("first_name_hashed",),
    "last_name": ("last_name_hashed",),
    "phone": PHONE_HASHES,
    "phone_region": PHONE_HASHES,
}
"""What each producer-only input becomes."""

ZERO_DIGEST: Final = "0" * 64
"""H6: the placeholder among hashes."""

IDENTITY_FIELDS: Final = frozenset((*HASHED_FIELDS, *PRODUCER_ONLY_FIELDS))
