"""The command as people run it, in a process of its own; and a local AWS for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

RELAY = str(Path(sys.executable).parent / "relay")
ROOT = Path(__file__).parents[3]


class Run(Protocol):
    def __call__(
        self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]: ...


def environment(**more: str) -> dict[str, str]:
    """That of the tests, without what would change how the command looks or where it sends."""
    dropped = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "ONCE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {name: value for name, value in kept.items() if not name.startswith("RELAY_")} | more


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `relay ...` in an empty folder."""

    def run(
        *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [RELAY, *arguments],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=environment(**(env or {})),
            timeout=120,
            check=False,
        )

    return run


@dataclass(frozen=True)
class LocalQueues:
    """The relay's queues and their dead-letter queues, in an AWS of their own."""

    endpoint: str
    sqs: "SQSClient"
    urls: Mapping[str, str]
    ready_file: Path

    @property
    def where(self) -> tuple[str, str]:
        """The option that finds them."""
        return "--ready-file", str(self.ready_file)

    def put(self, name: str, *bodies: str) -> list[str]:
        """Puts messages on a queue; their ids."""
        url = self.urls[name]
        answers = [self.sqs.send_message(QueueUrl=url, MessageBody=body) for body in bodies]
        return [answer["MessageId"] for answer in answers]

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """Takes all messages off a queue."""
        found: list[dict[str, Any]] = []
        url = self.urls[name]
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def count(self, name: str) -> int:
        """How many messages can be received from a queue at this moment."""
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.urls[name], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def crash(self, name: str, body: str) -> str:
        """Lets SQS itself move a message to the dead-letter queue; its id."""
        (message_id,) = self.put(name, body)
        dead = f"{name.partition('_')[0]}_dlq"
        before = self.count(dead)
        while self.count(dead) == before:  # moto moves it when it is looked for once too often
            self.sqs.receive_message(QueueUrl=self.urls[name], VisibilityTimeout=0)
        return message_id


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def queues(aws_endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> LocalQueues:
    """Empty queues of the test's own."""
    sqs: SQSClient = boto3.client("sqs", endpoint_url=aws_endpoint, region_name="us-east-1")
    urls: dict[str, str] = {}
    for surface in ("mobile", "web", "payments"):
        name = f"{surface}-{abs(hash(request.node.nodeid))}"
        urls[f"{surface}_dlq"] = dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        policy = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": 1}
        urls[f"{surface}_queue"] = sqs.create_queue(
            QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)}
        )["QueueUrl"]
    ready = {**urls, "aws": aws_endpoint, "api": "", "producer_token": "token"}
    ready_file = tmp_path / "ready.json"
    ready_file.write_text(json.dumps(ready))
    return LocalQueues(aws_endpoint, sqs, urls, ready_file)


def _arn(sqs: "SQSClient", url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def lines(output: bytes) -> Sequence[dict[str, Any]]:
    """The JSON objects of an output."""
    return [json.loads(line) for line in output.splitlines()]
