import pytest

from relay.http1.errors import NotHttpError
from relay.http1.response_parser import LARGEST_ANSWER, LARGEST_HEAD, ResponseParser
from tests.support.every import every

Read = tuple[int | None, bytes, bool]
"""Status, body, whether the connection may be used again."""


def read(*parts: bytes) -> Read:
    """Reads a complete answer, handed over in these parts."""
    reader = ResponseParser()
    assert [reader.feed(part) for part in parts] == [False] * (len(parts) - 1) + [True]
    return reader.status, reader.body, reader.reusable


def read_until_closed(*parts: bytes) -> Read:
    """Reads an answer that only the end of the connection completes."""
    reader = ResponseParser()
    assert not any(reader.feed(part) for part in parts)
    assert reader.end()
    return reader.status, reader.body, reader.reusable


@every(
    "answer, expected",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", (200, b"OK", True)),
        (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nOK", (200, b"OK", True)),
        (b"HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n", (202, b"", True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"", True)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK", (200, b"OK", False)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nOK",
            (200, b"OK", False),
        ),
    ],
)
def test_reader_plain_answer_is_read_whole(answer: bytes, expected: Read) -> None:
    assert read(answer) == expected


def test_reader_answer_in_single_bytes_is_the_same_answer() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy"

    assert read(*(bytes([byte]) for byte in answer)) == (503, b"busy", True)


def test_reader_headers_come_as_sent_without_the_space_around() -> None:
    reader = ResponseParser()
    reader.feed(b"HTTP/1.1 200 OK\r\nRetry-After: \t 7 \r\nX-Empty:\r\nContent-Length: 0\r\n\r\n")

    assert reader.headers == [(b"Retry-After", b"7"), (b"X-Empty", b""), (b"Content-Length", b"0")]


def test_reader_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    assert read(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == (200, b"", True)


def test_reader_headers_of_an_interim_answer_are_not_the_answers() -> None:
    reader = ResponseParser()

    reader.feed(b"HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n")

    assert (reader.status, reader.headers) == (503, [])


def test_reader_chunks_are_joined_and_extensions_and_trailers_passed_over() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert read(head + b"1\r\nO\r\n1;a=b\r\nK\r\n0\r\nX-Trailer: 1\r\n\r\n") == (200, b"OK", True)
    assert read(head, b"2\r", b"\nO", b"K\r", b"\n0\r\n", b"\r\n") == (200, b"OK", True)


@every(
    "chunks",
    [
        b"zz\r\nOK",
        b"\r\n",
        b"-1\r\n",
        b"12345678901234567\r\n",
        b"2\r\nOKnext",
        b"0" * LARGEST_ANSWER,
        b"0\r\nX-Trailer: " + b"x" * LARGEST_ANSWER,
    ],
)
def test_reader_broken_chunks_end_the_reading_but_the_status_stands(chunks: bytes) -> None:
    """E16: with HTTP the status decides."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks

    status, _, reusable = read(answer)

    assert (status, reusable) == (200, False)


def test_reader_body_of_unknown_length_ends_with_the_connection() -> None:
    assert read_until_closed(b"HTTP/1.1 200 OK\r\n\r\nOK") == (200, b"OK", False)


@every(
    "rest",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nOK",
        b"Content-Length: two\r\n\r\nOK",
        b"Content-Length: -2\r\n\r\nOK",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
        b"no colon\r\n\r\n",
        b": nameless\r\n\r\n",
        b"name : value\r\n\r\n",
    ],
)
def test_reader_head_that_breaks_after_its_status_is_an_answer_and_ends_the_connection(
    rest: bytes,
) -> None:
    """E16: with HTTP the status decides; what follows it is in doubt, and so is the connection."""
    status, _, reusable = read(b"HTTP/1.1 200 OK\r\n" + rest)

    assert (status, reusable) == (200, False)


@every(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK and more",
        b"HTTP/1.1 204 No Content\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
    ],
)
def test_reader_bytes_after_the_answer_end_the_connection(answer: bytes) -> None:
    assert read(answer)[2] is False


def test_reader_second_answer_changes_nothing_of_the_first() -> None:
    reader = ResponseParser()
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"

    assert reader.feed(first + b"HTTP/1.1 400 Bad\r\nX-Other: 1\r\nContent-Length: 3\r\n\r\nbad")

    assert (reader.status, reader.body, reader.reusable) == (200, b"OK", False)
    assert reader.headers == [(b"Content-Length", b"2")]


def test_reader_large_body_is_read_in_part_only() -> None:
    size = 10 * LARGEST_ANSWER
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"

    assert read(plain, b"x" * LARGEST_ANSWER)[::2] == (200, False)
    assert read(chunked, chunk, chunk, chunk, chunk)[::2] == (200, False)


@every(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99 Odd\r\n\r\n",
        b"HTTP/1.1 600 Odd\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LARGEST_HEAD,
    ],
)
def test_reader_what_is_not_http_is_refused(answer: bytes) -> None:
    with pytest.raises(NotHttpError):
        ResponseParser().feed(answer)


@every("start", [b"", b"HT", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"])
def test_reader_end_before_a_head_is_no_answer(start: bytes) -> None:
    reader = ResponseParser()
    reader.feed(start)

    assert not reader.end()


def test_reader_end_within_the_body_is_an_answer() -> None:
    assert read_until_closed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOK") == (
        200,
        b"OK",
        False,
    )


@every(
    "answer, complete",
    [
        (b"Content-Length: 2\r\n\r\nOK", True),
        (b"Content-Length: 2\r\n\r\nOK and more", True),
        (b"Content-Length: 0\r\n\r\n", True),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", True),
        (b"Content-Length: 9\r\n\r\nOK", False),
        (b"Content-Length: two\r\n\r\nOK", False),
        (b"Content-Length: 900000\r\n\r\n" + b"x" * LARGEST_ANSWER, False),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n", False),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\nOK", False),
        (b"\r\nOK", False),
    ],
)
def test_reader_says_whether_the_whole_body_came(answer: bytes, *, complete: bool) -> None:
    """A body without a length ends with the connection, and so does one that was cut off."""
    reader = ResponseParser()

    reader.feed(b"HTTP/1.1 200 OK\r\n" + answer)
    reader.end()

    assert (reader.status, reader.complete) == (200, complete)
