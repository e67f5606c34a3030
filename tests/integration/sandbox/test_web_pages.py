"""What a web page in the browser of whoever runs a sandbox can do to it: nothing.

It needs to know the port only. Its requests come with its own origin, or under a name of its own
that it has made to mean this machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from relay_sandbox.http.access import Access
from relay_sandbox.local_aws.aws import LocalAws, environment
from relay_sandbox.sandbox import Sandbox
from relay_sandbox.stand_in import Fault
from tests.support.local_http import local_client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox"),
]

ALL = ("api", "stand_in", "aws", "page")
FOREIGN = [
    {"Host": "evil.example"},  # DNS rebinding
    {"Host": "evil.example", "Origin": "https://evil.example"},
    {"Origin": "https://evil.example"},  # a script, or a form
    {"Origin": "null"},  # in a sandboxed frame
    {"Sec-Fetch-Site": "cross-site"},  # an image, or a link
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},  # another program's page
]
IDENTITY = {
    "token": "sandbox-push-token",
    "customer_user_id": "victim",
    "appsflyer_id": "1415211453000-6513894",
    "install_time": "2026-11-27 10:00:00.000",
    "platform": "ios",
}


@pytest.fixture
def sandbox(sandbox_for_faults: Sandbox) -> Sandbox:
    return sandbox_for_faults


@dataclass(frozen=True)
class Attack:
    """A request that does harm, or tells something, if it is answered."""

    server: str
    method: str
    path: str
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def to_aws(service: str, target: str, body: object) -> Attack:
    """A request to the local AWS, which does not look at signatures."""
    scope = f"x/20261127/us-east-1/{service}/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": target,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
    }
    return Attack("aws", "POST", "/", json.dumps(body).encode(), tuple(headers.items()))


ATTACKS: dict[str, Callable[[dict[str, Any]], Attack]] = {
    "reads the S2S keys": lambda _: to_aws(
        "ssm",
        "AmazonSSM.GetParametersByPath",
        {"Path": "/", "Recursive": True, "WithDecryption": True},
    ),
    "reads dead letters": lambda ready: to_aws(
        "sqs",
        "AmazonSQS.ReceiveMessage",
        {"QueueUrl": ready["mobile_dlq"], "VisibilityTimeout": 0},
    ),
    "sets a fault": lambda _: Attack(
        "stand_in",
        "POST",
        "/_standin/faults",
        b'{"status":400}',
        (("Content-Type", "application/json"),),
    ),
    "clears the faults": lambda _: Attack("stand_in", "DELETE", "/_standin/faults"),
    "forgets the ledger": lambda _: Attack("stand_in", "POST", "/_standin/reset"),
    "reads the ledger": lambda _: Attack("stand_in", "GET", "/_standin/events"),
    "reads the journal": lambda _: Attack("page", "GET", "/api/traces"),
    "clears the page's faults": lambda _: Attack("page", "DELETE", "/api/faults"),
    "changes an account": lambda _: Attack(
        "page",
        "POST",
        "/api/apps",
        b'{"app_id":"id123456789","time_zone":"UTC"}',
        (("Content-Type", "application/json"),),
    ),
    "reaches the API": lambda _: Attack("api", "GET", "/v1/health"),
    "writes an identity": lambda _: Attack(
        "api", "GET", f"/v1/appsflyer/installs/id123456789?{httpx.QueryParams(IDENTITY)}"
    ),
    "forgets everything on AWS": lambda _: Attack("aws", "POST", "/moto-api/reset"),
}

HARMLESS = {
    "api": Attack("api", "GET", "/v1/health"),
    "stand_in": Attack("stand_in", "GET", "/_standin"),
    "aws": to_aws("sqs", "AmazonSQS.ListQueues", {}),
    "page": Attack("page", "GET", "/api/state"),
}


async def call(sandbox: Sandbox, attack: Attack, more: dict[str, str]) -> httpx.Response:
    async with local_client() as client:
        return await client.request(
            attack.method,
            f"{sandbox.ready[attack.server]}{attack.path}",
            headers={**dict(attack.headers), **more},
            content=attack.content,
        )


async def state(sandbox: Sandbox) -> tuple[Any, ...]:
    """What the attacks are after: faults, identities, parameters."""
    dynamodb = sandbox.aws.client("dynamodb")
    table = await sandbox.aws.call(dynamodb.scan, TableName=sandbox.ready["identities_table"])
    parameters = await sandbox.aws.call(
        sandbox.aws.ssm.get_parameters_by_path, Path="/", Recursive=True
    )
    names = sorted(one["Name"] for one in parameters["Parameters"])
    return list(sandbox.stand_in.faults.as_json()), table["Items"], names


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda one: "+".join(one.values()))
@pytest.mark.parametrize("name", ATTACKS)
async def test_page_of_another_site_gets_403_and_one_sentence(
    sandbox: Sandbox, name: str, foreign: dict[str, str]
) -> None:
    response = await call(sandbox, ATTACKS[name](sandbox.ready), foreign)

    assert response.status_code == 403
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("This sandbox ")
    assert response.text.count(". ") == 0
    assert not [one for one in response.headers if one.startswith("access-control-")]


async def test_page_of_another_site_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.stand_in.faults.add([Fault(status=503, event_name="never")])
    before = await state(sandbox)

    for attack in ATTACKS.values():
        for foreign in FOREIGN:
            await call(sandbox, attack(sandbox.ready), foreign)

    assert await state(sandbox) == before
    assert before[0]


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - {"forgets everything on AWS"}))
async def test_program_on_this_machine_may_do_all_of_it(sandbox: Sandbox, name: str) -> None:
    """The attacks are what works without a browser's headers: they would strike."""
    response = await call(sandbox, ATTACKS[name](sandbox.ready), {})
    sandbox.stand_in.faults.clear()

    assert response.status_code == 200


@pytest.mark.parametrize("server", ALL)
async def test_preflight_of_a_page_of_another_site_gets_no_permission(
    sandbox: Sandbox, server: str
) -> None:
    preflight = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-amz-target",
        "Access-Control-Request-Private-Network": "true",
    }

    response = await call(sandbox, Attack(server, "OPTIONS", "/"), preflight)

    assert response.status_code == 403
    assert not [one for one in response.headers if one.startswith("access-control-")]


@pytest.mark.parametrize("server", ALL)
@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_own_page_and_address_bar_are_answered(
    sandbox: Sandbox, server: str, site: str
) -> None:
    own = {"Sec-Fetch-Site": site, "Origin": sandbox.ready[server]}

    response = await call(sandbox, HARMLESS[server], own)

    assert response.status_code == 200


@pytest.mark.parametrize("server", ALL)
async def test_server_answers_to_each_loopback_name_and_to_its_own_port_only(
    sandbox: Sandbox, server: str
) -> None:
    port = httpx.URL(sandbox.ready[server]).port
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "localhost", "localhost:1"]

    statuses = [
        (await call(sandbox, HARMLESS[server], {"Host": host})).status_code for host in hosts
    ]

    assert statuses == [200, 200, 200, 403, 403]


async def test_local_aws_behind_a_name_that_is_allowed_serves_the_sdk_and_the_cli(
    tmp_path: Path,
) -> None:
    """The SDK as in a container behind a forwarded port, the CLI on this machine as always."""
    access = Access.allowing(["host.docker.internal"])
    async with LocalAws(tmp_path / "aws.log", access=access) as local:
        sqs = boto3.client("sqs", endpoint_url=local.url)
        sqs.meta.events.register("before-send", _named("host.docker.internal:4711"))
        made = await local.call(sqs.create_queue, QueueName="by-sdk")
        aws_cli = [sys.executable, "-m", "awscli", "--endpoint-url", local.url]
        done = await local.call(
            subprocess.run,
            [*aws_cli, "sqs", "list-queues"],
            env=environment(local.url),
            capture_output=True,
            check=True,
        )

    assert made["QueueUrl"] == "http://host.docker.internal:4711/123456789012/by-sdk"
    assert b"by-sdk" in done.stdout


async def test_sdk_with_a_name_that_is_not_allowed_says_what_to_do(sandbox: Sandbox) -> None:
    sqs = boto3.client("sqs", endpoint_url=sandbox.ready["aws"])
    sqs.meta.events.register("before-send", _named("host.docker.internal:4711"))

    with pytest.raises(sqs.exceptions.ClientError, match="start it with --allow-host"):
        await sandbox.aws.call(sqs.list_queues)


def _named(host: str) -> Callable[..., None]:
    """Before a request of boto3's is sent: give it another host, as DNS would."""

    def rename(request: Any, **_: object) -> None:
        request.headers["Host"] = host

    return rename
