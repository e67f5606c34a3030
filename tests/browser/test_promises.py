"""What is true of every screen: for all eyes, at all widths, alone with its sandbox, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from relay_sandbox.http.server import Server
from relay_sandbox.page.stream import MOST_ROWS
from relay_sandbox.sandbox import Sandbox
from tests.browser.conftest import FOREIGN_NAME, Open
from tests.browser.test_ways import event, row
from tests.browser.visit import Visit
from tests.browser.wire import Wire
from tests.support.facts import NOW, Facts

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
SCREENS = {
    "#/events/promise-1?q=id:promise-1": ".steps",
    "#/events?q=nowhere:x id:promise-1": ".problem",
    "#/try": ".read figure",
    "#/payments": ".providers li",
    "#/dead-letters": ".letter",
    "#/faults": ".cards",
    "#/dashboard": ".widget",
    "#/identities": ".page section",  # the last, with the fewest elements below the help
}
"""Every screen by its address, and what shows that it is there."""


async def _filled(visit: Visit) -> None:
    """An event, a dead letter and a fault, so that no screen is empty."""
    await visit.send(event("promise-1"))
    await visit.send(event("promise-dead", event={"eventValue": {"af_revenue": "1,5"}}))
    await visit.page.locator(".chip.bad").first.wait_for()
    await visit.set_fault({"status": 503, "event_name": "af_nobody_sends_this"})


Scheme = Literal["light", "dark"]
ALL_RULES: dict[str, object] = {}
RULES_ON_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
"""The rules of axe's that may say something else in another scheme."""


async def _violations(page: Page, part: str | None, rules: Mapping[str, object]) -> list[str]:
    """What axe finds in a part of the page; without one in all of it, with the page's own rules."""
    found: list[str] = await page.evaluate(
        """async ([part, rules]) =>
             (await axe.run(part ?? document, { resultTypes: ["violations"], ...rules })).violations
               .flatMap(({ id, nodes }) => nodes.slice(0, 2).map(({ html, failureSummary }) =>
                 `${id}: ${html.slice(0, 160)} ${failureSummary.slice(-200)}`))""",
        [part, rules],
    )
    return found


async def test_axe_has_nothing_to_say_of_any_screen_in_light_and_dark_wide_and_narrow(
    visit: Visit,
) -> None:
    await _filled(visit)
    await visit.page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for address, sign in SCREENS.items():
        await visit.move(address)
        await visit.page.locator(sign).first.wait_for(state="attached")
        # The frame is the same around all screens.
        found[address] = await _violations_in_all_looks(visit.page, "#main" if found else None)
    await visit.page.get_by_role("button", name="Help and settings").click()
    found["help"] = await _violations_in_all_looks(visit.page, "#help")
    await visit.page.keyboard.press("Escape")
    await visit.page.emulate_media(color_scheme="null")

    assert {address: one for address, one in found.items() if one} == {}


async def _violations_in_all_looks(page: Page, part: str | None) -> list[str]:
    """All rules in the light, at both widths; in the dark those on colours, in what is new."""
    found = await _violations_at_both_widths(page, "light", None, ALL_RULES)
    return found + await _violations_at_both_widths(page, "dark", part, RULES_ON_COLOURS)


async def _violations_at_both_widths(
    page: Page, scheme: Scheme, part: str | None, rules: Mapping[str, object]
) -> list[str]:
    await page.emulate_media(color_scheme=scheme)
    found = []
    for width in (1440, 390):
        await page.set_viewport_size({"width": width, "height": 900})
        found += [f"{scheme}, {width} px: {one}" for one in await _violations(page, part, rules)]
    return found


async def test_no_screen_scrolls_sideways_on_the_narrowest_phone(visit: Visit) -> None:
    await visit.page.set_viewport_size({"width": 320, "height": 640})
    await _filled(visit)
    widths = {}
    for address, sign in SCREENS.items():
        await visit.move(address)
        await visit.page.locator(sign).first.wait_for(state="attached")
        widths[address] = await visit.page.evaluate("document.documentElement.scrollWidth")

    assert {address: width for address, width in widths.items() if width > 320} == {}


async def test_every_row_of_a_full_list_is_drawn(visit: Visit) -> None:
    facts = Facts()
    for _ in range(MOST_ROWS):
        facts.journal.begin("mobile_event", "sqs", NOW)
    async with Server(facts.page().handle) as server:
        full = await visit.beside(f"http://localhost:{server.port}")
        await expect(full.page.locator(".events tbody tr")).to_have_count(MOST_ROWS)
        await full.page.close()
    assert full.complaints == []


async def test_nothing_is_missing_after_the_stream_was_lost(wire: Wire, visit: Visit) -> None:
    await visit.send(event("promise-before"))
    await expect(row(visit.page, "promise-before")).to_be_visible()
    try:
        wire.cut()
        await expect(visit.page.locator(".live.lost")).to_contain_text("trying again")
        for number in range(3):
            await visit.send(event(f"promise-meanwhile-{number}"))
    finally:
        wire.mend()

    await expect(visit.page.locator(".live.live")).to_be_visible()
    for number in range(3):
        found = row(visit.page, f"promise-meanwhile-{number}")
        await expect(found.locator(".chip").first).to_have_text("✓ delivered")
    visit.forgive("ERR_|Failed to load")  # the browser says itself that it was cut


async def test_a_hidden_tab_asks_for_nothing_and_catches_up_without_starting_anew(
    visit: Visit,
) -> None:
    page = visit.page
    asked: list[str | None] = []
    page.on(
        "request",
        lambda one: (
            asked.append(one.headers.get("last-event-id"))
            if one.url.endswith("/api/stream")
            else None
        ),
    )
    await _hide(page, hidden=True)
    await expect(page.locator(".live.hidden")).to_be_visible()
    await visit.send(event("promise-hidden"))
    await _hide(page, hidden=False)

    await expect(row(page, "promise-hidden")).to_be_visible()
    assert len(asked) == 1
    assert asked[0]


async def _hide(page: Page, *, hidden: bool) -> None:
    await page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def test_what_happens_is_summed_up_for_those_who_do_not_see_it(
    open_page: Open,
) -> None:
    visit = await open_page(clock=True)
    for number in range(2):
        await visit.send(event(f"promise-said-{number}"))

    await expect(row(visit.page, "promise-said-1").locator(".chip.good").first).to_be_visible()
    await visit.page.clock.fast_forward(5_000)
    summary = visit.page.get_by_role("status").first
    await expect(summary).to_contain_text("delivered")
    await expect(summary).to_have_attribute("aria-live", "polite")


async def test_a_scheme_that_is_chosen_is_kept(visit: Visit) -> None:
    page = visit.page
    back = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(back)
    await page.keyboard.press("?")
    colours = page.get_by_label("Colours")
    await colours.select_option("dark")
    dark = await page.evaluate(back)
    await visit.reload()
    kept = await page.evaluate(back)
    await page.keyboard.press("?")
    await colours.select_option("as the system has them")
    await page.keyboard.press("Escape")

    assert light != dark
    assert (kept, await page.evaluate(back)) == (dark, light)


async def test_the_page_runs_no_script_and_takes_no_style_but_its_own(visit: Visit) -> None:
    assert visit.document is not None
    policy = visit.document.headers["content-security-policy"]
    ran = await visit.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          return window.ran ?? false;
        }"""
    )

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert ran is False
    assert any("Content Security Policy" in one for one in visit.complaints)
    visit.forgive("Content Security Policy")


@asynccontextmanager
async def elsewhere(page: str) -> AsyncIterator[int]:
    """A server of somebody else's that has this one page; gives its port."""
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{page}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(answer.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


ATTACK = """async (targets) => {
  const said = [];
  for (const [address, method, mode] of targets) {
    const headers = mode === "cors" ? { "Content-Type": "application/json" } : {};
    const body = method === "POST" ? '{"status": 503}' : undefined;
    try {
      const answer = await fetch(address, { method, mode, headers, body });
      said.push(answer.type === "opaque" ? "opaque" : "read " + address);
    } catch { said.push("refused"); }
  }
  return said;
}"""
TARGETS = {
    "page": ["/", "/api/state", "/api/stream", "/api/faults", "/api/send"],
    "stand_in": ["/_standin/faults", "/_standin/events"],
    "api": ["/v1/mobile/com.example.shop/events", "/v1/health"],
    "aws": ["/"],
}


@pytest.mark.parametrize("home", [FOREIGN_NAME, "localhost"])
async def test_no_page_of_another_origin_can_use_or_read_any_listener(
    visit: Visit, sandbox: Sandbox, home: str
) -> None:
    """Under the name of a site of its own, and from another program's page on this machine."""
    addresses = [sandbox.ready[name] + path for name, paths in TARGETS.items() for path in paths]
    addresses.extend(one.replace("localhost", FOREIGN_NAME) for one in addresses[:5])  # rebinding
    targets = [
        (address, method, mode)
        for address in addresses
        for method in ("GET", "POST")
        for mode in ("no-cors", "cors")
    ]
    before = (sandbox.journal.handed_in, len(sandbox.stand_in.ledger))
    page = await visit.context.new_page()
    statuses: dict[str, int] = {}
    async with elsewhere("<!doctype html><title>Somebody else</title>") as port:
        await page.goto(f"http://{home}:{port}/")
        page.on("response", lambda answer: statuses.update({answer.url: answer.status}))
        said = await page.evaluate(ATTACK, targets)
    await page.close()

    assert set(said) <= {"opaque", "refused"}
    assert {url: status for url, status in statuses.items() if status != 403} == {}
    assert len(statuses) == len(addresses)
    assert sandbox.stand_in.faults.as_json() == []
    assert (sandbox.journal.handed_in, len(sandbox.stand_in.ledger)) == before


async def test_another_site_cannot_show_the_page_in_a_frame(visit: Visit, sandbox: Sandbox) -> None:
    page = await visit.context.new_page()
    frame = f"<iframe src='{sandbox.ready['page']}/'></iframe>"
    async with elsewhere(frame) as port:
        await page.goto(f"http://{FOREIGN_NAME}:{port}/")
    inside = [await one.locator("nav").count() for one in page.frames[1:]]
    await page.close()

    assert inside == [0]
