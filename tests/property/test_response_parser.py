"""The reader of answers against h11, which reads them as RFC 9112 says."""

import itertools

import h11
from hypothesis import given
from hypothesis import strategies as st

from relay.http1.errors import NotHttpError
from relay.http1.response_parser import ResponseParser

statuses = st.sampled_from([200, 202, 204, 301, 304, 400, 401, 403, 429, 500, 503])
names = st.from_regex(rb"X-[A-Za-z0-9]{1,8}", fullmatch=True)
values = st.from_regex(rb"([!-~]([ -~]{0,20}[!-~])?)?", fullmatch=True)
bodies = st.binary(max_size=200)


@st.composite
def framed_bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Header lines that say how long a body is, and the body as it goes over the wire."""
    body = draw(bodies)
    if draw(st.booleans()):
        return b"Content-Length: %d\r\n" % len(body), body
    cut = draw(st.integers(0, len(body)))
    parts = [part for part in (body[:cut], body[cut:]) if part]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A well-formed answer whose end can be seen."""
    status = draw(statuses)
    framing, body = (b"", b"") if status in {204, 304} else draw(framed_bodies())
    lines = [b"%s: %s\r\n" % pair for pair in draw(st.lists(st.tuples(names, values), max_size=4))]
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    connection = draw(
        st.sampled_from([b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"])
    )
    head = b"HTTP/1.1 %d Reason\r\n" % status
    return interim + head + b"".join(lines) + connection + framing + b"\r\n" + body


def read_by_h11(answer: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
    peer = h11.Connection(h11.CLIENT)
    peer.send(
        h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Content-Length", "0")])
    )
    peer.send(h11.EndOfMessage())
    peer.receive_data(answer)
    head: h11.Response | None = None
    body = b""
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    assert head is not None
    return head.status_code, list(head.headers.raw_items()), body, peer.their_state is h11.DONE


@given(answers(), st.lists(st.integers(0, 400), max_size=5))
def test_reader_reads_a_well_formed_answer_as_h11_does(answer: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
    reader = ResponseParser()

    complete = [reader.feed(answer[start:end]) for start, end in itertools.pairwise(places)]

    assert complete[-1]
    read = reader.status, reader.headers, reader.body, reader.reusable
    assert read == read_by_h11(answer)


@given(st.one_of(st.binary(max_size=300), answers()), st.binary(max_size=40), st.integers(0, 300))
def test_reader_whatever_comes_ends_in_a_status_or_in_no_answer(
    answer: bytes, noise: bytes, place: int
) -> None:
    reader = ResponseParser()

    try:
        answered = reader.feed(answer[:place] + noise + answer[place:]) or reader.end()
    except NotHttpError:
        answered = False

    assert answered == (reader.status is not None)
