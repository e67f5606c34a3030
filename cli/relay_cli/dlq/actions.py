"""`relay dlq`: what could not be delivered, and what is to become of it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from threading import Event

from rich.text import Text

from relay.instants import utc_now
from relay_cli.dlq.dead_letter import NOT_AN_ENVELOPE, DeadLetter
from relay_cli.dlq.drop import Dropped, Dropper
from relay_cli.dlq.export import line_of, new_file
from relay_cli.dlq.filter import Choice, Chosen
from relay_cli.dlq.groups import Groups
from relay_cli.dlq.queues import DeadLetterQueue, look_through, progress
from relay_cli.dlq.reader import MOST_LETTERS
from relay_cli.dlq.redrive import Mover, Tally
from relay_cli.dlq.views import (
    HAVE_MISSED,
    chosen_blocks,
    dropped_blocks,
    groups_blocks,
    letter_blocks,
    letters,
    tally_blocks,
)
from relay_cli.terminal.console import (
    confirmed,
    output,
    remarks,
    require_somebody,
    show,
    somebody_is_there,
)
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.signals import stopped_by_signals

_MAY_BE_MORE = f"There may be more than these {MOST_LETTERS:,}."


def list_letters(queues: Sequence[DeadLetterQueue]) -> ExitCode:
    """Shows what there is, by reason and app; raises `CliError`."""
    console, stop = output(), Event()
    with stopped_by_signals(stop):
        for queue in queues:
            mailbox, now = queue.mailbox(), utc_now()
            groups = Groups(now)
            with look_through(queue, mailbox, stop) as found:
                for letter in found:
                    groups.add(letter)
            show(console, groups_blocks(queue.name, groups.largest_first(), now))
            if mailbox.full:
                console.print(Text(_MAY_BE_MORE, "warn"))
    return ExitCode.OK


def show_letter(queues: Sequence[DeadLetterQueue], id_: str) -> ExitCode:
    """Shows all letters with a message id or event id; raises `CliError`."""
    choice, meant, stop = Choice(id=id_), list[DeadLetter](), Event()
    with stopped_by_signals(stop):
        for queue in queues:
            with look_through(queue, queue.mailbox(), stop) as found:
                meant += [letter for letter in found if choice.takes(letter)]
    for letter in meant:
        show(output(), letter_blocks(letter, utc_now()))
    if not meant:
        raise CliError("no dead letter has this id", code=ExitCode.UNDONE)
    return ExitCode.OK


def export_letters(
    queues: Sequence[DeadLetterQueue], choice: Choice, path: Path, *, force: bool
) -> ExitCode:
    """Writes letters into a file, one a line, and leaves them where they are; raises `CliError`."""
    stop, number, is_whole = Event(), 0, True
    with stopped_by_signals(stop), new_file(path, force=force) as file:
        for queue in queues:
            mailbox = queue.mailbox()
            with look_through(queue, mailbox, stop) as found:
                for letter in found:
                    if choice.takes(letter):
                        file.write(line_of(letter, queue.name))
                        number += 1
            is_whole = is_whole and not mailbox.full
    output().print(Text(f"{letters(number)} written to {path}", "good" if number else ""))
    if not is_whole:
        remarks().print(Text(_MAY_BE_MORE, "warn"))
    return ExitCode.OK if is_whole else ExitCode.UNDONE


def redrive_letters(
    queues: Sequence[DeadLetterQueue], choice: Choice, rate: float | None, *, sure: bool
) -> ExitCode:
    """Sends events back to the queues that they came from; raises `CliError`."""
    if choice.reason == NOT_AN_ENVELOPE:
        raise CliError(
            "letters of reason not_an_envelope cannot be redriven: only the size and digest of "
            "such a body are kept, so there is no event to send. Its producer must send it again."
        )
    if not sure and somebody_is_there() and not _may_redrive(queues, choice):
        return ExitCode.UNDONE
    done = ExitCode.OK
    stop = Event()
    with stopped_by_signals(stop):
        for queue in queues:
            tally = _redriven(queue, choice, rate, stop)
            show(output(), tally_blocks(tally, queue.name))
            if tally.failed or tally.twice or tally.interrupted:
                done = ExitCode.UNDONE
            if stop.is_set():
                break
    return done


def _redriven(queue: DeadLetterQueue, choice: Choice, rate: float | None, stop: Event) -> Tally:
    mailbox = queue.mailbox()
    mover = Mover(mailbox, queue.sqs, queue.source_url(), choice, utc_now(), rate, stop)
    with progress(queue.name, mailbox.size()) as advance:
        return mover.run(advance)


def _may_redrive(queues: Sequence[DeadLetterQueue], choice: Choice) -> bool:
    """Whether a person wants it: asked where it is about all letters, or too late for some."""
    chosen = _chosen(queues, choice).values()
    number, missed = sum(len(one.ids) for one in chosen), sum(one.missed for one in chosen)
    if missed:
        remarks().print(Text(f"{missed:,} of {letters(number)} {HAVE_MISSED}", "warn"))
    if not (missed or choice.is_all):
        return True
    return confirmed(f"Send {letters(number)} back?")


def drop_letters(queues: Sequence[DeadLetterQueue], choice: Choice, *, sure: bool) -> ExitCode:
    """Deletes letters for good; raises `CliError`."""
    counted: dict[str, AbstractSet[str]] = {}
    if not sure:
        require_somebody()  # before anything is counted
        chosen = _chosen(queues, choice)
        if not _may_drop(chosen):
            return ExitCode.UNDONE
        counted = {name: one.ids for name, one in chosen.items()}
    done, stop = ExitCode.OK, Event()
    with stopped_by_signals(stop):
        for queue in queues:
            if not sure and not counted[queue.name]:
                continue
            dropped = _dropped(queue, choice, counted.get(queue.name), stop)
            show(output(), dropped_blocks(dropped, queue.name))
            if not dropped.is_whole:
                done = ExitCode.UNDONE
            if stop.is_set():
                break
    return done


def _dropped(
    queue: DeadLetterQueue, choice: Choice, counted: AbstractSet[str] | None, stop: Event
) -> Dropped:
    mailbox = queue.mailbox()
    dropper = Dropper(mailbox, choice, utc_now(), counted, stop)
    with progress(queue.name, mailbox.size()) as advance:
        return dropper.run(advance)


def _may_drop(chosen: Mapping[str, Chosen]) -> bool:
    """Whether a person wants it, who is told how many there are of each reason."""
    for name, one in chosen.items():
        show(remarks(), chosen_blocks(one, name))
    number = sum(len(one.ids) for one in chosen.values())
    return not number or confirmed(f"Delete {letters(number)} for good?")


def _chosen(queues: Sequence[DeadLetterQueue], choice: Choice) -> dict[str, Chosen]:
    """What a choice takes of each queue, by its name."""
    stop = Event()
    chosen = {queue.name: Chosen(utc_now()) for queue in queues}
    with stopped_by_signals(stop):
        for queue in queues:
            with look_through(queue, queue.mailbox(), stop) as found:
                for letter in found:
                    if choice.takes(letter):
                        chosen[queue.name].add(letter)
    return chosen
