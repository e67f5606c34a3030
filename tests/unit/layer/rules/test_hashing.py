"""Digests here are literal: each was computed with `printf '...' | sha256sum`."""

from typing import Any

from relay.domain.findings import Findings, Severity
from relay.rules.hashing import (
    Normalized,
    hash_identity,
    normalize_email,
    normalize_phone,
    sha256_hex,
)
from relay.rules.identity_fields import HASHED_FIELDS, RAW_FIELDS
from tests.support.every import every

JANE_AT_EXAMPLE = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"
JANE = "81f8f6dde88365f3928796ec7aa53f72820b06db8664f5fe76a7eb13e24546a2"
US_DIGITS = "980239b79aee5c456445907b92af495ac97767f6d9ac081ad3a564344ae7fb9a"  # 12025550123
US_E164 = "d5ab8b77e69a81dfc634c3556c620d5d6753df6fc28c73c88c79a9332b705382"  # +12025550123
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def hashed(event: dict[str, Any], region: str | None = None) -> dict[str, str]:
    """The digests of an event that nothing is wrong with."""
    findings = Findings()
    digests = dict(hash_identity(event, region, findings))
    assert findings.as_tuple() == ()
    return {str(field): str(digest) for field, digest in digests.items()}


# The two of the contract


def test_sha256_hex_of_appsflyers_own_examples_is_theirs() -> None:
    """H2, H3."""
    assert sha256_hex(Normalized("16505551212")) == (
        "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"
    )
    assert sha256_hex(Normalized("+12133734253")) == (
        "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
    )


# E-mail: H1 and H8


@every(
    "raw, digest",
    [
        ("jane@example.com", JANE_AT_EXAMPLE),
        ("  Jane@Example.COM\r\n", JANE_AT_EXAMPLE),
        ("\u3000JANE@EXAMPLE.COM\xa0", JANE_AT_EXAMPLE),
        # Unicode's lower case of a Turkish capital: i, and the dot above as a sign of its own.
        (
            "İstanbul@example.com",
            "21b3d4ad954ffe193659bcdcff92053ab646244b3898969a09265d00b2af7ba4",
        ),
        # Full-width letters stay full-width; AppsFlyer asks for no more than lower case.
        (
            "ＪＡＮＥ@example.com",
            "44d6260b63ed1f2c203a4a7614e18a3fc31105241647af02e78837d78d5a670f",
        ),
        (
            "Ja\x00ne@example.com",
            "486fc601c49ada1a16e2a0749ec406cf1d5adc7d45d1a20f143b1699baba7471",
        ),
        (
            "A" * 65_536 + "@example.com",
            "e2dcfdd20e387b7cded51b221776c155f6d52407cedef493cd6d054a9d8fcf56",
        ),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_email_is_trimmed_and_lower_cased_before_it_is_hashed(raw: str, digest: str) -> None:
    """H1."""
    assert hashed({"email": raw}) == {"email_hashed": digest}


@every(
    "raw",
    [
        "jane",
        "@example.com",
        "jane@",
        "@",
        "a@b@c",
        "jane@@example.com",
        "jane＠example.com",
        "jane@ ",
        " @example.com",
    ],
)
def test_normalize_email_without_one_at_between_two_sides_is_none(raw: str) -> None:
    """H8."""
    assert normalize_email(raw) is None


@every(
    "raw, digest",
    [
        ("Jane", JANE),
        ("  JANE ", JANE),
        ("O'Neil", "eb1aed4f494ca276a88d3161252e48e0fe703f32666fe44fe4652f660b82cda4"),
        ("Zoë", "2752b88686847fa5c86f47b94ce652b7b3f22a91c37617d451a4db9afa431450"),
        ("MÜLLER", "2dbd218072117713f2d5996a726a9b216ed791ffd0783b6ba4ab6d61b8333192"),
        ("Mary\nAnn", "69042937cb7d9caaea5d6179f89f885f9cfa284d54b62284faf533b3fc253987"),
    ],
)
@every("field", ["first_name", "last_name"])
def test_name_is_trimmed_and_lower_cased_before_it_is_hashed(
    field: str, raw: str, digest: str
) -> None:
    assert hashed({field: raw}) == {f"{field}_hashed": digest}


# Phones: H2, H3 and H5


@every(
    "raw, region, digits, e164",
    [
        ("+12025550123", None, "12025550123", "+12025550123"),
        ("+1 (202) 555-0123", None, "12025550123", "+12025550123"),
        ("(202) 555-0123", "US", "12025550123", "+12025550123"),
        ("202.555.0123", "us", "12025550123", "+12025550123"),
        ("1-202-555-0123", "US", "12025550123", "+12025550123"),
        ("011 44 20 7946 0018", "US", "442079460018", "+442079460018"),
        ("020 7946 0018", "GB", "442079460018", "+442079460018"),
        ("+44 (0)20 7946 0018", None, "442079460018", "+442079460018"),
        ("+1 202 555 0123 ext. 7", None, "12025550123", "+12025550123"),
        ("+1 202 555 0123;ext=7", None, "12025550123", "+12025550123"),
        ("tel:+1-202-555-0123", None, "12025550123", "+12025550123"),
        ("＋１２０２５５５０１２３", None, "12025550123", "+12025550123"),
        ("٢٠٢٥٥٥٠١٢٣", "US", "12025550123", "+12025550123"),
        ("1-800-FLOWERS", "US", "18003569377", "+18003569377"),
        ("02 3661 8300", "IT", "390236618300", "+390236618300"),  # Italy keeps its zero
        ("+12025550123", "XX", "12025550123", "+12025550123"),
    ],
)
def test_normalize_phone_number_that_is_possible_gives_both_forms(
    raw: str, region: str | None, digits: str, e164: str
) -> None:
    assert normalize_phone(raw, region) == (digits, e164)


@every(
    "raw, region",
    [
        ("(202) 555-0123", None),
        ("202 555 0123", "XX"),
        ("202 555 0123", "\ud800"),
        ("555-1212", "US"),  # IS_POSSIBLE_LOCAL_ONLY
        ("555-1212", None),
        ("+1 555 1212", None),
        ("112", "US"),
        ("911", "US"),
        ("+1", None),
        ("+", None),
        ("+999 1234567", None),
        ("+12025550123456789", None),
        ("call me", "US"),
        ("\x00", "US"),
        ("1" * 65_536, "US"),
        ("+1202555012" + "3" * 240, None),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_normalize_phone_number_that_would_be_a_guess_is_none(raw: str, region: str | None) -> None:
    assert normalize_phone(raw, region) is None


@every("length, is_taken", [(250, True), (251, False)])
def test_normalize_phone_longest_text_that_libphonenumber_reads_is_taken(
    length: int,
    is_taken: bool,  # noqa: FBT001 - a column
) -> None:
    raw = "+1" + "2025550123".rjust(length - 2)

    assert (normalize_phone(raw, None) is not None) == is_taken


# An event's identity: what is sent of it, and what is said

CASES: list[tuple[dict[str, Any], str, dict[str, str]]] = [
    ({"phone": "+1 202 555 0123"}, "",
     {"phone_number_hashed": US_DIGITS, "phone_number_e164_hashed": US_E164}),
    ({"phone": "+1 000 000 0000"}, "H5 phone", {}),
    ({"phone": "202 555 0123", "phone_region": "us"}, "", {"phone_number_e164_hashed": US_E164}),
    ({"phone": "202 555 0123", "phone_region": " "}, "", {"phone_number_e164_hashed": US_E164}),
    ({"phone": "202 555 0123", "phone_region": ["US"]}, "H5 phone, H5 phone_region", {}),
    ({"phone": "202 555 0123", "phone_region": "ZZ"}, "H5 phone, H5 phone_region", {}),
    ({"phone": "202 555 0123", "phone_region": "none"}, "H5 phone_region",
     {"phone_number_e164_hashed": US_E164}),
    ({"phone_region": "none"}, "", {}),
    ({"phone": JANE, "phone_region": "none"}, "H6 phone", {}),
    ({"phone": "+44 20 7946 0018", "phone_region": "uk"}, "repair H5 phone_region",
     {"phone_number_hashed": "*"}),
    ({"phone": "+44 20 7946 0018", "phone_region": "uk", "phone_number_hashed": JANE},
     "H6 phone_number_hashed", {}),
    *(({field: "\u3000\u200b"}, "", {}) for field in (*RAW_FIELDS, *HASHED_FIELDS)),
    *(({field: 12025550123}, f"{rule} {field}", {}) for field, rule in
      {"email": "H8", "phone": "H5", "first_name": "H4", "last_name": "H4",
       "email_hashed": "H6"}.items()),
    *(({field: "Jane\ud800"}, f"{rule} {field}", {}) for field, rule in
      {"email": "H8", "phone": "H5", "first_name": "H4", "email_hashed": "H6"}.items()),
    *(({field: f" {JANE.upper()}"}, f"H6 {field}", {}) for field in RAW_FIELDS),
    *(({field: JANE}, "", {field: JANE}) for field in HASHED_FIELDS),
    *(({field: f"{JANE.upper()}\n"}, f"repair H6 {field}", {field: JANE})
      for field in HASHED_FIELDS),
    *(({"email_hashed": digest}, "H6 email_hashed", {}) for digest in
      (JANE[:-1], f"{JANE}0", "g" + JANE[1:], "０" * 64, "jane@example.com", "0" * 64)),
    ({"email_hashed": EMPTY.upper()}, "H7 email_hashed", {}),
    ({"email": "Jane@example.com", "email_hashed": JANE_AT_EXAMPLE}, "",
     {"email_hashed": JANE_AT_EXAMPLE}),
    ({"email": "john@example.com", "email_hashed": JANE_AT_EXAMPLE.upper()}, "H6 email_hashed", {}),
    ({"email": "Jane@example.com", "email_hashed": "x"}, "H6 email_hashed",
     {"email_hashed": JANE_AT_EXAMPLE}),
    ({"email": "jane", "email_hashed": JANE}, "H8 email", {"email_hashed": JANE}),
    ({"last_name": "Doe", "last_name_hashed": JANE}, "H6 last_name_hashed", {}),
    ({"phone": "+12025550123", "phone_number_hashed": US_DIGITS}, "",
     {"phone_number_hashed": US_DIGITS, "phone_number_e164_hashed": US_E164}),
    ({"phone_number_hashed": JANE, "phone_number_e164_hashed": JANE}, "H3 phone_number_e164_hashed",
     {"phone_number_hashed": JANE, "phone_number_e164_hashed": JANE}),
    ({"phone": "+12025550123", "phone_number_hashed": JANE, "phone_number_e164_hashed": JANE},
     "H6 phone_number_e164_hashed, H6 phone_number_hashed", {}),
]  # fmt: skip


def test_hash_identity_sends_what_is_sure_and_says_what_is_left_out() -> None:
    wrong: list[object] = []
    for event, findings, sent in CASES:
        found = Findings()
        hashes = hash_identity(event, "US", found)
        told = sorted(
            f"{'repair ' if item.severity is Severity.REPAIR else ''}{item.rule} {item.field}"
            for item in found.as_tuple()
        )
        differs = [name for name, digest in sent.items() if hashes.get(name) != digest != "*"]
        if (
            told != (sorted(findings.split(", ")) if findings else [])
            or differs
            or (not sent and hashes)
            or found.rejected
        ):
            wrong.append((event, told, hashes))

    assert wrong == []
