"""The page's pure modules, in the browser: the day line, JSON with places, the search.

The expected values are worked out by hand from rules T2, T3, T7, T8 and T11.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.visit import Visit

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]

DAY = 30 * 60  # minutes of a line: 00:00 to 06:00 of the next day
KEPT = {"source": "event", "rule": "T2", "sure": True}
LATE = {"source": "arrival", "rule": "T3", "sure": True}


def trace(own: str | None, arrival: str | None, **more: Any) -> dict[str, Any]:
    """A mobile event of 26 November, whose deadline is 02:00 UTC of the next day."""
    return {
        "kind": "mobile_event",
        "zone": "UTC",
        "outcome": "delivered",
        "own_time": own and f"2026-11-{own}Z",
        "came_in": f"2026-11-{arrival or own}Z",
        "arrival": arrival and f"2026-11-{arrival}Z",
        "deadline": "2026-11-27T01:59:59.999Z" if own else None,
        "recorded": None,
        "ended": "2026-11-27T03:00:00Z",
        **more,
    }


IN_TIME = trace("26T23:58:12", "27T00:04:31", recorded={**KEPT, "time": "2026-11-26T23:58:12Z"})
TOO_LATE = trace("26T12:00:00", "28T11:00:00", recorded={**LATE, "time": "2026-11-28T11:00:00Z"})
OPEN = trace("26T12:00:00", None, outcome="waiting", ended=None)
WOULD_BE = {**KEPT, "time": "2026-11-26T12:00:00Z", "sure": False}
BROKEN = trace("26T12:00:00", None, outcome="rejected", recorded=WOULD_BE)
LETTER = trace("26T12:00:00", "26T12:00:01", outcome="dead_letter")
WEB = {
    **trace("26T22:58:12", "26T23:04:31"),
    "kind": "web_event",
    "zone": "Europe/Berlin",  # there it is 23:58:12
    "deadline": "2026-11-26T23:29:59.999Z",
    "recorded": {"source": "event", "rule": "T7", "sure": True, "time": "2026-11-26T22:58:12Z"},
}
SUMMER_ENDS = {
    **WEB,
    "own_time": "2026-10-25T11:00:00Z",  # the day in Berlin has 25 hours
    "arrival": "2026-10-25T11:00:01Z",
    "came_in": "2026-10-25T11:00:00Z",
    "deadline": "2026-10-25T23:29:59.999Z",
}
SAID = [
    (IN_TIME, "keeps 26 Nov"),
    (TOO_LATE, "counts on 28 Nov (T3)"),
    (OPEN, "until 27 Nov 02:00"),
    (BROKEN, "until 27 Nov 02:00"),
    (LETTER, "until 27 Nov 02:00"),
    (WEB, "keeps 26 Nov"),
]
SENTENCES = """
AppsFlyer counts it on 26 Nov, at its own time (T2). It arrived 1 h 55 min before the deadline.
AppsFlyer counts it on 28 Nov, when it arrived, and not on 26 Nov. It arrived 33 h after the \
deadline (T3).
It keeps its day if it arrives before 27 Nov 02:00 UTC: then AppsFlyer counts it on 26 Nov. 1 h \
left.
Mend it before 27 Nov 02:00 UTC and it still counts on 26 Nov: 1 h left.
Redrive it before 27 Nov 02:00 UTC and it still counts on 26 Nov: 1 h left.
AppsFlyer counts it on 26 Nov, at its own time (T7). It arrived 25 min before the deadline.
"""
"""Of each of them, at the moment `NOW`."""
NOW = "2026-11-27T01:00:00Z"


async def test_a_day_line_says_which_day_counts_and_why(visit: Visit) -> None:
    said = await visit.modules(
        ["day_line"],
        """({ day_line }, [traces, now]) => traces.map((one) =>
             [day_line.caption(one).text, day_line.daySentence(one, Date.parse(now))])""",
        [[one for one, _ in SAID], NOW],
    )

    assert [caption for caption, _ in said] == [caption for _, caption in SAID]
    assert [sentence for _, sentence in said] == SENTENCES.strip().splitlines()


async def test_a_day_line_is_the_events_own_day_in_the_zone_of_its_rule(visit: Visit) -> None:
    lines = await visit.modules(
        ["day_line"],
        "({ day_line }, traces) => traces.map((one) => day_line.dayLine(one))",
        [IN_TIME, TOO_LATE, WEB, SUMMER_ENDS],
    )
    in_time, too_late, web, summer_ends = (line["main"] for line in lines)

    assert in_time["own"] == pytest.approx((23 * 60 + 58 + 12 / 60) / DAY)
    assert in_time["deadline"] == pytest.approx(26 * 60 / DAY)
    assert in_time["midnight"] == pytest.approx(24 * 60 / DAY)
    assert (too_late["arrival"], too_late["beyond"]) == (1, "after")
    assert web["own"] == pytest.approx(in_time["own"])  # by the clock of Berlin
    assert web["deadline"] == pytest.approx((24 * 60 + 30) / DAY)
    assert summer_ends["own"] == pytest.approx(13 / 31)
    assert summer_ends["midnight"] == pytest.approx(25 / 31)


async def test_only_what_happened_around_midnight_is_drawn_closer(visit: Visit) -> None:
    zoomed = await visit.modules(
        ["day_line"],
        "({ day_line }, traces) => traces.map((one) => day_line.dayLine(one).zoomed)",
        [IN_TIME, TOO_LATE, OPEN, trace("26T23:58:12", "27T01:58:00")],
    )
    near, far, still_open, just_in_time = zoomed

    assert 0 < near["own"] < near["midnight"] < near["arrival"] < 1
    assert near["deadline"] is None  # it is far from there
    assert [far, still_open] == [None, None]
    assert just_in_time["arrival"] < just_in_time["deadline"] < 1


async def test_a_day_line_as_text_has_what_it_shows(visit: Visit) -> None:
    kinds = "received answered waits received silent waits received waits received answered"
    steps = [
        {"kind": kind, "status": status, "at": f"2026-11-27T00:03:{second:02}Z"}
        for second, (kind, status) in enumerate(
            zip(kinds.split(), [None, 503, *[None] * 7, 200], strict=True)
        )
    ]  # refused, not answered, and never there, before the last
    said = await visit.modules(
        ["day_line"],
        "({ day_line }, one) => day_line.describe(one)",
        {**IN_TIME, "steps": steps},
    )

    assert said == (
        "Day line of 26 Nov (UTC): happened 26 Nov 23:58:12, came in here 27 Nov 00:04:31, "
        "arrived there 27 Nov 00:04:31, deadline before 27 Nov 02:00, "
        "recorded 26 Nov 23:58:12 (T2), 3 failed tries."
    )


PLACES = [
    ('{"a": {"b": [1, "x"]}}', ["a", "b", 1], '"x"'),
    ('{"a": 1}\n{"b": 2}', [1, "b"], "2"),
    ('[{"a": "\\u00e9\\""}]', [0, "a"], '"\\u00e9\\""'),
    ('{"a": {"b": 1}}', ["a", "missing"], '{"b": 1}'),  # the nearest around it
]
ERRORS = [
    ('{"a": 1,}', 1, 9, "comma too many"),
    ('{"a" 1}', 1, 6, "colon"),
    ('{\n  "a": tru\n}', 2, 8, "value"),
    ("{'a': 1}", 1, 2, "double quotes"),
    ('{"a": "x\ny"}', 1, 7, "does not end"),
    ('{"a": 1', 1, 8, "ends where"),
    ('{"a": 1} x', 1, 10, "nothing may follow"),
    ("", 1, 1, "nothing here"),
    ("[" * 300, 1, 202, "too deeply"),
]


async def test_json_is_read_with_the_place_of_each_value_and_of_what_breaks_it(
    visit: Visit,
) -> None:
    texts = [[text, path] for text, path, _ in PLACES]
    places = await visit.modules(
        ["json_text"],
        """({ json_text }, all) => all.map(([text, path]) =>
             text.slice(...json_text.place(json_text.read(text), path).value))""",
        texts,
    )
    errors = await visit.modules(
        ["json_text"],
        "({ json_text }, all) => all.map((text) => json_text.read(text).error)",
        [text for text, *_ in ERRORS],
    )

    assert places == [expected for *_, expected in PLACES]
    assert [(one["line"], one["column"]) for one in errors] == [e[1:3] for e in ERRORS]
    assert [e for e, one in zip(ERRORS, errors, strict=True) if e[3] not in one["message"]] == []


ROW = {
    "key": "t-1", "event_id": "order-1042", "app_id": "com.example.shop", "name": "af_purchase",
    "kind": "mobile_event", "source": "payments:stripe", "outcome": "refused",
    "rules": ["M4", "T3"],
    "reason": "bad_request", "revenue": "4.99", "currency": "EUR", "own_time": "x", "ended": "x",
    "recorded": {"source": "arrival"}, "times_recorded": 2, "marks": ["uncertain"],
}  # fmt: skip
FITS = {
    "": True, "1042": True, "ORDER": True, "nowhere": False, "-nowhere": True,
    "outcome:refused": True,
    "outcome:dead": True, "outcome:held": False, "-outcome:held": True, "rule:m4": True,
    "rule:M1": False, "app:shop id:order": True, "app:shop id:other": False, "source:stripe": True,
    'name:"af_purchase"': True, "currency:eur": True, "is:late": True, "is:money": True,
    "is:twice": True, "is:uncertain": True, "is:open": False, "reason:bad": True, "kind:web": False,
}  # fmt: skip


async def test_a_search_finds_what_it_says_and_names_what_it_does_not_know(visit: Visit) -> None:
    said = await visit.modules(
        ["search"],
        """({ search }, [row, queries]) => queries.map((query) => search.parseQuery(query))
             .map(({ test, problem }) => [test(row), problem])""",
        [ROW, [*FITS, "colour:red", "is:blue"]],
    )

    assert dict(zip(FITS, (fits for fits, _ in said), strict=False)) == FITS
    assert [problem for _, problem in said[: len(FITS)] if problem] == []
    assert [problem[:14] for _, problem in said[len(FITS) :]] == [
        "There is no co",
        "is: takes late",
    ]
