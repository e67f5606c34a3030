"""`relay payments explain --json`: what one webhook holds and becomes, as one JSON object."""

from collections.abc import Sequence
from typing import Any

from relay.domain.movements import Interpretation, Movement, ParsedWebhook, Treatment
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps
from relay.payments.providers.registry import PROVIDERS
from relay_cli.payments.player import Outcome, play
from relay_cli.payments.reasons import caveats_of
from relay_cli.payments.story import Story
from relay_cli.terminal.console import stdout_console
from relay_cli.terminal.errors import ExitCode

Json = dict[str, Any]


def show_json(story: Story, parts: Sequence[ParsedWebhook]) -> ExitCode:
    """Prints `{"provider", "parts": [...]}`; `FAILED` if a part cannot be interpreted.

    Of each part: type, treatment (counted, ignored, unknown), problem, reason, caveats, test,
    links, movement, event, and as dead or waiting what is in its place.
    """
    outcomes = {one.notice.id: one for one in play(story, settle=False).outcomes}
    told = [_part(story, part, outcomes.get(part.id)) for part in parts]
    document = {"provider": story.settings.provider, "parts": told}
    stdout_console().out(dumps(document).decode())
    return ExitCode.FAILED if any(one["problem"] for one in told) else ExitCode.OK


def _part(story: Story, part: ParsedWebhook, outcome: Outcome | None) -> Json:
    provider, told = PROVIDERS[story.settings.provider], _nothing(part)
    if part.treatment is Treatment.IGNORED:
        told["reason"] = provider.why_ignored(part.type)
    if part.treatment is not Treatment.COUNTED or part.problem is not None:
        return told
    try:
        meaning = provider.interpret(part.type, part.content, story.settings)
    except UnreadableWebhookError as error:
        return {**told, "problem": str(error)}
    return {**told, **_meaning(meaning), **_outcome(outcome)}


def _nothing(part: ParsedWebhook) -> Json:
    return {
        "type": part.type,
        "treatment": part.treatment.value,
        "problem": part.problem,
        "reason": None,
        "caveats": list(caveats_of(part)),
        "test": part.test,
        "links": [],
        "movement": None,
        "event": None,
        "dead": None,
        "waiting": None,
    }


def _meaning(meaning: Interpretation) -> Json:
    links = [{"ref": link.ref, "to": list(link.to)} for link in meaning.links]
    return {"links": links, "movement": meaning.movement and _movement(meaning.movement)}


def _movement(movement: Movement) -> Json:
    amount = movement.amount
    return {
        "kind": movement.kind.value,
        "id": movement.id,
        "at": movement.at.isoformat(),
        "takes_back": movement.original_ref,
        "currency": amount and amount.currency,
        "gross": amount and amount.gross,
        "net_of_tax": amount and amount.net_of_tax,
        "net_of_tax_and_fee": amount and amount.net_of_tax_and_fee,
    }


def _outcome(outcome: Outcome | None) -> Json:
    if outcome is None:
        return {}
    if outcome.event is not None:
        event = outcome.event
        content = {"kind": event.kind.value, "app_id": event.app_id, "event": event.content}
        return {"event": content}
    if outcome.dead is not None:
        return {"dead": {"reason": outcome.dead.reason, "detail": outcome.dead.detail}}
    return {"waiting": outcome.settlement.reason if outcome.settlement else None}
