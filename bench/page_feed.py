"""A page for `bench.page`: its journal is told facts directly, so that nothing else is measured.

    python -m bench.page_feed TRACES PER_SECOND SECONDS

Prints its address; on a line of input it tells events for so long, and prints what it has told.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final

from relay.instants import iso_form, utc_now
from relay_sandbox.http.server import Server
from tests.support.facts import Facts, purchase

_TICK_SECONDS: Final = 0.05


async def main(traces: int, per_second: int, seconds: float) -> None:
    """Fills the journal, serves the page, and tells events when it is asked to."""
    facts = Facts()
    for number in range(traces):
        _told(facts, number)
    async with Server(facts.page().handle) as server:
        print(f"http://localhost:{server.port}", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.perf_counter()
        told = await _tell(facts, traces, per_second, seconds)
        rate = (told - traces) / (time.perf_counter() - began)
        print(json.dumps({"key": facts.newest().key, "per_second": rate}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _tell(facts: Facts, first: int, per_second: int, seconds: float) -> int:
    """Tells events evenly; returns how many there are then."""
    began, number = time.perf_counter(), first
    while (passed := time.perf_counter() - began) < seconds:
        while number - first < passed * per_second:
            _told(facts, number)
            number += 1
        await asyncio.sleep(_TICK_SECONDS)
    return number


def _told(facts: Facts, number: int) -> None:
    """One event, from its entry to its end; each tenth is rejected."""
    facts.now = utc_now()
    envelope = _envelope(number)
    message_id = facts.put("mobile", envelope)
    trace = facts.newest()
    facts.received(message_id)
    if number % 10 == 0:
        letter: dict[str, Any] = {"outcome": "rejected", "reason": "rejected"}
        facts.put("mobile-dead", {**envelope, **letter, "message_id": message_id}, "forward_mobile")
    else:
        facts.asked(trace)
    facts.settled(message_id)


def _envelope(number: int) -> dict[str, Any]:
    return purchase(f"order-{number}", iso_form(utc_now()), f"{number % 500}.90")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
