"""Messages onto a queue, and AWS's errors as sentences."""

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from relay.queues import MAX_MESSAGE_BYTES, Message
from relay_cli.aws import explained, put
from relay_cli.errors import CliError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class FakeSqs:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.error = error

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        self.calls.append([entry["MessageBody"] for entry in call["Entries"]])
        if self.error:
            raise self.error
        return {"Successful": []}


def _put(sqs: FakeSqs, *bodies: str) -> dict[int, str]:
    return put(cast("SQSClient", sqs), "url", [Message(body, "app") for body in bodies])


def test_put_sends_ten_a_call_and_a_mebibyte_at_most() -> None:
    sqs = FakeSqs()
    half = "x" * (MAX_MESSAGE_BYTES // 2 + 1)

    assert _put(sqs, *map(str, range(11)), half, half) == {}

    assert sqs.calls == [[str(n) for n in range(10)], ["10", half], [half]]


def test_put_message_that_is_too_large_does_not_keep_the_others_back() -> None:
    sqs = FakeSqs()

    failed = _put(sqs, "a", "x" * (MAX_MESSAGE_BYTES + 1), "b")

    assert list(failed) == [1]
    assert sqs.calls == [["a", "b"]]


def test_put_call_that_fails_says_why_for_all_of_it() -> None:
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")

    failed = _put(FakeSqs(error), "a", "b")

    assert failed == dict.fromkeys((0, 1), "SQS says AccessDenied: no")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (NoCredentialsError(), "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "cannot be reached"),
    ],
)
def test_explained_error_says_what_to_do(error: Exception, hint: str) -> None:
    with pytest.raises(CliError, match=hint), explained("SQS"):
        raise error
