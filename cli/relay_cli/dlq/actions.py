"""The actions of `relay dlq`: list, show, export, redrive, drop."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from threading import Event

from rich.text import Text

from relay.instants import utc_now
from relay_cli.dlq.dead_letter import NOT_AN_ENVELOPE, DeadLetter
from relay_cli.dlq.export import line_of, new_file
from relay_cli.dlq.filter import Filter, Selection
from relay_cli.dlq.groups import Groups
from relay_cli.dlq.purge import Purger, PurgeResult
from relay_cli.dlq.queues import DeadLetterQueue, progress_bar, scan
from relay_cli.dlq.reader import MAX_DEAD_LETTERS
from relay_cli.dlq.redrive import Redriver, RedriveResult
from relay_cli.dlq.views import (
    HAVE_MISSED,
    dead_letter_blocks,
    dead_letter_count,
    groups_blocks,
    purge_blocks,
    redrive_blocks,
    selection_blocks,
)
from relay_cli.terminal.console import (
    confirm,
    is_interactive,
    require_interactive,
    show,
    stderr_console,
    stdout_console,
)
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.signals import stop_on_signals

_MAY_BE_MORE = f"There may be more than these {MAX_DEAD_LETTERS:,}."


def list_dead_letters(queues: Sequence[DeadLetterQueue]) -> ExitCode:
    """Shows the dead letters by reason and app; raises `CliError`."""
    console, stop = stdout_console(), Event()
    with stop_on_signals(stop):
        for queue in queues:
            reader, now = queue.reader(), utc_now()
            groups = Groups(now)
            with scan(queue, reader, stop) as found:
                for dead_letter in found:
                    groups.add(dead_letter)
            show(console, groups_blocks(queue.name, groups.largest_first(), now))
            if reader.truncated:
                console.print(Text(_MAY_BE_MORE, "warn"))
    return ExitCode.OK


def show_dead_letters(queues: Sequence[DeadLetterQueue], id_: str) -> ExitCode:
    """Shows all dead letters with a message id or event id; raises `CliError`."""
    filter_, selected, stop = Filter(id=id_), list[DeadLetter](), Event()
    with stop_on_signals(stop):
        for queue in queues:
            with scan(queue, queue.reader(), stop) as found:
                selected += [dead_letter for dead_letter in found if filter_.matches(dead_letter)]
    for dead_letter in selected:
        show(stdout_console(), dead_letter_blocks(dead_letter, utc_now()))
    if not selected:
        raise CliError("no dead letter has this id", code=ExitCode.FAILED)
    return ExitCode.OK


def export_dead_letters(
    queues: Sequence[DeadLetterQueue], filter_: Filter, path: Path, *, force: bool
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
    stdout_console().print(
        Text(f"{dead_letter_count(number)} written to {path}", "good" if number else "")
    )
    if not is_complete:
        stderr_console().print(Text(_MAY_BE_MORE, "warn"))
    return ExitCode.OK if is_complete else ExitCode.FAILED


def redrive_dead_letters(
    queues: Sequence[DeadLetterQueue], filter_: Filter, rate: float | None, *, assume_yes: bool
) -> ExitCode:
    """Sends events back to the queues that they came from; raises `CliError`."""
    if filter_.reason == NOT_AN_ENVELOPE:
        raise CliError(
            "letters of reason not_an_envelope cannot be redriven: sent again as they are, without "
            "their sender's id, they could count twice. Export those that hold an event, correct "
            "them, and use `relay send`; of the others only size and digest are kept."
        )
    if not assume_yes and is_interactive() and not _confirm_redrive(queues, filter_):
        return ExitCode.FAILED
    done = ExitCode.OK
    stop = Event()
    with stop_on_signals(stop):
        for queue in queues:
            result = _redrive(queue, filter_, rate, stop)
            show(stdout_console(), redrive_blocks(result, queue.name))
            if result.failed or result.duplicated or result.interrupted:
                done = ExitCode.FAILED
            if stop.is_set():
                break
    return done


def _redrive(
    queue: DeadLetterQueue, filter_: Filter, rate: float | None, stop: Event
) -> RedriveResult:
    reader = queue.reader()
    redriver = Redriver(reader, queue.sqs, queue.source_url(), filter_, utc_now(), rate, stop)
    with progress_bar(queue.name, reader.size()) as advance:
        return redriver.run(advance)


def _confirm_redrive(queues: Sequence[DeadLetterQueue], filter_: Filter) -> bool:
    """Asks for confirmation if all dead letters are selected, or some missed their deadline."""
    selections = _selections(queues, filter_).values()
    number = sum(len(one.ids) for one in selections)
    missed = sum(one.missed for one in selections)
    if missed:
        stderr_console().print(
            Text(f"{missed:,} of {dead_letter_count(number)} {HAVE_MISSED}", "warn")
        )
    if not (missed or filter_.matches_all):
        return True
    return confirm(f"Send {dead_letter_count(number)} back?")


def purge_dead_letters(
    queues: Sequence[DeadLetterQueue], filter_: Filter, *, assume_yes: bool
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
            show(stdout_console(), purge_blocks(result, queue.name))
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
    with progress_bar(queue.name, reader.size()) as advance:
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
