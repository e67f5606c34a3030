"""A sandbox, a browser, and a tab for each test.

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
from playwright.async_api import Browser, async_playwright

from relay_sandbox.sandbox import Sandbox
from tests.browser.finding import NOT_FOUND, find_browser
from tests.browser.visit import Visit

Open = Callable[..., Awaitable[Visit]]

FOREIGN_NAME = "evil.example"
"""A name that means this machine for the browser of these tests, as after DNS rebinding."""
_ARGUMENTS = [f"--host-resolver-rules=MAP {FOREIGN_NAME} 127.0.0.1"]
_ROOT = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def pytest_runtest_setup() -> None:
    """Here and not in a fixture: then all tests are skipped at one place, and told in one line."""
    if find_browser() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NOT_FOUND)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_browser()
    assert path is not None
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *_ROOT])
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(sandbox_for_page: Sandbox) -> Sandbox:
    """A sandbox without faults, which the tests of the page's server use too."""
    sandbox_for_page.stand_in.faults.clear()
    return sandbox_for_page


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Open]:
    """Opens tabs; at the end none of them may have had anything to complain of."""
    visits: list[Visit] = []
    async with AsyncExitStack() as stack:

        async def open_one(
            address: str = "#/events", *, base: str = sandbox.ready["page"], **context: Any
        ) -> Visit:
            made = await browser.new_context(
                **{"viewport": {"width": 1440, "height": 900}, **context}
            )
            stack.push_async_callback(made.close)
            made.set_default_timeout(10_000)
            visit = Visit(await made.new_page(), made, sandbox, base)
            visits.append(visit)
            visit.watch()
            await visit.go(address)
            return visit

        yield open_one
        assert [one for visit in visits for one in visit.complaints] == []


@pytest_asyncio.fixture(loop_scope="session")
async def visit(open_page: Open) -> Visit:
    """A tab at 1440 x 900, with the events."""
    return await open_page()
