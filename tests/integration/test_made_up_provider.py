"""A provider is one folder and one line in the registry: with both, everything knows it.

The folder is `tests/made_up_provider`, and the line is written here. What is then asked of layer,
command and sandbox is what they do for the real ones.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from relay.instants import utc_now
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay.payments.providers.samples import Order
from relay_cli.main import app
from relay_cli.payments.explain import explain
from relay_cli.payments.samples import build
from relay_cli.payments.trigger import Address, trigger
from relay_cli.payments.verify import verdict_on
from relay_cli.terminal.errors import CliError, ExitCode
from relay_sandbox.seeds import Seeds
from tests import made_up_provider
from tests.support.builders import MOBILE_APP
from tests.support.payments_harness import PaymentsHarness
from tests.support.payments_server import serving

ROOT = Path(__file__).parents[2]
SECRET = "made-up-secret"


@pytest.fixture(autouse=True)
def _line_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
    monkeypatch.setitem(cast("dict[str, object]", PROVIDERS), "made_up", made_up_provider)


def order() -> Order:
    metadata = {"af_app_id": MOBILE_APP}
    return Order(
        "made_up", "purchase", "t-1", utc_now(), "u-1", Decimal("9.5"), "EUR", metadata=metadata
    )


def test_made_up_provider_is_triggered_received_and_mapped() -> None:
    """By the command's own webhook, over HTTP, into the two use cases."""
    harness = PaymentsHarness()
    harness.clock.now = utc_now()
    harness.add_source("made-up", "made_up", SECRET)

    async def send() -> ExitCode:
        async with serving(harness) as url:
            address = Address(f"{url}/made_up/made-up", "made-up", SECRET)
            return await asyncio.to_thread(trigger, order(), address)

    assert asyncio.run(send()) is ExitCode.OK
    harness.settle()

    (event,) = harness.mobile
    assert event["event_id"] == "made-up:t-1"
    assert event["event"]["eventValue"]["af_revenue"] == "9.5"
    assert harness.dead == []


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "no header Made-Up-Signature"),
        ({"made-up-signature": "0" * 64}, "not signed by the secret"),
        ({"made-up-signature": made_up_provider.signature_of(b"{}", SECRET)}, None),
    ],
)
def test_made_up_provider_is_verified_with_a_reason(
    headers: dict[str, str], said: str | None
) -> None:
    asked = {"provider": "made-up", "payload": "{}", "headers": headers, "secrets": [SECRET]}

    verdict = verdict_on({**asked, "now": None, "settings": {}})

    assert verdict.valid is (said is None)
    assert (said or "") in (verdict.reason or "")


def test_made_up_provider_has_settings_of_its_own() -> None:
    shape = source_settings()
    given = {"provider": "made_up", "apps": {}, "counts": False}

    assert isinstance(shape.model_validate(given), made_up_provider.SETTINGS)
    with pytest.raises(ValueError, match="counts"):
        shape.model_validate(given | {"counts": "perhaps"})


def test_made_up_provider_is_recognised_and_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sale, visit = tmp_path / "sale.json", tmp_path / "visit.json"
    sale.write_text(json.dumps(build(order())[0]))
    visit.write_text(json.dumps({"made_up": "visit", "id": "v-1"}))

    assert explain([sale], None, [MOBILE_APP], [], None) is ExitCode.OK
    assert explain([visit], None, [MOBILE_APP], [], None) is ExitCode.OK

    shown = capsys.readouterr().out
    assert f"for {MOBILE_APP}" in shown
    assert "nothing was sold" in shown


def test_made_up_provider_is_among_those_that_the_command_offers() -> None:
    shown = CliRunner().invoke(app, ["payments", "trigger", "--help"]).output

    assert "standard_webhooks, made_up" in shown
    with pytest.raises(CliError, match="standard_webhooks, made_up"):
        build(replace(order(), provider="braintree"))


def test_made_up_provider_has_a_source_in_the_sandbox() -> None:
    seeds = Seeds()

    assert seeds.payment_sources()["made_up"] == {"source": "made-up-sandbox", "secret": SECRET}


def test_made_up_provider_is_in_the_description_of_the_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("relay_cli.openapi")]:
        monkeypatch.delitem(sys.modules, name)
    document = importlib.import_module("relay_cli.openapi.document").document_of(ROOT)

    operation = document["paths"]["/v1/payments/{provider}/{source}"]["post"]
    (named,) = [one for one in operation["parameters"] if one["name"] == "provider"]
    assert "made_up" in named["schema"]["enum"]
    assert {"made_up": []} in operation["security"]
    assert document["components"]["securitySchemes"]["made_up"]["name"] == "made-up-signature"
