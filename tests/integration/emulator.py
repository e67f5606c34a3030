"""Built functions under Lambda's own runtime: `sam build`, then AWS's Runtime Interface Emulator.

The emulator comes with SAM CLI and needs no container. What a function can import is what it could
on Lambda: its own folder, the built layer, and what the runtime brings; nothing of this project's
environment.
"""

import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from scripts import lambda_runtime

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "accept": "AcceptFunction",
    "receive_payment": "ReceivePaymentFunction",
    "receive_install": "ReceiveInstallFunction",
    "map_payment": "MapPaymentFunction",
    "forward_mobile": "ForwardMobileFunction",
    "forward_web": "ForwardWebFunction",
}
START_SECONDS = 30.0
LOOPBACK = ("127.0.0.1", 0)

_EMULATORS = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}


def why_not_here() -> str | None:
    """Why the emulator cannot run on this machine; None when it can."""
    if sys.platform != "linux" or platform.machine() not in _EMULATORS:
        return "the Runtime Interface Emulator is a program for Linux on x86-64 or arm64"
    if platform.libc_ver()[0] != "glibc":
        return "the layer is built from manylinux wheels, which need glibc"
    return None


@dataclass(frozen=True)
class Build:
    """What `sam build` made for this machine, and the runtime's own libraries beside it."""

    folder: Path
    runtime: Path

    @property
    def layer(self) -> Path:
        """What Lambda would show as /opt/python."""
        return self.folder / "RelayLayer" / "python"


def build(folder: Path) -> Build:
    """Run the real `sam build`; `CalledProcessError` when it fails, after it said why."""
    subprocess.run([ROOT / "scripts/setup", "sam"], check=True)
    here = {
        "UV": str(ROOT / "scripts/uv"),
        "BUILD_PYTHON": sys.executable,
        "LAYER_PYTHON_VERSION": "{}.{}".format(*sys.version_info),
        "LAYER_PLATFORM": f"{platform.machine()}-manylinux2014",
        "COMPILE_JOBS": "1",  # other tests have the other cores
        "SAM_CLI_TELEMETRY": "0",
    }
    # --no-cached: SAM's cache does not know that another machine is built for.
    command = ["build", "--no-cached", "--build-dir", str(folder / "build")]
    subprocess.run(
        [ROOT / ".venv-sam/bin/sam", *command], check=True, cwd=ROOT, env=os.environ | here
    )
    return Build(folder / "build", lambda_runtime.link_into(folder / "runtime"))


class Function:
    """One function that waits for invocations. It takes one at a time, as an instance does."""

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Give the function an event and return its answer, an error's included."""
        answer = httpx.post(self._url, json=event, timeout=120, trust_env=False)
        return answer.json()

    def logged(self) -> str:
        """All that the function and its runtime have said so far."""
        return self._log.read_text(errors="replace")


@contextmanager
def running(
    built: Build, name: str, environment: Mapping[str, str], log: Path
) -> Iterator[Function]:
    """Run a built function under the emulator while the block lasts.

    `environment` is what the template tells it, AWS_LAMBDA_FUNCTION_TIMEOUT included.
    """
    invoking, runtime_api = _free_addresses()
    rapid = "lib/python*/site-packages/samcli/local/rapid"
    (emulator,) = (ROOT / ".venv-sam").glob(f"{rapid}/{_EMULATORS[platform.machine()]}")
    command: list[str | Path] = [
        *(emulator, "--runtime-interface-emulator-address", invoking),
        *("--runtime-api-address", runtime_api),
        # -S: without the environment of the tests.
        *(sys.executable, "-S", "-m", "awslambdaric", "app.lambda_handler"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=built.folder / FUNCTIONS[name],
            env={"PATH": os.environ["PATH"], **environment, **_of_lambda(built, name)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(invoking, process, log)
        yield Function(f"http://{invoking}/2015-03-31/functions/function/invocations", log)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the emulator and the function it started
        process.wait()


def _of_lambda(built: Build, name: str) -> dict[str, str]:
    return {
        "PYTHONDONTWRITEBYTECODE": "1",  # both folders are read-only on Lambda
        "PYTHONPATH": f"{built.layer}{os.pathsep}{built.runtime}",
        "LAMBDA_TASK_ROOT": str(built.folder / FUNCTIONS[name]),
        "AWS_LAMBDA_FUNCTION_NAME": name,
    }


def _free_addresses() -> tuple[str, str]:
    with socket.create_server(LOOPBACK) as one, socket.create_server(LOOPBACK) as other:
        return f"127.0.0.1:{one.getsockname()[1]}", f"127.0.0.1:{other.getsockname()[1]}"


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(f"the emulator did not come up:\n{log.read_text(errors='replace')}")
