"""The actions of `relay dlq edit` and `relay dlq resubmit`: corrections, sent and reported."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from relay.instants import utc_now
from relay_cli.clients.targets import Location, find_targets
from relay_cli.dlq.correct_views import facts_of_result, result_blocks
from relay_cli.dlq.edit import Changes, edit_letter, kept
from relay_cli.dlq.lines import read_corrections
from relay_cli.dlq.queues import DeadLetterQueue, find_queues
from relay_cli.dlq.resubmit import Resubmitter, Result, SendTo
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import show, stderr_console, stdout_console, write_line
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.pipes import reader_may_leave
from relay_cli.terminal.progress import bar
from relay_cli.terminal.signals import stop_on_signals

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Choices:
    """What to do in doubt, and how to tell of it."""

    anyway: bool = False
    without_letter: bool = False
    as_json: bool = False
    stop: Event = field(default_factory=Event)


def find(
    url: str | None, to: str | None, location: Location
) -> tuple[list[DeadLetterQueue], SendTo]:
    """The dead-letter queues that the options name, and where their events go.

    That is the queue of their kind; with the URL of a dead-letter queue, the one that it belongs
    to.
    """
    queues = find_queues(None, url, to, location)
    if url:
        return queues, lambda _: (queues[0].sqs, queues[0].source_url())
    targets = find_targets(location)

    def send_to(surface: str) -> "tuple[SQSClient, str]":
        queue_url = targets.url(f"{surface}_queue")
        return targets.sqs(queue_url), queue_url

    return queues, send_to


def edit(
    queues: Sequence[DeadLetterQueue],
    send_to: SendTo,
    id_: str,
    changes: Changes,
    start: Path | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Lets a person correct an event, sends it and deletes its letter; raises `CliError`."""
    edited = edit_letter(queues, id_, changes, start)
    results = [Result(edited.correction)]
    try:
        _resubmit(queues, send_to, results, Choices(as_json=as_json))
    except CliError as error:
        raise CliError(f"{error}. {kept(edited.draft, id_)}", code=error.code) from error
    _tell(results, as_json=as_json)
    (result,) = results
    if result.status in ("sent", "not_deleted"):
        edited.draft.discard()
    else:
        stderr_console().print(kept(edited.draft, id_), soft_wrap=True)
    return ExitCode.OK if result.status == "sent" else ExitCode.FAILED


def resubmit(
    queues: Sequence[DeadLetterQueue], send_to: SendTo, path: Path, choices: Choices
) -> ExitCode:
    """Sends what a file of letters holds, and deletes the letters that it replaces.

    Raises `CliError` if the file cannot be read as a whole: then nothing is sent.
    """
    results = [Result(one) for one in read_corrections(path)]
    try:
        with stop_on_signals(choices.stop):
            _resubmit(queues, send_to, results, choices)
    except CliError:
        if any(one.status != "not_reached" for one in results):
            _tell(results, as_json=choices.as_json)
        raise
    _tell(results, as_json=choices.as_json)
    return ExitCode.OK if all(one.is_done for one in results) else ExitCode.FAILED


def _resubmit(
    queues: Sequence[DeadLetterQueue],
    send_to: SendTo,
    results: Sequence[Result],
    choices: Choices,
) -> None:
    """Writes into each result what became of it; raises `CliError`."""
    for queue, group in list(_by_queue(queues, results)):
        reader = queue.reader()
        resubmitter = Resubmitter(
            reader, send_to, utc_now(), choices.anyway, choices.without_letter, choices.stop
        )
        with bar(queue.name, reader.size()) as advance:
            resubmitter.run(group, advance)


def _by_queue(
    queues: Sequence[DeadLetterQueue], results: Sequence[Result]
) -> Iterator[tuple[DeadLetterQueue, list[Result]]]:
    """The corrections of each queue; those of a queue named by its URL are all its own."""
    if len(queues) == 1:
        yield queues[0], list(results)
        return
    names = {queue.name for queue in queues}
    if strange := [one for one in results if one.correction.queue not in names]:
        raise CliError(
            f"{strange[0].correction.place} is of a queue that was named by its URL: name it with "
            "--queue. Nothing is sent."
        )
    for queue in queues:
        if group := [one for one in results if one.correction.queue == queue.name]:
            yield queue, group


def _tell(results: Sequence[Result], *, as_json: bool) -> None:
    with reader_may_leave():
        if as_json:
            for one in results:
                write_line(encode(facts_of_result(one)))
        else:
            show(stdout_console(), result_blocks(results))
