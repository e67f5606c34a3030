"""One visit to the page, in a browser of its own cookies, and what must be true of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request

from relay_sandbox.sandbox import Sandbox


@dataclass
class Visit:
    """A tab. `complaints` is what the browser had to say of it, and where else it asked."""

    page: Page
    context: BrowserContext
    sandbox: Sandbox
    base: str
    complaints: list[str] = field(default_factory=list)

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

    async def go(self, address: str) -> None:
        """Open the page at an address such as `#/events`, and wait until it is live."""
        await self.page.goto(f"{self.base}/{address}")
        await self.page.locator(".live.live").wait_for()

    async def move(self, address: str) -> None:
        """Go to another view of the page that is open."""
        await self.page.evaluate("(address) => { location.hash = address }", address)

    async def send(self, text: str, **more: Any) -> str:
        """Hand an event in, behind the page's back; return the key of its trace."""
        asked = {"text": text, "kind": "mobile_event", "app_id": "com.example.shop", "by": "sqs"}
        answer = await self.context.request.post(
            f"{self.base}/api/send", data={**asked, **more}, headers={"Origin": self.base}
        )
        assert answer.ok, await answer.text()
        key: str = (await answer.json())["key"]
        return key

    async def modules(self, names: Iterable[str], code: str, argument: object = None) -> Any:
        """Run a function of the page's modules in the browser: `({day_line}, argument) => ...`."""
        loaded = ", ".join(f"{name}: await import('/{name}.js')" for name in names)
        return await self.page.evaluate(
            f"async (argument) => ({code})({{ {loaded} }}, argument)", argument
        )
