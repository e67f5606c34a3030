"""The device: M7 to M13."""

from decimal import Decimal
from itertools import count

import pytest

from tests.hostile_values import (
    ANDROID,
    IOS,
    SURROGATE,
    WINDOWS,
    absent,
    found,
    nested,
    prepared,
    sent,
    wrong_types,
)

UUID = "F47AC10B-58CC-4372-A567-0E02B2C3D479"
ZERO_UUID = "00000000-0000-0000-0000-000000000000"


# M7


@pytest.mark.parametrize("value", ["192.0.2.1", "0.0.0.1", "255.255.255.255"])
def test_ip_of_version_4_is_sent(value: str) -> None:
    assert sent(prepared(ip=value))["ip"] == value


@pytest.mark.parametrize("value", ["::ffff:192.0.2.1", "::FFFF:C000:201"])
def test_ip_mapped_is_repaired_to_version_4(value: str) -> None:
    event = prepared(ip=value)

    assert found(event) == [("repair", "M7", "ip")]
    assert sent(event)["ip"] == "192.0.2.1"


@pytest.mark.parametrize("value", ["2001:db8::1", "::1", "::192.0.2.1", "fe80::1%eth0"])
def test_ip_of_version_6_is_left_out_with_a_warning(value: str) -> None:
    event = prepared(ip=value)

    assert found(event) == [("warn", "M7", "ip")]
    assert "ip" not in sent(event)


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1.",
        "192.0.2.01",
        "192.0.2.1\n",
        " 192.0.2.1",
        "192.0.2.1/32",
        "192.0.2.1:80",
        "3221225985",
        "0xC0000201",
        "localhost",
        "１９２.0.2.1",
        "x" * 65_536,
        SURROGATE,
    ],
    ids=lambda value: f"{value!r:.16}",
)
def test_ip_that_is_none_is_rejected(value: str) -> None:
    assert found(prepared(ip=value)) == [("reject", "M7", "ip")]


@wrong_types()
def test_ip_of_a_wrong_type_is_rejected(value: object) -> None:
    assert found(prepared(ip=value)) == [("reject", "M7", "ip")]


# M8


ANDROID_IDS = ["advertising_id", "oaid", "amazon_aid", "imei"]


@wrong_types()
@pytest.mark.parametrize("field", ANDROID_IDS)
def test_android_id_of_a_wrong_type_is_rejected(field: str, value: object) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M8", field)]


@pytest.mark.parametrize("app_id", [IOS, WINDOWS])
@pytest.mark.parametrize("field", ANDROID_IDS)
def test_android_id_on_another_platform_is_sent_with_a_warning(field: str, app_id: str) -> None:
    event = prepared(app_id, idfv=None, **{field: "x-1"})

    assert found(event) == [("warn", "M8", field)]
    assert sent(event)[field] == "x-1"


@pytest.mark.parametrize("field", ["oaid", "amazon_aid", "imei"])
def test_android_id_other_than_the_advertising_id_may_be_zero(field: str) -> None:
    assert sent(prepared(ANDROID, idfv=None, **{field: ZERO_UUID}))[field] == ZERO_UUID


@pytest.mark.parametrize("app_id", [IOS, ANDROID, WINDOWS])
def test_advertising_id_of_zeros_is_left_out_with_a_warning(app_id: str) -> None:
    event = prepared(app_id, idfv=None, advertising_id=ZERO_UUID)

    assert found(event) == [("warn", "M8", "advertising_id")]
    assert "advertising_id" not in sent(event)


@pytest.mark.parametrize("scope", [1, 2])
def test_app_set_id_in_its_form_is_sent_on_android(scope: int) -> None:
    event = prepared(ANDROID, idfv=None, app_set_id={"scope": scope, "id": UUID.lower()})

    assert found(event) == []
    assert sent(event)["app_set_id"] == {"scope": scope, "id": UUID.lower()}


def test_app_set_id_on_another_platform_is_sent_with_a_warning() -> None:
    assert found(prepared(app_set_id={"scope": 1, "id": UUID})) == [("warn", "M8", "app_set_id")]


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        UUID,
        1,
        True,
        [],
        {},
        {"scope": 1},
        {"id": UUID},
        {"scope": 0, "id": UUID},
        {"scope": 3, "id": UUID},
        {"scope": True, "id": UUID},
        {"scope": "1", "id": UUID},
        {"scope": Decimal("1.0"), "id": UUID},
        {"scope": 1, "id": UUID, "x": 1},
        {"scope": 1, "id": 5},
        {"scope": 1, "id": UUID + "\n"},
        {"scope": 1, "id": UUID[:-1]},
        {"scope": 1, "id": None},
        nested(100_000),
    ],
    ids=count(),
)
def test_app_set_id_in_any_other_form_is_rejected(value: object) -> None:
    assert found(prepared(ANDROID, idfv=None, app_set_id=value)) == [("reject", "M8", "app_set_id")]


# M9


@wrong_types()
@pytest.mark.parametrize("field", ["idfa", "idfv"])
def test_ios_id_of_a_wrong_type_is_rejected(field: str, value: object) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M9", field)]


@pytest.mark.parametrize(
    "value", [UUID.replace("-", ""), UUID[:-1], f"{{{UUID}}}", f"{UUID}\n", "x"]
)
@pytest.mark.parametrize("field", ["idfa", "idfv"])
def test_ios_id_that_is_no_uuid_is_rejected(field: str, value: str) -> None:
    assert found(prepared(**{field: value})) == [("reject", "M9", field)]


def test_ios_id_on_android_in_lower_case_is_repaired_and_warned_of() -> None:
    event = prepared(ANDROID, idfv=None, idfa=UUID.lower())

    assert sorted(found(event)) == [("repair", "M9", "idfa"), ("warn", "M9", "idfa")]
    assert sent(event)["idfa"] == UUID


@pytest.mark.parametrize("app_id", [IOS, ANDROID])
def test_idfa_of_zeros_is_left_out_with_a_warning(app_id: str) -> None:
    event = prepared(app_id, idfv=None, idfa=ZERO_UUID)

    assert found(event) == [("warn", "M9", "idfa")]
    assert "idfa" not in sent(event)


def test_idfv_of_zeros_is_sent() -> None:
    event = prepared(idfv=ZERO_UUID)

    assert found(event) == []
    assert sent(event)["idfv"] == ZERO_UUID


# M10, M11, M12, M13


@pytest.mark.parametrize("value", [0, 1, 2, 3])
def test_att_of_ios_is_sent(value: int) -> None:
    event = prepared(att=value)

    assert found(event) == []
    assert sent(event)["att"] == value


@pytest.mark.parametrize(
    "value", [-1, 4, 10**5_000, "1", "", True, False, Decimal("1.0"), 1.0, [], {}], ids=count()
)
def test_att_of_another_value_is_rejected(value: object) -> None:
    assert found(prepared(att=value)) == [("reject", "M10", "att")]


@pytest.mark.parametrize("value", [1, 0, "true", "", [], {}, Decimal(1)], ids=repr)
def test_aie_that_is_no_boolean_is_rejected(value: object) -> None:
    assert found(prepared(aie=value)) == [("reject", "M11", "aie")]


@pytest.mark.parametrize("system", ["14.5", "14.6", "15", "17.4.1", "iOS 14.5", "14.10", "100"])
def test_aie_on_ios_from_14_5_without_att_is_a_warning(system: str) -> None:
    assert found(prepared(aie=True, os=system)) == [("warn", "M11", "aie")]


@pytest.mark.parametrize("system", ["14.4", "14.4.9", "14", "9.3", "unknown", "iOS"])
def test_aie_on_older_or_unknown_ios_is_fine(system: str) -> None:
    assert found(prepared(aie=False, os=system)) == []


def test_aie_beside_att_is_fine() -> None:
    assert found(prepared(aie=True, att=3)) == []


def test_aie_on_android_is_fine() -> None:
    assert found(prepared(ANDROID, idfv=None, aie=True, os="15")) == []


@pytest.mark.parametrize("field", ["os", "bundleIdentifier"])
@absent
def test_recommended_field_that_is_absent_is_a_warning(field: str, value: str | None) -> None:
    event = prepared(**{field: value})

    assert [severity for severity, _, where in found(event) if where == field] == ["warn"]
    assert field not in sent(event)


@wrong_types()
@pytest.mark.parametrize(("field", "rule"), [("os", "M12"), ("bundleIdentifier", "M13")])
def test_recommended_field_of_a_wrong_type_is_rejected(
    field: str, rule: str, value: object
) -> None:
    assert found(prepared(**{field: value})) == [("reject", rule, field)]


def test_os_missing_on_ios_says_what_appsflyer_assumes() -> None:
    """M12."""
    messages = [prepared(app, idfv=None, os=None).findings[0].message for app in (IOS, ANDROID)]

    assert ["14.5" in message for message in messages] == [True, False]
