"""Makes the pictures of the documents: `make pictures` writes docs/pictures/*.png anew.

The real page in a real browser, with a journal that has been told fixed facts at fixed moments
(`tests.support.facts`): made again, the pictures differ by what has changed in the page. What would
need queues (a redrive, webhooks told) is answered here, with what has become of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, Route, async_playwright, expect

from relay.payments.providers.registry import PROVIDERS
from relay_cli.payments.samples import kinds_of
from relay_sandbox.http.server import Server
from relay_sandbox.options import PROJECT
from scripts.picture_file import shrunk
from tests.browser.finding import NOT_FOUND, find_browser
from tests.support.facts import NOW, Facts, at, purchase

FOLDER: Final = PROJECT / "docs" / "pictures"
MOST_BYTES: Final = 150_000
Show = Callable[[Page, str], Awaitable[None]]


# What has happened


def a_busy_hour(facts: Facts) -> None:
    """What the list of events shows: a little of everything."""
    facts.delivered(visit(), "23:52:10", "web")
    facts.delivered(purchase("order-1039", "23:54:40", "49.90"), "23:55:31")
    facts.dead(
        purchase("order-1040", "23:58:02", "1,234.50"),
        "23:58:40",
        outcome="rejected",
        reason="rejected",
    )
    facts.delivered(purchase("order-0988", "2026-11-24T14:12:40Z", "12.00"), "00:00:12")
    held(facts)
    facts.fault(status=503, times=2)
    facts.tried(
        purchase("order-1042", "23:58:12", "19.00"),
        [
            ("00:02:46", "00:02:47", 503),
            ("00:02:52", "00:02:53", 503),
            ("00:04:31", "00:04:31", 200),
        ],
    )
    payment(facts)
    facts.now = NOW


def visit() -> dict[str, Any]:
    """A visit of a web page."""
    event = {
        "user_id": {"customer_user_id": "customer-1"},
        "event_url": "https://www.example.com/shoes",
        "timestamp": round(at("23:51:58").timestamp() * 1000),
        "ip": "192.0.2.7",
        "user_agent": "Mozilla/5.0",
    }
    head = {"app_id": "website-www.example.com", "kind": "web_visit", "event_id": "visit-77"}
    return {**head, "event": event}


def held(facts: Facts) -> None:
    """An event of a customer whom nobody knows yet."""
    facts.now = at("00:01:20")
    whole = purchase("level-12", "00:01:15", "0", customer_user_id="customer-4711")
    whole["event"]["eventName"] = "af_level_achieved"
    del whole["event"]["eventValue"], whole["event"]["eventCurrency"]
    del whole["event"]["appsflyer_id"]
    message_id = facts.put("mobile", whole)
    facts.received(message_id)
    facts.put("mobile", {**whole, "held_since": "2026-11-27T00:01:20.000Z"}, "forward_mobile")
    facts.said(message_id, outcome="held", reason="identity_unknown", rule="M1")
    facts.settled(message_id)


def payment(facts: Facts) -> dict[str, Any]:
    """A refund told before its payment, each of its webhooks once; returns what the page asks."""
    refund = facts.webhook("refund.created", "00:05:40", id="re_1042")
    paid = facts.webhook("invoice.paid", "00:05:41", id="in_1042")
    told = [trace.key for trace in reversed(facts.journal.newest(2))]
    for movement, revenue, message_id in (("in_1042", "9.99", paid), ("re_1042", "-9.99", refund)):
        envelope = purchase(f"stripe-sandbox:{movement}", "00:05:30", revenue)
        envelope["event"]["eventName"] = "af_subscribe"
        body = {**envelope, "source": "stripe-sandbox"}
        event = facts.put("mobile", body, "map_payment")
        trace = facts.newest()
        facts.settled(message_id, "payments")
        facts.received(event)
        facts.asked(trace)
        facts.settled(event)
    stories = [
        _story("refund", "stripe-sandbox:re_1042", told[0]),
        _story("first_payment", "stripe-sandbox:in_1042", told[1]),
    ]
    facts.now = NOW
    kinds = {provider: list(kinds_of(provider)) for provider in PROVIDERS}
    return {"providers": kinds, "stories": stories}


def _story(kind: str, event_id: str, key: str) -> dict[str, Any]:
    told = [{"keys": [key], "status": 200, "how": "right"}]
    head = {"id": event_id, "provider": "stripe", "kind": kind, "tag": "1042"}
    return {**head, "event_id": event_id, "told": told}


def silence(facts: Facts, *, recovered: bool) -> None:
    """AppsFlyer does not answer, and then it does."""
    facts.delivered(purchase("order-1041", "00:04:02", "24.90"), "00:04:10")
    facts.fault(time_out=True)
    tries: list[tuple[str, str, int | None]] = [
        ("00:04:30", "00:04:40", None),
        ("00:04:46", "00:04:56", None),
    ]
    if recovered:
        tries.append(("00:05:31", "00:05:31", 200))
    facts.tried(purchase("order-1043", "23:59:20", "19.00"), tries)
    if recovered:
        facts.stand_in.faults.clear()
    facts.now = NOW if recovered else at("00:05:00")


def letters(facts: Facts) -> list[Any]:
    """Dead letters of two reasons; returns those that a redrive delivers."""
    facts.dead(
        purchase("order-1040", "23:58:02", "1,234.50"),
        "23:58:40",
        outcome="rejected",
        reason="rejected",
    )
    down = {"outcome": "deferred", "reason": "attempts_used_up: status_503", "status": 503}
    found = [
        facts.dead(purchase(f"order-{number}", "23:55:10", f"{number % 90}.90"), "23:59:10", **down)
        for number in (1044, 1045, 1046)
    ]
    facts.now = NOW
    return found


# What is shown of it


async def readme(page: Page, base: str) -> None:
    """The events, with one that was delivered at its third try."""
    await page.goto(f"{base}/#/events/order-1042")
    await expect(page.locator(".steps")).to_be_visible()


async def break_and_mend(page: Page, base: str) -> None:
    """An event with two mistakes, at their lines, with repairs to click."""
    envelope = purchase("order-1040", "23:58:02", "1,234.50", eventCurrency="EURO")
    await page.goto(f"{base}/#/try")
    await page.get_by_label("The event as JSON").fill(json.dumps(envelope, indent=2))
    await expect(page.locator(".findings")).to_contain_text("M5")


async def order_1043(page: Page, base: str) -> None:
    """The event that met with silence."""
    await page.goto(f"{base}/#/events/order-1043")
    await expect(page.locator(".steps")).to_be_visible()


def redrive(facts: Facts, redriven: list[Any]) -> Show:
    """Three dead letters are redriven, and delivered."""

    async def done(route: Route) -> None:
        for trace in redriven:
            facts.redriven(trace, "00:06:10")
        facts.now = NOW
        await route.fulfill(json={"done": len(redriven), "left": 0, "dead_letters": 1})

    async def show(page: Page, base: str) -> None:
        await page.route("**/api/dead-letters/redrive", done)
        await page.goto(f"{base}/#/dead-letters")
        await page.get_by_role("button", name="Redrive 3").click()
        await expect(page.locator("#redriven")).to_contain_text("all have ended")

    return show


def refund(told: dict[str, Any]) -> Show:
    """A refund that was told before its payment."""

    async def show(page: Page, base: str) -> None:
        await page.route("**/api/payments", lambda route: route.fulfill(json=told))
        await page.goto(f"{base}/#/payments")
        await page.get_by_label("Order").select_option("reversed")
        await expect(page.locator(".story")).to_have_count(2)

    return show


# Taking them


async def take(browser: Browser, facts: Facts, name: str, show: Show, scheme: Any) -> None:
    """One picture: a server of the page for these facts, a tab of a fixed size at a fixed time."""
    context = await browser.new_context(
        viewport={"width": 1320, "height": 825},
        color_scheme=scheme,
        timezone_id="UTC",
        locale="en-US",
        reduced_motion="reduce",
    )
    async with Server(facts.page().handle) as server:
        page = await context.new_page()
        await page.clock.set_fixed_time(facts.now)
        await show(page, f"http://localhost:{server.port}")
        await expect(page.locator(".live.live")).to_be_visible()
        await page.evaluate("document.activeElement?.blur()")
        picture = await page.screenshot()
        await context.close()
    (FOLDER / f"{name}.png").write_bytes(await shrunk(browser, picture))


async def take_all(path: str) -> None:
    """All pictures of the documents."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, scheme in (("page", "light"), ("page-dark", "dark")):
            a_busy_hour(facts := Facts())
            await take(browser, facts, name, readme, scheme)
        a_busy_hour(facts := Facts())
        await take(browser, facts, "1-break", break_and_mend, "light")
        for name, recovered in (("2-fault", False), ("3-recovery", True)):
            silence(facts := Facts(), recovered=recovered)
            await take(browser, facts, name, order_1043, "light")
        redriven = letters(facts := Facts())
        await take(browser, facts, "4-redrive", redrive(facts, redriven), "light")
        told = payment(facts := Facts())
        await take(browser, facts, "5-refund", refund(told), "light")
        await browser.close()


def main() -> int:
    """Make them, and say how large each is; 1 if one is too large."""
    path = find_browser()
    if path is None:
        print(NOT_FOUND, file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    asyncio.run(take_all(path))
    sizes = {one: one.stat().st_size for one in sorted(FOLDER.glob("*.png"))}
    for picture, size in sizes.items():
        print(f"{picture.relative_to(Path.cwd())}  {size / 1000:.0f} kB")
    return int(max(sizes.values()) > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
