"""What the first answer of `receive_payment` costs: a provider waits for it, Paddle 5 s.

    python -m bench.cold_start [ROUNDS]

The function as `sam build` makes it, under Lambda's own runtime client and emulator, with moto for
Parameter Store and SQS. Told in CPU time, which does not hang on what else this machine does.
"""

import asyncio
import hashlib
import hmac
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay_sandbox.deployment.stack import Stack, deploy
from relay_sandbox.deployment.template import Template
from relay_sandbox.local_aws.aws import LocalAws, environment
from tests.integration.emulator import FUNCTIONS, ROOT, Build, Function, build, running

FUNCTION: Final = "receive_payment"
ROUNDS: Final = 7
WHOLE_CORE_MB: Final = 1769
_SECRET: Final = "whsec_of_the_bench"  # noqa: S105 - it opens nothing
_READ_ONLY: Final = {"PYTHONDONTWRITEBYTECODE": "1"}
_OK: Final = 200


class Round(NamedTuple):
    """CPU time in milliseconds."""

    imports: float
    """Python, the runtime client, and what the function imports at once: Lambda's init phase."""
    first: float
    """All until the first answer: the imports, the clients, and the settings that are read."""
    second: float
    """Of the next answer alone."""


def main(rounds: int) -> None:
    """Builds, and prints the medians."""
    template = Template.read(ROOT / "template.yaml")
    with tempfile.TemporaryDirectory() as folder:
        built = build(Path(folder))
        found = asyncio.run(_measured(template, built, Path(folder), rounds))
    imports, first, second = (statistics.median(times) for times in zip(*found, strict=True))
    memory = int(template.parameters({})["MemorySize"])
    share = min(1.0, memory / WHOLE_CORE_MB)
    print(f"{FUNCTION}, median of {rounds}, in CPU time:")
    print(
        f"  to the first answer {first:.0f} ms, {imports:.0f} of them imports; to the next", end=""
    )
    print(f" {second:.0f} ms")
    print(f"  on the {share:.0%} of a core that {memory} MB give: {first / share:.0f} ms at most")


async def _measured(template: Template, built: Build, folder: Path, rounds: int) -> list[Round]:
    async with LocalAws(folder / "aws.log") as aws:
        stack = await aws.call(deploy, aws, template, {})
        await aws.call(_set_up, aws, stack)
        told = {**stack.functions[FUNCTION].environment, **environment(aws.url)}
        told |= {"AWS_LAMBDA_FUNCTION_TIMEOUT": "29"}
        return [
            await asyncio.to_thread(_round, built, told, folder / f"{number}.log")
            for number in range(rounds)
        ]


def _set_up(aws: LocalAws, stack: Stack) -> None:
    source = {"provider": "stripe", "apps": {"mobile": ["id123456789"]}}
    prefix = stack.outputs["ParameterPrefix"]
    for name, value in (("sources", json.dumps({"s": source})), ("webhook_secrets/s", _SECRET)):
        aws.ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="SecureString")


def _round(built: Build, told: dict[str, str], log: Path) -> Round:
    imports = _cpu_of_imports(built, told)
    with running(built, FUNCTION, told, log) as function:
        _answered(function)  # the emulator starts the function for it
        process = _process(built)
        first = _cpu(process)
        _answered(function)
        return Round(imports, first, _cpu(process) - first)


def _cpu_of_imports(built: Build, told: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-S", "-c", "import awslambdaric.bootstrap, app"],
        check=True,
        cwd=built.folder / FUNCTIONS[FUNCTION],
        env=told | {"PYTHONPATH": f"{built.layer}{os.pathsep}{built.runtime}"} | _READ_ONLY,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _answered(function: Function) -> None:
    if function.invoke(_webhook()).get("statusCode") != _OK:
        raise AssertionError(function.logged())


def _process(built: Build) -> Path:
    """The function's own process, by the folder in which it runs."""
    folder = (built.folder / FUNCTIONS[FUNCTION]).resolve()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_python = b"awslambdaric" in (process / "cmdline").read_bytes().split(b"\0")[:4]
            if is_python and (process / "cwd").resolve() == folder:
                return process
        except OSError:  # gone meanwhile
            continue
    raise AssertionError("the function does not run")


def _cpu(process: Path) -> float:
    """What all threads of a process have used."""
    threads = (process / "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


def _webhook() -> dict[str, Any]:
    sample = ROOT / "tests/data/webhooks/stripe_invoice_paid_first.json"
    moment, body = int(time.time()), sample.read_text(encoding="utf-8")
    digest = hmac.new(_SECRET.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "version": "2.0",
        "routeKey": "POST /v1/payments/{provider}/{source}",
        "rawPath": "/v1/payments/stripe/s",
        "rawQueryString": "",
        "headers": {"stripe-signature": f"t={moment},v1={digest}"},
        "pathParameters": {"provider": "stripe", "source": "s"},
        "requestContext": {
            "http": {"method": "POST", "path": "/v1/payments/stripe/s", "sourceIp": "192.0.2.1"},
            "requestId": "request-1",
            "timeEpoch": moment * 1000,
        },
        "body": body,
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
