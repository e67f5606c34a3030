"""A played story as a table: webhook, movement, event. Pure, and made for 80 columns."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from relay.consumer.settler import Destination
from relay.domain.movements import ParsedWebhook, Treatment
from relay.errors import UnreadableWebhookError
from relay.payments.providers.registry import PROVIDERS
from relay.payments.reporting import MappingResult
from relay_cli.payments.player import Dead, Event, Outcome, Played
from relay_cli.payments.reasons import in_words
from relay_cli.payments.story import Story
from relay_cli.terminal.console import Block, printable

_DAY: Final = timedelta(days=1)
_LONGEST_TYPE: Final = 30
_LONGEST_NAME: Final = 22
_RESULTS: Final = {
    MappingResult.LEARNT: "",
    MappingResult.DROPPED: "dropped by the rules",
    MappingResult.TEST_DROPPED: "a test: dropped",
    MappingResult.REPLAYED: "told before",
}
_NO_MOVEMENT: Final = "-"


class _Row(NamedTuple):
    webhook: int
    type: str
    movement: Text
    event: Text
    revenue: str = ""


def story_blocks(story: Story, played: Played) -> Iterator[Block]:
    """The table of a story, its sums, and what is to be said about it."""
    ignored = list(_ignored(story))
    rows = [*map(_row, played.outcomes), *(_ignored_row(*one) for one in ignored)]
    yield Block(_table(story, sorted(rows, key=lambda row: row.webhook), played))
    yield Block(Text(_summary(played)))
    yield from _dead_blocks(list(played.dead))
    yield from _ignored_blocks(story, [webhook for _, webhook in ignored])
    waiting = sum(event.waits_for_install for event in played.events)
    if waiting:
        yield Block(Text(f"\n{_WAITING.format(_number(waiting, 'event'))}", "warn"))


_WAITING: Final = (
    "Without an AppsFlyer id: {}. Before it is sent, the forwarder looks for an install of its "
    "customer, for a day."
)


def _table(story: Story, rows: Sequence[_Row], played: Played) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_footer=False)
    moves = any(told.after for told in story.webhooks)
    if moves:
        table.add_column("day", justify="right", no_wrap=True, style="quiet")
    table.add_column("webhook", no_wrap=True)
    table.add_column("movement", no_wrap=True)
    table.add_column("event", overflow="fold")
    table.add_column("revenue", justify="right", no_wrap=True)
    days, previous = _days(story), -1
    for row in rows:
        is_next = row.webhook != previous
        day = [days[row.webhook] if is_next else ""] if moves else []
        table.add_row(*day, _broken(row.type, _LONGEST_TYPE), row.movement, row.event, row.revenue)
        previous = row.webhook
    _add_sums(table, played, [""] if moves else [])
    return table


def _add_sums(table: Table, played: Played, first: list[str]) -> None:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for event in played.events:
        if event.revenue is not None:
            sums[event.currency or ""] += Decimal(event.revenue)
    if sums:
        table.add_section()
    for currency, amount in sorted(sums.items()):
        revenue = Text(_amount(f"{amount:f}", currency), "heading")
        table.add_row(*first, "", "", Text("sum", "heading"), revenue)


def _days(story: Story) -> list[str]:
    """When each webhook comes, in days from the start."""
    passed, days = timedelta(), []
    for told in story.webhooks:
        passed += told.after
        days.append(f"{passed / _DAY:.1f}".removesuffix(".0"))
    return days


def _row(outcome: Outcome) -> _Row:
    event, movement = _event(outcome), outcome.kind.value if outcome.kind else _NO_MOVEMENT
    webhook_type = outcome.notice.type or "(unreadable)"
    revenue = "" if outcome.event is None else _revenue(outcome.event)
    return _Row(outcome.webhook, webhook_type, Text(movement), event, revenue)


def _event(outcome: Outcome) -> Text:
    """The event's name, or why there is none."""
    if outcome.event is not None:
        return _broken(outcome.event.name, _LONGEST_NAME)
    if outcome.dead is not None:
        return Text("dead letter", "bad")
    if outcome.is_duplicate:
        return Text(_RESULTS[MappingResult.REPLAYED], "quiet")
    settlement = outcome.settlement
    if settlement is None or settlement.destination is Destination.WAITING:
        return Text("waits", "warn")
    words = {str(result): words for result, words in _RESULTS.items()}
    return Text(words.get(str(settlement.outcome), str(settlement.outcome)), "quiet")


def _revenue(event: Event) -> str:
    return "" if event.revenue is None else _amount(event.revenue, event.currency or "")


def _amount(text: str, currency: str) -> str:
    """A signed amount, with all the places that AppsFlyer gets."""
    return f"{Decimal(text):+,f} {printable(currency)}"


def _broken(text: str, longest: int) -> Text:
    """A name in lines that are not too long, broken where it has a dot or a hyphen, if it has."""
    lines, rest = [], printable(text)
    while len(rest) > longest:
        end = max(rest.rfind(mark, 1, longest) for mark in "._- ") + 1 or longest
        lines.append(rest[:end])
        rest = rest[end:]
    return Text("\n".join([*lines, rest]))


# Below the table


def _summary(played: Played) -> str:
    events, dead = len(list(played.events)), len(list(played.dead))
    told_before = sum(_is_told_before(one) for one in played.outcomes)
    parts = [_number(events, "event"), _number(dead, "dead letter")]
    if told_before:
        parts.append(f"{told_before:,} told before")
    return ", ".join(parts) + "."


def _is_told_before(outcome: Outcome) -> bool:
    settlement = outcome.settlement
    return outcome.is_duplicate or (
        settlement is not None and settlement.outcome is MappingResult.REPLAYED
    )


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _dead_blocks(dead: Sequence[Dead]) -> Iterator[Block]:
    if not dead:
        return
    yield Block(Text("\nDead letters", "heading"))
    for letter in dead:
        name = printable(letter.type or "(unreadable)")
        words = printable(in_words(letter.reason, letter.detail))
        yield Block(Text.assemble("  ", name, (f" {printable(letter.reason)}: ", "key"), words))


def _ignored_blocks(story: Story, ignored: Sequence[ParsedWebhook]) -> Iterator[Block]:
    types = list(dict.fromkeys(webhook.type for webhook in ignored))
    if not types:
        return
    yield Block(Text("\nIgnored", "heading"))
    for name in types:
        why = PROVIDERS[story.settings.provider].why_ignored(name)
        yield Block(Text.assemble("  ", printable(name), (f": {printable(why)}", "quiet")))


def _ignored(story: Story) -> Iterator[tuple[int, ParsedWebhook]]:
    """The parts of webhooks that are ignored, each with the number of its webhook."""
    settings = story.settings
    for number, told in enumerate(story.webhooks):
        try:
            parsed = PROVIDERS[settings.provider].parse(told.body, settings)
        except UnreadableWebhookError:
            continue
        yield from ((number, one) for one in parsed if one.treatment is Treatment.IGNORED)


def _ignored_row(number: int, webhook: ParsedWebhook) -> _Row:
    return _Row(number, webhook.type, Text(_NO_MOVEMENT), Text("ignored", "quiet"))
