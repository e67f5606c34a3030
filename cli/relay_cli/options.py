"""Options that several commands share, and the objects that are built from them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from relay_cli.input.event import BareEvent, Defaults


class KindName(StrEnum):
    """The kinds of events as option values; the same as in relay.domain.kinds.Kind."""

    MOBILE_EVENT = "mobile_event"
    WEB_EVENT = "web_event"
    WEB_VISIT = "web_visit"


class QueueName(StrEnum):
    """The queues of the relay. Each has a dead-letter queue."""

    MOBILE = "mobile"
    WEB = "web"
    PAYMENTS = "payments"


Kind = Annotated[KindName | None, typer.Option(help="What a bare event is.", show_default=False)]
AppId = Annotated[
    str | None, typer.Option(help="The AppsFlyer app of a bare event.", show_default=False)
]
ReadyFile = Annotated[
    Path | None,
    typer.Option(
        help="The queues of a running sandbox. Without any of these: .relay/ready.json, if there.",
        show_default=False,
    ),
]
Stack = Annotated[
    str | None, typer.Option(help="The queues of a CloudFormation stack.", show_default=False)
]


def defaults(time_zone: str, phone_region: str | None, arrival: str | None) -> "Defaults":
    """The defaults for what a file does not say; raises `CliError`."""
    from relay import instants
    from relay_cli.input.event import Defaults

    try:
        instants.time_zone(time_zone)
    except ValueError as error:
        raise CliError(f"--time-zone is {error}") from error
    if arrival is None:
        return Defaults(time_zone, phone_region)
    moment = instants.parse_iso(arrival, needs_offset=False)
    if moment is None:
        raise CliError("--arrival must be an ISO 8601 time, as in 2026-11-22T12:00:00Z")
    return Defaults(time_zone, phone_region, moment)


def bare_event(kind: KindName | None, app_id: str | None) -> "BareEvent | None":
    """Kind and app of a bare event; None if neither is given. Raises `CliError` if only one is."""
    if kind is None and app_id is None:
        return None
    if kind is None or app_id is None:
        raise CliError("a bare event needs both --kind and --app-id")
    from relay.domain import kinds
    from relay_cli.input.event import BareEvent

    return BareEvent(kinds.Kind(kind), app_id)
