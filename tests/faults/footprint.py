"""How much memory a function's process takes, under Lambda's real runtime client.

Its AWS and its AppsFlyer are a few lines that answer yes to everything, so that inputs of any size
cost nothing but the function's own work.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from relay.config.producers import token_digest
from relay_sandbox.deployment.stack import FunctionSettings
from relay_sandbox.http.server import Connection, Request, Response, Server
from relay_sandbox.lambda_runtime.execution import (
    ExecutionEnvironment,
    FunctionLog,
    Invocation,
    launching_functions,
)
from relay_sandbox.lambda_runtime.runtime_api import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    PendingInvocation,
)
from relay_sandbox.processes.children import Child
from relay_sandbox.processes.forker import Launch
from tests.support.builders import MOBILE_APP, WEB_APP, Json
from tests.support.template import TEMPLATE

ODD_APP: Final = "website-odd.example.com"
"""An app whose settings are the worst that Parameter Store can hold."""
PUSH_TOKEN: Final = "a-push-token"
WEBHOOK_SECRET: Final = "Bearer a-long-and-random-value"

_ROOT: Final = Path(__file__).parents[2]
_SITE_PACKAGES: Final = Path(json.__file__).parent
_LARGEST_PARAMETER: Final = 8 * 1024
_SECONDS: Final = 600.0
"""What a function may take: memory is the matter here, and the machine may be busy."""
_MEBIBYTE: Final = 1024 * 1024


def _parameters() -> dict[str, str]:
    def sender(token: str) -> str:
        return json.dumps([{"name": "shop", "token_sha256": [token_digest(token)], "apps": ["*"]}])

    found = {
        "producers": sender("shop-token"),
        "push_senders": sender(PUSH_TOKEN),
        "sources": '{"shop": {"provider": "revenuecat", "apps": {"mobile": ["id123456789"]}}}',
        "webhook_secrets/shop": WEBHOOK_SECRET,
        f"apps/web/{ODD_APP}": f"[{'1e300,' * (_LARGEST_PARAMETER // 6 - 1)}1]",
    }
    for surface, app_id in (("mobile", MOBILE_APP), ("web", WEB_APP)):
        found[f"apps/{surface}/{app_id}"] = "{}"
        found[f"tokens/{surface}/{app_id}"] = "s2s-key-1"
    return {f"/relay/{name}": value for name, value in found.items()}


_PARAMETERS: Final = _parameters()


async def _aws(request: Request, _connection: Connection) -> Response:
    """Does all that it is asked to, and keeps nothing."""
    call: Json = json.loads(request.body)
    operation = (request.header("x-amz-target") or "").rpartition(".")[2]
    return Response.json(200, _answer(operation, call))


def _answer(operation: str, call: Json) -> Json:
    match operation:
        case "GetParameters":
            known = [name for name in call["Names"] if name in _PARAMETERS]
            return {
                "Parameters": [{"Name": name, "Value": _PARAMETERS[name]} for name in known],
                "InvalidParameters": [name for name in call["Names"] if name not in known],
            }
        case "SendMessageBatch":
            return {"Successful": [{"Id": entry["Id"]} for entry in call["Entries"]], "Failed": []}
        case "BatchGetItem":
            return {"Responses": {name: [] for name in call["RequestItems"]}, "UnprocessedKeys": {}}
        case "BatchExecuteStatement":
            return {"Responses": [{} for _ in call["Statements"]]}
        case "Query":
            return {"Items": [], "Count": 0}
        case _:
            return {}


async def _appsflyer(_request: Request, _connection: Connection) -> Response:
    return Response.text(200, "ok")


class Process:
    """One process of a function, which serves one invocation after the other."""

    def __init__(self, environment: ExecutionEnvironment) -> None:
        self._environment = environment
        self.peak = 0
        """The most that it ever took, in bytes."""

    async def invoke(self, event: Json) -> Invocation:
        """Hands in an event that Lambda would; a process that dies fails the test."""
        payload = payload_of(event)
        assert len(payload) <= MAX_PAYLOAD_BYTES, "Lambda would not hand this in"
        arn = "arn:aws:lambda:us-east-1:123456789012:function:relay"
        invocation = await self._environment.serve(PendingInvocation(payload, arn, _SECONDS))
        error = invocation.error
        assert error is None, invocation.log[-2000:]
        self.peak = _peak_of(self._environment.pid)
        return invocation


def _peak_of(pid: int) -> int:
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) * 1024


@asynccontextmanager
async def process_of(
    function: str, folder: Path, launch: Launch = Child.start
) -> AsyncIterator[Process]:
    """A process of a function, as it is after its cold start. `launch` starts it.

    What is forked counts what it shares as its own, so libraries that it does not need as well.
    """
    many = {"max_body_bytes": 16 * _MEBIBYTE}
    async with Server(_aws, **many) as aws, Server(_appsflyer, **many) as appsflyer:  # type: ignore[arg-type] # see above
        settings = _settings(function, aws.url, appsflyer.url)
        log = FunctionLog(folder / f"{function}.log")
        environment = await ExecutionEnvironment.start(settings, log, aws.url, launch=launch)
        assert not isinstance(environment, FunctionError), str(environment)
        try:
            yield Process(environment)
        finally:
            await environment.stop()
            log.close()


@asynccontextmanager
async def forking(log: FunctionLog) -> AsyncIterator[Launch]:
    """Starts the processes of all functions in a tenth of the time."""
    settings = [_settings(function, "", "") for function in ("accept", "forward_mobile")]
    async with launching_functions(settings, "", log.write) as launch:
        yield launch


def _settings(function: str, aws: str, appsflyer: str) -> FunctionSettings:
    return FunctionSettings(
        key=function,
        name=function,
        arn=f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
        handler="app.lambda_handler",
        runtime="python3.13",
        timeout_seconds=_SECONDS,
        memory_mb=256,
        folder=_ROOT / "functions" / function,
        layers=(_ROOT / "layers/relay",),
        environment=_variables(f"{aws}/123456789012", appsflyer),
    )


def _variables(queues: str, appsflyer: str) -> Mapping[str, str]:
    """Those of all functions: from the template what is the same for all, and the rest."""
    of_all = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    return {
        **{name: value for name, value in of_all.items() if isinstance(value, str)},
        "RELAY_PARAMETER_PREFIX": "/relay",
        "RELAY_MOBILE_QUEUE_URL": f"{queues}/mobile",
        "RELAY_WEB_QUEUE_URL": f"{queues}/web",
        "RELAY_PAYMENTS_QUEUE_URL": f"{queues}/payments",
        "RELAY_QUEUE_URL": f"{queues}/own",
        "RELAY_DEAD_LETTER_QUEUE_URL": f"{queues}/dead",
        "RELAY_RETRY_SCHEDULE_SECONDS": "5,30",
        "RELAY_APPSFLYER_URL": appsflyer,
        "RELAY_DELIVERIES_TABLE": "deliveries",
        "RELAY_IDENTITIES_TABLE": "identities",
        "RELAY_TRAIL_TABLE": "trail",
        "RELAY_IDENTITY_DAYS": "730",
    }


def payload_of(event: Any) -> bytes:
    """An event as Lambda hands it in."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
