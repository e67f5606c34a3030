"""A played story as a table: webhook, movement, event. Pure, and made for 80 columns."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
from relay_cli.payments.diagnosis.names import label
from relay_cli.payments.player import Dead, Event, Outcome, Played
from relay_cli.payments.reasons import caveats_of, in_words
from relay_cli.payments.story import Story
from relay_cli.terminal.console import Block, printable

_DAY: Final = timedelta(days=1)
_WIDTH: Final = 80
_LEAST_TYPE: Final = 14
_LONGEST_TYPE: Final = 29
_LONGEST_NAME: Final = 16
_RESULTS: Final = {
    MappingResult.LEARNT: "links only",
    MappingResult.DROPPED: "dropped by the rules",
    MappingResult.TEST_DROPPED: "a test: dropped",
    MappingResult.REPLAYED: "told before",
}
_COLUMNS: Final = ("day", "webhook", "movement", "event", "revenue")
_HEAD: Final = [[*map(Text, _COLUMNS)]]
_NO_MOVEMENT: Final = "-"
_UNREADABLE: Final = "(unreadable)"


class _Row(NamedTuple):
    webhook: int
    type: str
    movement: Text
    event: Text
    revenue: str = ""


def story_blocks(story: Story, played: Played) -> Iterator[Block]:
    """The table of a story, its sums, and what is to be said about it."""
    parts = list(_parts(story))
    ignored = [one for one in parts if one[1].treatment is Treatment.IGNORED]
    shows_app = len({event.app_id for event in played.events}) > 1
    rows = [_row(outcome, shows_app=shows_app) for outcome in played.outcomes]
    rows += [_ignored_row(*one) for one in ignored]
    yield Block(Text(_heading(story), "heading"))
    yield Block(_table(story, sorted(rows, key=lambda row: row.webhook), played))
    yield Block(Text(_summary(played)))
    yield from _dead_blocks(list(played.dead))
    yield from _ignored_blocks(story, [webhook for _, webhook in ignored])
    caveats = [(one.type, caveat) for _, one in parts for caveat in caveats_of(one)]
    yield from _notes("Mind", caveats)
    waiting = sum(event.waits_for_install for event in played.events)
    if waiting:
        yield Block(Text(f"\n{_WAITING.format(_number(waiting, 'event'))}", "warn"))


_WAITING: Final = (
    "Without an AppsFlyer id: {}. Before it is sent, the forwarder looks for an install of its "
    "customer, for a day."
)


def _heading(story: Story) -> str:
    provider = story.settings.provider
    days = sum((told.after for told in story.webhooks), timedelta()) / _DAY
    over = f" in {days:.1f}".removesuffix(".0") + " days" if days else ""
    return f"{label(provider)}: {_number(len(story.webhooks), 'webhook')}{over}"


def _table(story: Story, rows: Sequence[_Row], played: Played) -> Table:
    """Five columns, the first only if time passes. Types are broken to fit beside the others."""
    days = _days(story) if any(told.after for told in story.webhooks) else []
    lines, sums = list(_lines(rows, days)), list(_sums(played))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in _COLUMNS if days else _COLUMNS[1:]:
        is_number = name in {"day", "revenue"}
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    longest = _room_for_types([*_HEAD, *lines, *sums], shows_day=bool(days))
    for part in (lines, sums):
        for day, webhook_type, *others in part:
            cells = [_broken(webhook_type.plain, longest), *others]
            table.add_row(*([day, *cells] if days else cells))
        table.add_section()
    return table


def _room_for_types(lines: Sequence[Sequence[Text]], *, shows_day: bool) -> int:
    others = [max(map(_width, column), default=0) for column in zip(*lines, strict=True)]
    shown = [*(others[:1] if shows_day else []), *others[2:]]
    return max(_LEAST_TYPE, _WIDTH - sum(shown) - 2 * (len(shown) + 1))


def _width(text: Text) -> int:
    return max(map(len, text.plain.split("\n")))


def _lines(rows: Sequence[_Row], days: Sequence[str]) -> Iterator[list[Text]]:
    previous = -1
    for row in rows:
        day = Text(days[row.webhook] if days and row.webhook != previous else "", "quiet")
        yield [day, Text(row.type), row.movement, row.event, Text(row.revenue)]
        previous = row.webhook


def _sums(played: Played) -> Iterator[list[Text]]:
    """What AppsFlyer has in the end, in each currency."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for event in played.events:
        if event.revenue is not None:
            sums[event.currency or ""] += Decimal(event.revenue)
    for currency, amount in sorted(sums.items()):
        total = Text(_amount(f"{amount:f}", currency), "heading")
        yield [Text(), Text(), Text(), Text("sum", "heading"), total]


def _days(story: Story) -> list[str]:
    """When each webhook comes, in days from the start."""
    passed, days = timedelta(), []
    for told in story.webhooks:
        passed += told.after
        days.append(f"{passed / _DAY:.1f}".removesuffix(".0"))
    return days


def _row(outcome: Outcome, *, shows_app: bool) -> _Row:
    event = outcome.event
    return _Row(
        outcome.webhook,
        outcome.notice.type or _UNREADABLE,
        _movement(outcome),
        _event(event, shows_app=shows_app) if event else _no_event(outcome),
        "" if event is None else _revenue(event),
    )


def _movement(outcome: Outcome) -> Text:
    """The movement's kind; and its amount, where the event does not give the same."""
    if outcome.kind is None or outcome.movement is None:
        return Text(_NO_MOVEMENT, "quiet")
    amount, event = outcome.movement.amount, outcome.event
    text = Text(outcome.kind.value)
    if amount is None or (event and event.revenue and _is_same(event.revenue, amount.gross)):
        return text
    return text.append(f"\n{amount.gross:,f} {printable(amount.currency)}", "quiet")


def _is_same(revenue: str, gross: Decimal) -> bool:
    return abs(Decimal(revenue)) == gross


def _event(event: Event, *, shows_app: bool) -> Text:
    text = _broken(event.name, _LONGEST_NAME)
    return (
        text.append("\n").append_text(Text(_broken(event.app_id, _LONGEST_NAME).plain, "quiet"))
        if shows_app
        else text
    )


def _no_event(outcome: Outcome) -> Text:
    """Why there is no event."""
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
    notes = [
        (letter.type or _UNREADABLE, f"{letter.reason}: {in_words(letter.reason, letter.detail)}")
        for letter in dead
    ]
    yield from _notes("Dead letters", notes)


def _ignored_blocks(story: Story, ignored: Sequence[ParsedWebhook]) -> Iterator[Block]:
    why_ignored = PROVIDERS[story.settings.provider].why_ignored
    yield from _notes("Ignored", [(one.type, why_ignored(one.type)) for one in ignored])


def _notes(title: str, notes: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """A list of what is to be said about types of webhooks; what is said twice is said once."""
    if not notes:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_column(style="quiet", overflow="fold")
    for name, words in dict.fromkeys(notes):
        table.add_row("", _broken(name, _LONGEST_TYPE), printable(words))
    yield Block(Text(f"\n{title}", "heading"))
    yield Block(table)


def _parts(story: Story) -> Iterator[tuple[int, ParsedWebhook]]:
    """The parts of the webhooks that can be read, each with the number of its webhook."""
    settings = story.settings
    for number, told in enumerate(story.webhooks):
        with suppress(UnreadableWebhookError):
            parts = PROVIDERS[settings.provider].parse(told.body, settings)
            yield from ((number, one) for one in parts)


def _ignored_row(number: int, webhook: ParsedWebhook) -> _Row:
    return _Row(number, webhook.type, Text(_NO_MOVEMENT, "quiet"), Text("ignored", "quiet"))
