"""Clients for AWS or the sandbox's local AWS, and AWS's errors as messages for people."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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

from relay.aws.sqs import Message, batches, entry_of
from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4}
)
_LOCAL_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1}, proxies={}
)
_QUEUE_HOST: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/")


def sqs_client(queue_url: str) -> "SQSClient":
    """An SQS client by the usual AWS settings; without a region, by that of the queue's URL."""
    match = _QUEUE_HOST.match(queue_url)
    with translate_errors("SQS"):
        session = _session()
        return session.client(
            "sqs", config=_CONFIG, region_name=session.region_name or (match and match[1])
        )


def local_sqs_client(endpoint_url: str) -> "SQSClient":
    """An SQS client for a sandbox."""
    with _check_endpoint(endpoint_url):
        return _local_session().client("sqs", endpoint_url=endpoint_url, config=_LOCAL_CONFIG)


def dynamodb_client(endpoint_url: str | None, threads: int) -> "DynamoDBClient":
    """A DynamoDB client by the usual AWS settings, or for a sandbox; `threads` sizes its pool."""
    if endpoint_url:
        config = _LOCAL_CONFIG.merge(Config(max_pool_connections=threads))
        with _check_endpoint(endpoint_url):
            return _local_session().client("dynamodb", endpoint_url=endpoint_url, config=config)
    with translate_errors("DynamoDB"):
        config = _CONFIG.merge(Config(max_pool_connections=threads))
        return _session().client("dynamodb", config=config)


def _session() -> boto3.Session:
    """A session by the usual AWS settings, plus AWS_REGION, which boto3 itself ignores."""
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


@contextmanager
def _check_endpoint(endpoint_url: str) -> Iterator[None]:
    """Turns the error about an invalid endpoint URL into `CliError`."""
    try:
        yield
    except ValueError as error:
        raise CliError(f"this is no address of a local AWS: {endpoint_url}") from error


@cache
def _local_session() -> boto3.Session:
    """A session that ignores the user's AWS settings, above all their credentials.

    One for all clients: each session reads the descriptions of AWS's services anew.
    """
    no_files: dict[str, Any] = {
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
        "profile": (None, None, None, None),
    }
    return boto3.Session(
        botocore_session=botocore.session.Session(session_vars=no_files),
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - the sandbox accepts any
        region_name="us-east-1",
    )


def client(service: str, endpoint_url: str | None, config: Config | None = None) -> Any:
    """A client of any service by the usual AWS settings, or for a sandbox; raises `CliError`."""
    if endpoint_url:
        local = _LOCAL_CONFIG.merge(config) if config else _LOCAL_CONFIG
        with _check_endpoint(endpoint_url):
            make: Any = _local_session().client
            return make(service, endpoint_url=endpoint_url, config=local)
    with translate_errors(service):
        make = _session().client
        return make(service, config=_CONFIG.merge(config) if config else _CONFIG)


class StackDescription(NamedTuple):
    """What CloudFormation tells of a stack, by the names in the template."""

    outputs: dict[str, str]
    parameters: dict[str, str]


def describe_stack(name: str, config: Config | None = None) -> StackDescription:
    """The outputs and parameters of a CloudFormation stack; raises `CliError`."""
    cloudformation: CloudFormationClient = client("cloudformation", None, config)
    with translate_errors("CloudFormation"):
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return StackDescription(
        {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])},
        {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])},
    )


def stack_outputs(name: str) -> dict[str, str]:
    """The outputs of a CloudFormation stack; raises `CliError`."""
    return describe_stack(name).outputs


def send_messages(
    sqs: "SQSClient",
    url: str,
    messages: Sequence[Message],
    message_ids: dict[int, str] | None = None,
) -> dict[int, str]:
    """Sends messages to a queue. Returns the positions of those that failed, with reasons.

    `message_ids` gets the ids of the others, by position.

    It does not use relay.aws.sqs.Queue, which logs failures; a command must show them.
    """
    failed = {
        position: "it is larger than SQS takes (1 MiB)"
        for position, message in enumerate(messages)
        if not message.fits
    }
    fitting = [(position, one) for position, one in enumerate(messages) if one.fits]
    for positions in batches(fitting):
        batch = {position: messages[position] for position in positions}
        failed |= _send_batch(sqs, url, batch, {} if message_ids is None else message_ids)
    return failed


def _send_batch(
    sqs: "SQSClient", url: str, messages: Mapping[int, Message], message_ids: dict[int, str]
) -> dict[int, str]:
    entries = [entry_of(position, message) for position, message in messages.items()]
    try:
        with translate_errors("SQS"):
            response = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    except CliError as error:
        return dict.fromkeys(messages, str(error))
    message_ids |= {int(one["Id"]): one["MessageId"] for one in response.get("Successful", [])}
    return {
        int(failure["Id"]): f"SQS says {failure.get('Code')}: {failure.get('Message')}"
        for failure in response.get("Failed", [])
    }


@contextmanager
def translate_errors(service: str) -> Iterator[None]:
    """Turns AWS's errors into `CliError`, with advice where there is any."""
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
