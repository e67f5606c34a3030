from decimal import Decimal
from typing import Any

import orjson
import pytest

from relay.exact_json import (
    MOST_VALUES,
    DoubledObject,
    InvalidJsonError,
    NameTwiceError,
    TooManyValuesError,
    UnwritableError,
    decimal_of,
    dumps,
    dumps_with_room,
    loads,
    loads_once,
    plain_number,
    without_lone_surrogates,
)
from tests.support.every import every

TOO_DEEP = 100_000


def nested(levels: int) -> Any:
    """Objects within objects, built without recursion."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


# Reading


@every(
    "text, number",
    [
        ("0", 0),
        ("-7", -7),
        ("123456789012345678", 123456789012345678),
        ("0.1", Decimal("0.1")),
        ("49.90", Decimal("49.90")),
        ("1E+2", Decimal("1E+2")),
        ("123456789012345678901234567890", Decimal(123456789012345678901234567890)),
    ],
)
def test_loads_number_gives_exactly_that_number(text: str, number: object) -> None:
    read = loads(text)

    assert read == number
    assert not isinstance(read, float)


@every("text", ["9" * 5_000, "-" + "9" * 5_000])
def test_loads_integer_of_thousands_of_digits_is_exact(text: str) -> None:
    assert loads(text) == Decimal(text)


def test_loads_bytes_reads_them_as_utf8() -> None:
    assert loads(b'{"name":"Zo\xc3\xab"}') == {"name": "Zoë"}


def test_loads_same_key_twice_takes_the_last() -> None:
    assert loads('{"a":1,"a":2}') == {"a": 2}


@every(
    "text",
    [
        "",
        " ",
        "{",
        "{'a':1}",
        '{"a":1,}',
        "[1,]",
        "01",
        ".5",
        "5.",
        "+1",
        "NaN",
        "Infinity",
        "-Infinity",
        '{"a":NaN}',
        "1 2",
        '"\n"',
        "\ufeff1",
        b"\xff",
        b'"\xed\xa0\x80"',  # half a surrogate pair, written as if it were UTF-8
        "[" * TOO_DEEP,
        '{"a":' * TOO_DEEP,
        "1e99999999999999999999",
        "[1e-99999999999999999999]",
    ],
    ids=lambda text: repr(text)[:24],
)
def test_loads_what_is_not_json_raises_its_own_error(text: str | bytes) -> None:
    with pytest.raises(InvalidJsonError):
        loads(text)


@every("text", ['{"email": "jane@example.com"', b'"jane@example.com\xff"'])
def test_loads_what_is_not_json_never_quotes_it(text: str | bytes) -> None:
    with pytest.raises(InvalidJsonError) as caught:
        loads(text)

    assert "jane" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_loads_what_is_not_json_says_where_it_goes_wrong() -> None:
    with pytest.raises(InvalidJsonError, match="line 2, column 6"):
        loads('{\n "a":}')


# How much is read


def list_of(unit: str, count: int) -> str:
    return f"[{','.join([unit] * count)}]"


@pytest.mark.untraced  # as much as may be read
@every(
    "unit, values",
    [("1", 1), ('"x"', 1), ("[]", 2), ("{}", 2), ('{"a":1}', 3), ("1e9", 1), ("1E+10", 7)],
)
def test_loads_reads_so_many_names_and_values_and_no_more(unit: str, values: int) -> None:
    """A value has a comma before it or a bracket; an exponent stands for the digits written."""
    fits = MOST_VALUES // values

    assert len(loads(list_of(unit, fits))) == fits
    with pytest.raises(TooManyValuesError, match="100,000"):
        loads(list_of(unit, fits + 1))


def test_loads_reads_as_many_as_its_caller_says() -> None:
    assert len(loads(list_of("1", 150_000), 150_000)) == 150_000
    with pytest.raises(TooManyValuesError):
        loads(list_of("1", 150_001), 150_000)


@every(
    "text",
    ["[{,:" * 30_000, '\\"[{,' * 30_000, "\\\\" * 60_000, "1e99," * 30_000],
    ids=["separators", "quotes", "backslashes", "exponents"],
)
def test_loads_counts_nothing_within_a_text(text: str) -> None:
    assert isinstance(loads(f'["{text}", 1]')[0], str)


@every("unclosed", ['"' + '\\"' * 1_000_000, '"[' * 500_000 + "\\"])
def test_loads_of_a_text_that_does_not_end_is_as_quick_as_of_one_that_does(unclosed: str) -> None:
    """Were each quotation mark looked for its end anew, this would take hours."""
    with pytest.raises(InvalidJsonError):
        loads(unclosed)


# Writing


@every(
    "value, text",
    [
        ({"b": 1, "a": [True, False, None]}, '{"b":1,"a":[true,false,null]}'),
        ({"text": "Zoë ✓ \U0001f600"}, '{"text":"Zoë ✓ \U0001f600"}'),
        (Decimal("1E+3"), "1000"),
        (Decimal("6.00"), "6.00"),
        (Decimal("-0"), "-0"),
        (Decimal("1E-7"), "0.0000001"),
        (10**18, "1000000000000000000"),
        (2**64, "18446744073709551616"),
        ([-(2**63) - 1, "x", {"deep": [2**70]}], None),
        ((2**64,), "[18446744073709551616]"),
        ([True, 2**64], "[true,18446744073709551616]"),
    ],
    ids=repr,
)
def test_dumps_value_writes_it_compactly_and_plainly(value: object, text: str | None) -> None:
    if text is None:
        text = '[-9223372036854775809,"x",{"deep":[1180591620717411303424]}]'
    assert dumps(value).decode() == text


@every(
    "text, written",
    [
        ("1e3", "1000"),
        ("1E+2", "100"),
        ("49.990", "49.990"),
        ("-0.0", "-0.0"),
        ("-0", "-0"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("12345678901234567890123.45", "12345678901234567890123.45"),
        ("1e399", "1" + "0" * 399),
        ("1e-398", "0." + "0" * 397 + "1"),
    ],
)
def test_dumps_what_was_read_keeps_its_digits(text: str, written: str) -> None:
    assert dumps(loads(text)).decode() == written


UNWRITABLE = {
    "lone surrogate": "\ud800",
    "lone surrogate as key": {"\udfff": 1},
    "NaN": Decimal("NaN"),
    "infinity": Decimal("Infinity"),
    "1e401": Decimal("1E+401"),
    "1e-401": Decimal("1E-401"),
    "1e999999": Decimal("1E+999999"),
    "an int of 5001 digits": 10**5_000,
    "a decimal of 5001 digits": Decimal(10**5_000),
    "a set": {1, 2},
    "an object": object(),
    "300 levels": nested(300),
    "100000 levels": nested(TOO_DEEP),
}


@every("value", list(UNWRITABLE.values()), ids=list(UNWRITABLE))
def test_dumps_what_has_no_json_form_raises_its_own_error(value: object) -> None:
    with pytest.raises(UnwritableError):
        dumps(value)


def test_dumps_with_room_value_writes_what_dumps_writes() -> None:
    value = {"a": [1, Decimal("2.50"), 2**64], "b": "é"}

    assert dumps_with_room(value) == b'{"a":[1,2.50,18446744073709551616],"b":"\xc3\xa9"}'


def test_dumps_with_room_takes_nothing_that_no_longer_fits_when_it_is_wrapped() -> None:
    deepest = max(levels for levels in range(260) if _is_taken(levels))

    assert dumps([[[[nested(deepest)]]]])


def _is_taken(levels: int) -> bool:
    try:
        dumps_with_room(nested(levels))
    except UnwritableError:
        return False
    return True


# Numbers


@every("text", ["NaN", "-Infinity", "1E+400", "1E-399", "1" * 401])
def test_plain_number_of_no_use_raises(text: str) -> None:
    with pytest.raises(UnwritableError):
        plain_number(Decimal(text))


@every("text", ["1" * 400, "1E+399", "1E-398"])
def test_plain_number_of_the_greatest_length_is_written(text: str) -> None:
    assert "E" not in plain_number(Decimal(text))


@every(
    "value, number",
    [
        (5, Decimal(5)),
        (Decimal("0.10"), Decimal("0.10")),
        (0.1, Decimal("0.1")),
        (0.1 + 0.2, Decimal("0.30000000000000004")),
        (1e22, Decimal("1E+22")),
        (True, None),
        ("5", None),
        (None, None),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("Infinity"), None),
    ],
    ids=repr,
)
def test_decimal_of_value_gives_the_exact_number_or_none(
    value: object, number: Decimal | None
) -> None:
    assert decimal_of(value) == number


def test_dumps_agrees_with_orjson_where_no_number_needs_care() -> None:
    value = {"a": ["x", 1, -1, True, None, {"b": {}}], "c": '\u2028\x00\t"\\'}

    assert dumps(value) == orjson.dumps(value)


# A name twice (G5)


def test_loads_once_takes_what_has_each_name_once() -> None:
    assert loads_once('{"a":{"k":1},"b":{"k":1},"c":[{"k":1e1}]}') == {
        "a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 10}]
    }  # fmt: skip
    with pytest.raises(InvalidJsonError):
        loads_once('{"a":NaN}')


@every(
    "text, name, rest, own",
    [
        ('{"a":1,"b":2,"\\u0061":3}', "a", {"b": 2}, ("a",)),
        ('{"x":[{"a":1,"a":1,"b":2}],"y":{"c":1}}', "a", {"x": [{"b": 2}], "y": {"c": 1}}, ()),
        ('{"":1,"":2}', "", {}, ("",)),
        ('[{"b":{"a":1,"a":1}}]', "a", [{"b": {}}], None),
    ],
)
def test_loads_once_refuses_a_name_twice_and_gives_the_rest(
    text: str, name: str, rest: object, own: tuple[str, ...] | None
) -> None:
    with pytest.raises(NameTwiceError) as caught:
        loads_once(text)

    assert (caught.value.name, caught.value.rest) == (name, rest)
    if own is not None:
        assert isinstance(caught.value.rest, DoubledObject)
        assert (caught.value.rest.own, caught.value.rest.name) == (own, name)


def test_loads_once_of_a_name_twice_too_deep_to_look_at_is_no_json() -> None:
    deep = '{"a":' * 3_000 + '{"b":1,"b":2}' + "}" * 3_000

    with pytest.raises(InvalidJsonError):
        loads_once(deep)


def test_without_lone_surrogates_too_deep_to_be_written_is_unwritable() -> None:
    with pytest.raises(UnwritableError):
        without_lone_surrogates(nested(20_000))
