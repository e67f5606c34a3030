"""`relay setup list`: what is set up, and what is wrong with it. No token is shown."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from relay.config.apps import parse_app
from relay.domain.payment_rules import SourceSettings
from relay.errors import ConfigurationError
from relay_cli.settings.forms import signing_secrets
from relay_cli.settings.judge import PRODUCERS, PUSH_SENDERS, Fault, Settings, token_count
from relay_cli.settings.parameters import Stored
from relay_cli.terminal.console import printable, stdout_console
from relay_cli.terminal.errors import ExitCode

Row = dict[str, Any]


def show(settings: Settings, now: datetime, *, as_json: bool) -> ExitCode:
    """Prints everything that is set up."""
    content = listing(settings, now)
    if as_json:
        print(json.dumps(content, ensure_ascii=False))  # noqa: T201 - one object, whatever the width
        return ExitCode.OK
    console = stdout_console()
    for title in ("apps", "producers", "push_senders", "sources"):
        console.print(Text(title.replace("_", " ").capitalize(), "heading"))
        console.print(_table(content[title]) if content[title] else Text("  none", "quiet"))
    for one in content["faults"]:
        text = f"{one['parameter']}: {one['problem']}"
        console.print(Text.assemble(("✗ ", "bad"), printable(text)))
    return ExitCode.OK


def listing(settings: Settings, now: datetime) -> dict[str, list[Row]]:
    """`{"apps", "producers", "push_senders", "sources", "faults"}`, a list of rows each."""
    return {
        "apps": list(_apps(settings, now)),
        "producers": list(_senders(settings, PRODUCERS)),
        "push_senders": list(_senders(settings, PUSH_SENDERS)),
        "sources": list(_sources(settings, now)),
        "faults": [
            {"parameter": one.parameter, "problem": one.problem} for one in _faults(settings, now)
        ],
    }


def _faults(settings: Settings, now: datetime) -> Iterator[Fault]:
    yield from settings.app_faults()
    yield from settings.sender_faults(PRODUCERS)
    yield from settings.sender_faults(PUSH_SENDERS)
    yield from settings.source_faults(now)
    yield from settings.token_faults(now)


def _apps(settings: Settings, now: datetime) -> Iterator[Row]:
    for surface, app_id in settings.apps:
        name = f"{surface}/{app_id}"
        token = settings.stored.get(f"tokens/{name}")
        row = {"id": app_id, "surface": surface.value, "time_zone": None, "phone_region": None}
        try:
            app = parse_app("", surface, app_id, settings.text(f"apps/{name}")).app
            row |= {"time_zone": app.time_zone, "phone_region": app.phone_region}
        except ConfigurationError:
            pass  # its fault is told below
        yield {**row, **_tokens(token, now, token_count(token.value) if token else 0)}


def _tokens(token: Stored | None, now: datetime, count: int) -> Row:
    changed = token.modified if token else None
    return {"tokens": count, "days_old": (now - changed).days if changed else None}


def _senders(settings: Settings, name: str) -> Iterator[Row]:
    try:
        entries = settings.senders(name)
    except ConfigurationError:
        return
    for one in entries.producers:
        yield {"name": one.name, "apps": list(one.apps), "tokens": len(one.token_sha256)}


def _sources(settings: Settings, now: datetime) -> Iterator[Row]:
    try:
        sources = settings.sources()
    except ConfigurationError:
        return
    for name, one in sources.items():
        secret = settings.stored.get(f"webhook_secrets/{name}")
        held = len(signing_secrets(secret.value)) if secret else 0
        row: Row = {"name": name, "provider": None, "apps": []}
        if isinstance(one, SourceSettings):
            row |= {"provider": one.provider, "apps": [*one.apps.mobile, *one.apps.web]}
        yield {**row, **_tokens(secret, now, held)}


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="quiet")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(printable(_cell(value)) for value in row.values()))
    return table


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
