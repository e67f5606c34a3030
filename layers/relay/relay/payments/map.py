"""The use case of `map_payment`: notices in, events on the delivery queues.

The mapper interprets a notice and keeps its links. If there is a movement, it decides about it and
queues the event. A notice that has to wait goes back on the payments queue; one that cannot be
mapped goes on the dead-letter queue.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.config.apps import Apps
from relay.config.environment import MapPaymentSettings
from relay.config.sources import Sources
from relay.consumer.consumer import Batch, Beginning, Consumer, Group
from relay.consumer.deadline import CurrentDeadline, Deadline, Remaining
from relay.consumer.settler import Destination, Settlement, Settler
from relay.consumer.suspects import Record
from relay.consumer.threads import Threads, run_without_loop
from relay.domain.kinds import Surface
from relay.domain.movements import REVERSALS, Interpretation, Movement, NotKnownYetError
from relay.domain.outcomes import (
    CONFIGURATION,
    IDENTITY_UNKNOWN,
    KIND_UNKNOWN,
    ORIGINAL_UNKNOWN,
    PARAMETERS_UNAVAILABLE,
    Outcome,
    Verdict,
)
from relay.domain.payment_rules import SourceSettings
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    TableUnavailableError,
    UnknownAppError,
    UnreadableItemError,
    UnreadableWebhookError,
)
from relay.instants import Clock, from_milliseconds, utc_now
from relay.messages.backoff import Jitter
from relay.messages.envelope import Envelope, write_envelope
from relay.messages.notice import UNREADABLE, Notice, parse_notice
from relay.payments.decide import Decider, NotOursError, NotSettledError, UnwantedTestError
from relay.payments.errors import MappingError, OriginalUnknownError, UncountedError
from relay.payments.events import event_of, movement_digest
from relay.payments.notice_job import NoticeJob
from relay.payments.providers.registry import PROVIDERS
from relay.payments.reporting import MappingResult, report_batch
from relay.stores.decision import Decision
from relay.stores.identities import Identities
from relay.stores.money_trail import Trail

NEEDED_SECONDS: Final = 30.0
"""A notice starts only with time for the calls it may need and for putting it on a queue."""
CALL_SECONDS: Final = 2 * LONGEST_CALL_SECONDS + 2
"""A call to a table begins only with time for it and for putting the notice on a queue."""
_THREADS: Final = 8
SETTLING_SECONDS: Final = 30.0
"""How long a movement waits for what other webhooks of the same moment tell of it: providers send
them within seconds, in any order."""

_REASONS: Final = {
    UnknownAppError: "unknown_app",
    UnreadableWebhookError: UNREADABLE,
    UnreadableItemError: "trail_unreadable",
    ParametersUnavailableError: PARAMETERS_UNAVAILABLE,
    TableUnavailableError: "table_unavailable",
}
_DESTINATIONS: Final = {
    Surface.MOBILE: Destination.MOBILE,
    Surface.WEB: Destination.WEB,
}


class Mapper:
    """Maps payments for one stack. Lives as long as its process.

    `current` is told of each invocation's deadline, for the tables that ask it.
    """

    needed_seconds = NEEDED_SECONDS

    def __init__(  # noqa: PLR0913 - everything that a mapper uses
        self,
        settings: MapPaymentSettings,
        sources: Sources,
        apps: Apps,
        trail: Trail,
        identities: Identities,
        *,
        queue: Queue,
        dead_letters: Queue,
        delivery_queues: Mapping[Surface, Queue],
        current: CurrentDeadline | None = None,
        clock: Clock = utc_now,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._apps = apps
        self._trail = trail
        self._clock = clock
        self._current = current or CurrentDeadline()
        self._decider = Decider(apps, trail, identities, clock)
        short_hold_reasons = {*(IDENTITY_UNKNOWN, ORIGINAL_UNKNOWN, KIND_UNKNOWN, CONFIGURATION)}
        self._settler = Settler(settings, clock, jitter, short_hold_reasons)
        self._consumer = Consumer(
            self,
            self._settler,
            Threads(_THREADS),
            {
                Destination.MOBILE: delivery_queues[Surface.MOBILE],
                Destination.WEB: delivery_queues[Surface.WEB],
                Destination.WAITING: queue,
                Destination.DEAD_LETTERS: dead_letters,
            },
            jitter,
        )

    def map(self, records: Sequence[Mapping[str, Any]], remaining: Remaining) -> list[str]:
        """Handles a batch of SQS records; returns the message ids of those to retry."""
        return run_without_loop(self._consumer.consume(records, remaining))

    # What the consumer calls

    def read(self, record: Record) -> Sequence[NoticeJob]:
        """The job of a record; raises `NotAnEnvelopeError`."""
        return [NoticeJob(record["messageId"], parse_notice(record["body"]))]

    def begin(self, jobs: Collection[NoticeJob], deadline: Deadline) -> Beginning[NoticeJob]:
        """Notices that no table is needed for come first; nothing is looked up per batch."""
        self._current.begin(deadline)
        first = [job for job in jobs if job.notice.problem is not None]
        others = [job for job in jobs if job.notice.problem is None]
        return Beginning(self._handle, [Group([*first, *others])])

    def interrupted(self, job: NoticeJob) -> Settlement:
        """A bug costs only its own notice an attempt."""
        return self._settler.settle(job, Verdict(Outcome.DEFERRED, "", "unexpected"))

    def report(self, batch: Batch[NoticeJob]) -> None:
        """Logs and counts a batch."""
        report_batch(batch)

    # One notice

    async def _handle(self, job: NoticeJob) -> Settlement:
        """Maps one notice. Blocks: the consumer calls it in a thread."""
        not_before = job.notice.not_before
        if not_before is not None and not_before > self._clock():
            return self._settler.extend_delay(job, not_before)
        try:
            return self._map_notice(job)
        except UnwantedTestError:
            return Settlement(MappingResult.TEST_DROPPED)
        except NotSettledError:
            return self._wait_for_others(job)
        except MappingError as error:
            outcome = Outcome.HELD if error.may_change else Outcome.REJECTED
            detail = "" if error.may_change else str(error)
            return self._settle(job, outcome, error.reason, detail)
        except (UnknownAppError, UnreadableWebhookError, UnreadableItemError) as error:
            return self._settle(job, Outcome.REJECTED, _REASONS[type(error)], str(error))
        except ConfigurationError as error:
            telemetry.wrong_setting(error)
            return self._settle(job, Outcome.HELD, CONFIGURATION)
        except (ParametersUnavailableError, TableUnavailableError) as error:
            return self._settle(job, Outcome.DEFERRED, _REASONS[type(error)])

    def _settle(
        self, job: NoticeJob, outcome: Outcome, reason: str, detail: str = ""
    ) -> Settlement:
        return self._settler.settle(job, Verdict(outcome, "", reason, detail=detail))

    def _map_notice(self, job: NoticeJob) -> Settlement:
        notice = job.notice
        if notice.problem is not None:
            reason, _, detail = notice.problem.partition(": ")
            return self._settle(job, Outcome.REJECTED, reason, detail)
        settings = self._sources.settings(notice.source)
        if settings is None or settings.provider != notice.provider:
            return self._settle(job, Outcome.REJECTED, "unknown_source")
        if notice.test and not self._wants_tests(settings):
            return Settlement(MappingResult.TEST_DROPPED)
        provider = PROVIDERS[notice.provider]
        interpretation = provider.interpret(notice.type or "", notice.content, settings)
        self._trail.learn(notice.source, interpretation.links)
        movement = interpretation.movement or interpretation.perhaps
        if movement is None:
            return self._settle_links(notice.source, interpretation)
        return self._map_movement(job, settings, interpretation, movement)

    def _settle_links(self, source: str, interpretation: Interpretation) -> Settlement:
        self._assign_customer(source, interpretation)
        return Settlement(MappingResult.LEARNT)

    def _assign_customer(self, source: str, interpretation: Interpretation) -> None:
        """Assigns ownerless links to the customer they lead to, so that `forget` finds them."""
        ownerless = [
            link.ref for link in interpretation.links if link.hints.customer_user_id is None
        ]
        lookup = self._trail.look_up(source, ownerless)
        if ownerless and lookup.hints.customer_user_id is None:
            self._trail.add_back_references(source, interpretation.links)
            lookup = self._trail.look_up(source, ownerless)  # it may be known by now
        self._trail.assign(source, lookup, lookup.hints.customer_user_id)

    def _wants_tests(self, settings: SourceSettings) -> bool:
        """Whether any of the source's apps says where test payments go.

        Raises `ConfigurationError` if none of those says so whose settings can be read.
        """
        apps = [(Surface.MOBILE, app_id) for app_id in settings.apps.mobile]
        apps += [(Surface.WEB, app_id) for app_id in settings.apps.web]
        mistake: ConfigurationError | None = None
        for surface, app_id in apps:
            try:
                if self._has_test_app(surface, app_id):
                    return True
            except ConfigurationError as error:
                mistake = error
        if mistake is not None:
            raise mistake
        return False

    def _has_test_app(self, surface: Surface, app_id: str) -> bool:
        self._apps.preload_settings(surface, app_id)
        try:
            return self._apps.payment_rules(surface, app_id).test_events_to is not None
        except UnknownAppError:
            return False

    def _map_movement(
        self,
        job: NoticeJob,
        settings: SourceSettings,
        interpretation: Interpretation,
        movement: Movement,
    ) -> Settlement:
        notice, refs = job.notice, [link.ref for link in interpretation.links]
        try:
            decided = self._decider.decide(
                notice.source,
                settings,
                movement,
                test=notice.test,
                known_refs=refs,
                waited=timedelta(seconds=self._settler.held_seconds(job)),
                may_wait=self._settler.held_seconds(job) < self._settling_seconds,
            )
        except (NotOursError, UncountedError):
            return self._settle_links(notice.source, interpretation)
        except OriginalUnknownError as error:
            why = " ".join([str(error), *(one.text for one in interpretation.caveats)]).strip()
            return self._wait_for_original(job, movement, error.return_held_since, why)
        except NotKnownYetError as error:
            if error.is_usual:
                return self._wait_for_others(job)
            return self._settle(job, Outcome.HELD, KIND_UNKNOWN)
        if decided.is_replay:
            return Settlement(MappingResult.REPLAYED)
        if decided.decision.name is None:
            return Settlement(MappingResult.DROPPED)
        return Settlement(
            MappingResult.MAPPED,
            destination=_DESTINATIONS[Surface(decided.decision.surface)],
            message=_message(notice, decided.decision),
        )

    @property
    def _settling_seconds(self) -> float:
        """No longer than the longest wait between two checks, which a sandbox makes short."""
        return min(SETTLING_SECONDS, self._settings.hold_seconds)

    def _wait_for_others(self, job: NoticeJob) -> Settlement:
        """Puts a movement back until what is told at the same moment has been told."""
        now = self._clock()
        moment = now + timedelta(seconds=self._settling_seconds)
        waiting = self._settler.extend_delay(job.held_from(job.held_since or now), moment)
        return waiting._replace(outcome=MappingResult.WAITED, reason="", verdict=None)

    def _wait_for_original(
        self, job: NoticeJob, movement: Movement, return_held_since: datetime | None, why: str
    ) -> Settlement:
        """Holds a return, and notes since when; its reversal is held since the same moment.

        So both wait equally long, whichever was told first, and end together. A reversal whose
        return is not held (not told yet, or a dead letter by now) waits by itself.
        """
        since = job.held_since or self._clock()
        if movement.kind not in REVERSALS:
            if return_held_since is None or return_held_since < since:
                # A reversal names the return, or only the payment.
                ref = (movement.is_share and movement.original_ref) or movement.ref
                self._trail.note_hold(job.notice.source, ref, since)
        elif return_held_since is not None and not self._is_over(job, return_held_since):
            since = return_held_since
        return self._settle(job.held_from(since), Outcome.HELD, ORIGINAL_UNKNOWN, why)

    def _is_over(self, job: NoticeJob, held_since: datetime) -> bool:
        held_seconds = self._settler.held_seconds(job.held_from(held_since))
        return held_seconds >= self._settings.identity_limit_seconds


def _message(notice: Notice, decision: Decision) -> Message:
    """The event for its delivery queue, in the envelope of a payment."""
    kind, event = event_of(decision)
    after = decision.not_before
    envelope = Envelope(
        app_id=decision.app_id,
        kind=kind,
        event=None,
        event_id=f"{notice.source}:{decision.id}",
        not_before=None if after is None else from_milliseconds(after),
        first_seen=notice.first_seen,
        source=notice.source,
        content_sha256=movement_digest(decision),
    )
    return Message(write_envelope(envelope, event), decision.app_id)
