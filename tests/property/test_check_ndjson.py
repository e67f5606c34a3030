"""`relay check --ndjson`, whatever its lines are: an answer for each, in the same order."""

import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.exact_json import UnwritableError, dumps, loads
from relay_cli.check.ndjson import answer
from relay_cli.input.event import Defaults
from relay_cli.input.ndjson import batches
from tests.property.strategies import any_text, json_values, kinds, near_valid_events
from tests.support.builders import MOBILE_APP, WEB_APP, make_web_visit

CASES = Path(__file__).parents[1] / "data" / "appsflyer_events.ndjson"
DEFAULTS = Defaults(arrival=datetime(2026, 3, 2, 12, tzinfo=UTC))

cases = st.sampled_from(CASES.read_bytes().splitlines())
"""Lines as senders write them, good and bad."""


@st.composite
def _made_up_lines(draw: st.DrawFn) -> bytes:
    """A line-object with an event that is nearly right, and anything at all beside it."""
    kind = draw(kinds)
    event = draw(near_valid_events(kind))
    app_id = MOBILE_APP if kind == "mobile_event" else WEB_APP
    names = st.sampled_from(["id", "arrival", "time_zone", "phone_region", "kind", "app_id", ""])
    others = draw(st.dictionaries(names | any_text, json_values, max_size=2))
    line = {"kind": kind, "app_id": app_id, "event": event, **others}
    try:
        return dumps(line)
    except UnwritableError:  # half characters, and numbers that only text can hold
        return json.dumps(line, default=str).encode()


_PIECES = [
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\0", b"\r", b"\xff", b"\xef\xbb\xbf"),
    *(b"NaN", b"-Infinity", b"1e999999999", b"-0", b"00", b"1" * 5_000, b"null", b"true"),
    *(b"\\ud800", b"\\u0000", b"\\udfff\\ud800", b"\xed\xa0\x80", "😀".encode()),
    *(b"[" * 3_000, b'{"a":' * 3_000, b"x" * 5_000),
    *(b'"app_id":"id1",', b'"event":5,', b'"id":{},', b'"kind":"web_visit",'),
]

Change = Callable[[bytes, int, int, bytes], bytes]
_CHANGES: Sequence[Change] = (
    lambda line, start, _end, piece: line[:start] + piece + line[start:],
    lambda line, start, end, piece: line[:start] + piece + line[end:],
    lambda line, start, end, _piece: line[:start] + line[end:],
    lambda line, start, end, _piece: line[:end] + line[start:],  # a part of it twice
    lambda line, start, _end, _piece: line[:start],
)


@st.composite
def _mutated(draw: st.DrawFn, lines: st.SearchStrategy[bytes]) -> bytes:
    line = draw(lines)
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(line))] * 2)))
        piece = draw(st.sampled_from(_PIECES) | st.binary(max_size=4))
        line = draw(st.sampled_from(_CHANGES))(line, start, end, piece)
    return line


any_line = st.one_of(
    st.binary(max_size=60),
    cases,
    _mutated(cases),
    _made_up_lines(),
    _mutated(_made_up_lines()),
).map(lambda line: line.replace(b"\n", b" "))


def _answers(stream: bytes, read_bytes: int) -> list[bytes]:
    with tempfile.TemporaryFile() as file:
        file.write(stream)
        file.seek(0)
        lines = chain.from_iterable(batches(file.fileno(), read_bytes))
        return [answer(line, DEFAULTS) for line in lines]


def _marker(number: int) -> bytes:
    line = {"id": number, "kind": "web_visit", "app_id": WEB_APP, "event": make_web_visit()}
    return json.dumps(line).encode()


def _is_an_answer(written: bytes) -> bool:
    """One line of JSON with a verdict, and findings where it is a rejection."""
    said: dict[str, Any] = loads(written)
    return (
        written.count(b"\n") == 1
        and written.endswith(b"}\n")
        and said.keys() == {"id", "verdict", "url", "body", "findings", "recorded", "deadline"}
        and said["verdict"] in ("send", "reject")
        and (said["body"] is None) == (said["verdict"] == "reject")
        and (said["verdict"] == "send" or said["findings"] != [])
    )


@given(
    st.lists(any_line, min_size=1, max_size=6), st.sampled_from([1, 2, 61, 65_536]), st.booleans()
)
def test_check_ndjson_answers_each_line_once_and_in_order_and_never_fails(
    lines: list[bytes],
    read_bytes: int,
    ends_with_newline: bool,  # noqa: FBT001 - Hypothesis hands it in so
) -> None:
    """Each line is followed by a marker, whose answer shows where in the order we are."""
    stream = b"\n".join(chain.from_iterable((line, _marker(n)) for n, line in enumerate(lines)))

    answers = _answers(stream + b"\n" * ends_with_newline, read_bytes)

    assert len(answers) == 2 * len(lines)
    for number, (said, marked) in enumerate(zip(answers[::2], answers[1::2], strict=True)):
        assert _is_an_answer(said)
        assert b"fault of relay's own" not in said
        assert loads(marked)["id"] == number
        assert loads(marked)["verdict"] == "send"
