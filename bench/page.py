"""How quick the sandbox's page is, in a real browser.

    python -m bench.page [SECONDS]

Three figures: from the sandbox's ready file to a page that is live; from the end of an event to its
row; and the longest task of the page while a journal of 10,000 traces gets 200 events a second for
SECONDS, told by a process of its own. Any of them over its limit ends with exit code 1.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.async_api import Browser, Page, async_playwright

from bench.machine import facts
from tests.browser.finding import NOT_FOUND, find_browser

SECONDS: Final = 60
PER_SECOND: Final = 200
TRACES: Final = 10_000
EVENTS: Final = 40
_RELAY: Final = Path(sys.executable).with_name("relay")

# Notes when each row says that its event is delivered, and each task of more than 50 ms.
_WATCH: Final = """
globalThis.seen = {};
globalThis.tasks = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) globalThis.tasks.push(one.duration);
}).observe({ type: "longtask", buffered: true });
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  for (const row of document.querySelectorAll(".events tbody tr")) {
    if (row.querySelector(".chip.good")) globalThis.seen[row.id] ??= Date.now();
  }
}).observe(document.body, { childList: true, subtree: true, characterData: true }));
"""
_WATCH_TASKS: Final = _WATCH.partition("addEventListener")[0]


class Figure(NamedTuple):
    """What was measured, in milliseconds, and what it may be at most."""

    what: str
    milliseconds: float
    limit: float
    more: str = ""

    def __str__(self) -> str:
        mark = "" if self.milliseconds <= self.limit else "  TOO SLOW"
        figure = f"{self.milliseconds:7,.0f} ms of {self.limit:,.0f}"
        return f"  {self.what:<48}{figure}{self.more}{mark}"


async def main(seconds: int) -> int:
    """Takes the figures and prints them; 1 if one is over its limit."""
    path = find_browser()
    if path is None:
        print(NOT_FOUND, file=sys.stderr)
        return 2
    print(facts())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        figures = [*await _of_a_sandbox(browser), *await _of_a_full_journal(browser, seconds)]
        await browser.close()
    print("The page, in the browser:")
    for figure in figures:
        print(figure)
    return int(any(one.milliseconds > one.limit for one in figures))


async def _of_a_sandbox(browser: Browser) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        ready_file = Path(folder) / "ready.json"
        options = ["--no-open", "--no-samples", "--port", "0", "--ready-file", str(ready_file)]
        program = await asyncio.create_subprocess_exec(
            _RELAY, "sandbox", *options, stdout=subprocess.DEVNULL
        )
        try:
            while not ready_file.exists():
                if program.returncode is not None:
                    raise RuntimeError("the sandbox did not come up")
                await asyncio.sleep(0.002)
            began = time.perf_counter()
            ready = json.loads(ready_file.read_text(encoding="utf-8"))
            page = await _opened(browser, ready["page"], _WATCH)
            usable = (time.perf_counter() - began) * 1000
            delays = await _delays(page, ready["page"])
        finally:
            program.terminate()
            await program.wait()
    slowest = f"  (median {statistics.median(delays):.0f} ms of {len(delays)} events)"
    return [
        Figure("from the ready line to a page that is live", usable, 1000),
        Figure("from the end of an event to its row, p95", _p95(delays), 300, slowest),
    ]


async def _opened(browser: Browser, url: str, script: str) -> Page:
    page = await (await browser.new_context(viewport={"width": 1440, "height": 900})).new_page()
    await page.add_init_script(script)
    await page.goto(url)
    await page.locator(".live.live").wait_for()
    return page


async def _delays(page: Page, url: str) -> list[float]:
    """From when the journal says that an event has ended to when its row says so."""
    keys = []
    for number in range(EVENTS):
        event = {"appsflyer_id": "1624875600000-2718281", "eventName": f"bench_{number}"}
        asked = {"text": json.dumps(event), "kind": "mobile_event", "app_id": "com.example.shop"}
        answer = await page.request.post(f"{url}/api/send", data=asked, headers={"Origin": url})
        keys.append((await answer.json())["key"])
        await page.locator(f"#row-{keys[-1]} .chip.good").wait_for()
    seen = await page.evaluate("globalThis.seen")
    ended = [
        (await (await page.request.get(f"{url}/api/traces/{key}")).json())["ended"] for key in keys
    ]
    moments = await page.evaluate("(all) => all.map((one) => Date.parse(one))", ended)
    return [seen[f"row-{key}"] - moment for key, moment in zip(keys, moments, strict=True)]


async def _of_a_full_journal(browser: Browser, seconds: int) -> list[Figure]:
    async with _fed(seconds) as (url, told):
        await browser.start_tracing(categories=["toplevel"])
        page = await _opened(browser, url, _WATCH_TASKS)
        await page.locator(".events tbody tr").last.wait_for()
        at_first = _busiest_task(await browser.stop_tracing())
        await page.evaluate("globalThis.tasks.splice(0)")
        await browser.start_tracing(categories=["toplevel"])
        last = await told()
        await page.locator(f"#row-{last['key']}").wait_for()
        busy = _busiest_task(await browser.stop_tracing())
        tasks: list[float] = await page.evaluate("globalThis.tasks")
    wall = f"  ({max(tasks, default=0):,.0f} ms by the clock, {len(tasks)} of over 50 ms;"
    rate = f" {last['per_second']:.0f} events a second were told)"
    return [
        Figure(f"CPU of the longest task, {TRACES:,} traces there", at_first, 100),
        Figure(f"CPU of the longest task, {PER_SECOND} events a second", busy, 100, wall + rate),
    ]


def _busiest_task(trace: bytes) -> float:
    """The milliseconds of CPU that the longest task of a page's main thread took.

    By the clock a task also takes what other programs do meanwhile; that says nothing of the page.
    """
    entries = json.loads(trace)["traceEvents"]
    threads = {
        (one["pid"], one["tid"])
        for one in entries
        if one.get("name") == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    tasks = (
        one.get("tdur", 0)
        for one in entries
        if one.get("ph") == "X" and (one["pid"], one["tid"]) in threads
    )
    return max(tasks, default=0) / 1000


@asynccontextmanager
async def _fed(seconds: int) -> AsyncIterator[Any]:
    """A page whose journal is full, and is told events once somebody asks; its address."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.page_feed", str(TRACES), str(PER_SECOND), str(seconds),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdin is not None  # noqa: S101 - asked for above
    assert program.stdout is not None  # noqa: S101 - likewise
    stdin, stdout = program.stdin, program.stdout

    async def told() -> Any:
        stdin.write(b"\n")
        return json.loads(await stdout.readline())

    try:
        yield (await stdout.readline()).decode().strip(), told
    finally:
        stdin.close()
        await program.wait()


def _p95(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=20)[-1]


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)))
