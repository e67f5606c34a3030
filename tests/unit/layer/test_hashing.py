"""Digests here are literal: each was computed with `printf '...' | sha256sum`."""

from typing import Any

import pytest

from relay.domain.findings import Findings
from relay.rules.hashing import (
    HASHED_FIELDS,
    RAW_FIELDS,
    Normalized,
    hash_identity,
    normalize_email,
    normalize_name,
    normalize_phone,
    sha256_hex,
)

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


def faults(event: dict[str, Any], region: str | None = None) -> list[tuple[str, str, str]]:
    findings = Findings()
    hash_identity(event, region, findings)
    return [(item.rule, item.severity.value, item.field) for item in findings.as_tuple()]


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


@pytest.mark.parametrize(
    ("raw", "digest"),
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


@pytest.mark.parametrize(
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


def test_email_that_is_none_is_rejected() -> None:
    assert faults({"email": "jane"}) == [("H8", "reject", "email")]


# First and last names: H4


@pytest.mark.parametrize(
    ("raw", "digest"),
    [
        ("Jane", JANE),
        ("  JANE ", JANE),
        ("O'Neil", "eb1aed4f494ca276a88d3161252e48e0fe703f32666fe44fe4652f660b82cda4"),
        ("Zoë", "2752b88686847fa5c86f47b94ce652b7b3f22a91c37617d451a4db9afa431450"),
        ("MÜLLER", "2dbd218072117713f2d5996a726a9b216ed791ffd0783b6ba4ab6d61b8333192"),
        ("Mary\nAnn", "69042937cb7d9caaea5d6179f89f885f9cfa284d54b62284faf533b3fc253987"),
    ],
)
@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_name_is_trimmed_and_lower_cased_before_it_is_hashed(
    field: str, raw: str, digest: str
) -> None:
    assert hashed({field: raw}) == {f"{field}_hashed": digest}


# Phones: H2, H3 and H5


@pytest.mark.parametrize(
    ("raw", "region", "digits", "e164"),
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


@pytest.mark.parametrize(
    ("raw", "region"),
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


def test_phone_fills_both_hashed_fields() -> None:
    assert hashed({"phone": "+1 202 555 0123"}) == {
        "phone_number_hashed": US_DIGITS,
        "phone_number_e164_hashed": US_E164,
    }


@pytest.mark.parametrize(
    ("event", "region"),
    [
        ({"phone": "202 555 0123", "phone_region": "US"}, None),
        ({"phone": "202 555 0123"}, "US"),
        ({"phone": "202 555 0123", "phone_region": "US"}, "GB"),
        ({"phone": "202 555 0123", "phone_region": " us "}, None),
        ({"phone": "202 555 0123", "phone_region": " "}, "US"),
        ({"phone": "202 555 0123", "phone_region": None}, "US"),
    ],
)
def test_phone_region_of_the_event_comes_before_that_of_the_app(
    event: dict[str, Any], region: str | None
) -> None:
    assert hashed(event, region)["phone_number_e164_hashed"] == US_E164


def test_phone_that_cannot_be_read_is_rejected_and_never_hashed() -> None:
    findings = Findings()

    assert hash_identity({"phone": "555-1212", "phone_region": "US"}, None, findings) == {}
    assert [item.rule for item in findings.as_tuple()] == ["H5"]


@pytest.mark.parametrize("region", [1, True, ["US"], {}], ids=repr)
def test_phone_region_that_is_no_string_is_rejected(region: object) -> None:
    assert faults({"phone": "+12025550123", "phone_region": region}) == [
        ("H5", "reject", "phone_region")
    ]


# Absent, wrong or misplaced: H6 and H7


@pytest.mark.parametrize("blank", [None, "", " ", "\t\n", "\u3000"], ids=repr)
@pytest.mark.parametrize("field", [*RAW_FIELDS, *HASHED_FIELDS])
def test_blank_field_of_identity_is_absent(field: str, blank: str | None) -> None:
    """H7."""
    assert hashed({field: blank}) == {}


@pytest.mark.parametrize("value", [0, 12025550123, True, 1.5, [], ["x"], {}], ids=repr)
@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("email", "H8"),
        ("phone", "H5"),
        ("first_name", "H4"),
        ("last_name", "H4"),
        *((field, "H6") for field in HASHED_FIELDS),
    ],
)
def test_field_of_identity_of_a_wrong_type_is_rejected(
    field: str, rule: str, value: object
) -> None:
    assert faults({field: value}) == [(rule, "reject", field)]


@pytest.mark.parametrize("text", ["Jane\ud800", "\udfff"], ids=["inside", "alone"])
@pytest.mark.parametrize(
    ("field", "rule"),
    [("email", "H8"), ("phone", "H5"), ("first_name", "H4"), ("last_name", "H4")],
)
def test_raw_value_with_half_a_surrogate_pair_is_rejected(field: str, rule: str, text: str) -> None:
    assert faults({field: text}) == [(rule, "reject", field)]


@pytest.mark.parametrize("digest", [JANE, JANE.upper(), f" {JANE}\n"])
@pytest.mark.parametrize(
    ("field", "right"),
    [
        ("email", "email_hashed"),
        ("phone", "phone_number_e164_hashed"),
        ("first_name", "first_name_hashed"),
        ("last_name", "last_name_hashed"),
    ],
)
def test_raw_value_that_is_hashed_already_is_rejected_naming_the_right_field(
    field: str, right: str, digest: str
) -> None:
    """H6."""
    findings = Findings()

    hash_identity({field: digest}, None, findings)

    ((rule, _, where, message),) = findings.as_tuple()
    assert (rule, where) == ("H6", field)
    assert right in message


@pytest.mark.parametrize("field", HASHED_FIELDS)
def test_digest_handed_in_is_sent_as_it_stands(field: str) -> None:
    assert hashed({field: JANE}) == {field: JANE}


@pytest.mark.parametrize("field", HASHED_FIELDS)
def test_digest_in_upper_case_is_repaired(field: str) -> None:
    findings = Findings()

    assert hash_identity({field: JANE.upper()}, None, findings) == {field: JANE}
    assert [(item.rule, item.severity) for item in findings.as_tuple()] == [("H6", "repair")]


@pytest.mark.parametrize(
    "digest",
    [
        JANE[:-1],
        JANE + "0",
        "g" + JANE[1:],
        f" {JANE}",
        f"{JANE}\n",
        f"sha256:{JANE}",
        "０" * 64,
        "jane@example.com",
        "x" * 65_536,
        "\ud800" * 64,
    ],
    ids=lambda value: f"{value!r:.72}",
)
def test_digest_that_is_none_is_rejected(digest: str) -> None:
    """H6."""
    assert faults({"email_hashed": digest}) == [("H6", "reject", "email_hashed")]


@pytest.mark.parametrize("digest", [EMPTY, EMPTY.upper()])
@pytest.mark.parametrize("field", HASHED_FIELDS)
def test_digest_of_the_empty_string_is_rejected(field: str, digest: str) -> None:
    """H7."""
    assert faults({field: digest}) == [("H7", "reject", field)]


@pytest.mark.parametrize(
    "event",
    [
        {"email": "Jane@example.com", "email_hashed": JANE_AT_EXAMPLE},
        {"phone": "+12025550123", "phone_number_hashed": US_DIGITS},
        {"phone": "+12025550123", "phone_number_e164_hashed": US_E164},
        {"first_name": "JANE", "first_name_hashed": JANE},
    ],
)
def test_raw_value_and_digest_that_agree_are_fine(event: dict[str, Any]) -> None:
    assert not faults(event)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"email": "john@example.com", "email_hashed": JANE_AT_EXAMPLE}, "email_hashed"),
        ({"phone": "+12025550123", "phone_number_hashed": US_E164}, "phone_number_hashed"),
        ({"phone": "+12025550123", "phone_number_e164_hashed": JANE}, "phone_number_e164_hashed"),
        ({"last_name": "Doe", "last_name_hashed": JANE}, "last_name_hashed"),
    ],
)
def test_raw_value_and_digest_that_disagree_are_rejected(event: dict[str, Any], field: str) -> None:
    """H6."""
    assert faults(event) == [("H6", "reject", field)]


def test_all_faults_of_identity_are_found_at_once() -> None:
    event = {"email": "jane", "phone": "555", "first_name": 1, "last_name_hashed": "x"}

    assert sorted(rule for rule, _, _ in faults(event)) == ["H4", "H5", "H6", "H8"]


@pytest.mark.parametrize("raw", ["Jane", " jane "])
def test_normalize_name_is_trimmed_and_lower_case(raw: str) -> None:
    assert normalize_name(raw) == "jane"
