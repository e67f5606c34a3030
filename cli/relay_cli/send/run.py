"""`relay send FILE`: sends events by SQS or over HTTP, as any producer would."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rich.console import Console

from relay.aws.sqs import Message
from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps
from relay.instants import iso_form, utc_now
from relay.messages.envelope import Envelope, write_envelope
from relay_cli.clients import aws
from relay_cli.clients.http import Response, call
from relay_cli.clients.page import Page, Row
from relay_cli.clients.targets import (
    DEFAULT_READY_FILE,
    Location,
    Targets,
    find_targets,
    read_ready_file,
    ready_text,
)
from relay_cli.input.event import BareEvent, Defaults, InputEvent, InvalidInput
from relay_cli.input.files import read_items
from relay_cli.input.items import InputItem
from relay_cli.send.results import SendResult, show_results
from relay_cli.terminal.console import printable, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.findings_view import findings_table, parse_findings
from relay_cli.watch.follow import until_ended
from relay_cli.watch.lines import event_line
from relay_cli.watch.result import is_good, result_of

_PATHS: Final = {
    Kind.MOBILE_EVENT: "/v1/mobile/{}/events",
    Kind.WEB_EVENT: "/v1/web/{}/events",
    Kind.WEB_VISIT: "/v1/web/{}/visits",
}


_UNSAFE_EVENT_ID: Final = (
    "its event id cannot go over HTTP, where it is a header and so printable ASCII; send it by SQS"
)


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP API: its base URL, and a producer's token."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waiting until the events have ended, in the sandbox of a ready file."""

    ready_file: Path | None
    seconds: float
    as_json: bool


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to send events."""

    origin: str
    """What takes them, for people."""
    send: Callable[[Sequence[InputItem]], list[SendResult]]


def to_queues(location: Location, urls: Mapping[str, str | None]) -> Channel:
    """To the queue of each event's kind; raises `CliError`."""
    targets = find_targets(location, urls)
    return Channel(targets.origin, lambda items: _send_by_sqs(items, targets))


def to_api(api: Api) -> Channel:
    """Over HTTP, one by one."""
    return Channel(api.url, lambda items: [_send_by_http(item, api) for item in items])


def send_file(
    path: Path,
    bare_event: BareEvent | None,
    channel: Callable[[], Channel],
    waiting: Waiting | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Sends each event of a file; raises `CliError`."""
    items = read_items(path, Defaults(), bare_event)
    open_channel = channel()
    page = Page.of_sandbox(waiting.ready_file) if waiting else None  # before anything is sent
    results = open_channel.send(items)
    if page and waiting:
        return wait_for(results, page, waiting)
    return show_results(results, open_channel.origin, as_json=as_json)


def find_api(url: str, token_variable: str, ready_file: Path | None) -> Api:
    """The HTTP API with a token: from the environment, or from the sandbox at this URL."""
    url = url.rstrip("/")
    if token := os.environ.get(token_variable, ""):
        if not _is_header_safe(token):
            raise CliError(f"{token_variable} holds what no bearer token has: use printable ASCII")
        return Api(url, token)
    file = ready_file or DEFAULT_READY_FILE
    if file.exists() and (ready := read_ready_file(file)).get("api") == url:
        return Api(url, ready_text(ready, "producer_token", file))
    raise CliError(f"{token_variable} is not set: it holds the bearer token of a producer")


# By SQS


def _send_by_sqs(items: Sequence[InputItem], targets: Targets) -> list[SendResult]:
    messages = {item.label: message for item in items if (message := _message(item.content))}
    results = {item.label: _not_sent(item) for item in items if item.label not in messages}
    for queue in ("mobile_queue", "web_queue"):
        group = [item for item in items if item.label in messages and _queue_of(item) == queue]
        if group:
            ids: dict[int, str] = {}
            url = targets.url(queue)
            failed = aws.send_messages(
                targets.sqs(url), url, [messages[item.label] for item in group], ids
            )
            for position, item in enumerate(group):
                problem = failed.get(position)
                text = problem or f"on the {queue.replace('_', ' ')}"
                message_id = ids.get(position)
                results[item.label] = SendResult(item, not problem, text, message_id=message_id)
    return [results[item.label] for item in items]


def _message(content: InputEvent | InvalidInput) -> Message | None:
    """The event as a message; None if it cannot be one."""
    if isinstance(content, InvalidInput):
        return None
    if content.body is not None:
        return Message(content.body, content.app.id)
    envelope = Envelope(
        app_id=content.app.id, kind=content.kind, event=None, event_id=content.event_id
    )
    try:
        return Message(write_envelope(envelope, content.event), content.app.id)
    except UnwritableError:
        return None


def _queue_of(item: InputItem) -> str:
    is_mobile = isinstance(item.content, InputEvent) and item.content.kind is Kind.MOBILE_EVENT
    return "mobile_queue" if is_mobile else "web_queue"


def _not_sent(item: InputItem) -> SendResult:
    if isinstance(item.content, InvalidInput):
        return SendResult(item, accepted=False, message="not sent", findings=item.content.findings)
    return SendResult(
        item, accepted=False, message="not sent: it holds text that is not valid Unicode"
    )


# Over HTTP


def _send_by_http(item: InputItem, api: Api) -> SendResult:
    content = item.content
    if isinstance(content, InvalidInput):
        return SendResult(item, accepted=False, message="not sent", findings=content.findings)
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
    if content.event_id:
        if not _is_header_safe(content.event_id):
            return SendResult(item, accepted=False, message="not sent: " + _UNSAFE_EVENT_ID)
        headers["Idempotency-Key"] = content.event_id
    try:
        body = dumps(content.event)
    except UnwritableError as error:
        return SendResult(item, accepted=False, message=str(error))
    url = api.url + _PATHS[content.kind].format(quote(content.app.id, safe=""))
    return _result_of(item, call("POST", url, headers, body))


def _is_header_safe(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _result_of(item: InputItem, response: Response) -> SendResult:
    content = response.json()
    events = content.get("events")
    entries = [content, *(events if isinstance(events, list) else ())]
    # The problem and its only event have the same findings.
    shown = [one["findings"] for one in entries if isinstance(one, dict) and one.get("findings")]
    findings = list(parse_findings(shown[0] if shown else []))
    accepted = response.status == 202  # noqa: PLR2004 - everything is queued
    message = "queued" if accepted else str(content.get("detail") or content.get("message") or "")
    text = f"{response.status} {printable(message)}".rstrip()
    request_id = response.headers.get("apigw-requestid")
    return SendResult(item, accepted, text, findings, request_id=request_id)


# What became of them


def wait_for(results: Sequence[SendResult], page: Page, waiting: Waiting) -> ExitCode:
    """Says of each event what became of it, as soon as it has ended."""
    console = stdout_console()
    all_good, keys = True, []
    for one in results:
        row = _row_of(one, page)
        if row is None:
            all_good = False
            _tell(_untold(one), waiting, console)
        else:
            keys.append(row["key"])
    for row in until_ended(page, keys, waiting.seconds):
        all_good = all_good and is_good(row)
        _tell(row, waiting, console)
    return ExitCode.OK if all_good else ExitCode.FAILED


def _row_of(result: SendResult, page: Page) -> Row | None:
    if result.message_id:
        found = page.find(message_ids=[result.message_id])
    elif result.request_id:
        found = page.find(request_id=result.request_id)
    else:
        return None
    return found[0] if found else None


def _untold(result: SendResult) -> Row:
    """An event that no entry took."""
    content = result.item.content
    is_event = isinstance(content, InputEvent)
    return {
        "key": "",
        "event_id": content.event_id if isinstance(content, InputEvent) else None,
        "app_id": content.app.id if isinstance(content, InputEvent) else None,
        "outcome": "rejected",
        "reason": "not_sent" if is_event else "not_an_event",
        "rules": list(dict.fromkeys(one.rule for one in result.findings)),
        "recorded": None,
        "findings": [one.as_dict() for one in result.findings],
        "came_in": iso_form(utc_now()),
        "source": "-",
        "name": None,
    }


def _tell(row: Row, waiting: Waiting, console: Console) -> None:
    if waiting.as_json:
        print(json.dumps(result_of(row), ensure_ascii=False), flush=True)  # noqa: T201 - for pipes
    else:
        console.print(event_line(row, console.width), soft_wrap=True)
        if findings := list(parse_findings(row["findings"])):
            console.print(findings_table(findings))
