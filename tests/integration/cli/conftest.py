"""Runs the command in a process of its own, as users do, with a local AWS."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
from moto.server import ThreadedMotoServer
from moto.sqs.models import sqs_backends

from tests.integration.cli import warm

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

RELAY = str(Path(sys.executable).parent / "relay")
ROOT = Path(__file__).parents[3]


NOW = datetime.now(UTC)
EVENT = {"appsflyer_id": "1-2", "eventName": "af_purchase", "email_hashed": "0" * 64}
FINDING = {"rule": "M12", "severity": "warn", "field": "os", "message": "is missing"}


def dead_letter(number: int, **more: Any) -> str:
    """A dead letter as the relay writes it, with changed fields."""
    content = {
        "app_id": "com.example.shop",
        "kind": "mobile_event",
        "event": EVENT,
        "event_id": f"order-{number}",
        "first_seen": "2026-11-22T10:00:00.000Z",
        "attempts": 11,
        "held_since": "2026-11-22T11:00:00.000Z",
        "findings": [FINDING],
        "reason": "attempts_used_up: status_500",
        "outcome": "deferred",
        "status": 500,
        "message": "Internal Server Error",
        # Half an hour more than shown, so that the words are the same however long the tests take.
        "deadline": f"{NOW + timedelta(days=2, hours=5, minutes=30):%Y-%m-%dT%H:%M:%S}.000Z",
        "dead_since": f"{NOW - timedelta(days=1, hours=3, minutes=30):%Y-%m-%dT%H:%M:%S}.000Z",
    }
    return json.dumps({**content, **more})


class Run(Protocol):
    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        memory_mib: int | None = None,
    ) -> subprocess.CompletedProcess[bytes]: ...


def environment(**more: str) -> dict[str, str]:
    """The tests' environment, without variables that change the command's output or target."""
    dropped = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "ONCE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {name: value for name, value in kept.items() if not name.startswith("RELAY_")} | more


@pytest.fixture
def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs `relay ...` in an empty folder."""

    def run(
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        memory_mib: int | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        return warm.run(
            arguments,
            stdin=stdin,
            cwd=tmp_path,
            env=environment(**(env or {})),
            scratch=tmp_path_factory.mktemp("streams"),
            memory_mib=memory_mib,
        )

    return run


def until(condition: Callable[[], object], process: "subprocess.Popen[bytes]") -> None:
    """Waits for a condition. The pause leaves the local AWS time to work."""
    while not condition():
        assert process.poll() is None, "it ended before that"
        time.sleep(0.01)


def in_terminal(*arguments: str, question: str, answer: str) -> tuple[int, str]:
    """Runs `relay ...` in a terminal and answers its question; returns exit code and output."""
    controller, terminal = pty.openpty()
    env = environment(COLUMNS="200", TERM="dumb")
    with subprocess.Popen(
        [warm.program(), *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=env,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        shown = ""
        while piece := _read(controller):
            shown += piece
            if answer and question in shown:
                os.write(controller, answer.encode() + b"\n")
                answer = ""
        code = process.wait(timeout=60)
    os.close(controller)
    return code, shown


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65_536).decode()
    except OSError:  # the program has ended and closed its end of the terminal
        return ""


@dataclass(frozen=True)
class LocalQueues:
    """The relay's queues and dead-letter queues, in a local AWS."""

    endpoint: str
    sqs: "SQSClient"
    urls: Mapping[str, str]
    ready_file: Path

    @property
    def location(self) -> tuple[str, str]:
        """The option that names them."""
        return "--ready-file", str(self.ready_file)

    def put(self, name: str, *bodies: str) -> list[str]:
        """Sends messages to a queue, ten in a call; returns their ids."""
        url, ids = self.urls[name], list[str]()
        for start in range(0, len(bodies), 10):
            batch = bodies[start : start + 10]
            answer = self.sqs.send_message_batch(
                QueueUrl=url,
                Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)],
            )
            ids += [one["MessageId"] for one in answer["Successful"]]
        return ids

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """Receives and deletes all messages of a queue."""
        found: list[dict[str, Any]] = []
        url = self.urls[name]
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(message["Body"]) for message in messages]
            handles = [message["ReceiptHandle"] for message in messages]
            self.sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[{"Id": str(n), "ReceiptHandle": one} for n, one in enumerate(handles)],
            )
        return found

    def count(self, name: str) -> int:
        """How many messages of a queue are visible now."""
        return int(self._in_moto(name).approximate_number_of_messages)

    def unhide(self, name: str) -> None:
        """Ends the visibility timeout of a killed program's messages, as waiting would."""
        for message in self._in_moto(name)._messages:  # noqa: SLF001 - its clock cannot be set
            message.change_visibility(0)

    def _in_moto(self, name: str) -> Any:
        """The queue itself: a call over HTTP would cost the server as much as the command's."""
        account, queue = self.urls[name].split("/")[-2:]
        return sqs_backends[account]["us-east-1"].queues[queue]

    def crash(self, name: str, body: str) -> str:
        """Makes SQS itself move a message to the dead-letter queue; returns its id."""
        (message_id,) = self.put(name, body)
        dead = f"{name.partition('_')[0]}_dlq"
        before = self.count(dead)
        while self.count(dead) == before:  # moto moves it when it is received once too often
            self.sqs.receive_message(QueueUrl=self.urls[name], VisibilityTimeout=0)
        return message_id


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def sqs(aws_endpoint: str) -> "SQSClient":
    return boto3.client("sqs", endpoint_url=aws_endpoint, region_name="us-east-1")


@pytest.fixture
def queues(
    aws_endpoint: str, sqs: "SQSClient", tmp_path: Path, request: pytest.FixtureRequest
) -> LocalQueues:
    """Empty queues for one test."""
    urls: dict[str, str] = {}
    for surface in ("mobile", "web", "payments"):
        name = f"{surface}-{abs(hash(request.node.nodeid))}"
        urls[f"{surface}_dlq"] = dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        policy = {"deadLetterTargetArn": _arn(dead), "maxReceiveCount": 1}
        urls[f"{surface}_queue"] = sqs.create_queue(
            QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)}
        )["QueueUrl"]
    ready = {**urls, "aws": aws_endpoint, "api": "", "producer_token": "token"}
    ready_file = tmp_path / "ready.json"
    ready_file.write_text(json.dumps(ready))
    return LocalQueues(aws_endpoint, sqs, urls, ready_file)


def _arn(url: str) -> str:
    account, name = url.split("/")[-2:]
    return f"arn:aws:sqs:us-east-1:{account}:{name}"


def lines(output: bytes) -> Sequence[dict[str, Any]]:
    """The JSON objects of an output, one a line."""
    return [json.loads(line) for line in output.splitlines()]
