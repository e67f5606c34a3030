"""The output of `relay dlq edit` and `relay dlq resubmit`. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from relay_cli.dlq.resubmit import Result, Status
from relay_cli.terminal.console import Block, printable
from relay_cli.terminal.findings_view import findings_table

_WORDS: Final[dict[Status, tuple[str, str]]] = {
    "sent": ("sent: back on a queue, and no dead letter any more", "good"),
    "no_letter": ("without a letter any more: sent before, redriven or dropped", "quiet"),
    "hidden": (
        "not found: another command has letters in hand, or was killed; run it again in 5 minutes",
        "warn",
    ),
    "left": ("not sent, and still a dead letter", "bad"),
    "not_taken": ("not taken by SQS, and still a dead letter", "bad"),
    "not_deleted": ("sent, but still here too: SQS did not delete the letter", "bad"),
    "not_reached": ("not reached: run it again to go on", "warn"),
}
_SAID: Final = frozenset({"left", "not_taken", "not_deleted"})
"""Of these each one is named."""
_MOST_SHOWN: Final = 50


def result_blocks(results: Sequence[Result]) -> Iterator[Block]:
    """Those that need a person, and how many there are of each."""
    said = [one for one in results if one.status in _SAID]
    for one in said[:_MOST_SHOWN]:
        yield from _one(one)
    if (more := len(said) - _MOST_SHOWN) > 0:
        yield Block(Text(f"and {more:,} more, all of them with --json", "quiet"))
    counts = Counter(one.status for one in results)
    for status, (words, style) in _WORDS.items():
        if count := counts[status]:
            yield Block(Text(f"{count:,} {words}", style))


def _one(result: Result) -> Iterator[Block]:
    event_id = printable(result.correction.event_id)
    line = Text.assemble((result.correction.place, "quiet"), "  ", (event_id, "heading"))
    if result.problem:
        line.append(f"  {printable(result.problem)}", "bad")
    yield Block(line)
    if result.replacement.findings:
        yield Block(findings_table(result.replacement.findings))


def facts_of_result(result: Result) -> dict[str, Any]:
    """What `--json` says of one."""
    one = result.correction
    return {
        "place": one.place,
        "queue": one.queue,
        "letter_id": one.letter_id,
        "event_id": one.event_id,
        "result": result.status,
        "problem": result.problem or None,
        "findings": [finding.as_dict() for finding in result.replacement.findings],
    }
