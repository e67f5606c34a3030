import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.aws.parameter_store import ParameterStore
from relay.config.sources import Sources
from relay.errors import ConfigurationError, ParametersUnavailableError
from relay.payments.providers.adyen.settings import AdyenSettings
from relay.payments.providers.registry import source_settings
from relay.secrets import Secret
from tests.support.builders import Json
from tests.support.every import every
from tests.support.fakes import FakeClock, FakeSsm, aws_error

STRIPE = {"provider": "stripe", "apps": {"mobile": ["id1"]}}


class World:
    def __init__(self, sources: Any = None, **secrets: str) -> None:
        self.clock = FakeClock()
        text = sources if isinstance(sources, str) else json.dumps(sources)
        self.ssm = FakeSsm({} if sources is None else {"/relay/sources": text})
        for name, secret in secrets.items():
            self.ssm.parameters[f"/relay/webhook_secrets/{name}"] = secret
        self.sources = Sources(
            ParameterStore(self.ssm.client(), "/relay", self.clock.seconds), source_settings()
        )

    def publish(self, sources: Any) -> None:
        self.ssm.parameters["/relay/sources"] = json.dumps(sources)


def test_settings_of_a_source_are_its_entry() -> None:
    harness = World({"shop": STRIPE | {"tolerance_seconds": 60}})

    settings = harness.sources.settings("shop")

    assert settings is not None
    assert (settings.provider, settings.apps.mobile) == ("stripe", ("id1",))
    assert settings.tolerance_seconds == 60


@every("name", ["", "Shop", "-shop", "shop/x", "sh op", "s" * 64, "shöp", "../x"])
def test_settings_of_what_cannot_be_a_name_are_none_without_a_call(name: str) -> None:
    harness = World({"shop": STRIPE})

    assert harness.sources.settings(name) is None
    assert harness.ssm.calls == []


def test_settings_of_many_made_up_names_cost_one_more_read_in_ten_seconds() -> None:
    harness = World({"shop": STRIPE})

    assert {harness.sources.settings(f"made-up-{number}") for number in range(100)} == {None}

    assert harness.ssm.calls == 2 * [["/relay/sources"]]


def test_settings_of_a_new_source_are_seen_within_ten_seconds() -> None:
    harness = World({"shop": STRIPE})
    assert harness.sources.settings("new") is None
    harness.publish({"shop": STRIPE, "new": STRIPE})

    assert harness.sources.settings("new") is None
    harness.clock.advance(10)
    assert harness.sources.settings("new") is not None


def test_settings_without_the_parameter_are_none() -> None:
    assert World().sources.settings("shop") is None


def test_settings_with_a_mistake_name_the_field_and_stop_that_source_only() -> None:
    harness = World({"shop": STRIPE, "wrong": STRIPE | {"pick": ["metadata", "coin toss"]}})

    with pytest.raises(ConfigurationError, match=r"^/relay/sources: wrong\.pick\.1: ") as caught:
        harness.sources.settings("wrong")

    assert "coin toss" not in str(caught.value)
    assert harness.sources.settings("shop") is not None


@every("setting", ['"tolerance_seconds": %s', '"minor_units": {"UGX": %s}'])
@every("number", ["1e999999999", "2.0", "9" * 900])
def test_settings_with_a_number_that_is_no_integer_name_the_field(
    setting: str, number: str
) -> None:
    """An integer is not made of one: of a billion digits it would take for ever."""
    entry = json.dumps(STRIPE)[:-1] + ", " + setting % number + "}"
    harness = World(f'{{"shop": {entry}}}')

    with pytest.raises(ConfigurationError, match=r"shop\.(tolerance_seconds|minor_units\.UGX): "):
        harness.sources.settings("shop")


@every("entry", ["stripe", None, 1, []])
def test_settings_that_are_no_object_name_the_source(entry: Any) -> None:
    harness = World({"wrong": entry})

    with pytest.raises(ConfigurationError, match=r"^/relay/sources: wrong\."):
        harness.sources.settings("wrong")


@every(
    "text, problem",
    [("[]", "must be a JSON object of sources"), ('{"shop": secret', "not JSON")],
)
def test_settings_in_a_parameter_that_is_no_object_say_so(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^/relay/sources: {problem}") as caught:
        World(text).sources.settings("shop")

    assert "secret" not in str(caught.value)


def test_settings_are_parsed_once_for_each_text() -> None:
    harness = World({"shop": STRIPE})
    first = harness.sources.settings("shop")
    harness.publish({"shop": STRIPE | {"test": True}})

    assert harness.sources.settings("shop") is first
    harness.clock.advance(301)
    changed = harness.sources.settings("shop")

    assert changed is not None
    assert changed.test


def test_settings_while_parameter_store_fails_are_unavailable() -> None:
    harness = World({"shop": STRIPE})
    harness.ssm.error = aws_error("ThrottlingException")

    with pytest.raises(ParametersUnavailableError):
        harness.sources.settings("shop")


# Secrets


def test_secrets_are_the_lines_of_the_parameter() -> None:
    harness = World(shop="whsec_new\n\n  whsec_old \n")

    assert harness.sources.secrets("shop") == (Secret("whsec_new"), Secret("whsec_old"))


@every("text", ["", " \n\n"])
def test_secrets_where_there_is_none_name_the_parameter(text: str) -> None:
    problem = r"^/relay/webhook_secrets/shop: holds no secret$"
    with pytest.raises(ConfigurationError, match=problem):
        World(shop=text).sources.secrets("shop")


def test_secrets_that_are_set_after_the_first_webhook_are_seen_within_ten_seconds() -> None:
    harness = World()
    with pytest.raises(ConfigurationError):
        harness.sources.secrets("shop")
    harness.ssm.parameters["/relay/webhook_secrets/shop"] = "whsec_1"

    harness.clock.advance(10)

    assert harness.sources.secrets("shop") == (Secret("whsec_1"),)


def test_secrets_are_reread_at_most_every_ten_seconds() -> None:
    harness = World(shop="whsec_old")
    assert harness.sources.secrets("shop") == (Secret("whsec_old"),)

    for _ in range(20):
        harness.sources.reread_secrets("shop")
    harness.ssm.parameters["/relay/webhook_secrets/shop"] = "whsec_new"
    harness.sources.reread_secrets("shop")
    assert harness.sources.secrets("shop") == (Secret("whsec_old"),)
    harness.clock.advance(10)

    harness.sources.reread_secrets("shop")
    assert harness.sources.secrets("shop") == (Secret("whsec_new"),)
    assert len(harness.ssm.calls) == 3


def test_setting_that_does_nothing_any_more_is_a_warning_once(
    lines: Callable[[], list[Json]],
) -> None:
    text = {
        "stripe-main": {"provider": "stripe", "apps": {}, "free_plans": False},
        "stripe-other": {"provider": "stripe", "apps": {}},
    }
    harness = World(json.dumps(text))
    for _ in range(3):
        assert harness.sources.settings("stripe-main") is not None

    (line,) = lines()
    assert (line["level"], line["source"]) == ("WARNING", "stripe-main")
    assert line["message"].startswith("free_plans does nothing any more")


def test_digests_of_passwords_that_stand_in_sources_are_a_warning_once(
    lines: Callable[[], list[Json]],
) -> None:
    """They belong in a SecureString; where they stood before they are still read."""
    digest = "0" * 64
    text = {
        "adyen-main": {"provider": "adyen", "apps": {}, "basic_auth_sha256": [digest]},
        "adyen-other": {"provider": "adyen", "apps": {}},
        "wrong": 5,
    }
    harness = World(json.dumps(text))
    for _ in range(3):
        settings = harness.sources.settings("adyen-main")
        assert isinstance(settings, AdyenSettings)
        assert settings.basic_auth_sha256 == (digest,)

    (line,) = lines()
    assert (line["level"], line["key"]) == ("WARNING", "/relay/webhook_secrets/adyen-main")
    assert line["message"] == "basic_auth_sha256 belongs in the source's secrets"
