"""The page's graphs, in the browser: from values to the points that SVG draws, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.visit import Visit

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]


async def called(visit: Visit, code: str) -> Any:
    """What an expression about the module `graph` comes to."""
    return await visit.page.evaluate(
        f"async () => {{ const graph = await import('/graph.js'); return {code}; }}"
    )


async def test_line_has_a_gap_where_nothing_was_told_and_a_stroke_for_a_lone_point(
    visit: Visit,
) -> None:
    found = await called(visit, "graph.lines({ points: [1, null, 2, 4] }, 4)")

    assert found == [
        "0.0,75.0 90.0,75.0",
        "180.0,50.0 270.0,50.0 270.0,0.0 360.0,0.0",
    ]


async def test_areas_stand_on_one_another(visit: Visit) -> None:
    found = await called(
        visit, "graph.areas([{ points: [1] }, { points: [3] }], 4).map((one) => one[1])"
    )

    assert found == [
        "0.0,75.0 360.0,75.0 360.0,100.0 0.0,100.0",
        "0.0,0.0 360.0,0.0 360.0,75.0 0.0,75.0",
    ]


async def test_mark_counts_for_the_height_only_if_it_is_near(visit: Visit) -> None:
    line = "lines: [{ side: 'left', points: [null, 10] }]"
    graph = "{ stacked: false, " + line + ", marks: [{ side: 'left', value: %d }] }"

    assert await called(visit, f"graph.most({graph % 40}, 'left')") == 40
    assert await called(visit, f"graph.most({graph % 41}, 'left')") == 10


async def test_amounts_are_written_as_people_read_them(visit: Visit) -> None:
    found = await called(visit, "[0, 0.25, 5.04, 1234, 864000].map(graph.amount)")

    assert found == ["0", "0.3", "5", "1,234", "864k"]
