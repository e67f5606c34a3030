"""A function whose process can be killed at any moment, under Lambda's real runtime client."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from relay.domain.kinds import Surface
from relay_sandbox.lambda_runtime.execution import ExecutionEnvironment, FunctionLog, Invocation
from relay_sandbox.lambda_runtime.runtime_api import FunctionError, PendingInvocation
from relay_sandbox.processes.forker import Launch
from tests.faults.deployment import Deployment

MOMENTS = ("answer", "return", "request", "call", "time")
"""AppsFlyer recorded it and has not answered; AWS has done it and not answered; a request, or a
call, has come in and nothing was done; any time at all."""


class Extent(NamedTuple):
    """What an invocation took that nobody disturbed."""

    seconds: float
    seen: Mapping[str, int]
    """How many there were of each of MOMENTS."""

    def size(self) -> int:
        """How much happened in it."""
        return sum(self.seen.values())

    def shot(self, moment: str, chance: Random) -> "Shot":
        """A shot at such a moment, any of them being as likely as the others."""
        if moment == "time":
            return Shot(moment, seconds=chance.uniform(0, self.seconds))
        return Shot(moment, number=chance.randint(1, self.seen[moment]))


@dataclass(frozen=True)
class Shot:
    """When the process is killed: at the moment with this number, or so long after it began."""

    moment: str
    number: int = 0
    seconds: float = 0.0


@dataclass
class Toll:
    """What the killed processes had in hand, by event id: how often each."""

    kills: Counter[str] = field(default_factory=Counter)
    """By moment."""
    held: Counter[str] = field(default_factory=Counter)
    """Events of the batches."""
    claimed: Counter[str] = field(default_factory=Counter)
    """Keys of the events whose claim was there, and whose delivery was not remembered."""
    most_claimed: int = 0
    """At one kill."""


class MortalFunction:
    """A forwarder with one process, which `aim` has killed in the next invocation.

    After that it is as it would be when the messages come back: their visibility time-out and the
    claims of the dead are over.
    """

    def __init__(
        self, deployment: Deployment, surface: Surface, log: FunctionLog, launch: Launch
    ) -> None:
        self.toll = Toll()
        self.log = log
        self._launch = launch
        self.started = 0
        self.running = 0
        self.extent = Extent(0.0, {})
        """Of the largest invocation that lived, since it was last set back."""
        self._deployment = deployment
        self._surface = surface
        self._process: ExecutionEnvironment | None = None
        self._spare: asyncio.Task[ExecutionEnvironment] | None = None
        self._shot: Shot | None = None
        self._killed = False
        self._seen: Counter[str] = Counter()
        deployment.watched_aws.seen = deployment.watched_appsflyer.seen = self._sees

    def aim(self, shot: Shot) -> None:
        """Has the process killed in the next invocation, if it comes to that."""
        self._shot = shot
        if self._spare is None:  # so that nobody has to wait for it
            self._spare = asyncio.create_task(self._start())

    async def invoke(self, event: object) -> Invocation:
        """Serves one batch. One at a time."""
        self.started += 1
        self.running += 1
        try:
            return await self._serve(event)
        finally:
            self.running -= 1

    async def stop(self) -> None:
        """Ends the process; the next invocation has a new one."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop()

    async def close(self) -> None:
        """Ends it for good."""
        if self._spare is not None:
            await (await self._spare).stop()
        await self.stop()
        self.log.close()

    async def _serve(self, event: Any) -> Invocation:
        settings = self._deployment.settings(self._surface)
        process = await self._alive()
        if self._killed:
            await self._bury()
        task = PendingInvocation(json.dumps(event).encode(), settings.arn, settings.timeout_seconds)
        self._seen.clear()
        shooting = asyncio.create_task(self._shoot_in_time())
        began = time.perf_counter()
        try:
            invocation = await process.serve(task)
        finally:
            shooting.cancel()
        shot, self._shot = self._shot, None
        if invocation.error is None:
            extent = Extent(time.perf_counter() - began, dict(self._seen))
            self.extent = max(self.extent, extent, key=Extent.size)
        else:
            assert shot is not None, invocation.log
            self._killed = True
            self.toll.kills[shot.moment] += 1
            self.toll.held.update(event_id_in(record) for record in event["Records"])
            await self._deployment.show_again(self._surface, event["Records"])
        return invocation

    async def _bury(self) -> None:
        """What the dead process had asked for is done by now, and its claims run out."""
        await self._deployment.quiet()
        claimed = await self._deployment.end_claims()
        self.toll.claimed.update(claimed)
        self.toll.most_claimed = max(self.toll.most_claimed, len(claimed))
        self._killed = False

    async def _alive(self) -> ExecutionEnvironment:
        if self._process is None or not self._process.alive:
            spare, self._spare = self._spare, None
            self._process = await (spare or self._start())
        return self._process

    async def _start(self) -> ExecutionEnvironment:
        started = await ExecutionEnvironment.start(
            self._deployment.settings(self._surface),
            self.log,
            self._deployment.front_url,
            launch=self._launch,
        )
        assert not isinstance(started, FunctionError), str(started)
        return started

    async def _sees(self, moment: str) -> None:
        self._seen[moment] += 1
        shot = self._shot
        if shot is not None and (moment, self._seen[moment]) == (shot.moment, shot.number):
            await self._kill()

    async def _shoot_in_time(self) -> None:
        if self._shot is not None and self._shot.moment == "time":
            await asyncio.sleep(self._shot.seconds)
            await self._kill()

    async def _kill(self) -> None:
        if self._process is not None:
            await self._process.stop()  # SIGKILL


def event_id_in(record: Mapping[str, Any]) -> str:
    """The event id of a record."""
    return str(json.loads(record["body"])["event_id"])
