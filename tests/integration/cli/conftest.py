"""Runs the command as users do, with a local AWS."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from unittest import mock
from urllib.parse import urlparse

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs.models import SQSBackend, sqs_backends

from tests.integration.cli import here, warm
from tests.support.local_moto import local_moto

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
        if memory_mib is None:
            return here.run(arguments, stdin=stdin, cwd=tmp_path, env=environment(**(env or {})))
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
    env = environment(COLUMNS="200", TERM="dumb")

    def person(terminal: int) -> None:
        os.write(terminal, answer.encode() + b"\n")

    return here.in_terminal(arguments, env=env, shows=question, then=person)


@dataclass(frozen=True)
class LocalQueues:
    """The relay's queues and dead-letter queues, in a local AWS."""

    endpoint: str
    urls: Mapping[str, str]
    ready_file: Path

    @property
    def location(self) -> tuple[str, str]:
        """The option that names them."""
        return "--ready-file", str(self.ready_file)

    def put(self, name: str, *bodies: str) -> list[str]:
        """Puts messages on a queue; returns their ids."""
        backend, queue = self._backend(), self._in_moto(name)
        return [backend.send_message(queue.name, body).id for body in bodies]

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """Takes all messages off a queue that are visible."""
        return [json.loads(body) for body in self.texts(name)]

    def texts(self, name: str) -> list[str]:
        """The same, unread."""
        queue = self._in_moto(name)
        found = list(queue.messages)
        queue._messages = [one for one in queue._messages if one not in found]  # noqa: SLF001 - as above
        return [message.body for message in found]

    def count(self, name: str) -> int:
        """How many messages of a queue are visible now."""
        return int(self._in_moto(name).approximate_number_of_messages)

    @contextmanager
    def interrupting(self, number: signal.Signals, receives: int) -> Iterator[None]:
        """Sends a signal to what runs here, before an answer of SQS's with messages reaches it."""
        receive, given = SQSBackend.receive_message, list[int]()

        def receive_message(*args: Any, **kwargs: Any) -> Any:
            found = receive(*args, **kwargs)
            given.append(len(found))
            if len(given) == receives:
                here.interrupt(number)
            return found

        with mock.patch.object(SQSBackend, "receive_message", receive_message):
            yield

    def unhide(self, name: str) -> None:
        """Ends the visibility timeout of a killed program's messages, as waiting would."""
        for message in self._in_moto(name)._messages:  # noqa: SLF001 - its clock cannot be set
            message.change_visibility(0)

    def _in_moto(self, name: str) -> Any:
        """The queue itself: a call over HTTP would cost the server as much as the command's."""
        return self._backend().queues[self.urls[name].rpartition("/")[2]]

    @staticmethod
    def _backend() -> Any:
        return sqs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]

    def crash(self, name: str, body: str) -> str:
        """Makes SQS itself move a message to the dead-letter queue; returns its id."""
        (message_id,) = self.put(name, body)
        queue, dead = self._in_moto(name), f"{name.partition('_')[0]}_dlq"
        before = self.count(dead)
        while self.count(dead) == before:  # moto moves it when it is received once too often
            self._backend().receive_message(queue.name, 1, 0, visibility_timeout=0)
        return message_id


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    with local_moto() as url:
        yield url


@pytest.fixture
def queues(aws_endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> LocalQueues:
    """Empty queues for one test."""
    backend, urls = sqs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"], dict[str, str]()
    for surface in ("mobile", "web", "payments"):
        name = f"{surface}-{abs(hash(request.node.nodeid))}"
        dead = backend.create_queue(f"{name}-dlq")
        policy = {"deadLetterTargetArn": dead.queue_arn, "maxReceiveCount": 1}
        queue = backend.create_queue(name, RedrivePolicy=json.dumps(policy))
        for kind, made in (("dlq", dead), ("queue", queue)):
            urls[f"{surface}_{kind}"] = made.url(urlparse(aws_endpoint))
    ready = {**urls, "aws": aws_endpoint, "api": "", "producer_token": "token"}
    ready_file = tmp_path / "ready.json"
    ready_file.write_text(json.dumps(ready))
    return LocalQueues(aws_endpoint, urls, ready_file)


def lines(output: bytes) -> Sequence[dict[str, Any]]:
    """The JSON objects of an output, one a line."""
    return [json.loads(line) for line in output.splitlines()]
