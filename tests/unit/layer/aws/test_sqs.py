from collections.abc import Callable

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from relay.aws.sqs import MAX_MESSAGE_BYTES, MAX_TAKEN_BYTES, Message, Queue, group_of
from tests.support.builders import Json
from tests.support.every import every
from tests.support.fakes import FakeSqs, aws_error

Lines = Callable[[], list[Json]]

URL = "https://sqs.example.com/q"


def make_messages(count: int, size: int = 2) -> list[Message]:
    return [Message("x" * size, "app") for _ in range(count)]


def send(sqs: FakeSqs, messages: list[Message]) -> set[int]:
    return Queue(sqs.client(), URL).send(messages)


@every("count, calls", [(0, []), (1, [1]), (10, [10]), (21, [10, 10, 1])])
def test_send_takes_ten_messages_a_call(count: int, calls: list[int]) -> None:
    sqs = FakeSqs()

    assert send(sqs, make_messages(count)) == set()

    assert [len(entries) for entries in sqs.calls] == calls


def test_send_takes_one_mebibyte_a_call() -> None:
    sqs = FakeSqs()

    assert send(sqs, make_messages(5, MAX_MESSAGE_BYTES // 2)) == set()

    assert [len(entries) for entries in sqs.calls] == [2, 2, 1]


def test_send_counts_bytes_and_not_characters() -> None:
    sqs = FakeSqs()

    assert send(sqs, [Message("é" * (MAX_MESSAGE_BYTES // 4), "app")] * 3) == set()

    assert [len(entries) for entries in sqs.calls] == [2, 1]


def test_send_keeps_body_group_and_delay() -> None:
    sqs = FakeSqs()

    send(sqs, [Message("body", "id123456789", 42)])

    assert sqs.queues[URL] == [("body", 42, "id123456789")]


def test_send_without_delay_asks_for_none() -> None:
    """The queue's own delay stays in force."""
    sqs = FakeSqs()

    send(sqs, [Message("body", "app")])

    assert "DelaySeconds" not in sqs.calls[0][0]


def test_send_tells_which_entries_were_refused() -> None:
    sqs = FakeSqs()
    sqs.refuses = lambda entry: entry["MessageBody"] in {"3", "11"}

    assert send(sqs, [Message(str(number), "app") for number in range(15)]) == {3, 11}

    assert len(sqs.queues[URL]) == 13


@every(
    "error",
    [aws_error("AccessDenied"), EndpointConnectionError(endpoint_url="https://example.com")],
)
def test_send_that_fails_altogether_tells_them_all(error: Exception) -> None:
    sqs = FakeSqs()
    sqs.error = error

    assert send(sqs, make_messages(12)) == set(range(12))


def test_send_that_fails_altogether_logs_awss_code(lines: Lines) -> None:
    sqs = FakeSqs()
    sqs.error = aws_error("AccessDenied", "x" * 99)

    send(sqs, make_messages(1))

    assert [line["codes"] for line in lines()] == [["AccessDenied"]]


def test_send_that_fails_in_part_logs_awss_code(lines: Lines) -> None:
    sqs = FakeSqs()
    sqs.refuses = lambda entry: True

    send(sqs, make_messages(3))

    assert [line["codes"] for line in lines()] == [["InternalError"]]


def test_send_too_large_message_takes_no_other_with_it() -> None:
    sqs = FakeSqs()
    messages = [*make_messages(1), Message("x" * (MAX_MESSAGE_BYTES + 1), "app"), *make_messages(1)]

    assert send(sqs, messages) == {1}

    assert len(sqs.queues[URL]) == 2


def test_send_text_that_is_no_utf8_takes_no_other_with_it() -> None:
    """A lone surrogate: what SQS would say to it is SQS's business."""
    assert Message("\ud800", "app").fits


@every("size, fits", [(MAX_TAKEN_BYTES, True), (MAX_TAKEN_BYTES + 1, False)])
def test_fits_up_to_one_mebibyte(size: int, fits: bool) -> None:  # noqa: FBT001 - a column
    assert Message("x" * size, "app").fits is fits


@every(
    "app_id, group",
    [
        ("id123456789", "id123456789"),
        ("website-www.example.com", "website-www.example.com"),
        ("", "_"),
        ("a b\nc", "a_b_c"),
        ("приложение", "__________"),
        ("x" * 300, "x" * 128),
    ],
)
def test_group_of_any_app_id_is_one_that_sqs_takes(app_id: str, group: str) -> None:
    assert group_of(app_id) == group


def test_send_stops_when_sqs_does_not_answer() -> None:
    sqs = FakeSqs()
    sqs.error = ConnectTimeoutError(endpoint_url="https://sqs.example.com")

    assert send(sqs, make_messages(25)) == set(range(25))
    assert len(sqs.calls) == 1


def test_send_stops_when_there_is_no_time_left() -> None:
    sqs = FakeSqs()
    left = iter([True, False, False])
    queue = Queue(sqs.client(), URL)

    assert queue.send(make_messages(25), lambda: next(left)) == set(range(10, 25))


# What was received


def test_delete_takes_ten_messages_a_call() -> None:
    sqs = FakeSqs()
    handles = [f"handle-{number}" for number in range(21)]

    Queue(sqs.client(), URL).delete(handles)

    assert sqs.deleted == handles


def test_delete_stops_where_sqs_fails(lines: Lines) -> None:
    """It is a service to others: nobody waits for one call after the other to time out."""
    sqs = FakeSqs()
    sqs.error = EndpointConnectionError(endpoint_url=URL)

    Queue(sqs.client(), URL).delete(["handle"] * 21)

    assert [line["operation"] for line in lines()] == ["DeleteMessageBatch"]


def test_hide_hides_a_message_for_its_seconds() -> None:
    sqs = FakeSqs()

    Queue(sqs.client(), URL).hide("handle", 900)

    assert sqs.hidden == [("handle", 900)]


def test_hide_that_fails_is_told_and_raises_nothing(lines: Lines) -> None:
    sqs = FakeSqs()
    sqs.error = aws_error("AccessDenied")

    Queue(sqs.client(), URL).hide("handle", 900)

    assert [line["codes"] for line in lines()] == [["AccessDenied"]]
