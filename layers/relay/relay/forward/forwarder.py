"""The use case of `forward_mobile` and `forward_web`: records in, events at AppsFlyer.

The forwarder sends the events of a batch concurrently. Apps that it does not know, and customers
whose AppsFlyer id is needed, are looked up meanwhile (`relay.forward.look_ups`).
"""

import random
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

from relay import telemetry
from relay.appsflyer import Client
from relay.aws.sqs import Queue
from relay.config.apps import Apps
from relay.config.environment import ForwardSettings
from relay.consumer.consumer import Batch, Beginning, Consumer, Group
from relay.consumer.deadline import Deadline, Remaining
from relay.consumer.settler import NO_ENVELOPE, Destination, Settlement, Settler
from relay.consumer.suspects import Record
from relay.consumer.tasks import Tasks
from relay.domain.findings import Finding, Severity
from relay.domain.kinds import App, Surface
from relay.domain.outcomes import (
    CONFIGURATION,
    IDENTITY_UNKNOWN,
    IN_DOUBT,
    IN_PROGRESS,
    Outcome,
    Verdict,
)
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    RelayError,
    UnknownAppError,
)
from relay.forward.event_job import EventJob
from relay.forward.look_ups import LookUps
from relay.forward.rate_limiter import RateLimiter
from relay.forward.reporting import report_batch
from relay.forward.sender import NO_SETTINGS, Invocation, Sender
from relay.instants import Clock, from_milliseconds, utc_now
from relay.messages.backoff import Jitter
from relay.messages.items import Fault
from relay.messages.reader import read_body
from relay.rules.identity_lookup import not_before_of
from relay.stores.deliveries import Deliveries
from relay.stores.identities import Identities

_WRONG_SETTINGS: Final = Verdict(Outcome.HELD, "", CONFIGURATION)
_BUG: Final = Verdict(Outcome.DEFERRED, "", "unexpected")
_UNKNOWN_APP: Final = Verdict(Outcome.REJECTED, "", "unknown_app")
_WRONG_QUEUE: Final = Verdict(Outcome.REJECTED, "", "wrong_queue")
_BROKEN_RULE: Final = Verdict(Outcome.REJECTED, "", "rejected")
_OTHER_QUEUE: Final = Finding(
    "Q6",
    Severity.REJECT,
    "kind",
    "is for the other queue: mobile_event goes to the mobile one, web_event and web_visit to the "
    "one for web",
)
NO_SUCH_APP: Final = Finding(
    "Q6",
    Severity.REJECT,
    "app_id",
    "is of no app that is set up here: set it up in Parameter Store and redrive, or correct the "
    "id; without its settings a phone number without a country code cannot be hashed: removed",
)


class Forwarder:
    """Sends the events of one surface to AppsFlyer. Lives as long as its process.

    `clock` returns the current time (UTC) and `jitter` the random part of waits. Both are arguments
    so that tests can fix them.
    """

    def __init__(  # noqa: PLR0913 - everything that a forwarder uses
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
        limiter: RateLimiter | None = None,
        clock: Clock = utc_now,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._surface = surface
        self._settings = settings
        self._apps = apps
        self._clock = clock
        self._refused = _refused(settings, surface)
        self._look_ups = LookUps(surface, apps, identities, clock)
        self._sender = Sender(surface, settings, client, apps, deliveries, limiter)
        short_hold_reasons = {IDENTITY_UNKNOWN, IN_PROGRESS}
        self._settler = Settler(settings, clock, jitter, short_hold_reasons)
        self._consumer = Consumer(
            self,
            self._settler,
            Tasks(settings.requests_in_flight),
            {Destination.WAITING: queue, Destination.DEAD_LETTERS: dead_letters},
            jitter,
        )

    async def forward(
        self, records: Sequence[Mapping[str, Any]], remaining: Remaining
    ) -> list[str]:
        """Handles a batch of SQS records; returns the message ids of those to retry."""
        return await self._consumer.consume(records, remaining)

    # What the consumer calls

    @property
    def needed_seconds(self) -> float:
        """The longest that one event can take from now on."""
        return self._sender.needed_seconds

    def read(self, record: Record) -> Sequence[EventJob]:
        """The jobs of a record: one, one for each element of an array, or none in a mere test."""
        message_id, body = record["messageId"], record["body"]
        came_in = from_milliseconds(int(record["attributes"]["SentTimestamp"]))
        items = read_body(body, self._clock(), message_id)
        if not items:
            telemetry.logger().info("test message of S3", extra={"message_id": message_id})
        return EventJob.all_of(items, message_id, came_in, body)

    def begin(self, jobs: Collection[EventJob], deadline: Deadline) -> Beginning[EventJob]:
        """Begins to look up apps and customers, as many as possible per call."""
        if self._refused is not None:
            telemetry.wrong_setting(self._refused)
            return Beginning(self._hold, [Group(jobs)])
        groups = self._look_ups.begin(jobs, lambda: deadline.allows(self.needed_seconds))
        return Beginning(partial(self._handle, invocation=self._sender.begin(deadline)), groups)

    def interrupted(self, job: EventJob) -> Settlement:
        """Counts a bug as a failed attempt; AppsFlyer may have recorded the event if sent (E16)."""
        if job.fault is not None:  # nothing counts its attempts but the receives of its record
            message = "a message with a fault could not be kept"
            raise RelayError(message)
        return self._settle(job, _BUG._replace(uncertain=job.attempted))

    def report(self, batch: Batch[EventJob]) -> None:
        """Logs and counts a batch."""
        report_batch(self._surface, batch, self._clock())

    # One event

    async def _handle(self, job: EventJob, invocation: Invocation) -> Settlement:
        if job.fault is not None:
            return self._dead_letter_of_fault(job, job.fault)
        problem, moment = self._check(job), self._not_before(job)
        may_wait = problem is None or problem.outcome is not Outcome.REJECTED
        if may_wait and moment is not None and moment > self._clock():
            return self._settler.extend_delay(job, moment)
        if problem is not None:
            return self._settle(job, problem)
        if job.position is not None:
            return self._settler.put_back(job)
        return self._settle(job, await self._sender.deliver(job, invocation))

    def _dead_letter_of_fault(self, job: EventJob, fault: Fault) -> Settlement:
        if job.envelope.app_id:
            with suppress(RelayError):  # then a national phone number has no region
                job.app = self._apps.app(self._surface, job.envelope.app_id)
        return self._settler.dead_letter(job, _BROKEN_RULE if fault.is_envelope else NO_ENVELOPE)

    async def _hold(self, job: EventJob) -> Settlement:
        """Without settings that can work, every event waits for a person."""
        if job.fault is not None:
            return self._dead_letter_of_fault(job, job.fault)
        return self._settle(job, _WRONG_SETTINGS)

    def _settle(self, job: EventJob, verdict: Verdict) -> Settlement:
        in_doubt = verdict.uncertain or verdict.reason == IN_DOUBT
        if in_doubt and verdict.outcome is Outcome.DEFERRED and self._is_uncertain_money(job):
            return self._settler.dead_letter(job, verdict.because("uncertain_money"))
        return self._settler.settle(job, verdict)

    def _is_uncertain_money(self, job: EventJob) -> bool:
        has_revenue = job.prepared is not None and job.prepared.has_revenue
        return has_revenue and self._settings.uncertain_money == "dead_letter"

    def _not_before(self, job: EventJob) -> datetime | None:
        """The sender's own `not_before`, or the end of the install's waiting time (S3)."""
        if job.envelope.not_before is not None or job.identity is None:
            return job.envelope.not_before
        return not_before_of(job.identity.installed_at, self._clock())

    def _check(self, job: EventJob) -> Verdict | None:
        """Prepares the job by the app's settings and every rule; None when it may be sent."""
        if Surface.of(job.envelope.kind) is not self._surface:
            return self._refuse(job, _WRONG_QUEUE, _OTHER_QUEUE)
        try:
            app = self._apps.app(self._surface, job.envelope.app_id)
        except UnknownAppError:
            return self._refuse(job, _UNKNOWN_APP, NO_SUCH_APP)
        except ParametersUnavailableError:
            return NO_SETTINGS
        except ConfigurationError as error:
            telemetry.wrong_setting(error)
            return _WRONG_SETTINGS
        job.app = app
        job.prepared = job.checked(app, self._clock())
        return _BROKEN_RULE if job.prepared.body is None else job.identity_problem

    def _refuse(self, job: EventJob, verdict: Verdict, finding: Finding) -> Verdict:
        """Q6: no event of this envelope can be sent here; where the app id is none (E8), so alone.

        Of an app without settings a national phone number has no region.
        """
        prepared = job.checked(App(job.envelope.app_id), self._clock())
        if any(one.rule == "E8" and one.severity is Severity.REJECT for one in prepared.findings):
            job.prepared = prepared
            return _BROKEN_RULE
        job.refusal = finding
        return verdict


def _refused(settings: ForwardSettings, surface: Surface) -> ConfigurationError | None:
    """The setting with which no invocation could send, if there is one."""
    try:
        settings.check_pace(surface)
    except ConfigurationError as error:
        return error
    return None
