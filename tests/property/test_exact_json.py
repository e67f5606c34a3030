"""Numbers keep their digits, and both ways of writing agree."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from tests.property.strategies import any_text, json_values

plain_numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?", fullmatch=True)
exponents = st.from_regex(r"[eE][+-]?[0-9]{1,3}", fullmatch=True)
good_text = st.text(max_size=10)

writable_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.decimals(-(10**20), 10**20, places=5),
        good_text,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(good_text, inner, max_size=4),
    max_leaves=10,
)


@given(plain_numbers)
def test_plain_number_read_and_written_keeps_every_digit(text: str) -> None:
    assume(text != "-0")  # the one integer that is another one: JSON's -0 is Python's 0

    assert dumps(loads(text)).decode() == text


@given(plain_numbers, exponents)
def test_number_with_an_exponent_is_written_without_and_is_the_same(
    digits: str, exponent: str
) -> None:
    number = Decimal(digits + exponent)
    assume(abs(number.adjusted()) <= 400)

    written = dumps(loads(digits + exponent)).decode()

    assert "e" not in written.lower()
    assert Decimal(written) == number


@given(writable_values)
def test_value_written_and_read_is_the_same(value: Any) -> None:
    assert loads(dumps(value)) == value


@given(writable_values)
def test_slow_way_of_writing_agrees_with_the_fast_one(value: Any) -> None:
    """An integer beyond 64 bits is what makes it slow."""
    fast, slow = dumps([value]), dumps([value, 2**70])

    assert slow == fast[:-1] + b",1180591620717411303424]"


@given(json_values)
def test_dumps_of_anything_is_json_or_its_own_error(value: Any) -> None:
    try:
        written = dumps(value)
    except UnwritableError:
        return

    json.loads(written.decode("utf-8"))


@given(st.one_of(any_text, st.binary(max_size=40), json_values.map(repr)))
def test_loads_of_any_text_is_a_value_or_its_own_error(text: str | bytes) -> None:
    with contextlib.suppress(InvalidJsonError):
        loads(text)


@given(good_text.filter(lambda text: len(text) > 3))
def test_loads_of_what_is_not_json_never_quotes_it(text: str) -> None:
    secret = f"Qzv{text}"

    with pytest.raises(InvalidJsonError) as caught:
        loads(secret)

    assert "Qzv" not in str(caught.value)
