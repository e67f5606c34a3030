"""`--json` of commands that look something up and need no system that runs."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest

from relay_cli.main import app
from relay_cli.resources import CHECKOUT

WEBHOOKS = CHECKOUT / "tests/data/webhooks"
FIRST = str(WEBHOOKS / "stripe_invoice_paid_first.json")
SECRETS = ["whsec_old", "whsec_new"]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    with pytest.raises(SystemExit) as end:
        app([*arguments, "--json"])
    output, problem = capsys.readouterr()
    assert problem == ""
    return int(end.value.code or 0), json.loads(output)


def test_rule_is_told_with_its_sources_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    code, rule = told(capsys, "rule", "m22")

    assert code == 0
    assert (rule["rule"], rule["severity"]) == ("M22", "warn")
    assert rule["sources"][0]["url"].startswith("https://dev.appsflyer.com/")
    assert rule["example"]["findings"][0]["rule"] == "M22"


def test_webhook_is_told_with_its_money_and_its_event(capsys: pytest.CaptureFixture[str]) -> None:
    code, webhook = told(capsys, "payments", "explain", FIRST)
    (part,) = webhook["parts"]

    assert (code, webhook["provider"]) == (0, "stripe")
    assert (part["type"], part["treatment"], part["problem"]) == ("invoice.paid", "counted", None)
    assert (part["movement"]["gross"], part["movement"]["currency"]) == (59.49, "EUR")
    assert part["event"]["event"]["eventValue"]["af_revenue"] == "59.49"
    assert (part["dead"], part["waiting"]) == (None, None)


def test_refund_by_itself_is_told_to_wait(capsys: pytest.CaptureFixture[str]) -> None:
    code, webhook = told(capsys, "payments", "explain", str(WEBHOOKS / "adyen_refund.json"))

    assert code == 0
    assert webhook["parts"][0]["event"] is None
    assert webhook["parts"][0]["waiting"] == "original_unknown"


def test_several_webhooks_are_told_as_a_story(capsys: pytest.CaptureFixture[str]) -> None:
    code, story = told(capsys, "payments", "explain", FIRST, FIRST)

    assert (code, story) == (0, {"events": [["af_subscribe", "59.49", "EUR"]], "dead": []})


def test_signature_is_told_with_the_secret_that_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_WEBHOOK_SECRET", "\n".join(SECRETS))
    moment = int(time.time())
    signed = f"{moment}.".encode() + Path(FIRST).read_bytes()
    digest = hmac.new(SECRETS[1].encode(), signed, hashlib.sha256).hexdigest()

    header = f"Stripe-Signature: t={moment},v1={digest}"
    code, verdict = told(capsys, "payments", "verify", FIRST, "--header", header)

    assert code == 0
    assert verdict == {"valid": True, "reason": None, "provider": "stripe", "secret": 2}


def test_refused_signature_is_told_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_WEBHOOK_SECRET", SECRETS[0])

    code, verdict = told(capsys, "payments", "verify", FIRST)

    assert (code, verdict["valid"], verdict["secret"]) == (1, False, None)
    assert "no header Stripe-Signature" in verdict["reason"]
