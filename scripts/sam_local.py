"""`make sam-local`: every sample through the real `sam local`, against a sandbox.

First `sam local invoke -e` for each file in events/, then `sam local start-api` with a call to each
route. The functions run in containers, from a build for this machine's processor. The exit status
is 1 unless each result is the one that the sample's file expects.
"""

import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx

from relay.instants import utc_now
from relay_cli.payments.signing import sign
from relay_sandbox.sandbox import Sandbox, SandboxOptions
from scripts import container_engine

ROOT = container_engine.ROOT
SAM = str(ROOT / ".venv-sam/bin/sam")
BUILD = ROOT / ".aws-sam/local"
FUNCTIONS = {
    "accept": "AcceptFunction",
    "receive_payment": "ReceivePaymentFunction",
    "receive_install": "ReceiveInstallFunction",
    "map_payment": "MapPaymentFunction",
    "forward_mobile": "ForwardMobileFunction",
    "forward_web": "ForwardWebFunction",
}
API_SECONDS = 120.0
# A sandbox's URLs in events/env.json; all its other values are the same in every sandbox.
DEFAULT_AWS = "http://host.docker.internal:8701"
DEFAULT_STAND_IN = "http://host.docker.internal:8702"

Json = dict[str, Any]


def architecture() -> str:
    """This machine's processor, by Lambda's name for it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def build() -> None:
    """Build for this machine, and set its architecture in the built template."""
    processor = {"arm64": "aarch64"}.get(architecture(), architecture())
    platform_variable = {"LAYER_PLATFORM": f"{processor}-manylinux2014"}
    command = [SAM, "build", "--no-cached", "--build-dir", str(BUILD)]
    subprocess.run(
        command, cwd=ROOT, env=os.environ | platform_variable, check=True, capture_output=True
    )
    template = BUILD / "template.yaml"
    template.write_text(template.read_text().replace("- arm64", f"- {architecture()}"))


def gateway() -> str:
    """The host name or address of this machine, for containers."""
    if sys.platform != "linux":
        return "host.docker.internal"
    shown = "{{(index .IPAM.Config 0).Gateway}}"
    command = ["docker", "network", "inspect", "bridge", "--format", shown]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.asynccontextmanager
async def forward_ports(host: str, urls: list[str]) -> AsyncIterator[None]:
    """Let containers reach local servers: forward the same ports of `host`, which they can see."""
    async with contextlib.AsyncExitStack() as open_servers:
        for url in urls if sys.platform == "linux" else []:  # on other systems the engine does it
            port = httpx.URL(url).port or 80
            server = await asyncio.start_server(_forward_to(port), host, port)
            await open_servers.enter_async_context(server)
        yield


def _forward_to(port: int) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    return serve


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def environment(ready: Json, host: str) -> str:
    """The text of events/env.json, with the URLs of this sandbox as containers see them."""
    text = (ROOT / "events/env.json").read_text()
    for default, actual in ((DEFAULT_AWS, ready["aws"]), (DEFAULT_STAND_IN, ready["stand_in"])):
        text = text.replace(default, actual.replace("127.0.0.1", host))
    values: dict[str, Json] = json.loads(text)
    # SAM CLI uses the values under a function's name or under Parameters, not both.
    common = values.pop("Parameters")
    return json.dumps({name: common | own for name, own in values.items()})


class Sam:
    """SAM CLI, with the options and variables that every call needs."""

    def __init__(self, folder: Path, ready: Json, *, own_engine: bool) -> None:
        self._folder = folder
        self._token: str = ready["producer_token"]
        self._sources: Json = ready["payment_sources"]
        self._options = [
            *("--template", str(BUILD / "template.yaml")),
            "--language-extensions",  # samconfig.toml is not looked for beside that template
            *("--env-vars", str(folder / "env.json")),
            *(["--skip-pull-image"] if own_engine else []),
        ]
        # With credentials set, each call of SAM CLI spends seconds on asking STS about them.
        secret = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
        self._environment = {k: v for k, v in os.environ.items() if k not in secret}
        self._environment["SAM_CLI_TELEMETRY"] = "0"

    def samples(self) -> Iterator[tuple[str, Json]]:
        """Each sample's name and event, with this sandbox's bearer token or signature."""
        for path in sorted((ROOT / "events").glob("*.json")):
            if path.name != "env.json":
                text = path.read_text().replace("sandbox-producer-token", self._token)
                yield path.stem, self._signed_now(json.loads(text))

    def _signed_now(self, event: Json) -> Json:
        provider = event["sample"].get("signed_by")
        if provider is None:
            return event
        secret = self._sources[provider]["secret"]
        signed = sign(provider, event["body"].encode(), secret, utc_now())
        return {**event, "headers": event["headers"] | signed.headers}

    async def invoke(self, name: str, event: Json) -> Any:
        """Run `sam local invoke -e` with one sample; return the function's result."""
        file = self._folder / f"{name}.json"
        file.write_text(json.dumps(event))
        (function,) = (f for entry, f in FUNCTIONS.items() if name.startswith(f"{entry}_"))
        process = await self._start("invoke", function, "-e", str(file))
        output, _ = await process.communicate()
        response = output.decode().strip().rpartition("\n")[2]
        try:
            return json.loads(response)
        except ValueError:
            return (self._folder / "sam.log").read_text()[-2000:]

    @contextlib.asynccontextmanager
    async def api(self, port: int) -> AsyncIterator[str]:
        """Run `sam local start-api` inside the block; yields its URL."""
        url = f"http://127.0.0.1:{port}"
        warm = ("--warm-containers", "EAGER")
        process = await self._start("start-api", "--port", str(port), *warm)
        try:
            async with asyncio.timeout(API_SECONDS), httpx.AsyncClient(trust_env=False) as client:
                while process.returncode is None and not await _is_up(client, url):  # noqa: ASYNC110 - SAM CLI must be polled
                    await asyncio.sleep(0.2)
            yield url
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)  # it removes its containers
            await process.communicate()

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        with (self._folder / "sam.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(SAM, "local", *arguments, *self._options),
                env=self._environment,
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )


async def _is_up(client: httpx.AsyncClient, url: str) -> bool:
    try:
        await client.get(f"{url}/v1/health", timeout=30)
    except httpx.TransportError:
        return False
    return True


def is_expected(event: Json, response: Any) -> bool:
    """Whether a function's result is the one that the sample's file expects."""
    if not isinstance(response, dict):
        return False
    if "Records" in event:
        return response == {"batchItemFailures": []}
    return bool(response.get("statusCode") == event["sample"]["status"])


async def call(client: httpx.AsyncClient, event: Json) -> httpx.Response:
    """Send the request that a sample of the HTTP API describes."""
    headers = dict(event["headers"])
    if cookies := event.get("cookies"):
        headers["cookie"] = "; ".join(cookies)
    return await client.request(
        event["requestContext"]["http"]["method"],
        f"{event['rawPath']}?{event['rawQueryString']}".rstrip("?"),
        headers=headers,
        content=event.get("body"),
    )


def report(name: str, *, expected: bool, detail: Any) -> bool:
    """Print one line of the report; return `expected`."""
    print(
        f"  {'ok' if expected else 'WRONG':5}  {name}{'' if expected else f'  {detail}'}",
        flush=True,
    )
    return expected


async def invoke_each(sam: Sam) -> list[bool]:
    """Run `sam local invoke` with all samples, one after the other; return whether each passed."""
    print("sam local invoke -e")
    results = []
    for name, event in sam.samples():
        response = await sam.invoke(name, event)
        results.append(report(name, expected=is_expected(event, response), detail=response))
    return results


async def call_each_route(sam: Sam) -> list[bool]:
    """Send a valid request to each route of `sam local start-api`; return whether each passed."""
    print("sam local start-api")
    results = []
    async with (
        sam.api(_free_port()) as url,
        httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client,
    ):
        routes = {
            event["routeKey"]: event
            for _, event in sam.samples()
            if "routeKey" in event and event["sample"]["status"] in (200, 202)
        }
        for route, event in routes.items():
            response = await call(client, event)
            expected = response.status_code == event["sample"]["status"]
            results.append(
                report(route, expected=expected, detail=(response.status_code, response.text))
            )
    return results


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


async def run(*, own_engine: bool) -> bool:
    """Run everything, with a running engine; return whether all passed."""
    host = gateway()
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(SandboxOptions(allow_hosts=(host,))) as sandbox:
            ready = sandbox.ready
            (Path(folder) / "env.json").write_text(environment(ready, host))
            async with forward_ports(host, [ready["aws"], ready["stand_in"]]):
                sam = Sam(Path(folder), ready, own_engine=own_engine)
                return all([*await invoke_each(sam), *await call_each_route(sam)])


def main() -> int:
    """Set up what is missing, then run; return 0 if all passed."""
    # Shells make background jobs ignore SIGINT. SAM CLI would inherit that, and is stopped by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if container_engine.is_in_own_network():
        image = f"public.ecr.aws/lambda/python:3.13-{architecture()}"
        with container_engine.start(image, BUILD / "RelayLayer"):
            return not asyncio.run(run(own_engine=True))
    own_engine = not container_engine.is_running()
    if own_engine:
        container_engine.fetch()
    print(f"sam build, for {architecture()} ...", flush=True)
    build()
    if own_engine:
        container_engine.reexec_in_own_network()
    return not asyncio.run(run(own_engine=False))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except container_engine.NoEngineError as error:
        sys.exit(str(error))
