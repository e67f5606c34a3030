"""Finds the queues: by option, environment, a sandbox's ready file, or a stack."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relay_cli.clients import aws
from relay_cli.clients.http import LOOPBACK, split_url
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import read_object

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DEFAULT_READY_FILE: Final = Path(".relay/ready.json")
QUEUES: Final = ("mobile", "web", "payments")

_VARIABLES: Final = {
    "mobile_queue": "RELAY_MOBILE_QUEUE_URL",
    "web_queue": "RELAY_WEB_QUEUE_URL",
    "mobile_dlq": "RELAY_MOBILE_DEAD_LETTER_QUEUE_URL",
    "web_dlq": "RELAY_WEB_DEAD_LETTER_QUEUE_URL",
    "payments_queue": "RELAY_PAYMENTS_QUEUE_URL",
    "payments_dlq": "RELAY_PAYMENTS_DEAD_LETTER_QUEUE_URL",
}
_OUTPUTS: Final = {
    "mobile_queue": "MobileQueueUrl",
    "web_queue": "WebQueueUrl",
    "mobile_dlq": "MobileDeadLetterQueueUrl",
    "web_dlq": "WebDeadLetterQueueUrl",
    "payments_queue": "PaymentsQueueUrl",
    "payments_dlq": "PaymentsDeadLetterQueueUrl",
}
_OPTIONS: Final = {"mobile_queue": "--mobile-queue", "web_queue": "--web-queue"}


@dataclass(frozen=True, slots=True)
class Location:
    """The sandbox or stack that the options name."""

    ready_file: Path | None = None
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """Queue URLs by name (`mobile_queue`, `web_dlq` ...; mobile, web, payments).

    `origin` says for people where they come from. `endpoint` is the local AWS of a sandbox.
    """

    urls: Mapping[str, str]
    origin: str
    endpoint: str | None = None

    def url(self, name: str) -> str:
        """A queue's URL; raises `CliError`, which says how to give it."""
        if url := self.urls.get(name):
            return url
        option = f"{_OPTIONS[name]}, " if name in _OPTIONS else ""
        raise CliError(
            f"which {_readable(name)} is meant? Give {option}--stack NAME or --ready-file PATH, or "
            f"set {_VARIABLES[name]}."
        )

    def sqs(self, queue_url: str) -> "SQSClient":
        """A client for one of the queues."""
        endpoint = self.endpoint or _local_endpoint(queue_url)
        return aws.local_sqs_client(endpoint) if endpoint else aws.sqs_client(queue_url)


def find_targets(
    location: Location, urls_by_option: Mapping[str, str | None] | None = None
) -> Targets:
    """Finds the queues; raises `CliError`.

    The order of precedence: URLs by option, a named stack or ready file, the environment, the ready
    file of a sandbox that runs here.
    """
    given = {name: url for name, url in (urls_by_option or {}).items() if url}
    found = _find(location, bool(given))
    return Targets({**found.urls, **given}, found.origin, found.endpoint)


def _find(location: Location, has_given: bool) -> Targets:  # noqa: FBT001 - one caller, right above
    if location.stack and location.ready_file:
        raise CliError("give --stack or --ready-file, not both")
    if location.stack:
        return _of_stack(location.stack)
    if location.ready_file:
        return of_ready_file(location.ready_file)
    urls = {name: os.environ.get(variable, "") for name, variable in _VARIABLES.items()}
    if any(urls.values()):
        return Targets(urls, "the environment")
    # A URL by option may belong to any AWS, so the ready file must not set the endpoint.
    if DEFAULT_READY_FILE.exists() and not has_given:
        return of_ready_file(DEFAULT_READY_FILE)
    return Targets({}, "the options")


def of_ready_file(path: Path) -> Targets:
    """The queues of a running sandbox."""
    ready = read_ready_file(path)
    urls = {name: ready_text(ready, name, path) for name in _VARIABLES}
    return Targets(urls, f"the sandbox of {path}", ready_text(ready, "aws", path))


def read_ready_file(path: Path) -> dict[str, Any]:
    """Reads a sandbox's ready file; raises `CliError`."""
    if not path.exists():
        raise CliError(f"{path} is not there: is a sandbox up?")
    return read_object(path, "ready file of a sandbox")


def ready_text(ready: Mapping[str, Any], name: str, path: Path) -> str:
    """A text field that every ready file has; raises `CliError` if it is missing."""
    if isinstance(text := ready.get(name), str):
        return text
    raise CliError(f"{path} is no ready file of a sandbox: '{name}' is missing")


def _local_endpoint(queue_url: str) -> str | None:
    """The endpoint of the local AWS if the queue's URL is on this machine."""
    parts = split_url(queue_url, "a queue")
    is_local = parts.hostname in LOOPBACK
    return f"{parts.scheme}://{parts.netloc}" if is_local else None


def _of_stack(name: str) -> Targets:
    outputs = aws.stack_outputs(name)
    missing = [output for output in _OUTPUTS.values() if output not in outputs]
    if missing:
        raise CliError(f"the stack {name} is no relay: its output {missing[0]} is missing")
    urls = {queue: outputs[output] for queue, output in _OUTPUTS.items()}
    return Targets(urls, f"the stack {name}")


def _readable(name: str) -> str:
    surface, _, kind = name.partition("_")
    return f"{surface} dead-letter queue" if kind == "dlq" else f"{surface} queue"
