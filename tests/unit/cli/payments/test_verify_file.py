"""`relay payments verify FILE` and `explain FILE ...`: what is given, and what is said of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from relay_cli.payments.explain import explain
from relay_cli.payments.verify_file import verify_file
from relay_cli.terminal.errors import CliError, ExitCode

DATA = Path(__file__).parents[3] / "data"
STRIPE: dict[str, Any] = next(
    vector
    for vector in json.loads((DATA / "webhook_signatures.json").read_text("utf-8"))
    if vector["id"] == "stripe-valid"
)
((NAME, VALUE),) = STRIPE["headers"].items()


@pytest.fixture
def body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The body of a webhook, and its secret in the environment."""
    path = tmp_path / "body.json"
    path.write_text(STRIPE["payload"], "utf-8")
    monkeypatch.setenv("RELAY_WEBHOOK_SECRET", STRIPE["secrets"][0])
    return path


def verified(
    body: Path,
    *headers: str,
    provider: str | None = None,
    file: Path | None = None,
    now: int = STRIPE["now"],
    tolerance: int | None = None,
) -> ExitCode:
    return verify_file(
        body, provider, headers_file=file, headers=headers, now=now, tolerance=tolerance
    )


@pytest.mark.parametrize(
    "text",
    [
        f"POST /v1/payments/stripe/main HTTP/1.1\r\nHost: a\r\n{NAME}: {VALUE}\r\n\r\n",
        json.dumps({NAME.lower(): VALUE}),
        json.dumps({NAME: [VALUE]}, indent=2),
    ],
)
def test_verify_file_reads_headers_as_lines_and_as_json(body: Path, text: str) -> None:
    headers = body.with_name("headers")
    headers.write_text(text)

    assert verified(body, file=headers) is ExitCode.OK
    assert verified(body, f"{NAME}: {VALUE}", provider="stripe") is ExitCode.OK


def test_verify_file_refused_says_why_and_shows_no_value(
    body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(body, f"X-{NAME}: {VALUE}") is ExitCode.FAILED
    assert verified(body, f"{NAME}: {VALUE}", now=1, tolerance=5) is ExitCode.FAILED

    said = " ".join(capsys.readouterr().out.split())
    assert "refused: no header Stripe-Signature, but it is there under `x-stripe-sig" in said
    assert "in the future" in said
    assert "5 s are allowed" in said
    assert VALUE not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"provider": "paypal"}, "no such provider"),
        ({"header": "nothing"}, "not of the form"),
        ({"file": "[1]"}, "not of the form"),
        ({"file": "{"}, "is not JSON"),
        ({"file": '{"a": {}}'}, "headers must be texts"),
        ({"now": 10**15}, "now is no moment"),
        ({"body": "{}"}, "the provider is not to be seen from"),
    ],
)
def test_verify_file_without_what_it_needs_says_so(
    body: Path, options: dict[str, Any], words: str
) -> None:
    headers = body.with_name("headers")
    headers.write_text(options.pop("file", ""))
    given = [options.pop("header")] if "header" in options else []
    if "body" in options:
        body.write_text(options.pop("body"))

    with pytest.raises(CliError, match=words):
        verified(body, *given, file=headers, **options)


def test_verify_file_without_a_secret_and_anybody_to_ask_says_what_to_set(
    body: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RELAY_WEBHOOK_SECRET")

    with pytest.raises(CliError, match="set RELAY_WEBHOOK_SECRET"):
        verified(body)


def test_explain_files_of_two_providers_asks_for_one() -> None:
    files = [
        DATA / "webhooks" / f"{name}.json" for name in ("stripe_refund_created", "adyen_refund")
    ]

    with pytest.raises(CliError, match="webhooks of stripe and adyen"):
        explain(files, None, [], [], None)


def test_explain_rules_that_are_wrong_are_told_at_once(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"payments": {"revenue": "all", "nmes": {}}}')
    file = DATA / "webhooks" / "stripe_refund_created.json"

    with pytest.raises(CliError, match=r"revenue: .*; nmes: is no such setting"):
        explain([file], None, [], [], rules)
