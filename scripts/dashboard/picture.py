"""Part of `make pictures`: docs/pictures/dashboard.png, from metrics of a real sandbox.

A minute and a half: the samples three times over, with AppsFlyer failing, an app blocked and
payments told in between, while the page's dashboard looks on.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import APIRequestContext, FloatRect, Page, async_playwright, expect

from relay_cli.local.demo.run import send_samples
from relay_sandbox.options import PROJECT
from relay_sandbox.sandbox import Sandbox, SandboxOptions
from scripts.picture_file import shrunk
from tests.browser.finding import NOT_FOUND, find_browser

PICTURE: Final = PROJECT / "docs" / "pictures" / "dashboard.png"
WAVES: Final = 3
PAYMENTS: Final = (("stripe", "refund"), ("paddle", "renewal"), ("revenuecat", "first_payment"))
SETTLE_SECONDS: Final = 20.0
_WIDTH: Final = 1440
_EDGE: Final = 12


async def _wave(sandbox: Sandbox, api: APIRequestContext, number: int) -> None:
    """The samples, payments, and a fault, but for the last wave."""
    if number < WAVES - 1:
        fault: dict[str, Any] = {"status": 503, "times": 40 * (number + 1)}
        await api.post("/api/faults", data=fault)
    await asyncio.to_thread(send_samples, sandbox.ready, PROJECT / "events")
    for provider, kind in PAYMENTS:
        await api.post("/api/payments/tell", data={"provider": provider, "kind": kind})
    await sandbox.settled(SETTLE_SECONDS)
    await api.delete("/api/faults", data={})


async def _take(browser_path: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        options = SandboxOptions(
            work_dir=Path(folder), retry_schedule="2,4,6", hold_seconds=5, port=0
        )
        async with Sandbox(options) as sandbox, async_playwright() as playwright:
            arguments = ["--no-sandbox"]
            browser = await playwright.chromium.launch(executable_path=browser_path, args=arguments)
            context = await browser.new_context(
                viewport={"width": _WIDTH, "height": 900},
                base_url=sandbox.ready["page"],
                color_scheme="light",
                reduced_motion="reduce",
            )
            page = await context.new_page()
            await page.goto("/#/dashboard")
            await expect(page.locator(".widget").first).to_be_visible()
            for number in range(WAVES):
                await _wave(sandbox, context.request, number)
            async with page.expect_response("**/api/dashboard"):
                pass  # the next look, after all has settled
            await page.evaluate("new Promise(requestAnimationFrame)")
            picture = await page.screenshot(full_page=True, clip=await _upper_part(page))
            picture = await shrunk(browser, picture)
            await browser.close()
            return picture


async def _upper_part(page: Page) -> FloatRect:
    """From the dashboard's first widget to the last dead-letter queue: what is looked at first."""
    first = await page.locator(".widget").first.bounding_box()
    last = await page.locator(".widget", has_text="Dead letters: payments").last.bounding_box()
    assert first is not None  # noqa: S101 - it is there
    assert last is not None  # noqa: S101 - likewise
    height = last["y"] + last["height"] - first["y"]
    return {"x": 0, "y": first["y"] - _EDGE, "width": _WIDTH, "height": height + _EDGE + _EDGE // 2}


def main() -> int:
    """Returns the exit status."""
    path = find_browser()
    if path is None:
        print(NOT_FOUND, file=sys.stderr)
        return 2
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(asyncio.run(_take(path)))
    print(f"{PICTURE.relative_to(PROJECT)}  {PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
