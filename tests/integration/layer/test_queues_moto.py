from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from relay.queues import MAX_MESSAGE_BYTES, Message, Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MakeQueue = Callable[[], str]
Receive = Callable[[str], list[Any]]


def waiting(sqs: "SQSClient", url: str) -> tuple[int, int]:
    """How many messages of a queue may be seen now, and how many wait."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def test_send_puts_every_message_on_the_queue(sqs: "SQSClient", make_queue: MakeQueue) -> None:
    url = make_queue()

    failed = Queue(sqs, url).send([Message(f"body {n}", "app") for n in range(25)])

    assert failed == set()
    assert waiting(sqs, url) == (25, 0)


def test_send_delivers_body_and_group_as_given(
    sqs: "SQSClient", make_queue: MakeQueue, receive: Receive
) -> None:
    url = make_queue()

    Queue(sqs, url).send([Message('{"a":"é\\n"}', "website-www.example.com")])

    [message] = receive(url)
    assert message["Body"] == '{"a":"é\\n"}'
    assert message["Attributes"]["MessageGroupId"] == "website-www.example.com"


def test_send_with_a_delay_keeps_the_message_back(sqs: "SQSClient", make_queue: MakeQueue) -> None:
    url = make_queue()

    Queue(sqs, url).send([Message("later", "app", 900), Message("now", "app")])

    assert waiting(sqs, url) == (1, 1)


def test_send_takes_messages_of_just_the_size_that_sqs_takes(
    sqs: "SQSClient", make_queue: MakeQueue
) -> None:
    url = make_queue()

    assert Queue(sqs, url).send([Message("x" * MAX_MESSAGE_BYTES, "app")]) == set()

    assert waiting(sqs, url) == (1, 0)


def test_send_too_large_message_is_told_and_the_others_arrive(
    sqs: "SQSClient", make_queue: MakeQueue
) -> None:
    url = make_queue()
    messages = [Message("a", "app"), Message("x" * (MAX_MESSAGE_BYTES + 1), "app")]

    assert Queue(sqs, url).send([*messages, Message("c", "app")]) == {1}

    assert waiting(sqs, url) == (2, 0)


def test_send_to_a_queue_that_does_not_exist_tells_them_all(sqs: "SQSClient") -> None:
    url = "http://127.0.0.1/123456789012/nowhere"

    assert Queue(sqs, url).send([Message("a", "app"), Message("b", "app")]) == {0, 1}
