"""The use case of `forward_mobile` and `forward_web`: records in, events at AppsFlyer.

A batch is read, its apps are looked up together, and so are customers whose AppsFlyer id is needed.
Its events are sent concurrently. Whatever was not delivered is put on a queue: its own, to wait, or
the dead-letter queue. A record is only acknowledged when its event is delivered or safely on a
queue; the others are reported as failed and come back by themselves.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from relay import telemetry
from relay.appsflyer import Client
from relay.aws.sqs import Message, Queue
from relay.config.apps import Apps
from relay.config.environment import ForwardSettings
from relay.consumer import reporting
from relay.consumer.circuit_breaker import Round
from relay.consumer.job import Job
from relay.consumer.settler import Clock, Settlement, Settler
from relay.domain.kinds import Surface
from relay.domain.outcomes import IDENTITY_UNKNOWN, Outcome, Ruling
from relay.errors import (
    ConfigurationError,
    NotAnEnvelopeError,
    ParametersUnavailableError,
    TableUnavailableError,
    UnknownAppError,
)
from relay.forward.rate_limiter import Pacer
from relay.forward.sender import AWS_CALL_SECONDS, NO_SETTINGS, Remaining, Sender
from relay.instants import from_milliseconds, utc_now
from relay.messages.backoff import Chance
from relay.messages.envelope import parse_envelope
from relay.rules.identity_lookup import not_before_of
from relay.stores.deliveries import Deliveries
from relay.stores.identities import Identities, Identity

_BAD_SETTINGS: Final = Ruling(Outcome.HELD, "", "configuration")
_BUG: Final = Ruling(Outcome.DEFERRED, "", "unexpected")
_UNKNOWN_APP: Final = Ruling(Outcome.REJECTED, "", "unknown_app")
_WRONG_QUEUE: Final = Ruling(Outcome.REJECTED, "", "wrong_queue")
_BROKEN_RULE: Final = Ruling(Outcome.REJECTED, "", "rejected")
_NOBODY_KNOWN: Final = Ruling(Outcome.HELD, "S4", IDENTITY_UNKNOWN)
_NO_IDENTITIES: Final = Ruling(Outcome.DEFERRED, "", "identities_unavailable")


@dataclass(slots=True)
class Batch:
    """What has become of one invocation's records, by message id."""

    round: Round
    jobs: dict[str, Job] = field(default_factory=dict)
    settlements: dict[str, Settlement] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    """Neither delivered nor on a queue: these come back by themselves."""


class Forwarder:
    """Sends the events of one surface to AppsFlyer. Lives as long as its process.

    `clock` gives the present moment (UTC) and `chance` the jitter: both are arguments so that a
    test can hold them still.
    """

    def __init__(  # noqa: PLR0913 - all that a forwarder speaks to
        self,
        surface: Surface,
        settings: ForwardSettings,
        client: Client,
        apps: Apps,
        *,
        queue: Queue,
        dead_letters: Queue,
        deliveries: Deliveries,
        identities: Identities | None = None,
        pacer: Pacer | None = None,
        clock: Clock = utc_now,
        chance: Chance = random.uniform,
    ) -> None:
        self._surface = surface
        self._settings = settings
        self._apps = apps
        self._queue = queue
        self._dead_letters = dead_letters
        self._identities = identities
        self._clock = clock
        self._settler = Settler(settings, clock, chance)
        self._sender = Sender(surface, settings, client, apps, deliveries, pacer)

    async def forward(
        self, records: Sequence[Mapping[str, Any]], remaining: Remaining
    ) -> list[str]:
        """Handles a batch of SQS records; returns the message ids of those to be tried again.

        When the time that remains is no longer enough for a request, no new work is taken: the
        rest of the batch is handed back untouched.
        """
        batch = Batch(self._sender.start_round(remaining))
        for record in records:
            self._read(record, batch)
        await self._look_up_apps(batch)
        await self._look_up_customers(batch)
        waiting = iter(batch.jobs.values())
        workers = min(self._settings.requests_in_flight, len(batch.jobs))
        await asyncio.gather(*(self._work(waiting, batch) for _ in range(workers)))
        if any(settlement.body for settlement in batch.settlements.values()):
            await asyncio.to_thread(self._put_on_queues, batch, remaining)
        self._report(batch)
        return [record["messageId"] for record in records if record["messageId"] in batch.failed]

    def _read(self, record: Mapping[str, Any], batch: Batch) -> None:
        message_id, body = record["messageId"], record["body"]
        came_in = from_milliseconds(int(record["attributes"]["SentTimestamp"]))
        try:
            batch.jobs[message_id] = Job(message_id, came_in, parse_envelope(body))
        except NotAnEnvelopeError as error:
            settlement = self._settler.no_envelope(body, message_id, str(error))
            batch.settlements[message_id] = settlement

    async def _look_up_apps(self, batch: Batch) -> None:
        app_ids = {job.envelope.app_id for job in batch.jobs.values()}
        if not self._apps.needs_preload(self._surface, app_ids):
            return
        try:
            await asyncio.to_thread(self._apps.preload, self._surface, app_ids)
        except ParametersUnavailableError as error:  # each event hears of it in its turn
            telemetry.logger().error("parameters unavailable", extra={"problem": str(error)})

    async def _look_up_customers(self, batch: Batch) -> None:
        """S4: the AppsFlyer ids of customers, as many as can be in one read."""
        waiting: dict[str, dict[str, list[Job]]] = defaultdict(lambda: defaultdict(list))
        for job in batch.jobs.values():
            if job.customer is not None:
                waiting[job.envelope.app_id][job.customer].append(job)
        for app_id, jobs in waiting.items():
            found = await self._find(app_id, list(jobs))
            for customer, theirs in jobs.items():
                for job in theirs:
                    job.identity = None if found is None else found.get(customer)
                    if job.identity is None:
                        job.unknown = _NO_IDENTITIES if found is None else _NOBODY_KNOWN

    async def _find(self, app_id: str, customers: Sequence[str]) -> dict[str, Identity] | None:
        """None where the table does not answer."""
        if self._identities is None:
            return {}
        try:
            return await asyncio.to_thread(self._identities.find, app_id, customers)
        except TableUnavailableError as error:
            telemetry.logger().error("identities unavailable", extra={"problem": str(error)})
            return None

    async def _work(self, jobs: Iterator[Job], batch: Batch) -> None:
        """One of the workers that share a batch: as many requests are under way as there are."""
        for job in jobs:
            if not batch.round.has_time():
                batch.failed.add(job.message_id)
                continue
            settlement = await self._settled(job, batch.round)
            if settlement is None:
                batch.failed.add(job.message_id)
            else:
                batch.settlements[job.message_id] = settlement

    async def _settled(self, job: Job, round_: Round) -> Settlement | None:
        """A job's settlement; None where even a bug of ours could not be settled."""
        try:
            return await self._handle(job, round_)
        except Exception as error:  # noqa: BLE001 - a bug must cost its own event an attempt, no more
            telemetry.unexpected(error, message_id=job.message_id)
        try:
            # What a bug of ours interrupted may have been written, and recorded (E16).
            return self._settler.settle(job, _BUG._replace(uncertain=job.attempted))
        except Exception as error:  # noqa: BLE001 - then the record itself comes back
            telemetry.unexpected(error, message_id=job.message_id)
            return None

    async def _handle(self, job: Job, round_: Round) -> Settlement:
        envelope = job.envelope
        if Surface.of(envelope.kind) is not self._surface:
            return self._settler.settle(job, _WRONG_QUEUE)
        problem, moment = self._check(job), self._not_before(job)
        may_wait = problem is None or problem.outcome is not Outcome.REJECTED
        if may_wait and moment is not None and moment > self._clock():
            return self._settler.hop(job, moment)
        if problem is not None:
            return self._settler.settle(job, problem)
        return self._settler.settle(job, *await self._sender.deliver(job, round_))

    def _not_before(self, job: Job) -> datetime | None:
        """The sender's own moment, or the one until which an install is too young (S3)."""
        if job.envelope.not_before is not None or job.identity is None:
            return job.envelope.not_before
        return not_before_of(job.identity.installed_at, self._clock())

    def _check(self, job: Job) -> Ruling | None:
        """The app's settings and every rule; None when the event may be sent."""
        try:
            app = self._apps.app(self._surface, job.envelope.app_id)
        except UnknownAppError:
            return _UNKNOWN_APP
        except ParametersUnavailableError:
            return NO_SETTINGS
        except ConfigurationError as error:
            telemetry.wrong_setting(error)
            return _BAD_SETTINGS
        job.app = app
        prepared = job.check(app, self._clock())
        return _BROKEN_RULE if prepared.body is None else job.unknown

    def _report(self, batch: Batch) -> None:
        try:
            reporting.report_batch(self._surface, batch.settlements, failed=batch.failed)
        except Exception as error:  # noqa: BLE001 - what is delivered must not come back for a metric
            telemetry.unexpected(error)

    def _put_on_queues(self, batch: Batch, remaining: Remaining) -> None:
        kept = [(id_, done) for id_, done in batch.settlements.items() if done.body is not None]
        waiting = [item for item in kept if item[1].delay is not None]
        dead = [item for item in kept if item[1].delay is None]
        for queue, items in ((self._queue, waiting), (self._dead_letters, dead)):
            try:
                self._put(queue, items, batch, remaining)
            except Exception as error:  # noqa: BLE001 - then these come back, and only these
                telemetry.unexpected(error)
                batch.failed.update(id_ for id_, _ in items)

    def _put(
        self,
        queue: Queue,
        items: Sequence[tuple[str, Settlement]],
        batch: Batch,
        remaining: Remaining,
    ) -> None:
        messages = [
            Message(
                done.body or "",
                batch.jobs[id_].envelope.app_id if id_ in batch.jobs else "",
                done.delay.seconds if done.delay else 0,
            )
            for id_, done in items
        ]
        for position in queue.send(messages, lambda: remaining() > AWS_CALL_SECONDS + 1):
            batch.failed.add(items[position][0])
