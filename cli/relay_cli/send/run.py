"""`relay send FILE`: hands events in, by SQS or over HTTP, as any producer would."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rich.text import Text

from relay.aws.sqs import Message
from relay.domain.findings import Finding
from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps
from relay.messages.envelope import Envelope, write_envelope
from relay_cli.clients import aws
from relay_cli.clients.http import Response, call
from relay_cli.clients.targets import (
    DEFAULT_READY_FILE,
    Targets,
    Where,
    find_targets,
    read_ready_file,
    ready_text,
)
from relay_cli.input.event import Bare, Defaults, Handed, Unusable
from relay_cli.input.files import Item, read_items
from relay_cli.terminal.console import Block, output, printable, show
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.findings_view import findings_table, read_findings

_PATHS: Final = {
    Kind.MOBILE_EVENT: "/v1/mobile/{}/events",
    Kind.WEB_EVENT: "/v1/web/{}/events",
    Kind.WEB_VISIT: "/v1/web/{}/visits",
}


_NO_HEADER: Final = (
    "its event id cannot go over HTTP, where it is a header and so printable ASCII; send it by SQS"
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one event at the entry."""

    item: Item
    taken: bool
    remark: str
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP API: its base URL, and a producer's token."""

    url: str
    token: str


def send_to_queues(
    path: Path, bare: Bare | None, where: Where, given: dict[str, str | None]
) -> ExitCode:
    """Puts each event of a file on the queue of its kind; raises `CliError`."""
    items = read_items(path, Defaults(), bare)
    targets = find_targets(where, given)
    return _shown(_queued(items, targets), targets.origin)


def send_to_api(path: Path, bare: Bare | None, api: Api) -> ExitCode:
    """Sends each event of a file over HTTP; raises `CliError`."""
    items = read_items(path, Defaults(), bare)
    return _shown([_called(item, api) for item in items], api.url)


def find_api(url: str, token_variable: str, ready_file: Path | None) -> Api:
    """The HTTP API with a token: from the environment, or a sandbox's own at its own address."""
    url = url.rstrip("/")
    if token := os.environ.get(token_variable, ""):
        if not _fits_into_a_header(token):
            raise CliError(f"{token_variable} holds what no bearer token has: use printable ASCII")
        return Api(url, token)
    file = ready_file or DEFAULT_READY_FILE
    if file.exists() and (ready := read_ready_file(file)).get("api") == url:
        return Api(url, ready_text(ready, "producer_token", file))
    raise CliError(f"{token_variable} is not set: it holds the bearer token of a producer")


# By SQS


def _queued(items: Sequence[Item], targets: Targets) -> list[Sent]:
    messages = {item.where: message for item in items if (message := _message(item.content))}
    sent = {item.where: _unusable(item) for item in items if item.where not in messages}
    for queue in ("mobile_queue", "web_queue"):
        group = [item for item in items if item.where in messages and _queue_of(item) == queue]
        if group:
            failed = _put([messages[item.where] for item in group], targets.url(queue), targets)
            for position, item in enumerate(group):
                problem = failed.get(position)
                remark = problem or f"on the {queue.replace('_', ' ')}"
                sent[item.where] = Sent(item, not problem, remark)
    return [sent[item.where] for item in items]


def _put(messages: Sequence[Message], url: str, targets: Targets) -> dict[int, str]:
    return aws.put(targets.sqs(url), url, messages)


def _message(content: Handed | Unusable) -> Message | None:
    """The event as a message; None for what cannot be one."""
    if isinstance(content, Unusable):
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


def _queue_of(item: Item) -> str:
    is_mobile = isinstance(item.content, Handed) and item.content.kind is Kind.MOBILE_EVENT
    return "mobile_queue" if is_mobile else "web_queue"


def _unusable(item: Item) -> Sent:
    if isinstance(item.content, Unusable):
        return Sent(item, taken=False, remark="not sent", findings=item.content.findings)
    return Sent(item, taken=False, remark="not sent: it holds text that is not valid Unicode")


# Over HTTP


def _called(item: Item, api: Api) -> Sent:
    handed = item.content
    if isinstance(handed, Unusable):
        return Sent(item, taken=False, remark="not sent", findings=handed.findings)
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
    if handed.event_id:
        if not _fits_into_a_header(handed.event_id):
            return Sent(item, taken=False, remark="not sent: " + _NO_HEADER)
        headers["Idempotency-Key"] = handed.event_id
    try:
        body = dumps(handed.event)
    except UnwritableError as error:
        return Sent(item, taken=False, remark=str(error))
    url = api.url + _PATHS[handed.kind].format(quote(handed.app.id, safe=""))
    return _answered(item, call("POST", url, headers, body))


def _fits_into_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _answered(item: Item, response: Response) -> Sent:
    content = response.json()
    events = content.get("events")
    entries = [content, *(events if isinstance(events, list) else ())]
    # The problem and its one event say the same.
    shown = [one["findings"] for one in entries if isinstance(one, dict) and one.get("findings")]
    findings = list(read_findings(shown[0] if shown else []))
    taken = response.status == 202  # noqa: PLR2004 - all of it is queued
    remark = "queued" if taken else str(content.get("detail") or content.get("message") or "")
    return Sent(item, taken, f"{response.status} {printable(remark)}".rstrip(), findings)


# On the screen


def _shown(sent: Sequence[Sent], origin: str) -> ExitCode:
    console = output()
    for one in sent:
        show(console, _blocks(one))
    taken = sum(one.taken for one in sent)
    style = "good" if taken == len(sent) else "bad"
    console.print(Text.assemble((f"{taken} of {len(sent)} taken", style), f" by {origin}."))
    return ExitCode.OK if taken == len(sent) else ExitCode.UNDONE


def _blocks(sent: Sent) -> Iterator[Block]:
    line = Text.assemble((sent.item.where, "quiet"), " ")
    if isinstance(sent.item.content, Handed):
        handed = sent.item.content
        line.append(f"{handed.kind.value} for {printable(handed.app.id)} ", "heading")
    line.append(sent.remark, "good" if sent.taken else "bad")
    yield Block(line)
    if sent.findings:
        yield Block(findings_table(sent.findings))
