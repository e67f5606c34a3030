"""`relay dlq edit ID`: a person corrects one event, which is sent, and its letter deleted."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from relay.exact_json import InvalidJsonError, UnwritableError, dumps_sorted, loads, loads_once
from relay.instants import utc_now
from relay_cli.dlq.correction import Correction, Replacement, read_correction, replacement
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.editor import Draft, find_editor
from relay_cli.dlq.export import line_of
from relay_cli.dlq.facts import rejections
from relay_cli.dlq.filter import Filter
from relay_cli.dlq.prospects import why
from relay_cli.dlq.queues import DeadLetterQueue
from relay_cli.dlq.select import Found, find_letters
from relay_cli.terminal.console import confirm, is_interactive, stderr_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.files import MIB, read_bytes
from relay_cli.terminal.findings_view import findings_table

Changes = Mapping[str, str | None]
"""Other values of the envelope (`app_id`, `kind`, `event_id`); None leaves one as it is."""

_MOST_BYTES: Final = 16 * MIB


@dataclass(frozen=True, slots=True)
class Edited:
    """A corrected event, and the text that was edited: to be discarded once the event is queued."""

    correction: Correction
    draft: Draft


@dataclass(frozen=True, slots=True)
class _Case:
    """A letter to correct."""

    letter: DeadLetter
    correction: Correction
    has_changes: bool
    """Whether something beside the event is changed already."""


class _NotRightError(Exception):
    """What keeps an edited event from being sent."""

    def __init__(self, made: Replacement) -> None:
        super().__init__(made.problem)
        self.made = made


def edit_letter(
    queues: Sequence[DeadLetterQueue], id_: str, changes: Changes, start: Path | None
) -> Edited:
    """Lets a person correct the event of one letter until it may be sent.

    `start`: a file to begin with, such as one that an earlier edit left. Raises `CliError`, which
    says that nothing is sent, and where the text is kept.
    """
    editor = find_editor(os.environ)
    case = _find(queues, id_, changes)
    begin = None if start is None else read_bytes(start, _MOST_BYTES)
    draft = Draft(case.correction.content["event"], "event.json")
    if begin is not None:
        draft.write(begin)
    _show_reason(case.letter)
    try:
        return Edited(_edited(case, draft, editor), draft)
    except CliError as error:
        raise CliError(f"{error}. {kept(draft, id_)}", code=ExitCode.FAILED) from error


def kept(draft: Draft, id_: str) -> str:
    """Says that nothing is lost: neither the letter, nor what was typed."""
    if not draft.was_changed:
        draft.discard()
        return "Nothing is sent, the letter stays."
    return (
        f"Nothing is sent, the letter stays. Your text is in {draft.path}: go on with "
        f"`relay dlq edit {id_} --from {draft.path}`"
    )


def _find(queues: Sequence[DeadLetterQueue], id_: str, changes: Changes) -> _Case:
    queue, letter = _the_one(find_letters(queues, Filter(id=id_)), id_)
    if letter.notice is not None:
        raise CliError(
            "this is a provider's webhook, which cannot be corrected: end the reason, then "
            f"`relay dlq redrive --id {id_}`"
        )
    if letter.is_digest_only:
        raise CliError("only size and digest of this are kept: its sender must send it again")
    given = {name: value for name, value in changes.items() if value}
    correction = read_correction(loads(line_of(letter, queue.name)), "the event")
    if correction is None:  # never: an export is read by the same words that write it
        raise CliError("this letter cannot be read")
    content = {**correction.content, **given}
    return _Case(letter, replace(correction, content=content), bool(given))


def _the_one(found: Sequence[Found], id_: str) -> Found:
    if not found:
        raise CliError("no dead letter has this id", code=ExitCode.FAILED)
    if len(found) > 1:
        ids = ", ".join(letter.message_id for _, letter in found[:5])
        raise CliError(f"{len(found)} dead letters have the id {id_}. Say which by its own: {ids}")
    return found[0]


def _edited(case: _Case, draft: Draft, editor: Sequence[str]) -> Correction:
    """Raises `CliError` if the editor fails, nothing was changed, or nobody wants to go on."""
    while True:
        draft.edit(editor)
        try:
            return _judged(case, _event(draft.read()))
        except _NotRightError as problem:
            _show(problem.made)
            if not (is_interactive() and confirm(f"The event {problem}. Edit again?")):
                raise CliError(f"the event {problem}") from None


def _judged(case: _Case, event: Any) -> Correction:
    was = case.correction.content["event"]
    if dumps_sorted(event) == dumps_sorted(was) and not case.has_changes:
        raise CliError("nothing was changed")
    corrected = replace(case.correction, content={**case.correction.content, "event": event})
    made = replacement(corrected, case.letter, utc_now())
    if made.body is None:
        raise _NotRightError(made)
    return corrected


def _event(text: bytes) -> Any:
    try:
        event = loads_once(text)
        dumps_sorted(event)
    except (InvalidJsonError, UnwritableError) as error:
        raise _NotRightError(Replacement(problem=f"is {error}")) from error
    return event


def _show_reason(letter: DeadLetter) -> None:
    console = stderr_console()
    console.print(Text(why(letter), "bad"))
    if found := rejections(letter):
        console.print(findings_table(found))


def _show(made: Replacement) -> None:
    if made.findings:
        stderr_console().print(findings_table(made.findings))
