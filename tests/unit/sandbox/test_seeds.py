"""The seeds of the sandbox fit together and show none of their secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import cast
from unittest.mock import Mock

import pytest

from relay.payments.providers.registry import source_settings
from relay_sandbox.local_aws.aws import LocalAws
from relay_sandbox.seeds import SeededApp, Seeds

FORMS = {
    "stripe": r"whsec_[0-9a-zA-Z]{32}",
    "revenuecat": r"Bearer [A-Za-z0-9_-]{32}",
    "paddle": r"pdl_ntfset_[0-9a-z]{26}_[0-9A-Za-z]{32}",
    "adyen": r"[0-9A-F]{64}",
    "standard_webhooks": r"whsec_[A-Za-z0-9+/]{32}",
}
"""The formats of secrets on the providers' own pages and in their mails."""


def written(seeds: Seeds) -> dict[str, tuple[str, str]]:
    """The parameters that the seeds write: type and value, keyed by name."""
    ssm = Mock()
    seeds.put(cast("LocalAws", Mock(ssm=ssm)), "/relay")
    calls = [call.kwargs for call in ssm.put_parameter.call_args_list]
    return {call["Name"]: (call["Type"], call["Value"]) for call in calls}


def test_good_apps_are_those_whose_events_can_be_delivered() -> None:
    apps = (
        SeededApp("id123456789", "mobile"),
        SeededApp("com.example.blocked", "mobile", blocked=True),
        SeededApp("website-www.example.com", "web"),
        SeededApp("website-stale.example.com", "web", stale_token=True),
    )

    assert Seeds(apps).good_apps() == {
        "mobile": ["id123456789"],
        "web": ["website-www.example.com"],
    }


def test_account_of_an_app_has_the_token_that_the_relay_has() -> None:
    app = SeededApp("id123456789", "mobile")

    assert app.account().has_token(app.token)


def test_account_of_an_app_with_a_stale_token_does_not_have_it() -> None:
    app = SeededApp("id123456789", "mobile", stale_token=True)

    assert not app.account().has_token(app.token)


def test_account_of_a_blocked_app_is_blocked() -> None:
    assert SeededApp("id123456789", "mobile", blocked=True).account().blocked


def test_tokens_of_apps_are_new_at_each_start() -> None:
    assert Seeds().apps[0].token != Seeds().apps[0].token


def test_seeds_do_not_show_their_secrets() -> None:
    seeds = Seeds()

    shown = repr(seeds)
    assert all(app.token not in shown for app in seeds.apps)
    assert all(source.secret not in shown for source in seeds.sources)


def test_secret_of_a_payment_source_has_the_form_that_its_provider_gives_it() -> None:
    secrets = {source.provider: source.secret for source in Seeds().sources}

    assert secrets.keys() == FORMS.keys()
    assert [name for name in FORMS if not re.fullmatch(FORMS[name], secrets[name])] == []
    assert len(bytes.fromhex(secrets["adyen"])) == 32
    assert len(base64.b64decode(secrets["standard_webhooks"].removeprefix("whsec_"))) == 24


def test_secrets_of_payment_sources_are_the_same_at_each_start() -> None:
    """The samples in events/ are signed with them."""
    first, second = ({one.provider: one.secret for one in Seeds().sources} for _ in range(2))

    assert first == second


def test_payment_sources_are_ready_by_provider_with_what_signs_for_them() -> None:
    seeds = Seeds()

    ready = seeds.payment_sources()
    assert {provider: one["source"] for provider, one in ready.items()} == {
        "stripe": "stripe-sandbox",
        "revenuecat": "revenuecat-sandbox",
        "paddle": "paddle-sandbox",
        "adyen": "adyen-sandbox",
        "standard_webhooks": "webhooks-sandbox",
    }
    for one in ready.values():
        kept = written(seeds)[f"/relay/webhook_secrets/{one['source']}"]
        assert kept == ("SecureString", one["secret"])


def test_sources_as_written_can_be_read_by_the_relay() -> None:
    kind, value = written(Seeds())["/relay/sources"]

    shape = source_settings()
    sources = {name: shape.model_validate(one) for name, one in json.loads(value).items()}
    assert kind == "String"
    assert {one.apps.mobile for one in sources.values()} == {("id123456789", "com.example.shop")}
    assert {one.apps.web for one in sources.values()} == {("website-www.example.com",)}
    assert {name: one.provider for name, one in sources.items()} == {
        one["source"]: provider for provider, one in Seeds().payment_sources().items()
    }


@pytest.mark.parametrize(
    ("parameter", "token"),
    [("producers", "sandbox-producer-token"), ("push_senders", "sandbox-push-token")],
)
def test_sender_is_known_by_the_digest_of_its_token_only(parameter: str, token: str) -> None:
    kind, value = written(Seeds())[f"/relay/{parameter}"]

    (sender,) = json.loads(value)
    assert kind == "SecureString"
    assert sender["token_sha256"] == [hashlib.sha256(token.encode()).hexdigest()]
    assert token not in value
