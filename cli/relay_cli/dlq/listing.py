"""The actions of `relay dlq list` and `relay dlq show`."""

from collections.abc import Sequence
from datetime import datetime
from threading import Event

from rich.text import Text

from relay.instants import utc_now
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.export import line_of
from relay_cli.dlq.facts import facts_of
from relay_cli.dlq.filter import Filter
from relay_cli.dlq.groups import Groups, facts_of_groups
from relay_cli.dlq.list_views import letters_blocks, rules_blocks
from relay_cli.dlq.queues import DeadLetterQueue, scan
from relay_cli.dlq.reader import MAX_DEAD_LETTERS
from relay_cli.dlq.select import find_letters
from relay_cli.dlq.views import dead_letter_blocks, groups_blocks
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import show, stderr_console, stdout_console, write_line
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.signals import stop_on_signals

MAY_BE_MORE = f"There may be more than these {MAX_DEAD_LETTERS:,}."


def list_dead_letters(
    queues: Sequence[DeadLetterQueue], filter_: Filter, *, letters: bool, as_json: bool
) -> ExitCode:
    """Shows the dead letters by reason, app and rule, or one by one; raises `CliError`."""
    stop = Event()
    with stop_on_signals(stop):
        for queue in queues:
            reader, now = queue.reader(), utc_now()
            groups, kept = Groups(now), list[DeadLetter]()
            with scan(queue, reader, stop) as found:
                for one in filter(filter_.matches, found):
                    groups.add(one)
                    if letters:
                        kept.append(one)
            if as_json:
                _write(queue.name, groups, kept if letters else None)
            else:
                _show(queue.name, groups, kept if letters else None, now, filter_)
            if reader.truncated:
                stderr_console().print(Text(MAY_BE_MORE, "warn"))
    return ExitCode.OK


def _write(queue: str, groups: Groups, letters: Sequence[DeadLetter] | None) -> None:
    if letters is None:
        write_line(encode(facts_of_groups(queue, groups)))
    else:
        for one in letters:
            write_line(encode(facts_of(one, queue)))


def _show(
    queue: str,
    groups: Groups,
    letters: Sequence[DeadLetter] | None,
    now: datetime,
    filter_: Filter,
) -> None:
    console = stdout_console()
    if letters:
        show(console, letters_blocks(queue, letters, now))
    else:
        is_chosen = not filter_.matches_all
        show(console, groups_blocks(queue, groups.largest_first(), now, is_chosen=is_chosen))
    show(console, rules_blocks(groups, are_shown=bool(letters)))


def show_dead_letters(queues: Sequence[DeadLetterQueue], id_: str, *, as_json: bool) -> ExitCode:
    """Shows all dead letters with a message id or event id; raises `CliError`."""
    found = find_letters(queues, Filter(id=id_))
    if not found:
        raise CliError("no dead letter has this id", code=ExitCode.FAILED)
    for queue, letter in found:
        if as_json:
            write_line(line_of(letter, queue.name))
        else:
            show(stdout_console(), dead_letter_blocks(letter, utc_now()))
    return ExitCode.OK
