"""One contract, two SQS: Amazon's protocol as moto speaks it, and the queues in memory.

Both keep to the same clock, which stands still until it is moved.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from relay.aws.sqs import MAX_MESSAGE_BYTES, Message, Queue
from relay.instants import to_milliseconds
from tests.support.fakes import FakeClock
from tests.support.memory_sqs import MemorySqs

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

VISIBILITY = 30
MakeQueue = Callable[..., str]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "moto"])
def sqs(
    request: pytest.FixtureRequest, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> "SQSClient":
    if request.param == "memory":
        return MemorySqs(clock).client()

    def seconds() -> float:
        return clock.now.timestamp()

    monkeypatch.setattr("moto.sqs.models.unix_time", seconds)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: seconds() * 1000)
    return request.getfixturevalue("moto_sqs")  # type: ignore[no-any-return]


@pytest.fixture
def make_queue(sqs: "SQSClient") -> MakeQueue:
    """Makes a queue; gives its URL."""

    def make(**attributes: str) -> str:
        name = f"q-{uuid4().hex}"
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]

    return make


@pytest.fixture
def url(make_queue: MakeQueue) -> str:
    return make_queue(VisibilityTimeout=str(VISIBILITY))


@pytest.fixture
def pair(sqs: "SQSClient", make_queue: MakeQueue) -> tuple[str, str]:
    """A queue, and its dead-letter queue for what was received twice."""
    dead = make_queue()
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 2})
    return make_queue(RedrivePolicy=policy, VisibilityTimeout=str(VISIBILITY)), dead


@pytest.fixture
def take(sqs: "SQSClient") -> Callable[..., list[Any]]:
    """Receives up to ten messages."""

    def take(url: str, **parameters: Any) -> list[Any]:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], **parameters
        )
        return list(answer.get("Messages", []))

    return take


Take = Callable[..., list[Any]]


def counts(sqs: "SQSClient", url: str) -> tuple[int, int, int]:
    """How many messages of a queue may be seen now, how many wait, and how many are in flight."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesDelayed"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"].removeprefix("AWS.SimpleQueueService.")


# Sending and receiving


def test_message_comes_with_its_body_group_moment_and_count(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    body = '{"a":"é\\n\U0001f600"}'
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="app")
    came_in = to_milliseconds(clock.now)
    clock.advance(7)

    [message] = take(url)

    assert (message["Body"], message["MessageId"]) == (body, sent["MessageId"])
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    attributes = message["Attributes"]
    assert attributes.pop("SenderId")
    assert attributes == {
        "SentTimestamp": str(came_in),
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": str(came_in + 7000),
        "MessageGroupId": "app",
    }


def test_receive_gives_the_attributes_that_were_asked_for(sqs: "SQSClient", url: str) -> None:
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="a")

    asked = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["SentTimestamp"])
    [nothing_asked] = sqs.receive_message(QueueUrl=url)["Messages"]

    assert list(asked["Messages"][0]["Attributes"]) == ["SentTimestamp"]
    assert "Attributes" not in nothing_asked


def test_receive_gives_at_most_as_many_as_were_asked_for(sqs: "SQSClient", url: str) -> None:
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))

    one = sqs.receive_message(QueueUrl=url)["Messages"]
    three = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=3)["Messages"]
    rest = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]

    assert [len(one), len(three), len(rest)] == [1, 3, 1]
    bodies = {message["Body"] for message in [*one, *three, *rest]}
    assert bodies == {"0", "1", "2", "3", "4"}


def test_receive_of_an_empty_queue_has_no_messages(sqs: "SQSClient", url: str) -> None:
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_delayed_message_is_kept_back(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a", DelaySeconds=900)

    clock.advance(899)
    assert (take(url), counts(sqs, url)) == ([], (0, 1, 0))

    clock.advance(2)
    assert [message["Body"] for message in take(url)] == ["a"]


def test_queue_with_a_delay_keeps_back_what_says_nothing_else(
    sqs: "SQSClient", make_queue: MakeQueue, take: Take
) -> None:
    url = make_queue(DelaySeconds="60")

    sqs.send_message(QueueUrl=url, MessageBody="a")
    sqs.send_message(QueueUrl=url, MessageBody="b", DelaySeconds=0)

    assert [message["Body"] for message in take(url)] == ["b"]


def test_batch_entries_are_sent_with_delays_of_their_own(
    sqs: "SQSClient", url: str, take: Take
) -> None:
    answer = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "now", "MessageBody": "a"},
            {"Id": "later", "MessageBody": "b", "DelaySeconds": 5},
        ],
    )

    assert [sent["Id"] for sent in answer["Successful"]] == ["now", "later"]
    assert not answer.get("Failed")
    assert counts(sqs, url) == (1, 1, 0)
    assert take(url)[0]["MessageId"] == answer["Successful"][0]["MessageId"]


# Visibility, and deleting


def test_received_message_is_hidden_and_comes_back_counted(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a")
    [first] = take(url)

    clock.advance(VISIBILITY - 1)
    assert (take(url), counts(sqs, url)) == ([], (0, 0, 1))

    clock.advance(2)
    assert counts(sqs, url) == (1, 0, 0)
    [second] = take(url)
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["Attributes"]["SentTimestamp"] == first["Attributes"]["SentTimestamp"]
    first_received = "ApproximateFirstReceiveTimestamp"
    assert second["Attributes"][first_received] == first["Attributes"][first_received]


def test_receive_may_hide_for_a_time_of_its_own(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a")
    take(url, VisibilityTimeout=600)

    clock.advance(VISIBILITY + 1)
    assert take(url) == []

    clock.advance(600)
    assert len(take(url)) == 1


def test_deleted_message_is_gone(sqs: "SQSClient", url: str, clock: FakeClock, take: Take) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a")

    sqs.delete_message(QueueUrl=url, ReceiptHandle=take(url)[0]["ReceiptHandle"])

    clock.advance(VISIBILITY + 1)
    assert (take(url), counts(sqs, url)) == ([], (0, 0, 0))


def test_deleting_twice_does_no_harm(sqs: "SQSClient", url: str, take: Take) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a")
    handle = take(url)[0]["ReceiptHandle"]

    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)

    assert counts(sqs, url) == (0, 0, 0)


def test_deleting_late_still_deletes(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    """Visible again, but nobody else has received it yet."""
    sqs.send_message(QueueUrl=url, MessageBody="a")
    [message] = take(url)
    clock.advance(VISIBILITY + 1)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert (take(url), counts(sqs, url)) == ([], (0, 0, 0))


def test_batch_deletes_what_it_can_and_tells_the_rest(
    sqs: "SQSClient", url: str, take: Take
) -> None:
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="a")
    first, second = take(url)

    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "1", "ReceiptHandle": first["ReceiptHandle"]},
            {"Id": "2", "ReceiptHandle": "made-up"},
            {"Id": "3", "ReceiptHandle": second["ReceiptHandle"]},
        ],
    )

    assert [done["Id"] for done in answer["Successful"]] == ["1", "3"]
    [failure] = answer["Failed"]
    assert (failure["Id"], failure["Code"]) == ("2", "ReceiptHandleIsInvalid")
    assert failure["SenderFault"]
    assert counts(sqs, url) == (0, 0, 0)


def test_visibility_may_be_prolonged(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a")
    handle = take(url)[0]["ReceiptHandle"]
    clock.advance(VISIBILITY - 1)

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=100)

    clock.advance(99)
    assert take(url) == []
    clock.advance(2)
    assert len(take(url)) == 1


def test_visibility_may_be_ended(sqs: "SQSClient", url: str, clock: FakeClock, take: Take) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="a")
    handle = take(url)[0]["ReceiptHandle"]

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)

    clock.advance(0.01)
    assert take(url)[0]["Attributes"]["ApproximateReceiveCount"] == "2"


def test_batch_ends_the_visibility_it_can_and_tells_the_rest(
    sqs: "SQSClient", url: str, clock: FakeClock, take: Take
) -> None:
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="a")
    handles = [message["ReceiptHandle"] for message in take(url)]

    answer = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate([handles[0], "made-up", handles[1]])
        ],
    )

    clock.advance(0.01)
    assert [done["Id"] for done in answer["Successful"]] == ["0", "2"]
    [failure] = answer["Failed"]
    assert (failure["Id"], failure["Code"]) == ("1", "ReceiptHandleIsInvalid")
    assert failure["Message"]
    assert counts(sqs, url) == (2, 0, 0)


# Dead letters and retention


def test_message_received_too_often_is_moved_with_its_id_and_age(
    sqs: "SQSClient", pair: tuple[str, str], clock: FakeClock, take: Take
) -> None:
    url, dead = pair
    sent = sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="app")
    came_in = to_milliseconds(clock.now)
    for _ in range(2):
        assert [message["MessageId"] for message in take(url)] == [sent["MessageId"]]
        clock.advance(VISIBILITY + 1)

    assert take(url) == []

    [moved] = take(dead)
    assert (moved["Body"], moved["MessageId"]) == ("a", sent["MessageId"])
    assert moved["Attributes"]["SentTimestamp"] == str(came_in)
    assert moved["Attributes"]["MessageGroupId"] == "app"
    assert counts(sqs, url) == (0, 0, 0)


def test_message_that_is_deleted_in_time_is_not_moved(
    sqs: "SQSClient", pair: tuple[str, str], clock: FakeClock, take: Take
) -> None:
    url, dead = pair
    sqs.send_message(QueueUrl=url, MessageBody="a")
    take(url)
    clock.advance(VISIBILITY + 1)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=take(url)[0]["ReceiptHandle"])

    clock.advance(VISIBILITY + 1)
    assert (take(url), take(dead)) == ([], [])


def test_message_is_dropped_when_it_is_too_old(
    sqs: "SQSClient", make_queue: MakeQueue, clock: FakeClock, take: Take
) -> None:
    url = make_queue(MessageRetentionPeriod="3600")
    sqs.send_message(QueueUrl=url, MessageBody="a")
    clock.advance(3599)
    assert len(take(url)) == 1

    clock.advance(61)

    assert take(url) == []


# What is refused


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(n), "MessageBody": "a"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "1", "MessageBody": "a"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "a"}], "InvalidBatchEntryId"),
        ([{"Id": n, "MessageBody": "x" * 600_000} for n in "12"], "BatchRequestTooLong"),
    ],
    ids=["none", "eleven", "one id twice", "strange id", "too long"],
)
def test_batch_that_breaks_a_rule_is_refused_whole(
    sqs: "SQSClient", url: str, entries: Any, code: str
) -> None:
    with pytest.raises(ClientError) as error:
        sqs.send_message_batch(QueueUrl=url, Entries=entries)

    assert code_of(error) == code
    assert counts(sqs, url) == (0, 0, 0)


def test_batch_entry_that_breaks_a_rule_is_told_and_the_others_arrive(
    sqs: "SQSClient", url: str
) -> None:
    answer = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "1", "MessageBody": "a", "DelaySeconds": 901},
            {"Id": "2", "MessageBody": "b"},
        ],
    )

    [failure] = answer["Failed"]
    assert (failure["Id"], failure["Code"]) == ("1", "InvalidParameterValue")
    assert [done["Id"] for done in answer["Successful"]] == ["2"]
    assert counts(sqs, url) == (1, 0, 0)


@pytest.mark.parametrize(
    "entry", [{"MessageBody": "x" * 1_048_577}, {"MessageBody": "a", "DelaySeconds": 901}]
)
def test_message_that_breaks_a_rule_is_refused(sqs: "SQSClient", url: str, entry: Any) -> None:
    with pytest.raises(ClientError) as error:
        sqs.send_message(QueueUrl=url, **entry)

    assert code_of(error) == "InvalidParameterValue"


@pytest.mark.parametrize(
    "parameters",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"VisibilityTimeout": 43_201},
    ],
    ids=str,
)
def test_receive_out_of_bounds_is_refused(sqs: "SQSClient", url: str, parameters: Any) -> None:
    with pytest.raises(ClientError) as error:
        sqs.receive_message(QueueUrl=url, **parameters)

    assert code_of(error) == "InvalidParameterValue"


def test_handle_that_was_never_given_out_is_refused(sqs: "SQSClient", url: str) -> None:
    with pytest.raises(ClientError) as deleting:
        sqs.delete_message(QueueUrl=url, ReceiptHandle="made-up")
    with pytest.raises(ClientError) as hiding:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle="made-up", VisibilityTimeout=1)

    assert (code_of(deleting), code_of(hiding)) == ("ReceiptHandleIsInvalid",) * 2


def test_queue_that_does_not_exist_is_refused(sqs: "SQSClient", url: str) -> None:
    nowhere = f"{url}-nowhere"

    for call in (
        lambda: sqs.send_message(QueueUrl=nowhere, MessageBody="a"),
        lambda: sqs.receive_message(QueueUrl=nowhere),
        lambda: sqs.get_queue_attributes(QueueUrl=nowhere, AttributeNames=["All"]),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert code_of(error) == "NonExistentQueue"


def test_queue_of_no_dead_letter_queue_is_refused(make_queue: MakeQueue) -> None:
    arn = "arn:aws:sqs:us-east-1:123456789012:nowhere"
    with pytest.raises(ClientError) as error:
        make_queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))

    assert code_of(error) == "NonExistentQueue"


# The relay's own queue, on either


def test_send_puts_every_message_on_the_queue(sqs: "SQSClient", url: str) -> None:
    failed = Queue(sqs, url).send([Message(f"body {n}", "app") for n in range(25)])

    assert failed == set()
    assert counts(sqs, url) == (25, 0, 0)


def test_send_delivers_body_and_group_as_given(sqs: "SQSClient", url: str, take: Take) -> None:
    Queue(sqs, url).send([Message('{"a":"é\\n"}', "website-www.example.com")])

    [message] = take(url)
    assert message["Body"] == '{"a":"é\\n"}'
    assert message["Attributes"]["MessageGroupId"] == "website-www.example.com"


def test_send_with_a_delay_keeps_the_message_back(sqs: "SQSClient", url: str) -> None:
    Queue(sqs, url).send([Message("later", "app", 900), Message("now", "app")])

    assert counts(sqs, url) == (1, 1, 0)


def test_send_takes_messages_of_just_the_size_that_sqs_takes(sqs: "SQSClient", url: str) -> None:
    assert Queue(sqs, url).send([Message("x" * MAX_MESSAGE_BYTES, "app")]) == set()

    assert counts(sqs, url) == (1, 0, 0)


def test_send_too_large_message_is_told_and_the_others_arrive(sqs: "SQSClient", url: str) -> None:
    messages = [Message("a", "app"), Message("x" * (MAX_MESSAGE_BYTES + 1), "app")]

    assert Queue(sqs, url).send([*messages, Message("c", "app")]) == {1}

    assert counts(sqs, url) == (2, 0, 0)


def test_send_to_a_queue_that_does_not_exist_tells_them_all(sqs: "SQSClient", url: str) -> None:
    queue = Queue(sqs, f"{url}-nowhere")

    assert queue.send([Message("a", "app"), Message("b", "app")]) == {0, 1}
