"""Sending messages to a queue, and AWS's errors as sentences."""

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from relay.aws.sqs import MAX_MESSAGE_BYTES, Message
from relay_cli.clients.aws import send_messages, sqs_client, translate_errors
from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class RecordingSqs:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.error = error

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        self.calls.append([entry["MessageBody"] for entry in call["Entries"]])
        if self.error:
            raise self.error
        return {"Successful": []}


def _send(sqs: RecordingSqs, *bodies: str) -> dict[int, str]:
    return send_messages(cast("SQSClient", sqs), "url", [Message(body, "app") for body in bodies])


def test_send_messages_sends_ten_a_call_and_a_mebibyte_at_most() -> None:
    sqs = RecordingSqs()
    half = "x" * (MAX_MESSAGE_BYTES // 2 + 1)

    assert _send(sqs, *map(str, range(11)), half, half) == {}

    assert sqs.calls == [[str(n) for n in range(10)], ["10", half], [half]]


def test_send_messages_with_one_too_large_sends_the_others() -> None:
    sqs = RecordingSqs()

    failed = _send(sqs, "a", "x" * (MAX_MESSAGE_BYTES + 1), "b")

    assert list(failed) == [1]
    assert sqs.calls == [["a", "b"]]


def test_send_messages_call_that_fails_gives_the_reason_for_all_of_it() -> None:
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")

    failed = _send(RecordingSqs(error), "a", "b")

    assert failed == dict.fromkeys((0, 1), "SQS says AccessDenied: no")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (NoCredentialsError(), "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "cannot be reached"),
    ],
)
def test_translate_errors_says_what_to_do(error: Exception, hint: str) -> None:
    with pytest.raises(CliError, match=hint), translate_errors("SQS"):
        raise error


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_REGION": ""}, "ap-south-1"),
        ({}, "ap-south-1"),
    ],
)
def test_client_uses_the_region_of_the_settings_else_of_the_queue(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    """People set AWS_REGION, which boto3 itself ignores."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    sqs = sqs_client("https://sqs.ap-south-1.amazonaws.com/123456789012/queue")

    assert sqs.meta.region_name == region


def test_client_of_a_missing_profile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")

    with pytest.raises(CliError, match="nobodys"):
        sqs_client("https://sqs.ap-south-1.amazonaws.com/123456789012/queue")
