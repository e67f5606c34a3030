"""A sandbox, a browser, and a tab that the tests share.

To load the page costs half a second of the processor, to go to another screen a twentieth of that.
So a test begins in the tab that is open, on the events, with whatever earlier tests handed in; what
they may have left elsewhere (a text in the editor, a choice in a form), it sets itself.

The browser is any Chrome or Chromium of this machine (`finding`). Without one the tests are
skipped, with one line that says so; in CI they fail. Async, because the sandbox lives in the
tests' event loop.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, async_playwright, expect

from relay_sandbox.sandbox import Sandbox
from tests.browser.finding import NOT_FOUND, find_browser
from tests.browser.visit import Visit
from tests.browser.wire import Wire

Open = Callable[..., Awaitable[Visit]]

WINDOW: ViewportSize = {"width": 1440, "height": 900}
FOREIGN_NAME = "evil.example"
"""A name that means this machine for the browser of these tests, as after DNS rebinding."""
_ARGUMENTS = [f"--host-resolver-rules=MAP {FOREIGN_NAME} 127.0.0.1"]
_PATIENCE = 20_000
"""Milliseconds until what is waited for does not come any more, however busy the machine is."""
_ROOT = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def pytest_runtest_setup() -> None:
    """Here and not in a fixture: then all tests are skipped at one place, and told in one line."""
    if find_browser() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NOT_FOUND)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_browser()
    assert path is not None
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *_ROOT])
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(sandbox_for_page: Sandbox) -> Sandbox:
    """A sandbox without faults, which the tests of the page's server use too."""
    sandbox_for_page.stand_in.faults.clear()
    return sandbox_for_page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _tab(browser: Browser, sandbox_for_page: Sandbox, wire: Wire) -> AsyncIterator[Visit]:
    tab = await _opened(browser, sandbox_for_page, f"http://localhost:{wire.port}")
    await tab.go("#/events")
    yield tab
    await tab.context.close()
    assert tab.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def visit(_tab: Visit, sandbox: Sandbox) -> AsyncIterator[Visit]:
    """The shared tab, at 1440 x 900, with the events; at the end it may not have complained."""
    await _tab.begin(WINDOW)
    yield _tab
    assert _tab.taken_complaints() == []


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Open]:
    """Opens tabs of browsers of their own; at the end none of them may have complained."""
    visits: list[Visit] = []
    async with AsyncExitStack() as stack:

        async def open_one(
            address: str = "#/events", *, clock: bool = False, **context: Any
        ) -> Visit:
            visit = await _opened(browser, sandbox, sandbox.ready["page"], **context)
            stack.push_async_callback(visit.context.close)
            visits.append(visit)
            if clock:  # one that a test can put forward
                await visit.page.clock.install()
            await visit.go(address)
            return visit

        yield open_one
        assert [one for visit in visits for one in visit.complaints] == []


async def _opened(browser: Browser, sandbox: Sandbox, base: str, **context: Any) -> Visit:
    """A tab, in a browser of its own, that has not been anywhere yet."""
    made = await browser.new_context(viewport=WINDOW, reduced_motion="reduce", **context)
    made.set_default_timeout(_PATIENCE)
    visit = Visit(await made.new_page(), made, sandbox, base)
    visit.watch()
    return visit
