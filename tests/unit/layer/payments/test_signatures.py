import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import SignatureRefusedError, StaleSignatureError
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.signatures import (
    MOST_SIGNATURES,
    any_matches,
    check_age,
    check_hmac,
    header,
    in_base64,
    in_hex,
    text_keys,
    timed_signatures,
)
from relay.secrets import Secret
from tests.support.every import every

NOW = datetime(2026, 10, 26, 8, 0, 5, tzinfo=UTC)
UNIX = 1793001605
MESSAGE = b"the message"


def signed(key: bytes, message: bytes = MESSAGE) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


HEX = signed(b"key").hex()


# The signature itself


def test_check_hmac_rfc_4231_case_2_is_accepted() -> None:
    """A published test vector: neither the key nor the digest comes from here."""
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

    check_hmac([digest], [b"Jefe"], b"what do ya want for nothing?", in_hex)
    check_hmac(
        [base64.b64encode(bytes.fromhex(digest)).decode()],
        [b"Jefe"],
        b"what do ya want for nothing?",
        in_base64,
    )


@every("keys", [[b"key"], [b"old", b"key"], [b"", b"key"]])
@every("given", [[HEX], ["0" * 64, HEX], ["", HEX, "x"]])
def test_check_hmac_any_signature_by_any_key_is_accepted(
    keys: list[bytes], given: list[str]
) -> None:
    check_hmac(given, keys, MESSAGE, in_hex)


@every(
    "given",
    [[], [""], [HEX.upper()], [HEX + "0"], [HEX[:-1]], [" " + HEX], ["\ud800"], ["é" * 64]],
)
def test_check_hmac_anything_else_is_refused(given: list[str]) -> None:
    with pytest.raises(SignatureRefusedError):
        check_hmac(given, [b"key"], MESSAGE, in_hex)


@every("keys", [[], [b""], [b"", b""]])
def test_check_hmac_no_key_refuses_what_the_empty_key_signed(keys: list[bytes]) -> None:
    with pytest.raises(SignatureRefusedError, match="no secret"):
        check_hmac([signed(b"").hex()], keys, MESSAGE, in_hex)


def test_check_hmac_looks_at_a_bounded_number_of_signatures() -> None:
    check_hmac([*(MOST_SIGNATURES - 1) * ["x"], HEX], [b"key"], MESSAGE, in_hex)
    with pytest.raises(SignatureRefusedError):
        check_hmac([*MOST_SIGNATURES * ["x"], HEX], [b"key"], MESSAGE, in_hex)


def test_in_base64_each_other_spelling_of_a_digest_is_refused() -> None:
    """Base64's last character has bits to spare: decoded, four spellings would be one digest."""
    right = in_base64(signed(b"key"))
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    others = {right[:-2] + chr(last) + "=" for last in alphabet} - {right}

    assert len(others) == 63
    assert not any(any_matches([other], [right]) for other in others)


@every("blank", ["", " ", "\t\n"])
def test_text_keys_blank_secret_is_none(blank: str) -> None:
    assert text_keys([Secret(blank), Secret(" whsec_é ")]) == [" whsec_é ".encode()]


def test_header_absent_or_blank_is_refused() -> None:
    assert header(Webhook({"x-signature": "abc"}, b""), "x-signature") == "abc"
    for headers in ({}, {"x-signature": ""}, {"x-signature": " "}):
        with pytest.raises(SignatureRefusedError, match="no header x-signature"):
            header(Webhook(headers, b""), "x-signature")


# The time


@every("seconds", [-300, -299, 0, 300])
def test_check_age_within_the_tolerance_passes(seconds: int) -> None:
    check_age(str(UNIX + seconds), NOW, 300)


@every("seconds, when", [(-301, "ago"), (301, "in the future"), (10**9, "in the future")])
def test_check_age_outside_the_tolerance_is_stale(seconds: int, when: str) -> None:
    with pytest.raises(StaleSignatureError, match=f"300 s {when}"):
        check_age(str(UNIX + seconds), NOW, 300)


def test_check_age_a_millisecond_too_old_is_stale() -> None:
    check_age(str(UNIX), NOW + timedelta(seconds=300), 300)
    with pytest.raises(StaleSignatureError):
        check_age(str(UNIX), NOW + timedelta(seconds=300, milliseconds=1), 300)


NO_TIMES = [
    "",
    " ",
    "-1",
    "+1",
    "1e9",
    "1_000",
    "0x10",
    "1793001605.0",
    " 1793001605",
    "1793001605\n",
    "１７９３００１６０５",
    "٣",
    "nan",
    "1" * 13,
    "9" * 5000,
    "\ud800",
]


@every("timestamp", NO_TIMES, ids=lambda text: f"{text[:12]!r}")
def test_check_age_no_unix_seconds_is_refused_and_not_stale(timestamp: str) -> None:
    with pytest.raises(SignatureRefusedError) as refused:
        check_age(timestamp, NOW, 300)

    assert not isinstance(refused.value, StaleSignatureError)


@every("timestamp", ["0", "999999999999"])
def test_check_age_any_unix_seconds_are_compared_without_overflow(timestamp: str) -> None:
    with pytest.raises(StaleSignatureError):
        check_age(timestamp, NOW, 3600)


@given(st.text(), st.integers(10, 3600))
def test_check_age_garbage_is_refused_and_nothing_else(timestamp: str, tolerance: int) -> None:
    with pytest.raises(SignatureRefusedError):
        check_age(timestamp, NOW, tolerance)


# The header that holds both


def test_timed_signatures_of_other_schemes_are_left_out() -> None:
    found = timed_signatures("t=12,v1=a,v0=b,v1=c=,x,v1", ",", "t", "v1")

    assert found == ("12", ["a", "c=", ""])


@every(
    "value",
    ["v1=a", "t=,v1=a", "t=1,t=2,v1=a", "t=1,t=1,v1=a", "t,v1=a", "not-a-signature", "ts=1;v1=a"],
)
def test_timed_signatures_without_exactly_one_time_are_refused(value: str) -> None:
    with pytest.raises(SignatureRefusedError, match="timestamp"):
        timed_signatures(value, ",", "t", "v1")


@given(st.text(alphabet=st.sampled_from("tv10=,;\ud800é "), max_size=200))
def test_timed_signatures_garbage_is_refused_or_read_and_nothing_else(value: str) -> None:
    try:
        found = timed_signatures(value, ",", "t", "v1")
    except SignatureRefusedError:
        return
    assert found.timestamp.isdecimal()
