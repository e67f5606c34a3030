"""Consent, sharing and the rest: M14 to M16 and M18."""

from decimal import Decimal

import pytest

from tests.hostile_values import (
    SURROGATE,
    absent,
    found,
    prepared,
    sent,
)

# M14, M15, M16, M18


@pytest.mark.parametrize("value", ["all", ["x"], ["facebook_int", "x"]], ids=str)
def test_sharing_filter_in_its_form_is_sent(value: object) -> None:
    assert sent(prepared(sharing_filter=value))["sharing_filter"] == value


def test_sharing_filter_of_old_names_is_repaired() -> None:
    event = prepared(sharing_filter=["twitter_int", "x", "iossearchads_int"])

    assert found(event) == [("repair", "M14", "sharing_filter")]
    assert sent(event)["sharing_filter"] == ["twitter", "x", "Apple Search Ads"]


@pytest.mark.parametrize(
    "value",
    ["none", "ALL", [], [""], ["x", " "], ["x", None], ["x", 5], [["x"]], {}, 5, True],
    ids=str,
)
def test_sharing_filter_of_another_form_is_rejected(value: object) -> None:
    assert found(prepared(sharing_filter=value)) == [("reject", "M14", "sharing_filter")]


TCF = {
    "policy_version": 4,
    "gdpr_applies": 1,
    "cmp_sdk_id": 1,
    "cmp_sdk_version": 1,
    "tcstring": "C",
}
MANUAL = {"gdpr_applies": True, "ad_user_data_enabled": False, "ad_personalization_enabled": True}


@pytest.mark.parametrize(
    ("value", "as_sent"),
    [
        ({"tcf": TCF}, {"tcf": TCF}),
        ({"tcf": {"gdpr_applies": -1}}, {"tcf": {"gdpr_applies": -1}}),
        ({"tcf": {"gdpr_applies": 0, "tcstring": None}}, {"tcf": {"gdpr_applies": 0}}),
        ({"tcf": {}}, {"tcf": {}}),
        ({"manual": MANUAL}, {"manual": MANUAL}),
        ({"manual": {"gdpr_applies": False}}, {"manual": {"gdpr_applies": False}}),
        ({"manual": MANUAL, "tcf": None}, {"manual": MANUAL}),
    ],
)
def test_consent_data_of_one_form_is_sent(value: object, as_sent: object) -> None:
    event = prepared(consent_data=value)

    assert found(event) == []
    assert sent(event)["consent_data"] == as_sent


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "manual",
        5,
        True,
        [],
        {},
        {"tcf": None},
        {"tcf": []},
        {"tcf": "C"},
        {"other": {}},
        {"tcf": {}, "manual": {}},
        {"tcf": {"gdpr_applies": 2}},
        {"tcf": {"gdpr_applies": True}},
        {"tcf": {"cmp_sdk_id": "1"}},
        {"tcf": {"policy_version": Decimal("4.0")}},
        {"tcf": {"tcstring": 5}},
        {"tcf": {"x": 1}},
        {"manual": {"gdpr_applies": 1}},
        {"manual": {"ad_user_data_enabled": "true"}},
        {"manual": {"tcstring": "C"}},
        {"tcf": {"tcstring": SURROGATE}},
    ],
    ids=str,
)
def test_consent_data_of_another_form_is_rejected(value: object) -> None:
    assert found(prepared(consent_data=value)) == [("reject", "M15", "consent_data")]


@pytest.mark.parametrize(
    "value", ["App_Clip", "app_clip ", "x", 5, True, ["app_clip"], {}], ids=repr
)
def test_app_type_other_than_app_clip_is_rejected(value: object) -> None:
    assert found(prepared(app_type=value)) == [("reject", "M16", "app_type")]


def test_app_type_of_app_clip_is_sent() -> None:
    assert sent(prepared(app_type="app_clip"))["app_type"] == "app_clip"


@pytest.mark.parametrize(
    "value", [5, "-5", "5.0", " 5", "5\n", "１２", "²", "x", True, [], {}], ids=repr
)
def test_fb_login_id_that_is_no_numeric_string_is_rejected(value: object) -> None:
    assert found(prepared(fb_login_id=value)) == [("reject", "M18", "fb_login_id")]


@pytest.mark.parametrize("field", ["sharing_filter", "app_type", "fb_login_id", "custom_data"])
@absent
def test_optional_field_that_is_absent_is_not_sent(field: str, value: str | None) -> None:
    event = prepared(**{field: value})

    assert found(event) == []
    assert field not in sent(event)
