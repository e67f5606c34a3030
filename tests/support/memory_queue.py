"""A standard queue of SQS's in memory: what becomes of its messages as time goes by.

Delays, visibility time-outs, receive counts, the redrive to a dead-letter queue, retention and the
limit of messages in flight are as AWS documents them. Pure but for chance: moments are arguments,
in Unix milliseconds. SQS promises no order; here messages come as they were sent or came back.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple
from uuid import uuid4

Chance = Callable[[], float]
"""`random.random`, or what a test puts in its place."""

_LEAST_COMPACTED = 100


class State(Enum):
    """Where a message is."""

    VISIBLE = auto()
    DELAYED = auto()
    IN_FLIGHT = auto()
    """Received, neither deleted nor visible again."""
    OUTSIDE = auto()
    """On no queue: not yet, or not any more."""


_WAITING = frozenset({State.DELAYED, State.IN_FLIGHT})


@dataclass(slots=True, eq=False)
class Stored:
    """A message, or one of the copies of it that SQS keeps."""

    id: str
    body: str
    group: str | None
    sent: int
    state: State = State.OUTSIDE
    received: int = 0
    first_received: int | None = None
    handle: str | None = None
    """That of its last receive: an older one deletes nothing, as it may be with SQS."""
    origin: str | None = None
    """The queue that SQS itself moved it from, after too many receives."""
    ticket: int = 0
    """By which its one valid entry among those that are due is known."""


class QueueSettings(NamedTuple):
    """A queue's attributes. Times are in seconds."""

    delay: int = 0
    visibility: int = 30
    retention: int = 345_600
    wait: int = 0
    max_receive_count: int = 0
    """0: there is no dead-letter queue."""


class Traffic(NamedTuple):
    """How a queue treats whoever receives from it."""

    in_flight_limit: int = 120_000
    duplicates: float = 0.0
    """The part of all receives after which a message comes once more, whatever is deleted."""
    chance: Chance = lambda: 1.0


class MemoryQueue:
    """One queue. Not for several threads at once: see `MemorySqs`."""

    def __init__(
        self,
        arn: str,
        settings: QueueSettings,
        traffic: Traffic,
        dead_letters: "MemoryQueue | None" = None,
    ) -> None:
        self.arn = arn
        self.settings = settings
        self.dead_letters = dead_letters
        self.counts: Counter[State] = Counter()
        """How many messages are where."""
        self.expired = 0
        """Messages that were dropped because they had become too old."""
        self._traffic = traffic
        self._visible: deque[Stored] = deque()
        self._due: list[tuple[int, int, Stored]] = []
        self._tickets = 0
        self._handles: dict[str, Stored] = {}
        self._receives = 0

    def __len__(self) -> int:
        """All that are on the queue, wherever they are."""
        return sum(self.counts[state] for state in State if state is not State.OUTSIDE)

    def __iter__(self) -> Iterator[Stored]:
        """All that are on the queue, in no order."""
        yield from (message for message in self._visible if message.state is State.VISIBLE)
        yield from (entry[2] for entry in self._due if _is_live(entry))

    def put(self, body: str, group: str | None, delay_seconds: int | None, now: int) -> Stored:
        """Takes a new message; None for the delay is the queue's own."""
        message = Stored(str(uuid4()), body, group, now)
        seconds = self.settings.delay if delay_seconds is None else delay_seconds
        if seconds:
            self._keep_back(message, State.DELAYED, now + seconds * 1000)
        else:
            self._show(message)
        return message

    @property
    def is_full(self) -> bool:
        """Whether as many are in flight as may be."""
        return self.counts[State.IN_FLIGHT] >= self._traffic.in_flight_limit

    def take(self, most: int, hidden_seconds: int | None, now: int) -> list[Stored]:
        """Receives: gives out up to `most`, and hides them; None hides for the queue's own time."""
        seconds = self.settings.visibility if hidden_seconds is None else hidden_seconds
        self.turn(now)
        taken: list[Stored] = []
        while self._visible and len(taken) < most and not self.is_full:
            message = self._visible.popleft()
            if message.state is not State.VISIBLE:
                continue
            if message.sent + self.settings.retention * 1000 <= now:
                self._end(message)
                self.expired += 1
            elif (dead := self.dead_letters) is not None and self._is_spent(message):
                self._move(message, dead)
            else:
                taken.append(self._set_customer(message, seconds * 1000, now))
        return taken

    def knows(self, handle: str) -> bool:
        """Whether this queue has ever given out such a handle."""
        name, _, number = handle.rpartition("#")
        return name == self.arn and number.isdecimal() and int(number) <= self._receives

    def delete(self, handle: str) -> None:
        """Deletes what was received with this handle, unless it was received again since."""
        if handle in self._handles:
            self._end(self._handles[handle])

    def hide(self, handle: str, seconds: int, now: int) -> bool:
        """Sets anew when a message in flight is visible again; False where it is not in flight."""
        self.turn(now)
        message = self._handles.get(handle)
        if message is None or message.state is not State.IN_FLIGHT:
            return False
        self._keep_back(message, State.IN_FLIGHT, now + seconds * 1000)
        return True

    def turn(self, now: int) -> None:
        """Shows what has waited long enough."""
        while self._due and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)
            if _is_live(entry):
                self._show(entry[2])

    def next_due(self) -> int | None:
        """When the next of those that wait is visible; None when none waits."""
        while self._due and not _is_live(self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _is_spent(self, message: Stored) -> bool:
        return message.received >= self.settings.max_receive_count

    def _set_customer(self, message: Stored, hidden: int, now: int) -> Stored:
        message.received += 1
        message.first_received = message.first_received or now
        if self._traffic.chance() < self._traffic.duplicates:
            self._double(message, now)
        self._forget_handle(message)
        self._receives += 1
        message.handle = f"{self.arn}#{self._receives}"
        self._handles[message.handle] = message
        self._keep_back(message, State.IN_FLIGHT, now + hidden)
        return message

    def _double(self, message: Stored, now: int) -> None:
        """A second copy, which a server of SQS's has kept: it comes at any time, also at once."""
        later = int(self._traffic.chance() * self.settings.visibility * 1000)
        copy = replace(message, state=State.OUTSIDE, handle=None)
        self._keep_back(copy, State.DELAYED, now + later)

    def _move(self, message: Stored, target: "MemoryQueue") -> None:
        """As SQS moves it: its id, its age and its count stay, and the body is as it was sent."""
        moved = replace(message, state=State.OUTSIDE, handle=None, origin=self.arn)
        self._end(message)
        target._show(moved)  # noqa: SLF001 - another of its kind

    def _end(self, message: Stored) -> None:
        self._forget_handle(message)
        self._turned(message, State.OUTSIDE)
        message.body = ""

    def _show(self, message: Stored) -> None:
        self._turned(message, State.VISIBLE)
        self._visible.append(message)

    def _keep_back(self, message: Stored, state: State, until: int) -> None:
        self._tickets += 1
        message.ticket = self._tickets
        self._turned(message, state)
        heapq.heappush(self._due, (until, message.ticket, message))
        if len(self._due) > _LEAST_COMPACTED + 2 * len(self):
            self._due = [entry for entry in self._due if _is_live(entry)]
            heapq.heapify(self._due)

    def _turned(self, message: Stored, state: State) -> None:
        self.counts[message.state] -= 1
        self.counts[state] += 1
        message.state = state

    def _forget_handle(self, message: Stored) -> None:
        if message.handle is not None:
            self._handles.pop(message.handle, None)


def _is_live(entry: tuple[int, int, Stored]) -> bool:
    _, ticket, message = entry
    return message.ticket == ticket and message.state in _WAITING
