"""Lines from a stream that arrives in pieces of any size."""

import json
import os
import threading
from collections.abc import Iterator
from itertools import chain

import pytest

from relay_cli.check.ndjson import answer
from relay_cli.input.event import Defaults
from relay_cli.input.ndjson import MAX_LINE_BYTES, batches
from tests.support.every import every


def _lines(*pieces: bytes) -> list[bytes | None]:
    """The lines of a pipe that the pieces are written to, one after the other."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            for piece in pieces:
                pipe.write(piece)
                pipe.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return list(chain.from_iterable(batches(reading)))
    finally:
        thread.join()
        os.close(reading)


@every(
    "pieces, expected",
    [
        ((), []),
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a\nb",), [b"a", b"b"]),
        ((b"a", b"b\nc", b"\n"), [b"ab", b"c"]),
        ((b"\n\n",), [b"", b""]),
        ((b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n",), [b"a", b"\xef\xbb\xbfb"]),
        ((b"\xef\xbb", b"\xbfa"), [b"a"]),
        ((b"a\r\n",), [b"a\r"]),
    ],
)
def test_batches_give_the_lines_however_they_come(
    pieces: tuple[bytes, ...], expected: list[bytes]
) -> None:
    assert _lines(*pieces) == expected


@pytest.mark.parametrize("end", [b"\n", b""])
def test_batches_line_of_the_largest_size_is_whole_and_a_longer_one_is_none(end: bytes) -> None:
    longest = b"x" * MAX_LINE_BYTES

    assert _lines(b"a\n", longest + b"\n", longest + b"x\n", b"b\n", longest + b"x" + end) == [
        b"a",
        longest,
        None,
        b"b",
        None,
    ]


def test_batches_of_a_waiting_pipe_give_what_is_there() -> None:
    reading, writing = os.pipe()
    found: Iterator[list[bytes | None]] = batches(reading)

    for _ in range(2):
        os.write(writing, b"a\nb\nunfinished")
        assert next(found)[-2:] in ([b"a", b"b"], [b"unfinisheda", b"b"])
    os.close(writing)
    assert list(found) == [[b"unfinished"]]
    os.close(reading)


def test_answer_is_one_line_for_every_reader_and_its_body_exact() -> None:
    """Python's `splitlines`, for one, splits at U+0085, U+2028 and U+2029."""
    name = "a\x85b\u2028c\u2029d"
    event = {"appsflyer_id": "1-1", "eventName": name, "os": "1", "bundleIdentifier": "b"}
    line = {"id": name, "kind": "mobile_event", "app_id": "com.example.shop", "event": event}

    text = answer(json.dumps(line).encode(), Defaults()).decode()

    assert len(text.splitlines()) == 1
    result = json.loads(text)
    assert result["id"] == name
    assert name in result["body"]


def test_answer_after_an_internal_error_is_a_reject_without_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("relay_cli.check.ndjson.from_line", fail)

    line = answer(b'{"id": "1"}', Defaults())

    assert b'"reject"' in line
    assert b"secret" not in line
