"""Events as nobody should send them, and as somebody will."""

from datetime import UTC
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from relay.domain.kinds import App, Kind
from relay.rules import mobile, web
from tests.support.builders import MOBILE_APP, WEB_APP, make_event, make_web_event, make_web_visit

any_text = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(exclude_categories=()), max_size=20),  # with halves of surrogate pairs
    st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "\n",
            "\ufffe",
            "1e400",
            "NaN",
            "null",
            "{}",
            "[]",
            "%40",
            "::1",
            "x" * 70,
        ]
    ),
    st.text(max_size=3).map(lambda text: text * 400),
)

numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 10**18, 2**63, 2**64, 10**40, 1_772_452_740, 1_772_452_740_000]),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal("1E+400"), Decimal("1E-400"), Decimal("1E+999999"), Decimal("-0.0")]),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, any_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(any_text, inner, max_size=4)
    ),
    max_leaves=8,
)
"""What `exact_json.loads` can give, and worse."""

python_values = st.one_of(
    json_values, st.floats(), st.sampled_from([Decimal("NaN"), Decimal("sNaN"), 10**5_000])
)
"""What only a Python caller could hand in, too."""

plausible_values = st.sampled_from(
    ["af_purchase", "USD", "usd", "SLE", "2026-03-02 11:59:00.000", "2026-03-02T23:00:00+14:00",
     "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "9D5C1A9C-1B1A-4B1E-9C1A-1B1A4B1E9C1A",
     "00000000-0000-0000-0000-000000000000", "all", ["twitter_int"], {"scope": 1, "id": "x"},
     {"tcf": {"gdpr_applies": 1}}, {"manual": {"gdpr_applies": True}}, {"af_revenue": "1.50"},
     {"af_revenue": Decimal("1E+3")}, '{"af_revenue":-5.10,"a":[1e3]}', {"customer_user_id": "u"},
     {"appsflyer_id": "1-1"}, {"custom_parameters": {"a": None}}, "https://example.com/?a=b%40c.de",
     "jane@example.com", "+12025550123", "202 555 0123", "US", "14.5", 2, True, 1_772_452_740_000,
     1_772_452_740, Decimal("49.90"), " USD\u200b", "null", "0", "3", "true", "UK",
     {"AF_REVENUE": 1},
     {"af_revenue": 1, "af_currency": "gbp"}, "10.0.0.1", ["ALL", 5], "2026-03-02 11:59:00 UTC",
     {"scope": "1", "id": " 9D5C1A9C-1B1A-4B1E-9C1A-1B1A4B1E9C1A"}, {"a": "\ud800"},
     "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"]
)  # fmt: skip
"""What is right in one field or another."""

_VALID = {
    Kind.MOBILE_EVENT: make_event,
    Kind.WEB_EVENT: make_web_event,
    Kind.WEB_VISIT: make_web_visit,
}
_STRANGERS = [
    *("eventname", "e_mail", "wifi", "user_agent", "app_version", "\ud800", "", "custom", "IDFA"),
    *("customerUserId", "bundle_id", "currency", "event-value", "timeStamp", "eventCurrency2"),
    *("sharingFilter", "event_revenu", "appsflyerId", "phoneRegion", "Event_Value"),
]

kinds = st.sampled_from(list(Kind))


def fields_of(kind: Kind) -> list[str]:
    """The fields of a kind, and some that are none."""
    known = mobile.KNOWN_FIELDS if kind is Kind.MOBILE_EVENT else web.KNOWN_FIELDS
    return [*sorted(known), *_STRANGERS]


def changes(kind: Kind, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some fields of a kind, with other values than they should have."""
    return st.dictionaries(st.sampled_from(fields_of(kind)), values, max_size=4)


@st.composite
def near_valid_events(
    draw: st.DrawFn, kind: Kind, values: st.SearchStrategy[Any] = json_values
) -> dict[str, Any]:
    """An event without a fault, but for some of its fields."""
    return _VALID[kind](**draw(changes(kind, st.one_of(plausible_values, values))))


@st.composite
def apps(draw: st.DrawFn, kind: Kind) -> App:
    """The app of a kind, set up in one way or another."""
    ids = [MOBILE_APP, "com.example.shop", "9n"] if kind is Kind.MOBILE_EVENT else [WEB_APP]
    zone = draw(st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "America/Havana"]))
    return App(draw(st.sampled_from(ids)), zone, draw(st.sampled_from([None, "US", "GB", "??"])))


moments = st.datetimes(timezones=st.just(UTC))
"""Any moment at all, in UTC."""
