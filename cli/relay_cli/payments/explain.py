"""`relay payments explain`: the events that webhooks become, and why. Looks nothing up.

One file is shown in detail, as the first webhook that the relay ever gets. Several are a story.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from relay import telemetry
from relay.consumer.settler import Destination, Settlement
from relay.domain.movements import Interpretation, Link, Movement, ParsedWebhook, Treatment
from relay.domain.outcomes import CONFIGURATION
from relay.domain.payment_rules import PaymentRules, SourceSettings
from relay.errors import UnreadableWebhookError
from relay.exact_json import UnwritableError, dumps
from relay.instants import utc_now
from relay.messages.notice import UNREADABLE
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay.payments.receive import MAX_BODY_BYTES
from relay.payments.reporting import MappingResult
from relay_cli.payments.explain_json import show_json
from relay_cli.payments.play_story import as_line
from relay_cli.payments.player import Outcome, play
from relay_cli.payments.reasons import caveats_of
from relay_cli.payments.recognize import recognize
from relay_cli.payments.story import Story, Told, faults_of
from relay_cli.payments.story_view import story_blocks
from relay_cli.terminal.console import Block, printable, show, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.files import read_bytes, read_object

_HINTS: Final = ("customer_user_id", "appsflyer_id", "app_id", "platform")
_ANY_APP: Final = "id000000000"
"""Stands for the source's app if none is given."""
_LIKE_ORIGINAL: Final = (
    "becomes an event like its original's: same app, name and order id, the amount turned round"
)
_NEEDS_MORE: Final = (
    "by this alone nobody knows whose it is or for which app; what was told before, or an install, "
    "may say"
)
_FOR_ANY_APP: Final = (
    "no app is named here: shown as for a mobile app. --mobile-app and --web-app say which the "
    "source has"
)
_KEPT: Final = "Acknowledged, and kept as a dead letter"
_TREATMENTS: Final = {
    Treatment.COUNTED: "counts",
    Treatment.IGNORED: "ignored",
    Treatment.UNKNOWN: "unknown type: kept as a dead letter by id, type, time and digest",
}


def explain(
    paths: Sequence[Path],
    provider: str | None,
    mobile: list[str],
    web: list[str],
    rules: Path | None,
    *,
    as_json: bool = False,
) -> ExitCode:
    """Shows what a webhook holds and becomes, or what several become together.

    As JSON: `explain_json` of one, and as `relay payments story --json` of several.

    Returns `FAILED` if part of it cannot be interpreted. Raises `CliError`.
    """
    bodies = [read_bytes(path, MAX_BODY_BYTES, " No webhook is.") for path in paths]
    name = provider or _provider_of(paths, bodies)
    if name not in PROVIDERS:
        raise CliError(f"no such provider; there are {', '.join(PROVIDERS)}")
    source = {"provider": name, "apps": {"mobile": mobile, "web": web}}
    settings = _settings(source)
    parsed = [_parse(path, body, settings) for path, body in zip(paths, bodies, strict=True)]
    if not (mobile or web):
        source["apps"] = {"mobile": _apps_named(settings, parsed) or [_ANY_APP]}
    app_rules = _read_rules(rules)
    # If the app does not send test events anywhere, show what a real event would become.
    story = Story(
        source, app_rules, tuple(map(Told, bodies)), None, utc_now(),
        tests_count=app_rules.get("test_events_to") is None,
    )  # fmt: skip
    telemetry.silence()
    if len(parsed) > 1:
        return _show_story(story, as_json=as_json)
    if as_json:
        return show_json(story, parsed[0])
    return _show_webhook(story, parsed[0])


def _show_story(story: Story, *, as_json: bool) -> ExitCode:
    played = play(story)
    if as_json:
        stdout_console().out(as_line(played))
    else:
        show(stdout_console(), story_blocks(story, played))
    is_readable = not any(letter.reason == UNREADABLE for letter in played.dead)
    return ExitCode.OK if is_readable else ExitCode.FAILED


def _show_webhook(story: Story, parts: Sequence[ParsedWebhook]) -> ExitCode:
    """Shows the parts of one webhook, each with what it becomes if nothing else is known."""
    outcomes = play(story, settle=False).outcomes
    is_valid = True
    for part in parts:
        show(stdout_console(), _webhook_blocks(story.settings.provider, part))
        is_valid &= part.problem is None
        if part.treatment is Treatment.COUNTED:
            outcome = next((one for one in outcomes if one.notice.id == part.id), None)
            is_valid &= _show_interpretation(story, part, outcome)
    return ExitCode.OK if is_valid else ExitCode.FAILED


# What is given


def _provider_of(paths: Sequence[Path], bodies: Sequence[bytes]) -> str:
    """The provider of all bodies, recognized by their fields; raises `CliError`."""
    names = list(dict.fromkeys(map(recognize, paths, bodies)))
    if len(names) > 1:
        raise CliError(
            f"these are webhooks of {' and '.join(names)}: a source has one provider, so explain "
            "them apart"
        )
    return names[0]


def _parse(path: Path, body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
    try:
        return PROVIDERS[settings.provider].parse(body, settings)
    except UnreadableWebhookError as error:
        problem = f"{path} is no webhook of {settings.provider}: {error}"
        raise CliError(problem, code=ExitCode.FAILED) from error


def _settings(source: Mapping[str, Any]) -> SourceSettings:
    faults = list(faults_of(source_settings(), source))
    if faults:
        raise CliError(f"the apps are not to be used so: {faults[0]}")
    return source_settings().model_validate(source)


def _read_rules(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    content = read_object(path, "file with an app's settings")
    try:
        dumps(content)
    except UnwritableError as error:
        raise CliError(f"{path} is of no use: it {error}") from error
    rules: Mapping[str, Any] = content.get("payments", content)
    faults = list(faults_of(PaymentRules, rules))
    if faults:
        raise CliError(f"the rules are wrong: {'; '.join(faults)}")
    return rules


def _apps_named(settings: SourceSettings, webhooks: Sequence[Sequence[ParsedWebhook]]) -> list[str]:
    """The apps that the webhooks themselves name, as far as they can be apps."""
    named = [
        link.hints.app_id
        for parts in webhooks
        for part in parts
        if part.treatment is Treatment.COUNTED
        for link in _links(settings, part)
        if link.hints.app_id
    ]
    source = settings.model_dump(by_alias=True)
    return [
        app_id
        for app_id in dict.fromkeys(named)
        if not list(faults_of(source_settings(), {**source, "apps": {"mobile": [app_id]}}))
    ]


def _links(settings: SourceSettings, part: ParsedWebhook) -> Sequence[Link]:
    try:
        return PROVIDERS[settings.provider].interpret(part.type, part.content, settings).links
    except UnreadableWebhookError:
        return ()


# One webhook


def _webhook_blocks(provider: str, webhook: ParsedWebhook) -> Iterator[Block]:
    reason = PROVIDERS[provider].why_ignored(webhook.type) if _is_ignored(webhook) else ""
    why = ": ".join(filter(None, (_TREATMENTS[webhook.treatment], reason)))
    if webhook.problem is not None:
        why = f"unreadable: {webhook.problem}. {_KEPT}"
    yield Block(Text.assemble(("\n" + printable(webhook.type), "heading"), f"  {why}"))
    for caveat in caveats_of(webhook):
        yield Block(Text(printable(caveat), "warn"))
    if webhook.test:
        yield Block(Text("a test: dropped, unless the app says where tests go", "warn"))


def _is_ignored(webhook: ParsedWebhook) -> bool:
    return webhook.treatment is Treatment.IGNORED


def _show_interpretation(story: Story, part: ParsedWebhook, outcome: Outcome | None) -> bool:
    """Shows the meaning of a part and its event; False if it has none."""
    settings = story.settings
    try:
        meaning = PROVIDERS[settings.provider].interpret(part.type, part.content, settings)
    except UnreadableWebhookError as error:
        show(stdout_console(), [Block(Text(f"unreadable: {error}. {_KEPT}", "warn"))])
        return False
    show(stdout_console(), _interpretation_blocks(meaning, settings, outcome))
    return True


def _interpretation_blocks(
    meaning: Interpretation, settings: SourceSettings, outcome: Outcome | None
) -> Iterator[Block]:
    yield Block(_links_table(meaning))
    if meaning.movement is None:
        yield Block(Text("no movement of money: it only tells what belongs to what", "quiet"))
        return
    yield Block(_movement_table(meaning.movement))
    if outcome is None:
        yield Block(Text("dropped as it comes in", "warn"))
        return
    if meaning.movement.original_ref is not None and outcome.event is None:
        yield Block(Text(_LIKE_ORIGINAL, "quiet"))
        return
    yield from _event_blocks(settings, outcome)


def _links_table(interpretation: Interpretation) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for link in interpretation.links:
        known = [f"{name} known" for name in _HINTS if getattr(link.hints, name)]
        targets = "→ " + ", ".join(map(printable, link.to)) if link.to else ""
        table.add_row(
            Text("link", "key"), printable(link.ref), targets, Text(", ".join(known), "quiet")
        )
    return table


def _movement_table(movement: Movement) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    amount = movement.amount
    rows = {
        "movement": movement.kind.value,
        "money's id": movement.id,
        "at": movement.at.isoformat(),
        "takes back": movement.original_ref,
        "gross": amount and f"{amount.gross:f} {amount.currency}",
        "net of tax": amount and (amount.net_of_tax or "not told"),
        "net of tax and fee": amount and (amount.net_of_tax_and_fee or "not told"),
    }
    for name, value in rows.items():
        if value:
            table.add_row(Text(name, "key"), printable(str(value)))
    return table


def _event_blocks(settings: SourceSettings, outcome: Outcome) -> Iterator[Block]:
    """The event for AppsFlyer, if nothing else were known."""
    event, settlement = outcome.event, outcome.settlement
    if event is None:
        yield Block(Text(_why_none(outcome, settlement), "warn"))
        return
    if settings.apps.mobile == (_ANY_APP,):
        yield Block(Text(_FOR_ANY_APP, "quiet"))
    yield Block(Text.assemble(("becomes ", "key"), f"{event.kind.value} for {event.app_id}"))
    yield Block(Text(printable(dumps(event.content).decode())), exact=True)


def _why_none(outcome: Outcome, settlement: Settlement | None) -> str:
    """Why there is no event; raises `CliError` if the rules are why."""
    if outcome.dead is not None:
        letter = outcome.dead
        return ": ".join(filter(None, (letter.reason, letter.detail or _KEPT)))
    if settlement is not None and settlement.reason == CONFIGURATION:
        raise CliError("the rules are wrong: an app of the web cannot have an event of that name")
    if settlement is not None and settlement.destination is Destination.WAITING:
        return f"{settlement.reason}: {_NEEDS_MORE}"
    if settlement is not None and settlement.outcome is MappingResult.DROPPED:
        return "dropped: the app does not want to hear of it"
    return "told before"
