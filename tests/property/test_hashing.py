"""Section H for every text."""

import hashlib
import re

import phonenumbers
from hypothesis import example, given
from hypothesis import strategies as st

from relay.domain.findings import Findings
from relay.rules.hashing import (
    Phone,
    hash_identity,
    normalize_email,
    normalize_name,
    normalize_phone,
)
from tests.property.strategies import any_text

emails = st.builds("{}@{}".format, any_text, any_text)
phones = st.one_of(
    any_text,
    st.from_regex(r"\+?[0-9 ()./-]{5,18}(ext\.? ?[0-9]{1,4})?", fullmatch=True),
    st.integers(0, 99).map("+1 (202) 555-01{:02}".format),
    st.text(st.characters(categories=["Nd", "No", "Nl", "Pd", "Zs"]), max_size=20),
)
regions = st.one_of(st.none(), st.sampled_from(["US", "us", "GB", "IT", "AR", "XX", ""]), any_text)


@given(emails)
@example("İ@İ")
@example("ΑΣ@ΑΣ")
def test_normalize_email_twice_is_once(raw: str) -> None:
    once = normalize_email(raw)

    assert once is None or normalize_email(once) == once


@given(emails)
def test_normalize_email_is_blind_to_case_and_white_space_around(raw: str) -> None:
    assert normalize_email(f"\t{raw} \n") == normalize_email(raw)


@given(any_text)
def test_normalize_name_twice_is_once(raw: str) -> None:
    once = normalize_name(raw)

    assert normalize_name(once) == once


@given(phones, regions)
@example("+390669812345", None)
@example("+310000001", None)
def test_normalize_phone_twice_is_once_whatever_the_region(raw: str, region: str | None) -> None:
    phone = normalize_phone(raw, region)

    if phone is not None and _reads_what_it_formats(phone):
        assert normalize_phone(phone.e164, None) == phone


def _reads_what_it_formats(phone: Phone) -> bool:
    """What libphonenumber formats stands (H3), also where it would read another number there.

    It takes one prefix off: of `+49 00...` a 0, and the next one when it reads the rest.
    """
    read = phonenumbers.parse(phone.e164, None)
    return phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164) == phone.e164


@given(phones, regions)
def test_normalize_phone_gives_digits_alone_and_e164(raw: str, region: str | None) -> None:
    """H2, H3."""
    phone = normalize_phone(raw, region)

    if phone is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{3,16}", phone.e164)
        assert phone.digits == phone.e164[1:]


@given(emails | any_text)
def test_hash_of_a_raw_value_and_of_its_normal_form_are_the_same(raw: str) -> None:
    once = hash_identity({"email": raw}, None, Findings())

    assert hash_identity({"email": normalize_email(raw)}, None, Findings()) in ({}, once)


@given(st.dictionaries(st.sampled_from(["email", "phone", "first_name", "last_name"]), any_text),
       regions)  # fmt: skip
def test_hash_identity_gives_digests_of_something_and_hashes_of_hashes_never(
    event: dict[str, str], region: str | None
) -> None:
    hashes = hash_identity(event, region, Findings())

    nothing = hashlib.sha256(b"").hexdigest()
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes.values())
    assert nothing not in hashes.values()
    assert hash_identity(hashes, region, Findings()) == hashes
