"""The addresses of a running sandbox, and commands to try. Pure."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from relay_cli.terminal.console import Block

_EVENT: Final = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_purchase",
    "eventValue": {"af_revenue": "9.99"},
    "eventCurrency": "USD",
    "customer_user_id": "customer-1",
    "os": "14",
    "bundleIdentifier": "com.example.shop",
}


def guide(
    ready: Mapping[str, Any], ready_file: Path | None, program: Callable[[str], str] = str
) -> Iterator[Block]:
    """The addresses, and commands ready to run. `program` gives the path of a program."""
    yield Block("")
    yield page_block(ready)
    yield Block(Rule(Text("The sandbox is up", "heading"), align="left", style="quiet"))
    yield Block(_addresses(ready, ready_file))
    for heading, command in _commands(ready, ready_file, program):
        yield Block(Text(f"\n{heading}", "heading"))
        yield Block(Text(command), exact=True)
    yield Block(Text("\nCtrl-C stops it; all it knows is then forgotten.", "quiet"))


def page_block(ready: Mapping[str, Any]) -> Block:
    """Where to look first."""
    url = str(ready["page"])
    return Block(Text.assemble("Open ", (url, f"bold link {url}")), exact=True)


def _addresses(ready: Mapping[str, Any], ready_file: Path | None) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="key", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "page": ready["page"],
        "HTTP API": ready["api"],
        "producer's token": ready["producer_token"],
        "mobile queue": ready["mobile_queue"],
        "web queue": ready["web_queue"],
        "local AWS": ready["aws"],
        "stand-in": f"{ready['stand_in']}/_standin  (what it knows, and faults to set)",
        "apps": ", ".join(ready["apps"]["mobile"] + ready["apps"]["web"]),
    }
    for name, value in rows.items():
        table.add_row(name, Text(str(value)))
    if ready_file:
        table.add_row("ready file", Text(str(ready_file)))
    return table


def _commands(
    ready: Mapping[str, Any], ready_file: Path | None, program: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    app_id = "com.example.shop"
    yield "An event over HTTP", _curl(ready, app_id)
    yield "One by SQS", _send_message(ready, app_id, program("aws"))
    yield "What AppsFlyer recorded of them, and why", f"curl {ready['stand_in']}/_standin/events"
    if ready_file:
        yield (
            "What could not be delivered",
            f"{shlex.quote(program('relay'))} dlq list --ready-file {shlex.quote(str(ready_file))}",
        )


def _curl(ready: Mapping[str, Any], app_id: str) -> str:
    return (
        f"curl {ready['api']}/v1/mobile/{app_id}/events \\\n"
        f"  --header 'Authorization: Bearer {ready['producer_token']}' \\\n"
        "  --header 'Content-Type: application/json' \\\n"
        "  --header 'Idempotency-Key: order-1' \\\n"
        f"  --data-raw {shlex.quote(json.dumps(_EVENT))}"
    )


def _send_message(ready: Mapping[str, Any], app_id: str, aws: str) -> str:
    envelope = {"app_id": app_id, "kind": "mobile_event", "event_id": "order-2", "event": _EVENT}
    return (
        "AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_DEFAULT_REGION=us-east-1 \\\n"
        f"{shlex.quote(aws)} sqs send-message --endpoint-url {ready['aws']} \\\n"
        f"  --queue-url {ready['mobile_queue']} \\\n"
        f"  --message-body {shlex.quote(json.dumps(envelope))}"
    )
