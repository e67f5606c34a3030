"""The page's dashboard in a whole sandbox: what functions write is what the dashboard shows."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from relay_sandbox.dashboard.body import name_of
from relay_sandbox.sandbox import Sandbox
from tests.integration.sandbox.test_page import ask, ended, send

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]


async def numbers(sandbox: Sandbox) -> dict[str, float]:
    board = await ask(sandbox, "dashboard")
    return {one["title"]: one["value"] for one in board["widgets"] if one.get("view") == "number"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def measured(sandbox_for_page: Sandbox) -> Sandbox:
    """A sandbox whose functions have written what they measured of an event over HTTP."""
    sandbox_for_page.stand_in.faults.clear()
    await ended(sandbox_for_page, await send(sandbox_for_page, by="http"))
    async with asyncio.timeout(30):
        while not (await numbers(sandbox_for_page))["Delivered"]:  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.05)  # the line comes through the function's output
    return sandbox_for_page


async def test_dashboard_shows_what_this_sandbox_has_measured(measured: Sandbox) -> None:
    assert (await numbers(measured))["Delivered"] > 0


async def test_every_counter_that_was_written_here_is_on_the_dashboard(measured: Sandbox) -> None:
    """By metric and function: a graph that names a counter of another function stays empty."""
    widgets = [one["properties"] for one in measured.board.widgets]
    lines = [line for one in widgets for line in one.get("metrics", [])]
    shown = {name_of(line) for line in lines if isinstance(line[0], str)}
    told = measured.functions["accept"].settings.environment
    ours = {
        name
        for name in measured.meter.names()
        if name.namespace == told["POWERTOOLS_METRICS_NAMESPACE"] and len(name.dimensions) == 1
    }

    assert ours
    assert {name.metric for name in ours - shown} == set()
