"""Runs one handler, on one core, whenever it is told to: a program of its own.

Each line on standard input is a number of seconds; the answer is a line of JSON with the events
handled, the seconds they took and the seconds of CPU this process used meanwhile.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench.events import BATCH_SIZE, batches, endless

HANDLERS: Final = {
    "relay": "functions.forward_mobile.app",
    "relay, money once": "functions.forward_mobile.app",
    "naive": "bench.naive",
}
_DIFFERENT_BATCHES: Final = 50

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Context:
    """Lambda's context object, with all the time there is."""

    function_name = "bench"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """The forwarders' time-out in template.yaml, always."""
        return 90_000


def load(name: str) -> Handler:
    """The handler of that name, imported as Lambda imports it, its own pace lifted.

    What the rate limiter (S2) costs is measured; what it would let the events wait is not.
    """
    if name != "naive":
        _lift_limit()
    handler: Handler = importlib.import_module(HANDLERS[name]).lambda_handler
    return handler


def _lift_limit() -> None:
    from relay.config.environment import ForwardSettings  # noqa: PLC0415 - not for the naive one

    setattr(ForwardSettings, "requests_a_second_here", lambda *_: 1e9)  # noqa: B010 - it is a method


def run(handler: Handler, work: Iterator[dict[str, Any]], seconds: float) -> dict[str, float]:
    """Hands in whole batches until the time is over."""
    context = Context()
    events = 0
    started, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        failures = handler(next(work), context)["batchItemFailures"]
        if failures:
            message = f"{len(failures)} records of a batch failed"
            raise RuntimeError(message)
        events += BATCH_SIZE
    return {
        "events": events,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
    }


def _main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  the handlers' logs: written, unread
    handler = load(sys.argv[1])
    work = endless(batches(_DIFFERENT_BATCHES))
    for line in sys.stdin:
        print(json.dumps(run(handler, work, float(line))), file=answers, flush=True)


if __name__ == "__main__":
    _main()
