"""Plays a story: each webhook through the real mapper, around it tables in memory.

Nothing is sent and nothing is looked up. Each webhook is mapped at once; what still waits after the
last one is settled then, in virtual time, to the end of its hold. Of two events with one id, the
second is dropped if it is the same movement, and a dead letter if it is not, as the forwarder does.
"""

import heapq
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.config.apps import Apps
from relay.config.environment import MapPaymentSettings
from relay.config.sources import Sources
from relay.consumer.consumer import Batch
from relay.consumer.settler import Destination, Settlement
from relay.domain.kinds import Kind, Surface
from relay.domain.movements import Movement, MovementKind
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.instants import Clock
from relay.messages.envelope import Envelope
from relay.messages.notice import Notice, write_notice
from relay.messages.reader import parse_envelope
from relay.payments.map import Mapper
from relay.payments.notice_job import NoticeJob
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay.payments.receive import notices_of
from relay.payments.reporting import MappingResult
from relay.stores.identities import Identities, Identity
from relay.stores.money_trail import Trail
from relay_cli.payments.story import INSTALLED_APP, Story
from relay_sandbox.local_aws.memory_table import MemoryTable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

SOURCE: Final = "story"
ID_CONFLICT: Final = "id_conflict"

_PREFIX: Final = "/story"
_MESSAGE: Final = "1"
_UNEXPECTED: Final = "unexpected"
"""The reason after a bug of ours, which must not come twice."""
_SECONDS: Final = 60.0
"""More than a notice needs."""
_INSTALLED_BEFORE: Final = timedelta(seconds=9_000_000)
_APPSFLYER_ID: Final = "1698765432100-1234567"
_QUEUE: Final = "https://queues.invalid/story"
_SETTINGS: Final = MapPaymentSettings.model_validate(
    {
        "parameter_prefix": _PREFIX,
        "queue_url": _QUEUE,
        "dead_letter_queue_url": _QUEUE,
        "mobile_queue_url": _QUEUE,
        "web_queue_url": _QUEUE,
        "identities_table": "identities",
        "trail_table": "trail",
        "retry_schedule_seconds": (60, 600),
        "hold_seconds": 3600,
    }
)
"""Limits are the template's own. What waits is looked at less often, for nobody waits here."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event for AppsFlyer."""

    app_id: str
    kind: Kind
    content: Mapping[str, Any]
    """As a producer would hand it in."""

    @property
    def name(self) -> str:
        """Its name."""
        name: str = self.content["event_name" if self._is_web else "eventName"]
        return name

    @property
    def revenue(self) -> str | None:
        """Its signed revenue as text, exactly as AppsFlyer gets it; None if it has none."""
        if not self._is_web:
            revenue: str | None = self.content.get("eventValue", {}).get("af_revenue")
            return revenue
        amount = self.content.get("event_revenue")
        return None if amount is None else f"{Decimal(amount):f}"

    @property
    def currency(self) -> str | None:
        """Its currency; None if it has no revenue."""
        return self.content.get("event_revenue_currency" if self._is_web else "eventCurrency")

    @property
    def waits_for_install(self) -> bool:
        """Whether it goes out only once an install of its customer is known."""
        return not self._is_web and "appsflyer_id" not in self.content

    @property
    def _is_web(self) -> bool:
        return self.kind is not Kind.MOBILE_EVENT


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead letter."""

    type: str
    """The webhook's type; empty if that cannot be read."""
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Outcome:
    """What became of one notice. Of `event` and `dead` at most one is there."""

    webhook: int
    """The number of its webhook, from 0."""
    notice: Notice
    settlement: Settlement | None = None
    """The last one."""
    event: Event | None = None
    dead: Dead | None = None
    movement: Movement | None = None
    """What its webhook tells of; None also while that cannot be read."""
    kind: MovementKind | None = None
    """The movement's kind, as decided if it was: a renewal may be a first payment."""
    is_duplicate: bool = False
    """An event with this id and content was there before."""


@dataclass(slots=True)
class Played:
    """What became of a story."""

    outcomes: list[Outcome] = field(default_factory=list)
    """One for each part of a webhook that is not ignored, in the order in which they came."""

    @property
    def events(self) -> Iterator[Event]:
        """What AppsFlyer hears."""
        return (one.event for one in self.outcomes if one.event is not None)

    @property
    def dead(self) -> Iterator[Dead]:
        """What it does not, and should."""
        return (one.dead for one in self.outcomes if one.dead is not None)


def play(story: Story, *, settle: bool = True) -> Played:
    """Plays a story; with `settle`, to the end of what waits, else of what waits a moment only."""
    return _Player(story).play(settle=settle)


class _Player:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._settings = story.settings
        self._now = story.start
        self._sent: dict[str, str | None] = {}
        """The content of each event, by its id."""
        self._waiting: list[tuple[datetime, int, Outcome, str]] = []
        self._looks = 0
        self._mapper = _OneByOne(story, self._clock)

    def _clock(self) -> datetime:
        return self._now

    def play(self, *, settle: bool) -> Played:
        played = Played()
        for number, told in enumerate(self._story.webhooks):
            self._now += told.after
            notices = notices_of(
                self._settings.provider, SOURCE, self._settings, told.body, self._now
            )
            for notice in notices:
                is_test = notice.test and not self._story.tests_count
                outcome = Outcome(number, notice.model_copy(update={"test": is_test}))
                played.outcomes.append(outcome)
                self._look(outcome, write_notice(outcome.notice))
        while self._waiting:
            due, _, outcome, body = heapq.heappop(self._waiting)
            if settle or _is_brief(outcome):
                self._now = max(self._now, due)
                self._look(outcome, body)
        return played

    def _look(self, outcome: Outcome, body: str) -> None:
        """The mapper looks at one notice, which is done by that or waits for its next look."""
        settlement = outcome.settlement = self._mapper.settle(body)
        message = settlement.message
        if settlement.reason != _UNEXPECTED:
            self._mapper.describe(outcome)
        if message is None:
            return
        if settlement.destination is Destination.WAITING:
            self._looks += 1
            due = settlement.next_look or self._now
            heapq.heappush(self._waiting, (due, self._looks, outcome, message.body))
        elif settlement.destination is Destination.DEAD_LETTERS:
            letter = loads(message.body)
            outcome.dead = Dead(
                letter.get("type", ""), letter.get("reason", ""), letter.get("message", "")
            )
        else:
            self._forward(outcome, parse_envelope(message.body))

    def _forward(self, outcome: Outcome, envelope: Envelope) -> None:
        """What the forwarder does with an event, if all that it sends arrives."""
        event_id, content = str(envelope.event_id), envelope.content_sha256
        if event_id not in self._sent:
            self._sent[event_id] = content
            outcome.event = Event(envelope.app_id, envelope.kind, envelope.event)
        elif self._sent[event_id] == content:
            outcome.is_duplicate = True
        else:
            outcome.dead = Dead(outcome.notice.type or "", ID_CONFLICT)


def _is_brief(outcome: Outcome) -> bool:
    """Whether a notice waits only for what may be told at the same moment."""
    settlement = outcome.settlement
    return settlement is not None and settlement.outcome is MappingResult.WAITED


class _OneByOne(Mapper):
    """The mapper of a story. It gets one notice at a time, and keeps what became of it."""

    def __init__(self, story: Story, clock: Clock) -> None:
        store = ParameterStore(
            cast("SSMClient", _Parameters(story)), _PREFIX, lambda: clock().timestamp()
        )
        queue = Queue(cast("SQSClient", _Queues()), _QUEUE)
        self._story = story
        self._told = Trail(MemoryTable(), _SETTINGS.trail_days, clock)
        super().__init__(
            _SETTINGS,
            Sources(store, source_settings()),
            Apps(store, lambda: clock().timestamp()),
            self._told,
            _identities(story, clock),
            queue=queue,
            dead_letters=queue,
            delivery_queues=dict.fromkeys(Surface, queue),
            clock=clock,
            jitter=lambda _least, most: most,
        )
        self._settlements: Mapping[str, Settlement] = {}

    def settle(self, body: str) -> Settlement:
        """What becomes of one notice."""
        self.map([{"messageId": _MESSAGE, "body": body}], lambda: _SECONDS)
        return self._settlements[_MESSAGE]

    def describe(self, outcome: Outcome) -> None:
        """Says what its webhook tells of, and as what that is known by now."""
        provider, notice = PROVIDERS[outcome.notice.provider], outcome.notice
        if notice.problem is not None:
            return
        with suppress(UnreadableWebhookError):
            movement = provider.interpret(
                notice.type or "", notice.content, self._story.settings
            ).movement
            if movement is not None:
                decided = self._told.look_up(SOURCE, [movement.ref]).decisions.get(movement.ref)
                outcome.movement = movement
                outcome.kind = movement.kind if decided is None else decided.kind

    def report(self, batch: Batch[NoticeJob]) -> None:
        """Keeps it, and logs and counts nothing."""
        self._settlements = batch.settlements


def _identities(story: Story, clock: Clock) -> Identities:
    identities = Identities(MemoryTable(), clock=clock)
    if story.install is not None:
        installed_at = story.start - _INSTALLED_BEFORE
        identities.remember(Identity(INSTALLED_APP, story.install, _APPSFLYER_ID, installed_at))
    return identities


class _Queues:
    """SQS, which takes everything: what became of a notice is read from its settlement."""

    def send_message_batch(self, **_call: Any) -> dict[str, Any]:
        return {"Successful": []}


class _Parameters:
    """Parameter Store with the story's source, and the story's rules for every app."""

    def __init__(self, story: Story) -> None:
        self._sources = dumps({SOURCE: story.source}).decode()
        self._app = dumps({"payments": story.rules}).decode()

    def get_parameters(self, **call: Any) -> dict[str, Any]:
        return {"Parameters": [{"Name": one, "Value": self._value(one)} for one in call["Names"]]}

    def _value(self, name: str) -> str:
        return self._sources if name == f"{_PREFIX}/sources" else self._app
