"""What the queues in memory do and moto's do not, and what only a test can ask them for."""

import pytest
from botocore.exceptions import ClientError

from relay.aws.sqs import Message, Queue
from tests.support.fakes import FakeClock, aws_error
from tests.support.memory_queue import Traffic
from tests.support.memory_sqs import MemorySqs


@pytest.fixture
def full() -> MemorySqs:
    """Two of the three messages on its only queue are in flight, which are as many as may be."""
    sqs = MemorySqs(FakeClock(), traffic=Traffic(in_flight_limit=2))
    url = sqs.make_queue("small")
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 2
    return sqs


SMALL = "https://sqs.example.com/123456789012/small"


def test_full_queue_gives_a_long_poll_nothing(full: MemorySqs) -> None:
    assert full.receive_message(QueueUrl=SMALL, WaitTimeSeconds=1) == {}


def test_full_queue_refuses_a_short_poll(full: MemorySqs) -> None:
    with pytest.raises(ClientError) as error:
        full.receive_message(QueueUrl=SMALL)

    assert error.value.response["Error"]["Code"] == "OverLimit"


def test_full_queue_gives_again_when_one_is_deleted() -> None:
    clock = FakeClock()
    sqs = MemorySqs(clock, traffic=Traffic(in_flight_limit=1))
    sqs.make_queue("small")
    for number in range(2):
        sqs.send_message(QueueUrl=SMALL, MessageBody=str(number))
    [first] = sqs.receive_message(QueueUrl=SMALL)["Messages"]

    sqs.delete_message(QueueUrl=SMALL, ReceiptHandle=first["ReceiptHandle"])

    [second] = sqs.receive_message(QueueUrl=SMALL)["Messages"]
    assert [first["Body"], second["Body"]] == ["0", "1"]


def test_full_queue_gives_again_when_one_is_visible_again() -> None:
    clock = FakeClock()
    sqs = MemorySqs(clock, traffic=Traffic(in_flight_limit=1))
    sqs.make_queue("small")
    sqs.send_message(QueueUrl=SMALL, MessageBody="a")
    sqs.receive_message(QueueUrl=SMALL)

    clock.advance(31)

    assert len(sqs.receive_message(QueueUrl=SMALL)["Messages"]) == 1


def test_doubling_queue_delivers_again_what_was_deleted() -> None:
    """At least once: the same message, and its copy is not deleted with it."""
    clock = FakeClock()
    sqs = MemorySqs(clock, traffic=Traffic(duplicates=0.5, chance=iter([0.1, 0.5, 0.9]).__next__))
    sqs.make_queue("small")
    sqs.send_message(QueueUrl=SMALL, MessageBody="a")
    [first] = sqs.receive_message(QueueUrl=SMALL)["Messages"]
    sqs.delete_message(QueueUrl=SMALL, ReceiptHandle=first["ReceiptHandle"])
    assert sqs.receive_message(QueueUrl=SMALL) == {}

    clock.advance(15)

    [second] = sqs.receive_message(QueueUrl=SMALL)["Messages"]
    assert (second["MessageId"], second["Body"]) == (first["MessageId"], "a")
    sqs.delete_message(QueueUrl=SMALL, ReceiptHandle=second["ReceiptHandle"])
    assert len(sqs.queue(SMALL)) == 0


def test_outdated_handle_deletes_nothing() -> None:
    clock = FakeClock()
    sqs = MemorySqs(clock)
    sqs.make_queue("small")
    sqs.send_message(QueueUrl=SMALL, MessageBody="a")
    [first] = sqs.receive_message(QueueUrl=SMALL)["Messages"]
    clock.advance(31)
    sqs.receive_message(QueueUrl=SMALL)

    sqs.delete_message(QueueUrl=SMALL, ReceiptHandle=first["ReceiptHandle"])

    assert len(sqs.queue(SMALL)) == 1


def test_message_that_sqs_moved_says_where_it_was() -> None:
    clock = FakeClock()
    sqs = MemorySqs(clock)
    url, dead = sqs.make_pair("small", max_receive_count=1)
    sqs.send_message(QueueUrl=url, MessageBody="a")
    sqs.receive_message(QueueUrl=url)
    clock.advance(31)
    sqs.receive_message(QueueUrl=url)

    [moved] = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"])["Messages"]

    origin = moved["Attributes"]["DeadLetterQueueSourceArn"]
    assert origin == "arn:aws:sqs:us-east-1:123456789012:small"


def test_characters_that_sqs_does_not_take_are_told() -> None:
    sqs = MemorySqs(FakeClock())
    sqs.make_queue("small")
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate("\x00\uffff\ud800a")]

    answer = sqs.send_message_batch(QueueUrl=SMALL, Entries=entries)

    assert [failure["Code"] for failure in answer["Failed"]] == ["InvalidMessageContents"] * 3
    assert [done["Id"] for done in answer["Successful"]] == ["3"]


def test_faults_are_those_that_were_asked_for() -> None:
    sqs = MemorySqs(FakeClock())
    sqs.make_queue("small")
    queue = Queue(sqs.client(), SMALL)
    messages = [Message("a", "app"), Message("b", "app")]

    sqs.fails = lambda operation: (
        aws_error("Throttled") if operation == "SendMessageBatch" else None
    )
    assert (queue.send(messages), len(sqs.queue(SMALL))) == ({0, 1}, 0)
    sqs.fails = lambda operation: None
    sqs.refuses = lambda entry: entry["MessageBody"] == "a"
    assert (queue.send(messages), len(sqs.queue(SMALL))) == ({0}, 1)
    sqs.refuses = lambda entry: False
    sqs.loses_answer = lambda operation: aws_error("InternalError")
    assert (queue.send(messages), len(sqs.queue(SMALL))) == ({0, 1}, 3)
    assert sqs.calls["SendMessageBatch"] == 3


def test_queue_of_many_messages_gives_each_of_them_once() -> None:
    """200,000 a minute of somebody's waiting would not do: nothing here looks at the others."""
    sqs = MemorySqs(FakeClock())
    sqs.make_queue("small")
    queue = Queue(sqs.client(), SMALL)
    assert queue.send([Message(str(n), "app", n % 2) for n in range(20_000)]) == set()

    bodies = set()
    while received := sqs.receive_message(QueueUrl=SMALL, MaxNumberOfMessages=10).get("Messages"):
        bodies |= {message["Body"] for message in received}
        entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in received]
        assert "Failed" not in sqs.delete_message_batch(QueueUrl=SMALL, Entries=entries)

    assert bodies == {str(n) for n in range(0, 20_000, 2)}
    assert len(sqs.queue(SMALL)) == 10_000
