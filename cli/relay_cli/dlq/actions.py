"""The actions of `relay dlq` that write, move or delete letters: export, redrive, drop."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields
from pathlib import Path
from threading import Event

from rich.text import Text

from relay.instants import utc_now
from relay_cli.dlq.dead_letter import NOT_AN_ENVELOPE
from relay_cli.dlq.export import line_of, new_file
from relay_cli.dlq.filter import Filter, Selection
from relay_cli.dlq.listing import MAY_BE_MORE
from relay_cli.dlq.outcome_views import (
    NOTHING_SENT,
    failing_again_blocks,
    purge_blocks,
    redrive_blocks,
    selection_blocks,
)
from relay_cli.dlq.purge import Purger, PurgeResult
from relay_cli.dlq.queues import DeadLetterQueue, scan
from relay_cli.dlq.redrive import Redriver, RedriveResult
from relay_cli.dlq.views import HAVE_MISSED, dead_letter_count
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import (
    Block,
    confirm,
    is_interactive,
    require_interactive,
    show,
    stderr_console,
    stdout_console,
    write_line,
)
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.pipes import reader_may_leave
from relay_cli.terminal.progress import bar
from relay_cli.terminal.signals import stop_on_signals


def export_dead_letters(
    queues: Sequence[DeadLetterQueue],
    filter_: Filter,
    path: Path,
    *,
    force: bool,
    as_json: bool = False,
) -> ExitCode:
    """Writes dead letters to a file, one a line. They stay in the queue. Raises `CliError`."""
    stop, number, is_complete = Event(), 0, True
    with stop_on_signals(stop), new_file(path, force=force) as file:
        for queue in queues:
            reader = queue.reader()
            with scan(queue, reader, stop) as found:
                for dead_letter in found:
                    if filter_.matches(dead_letter):
                        file.write(line_of(dead_letter, queue.name))
                        number += 1
            is_complete = is_complete and not reader.truncated
    if as_json:
        told = {"written": number, "path": str(path), "complete": is_complete}
        write_line(encode(told))
    else:
        text = f"{dead_letter_count(number)} written to {path}"
        stdout_console().print(Text(text, "good" if number else ""))
    if not is_complete:
        stderr_console().print(Text(MAY_BE_MORE, "warn"))
    return ExitCode.OK if is_complete else ExitCode.FAILED


def redrive_dead_letters(
    queues: Sequence[DeadLetterQueue],
    filter_: Filter,
    rate: float | None,
    *,
    assume_yes: bool,
    as_json: bool = False,
) -> ExitCode:
    """Sends events back to the queues that they came from; raises `CliError`."""
    if filter_.reason == NOT_AN_ENVELOPE:
        raise CliError(
            "letters of reason not_an_envelope cannot be redriven: sent again as they are, without "
            "their sender's id, they could count twice. Correct those that hold an event with "
            "`relay dlq edit`, or many with `relay dlq export` and `relay dlq resubmit`; of the "
            "others only size and digest are kept."
        )
    if not assume_yes and not _may_redrive(queues, filter_):
        return ExitCode.FAILED
    done = ExitCode.OK
    stop = Event()
    with stop_on_signals(stop):
        for queue in queues:
            result = _redrive(queue, filter_, rate, stop)
            _tell(queue.name, _counts(result), redrive_blocks(result, queue.name), as_json=as_json)
            if result.failed or result.duplicated or result.interrupted:
                done = ExitCode.FAILED
            if stop.is_set():
                break
    return done


def _counts(result: RedriveResult | PurgeResult) -> dict[str, object]:
    return {one.name: getattr(result, one.name) for one in fields(result)}


def _tell(
    queue: str, counts: Mapping[str, object], blocks: Iterable[Block], *, as_json: bool
) -> None:
    with reader_may_leave():  # the next queue has its turn all the same
        if as_json:
            write_line(encode({"queue": queue, **counts}))
        else:
            show(stdout_console(), blocks)


def _redrive(
    queue: DeadLetterQueue, filter_: Filter, rate: float | None, stop: Event
) -> RedriveResult:
    reader = queue.reader()
    redriver = Redriver(reader, queue.sqs, queue.source_url(), filter_, utc_now(), rate, stop)
    with bar(queue.name, reader.size()) as advance:
        return redriver.run(advance)


def _may_redrive(queues: Sequence[DeadLetterQueue], filter_: Filter) -> bool:
    """Warns of letters that fail again or are late. Asks, on a terminal, if there are such.

    Raises `CliError` if some would fail again, and nobody is there to be asked.
    """
    selections = _selections(queues, filter_).values()
    number = sum(len(one.ids) for one in selections)
    missed = sum(one.missed for one in selections)
    failing = sum((one.failing_again for one in selections), Counter[str]())
    if failing:
        show(stderr_console(), failing_again_blocks(failing, number))
        if not is_interactive():
            raise CliError(NOTHING_SENT)
    if not is_interactive():
        return True
    if missed:
        stderr_console().print(
            Text(f"{missed:,} of {dead_letter_count(number)} {HAVE_MISSED}", "warn")
        )
    if not (missed or failing or filter_.matches_all):
        return True
    return confirm(f"Send {dead_letter_count(number)} back?")


def purge_dead_letters(
    queues: Sequence[DeadLetterQueue], filter_: Filter, *, assume_yes: bool, as_json: bool = False
) -> ExitCode:
    """Deletes dead letters for good; raises `CliError`."""
    confirmed_ids: dict[str, AbstractSet[str]] = {}
    if not assume_yes:
        require_interactive()  # before anything is counted
        selections = _selections(queues, filter_)
        if not _confirm_purge(selections):
            return ExitCode.FAILED
        confirmed_ids = {name: one.ids for name, one in selections.items()}
    done, stop = ExitCode.OK, Event()
    with stop_on_signals(stop):
        for queue in queues:
            if not assume_yes and not confirmed_ids[queue.name]:
                continue
            result = _purge(queue, filter_, confirmed_ids.get(queue.name), stop)
            _tell(queue.name, _counts(result), purge_blocks(result, queue.name), as_json=as_json)
            if not result.is_complete:
                done = ExitCode.FAILED
            if stop.is_set():
                break
    return done


def _purge(
    queue: DeadLetterQueue, filter_: Filter, confirmed_ids: AbstractSet[str] | None, stop: Event
) -> PurgeResult:
    reader = queue.reader()
    purger = Purger(reader, filter_, utc_now(), confirmed_ids, stop)
    with bar(queue.name, reader.size()) as advance:
        return purger.run(advance)


def _confirm_purge(selections: Mapping[str, Selection]) -> bool:
    """Asks for confirmation, and shows the count for each reason."""
    for name, selection in selections.items():
        show(stderr_console(), selection_blocks(selection, name))
    number = sum(len(one.ids) for one in selections.values())
    return not number or confirm(f"Delete {dead_letter_count(number)} for good?")


def _selections(queues: Sequence[DeadLetterQueue], filter_: Filter) -> dict[str, Selection]:
    """The dead letters that match, by the name of their queue."""
    stop = Event()
    selections = {queue.name: Selection(utc_now()) for queue in queues}
    with stop_on_signals(stop):
        for queue in queues:
            with scan(queue, queue.reader(), stop) as found:
                for dead_letter in found:
                    if filter_.matches(dead_letter):
                        selections[queue.name].add(dead_letter)
    return selections
