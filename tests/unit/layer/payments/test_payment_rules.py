import json
from typing import Any

import pytest

from relay.aws.parameter_store import ParameterStore
from relay.config.apps import Apps
from relay.domain.kinds import Surface
from relay.domain.movements import MovementKind
from relay.domain.payment_rules import PaymentRules
from relay.errors import ConfigurationError, UnknownAppError
from tests.support.every import every
from tests.support.fakes import FakeSsm


def rules(parameter: Any, surface: Surface = Surface.MOBILE) -> PaymentRules:
    ssm = FakeSsm({f"/relay/apps/{surface}/id1": json.dumps(parameter)})
    apps = Apps(ParameterStore(ssm.client(), "/relay"))
    apps.preload_settings(surface, "id1")
    return apps.payment_rules(surface, "id1")


def test_rules_of_an_app_that_says_nothing_are_the_usual_ones() -> None:
    usual = rules({"time_zone": "Europe/Berlin"})

    assert (dict(usual.names), usual.revenue, usual.test_events_to) == ({}, "gross", None)


def test_rules_are_those_of_the_apps_settings() -> None:
    own = rules(
        {
            "payments": {
                "names": {"renewal": "renewed", "cancellation": None},
                "revenue": "net_of_tax",
                "test_events_to": "id2",
            }
        }
    )

    assert own.names == {MovementKind.RENEWAL: "renewed", MovementKind.CANCELLATION: None}
    assert (own.revenue, own.test_events_to) == ("net_of_tax", "id2")


@every(
    "payments, place",
    [
        ({"names": {"renewal": ""}}, "payments.names.renewal: "),
        ({"names": {"renewal": "x" * 65}}, "payments.names.renewal: "),
        ({"names": {"renewal": 7}}, "payments.names.renewal: "),
        ({"names": {"upgrade": "x"}}, "payments.names.upgrade"),
        ({"revenue": "secret-basis"}, "payments.revenue"),
        ({"test_events_to": "secret app"}, "payments.test_events_to: "),
        ({"secret_key": 1}, "payments.secret_key: "),
        ("secret-text", "payments: "),
    ],
)
def test_mistake_in_the_rules_is_named_by_parameter_and_key(payments: Any, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        rules({"payments": payments})

    assert str(caught.value).startswith(f"/relay/apps/mobile/id1: {place}")
    assert caught.value.key == "/relay/apps/mobile/id1"
    assert "secret-" not in str(caught.value)
    assert "secret app" not in str(caught.value)


@every("name", ["re-newed", "a@b", "a=b", "a+b"])
def test_name_that_web_events_cannot_have_is_a_mistake_there_alone(name: str) -> None:
    parameter = {"payments": {"names": {"purchase": "bought", "trial": None, "renewal": name}}}

    with pytest.raises(ConfigurationError, match=r"payments\.names\.renewal: must not hold any of"):
        rules(parameter, Surface.WEB)
    assert rules(parameter).names[MovementKind.RENEWAL] == name


def test_rules_of_an_app_that_is_not_set_up_are_unknown() -> None:
    apps = Apps(ParameterStore(FakeSsm().client(), "/relay"))
    apps.preload_settings(Surface.MOBILE, "id1")

    with pytest.raises(UnknownAppError):
        apps.payment_rules(Surface.MOBILE, "id1")
