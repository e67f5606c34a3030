import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.movements import CustomerHints, Link
from relay.domain.payment_rules import HintKeys
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.payments.providers import parsing
from relay.payments.providers.parsing import (
    LONGEST_TEXT,
    MOST_ELEMENTS,
    at,
    chain,
    hint_shape,
    hints_from,
    keep,
    read_object,
    refs_of,
)
from tests.support.every import every

PRIVATE = "jane.roe@example.com"


# The whole


@every(
    "body, problem",
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b"\xff{}", "UTF-8"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"jane.roe@example.com"', "not a JSON object"),
        (b'{"a":' * 40_000, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_read_object_anything_else_is_unreadable_and_never_quoted(
    body: bytes, problem: str
) -> None:
    with pytest.raises(UnreadableWebhookError, match=problem) as unreadable:
        read_object(body)

    assert PRIVATE not in str(unreadable.value)


def test_read_object_numbers_stay_exact() -> None:
    assert read_object(b'{"price": 0.10, "huge": 12345678901234567890}') == {
        "price": Decimal("0.10"),
        "huge": Decimal(12345678901234567890),
    }


# The allow-list


def test_keep_leaves_out_whatever_is_not_named() -> None:
    content = {
        "id": "in_1",
        "email": PRIVATE,
        "parent": {"subscription": "sub_1", "name": PRIVATE},
        "lines": [{"price": "p1", "description": PRIVATE}, {"description": PRIVATE}],
    }
    shape: parsing.Shape = {"id": None, "parent": {"subscription": None}, "lines": {"price": None}}

    assert keep(content, shape) == {
        "id": "in_1",
        "parent": {"subscription": "sub_1"},
        "lines": [{"price": "p1"}, {}],
    }


@every("value", ["text", "", 0, -1, True, False, Decimal("0.10")])
def test_keep_plain_value_stays_as_it_is(value: object) -> None:
    assert keep({"field": value}, {"field": None}) == {"field": value}


@every(
    "value",
    [
        None,
        {"name": PRIVATE},
        [PRIVATE],
        "x" * (LONGEST_TEXT + 1),
        "half \ud800",
        Decimal("1E+400"),
        Decimal("0." + "1" * 600),
        Decimal("1." + "0" * 400),  # one digit more than can be written
        Decimal("1" * 40),
    ],
    ids=lambda value: str(value)[:12].encode("ascii", "replace").decode(),
)
def test_keep_value_that_is_not_plain_is_left_out(value: object) -> None:
    assert keep({"field": value}, {"field": None}) == {}


@every("value", [None, PRIVATE, 7, {}, {"other": 1}])
def test_keep_no_object_where_one_is_named_is_left_out(value: object) -> None:
    assert keep({"field": value}, {"field": {"inner": None}}) == {}
    assert keep(value, {"inner": None}) == {}


def test_keep_list_is_cut() -> None:
    kept = keep({"lines": 50 * [{"a": 1}]}, {"lines": {"a": None}})

    assert kept == {"lines": MOST_ELEMENTS * [{"a": 1}]}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON))
def test_keep_whatever_is_kept_can_be_written_and_read_again(content: dict[str, Any]) -> None:
    kept = keep(content, {"a": None, "b": {"a": None, "b": {"c": None}}})

    assert loads(dumps(kept)) == kept


# One field

CONTENT = {
    "text": " EUR ",
    "blank": "  ",
    "null": None,
    "id": "in_1",
    "lower": "eur",
    "whole": 7,
    "digits": "5949",
    "negative": "-5",
    "fraction": Decimal("0.10"),
    "round": Decimal("7.0"),
    "yes": True,
    "no": False,
    "unix": 1793001603,
    "ms": 1793001603123,
    "iso": "2026-10-26T08:00:05.123456Z",
    "offset": "2026-10-26T10:00:05+02:00",
    "list": [{"a": {"b": 1}}],
    "odd.key": 1,
}
MOMENT = datetime(2026, 10, 26, 8, 0, 3, tzinfo=UTC)
READERS: list[tuple[str, str, object]] = [
    ("text", "text", "EUR"),
    ("identifier", "id", "in_1"),
    ("whole", "whole", 7),
    ("whole", "round", 7),
    ("whole", "digits", 5949),
    ("whole", "negative", -5),
    ("number", "fraction", Decimal("0.10")),
    ("number", "whole", Decimal(7)),
    ("currency", "text", "EUR"),
    ("currency", "lower", "EUR"),
    ("moment_of_unix", "unix", MOMENT),
    ("moment_of_milliseconds", "ms", MOMENT.replace(microsecond=123_000)),
    ("moment_of_iso", "iso", MOMENT.replace(second=5, microsecond=123_000)),
    ("moment_of_iso", "offset", MOMENT.replace(second=5)),
]


def reader(name: str) -> Callable[[object, str], object]:
    found: Callable[[object, str], object] = getattr(parsing, name)
    return found


@every("name, path, expected", READERS)
def test_reader_value_of_its_kind_is_read(name: str, path: str, expected: object) -> None:
    assert reader(name)(CONTENT, path) == expected
    assert reader(name)({"inner": [CONTENT]}, f"inner.0.{path}") == expected


OPTIONAL = [
    "text",
    "identifier",
    "whole",
    "number",
    "moment_of_unix",
    "moment_of_milliseconds",
    "moment_of_iso",
]


@every("path", ["absent", "null", "text.inner", "list.7.a", "list.x"])
@every("name", OPTIONAL)
def test_reader_absent_value_is_missing_or_none(name: str, path: str) -> None:
    assert reader(f"{name}_or_none")(CONTENT, path) is None
    with pytest.raises(UnreadableWebhookError, match=f"^{path} is missing$"):
        reader(name)(CONTENT, path)


@every("name", ["text", "identifier", "currency", "moment_of_iso"])
def test_reader_blank_text_is_missing(name: str) -> None:
    with pytest.raises(UnreadableWebhookError, match="blank is missing"):
        reader(name)(CONTENT, "blank")


WRONG: list[tuple[str, object]] = [
    ("text", 7),
    ("text", True),
    ("text", [PRIVATE]),
    ("text", {"name": PRIVATE}),
    ("text", "x" * 501),
    ("text", "\ud800"),
    ("identifier", "a b"),
    ("identifier", "é"),
    ("identifier", "x" * 129),
    ("identifier", 7),
    ("whole", True),
    ("whole", "1.5"),
    ("whole", "1 000"),
    ("whole", "٣"),
    ("whole", "1" * 19),
    ("whole", Decimal("0.5")),
    ("whole", 10**18),
    ("whole", -(10**18)),
    ("whole", Decimal("1E+29")),
    ("whole", [1]),
    ("whole", PRIVATE),
    ("number", "7"),
    ("number", True),
    ("number", Decimal("1E+18")),
    ("number", Decimal("1E-18")),
    ("flag", "true"),
    ("flag", 1),
    ("currency", "EURO"),
    ("currency", "E1R"),
    ("currency", "ıls"),
    ("objects", {}),
    ("objects", PRIVATE),
    ("objects", [{}, PRIVATE]),
    ("moment_of_unix", -1),
    ("moment_of_unix", 253_402_300_800),
    ("moment_of_unix", "soon"),
    ("moment_of_milliseconds", -1),
    ("moment_of_milliseconds", 253_402_300_800_000),
    ("moment_of_iso", "2026-10-26T08:00:05"),
    ("moment_of_iso", "2026-13-26T08:00:05Z"),
    ("moment_of_iso", PRIVATE),
    ("moment_of_iso", 1793001603),
]


@every("name, value", WRONG, ids=lambda value: f"{value!r:.24}")
def test_reader_value_of_another_kind_is_unreadable_and_never_quoted(
    name: str, value: object
) -> None:
    with pytest.raises(UnreadableWebhookError, match=r"^some\.field is not ") as unreadable:
        reader(name)({"some": {"field": value}}, "some.field")

    assert PRIVATE not in str(unreadable.value)
    assert "missing" not in str(unreadable.value)


@every("path, expected", [("yes", True), ("no", False), ("absent", False)])
def test_flag_absent_is_false(path: str, expected: bool) -> None:  # noqa: FBT001 # the promise
    assert parsing.flag(CONTENT, path) is expected


def test_objects_absent_are_none() -> None:
    assert parsing.objects(CONTENT, "list") == [{"a": {"b": 1}}]
    assert parsing.objects(CONTENT, "absent") == []


def test_at_goes_through_objects_and_lists() -> None:
    assert at(CONTENT, "list.0.a.b") == 1
    assert at(CONTENT, "list.1.a.b") is None
    assert at(CONTENT, "list.-1.a.b") is None
    assert at(CONTENT, "odd.key") is None


# Whose it is

KEYS = HintKeys()


def test_clue_shape_names_the_four_keys_of_the_settings_alone() -> None:
    assert hint_shape(KEYS) == {
        "app_user_id": None,
        "appsflyer_id": None,
        "af_app_id": None,
        "platform": None,
    }
    assert set(hint_shape(HintKeys(customer_user_id="uid"), "metadata.")) == {
        "metadata.uid",
        "metadata.appsflyer_id",
        "metadata.af_app_id",
        "metadata.platform",
    }


def test_clues_from_metadata_by_the_keys_of_the_settings() -> None:
    metadata = {"uid": " u1 ", "appsflyer_id": "1-2", "af_app_id": "id1", "platform": "iOS"}

    assert hints_from(metadata, HintKeys(customer_user_id="uid")) == CustomerHints(
        "u1", "1-2", "id1", "ios"
    )
    assert hints_from({"m.app_user_id": 84213}, KEYS, "m.") == CustomerHints("84213")


@every("value", [None, "", "  ", True, Decimal("1.5"), ["u1"], {"id": "u1"}])
def test_clues_from_what_is_no_text_or_whole_number_is_no_clue(value: object) -> None:
    assert hints_from({"app_user_id": value, "platform": value}, KEYS) == CustomerHints()


@every("metadata", [None, [], "app_user_id", 7, {}])
def test_clues_from_no_metadata_are_none(metadata: object) -> None:
    assert hints_from(metadata, KEYS) == CustomerHints()


@every(
    "given, platform",
    [("ios", "ios"), ("Android", "android"), ("WEB", "web"), ("windows", None)],
)
def test_clues_from_platform_is_one_that_is_known(given: str, platform: str | None) -> None:
    assert hints_from({"platform": given}, KEYS).platform == platform


def test_refs_name_what_has_an_id() -> None:
    assert refs_of(payment="pi_1", invoice=None, customer="", subscription="sub_1") == (
        "payment:pi_1",
        "subscription:sub_1",
    )


def test_chain_each_leads_to_all_behind_it_and_a_customer_is_only_who_he_is() -> None:
    hints = CustomerHints("u1", "1-2", "id1", "ios")
    ends = datetime(2026, 11, 2, tzinfo=UTC)

    assert chain(("invoice:in_1", "subscription:sub_1", "customer:cus_1"), hints, ends) == (
        Link("invoice:in_1", ("subscription:sub_1", "customer:cus_1"), hints),
        Link("subscription:sub_1", ("customer:cus_1",), hints, ends),
        Link("customer:cus_1", (), CustomerHints("u1")),
    )
    assert chain((), hints) == ()


def test_chain_of_what_nothing_is_known_nothing_is_said() -> None:
    assert chain(("payment:pi_1", "invoice:in_1"), CustomerHints()) == (
        Link("payment:pi_1", ("invoice:in_1",)),
    )
    assert chain(("customer:cus_1",), CustomerHints(appsflyer_id="1-2")) == ()


def test_sample_of_json_with_duplicate_keys_is_read_by_the_last() -> None:
    """As every provider's own library does: what is verified is what is understood."""
    assert read_object(json.dumps({"a": 1}).encode()[:-1] + b',"a":2}') == {"a": 2}
