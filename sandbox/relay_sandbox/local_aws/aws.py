"""The local AWS: a moto server in its own process, and clients for it.

moto implements AWS's protocols over HTTP, so boto3, the AWS CLI and the functions use it like AWS,
through its endpoint URL. It keeps everything in memory only.
"""

from __future__ import annotations

import asyncio
import functools
import os
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

import boto3
import botocore.session
from botocore.config import Config

from relay_sandbox.errors import SandboxError
from relay_sandbox.http.access import Access
from relay_sandbox.local_aws.moto_process import (
    HOSTS_VARIABLE,
    PORT_VARIABLE,
    QUEUES_VARIABLE,
)
from relay_sandbox.processes.children import (
    Child,
    Lines,
    Output,
    first_of,
    inherited_environment,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

REGION = "us-east-1"
ACCOUNT = "123456789012"  # the account of moto
CREDENTIALS = {  # fake; moto accepts any
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
}
_MODULE = "relay_sandbox.local_aws.moto_process"
_START_SECONDS = 60.0
_NO_PROXY = urllib.request.ProxyHandler({})
_THREADS = 16  # a long poll occupies one thread

_P = ParamSpec("_P")
_T = TypeVar("_T")


def environment(url: str, caller: str | None = None) -> dict[str, str]:
    """Return the variables that point AWS SDKs and the CLI to the local AWS, and to nothing else.

    `caller` is the name of a function: the local AWS knows its calls by their key, as AWS does.

    The two files are set so that the user's settings and real credentials are not read.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **CREDENTIALS,
        **({"AWS_ACCESS_KEY_ID": f"function.{caller}"} if caller else {}),
    }


def local_session() -> boto3.Session:
    """Make a session that ignores the user's AWS settings, profile and credentials."""
    nowhere: dict[str, Any] = {
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
        "profile": (None, None, None, None),
    }
    return boto3.Session(
        botocore_session=botocore.session.Session(session_vars=nowhere),
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


class LocalAws:
    """The local AWS, running inside its `async with` block.

    `port` 0 takes any free port. `log` is the file for moto's output. `access` says by which names
    it may be called; without it, by those of the loopback interface. `on_queues` gets a line for
    each message that is put on a queue or deleted (`moto_queues`). Entering the block raises
    SandboxError if moto does not start; the message contains the end of its output.
    """

    def __init__(
        self,
        log: Path,
        port: int = 0,
        access: Access | None = None,
        on_queues: Callable[[bytes], None] | None = None,
    ) -> None:
        self._log = log
        self._queues = Lines(on_queues) if on_queues else None
        self._pipe: Output | None = None
        self._wanted_port = port
        self._access = access or Access()
        self._session = local_session()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aws")
        self._output = b""
        self._output_grew = asyncio.Event()
        self._child: Child | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Start moto and wait until it responds."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._pipe = Output(self._queues.feed if self._queues else lambda _: None)
        with self._pipe as write_end:
            self._child = await Child.start(
                _MODULE,
                environment={
                    **inherited_environment(),
                    **CREDENTIALS,
                    PORT_VARIABLE: str(self._wanted_port),
                    HOSTS_VARIABLE: " ".join(str(host) for host in self._access.allowed),
                    **({QUEUES_VARIABLE: str(write_end)} if self._queues else {}),
                },
                folder=self._log.parent,
                on_output=self._keep_output,
                keep_open=(write_end,),
            )
        try:
            self.url = f"http://127.0.0.1:{await self._port(self._child)}"
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill moto; calls in progress fail."""
        if self._child:
            await self._child.kill()
        if self._pipe:
            self._pipe.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def tell_of_queues(self) -> None:
        """Pass on at once what has happened on the queues so far."""
        if self._pipe:
            self._pipe.drain()

    def client(self, service: str) -> Any:
        """Make a client of any service. It is thread-safe."""
        quick = Config(
            retries={"total_max_attempts": 1},
            max_pool_connections=_THREADS,
            proxies={},  # the user's proxy cannot reach this machine's loopback interface
        )
        make: Any = self._session.client  # the stubs have one overload per service name
        return make(service, endpoint_url=self.url, config=quick)

    @functools.cached_property
    def sqs(self) -> SQSClient:
        """A client of SQS."""
        client: SQSClient = self.client("sqs")
        return client

    @functools.cached_property
    def ssm(self) -> SSMClient:
        """A client of Parameter Store."""
        client: SSMClient = self.client("ssm")
        return client

    async def call(self, operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a blocking call in a thread: `await aws.call(aws.sqs.receive_message, ...)`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, functools.partial(operation, *args, **kwargs)
        )

    async def reset(self) -> None:
        """Delete everything: queues, messages, parameters, stacks."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        await self.call(lambda: urllib.request.build_opener(_NO_PROXY).open(request).close())

    def _keep_output(self, data: bytes) -> None:
        self._output = (self._output + data)[-4096:]
        self._output_grew.set()
        with self._log.open("ab") as log:
            log.write(data)

    async def _port(self, child: Child) -> int:
        first_line = asyncio.ensure_future(self._first_line())
        await first_of(first_line, child.ended, seconds=_START_SECONDS)
        if first_line.done() and first_line.result().isdigit():
            return int(first_line.result())
        first_line.cancel()
        end = self._output.decode(errors="replace")
        raise SandboxError(
            f"the local AWS (moto) did not start; see {self._log}. It ended with:\n{end}"
        )

    async def _first_line(self) -> bytes:
        while b"\n" not in self._output:
            self._output_grew.clear()
            await self._output_grew.wait()
        return self._output.partition(b"\n")[0].strip()
