"""Invokes one function over and over, and tells what an invocation costs: a program of its own.

Each line on standard input is {"events": n, "seconds": s}; the answer is one of JSON (`Told`).
Events are in one SQS batch, or in one HTTP request for `accept`.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from io import TextIOBase
from itertools import chain, cycle, islice
from typing import Any, Final, TypedDict

from bench import worker
from bench.events import APP_ID, batches, mobile_event
from bench.servers import PRODUCER_TOKEN

_BATCHES: Final = 50
_DIFFERENT: Final = 100
_ACCEPTED: Final = 202


class Told(TypedDict):
    """Sums over the invocations of a round; the first one of the process is apart."""

    invocations: int
    cpu_ms: float
    wall_ms: float
    log_bytes: int
    counter_bytes: int
    """Of these, embedded metrics, which are written at every log level."""
    metrics: list[str]
    """Custom metrics: name and dimensions."""
    first_cpu_ms: float
    """From the start of Python to the first answer."""


class Log(TextIOBase):
    """Standard output that counts."""

    def __init__(self) -> None:
        self.bytes = self.counter_bytes = 0
        self.metrics: set[str] = set()

    def write(self, text: str) -> int:
        """Counts, and notes the custom metrics of an embedded-metrics blob."""
        size = len(text.encode())
        self.bytes += size
        if '"_aws"' in text:
            self.counter_bytes += size
            self._note(json.loads(text))
        return len(text)

    def _note(self, blob: dict[str, Any]) -> None:
        for one in blob["_aws"]["CloudWatchMetrics"]:
            for names in one["Dimensions"]:
                values = ",".join(str(blob[name]) for name in sorted(names))
                self.metrics |= {f"{metric['Name']} {values}" for metric in one["Metrics"]}


def _request(events: int, number: int) -> dict[str, Any]:
    """A request of the HTTP API, with a key of its own."""
    made = [mobile_event(number * events + one) for one in range(events)]
    return {
        "version": "2.0",
        "routeKey": "POST /v1/mobile/{app_id}/events",
        "rawPath": f"/v1/mobile/{APP_ID}/events",
        "rawQueryString": "",
        "headers": {
            "authorization": f"Bearer {PRODUCER_TOKEN}",
            "content-type": "application/json",
            "idempotency-key": f"bench-{events}-{number}",
        },
        "requestContext": {
            "http": {"method": "POST", "path": "/", "sourceIp": "192.0.2.1"},
            "requestId": f"request-{number}",
            "timeEpoch": int(time.time() * 1000),
        },
        "pathParameters": {"app_id": APP_ID},
        "body": json.dumps(made[0] if events == 1 else made),
        "isBase64Encoded": False,
    }


@cache
def _work(name: str, events: int) -> Iterator[dict[str, Any]]:
    """Invocations with so many events each, made beforehand, over and over."""
    if name == "accept":
        return cycle([_request(events, number) for number in range(_DIFFERENT)])
    records = cycle(chain.from_iterable(batch["Records"] for batch in batches(_BATCHES)))
    return cycle([{"Records": list(islice(records, events))} for _ in range(_DIFFERENT)])


def _is_done(answer: dict[str, Any]) -> bool:
    return answer.get("batchItemFailures") == [] or answer.get("statusCode") == _ACCEPTED


def _main(name: str) -> None:
    answers, log = os.fdopen(os.dup(sys.stdout.fileno()), "w"), Log()
    sys.stdout = log
    if name == "accept":
        handler = importlib.import_module("functions.accept.app").lambda_handler
    else:
        handler = worker.load(name)
    context, first_cpu_ms = worker.Context(), None
    for line in sys.stdin:
        told = json.loads(line)
        waiting = _work(name, told["events"])
        if first_cpu_ms is None:
            handler(next(waiting), context)
            first_cpu_ms = time.process_time() * 1000
        log.bytes = log.counter_bytes = invocations = 0
        started, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - started < told["seconds"]:
            answer = handler(next(waiting), context)
            if not _is_done(answer):
                raise SystemExit(f"not taken: {answer}")
            invocations += 1
        result: Told = {
            "invocations": invocations,
            "cpu_ms": (time.process_time() - cpu) * 1000,
            "wall_ms": (time.perf_counter() - started) * 1000,
            "log_bytes": log.bytes,
            "counter_bytes": log.counter_bytes,
            "metrics": sorted(log.metrics),
            "first_cpu_ms": first_cpu_ms,
        }
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
