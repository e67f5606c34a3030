"""One event all the way, as its users see it: real producers, real faults, real dead letters."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from relay_sandbox.sandbox import PROJECT, Sandbox
from relay_sandbox.stand_in import Fault
from relay_sandbox.stand_in.ledger import Entry
from tests.integration.conftest import left_on
from tests.support.local_http import local_client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox"),
]

SETTLE_SECONDS = 45
BLOCKED = "com.example.blocked"
PURCHASE = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_purchase",
    "eventValue": {"af_revenue": 49.9},
    "eventCurrency": "EUR",
    "os": "17.5",
    "bundleIdentifier": "com.example.shop",
    "customer_user_id": "u-1001",
}


@pytest.fixture
def sandbox(sandbox_for_faults: Sandbox) -> Sandbox:
    return sandbox_for_faults


def envelope(event_id: str, **fields: Any) -> dict[str, Any]:
    event = {**PURCHASE, **fields}
    return {
        "app_id": "id123456789",
        "kind": "mobile_event",
        "event_id": event_id,
        "event": event,
    }


async def send(sandbox: Sandbox, *envelopes: dict[str, Any]) -> None:
    for body in envelopes:
        await sandbox.aws.call(
            sandbox.aws.sqs.send_message,
            QueueUrl=sandbox.ready["mobile_queue"],
            MessageBody=json.dumps(body),
        )


async def dead_letters(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [json.loads(body) for body in await left_on(sandbox, "mobile_dlq")]


async def command(*words: str, **environment: str) -> tuple[int, str]:
    """Runs a program as a user would; returns its exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *words,
        env={**os.environ, **environment},
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@asynccontextmanager
async def opened(sandbox: Sandbox, app_id: str) -> AsyncIterator[None]:
    """An account that takes no events takes them while the block runs."""
    await set_state(sandbox, app_id, "open")
    try:
        yield
    finally:
        await set_state(sandbox, app_id, "blocked")


async def set_state(sandbox: Sandbox, app_id: str, state: str) -> None:
    url = f"{sandbox.ready['stand_in']}/_standin/apps"
    async with local_client() as client:
        answer = await client.post(url, json={"app_id": app_id, "state": state})
    assert answer.status_code == 200, answer.text


def recorded(sandbox: Sandbox) -> list[Entry]:
    return [entry for entry in sandbox.stand_in.ledger if entry.recorded]


async def test_message_of_the_aws_cli_is_recorded_with_its_money_to_the_cent(
    sandbox: Sandbox,
) -> None:
    code, output = await command(
        program("aws"), "sqs", "send-message",
        "--endpoint-url", sandbox.ready["aws"],
        "--queue-url", sandbox.ready["mobile_queue"],
        "--message-body", json.dumps(envelope("order-1")),
    )  # fmt: skip

    assert code == 0, output
    assert await sandbox.settled(SETTLE_SECONDS)
    assert [(e.app_id, e.event_name, e.revenue, e.currency) for e in recorded(sandbox)] == [
        ("id123456789", "af_purchase", "49.9", "EUR")
    ]


@pytest.mark.parametrize(
    ("fault", "event_id"),
    [
        (Fault(status=500, times=2), "500 twice"),
        (Fault(status=503, times=1), "503"),
        (Fault(status=429, retry_after=1, times=1), "429"),
        (Fault(reset=True, times=1), "reset"),
        (Fault(time_out=True, times=1), "time-out"),
        (Fault(garbage=True, times=1), "garbage"),
    ],
)
async def test_passing_fault_ends_in_one_recorded_event(
    sandbox: Sandbox, fault: Fault, event_id: str
) -> None:
    sandbox.stand_in.faults.add([fault])

    await send(sandbox, envelope(event_id))

    assert await sandbox.settled(SETTLE_SECONDS)
    assert [entry.event_name for entry in recorded(sandbox)] == ["af_purchase"]
    assert await dead_letters(sandbox) == []


async def test_lasting_fault_ends_in_a_dead_letter_that_a_redrive_delivers(
    sandbox: Sandbox,
) -> None:
    sandbox.stand_in.faults.add([Fault(status=500)])
    await send(sandbox, envelope("order-3"))
    assert await sandbox.settled(SETTLE_SECONDS)
    (letter,) = await dead_letters(sandbox)
    assert (letter["reason"], letter["status"], letter["attempts"], letter["event_id"]) == (
        "attempts_used_up: status_500",
        500,
        4,
        "order-3",
    )
    assert recorded(sandbox) == []

    sandbox.stand_in.faults.clear()
    code, output = await command(
        program("relay"), "dlq", "redrive", "--queue", sandbox.ready["mobile_dlq"],
        "--to", sandbox.ready["mobile_queue"],
        AWS_ENDPOINT_URL=sandbox.ready["aws"],
    )  # fmt: skip

    assert code == 0, output
    assert await sandbox.settled(SETTLE_SECONDS)
    assert [entry.event_name for entry in recorded(sandbox)] == ["af_purchase"]
    assert await dead_letters(sandbox) == []


async def test_account_opened_again_gets_what_waited_for_it(sandbox: Sandbox) -> None:
    await send(sandbox, {**envelope("order-4", bundleIdentifier=BLOCKED), "app_id": BLOCKED})
    while not sandbox.stand_in.ledger:
        assert not await sandbox.settled(0.1)

    async with opened(sandbox, BLOCKED):
        assert await sandbox.settled(SETTLE_SECONDS)

    assert [entry.app_id for entry in recorded(sandbox)] == [BLOCKED]
    assert await dead_letters(sandbox) == []


async def test_redrive_by_reason_sends_back_what_has_it_and_nothing_else(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    ready_file = tmp_path / "ready.json"
    ready_file.write_text(json.dumps(sandbox.ready))
    sandbox.stand_in.faults.add(
        [Fault(status=422, event_name="odd", times=1), Fault(status=400, event_name="refused")]
    )
    await send(
        sandbox, envelope("order-4", eventName="odd"), envelope("order-5", eventName="refused")
    )
    assert await sandbox.settled(SETTLE_SECONDS)
    assert {letter["event_id"] for letter in await dead_letters(sandbox)} == {"order-4", "order-5"}

    code, output = await command(
        program("relay"), "dlq", "redrive", "mobile",
        "--reason", "status_422", "--yes", "--ready-file", str(ready_file),
    )  # fmt: skip

    assert code == 0, output
    assert "1 sent back" in output
    assert await sandbox.settled(SETTLE_SECONDS)
    assert [entry.event_name for entry in recorded(sandbox)] == ["odd"]
    assert [letter["event_id"] for letter in await dead_letters(sandbox)] == ["order-5"]


async def test_raw_identity_is_nowhere_but_as_hashes(sandbox: Sandbox) -> None:
    """A good event, a rejected one and one that AppsFlyer never takes, all with a raw identity."""
    person = {
        "email": "wilhelmina.quux@example.com",
        "phone": "+1 202 555 0147",
        "first_name": "Wilhelmina",
        "last_name": "Quuxington",
    }
    sandbox.stand_in.faults.add([Fault(status=500, event_name="never")])

    await send(
        sandbox,
        envelope("good", **person),
        envelope("rejected", **person, sharing_filter=[]),
        envelope("undeliverable", **person, eventName="never"),
    )
    assert await sandbox.settled(SETTLE_SECONDS)

    letters = await dead_letters(sandbox)
    # SQS delivers at least once, and this one's visibility time-out is short.
    assert {letter["event_id"] for letter in letters} == {"rejected", "undeliverable"}
    logs = "".join(path.read_text() for path in sandbox.logs.glob("forward_*.log"))
    ledger = "".join(json.dumps(entry.as_json()) for entry in sandbox.stand_in.ledger)
    everything = f"{logs} {ledger} {json.dumps(letters)}".lower()
    assert "email_hashed" in everything
    for trace in ("wilhelmina", "quux", "5550147", "555 0147"):
        assert trace not in everything
