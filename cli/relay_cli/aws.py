"""Clients for AWS, or for the sandbox's local one; and AWS's errors as sentences for people."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from relay.queues import Message, Queue, group_of
from relay_cli.errors import CliError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sqs import SQSClient

_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4}
)
_LOCAL: Final = Config(
    connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1}, proxies={}
)
_QUEUE_HOST: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/")


def sqs_client(queue_url: str) -> "SQSClient":
    """SQS by the usual AWS settings; without a region there, that of the queue's address."""
    match = _QUEUE_HOST.match(queue_url)
    session = boto3.Session()
    with explained("SQS"):
        return session.client(
            "sqs", config=_CONFIG, region_name=session.region_name or (match and match[1])
        )


def local_sqs_client(endpoint_url: str) -> "SQSClient":
    """SQS of a sandbox; takes nothing from the user's AWS settings, above all no credentials."""
    nowhere: dict[str, Any] = {
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
        "profile": (None, None, None, None),
    }
    session = boto3.Session(
        botocore_session=botocore.session.Session(session_vars=nowhere),
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - the sandbox takes any
        region_name="us-east-1",
    )
    return session.client("sqs", endpoint_url=endpoint_url, config=_LOCAL)


def stack_outputs(name: str) -> dict[str, str]:
    """The outputs of a CloudFormation stack; raises `CliError`."""
    with explained("CloudFormation"):
        client: CloudFormationClient = boto3.Session().client("cloudformation", config=_CONFIG)
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def put(sqs: "SQSClient", url: str, messages: Sequence[Message]) -> dict[int, str]:
    """Puts messages on a queue; the positions of those that it did not take, and why."""
    failed = Queue(sqs, url).send(messages)
    reasons = {position: _alone(sqs, url, messages[position]) for position in sorted(failed)}
    return {position: reason for position, reason in reasons.items() if reason}


def _alone(sqs: "SQSClient", url: str, message: Message) -> str:
    """Sends one message by itself, which tells why a batch failed; empty when it now worked."""
    if not message.fits:
        return "it is larger than SQS takes (1 MiB)"
    try:
        with explained("SQS"):
            sqs.send_message(
                QueueUrl=url, MessageBody=message.body, MessageGroupId=group_of(message.group)
            )
    except CliError as error:
        return str(error)
    return ""


@contextmanager
def explained(service: str) -> Iterator[None]:
    """Turns AWS's errors into `CliError`, with what to do where that is known."""
    try:
        yield
    except (NoCredentialsError, NoRegionError) as error:
        raise CliError(
            f"{str(error).rstrip('.')}. Say whose AWS this is by the usual settings, such as "
            "AWS_PROFILE and AWS_REGION; for a sandbox, give --ready-file."
        ) from error
    except EndpointConnectionError as error:
        raise CliError(
            f"{service} cannot be reached. Is the network there, is the sandbox still running?"
        ) from error
    except ClientError as error:
        fault = error.response.get("Error", {})
        raise CliError(f"{service} says {fault.get('Code')}: {fault.get('Message')}") from error
    except BotoCoreError as error:
        raise CliError(f"{service}: {error}") from error
