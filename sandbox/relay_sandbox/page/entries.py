"""Hands events in, by the entries that every producer uses."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from relay.aws.sqs import group_of
from relay.domain.kinds import Kind
from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from relay.messages.envelope import Envelope, write_envelope
from relay_sandbox.journal.trace import Trace
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.check import PATHS
from relay_sandbox.page.surroundings import Surroundings
from relay_sandbox.page.typed import Mistake, Typed, read_typed

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SECONDS = 35


async def send(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Hand `{"text", "kind", "app_id", "event_id", "by"}` in; raises `PageError`."""
    typed = read_typed(asked)
    if isinstance(typed, Mistake):
        raise PageError(400, typed.message)
    by = asked.get("by", "sqs")
    if by not in {"sqs", "http"}:
        raise PageError(400, "by must be sqs or http")
    if by == "sqs":
        return {"key": await put(surroundings, typed.envelope())}
    return await _post(surroundings, typed)


async def send_again(surroundings: Surroundings, trace: Trace) -> dict[str, Any]:
    """Put an event on its queue once more, as it is kept and with its id; raises `PageError`."""
    if trace.event is None or trace.kind not in {kind.value for kind in Kind}:
        raise PageError(409, "its event is not kept, so it cannot be sent again")
    scope, _, event_id = trace.lookup or ("", "", trace.event_id)
    source = scope.removeprefix("source ") if scope.startswith("source ") else None
    envelope = Envelope(
        app_id=trace.app_id,
        kind=Kind(trace.kind),
        event=loads(trace.event),
        event_id=event_id,
        source=source,
    )
    return {"key": await put(surroundings, envelope)}


async def put(surroundings: Surroundings, envelope: Envelope) -> str | None:
    """Put an event on the queue of its kind; return the key of its trace."""
    is_mobile = envelope.kind is Kind.MOBILE_EVENT
    try:
        body = write_envelope(envelope, envelope.event)
    except UnwritableError as error:
        raise PageError(400, f"the event {error}") from error
    aws = surroundings.aws
    response = await aws.call(
        aws.sqs.send_message,
        QueueUrl=surroundings.ready["mobile_queue" if is_mobile else "web_queue"],
        MessageBody=body,
        MessageGroupId=group_of(envelope.app_id),
    )
    trace = surroundings.observer.trace_of_message(response["MessageId"])
    return trace.key if trace else None


async def _post(surroundings: Surroundings, typed: Typed) -> dict[str, Any]:
    content = typed.document if typed.form in {"array", "lines"} else typed.event
    try:
        body = dumps(content)
    except UnwritableError as error:
        raise PageError(400, f"the event {error}") from error
    headers = {
        "Authorization": f"Bearer {surroundings.ready['producer_token']}",
        "Content-Type": "application/json",
    }
    if typed.event_id:
        if not (typed.event_id.isascii() and typed.event_id.isprintable()):
            raise PageError(400, "over HTTP the event id is a header: use printable ASCII")
        headers["Idempotency-Key"] = typed.event_id
    path = PATHS[typed.kind].format(quote(typed.app_id, safe=""))
    journal = surroundings.observer.journal
    before = journal.handed_in
    status, answer = await surroundings.aws.call(
        request, surroundings.ready["api"] + path, headers, body
    )
    new = journal.newest(journal.handed_in - before)
    keys = [
        one.key for one in reversed(new)
        if one.source == "http" and one.kind == typed.kind.value and one.app_id == typed.app_id
    ]  # fmt: skip
    return {"key": keys[0] if keys else None, "keys": keys, "status": status, "answer": answer}


def request(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
    """POST to a server of the sandbox; return the status and the JSON answer. Blocking."""
    asked = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with _NO_PROXY.open(asked, timeout=_SECONDS) as response:
            return response.status, _content(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _content(error.read())


def _content(body: bytes) -> Any:
    try:
        return loads(body)
    except InvalidJsonError:
        return None
