"""The programs of a benchmark: servers on one core, a worker for each handler on another.

A program that somebody else brings to stand beside the handlers runs where those do.
"""

import json
import os
import shlex
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, Self, cast

from bench import machine
from bench.servers import LATENCY_VARIABLE, S2S_KEY

_PROJECT: Final = Path(__file__).parent.parent


class Program:
    """A child that answers each line with a line of JSON, until its standard input closes."""

    def __init__(self, module: str, argument: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, argument],
            cwd=_PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def id(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Hands in a line."""
        stdin = cast("IO[str]", self._process.stdin)
        stdin.write(line + "\n")
        stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Its next line; raises `RuntimeError` when it ended instead (its error is on stderr)."""
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            message = f"a program of the benchmark ended with status {self._process.wait()}"
            raise RuntimeError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


class Surroundings:
    """Where AppsFlyer and AWS stand in a benchmark, and what the functions are told of it."""

    def __init__(self, addresses: Mapping[str, str], authority: str, in_flight: int) -> None:
        self._aws = addresses["aws"]
        self._tls = ssl.create_default_context(cafile=authority)
        queue = f"{self._aws}/123456789012/queue"
        self.environment = {
            **os.environ,
            "AWS_CA_BUNDLE": authority,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self._aws,
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "BENCH_S2S_KEY": S2S_KEY,
            "LAMBDA_TASK_ROOT": str(_PROJECT),  # Powertools keeps its event loop only in Lambda
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "POWERTOOLS_METRICS_NAMESPACE": "AppsFlyerRelay",
            "POWERTOOLS_SERVICE_NAME": "forward_mobile",
            "RELAY_APPSFLYER_URL": addresses["appsflyer"],
            "RELAY_CONNECT_TIMEOUT_SECONDS": "3",
            "RELAY_DEAD_LETTER_QUEUE_URL": queue,
            "RELAY_DELIVERIES_TABLE": "deliveries",
            "RELAY_MAX_CONCURRENCY": "1",
            "RELAY_MOBILE_QUEUE_URL": queue,
            "RELAY_WEB_QUEUE_URL": queue,
            "RELAY_PROCESSES": "30",
            "RELAY_PARAMETER_PREFIX": "/appsflyer-relay",
            "RELAY_QUEUE_URL": queue,
            "RELAY_READ_TIMEOUT_SECONDS": "10",
            "RELAY_REQUESTS_IN_FLIGHT": str(in_flight),
            "RELAY_RETRY_SCHEDULE_SECONDS": "5,30,120",
            "SSL_CERT_FILE": authority,
        }

    def counts(self) -> dict[str, int]:
        """What AppsFlyer has `taken`, in how many `received_bytes`, and items `written`, so far."""
        with urllib.request.urlopen(self._aws, context=self._tls) as answer:  # noqa: S310  our own
            found: dict[str, int] = json.load(answer)
            return found


@contextmanager
def surroundings(in_flight: int, latency_ms: int = 0) -> Iterator[Surroundings]:
    """Starts the servers, on a core of their own where there are two.

    `latency_ms`: how long AppsFlyer takes to answer.
    """
    with TemporaryDirectory() as folder:
        authority = str(Path(folder) / "authority.pem")
        told = os.environ | {LATENCY_VARIABLE: str(latency_ms)}
        with Program("bench.servers", authority, told) as servers:
            addresses = servers.answer()
            machine.pin(servers.id, machine.cores()[1:])
            yield Surroundings(addresses, authority, in_flight)


@contextmanager
def worker(name: str, around: Surroundings) -> Iterator[Program]:
    """Starts a handler's worker, on the first core."""
    once = {"RELAY_DEDUPLICATE": "money" if name.endswith("money once") else "none"}
    with Program("bench.worker", name, around.environment | once) as program:
        machine.pin(program.id, machine.cores()[:1])
        yield program


def run_beside(command: str, around: Surroundings, seconds: float) -> dict[str, float]:
    """Runs somebody else's program once, on the first core and in the handlers' environment.

    It is told the length of a round in `BENCH_SECONDS`. The last line that it prints is a JSON
    object with the numbers `events`, `seconds` and `cpu_seconds`. Raises `RuntimeError` when it
    cannot be started, fails, or says something else.
    """
    environment = {**around.environment, "BENCH_SECONDS": str(seconds)}
    try:
        process = subprocess.Popen(
            shlex.split(command), env=environment, stdout=subprocess.PIPE, text=True
        )
    except (OSError, ValueError, IndexError) as error:
        message = f"{command!r} cannot be started: {error}"
        raise RuntimeError(message) from error
    with process:
        machine.pin(process.pid, machine.cores()[:1])
        lines = cast("IO[str]", process.stdout).read().strip().splitlines()
    if process.returncode:
        message = f"{command!r} ended with status {process.returncode}"
        raise RuntimeError(message)
    return _numbers(command, lines[-1] if lines else "")


def _numbers(command: str, line: str) -> dict[str, float]:
    try:
        said = json.loads(line)
        found = {name: float(said[name]) for name in ("events", "seconds", "cpu_seconds")}
    except (ValueError, TypeError, KeyError) as error:
        message = (
            f'the last line of {command!r} must be {{"events": ..., "seconds": ..., '
            '"cpu_seconds": ...}, all numbers'
        )
        raise RuntimeError(message) from error
    if not (found["events"] > 0 and found["seconds"] > 0):
        message = f"{command!r} must handle events, and take time for it"
        raise RuntimeError(message)
    return found
