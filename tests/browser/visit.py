"""One visit to the page, in a browser of its own cookies, and what must be true of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
)

from relay_sandbox.sandbox import Sandbox

_BEGIN = """() => {
  document.activeElement?.blur();
  document.querySelector(".list-pane")?.scrollTo(0, 0);
  location.hash = "#/events";
  return Boolean(document.querySelector(".live.live")) && !document.querySelector("dialog[open]");
}"""
"""Back to the list; whether the page is live there (not paused, asleep, lost), without a dialog."""


@dataclass
class Visit:
    """A tab. `complaints` is what the browser had to say of it, and where else it asked.

    `document` is the answer with which the page was loaded at first.
    """

    page: Page
    context: BrowserContext
    sandbox: Sandbox
    base: str
    complaints: list[str] = field(default_factory=list)
    document: Response | None = None

    def watch(self) -> None:
        """Note every warning, error, and request to anywhere else."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"warning", "error"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.base + "/", "blob:", "data:")):
            self.complaints.append(f"request to {request.url}")

    def forgive(self, pattern: str) -> None:
        """Take out of the complaints what a test provokes."""
        self.complaints = [one for one in self.complaints if not re.search(pattern, one)]

    def taken_complaints(self) -> list[str]:
        """What there was to complain of since this was asked for."""
        taken, self.complaints = self.complaints, []
        return taken

    async def go(self, address: str) -> None:
        """Open the page at an address such as `#/events`, and wait until it is live."""
        self.document = await self.page.goto(f"{self.base}/{address}")
        await self.page.locator(".live.live").wait_for()

    async def begin(self, window: ViewportSize) -> None:
        """Go to the events as somebody who has just come; load the page anew only if it must be."""
        if self.page.viewport_size != window:
            await self.page.set_viewport_size(window)
        if not await self.page.evaluate(_BEGIN):
            await self.reload()

    async def reload(self) -> None:
        """Load the page anew, and wait until it is live."""
        await self.page.reload()
        await self.page.locator(".live.live").wait_for()

    async def beside(self, base: str) -> Visit:
        """Another tab of this browser, at a page that somebody else serves."""
        visit = Visit(await self.context.new_page(), self.context, self.sandbox, base)
        visit.watch()
        await visit.go("#/events")
        return visit

    async def move(self, address: str) -> None:
        """Go to another view of the page that is open."""
        await self.page.evaluate("(address) => { location.hash = address }", address)

    async def send(self, text: str, **more: Any) -> str:
        """Hand an event in, behind the page's back; return the key of its trace."""
        asked = {"text": text, "kind": "mobile_event", "app_id": "com.example.shop", "by": "sqs"}
        key: str = (await self._post("send", {**asked, **more}))["key"]
        return key

    async def set_fault(self, fault: Mapping[str, object]) -> None:
        """Set a fault, behind the page's back."""
        await self._post("faults", fault)

    async def _post(self, path: str, body: object) -> Any:
        """Past the wire, which may be cut."""
        page = self.sandbox.ready["page"]
        answer = await self.context.request.post(
            f"{page}/api/{path}", data=body, headers={"Origin": page}
        )
        assert answer.ok, await answer.text()
        return await answer.json()

    async def modules(self, names: Iterable[str], code: str, argument: object = None) -> Any:
        """Run a function of the page's modules in the browser: `({day_line}, argument) => ...`."""
        loaded = ", ".join(f"{name}: await import('/{name}.js')" for name in names)
        return await self.page.evaluate(
            f"async (argument) => ({code})({{ {loaded} }}, argument)", argument
        )
