"""What CloudWatch would have been told: data points by metric, kept for the last minutes.

The relay's own metrics come from the lines that its functions print, those of Lambda from the
runtime's lines, those of the HTTP API from its answers. Queues are looked at when somebody asks.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from relay_sandbox.http.messages import Connection, Request, Response

Handler = Callable[[Request, Connection], Awaitable[Response]]

LAMBDA: Final = "AWS/Lambda"
API: Final = "AWS/ApiGateway"
QUEUES: Final = "AWS/SQS"
KEPT_SECONDS: Final = 900
_LINES_KEPT: Final = 1000
_MOST_POINTS: Final = 20_000
_DURATION: Final = re.compile(r"\tDuration: ([\d.]+) ms")
_CRASHES: Final = ("Task timed out", "Runtime exited with error", "[ERROR]")


class Name(NamedTuple):
    """A metric: its namespace, its name, and its dimensions with their values."""

    namespace: str
    metric: str
    dimensions: frozenset[tuple[str, str]]


class Point(NamedTuple):
    """A value at a moment (seconds of the meter's clock)."""

    at: float
    value: float


@dataclass
class Meter:
    """Data points of one sandbox. `clock` gives seconds; `api` is the HTTP API's logical id."""

    clock: Callable[[], float] = time.monotonic
    functions: Mapping[str, str] = field(default_factory=dict)
    """The logical ids of the functions by their folders' names."""
    api: str = "Api"
    lines: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=_LINES_KEPT))
    """The newest lines that functions logged."""
    _points: dict[Name, deque[Point]] = field(default_factory=dict)
    _running: Counter[str] = field(default_factory=Counter)

    def put(self, name: Name, values: Iterable[float]) -> None:
        """Keeps values of this moment."""
        points = self._points.setdefault(name, deque(maxlen=_MOST_POINTS))
        now = self.clock()
        points.extend(Point(now, value) for value in values)
        while points and points[0].at < now - KEPT_SECONDS:
            points.popleft()

    def between(self, name: Name, start: float, end: float) -> list[float]:
        """The values from `start` up to `end`, in the order they came."""
        return [point.value for point in self._points.get(name, ()) if start <= point.at < end]

    def names(self) -> Iterator[Name]:
        """Every metric that there is."""
        return iter(list(self._points))

    # What tells it

    def function_line(self, function: str, line: bytes) -> None:
        """A line that a function, or the runtime around it, prints."""
        text = line.decode(errors="replace")
        if text.startswith("{"):
            self._logged(text)
            return
        if text.startswith("START "):
            self._running[function] += 1
            self._count(function, "ConcurrentExecutions", self._running[function])
        elif text.startswith("END "):
            self._running[function] -= 1
        elif found := _DURATION.search(text):
            self._count(function, "Duration", float(found[1]))
        elif any(word in text for word in _CRASHES):
            self._count(function, "Errors", 1)

    def answered(self, status: int, seconds: float) -> None:
        """The HTTP API has answered."""
        counts: dict[str, float] = {
            "Count": 1,
            "4xx": 400 <= status < 500,  # noqa: PLR2004 - HTTP's
            "5xx": status >= 500,  # noqa: PLR2004
            "Latency": seconds * 1000,
            "IntegrationLatency": seconds * 1000,
        }
        for metric, value in counts.items():
            self.put(Name(API, metric, frozenset({("ApiId", self.api)})), [value])

    def around(self, handle: Handler) -> Handler:
        """A handler of the HTTP API whose answers are measured."""

        async def measured(request: Request, connection: Connection) -> Response:
            began = self.clock()
            response = await handle(request, connection)
            self.answered(response.status, self.clock() - began)
            return response

        return measured

    def queue(self, queue: str, counts: Mapping[str, float]) -> None:
        """How much is on a queue at this moment, by the name of the metric."""
        for metric, value in counts.items():
            self.put(Name(QUEUES, metric, frozenset({("QueueName", queue)})), [value])

    def _count(self, function: str, metric: str, value: float) -> None:
        of = frozenset({("FunctionName", self.functions.get(function, function))})
        self.put(Name(LAMBDA, metric, of), [value])

    def _logged(self, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return
        if "_aws" not in said:
            self.lines.append({**said, **_parsed(said)})
            return
        for group in said["_aws"]["CloudWatchMetrics"]:
            for dimensions in group["Dimensions"]:
                of = frozenset((one, str(said[one])) for one in dimensions)
                for metric in group["Metrics"]:
                    name = Name(group["Namespace"], metric["Name"], of)
                    self.put(name, _numbers(said.get(metric["Name"])))


def _parsed(said: Mapping[str, Any]) -> dict[str, str]:
    """What our queries parse out of a line: the inside of its findings, as `found`."""
    findings = said.get("findings")
    return {"found": json.dumps(findings)[1:-1]} if isinstance(findings, dict) else {}


def _numbers(value: object) -> Sequence[float]:
    values = value if isinstance(value, list) else [value]
    return [float(one) for one in values if isinstance(one, int | float)]
