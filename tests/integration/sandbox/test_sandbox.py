"""The whole system starts from the template, delivers events, and knows when it has settled."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from relay_sandbox.errors import SandboxError
from relay_sandbox.sandbox import PROJECT, Sandbox, SandboxOptions
from relay_sandbox.stand_in import Fault
from tests.integration.conftest import taken_off
from tests.support.local_http import local_client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox"),
]

SETTLE_SECONDS = 30
MOBILE_EVENT = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_login",
    "eventValue": "",
    "os": "17.5",
}
WEB_EVENT = {"user_id": {"customer_user_id": "user-1"}, "event_name": "login"}


@pytest.fixture
def sandbox(sandbox_for_faults: Sandbox) -> Sandbox:
    return sandbox_for_faults


async def post(sandbox: Sandbox, path: str, body: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {sandbox.ready['producer_token']}"}
    async with local_client() as client:
        return await client.post(f"{sandbox.ready['api']}{path}", json=body, headers=headers)


async def send(sandbox: Sandbox, queue: str, envelope: dict[str, Any]) -> None:
    await sandbox.aws.call(
        sandbox.aws.sqs.send_message,
        QueueUrl=sandbox.ready[queue],
        MessageBody=json.dumps(envelope),
        MessageGroupId=envelope["app_id"],
    )


def recorded(sandbox: Sandbox) -> list[tuple[str, str | None]]:
    return [(e.app_id, e.event_name) for e in sandbox.stand_in.ledger if e.recorded]


async def test_ready_has_all_that_a_user_of_the_sandbox_needs(sandbox: Sandbox) -> None:
    assert sandbox.ready.keys() == {
        "page",
        "api",
        "aws",
        "stand_in",
        *("mobile_queue", "web_queue", "payments_queue"),
        *("mobile_dlq", "web_dlq", "payments_dlq"),
        *("identities_table", "trail_table", "deliveries_table"),
        *("parameter_prefix", "producer_token", "push_token", "apps", "payment_sources"),
    }
    assert sandbox.ready["apps"] == {
        "mobile": ["id123456789", "com.example.shop"],
        "web": ["website-www.example.com"],
    }


async def test_event_by_the_http_api_is_recorded(sandbox: Sandbox) -> None:
    response = await post(sandbox, "/v1/mobile/com.example.shop/events", MOBILE_EVENT)

    assert response.status_code == 202
    assert await sandbox.settled(SETTLE_SECONDS)
    assert recorded(sandbox) == [("com.example.shop", "af_login")]


@pytest.mark.parametrize(
    ("queue", "app_id", "kind", "event", "name"),
    [
        ("mobile_queue", "id123456789", "mobile_event", MOBILE_EVENT, "af_login"),
        ("web_queue", "website-www.example.com", "web_event", WEB_EVENT, "login"),
    ],
)
async def test_event_by_a_queue_is_recorded(
    sandbox: Sandbox, queue: str, app_id: str, kind: str, event: dict[str, Any], name: str
) -> None:
    await send(sandbox, queue, {"app_id": app_id, "kind": kind, "event": event})

    assert await sandbox.settled(SETTLE_SECONDS)
    assert recorded(sandbox) == [(app_id, name)]


async def test_health_works_without_a_token(sandbox: Sandbox) -> None:
    async with local_client() as client:
        response = await client.get(f"{sandbox.ready['api']}/v1/health")

    assert response.status_code == 200


async def test_permanent_fault_ends_in_the_dead_letter_queue_after_the_last_attempt(
    sandbox: Sandbox,
) -> None:
    sandbox.stand_in.faults.add([Fault(status=503)])

    await post(sandbox, "/v1/mobile/id123456789/events", MOBILE_EVENT)

    assert await sandbox.settled(SETTLE_SECONDS)
    (dead_letter,) = await taken_off(sandbox, "mobile_dlq")
    assert (dead_letter["outcome"], dead_letter["attempts"]) == ("deferred", 4)


async def test_settled_is_false_while_an_event_is_under_way(sandbox: Sandbox) -> None:
    sandbox.stand_in.faults.add([Fault(latency_seconds=0.8)])
    await post(sandbox, "/v1/mobile/id123456789/events", MOBILE_EVENT)

    assert not await sandbox.settled(0.3)
    sandbox.stand_in.faults.clear()
    assert await sandbox.settled(SETTLE_SECONDS)
    assert len(recorded(sandbox)) == 1


async def test_settled_is_false_while_a_payment_waits(sandbox: Sandbox) -> None:
    await sandbox.aws.call(
        sandbox.aws.sqs.send_message,
        QueueUrl=sandbox.ready["payments_queue"],
        MessageBody="no notice of a payment",
        DelaySeconds=1,
    )

    assert not await sandbox.settled(0.3)
    assert await sandbox.settled(SETTLE_SECONDS)
    assert len(await taken_off(sandbox, "payments_dlq")) == 1


async def test_invoke_runs_a_function_by_the_name_of_its_folder(sandbox: Sandbox) -> None:
    invocation = await sandbox.invoke("forward_web", {"Records": []})

    assert invocation.result == {"batchItemFailures": []}


async def test_log_of_each_function_is_a_file(sandbox: Sandbox) -> None:
    invocation = await sandbox.invoke("forward_mobile", {"Records": []})

    log = await asyncio.to_thread((sandbox.logs / "forward_mobile.log").read_text)
    assert f"START RequestId: {invocation.request_id}" in log


async def test_visibility_time_out_can_be_shortened(sandbox: Sandbox) -> None:
    response = await sandbox.aws.call(
        sandbox.aws.sqs.get_queue_attributes,
        QueueUrl=sandbox.ready["mobile_queue"],
        AttributeNames=["VisibilityTimeout"],
    )

    assert response["Attributes"]["VisibilityTimeout"] == "5"


async def test_start_with_a_function_that_cannot_be_loaded_shows_its_traceback(
    tmp_path: Path,
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(PROJECT / "functions", checkout / "functions")
    template = checkout / "template.yaml"
    shutil.copy(PROJECT / "template.yaml", template)
    for function in (checkout / "functions").iterdir():
        (function / "app.py").write_text("def lambda_handler(event, context): ...\n")
    (checkout / "functions" / "accept" / "app.py").write_text("oops = {}['a key']\n")

    with pytest.raises(SandboxError, match="function accept cannot be loaded") as raised:
        async with Sandbox(SandboxOptions(template=template, work_dir=tmp_path)):
            pass

    assert "oops = {}['a key']" in str(raised.value)


async def test_start_on_a_port_that_is_taken_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    port = httpx.URL(sandbox.ready["api"]).port
    assert port

    with pytest.raises(SandboxError, match=f"port {port} is taken"):
        async with Sandbox(SandboxOptions(port=port, work_dir=tmp_path)):
            pass
