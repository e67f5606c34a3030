"""Dead letters on the page: a group for each reason and app, redriven or dropped."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relay.aws.sqs import Message
from relay.instants import iso_form
from relay_cli.clients.aws import send_messages
from relay_cli.dlq.dead_letter import DeadLetter, redrive_body
from relay_cli.dlq.reader import DeadLetterReader
from relay_sandbox.journal.facts import QueueName
from relay_sandbox.journal.trace import Trace
from relay_sandbox.journal.words import because
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.cures import cure_of
from relay_sandbox.page.surroundings import Surroundings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_A_CALL: Final = 10


def groups(surroundings: Surroundings) -> dict[str, Any]:
    """All dead letters by reason, app and queue, the newest reason first."""
    found: dict[tuple[str, str, str], list[Trace]] = {}
    for _, (queue, trace) in surroundings.observer.letters():
        key = (trace.reason or "", trace.app_id, queue)
        if trace not in (known := found.setdefault(key, [])):
            known.append(trace)
    described = [_described(key, traces) for key, traces in found.items()]
    return {"groups": described[::-1], "dead_letters": surroundings.observer.dead_letters}


def _described(key: tuple[str, str, str], traces: Sequence[Trace]) -> dict[str, Any]:
    reason, app_id, queue = key
    deadlines = [trace.deadline for trace in traces if trace.deadline]
    return {
        "reason": reason,
        "text": because(reason),
        "app_id": app_id,
        "queue": queue,
        "count": len(traces),
        "rules": sorted({rule for trace in traces for rule in trace.rules}),
        "first_deadline": iso_form(min(deadlines)) if deadlines else None,
        "cure": cure_of(traces[-1]),
        "traces": [trace.row() for trace in traces[-100:]],
    }


@dataclass(slots=True)
class _Work:
    """What is to happen to some dead letters of one queue; blocking."""

    sqs: SQSClient
    dead_url: str
    source_url: str
    ids: Collection[str]
    drops: bool

    def run(self) -> list[str]:
        """Do it; return the message ids that are done with."""
        done: list[str] = []
        with DeadLetterReader(self.sqs, self.dead_url, 0) as reader:
            for letters in reader.batches(_A_CALL):
                chosen = [one for one in letters if one.message_id in self.ids]
                done += self._handle(chosen, reader)
        return done

    def _handle(self, letters: list[DeadLetter], reader: DeadLetterReader) -> list[str]:
        if not self.drops:
            bodies = {one.message_id: redrive_body(one) for one in letters}
            letters = [one for one in letters if bodies[one.message_id] is not None]
            messages = [Message(bodies[one.message_id] or "", one.app_id) for one in letters]
            failed = send_messages(self.sqs, self.source_url, messages) if messages else {}
            letters = [one for number, one in enumerate(letters) if number not in failed]
        if letters:
            reader.delete(letters)
        return [one.message_id for one in letters]


async def act(
    surroundings: Surroundings, asked: Mapping[str, Any], *, drops: bool
) -> dict[str, Any]:
    """Redrive, or drop, the dead letters of `{"keys"}`; raises `PageError`."""
    keys = asked.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PageError(400, "keys is a list of traces' keys")
    wanted: dict[QueueName, set[str]] = {}
    for message_id, (queue, trace) in surroundings.observer.letters():
        if trace.key in keys:
            wanted.setdefault(queue, set()).add(message_id)
    done = 0
    for queue, ids in wanted.items():
        ready, aws = surroundings.ready, surroundings.aws
        work = _Work(aws.sqs, ready[f"{queue}_dlq"], ready[f"{queue}_queue"], ids, drops)
        done += len(await aws.call(work.run))
    asked_for = sum(map(len, wanted.values()))
    return {
        "done": done,
        "left": asked_for - done,
        "dead_letters": surroundings.observer.dead_letters,
    }
