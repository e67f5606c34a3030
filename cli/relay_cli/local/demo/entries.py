"""Hands samples in through their real entries: a queue, or the HTTP API."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from relay.accept.accept import ROUTES, with_visitor
from relay.domain.kinds import Kind
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, loads
from relay.gateway.request import Request
from relay.instants import utc_now
from relay.messages.envelope import parse_envelope
from relay_cli.clients.aws import explained, local_sqs_client
from relay_cli.clients.http import Response, call
from relay_cli.local.demo.traces import Ending, Handed, Trace
from relay_cli.payments.signing import sign
from relay_cli.samples import (
    ACCEPT,
    FORWARD_MOBILE,
    FORWARD_WEB,
    MAP_PAYMENT,
    RECEIVE_INSTALL,
    RECEIVE_PAYMENT,
    Sample,
    aged,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


_QUEUES: Final = {
    FORWARD_MOBILE: "mobile_queue",
    FORWARD_WEB: "web_queue",
    MAP_PAYMENT: "payments_queue",
}


@dataclass(frozen=True, slots=True)
class Entries:
    """The ways into a running sandbox; `ready` is what its ready file holds."""

    ready: Mapping[str, Any]
    sqs: "SQSClient"

    @classmethod
    def of(cls, ready: Mapping[str, Any]) -> "Entries":
        """Those of a sandbox."""
        return cls(ready, local_sqs_client(ready["aws"]))

    def hand_in(self, sample: Sample) -> list[Trace]:
        """Hands a sample in, and begins to trace its events; raises `CliError`."""
        if sample.entry == ACCEPT:
            return list(self._call(sample))
        if sample.entry in (RECEIVE_PAYMENT, RECEIVE_INSTALL):
            return list(self._tell(sample))
        return list(self._queue(sample))

    def _tell(self, sample: Sample) -> Iterator[Trace]:
        """A webhook: what it becomes comes out much later."""
        response = self._asked(self._signed_now(sample))
        if not sample.expect:
            ending = Ending(str(response.status), _said(response))
            yield Trace(sample, 0, None, status=response.status, ending=ending)
        for number, expected in enumerate(sample.expect):
            handed = _from_sample(sample, number)
            yield Trace(sample, number, expected, handed, status=response.status)

    def _signed_now(self, sample: Sample) -> Mapping[str, Any]:
        """The call, with a signature of the present moment where it needs one."""
        if sample.signed_by is None:
            return sample.event
        secret = self.ready["payment_sources"][sample.signed_by]["secret"]
        signed = sign(sample.signed_by, sample.event["body"].encode(), secret, utc_now())
        return {**sample.event, "headers": {**sample.event["headers"], **signed.headers}}

    def _queue(self, sample: Sample) -> Iterator[Trace]:
        url = self.ready[_QUEUES[sample.entry]]
        for number, record in enumerate(sample.event["Records"]):
            body = aged(record["body"], sample.age_seconds, utc_now())
            group = record["attributes"].get("MessageGroupId", "sample")
            with explained("SQS"):
                response = self.sqs.send_message(
                    QueueUrl=url, MessageBody=body, MessageGroupId=group
                )
            handed = _from_sample(sample, number) or _from_envelope(body)
            trace = Trace(sample, number, sample.expect[number], handed)
            trace.message_id = response["MessageId"]
            yield trace

    def _call(self, sample: Sample) -> Iterator[Trace]:
        response = self._asked(sample.event)
        if not sample.expect:
            handed = next(iter(_from_request(sample.event)), None)
            ending = Ending(str(response.status), _said(response))
            yield Trace(sample, 0, None, handed, status=response.status, ending=ending)
            return
        shown = _entries_of(response)
        handed_in = list(_from_request(sample.event))
        for number, expected in enumerate(sample.expect):
            trace = Trace(sample, number, expected, handed_in[number], status=response.status)
            _note(trace, shown[number] if number < len(shown) else {}, response)
            yield trace

    def _asked(self, event: Mapping[str, Any]) -> Response:
        method = event["requestContext"]["http"]["method"]
        query = event.get("rawQueryString")
        url = self.ready["api"] + quote(event["rawPath"]) + (f"?{query}" if query else "")
        headers = dict(event["headers"])
        if cookies := event.get("cookies"):
            headers["cookie"] = "; ".join(cookies)
        body = event.get("body")
        return call(method, url, headers, body.encode() if body is not None else None)


def _from_sample(sample: Sample, number: int) -> Handed | None:
    """The event that a sample says it becomes."""
    if not sample.becomes:
        return None
    one = sample.becomes[number]
    # Through JSON, for numbers are exact in an event.
    event = loads(json.dumps(one.event))
    return Handed(Kind(one.kind), one.app_id, event, one.event_id)


def _from_envelope(body: str) -> Handed | None:
    try:
        envelope = parse_envelope(body)
    except NotAnEnvelopeError:
        return None
    return Handed(envelope.kind, envelope.app_id, envelope.event, envelope.event_id)


def _from_request(event: Mapping[str, Any]) -> Iterator[Handed]:
    """The events of a call, as `accept` sees them."""
    request = Request.of(event)
    kind = ROUTES.get(request.route)
    try:
        content = loads(request.body) if kind else []
    except InvalidJsonError:
        return
    several = isinstance(content, list)
    key = request.idempotency_key
    for index, one in enumerate(content if several else [content]):
        if kind is not None:
            event_id = f"{key}:{index}" if key and several else key
            truncated = with_visitor(kind, one, request.cookies)
            yield Handed(kind, request.app_id, truncated, event_id)


def _entries_of(response: Response) -> list[dict[str, Any]]:
    """What an answer says of each event: a refused single one stands in the problem itself."""
    content = response.json()
    events: list[dict[str, Any]] = content.get("events") or []
    return events or [{"status": "rejected", "findings": content.get("findings", [])}]


def _note(trace: Trace, entry: Mapping[str, Any], response: Response) -> None:
    findings = tuple(f"{one['severity']} {one['rule']}" for one in entry.get("findings", []))
    trace.entry_findings = findings
    if entry.get("status") != "queued":
        trace.ending = Ending(str(entry.get("status")), _said(response), findings=findings)


def _said(response: Response) -> str:
    """An answer in a few words."""
    content = response.json()
    if "queued" not in content and (events := content.get("events")):  # a preview
        return ", ".join(f"would {one.get('status')}" for one in events)
    return str(content.get("detail") or content.get("message") or content.get("status") or "")
