"""The use case of `map_payment`: notices in, events on the delivery queues.

A notice is understood, its links are learnt, and its movement, if it tells of one, is decided about
and queued as an event. What has to wait goes back on the payments queue, what cannot be mapped on
the dead-letter queue. A record is only acknowledged when what became of it is safely on a queue.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.config.apps import Apps
from relay.config.environment import MapPaymentSettings
from relay.config.sources import Sources
from relay.domain.kinds import Surface
from relay.domain.movements import REVERSALS, Meaning, Movement
from relay.domain.payment_rules import SourceSettings
from relay.errors import (
    ConfigurationError,
    NotAnEnvelopeError,
    ParametersUnavailableError,
    TableUnavailableError,
    UnknownAppError,
    UnreadableWebhookError,
)
from relay.instants import from_milliseconds, utc_now
from relay.messages.backoff import Chance
from relay.messages.envelope import Envelope, dead_letter_of_no_envelope, write_envelope
from relay.messages.notice import Notice, parse_notice
from relay.payments.decide import Decider, NotWantedError
from relay.payments.errors import OriginalUnknownError, UnmappableError
from relay.payments.events import digest_of, event_of
from relay.payments.providers.registry import PROVIDERS
from relay.payments.settling import Mapped, Place, Result, Settler, dead
from relay.stores.decision import Decision
from relay.stores.identities import Identities
from relay.stores.money_trail import Trail

NEEDED_SECONDS: Final = 30.0
"""A notice is begun with time for the calls that it may need, and for putting it on a queue."""
_AWS_CALL_SECONDS: Final = 7.0
_THREADS: Final = 8

Remaining = Callable[[], float]

_REASONS: Final = {
    UnknownAppError: "unknown_app",
    UnreadableWebhookError: "unreadable",
    ParametersUnavailableError: "parameters_unavailable",
    TableUnavailableError: "table_unavailable",
}


class Mapper:
    """Maps payments for one stack. Lives as long as its process."""

    def __init__(  # noqa: PLR0913 - all that it speaks to
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
        clock: Callable[[], datetime] = utc_now,
        chance: Chance = random.uniform,
    ) -> None:
        self._settler = Settler(settings, clock, chance)
        self._sources = sources
        self._apps = apps
        self._trail = trail
        self._decider = Decider(apps, trail, identities, clock)
        self._queues = {
            Place.MOBILE: delivery_queues[Surface.MOBILE],
            Place.WEB: delivery_queues[Surface.WEB],
            Place.WAITING: queue,
            Place.DEAD: dead_letters,
        }
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="payments")

    def map(self, records: Sequence[Mapping[str, Any]], remaining: Remaining) -> list[str]:
        """Handles a batch of SQS records; returns the message ids of those to be tried again."""
        mapped = list(self._threads.map(lambda record: self._one(record, remaining), records))
        failed = self._put_on_queues(mapped, remaining)
        failed |= {position for position, one in enumerate(mapped) if one is None}
        _report(mapped, failed, records)
        return [records[position]["messageId"] for position in sorted(failed)]

    def _one(self, record: Mapping[str, Any], remaining: Remaining) -> Mapped | None:
        """None where there is no time left, or where even a bug of ours could not be settled."""
        if remaining() < NEEDED_SECONDS:
            return None
        try:
            return self._read(record)
        except Exception as error:  # noqa: BLE001 - then the record itself comes back
            telemetry.unexpected(error, message_id=record["messageId"])
            return None

    def _read(self, record: Mapping[str, Any]) -> Mapped:
        body = record["body"]
        try:
            notice = parse_notice(body)
        except NotAnEnvelopeError as error:
            letter = dead_letter_of_no_envelope(
                body, record["messageId"], str(error), self._clock()
            )
            return dead("not_an_envelope", Message(letter, ""))
        if notice.not_before is not None and notice.not_before > self._clock():
            return self._settler.hop(notice, notice.not_before)
        return self._settled(notice)

    def _settled(self, notice: Notice) -> Mapped:
        """A notice mapped, or what becomes of it because it cannot be."""
        try:
            return self._mapped(notice)
        except NotWantedError:
            return Mapped(Result.TEST_DROPPED)
        except UnmappableError as error:
            if error.may_change:
                return self._settler.hold(notice, error.reason)
            return self._settler.bury(notice, error.reason, str(error))
        except (UnknownAppError, UnreadableWebhookError) as error:
            return self._settler.bury(notice, _REASONS[type(error)], str(error))
        except ConfigurationError as error:
            telemetry.wrong_setting(error)
            return self._settler.hold(notice, "configuration", "hold_limit: configuration")
        except (ParametersUnavailableError, TableUnavailableError) as error:
            return self._settler.defer(notice, _REASONS[type(error)])
        except Exception as error:  # noqa: BLE001 - a bug must cost its own notice an attempt, no more
            telemetry.unexpected(error)
            return self._settler.defer(notice, "unexpected")

    def _mapped(self, notice: Notice) -> Mapped:
        if notice.problem is not None:
            reason, _, detail = notice.problem.partition(": ")
            return self._settler.bury(notice, reason, detail)
        settings = self._sources.settings(notice.source)
        if settings is None or settings.provider != notice.provider:
            return self._settler.bury(notice, "unknown_source")
        if notice.test and not self._wants_tests(settings):
            return Mapped(Result.TEST_DROPPED)
        provider = PROVIDERS[notice.provider]
        meaning = provider.understand(notice.type or "", notice.content, settings)
        self._trail.learn(notice.source, meaning.facts)
        if meaning.movement is None:
            self._assign(notice.source, meaning)
            return Mapped(Result.LEARNT)
        return self._queued(notice, settings, meaning, meaning.movement)

    def _assign(self, source: str, meaning: Meaning) -> None:
        """Links without a customer become his who is at their end, to be forgotten with him."""
        nobodys = [one.ref for one in meaning.facts if one.clues.customer_user_id is None]
        walk = self._trail.walk(source, nobodys)
        if nobodys and walk.clues.customer_user_id is None:
            self._trail.leave_word(source, meaning.facts)
            walk = self._trail.walk(source, nobodys)  # it may have been told meanwhile
        self._trail.assign(source, walk, walk.clues.customer_user_id)

    def _wants_tests(self, settings: SourceSettings) -> bool:
        """Whether any of the source's apps says where test payments go."""
        mobile, web = settings.apps.mobile, settings.apps.web
        return any(self._has_test_app(Surface.MOBILE, app) for app in mobile) or any(
            self._has_test_app(Surface.WEB, app) for app in web
        )

    def _has_test_app(self, surface: Surface, app_id: str) -> bool:
        self._apps.preload_settings(surface, app_id)
        try:
            return self._apps.payment_rules(surface, app_id).test_events_to is not None
        except UnknownAppError:
            return False

    def _queued(
        self, notice: Notice, settings: SourceSettings, meaning: Meaning, movement: Movement
    ) -> Mapped:
        links = [fact.ref for fact in meaning.facts]
        try:
            decided = self._decider.decide(
                notice.source, settings, movement, test=notice.test, links=links
            )
        except OriginalUnknownError:
            if movement.kind in REVERSALS and self._settler.is_held_too_long(notice):
                return Mapped(Result.DROPPED, "nothing_to_reverse")
            raise
        if decided.is_old_news:
            return Mapped(Result.RETOLD)
        if decided.decision.name is None:
            return Mapped(Result.DROPPED)
        place = Place(decided.decision.surface)
        return Mapped(Result.MAPPED, "", place, _message(notice, decided.decision))

    def _put_on_queues(self, mapped: Sequence[Mapped | None], remaining: Remaining) -> set[int]:
        """Gives the positions of those that did not get there."""
        failed: set[int] = set()
        for place, queue in self._queues.items():
            waiting = [
                (position, one.message)
                for position, one in enumerate(mapped)
                if one is not None and one.place is place and one.message is not None
            ]
            messages = [message for _, message in waiting]
            for index in queue.send(messages, lambda: remaining() > _AWS_CALL_SECONDS + 1):
                failed.add(waiting[index][0])
        return failed


def _message(notice: Notice, decision: Decision) -> Message:
    """The event as it goes on its delivery queue, in the envelope of a payment."""
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
        content_sha256=digest_of(decision),
    )
    return Message(write_envelope(envelope, event), decision.app_id)


def _report(
    mapped: Sequence[Mapped | None], failed: set[int], records: Sequence[Mapping[str, Any]]
) -> None:
    """A line for the batch, and one for each notice of which something has to be said.

    Of those that come back by themselves nothing has become yet.
    """
    counts: Counter[str] = Counter(HandedBack=len(failed))
    for position, one in enumerate(mapped):
        if one is None or position in failed:
            continue
        counts[one.result.value] += 1
        if one.reason:
            facts = {"message_id": records[position]["messageId"], "reason": one.reason}
            telemetry.logger().warning("payment not mapped", extra=facts)
    telemetry.logger().info("batch", extra=dict(counts))
    telemetry.count(counts)
