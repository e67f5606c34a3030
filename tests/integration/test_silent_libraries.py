"""No library logs a key: every function under Lambda's runtime client, everything at DEBUG."""

from __future__ import annotations

import json

import pytest

from relay.instants import utc_now
from relay_cli.payments.signing import sign
from relay_sandbox.sandbox import PROJECT, Sandbox
from tests.integration.conftest import AWS_SECRET, AWS_SESSION
from tests.support.local_http import local_client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox"),
]

SETTLE_SECONDS = 45
SAMPLES = (
    *("accept_mobile_event", "accept_web_event", "accept_wrong_token"),
    *("receive_install_get", "receive_payment_adyen_authorisation"),
)
"""Their events go through the other functions as well."""


def keys(sandbox: Sandbox) -> dict[str, str]:
    """Everything that no log may hold, by what it is."""
    seeds = sandbox.seeds
    return {
        **{f"token of {app.app_id}": app.token for app in seeds.apps},
        **{f"secret of {one.name}": one.secret for one in seeds.sources},
        "producer's token": seeds.producer_token,
        "push token": seeds.push_token,
        "AWS secret": AWS_SECRET,
        "AWS session": AWS_SESSION,
        "signature": "Signature=",
    }


def found(sandbox: Sandbox, text: str) -> list[str]:
    return [what for what, key in keys(sandbox).items() if key in text]


async def post(sandbox: Sandbox, name: str) -> None:
    """Sends a sample of events/ to the HTTP API, with this sandbox's signature if it has one."""
    event = json.loads((PROJECT / "events" / f"{name}.json").read_text())
    headers, body = event["headers"], event.get("body") or ""
    provider = event["sample"].get("signed_by")
    if provider is not None:
        secret = sandbox.ready["payment_sources"][provider]["secret"]
        headers |= sign(provider, body.encode(), secret, utc_now()).headers
    url = f"{sandbox.ready['api']}{event['rawPath']}?{event['rawQueryString']}"
    async with local_client() as client:
        method = event["requestContext"]["http"]["method"]
        answer = await client.request(method, url, headers=headers, content=body)
    assert answer.status_code == event["sample"]["status"], answer.text


async def test_no_function_logs_a_key_though_everything_is_at_debug(
    sandbox_for_faults: Sandbox,
) -> None:
    sandbox = sandbox_for_faults
    for name in SAMPLES:
        await post(sandbox, name)
    assert await sandbox.settled(SETTLE_SECONDS)

    logs = {name: (sandbox.logs / f"{name}.log").read_text() for name in sandbox.functions}
    unused = [name for name, text in logs.items() if "certificate authorities" not in text]

    assert unused == []
    assert {name: found(sandbox, text) for name, text in logs.items() if found(sandbox, text)} == {}
    assert len(found(sandbox, " ".join(keys(sandbox).values()))) == len(keys(sandbox)), "planted"
