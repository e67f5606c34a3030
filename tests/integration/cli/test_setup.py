"""`relay setup` and `relay doctor` with a whole sandbox: from nothing to a delivered event."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from relay.instants import utc_now
from relay.payments.providers.registry import PROVIDERS, samples_of
from relay_cli.clients import aws
from relay_cli.main import app
from relay_cli.settings.forms import sample_body
from relay_cli.setup.preview import ignored
from relay_cli.terminal.errors import CliError
from relay_sandbox.sandbox import Sandbox
from tests.integration.conftest import left_on
from tests.support.local_http import local_client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]

Relay = Callable[..., Awaitable[Result]]
APP = "com.example.new"
TOKEN = "planted-s2s-token"
EVENT = {"appsflyer_id": "1624875600000-2718281", "eventName": "af_login"}


_client = cache(aws.client)


@pytest.fixture
def relay(sandbox_for_payments: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Relay:
    """Runs `relay ...` against the sandbox, in a thread, without a terminal."""
    monkeypatch.setattr("relay_cli.clients.aws.client", _client)
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps(sandbox_for_payments.ready))

    async def run(*arguments: str, stdin: str = "") -> Result:
        given = [*arguments, "--ready-file", str(ready)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, given, input=stdin))

    return run


async def _handed_in(endpoint: str, token: str) -> int:
    async with local_client() as http:
        headers = {"authorization": f"Bearer {token}"}
        return (await http.post(endpoint, json=EVENT, headers=headers)).status_code


async def test_new_app_is_delivered_to_after_two_commands_and_lives_on_through_a_rotation(
    sandbox_for_payments: Sandbox, relay: Relay
) -> None:
    sandbox = sandbox_for_payments
    added = await relay(
        "setup", "app", "add", APP, "--surface", "mobile", "--token-stdin", stdin=TOKEN
    )
    assert added.exit_code == 0, added.output
    made = await relay("setup", "producer", "add", "new-shop", "--app", APP, "--json")
    assert made.exit_code == 0, made.output
    given = json.loads(made.stdout)
    assert given.keys() == {"token", "endpoint"}
    assert "takes its events" in made.stderr

    assert await _handed_in(given["endpoint"], given["token"]) == 202
    assert await sandbox.settled(30)
    assert [one.recorded for one in sandbox.stand_in.ledger if one.app_id == APP] == [True]

    checked = await relay("doctor", "--json")
    checks = json.loads(checked.stdout)["checks"]
    assert [one for one in checks if not one["ok"]] == []
    assert checked.exit_code == 0
    assert [one["name"] for one in checks] == [
        *("apps", "producers", "push_senders", "sources", "tokens"),
        *("queues", "mappings", "api", "clock"),
    ]

    rotated = await relay("setup", "token", "rotate", "producer", "new-shop", "--json")
    newer = json.loads(rotated.stdout)["token"]
    answers = [await _handed_in(given["endpoint"], one) for one in (given["token"], newer)]
    assert answers == [202, 202]
    await relay("setup", "token", "rotate", "producer", "new-shop", "--finish")
    answers = [await _handed_in(given["endpoint"], one) for one in (given["token"], newer)]
    assert answers == [401, 202]

    removed = await relay("setup", "remove", "app", APP, "--surface", "mobile", "--yes")
    assert removed.exit_code == 0
    assert "producers: names an app that is not set up, com.example.new" in removed.stderr
    unwell = await relay("doctor")
    assert unwell.exit_code == 1
    assert "→ relay setup app add com.example.new" in unwell.stdout
    await relay("setup", "remove", "producer", "new-shop", "--yes")
    shown = json.loads((await relay("setup", "list", "--json")).stdout)
    assert APP not in json.dumps(shown)
    assert "new-shop" not in json.dumps(shown)


@pytest.mark.parametrize("provider", ["stripe", "standard_webhooks"])
async def test_new_source_takes_a_webhook_that_its_secret_signs_and_nothing_is_queued(
    sandbox_for_payments: Sandbox, relay: Relay, provider: str
) -> None:
    """Stripe has types that do not count; for Standard Webhooks it is a stale signature."""
    name = f"new-{provider.replace('_', '-')}"
    secret = samples_of(provider).ACCOUNT.secret
    options = ["--provider", provider, "--app", "id123456789", "--secret-stdin", "--json"]

    added = await relay("setup", "source", "add", name, *options, stdin=secret)

    assert added.exit_code == 0, added.output
    assert json.loads(added.stdout)["endpoint"].endswith(f"/v1/payments/{provider}/{name}")
    assert "Nothing was queued" in added.stderr
    assert secret not in added.output
    assert await sandbox_for_payments.settled(30)
    assert await left_on(sandbox_for_payments, "payments_dlq") == []
    assert (await relay("setup", "remove", "source", name, "--yes")).exit_code == 0


REFUSED: list[tuple[list[str], str, str]] = [
    (["app", "add", "id1", "--surface", "mobile"], "", "give --token-stdin"),
    (["app", "add", "id1", "--token-stdin"], TOKEN, "give --surface"),
    (["app", "add", "id1", "--surface", "mobile", "--token-stdin"], "", "is empty"),
    (["app", "add", "id1", "--surface", "mobile", "--token-stdin"], f"{TOKEN} x", "ASCII"),
    (["app", "add", "123", "--surface", "mobile", "--token-stdin"], TOKEN, "digits alone"),
    (
        ["app", "add", "id1", "--surface", "mobile", "--time-zone", "Mars", "--token-stdin"],
        TOKEN,
        "time_zone",
    ),
    (
        ["app", "add", "id123456789", "--surface", "mobile", "--token-stdin"],
        TOKEN,
        "with another token",
    ),
    (["producer", "add", "x"], "", "give --app"),
    (["producer", "add", "x" * 65, "--app", "id123456789"], "", "at most 64"),
    (["producer", "add", "sandbox", "--app", "id123456789"], "", "a sender named sandbox"),
    (["producer", "allow", "nobody", "--app", "id123456789"], "", "no sender named nobody"),
    (
        ["source", "add", "A b", "--provider", "stripe", "--app", "id1", "--secret-stdin"],
        "s",
        "a-z",
    ),
    (["source", "add", "a", "--provider", "x", "--app", "id1", "--secret-stdin"], "s", "there are"),
    (
        ["source", "add", "a", "--provider", "adyen", "--app", "id123456789", "--secret-stdin"],
        TOKEN,
        "hexadecimal",
    ),
    (
        ["source", "add", "a", "--provider", "stripe", "--app", "nowhere", "--secret-stdin"],
        TOKEN,
        "no app nowhere is set up",
    ),
    (["token", "rotate", "source", "nobody", "--secret-stdin"], "s", "no source named nobody"),
    (["token", "rotate", "app", "id1", "--surface", "web", "--finish"], "", "nothing to rotate"),
    (["remove", "source", "nobody", "--yes"], "", "no source named nobody"),
    (["remove", "app", "id123456789", "--surface", "mobile"], "", "--yes"),
    (["list", "--stack", "x"], "", "not both"),
]
"""Arguments, standard input, and what is said."""


async def test_setup_that_is_of_no_use_changes_nothing_and_shows_no_secret(
    sandbox_for_payments: Sandbox, relay: Relay
) -> None:
    before = await _versions(sandbox_for_payments)
    wrong = []
    for arguments, stdin, said in REFUSED:
        done = await relay("setup", *arguments, stdin=stdin)
        error = done.exception
        told = str(error)
        is_right = isinstance(error, CliError) and error.code == 2 and said in told
        if not is_right or TOKEN in told + done.output:
            wrong.append((arguments, told))

    assert wrong == []
    assert await _versions(sandbox_for_payments) == before


async def _versions(sandbox: Sandbox) -> dict[str, Any]:
    paginator = sandbox.aws.ssm.get_paginator("describe_parameters")
    pages = await sandbox.aws.call(lambda: list(paginator.paginate()))
    return {one["Name"]: one["Version"] for page in pages for one in page["Parameters"]}


async def test_every_provider_but_one_has_webhooks_that_can_be_tried_without_counting() -> None:
    now = utc_now()
    without = [name for name in PROVIDERS if ignored(name, sample_body(name, now)) is None]
    assert without == ["standard_webhooks"]
