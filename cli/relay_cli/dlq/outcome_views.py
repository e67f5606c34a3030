"""What `relay dlq redrive` and `relay dlq drop` say of what they do. Pure."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from relay_cli.dlq.filter import Selection
from relay_cli.dlq.purge import PurgeResult
from relay_cli.dlq.redrive import RedriveResult
from relay_cli.dlq.views import HAVE_MISSED, dead_letter_count
from relay_cli.terminal.console import Block, printable

NOTHING_SENT = (
    "nothing is sent. Correct them with `relay dlq edit` or `relay dlq resubmit`, leave them out "
    "with --reason, --app or --id, or give --yes to send them as they are"
)


def redrive_blocks(result: RedriveResult, queue: str) -> Iterator[Block]:
    """The result of a redrive."""
    yield Block(Text(f"{queue}: {result.sent:,} sent back", "good" if result.sent else ""))
    if result.missed:
        yield Block(Text(f"  {result.missed:,} of them {HAVE_MISSED}", "warn"))
    for count, note in (
        (result.skipped, "left: not meant by what you chose"),
        (result.no_event, "left: without an event, or to be corrected first (relay dlq edit)"),
        (result.newer, "left: came in meanwhile; run it again to send them, too"),
    ):
        if count:
            yield Block(Text(f"  {count:,} {note}", "quiet"))
    for problem, count in result.failures.items():
        yield Block(Text(f"  {count:,} not taken: {printable(problem)}", "bad"))
    if result.duplicated:
        text = f"  {result.duplicated:,} sent back, but still here too: SQS did not delete them"
        yield Block(Text(text, "bad"))
    if result.interrupted and not result.failed:
        yield Block(Text("  stopped before the end; run it again to go on", "warn"))
    if result.truncated:
        yield Block(Text("  there may be more: run it again", "warn"))


def failing_again_blocks(failing: Counter[str], number: int) -> Iterator[Block]:
    """What a redrive would send in vain."""
    total = f"{failing.total():,} of {dead_letter_count(number)}"
    yield Block(Text(f"{total} would fail again for the same reason:", "warn"))
    yield from _by_reason(failing)


def selection_blocks(selection: Selection, queue: str) -> Iterator[Block]:
    """What is about to be deleted."""
    yield Block(Text(f"{queue}: {dead_letter_count(len(selection.ids))} to delete"))
    yield from _by_reason(selection.by_reason)


def purge_blocks(result: PurgeResult, queue: str) -> Iterator[Block]:
    """The result of a drop."""
    number = result.by_reason.total()
    yield Block(Text(f"{queue}: {number:,} dropped", "good" if number else ""))
    yield from _by_reason(result.by_reason)
    for count, note, style in (
        (result.skipped, "left: not meant by what you chose", "quiet"),
        (result.newer, "left: came in meanwhile", "quiet"),
        (result.not_deleted, "still here: SQS did not delete them; run it again", "bad"),
        (result.not_found, "not found again: somebody else has them in hand; look again", "warn"),
    ):
        if count:
            yield Block(Text(f"  {count:,} {note}", style))
    if result.interrupted:
        yield Block(Text("  stopped before the end; run it again to go on", "warn"))
    if result.truncated:
        yield Block(Text("  there may be more: run it again", "warn"))


def _by_reason(counts: Counter[str]) -> Iterator[Block]:
    width = max((len(f"{count:,}") for count in counts.values()), default=0)
    for reason, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        yield Block(Text(f"  {count:>{width},}  {printable(reason)}"))
