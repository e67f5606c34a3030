"""Watches sent events from outside until all have ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from relay.domain.outcomes import Outcome
from relay_cli.clients.aws import translate_errors
from relay_cli.clients.http import call
from relay_cli.dlq.reader import DeadLetterReader
from relay_cli.local.demo.traces import (
    NOT_RECORDED,
    WAITING,
    Trace,
    TraceResult,
    match_dead_letter,
    match_ledger,
)
from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_POLL_SECONDS: Final = 0.2
_TIMEOUT_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 3.0
"""How long to watch an event that is expected to wait."""
_DEAD_LETTERS: Final = ("mobile_dlq", "web_dlq", "payments_dlq")


@dataclass(slots=True)
class Watcher:
    """Reads the stand-in's ledger and the dead-letter queues of a sandbox.

    `stop` ends the run early.
    """

    ready: dict[str, Any]
    sqs: "SQSClient"
    stop: Event = field(default_factory=Event)

    def watch(self, traces: Sequence[Trace]) -> None:
        """Waits until every trace has ended, or for a minute; raises `CliError`."""
        readers = [DeadLetterReader(self.sqs, self.ready[name], 0) for name in _DEAD_LETTERS]
        try:
            self._watch(traces, readers)
        finally:
            for reader in readers:
                reader.release()

    def _watch(self, traces: Sequence[Trace], readers: Sequence[DeadLetterReader]) -> None:
        began = time.monotonic()
        while time.monotonic() - began < _TIMEOUT_SECONDS and not self.stop.is_set():
            self._poll(traces, readers)
            unfinished = [trace for trace in traces if trace.result is None]
            all_expect_to_wait = all(_expects_to_wait(trace) for trace in unfinished)
            if not unfinished or (all_expect_to_wait and time.monotonic() - began > _GRACE_SECONDS):
                break
            self.stop.wait(_POLL_SECONDS)
        for trace in traces:
            if trace.result is None:
                trace.result = self._unfinished(trace)

    def _poll(self, traces: Sequence[Trace], readers: Sequence[DeadLetterReader]) -> None:
        match_ledger(traces, self._ledger())
        for reader in readers:
            while dead_letters := reader.receive():
                for dead_letter in dead_letters:
                    match_dead_letter(traces, dead_letter)

    def _ledger(self) -> list[dict[str, Any]]:
        response = call("GET", f"{self.ready['stand_in']}/_standin/events")
        if response.status != 200:  # noqa: PLR2004 - OK
            raise CliError(f"the stand-in answers {response.status} when asked for its ledger")
        events: list[dict[str, Any]] = response.json()["events"]
        return events

    def _unfinished(self, trace: Trace) -> TraceResult:
        """Neither recorded nor dead: it waits in its queue, unless the queue is empty."""
        detail = ", ".join(dict.fromkeys(trace.failures))
        is_mobile = trace.submitted is None or trace.submitted.kind == "mobile_event"
        waiting = self._size(self.ready["mobile_queue" if is_mobile else "web_queue"])
        return TraceResult(WAITING if waiting else NOT_RECORDED, detail)

    def _size(self, url: str) -> int:
        with translate_errors("SQS"):
            response = self.sqs.get_queue_attributes(
                QueueUrl=url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        return sum(int(number) for number in response["Attributes"].values())


def _expects_to_wait(trace: Trace) -> bool:
    return trace.expected is not None and Outcome(trace.expected.outcome).waits
