"""Puts the parts together for one process: settings, clients, use cases. Built on first use."""

import asyncio
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import boto3
from botocore.config import Config

from relay.apps import Apps
from relay.appsflyer import Client, make_transport
from relay.forwarding import Forwarder
from relay.intake import Intake
from relay.parameters import ParameterStore
from relay.preparation import Surface
from relay.producers import Producers
from relay.queues import Queue
from relay.settings import AcceptSettings, ForwardSettings

# Both services answer in milliseconds; a function must not spend its time waiting for a sick one.
# At most 2 x (1 + 2) s and a second between them: `forwarding.AWS_CALL_SECONDS`.
_AWS = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "max_attempts": 2})


class Context(Protocol):
    """What the functions use of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still run."""


@cache
def intake() -> Intake:
    """The use case of `accept`; raises `ConfigurationError`."""
    settings = AcceptSettings.from_env(os.environ)
    sqs = boto3.client("sqs", config=_AWS)
    store = ParameterStore(boto3.client("ssm", config=_AWS), settings.parameter_prefix)
    queues = {
        Surface.MOBILE: Queue(sqs, settings.mobile_queue_url),
        Surface.WEB: Queue(sqs, settings.web_queue_url),
    }
    return Intake(Apps(store), Producers(store), queues)


@cache
def forwarder(surface: Surface) -> Forwarder:
    """The use case of the forwarders; raises `ConfigurationError`."""
    settings = ForwardSettings.from_env(os.environ)
    sqs = boto3.client("sqs", config=_AWS)
    store = ParameterStore(boto3.client("ssm", config=_AWS), settings.parameter_prefix)
    transport = make_transport(
        settings.requests_in_flight,
        settings.connect_timeout_seconds,
        settings.read_timeout_seconds,
    )
    return Forwarder(
        surface,
        settings,
        Client(transport, settings.appsflyer_url),
        Apps(store),
        queue=Queue(sqs, settings.queue_url),
        dead_letters=Queue(sqs, settings.dead_letter_queue_url),
    )


@cache
def _runner() -> asyncio.Runner:
    """One event loop for the life of the process: kept connections belong to their loop."""
    return asyncio.Runner()


def forward(event: Mapping[str, Any], context: Context, surface: Surface) -> dict[str, Any]:
    """Handles one SQS event of Lambda's; answers with the records to be tried again."""

    def remaining() -> float:
        return context.get_remaining_time_in_millis() / 1000

    failed = _runner().run(forwarder(surface).forward(event["Records"], remaining))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
