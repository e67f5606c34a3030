"""AWS as moto plays it: a server on this machine that boto3 speaks to over HTTP."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from relay import telemetry
from relay_sandbox.local_aws.moto_partiql import patch_moto

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


@pytest.fixture(autouse=True)
def _metrics_have_a_namespace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the template sets it."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
    telemetry._metrics.cache_clear()  # noqa: SLF001 - it remembers the namespace
    yield
    telemetry._metrics.cache_clear()  # noqa: SLF001 - likewise


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    patch_moto()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_sqs(moto_url: str) -> "Iterator[SQSClient]":
    client = boto3.client("sqs", endpoint_url=moto_url, config=_once())
    yield client
    client.close()


@pytest.fixture
def sqs(moto_sqs: "SQSClient") -> "SQSClient":
    return moto_sqs


@pytest.fixture
def ssm(moto_url: str) -> "Iterator[SSMClient]":
    client = boto3.client("ssm", endpoint_url=moto_url, config=_once())
    yield client
    client.close()


@pytest.fixture
def dynamodb(moto_url: str) -> "Iterator[DynamoDBClient]":
    client = boto3.client("dynamodb", endpoint_url=moto_url, config=_once())
    yield client
    client.close()


def _once() -> Config:
    return Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=20)


@pytest.fixture
def make_queue(sqs: "SQSClient") -> Callable[[], str]:
    """Makes a queue of its own for the test; gives its URL."""
    return lambda: sqs.create_queue(QueueName=f"q-{uuid4().hex}")["QueueUrl"]


@pytest.fixture
def make_table(dynamodb: "DynamoDBClient") -> Callable[[], str]:
    """Makes a table of its own for the test, as the template does; gives its name."""

    def make() -> str:
        name = f"table-{uuid4().hex}"
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": attribute, "AttributeType": "S"}
                for attribute in ("pk", "sk", "customer_user_id")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "customers",
                    "KeySchema": [{"AttributeName": "customer_user_id", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        return name

    return make


@pytest.fixture
def receive(sqs: "SQSClient") -> Callable[[str], list[Any]]:
    """Takes up to ten messages that may be seen now."""

    def take(url: str) -> list[Any]:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            VisibilityTimeout=600,
        )
        return list(answer.get("Messages", []))

    return take


@pytest.fixture
def prefix() -> str:
    """A prefix of Parameter Store that no other test uses."""
    return f"/relay-{uuid4().hex}"
