"""Finds the dead-letter queues, and scans them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from relay_cli.clients.aws import translate_errors
from relay_cli.clients.http import LOOPBACK
from relay_cli.clients.targets import QUEUES, Location, Targets, find_targets
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.reader import DeadLetterReader, OnProgress
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.progress import bar

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue, and its name for people."""

    name: str
    url: str
    source: str | None
    """The queue that its events came from; None: ask SQS."""
    sqs: "SQSClient"

    def reader(self) -> DeadLetterReader:
        """A reader of this queue."""
        # A local AWS is a single server, so there are no others to poll.
        is_local = urlsplit(self.url).hostname in LOOPBACK
        return DeadLetterReader(self.sqs, self.url, wait_seconds=0 if is_local else 1)

    def source_url(self) -> str:
        """The queue that its events go back to; raises `CliError`."""
        if self.source:
            return self.source
        with translate_errors("SQS"):
            urls = self.sqs.list_dead_letter_source_queues(QueueUrl=self.url)["queueUrls"]
        if len(urls) != 1:
            raise CliError(
                f"{len(urls)} queues have this dead-letter queue: say with --to URL which of them "
                "its events go back to"
            )
        return urls[0]


def find_queues(
    surface: str | None, url: str | None, to: str | None, location: Location
) -> list[DeadLetterQueue]:
    """The dead-letter queues that the options name; raises `CliError`."""
    targets = find_targets(location, {"any": url})
    if url:
        return [DeadLetterQueue("queue", url, to, targets.sqs(url))]
    return [_queue_of(targets, one) for one in ((surface,) if surface else QUEUES)]


def _queue_of(targets: Targets, surface: str) -> DeadLetterQueue:
    url = targets.url(f"{surface}_dlq")
    source = targets.urls.get(f"{surface}_queue") or None
    return DeadLetterQueue(surface, url, source, targets.sqs(url))


@contextmanager
def scan(
    queue: DeadLetterQueue, reader: DeadLetterReader, stop: Event
) -> Iterator[Iterator[DeadLetter]]:
    """Each dead letter once, with a progress bar on a terminal. All are visible again afterwards.

    Raises `CliError`, also if it was stopped: then some were not read.
    """
    with reader, bar(queue.name, reader.size()) as advance:
        yield _scan(reader, advance, stop)
    if stop.is_set():
        raise CliError("stopped before the end: nothing is changed", code=ExitCode.FAILED)


def _scan(reader: DeadLetterReader, advance: OnProgress, stop: Event) -> Iterator[DeadLetter]:
    for dead_letters in reader.batches():
        yield from dead_letters
        advance(len(dead_letters))
        if stop.is_set():
            return
