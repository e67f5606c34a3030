"""The whole system on one machine, built from `template.yaml`.

    async with Sandbox() as sandbox:
        print(sandbox.ready["api"])
        await sandbox.settled(30)

Inside: a local AWS (moto), the functions under Lambda's runtime client, the event source mappings,
the HTTP API, and the stand-in for AppsFlyer. Everything stops when the block ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from relay_sandbox.dashboard.body import Board, read_board
from relay_sandbox.dashboard.meter import Meter
from relay_sandbox.deployment.stack import STACK_NAME, Stack, deploy
from relay_sandbox.deployment.template import Template
from relay_sandbox.errors import SandboxError
from relay_sandbox.gateway.gateway import Gateway
from relay_sandbox.http.access import Access
from relay_sandbox.http.server import Server
from relay_sandbox.journal.facts import QueueName, Role, Waits
from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.observer import Observer
from relay_sandbox.lambda_runtime.execution import (
    FunctionLog,
    Invocation,
    launching_functions,
)
from relay_sandbox.lambda_runtime.function import Function
from relay_sandbox.lambda_runtime.pollers import Poller
from relay_sandbox.local_aws.aws import REGION, LocalAws
from relay_sandbox.locks import take_folder
from relay_sandbox.options import PROJECT, SandboxOptions
from relay_sandbox.page.server import Page
from relay_sandbox.page.surroundings import Surroundings
from relay_sandbox.ports import choose_ports, is_free
from relay_sandbox.seeds import Seeds
from relay_sandbox.stand_in import StandIn

__all__ = ["PROJECT", "Sandbox", "SandboxOptions"]

_LOGGER = logging.getLogger(__name__)
_LARGEST_BODY = 16 * 1024 * 1024  # the gateway itself rejects bodies over 10 MB
_SETTLED_POLL_SECONDS = 0.1


class Sandbox:
    """The system, running inside its `async with` block.

    Making one raises SandboxError if `allow_hosts` names no host. Entering the block raises it,
    with what to do, if a part does not start. `ready` holds
    what users of the sandbox need: `page`, `api`, `aws`, `stand_in` (base URLs), `mobile_queue`,
    `web_queue`, `payments_queue`, `mobile_dlq`, `web_dlq`, `payments_dlq` (queue URLs),
    `identities_table`, `trail_table`, `deliveries_table` (names), `parameter_prefix` (where in
    Parameter Store all settings are), `producer_token`, `push_token`,
    `apps` (ids by kind), `payment_sources` (`{provider: {"source", "secret"}}`). `work_dir` is the
    folder of its files: one of its own within that of the options if another sandbox has that.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self._access = Access.allowing(self.options.allow_hosts)  # or it has nothing to give back
        self.work_dir, self._lock = take_folder(self.options.work_dir)
        self.seeds = Seeds()
        self.stand_in = StandIn(self.seeds.accounts())
        self._ports = choose_ports(self.options.port)
        self.journal = Journal()
        self.observer = Observer(self.journal, self.stand_in.accounts.zone)
        self.aws = LocalAws(
            self.logs / "aws.log", self._ports.aws, self._access, self.observer.queue_line
        )
        self.observer.sync = self.aws.tell_of_queues
        self.stand_in.observer = self.observer
        self.stand_in.faults.on_change = self.journal.changed
        self.meter = Meter()
        self.board = Board()
        self.functions: dict[str, Function] = {}
        self.ready: dict[str, Any] = {}
        self._source_queues: list[str] = []
        self._parts = AsyncExitStack()

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.work_dir / "logs"

    async def __aenter__(self) -> Self:
        """Start everything and wait until it is up."""
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything in reverse order; work in progress is abandoned."""
        await self._parts.aclose()
        self._lock.release()

    async def invoke(self, function: str, event: object) -> Invocation:
        """Invoke a function by its folder's name: `invoke("forward_mobile", {"Records": []})`."""
        return await self.functions[function].invoke(event)

    async def settled(self, seconds: float) -> bool:
        """Wait until no message is queued or in progress; False if that takes longer.

        Dead-letter queues are ignored: their messages stay.
        """
        try:
            async with asyncio.timeout(seconds):
                while not await self._idle():  # noqa: ASYNC110 - moto must be polled
                    await asyncio.sleep(_SETTLED_POLL_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _idle(self) -> bool:
        before = self._invocations()
        for url in self._source_queues:
            if await self._messages(url):
                return False
        # An invocation that ran meanwhile may have filled a queue that was already checked.
        running = any(function.running for function in self.functions.values())
        return not running and self._invocations() == before

    def _invocations(self) -> int:
        return sum(function.started for function in self.functions.values())

    async def _messages(self, queue_url: str) -> int:
        response = await self.aws.call(
            self.aws.sqs.get_queue_attributes,
            QueueUrl=queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
        return sum(int(number) for number in response["Attributes"].values())

    async def _start(self) -> None:
        if not is_free(self._ports.api):  # fail now, not after everything else has started
            raise self._port_is_taken()
        stand_in = await self._parts.enter_async_context(
            self.stand_in.server(port=self._ports.stand_in, access=self._access)
        )
        self._clear_logs()
        template = asyncio.ensure_future(asyncio.to_thread(Template.read, self.options.template))
        await self._parts.enter_async_context(self.aws)  # starts while the template is read
        overrides = self._overrides(stand_in.url)
        stack = await self.aws.call(deploy, self.aws, await template, overrides)
        await self.aws.call(self.seeds.put, self.aws, stack.outputs["ParameterPrefix"])
        self._tell_observer(await template, stack, stand_in.url, overrides)
        await self._start_functions(stack)
        await self._start_pollers(stack)
        api = await self._start_gateway(stack)
        self.ready = self._describe(stack, api=api, stand_in=stand_in.url)
        self.ready["page"] = await self._start_page(stack, stand_in)

    def _clear_logs(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        for log in self.logs.glob("*.log"):
            log.unlink()

    def _overrides(self, stand_in_url: str) -> dict[str, str]:
        options = self.options
        return {
            "MobileEndpoint": (options.mobile_endpoint or stand_in_url).rstrip("/"),
            "WebEndpoint": (options.web_endpoint or stand_in_url).rstrip("/"),
            "RetryScheduleSeconds": options.retry_schedule.replace(" ", ""),
            "HoldSeconds": str(options.hold_seconds),
            "ApiProcesses": "1",  # so a producer or source that is added is known in seconds
            **options.parameters,
        }

    async def _start_functions(self, stack: Stack) -> None:
        functions = FunctionLog(self.logs / "functions.log", self.options.echo)
        self._parts.callback(functions.close)
        launch = await self._parts.enter_async_context(
            launching_functions(stack.functions.values(), self.aws.url, functions.write)
        )
        for key, settings in stack.functions.items():
            log = FunctionLog(self.logs / f"{key}.log", self.options.echo)
            function = Function(
                settings, log, self.aws.url, self.options.concurrency, self._function_line, launch
            )
            self.functions[key] = function
            self._parts.push_async_callback(function.stop)
        warm_ups = [function.warm_up() for function in self.functions.values()]
        # Wait for all, even if one fails: an environment that is still starting cannot be stopped.
        for failure in await asyncio.gather(*warm_ups, return_exceptions=True):
            if failure:
                raise failure

    def _function_line(self, function: str, line: bytes) -> None:
        self.meter.function_line(function, line)
        self.observer.function_line(function, line)

    async def _start_pollers(self, stack: Stack) -> None:
        for source in stack.event_sources:
            await self._shorten_visibility(source.queue_url)
            concurrency = source.max_concurrency or self.options.concurrency
            poller = Poller(
                self.aws,
                source,
                self.functions[source.function],
                limit=min(concurrency, self.options.concurrency),
                window_seconds=min(source.window_seconds, self.options.window_limit_seconds),
                observer=self.observer,
                seconds_after_error=self.options.seconds_after_error,
            )
            task = asyncio.create_task(poller.run())
            self._parts.push_async_callback(_cancel, task)
            self._source_queues.append(source.queue_url)

    async def _shorten_visibility(self, queue_url: str) -> None:
        if self.options.visibility_seconds is not None:
            seconds = str(self.options.visibility_seconds)
            answer = await self.aws.call(
                self.aws.sqs.get_queue_attributes, QueueUrl=queue_url, AttributeNames=["Policy"]
            )
            # moto forgets a policy that is not given again
            await self.aws.call(
                self.aws.sqs.set_queue_attributes,
                QueueUrl=queue_url,
                Attributes={"VisibilityTimeout": seconds, **answer.get("Attributes", {})},
            )

    async def _start_gateway(self, stack: Stack) -> str:
        gateway = Gateway(stack.api, self.functions, self.observer.answered)
        self._parts.push_async_callback(gateway.stop)
        server = Server(
            self.meter.around(gateway.handle),
            port=self._ports.api,
            max_body_bytes=_LARGEST_BODY,
            access=self._access,
        )
        try:
            await self._parts.enter_async_context(server)
        except OSError as error:
            raise self._port_is_taken() from error
        return server.url

    async def _start_page(self, stack: Stack, stand_in: Server) -> str:
        surroundings = Surroundings(
            self.observer,
            self.stand_in,
            self.aws,
            self.functions,
            stand_in,
            stack.outputs["ParameterPrefix"],
            samples=PROJECT / "events",
            ready=self.ready,
            board=self.board,
            meter=self.meter,
            queues=stack.queues,
        )
        server = Server(Page(surroundings).handle, port=self._ports.page, access=self._access)
        await self._parts.enter_async_context(server)
        return f"http://localhost:{server.port}"

    def _tell_observer(
        self, template: Template, stack: Stack, stand_in: str, overrides: Mapping[str, str]
    ) -> None:
        names: tuple[QueueName, ...] = ("mobile", "web", "payments")
        self.observer.roles = {
            stack.outputs[f"{name.title()}{ending}"].rpartition("/")[2]: Role(name, is_dead=is_dead)
            for name in names
            for ending, is_dead in (("QueueUrl", False), ("DeadLetterQueueUrl", True))
        }
        production = template.parameters({})
        schedule = production["RetryScheduleSeconds"].split(",")
        self.observer.waits = Waits(tuple(map(float, schedule)), float(production["HoldSeconds"]))
        parameters = template.parameters(overrides)
        self.board = read_board(template.source, parameters, STACK_NAME, REGION)
        self.meter.functions = template.functions()
        endpoints = {overrides["MobileEndpoint"], overrides["WebEndpoint"]}
        self.observer.goes_elsewhere = endpoints != {stand_in}

    def _port_is_taken(self) -> SandboxError:
        return SandboxError(f"port {self._ports.api} is taken; choose another one, or 0 for any")

    def _describe(self, stack: Stack, *, api: str, stand_in: str) -> dict[str, Any]:
        return {
            "api": api,
            "aws": self.aws.url,
            "stand_in": stand_in,
            "mobile_queue": stack.outputs["MobileQueueUrl"],
            "web_queue": stack.outputs["WebQueueUrl"],
            "payments_queue": stack.outputs["PaymentsQueueUrl"],
            "mobile_dlq": stack.outputs["MobileDeadLetterQueueUrl"],
            "web_dlq": stack.outputs["WebDeadLetterQueueUrl"],
            "payments_dlq": stack.outputs["PaymentsDeadLetterQueueUrl"],
            "identities_table": stack.outputs["IdentitiesTableName"],
            "trail_table": stack.outputs["PaymentTrailTableName"],
            "deliveries_table": stack.outputs["DeliveriesTableName"],
            "parameter_prefix": stack.outputs["ParameterPrefix"],
            "producer_token": self.seeds.producer_token,
            "push_token": self.seeds.push_token,
            "apps": self.seeds.good_apps(),
            "payment_sources": self.seeds.payment_sources(),
        }


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        _LOGGER.error("a poller had stopped", exc_info=outcome)
