"""What a load takes: batches, time, concurrency, waits. Pure; seconds and events everywhere.

Events are taken to come evenly, which is the dearest way: bursts fill batches. Nothing is retried.
"""

import math
from dataclasses import dataclass
from typing import Final

from relay_cli.capacity.data import Figures

WHOLE_CORE_MB: Final = 1769
"""Lambda gives CPU in proportion to memory."""
POLLERS: Final = 5
"""Lambda polls a queue five times at once, and no less where the concurrency has a maximum."""
RECEIVE_SECONDS: Final = 0.02
"""Assumed: from one receive of a poller's to its next. A receive takes what has come by then."""
PICK_UP_SECONDS: Final = 0.03
"""Assumed: from a message on the queue to its invocation, where nothing waits for a batch."""
AWS_CALL_SECONDS: Final = 0.01
"""Assumed: a call to SQS or DynamoDB."""
GATEWAY_SECONDS: Final = 0.01
"""Assumed: what API Gateway adds to a request."""
MESSAGES_A_CALL: Final = 10
"""SQS hands over and deletes so many in one request."""


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in, and how the stack is set up. The defaults are template.yaml's."""

    rate: float
    """Events a second."""
    money: float = 0.3
    """The share of events with revenue, which are claimed and noted (Deduplicate=money)."""
    latency: float = 0.15
    """Seconds that AppsFlyer takes to answer."""
    batch: int = 100
    window: float = 1
    memory: int = 512
    concurrency: int = 10
    in_flight: int = 50
    most_sent: float = 8000
    """Requests a second to AppsFlyer: RequestsASecond without the part of the web."""
    together: int = 1
    """Events in one HTTP request, or in one call of a sender's to SQS. They come at one moment."""
    logs: bool = True
    """Whether the line of each batch is logged: LogLevel INFO or DEBUG."""

    @property
    def share(self) -> float:
        """The share of a core. One process, so a second core is no help."""
        return min(1.0, self.memory / WHOLE_CORE_MB)


def whole_core(figures: Figures) -> Load:
    """The load of the measured invocations, which had a core of their own."""
    timed = figures.timed
    return Load(
        rate=1, money=0, latency=timed.latency_ms / 1000, memory=WHOLE_CORE_MB,
        in_flight=timed.in_flight,
    )  # fmt: skip


def rounds(load: Load, events: float) -> int:
    """How often an invocation waits for AppsFlyer: so many requests are open at once."""
    return max(1, math.ceil(events / load.in_flight))


def cpu_seconds(load: Load, events: float, figures: Figures) -> float:
    """An invocation's CPU, on its share of a core."""
    one = figures.forward
    each = one.cpu_ms_an_event + load.money * one.cpu_ms_more_with_money
    return (one.cpu_ms_a_batch + events * each) / 1000 / load.share


def table_seconds(load: Load) -> float:
    """The two calls for a batch with revenue: claims before, notes after."""
    return 2 * AWS_CALL_SECONDS if load.money else 0.0


def duration_seconds(load: Load, events: float, figures: Figures) -> float:
    """An invocation's duration: CPU and waiting one after the other, though they overlap."""
    waiting = rounds(load, events) * load.latency
    return cpu_seconds(load, events, figures) + waiting + table_seconds(load)


def accept_seconds(load: Load, figures: Figures) -> float:
    """Duration of an invocation of `accept`."""
    one = figures.accept
    cpu = one.cpu_ms_a_request + load.together * one.cpu_ms_an_event
    return cpu / 1000 / load.share + AWS_CALL_SECONDS


def most_a_second(load: Load, figures: Figures) -> float:
    """Events a second that can be delivered at most, in full batches."""
    in_time = load.concurrency * load.batch / duration_seconds(load, load.batch, figures)
    return min(in_time, load.most_sent)


def events_a_batch(load: Load, figures: Figures) -> float:
    """Events of an invocation on average.

    A poller's window begins with its first message; the pollers share what comes in. Full batches
    where more comes in than can be delivered.
    """
    if load.rate >= most_a_second(load, figures):
        return load.batch
    return min(load.batch, _at_once(load) + load.rate / POLLERS * load.window)


def _at_once(load: Load) -> float:
    """Messages that one poller gets at one moment: the pollers share what is sent together."""
    return max(1.0, min(load.together, MESSAGES_A_CALL) / POLLERS)


def concurrency(load: Load, figures: Figures) -> float:
    """Invocations at the same time on average (Little's law)."""
    events = events_a_batch(load, figures)
    busy = load.rate / events * duration_seconds(load, events, figures)
    return min(load.concurrency, busy)


def receives_an_event(load: Load, figures: Figures) -> float:
    """Receives of the pollers for each event."""
    come = _at_once(load) + load.rate / POLLERS * RECEIVE_SECONDS
    return 1 / min(MESSAGES_A_CALL, come, events_a_batch(load, figures))


def deletes_an_event(load: Load, figures: Figures) -> float:
    """Requests to delete, for each event: whole batches, ten at a time."""
    events = events_a_batch(load, figures)
    return math.ceil(events / MESSAGES_A_CALL) / events


def sends_an_event(load: Load) -> float:
    """Requests that put an event on its queue."""
    return math.ceil(load.together / MESSAGES_A_CALL) / load.together


def window_wait(load: Load, part: float, figures: Figures) -> float:
    """Seconds that a batch is waited for: at most so long for this part of the events."""
    events = events_a_batch(load, figures)
    if events >= load.batch:
        fills_in = (load.batch - 1) / max(load.rate / POLLERS, 1e-9)
        return part * min(load.window, fills_in)
    others = 1 - _at_once(load) / events  # the first of a batch wait for all of its window
    return load.window if part >= others else load.window * part / others  # others: not 0 here


def added_seconds(load: Load, part: float, figures: Figures) -> float:
    """From the queue to AppsFlyer's answer without its own latency, for this part of the events.

    Of warm processes, while less comes in than can be delivered.
    """
    events = events_a_batch(load, figures)
    own = part * cpu_seconds(load, events, figures) + table_seconds(load) / 2
    waits = max(0, math.ceil(part * rounds(load, events)) - 1) * load.latency
    return PICK_UP_SECONDS + window_wait(load, part, figures) + own + waits


def added_over_http(load: Load, part: float, figures: Figures) -> float:
    """The same from the HTTP request on."""
    return GATEWAY_SECONDS + accept_seconds(load, figures) + added_seconds(load, part, figures)


def drain_seconds(load: Load, backlog: float, figures: Figures) -> float | None:
    """How long a backlog takes while more comes in at the rate; None if it never ends."""
    spare = most_a_second(load, figures) - load.rate
    return backlog / spare if spare > 0 else None
