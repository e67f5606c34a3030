"""Sends samples to their real entries: a queue, or the HTTP API."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from relay.accept.accept import ROUTES, with_visitor
from relay.domain.kinds import Kind
from relay.exact_json import InvalidJsonError, loads
from relay.gateway.request import Request
from relay.instants import utc_now
from relay.messages.reader import read_body
from relay_cli.clients.aws import local_sqs_client, translate_errors
from relay_cli.clients.http import Response, call
from relay_cli.local.demo.traces import SubmittedEvent, Trace, TraceResult
from relay_cli.payments.signing import sign
from relay_cli.samples import (
    ACCEPT,
    FORWARD_MOBILE,
    FORWARD_WEB,
    MAP_PAYMENT,
    RECEIVE_INSTALL,
    RECEIVE_PAYMENT,
    Sample,
    with_age,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


_QUEUES: Final = {
    FORWARD_MOBILE: "mobile_queue",
    FORWARD_WEB: "web_queue",
    MAP_PAYMENT: "payments_queue",
}


@dataclass(frozen=True, slots=True)
class SampleSender:
    """Sends samples to a running sandbox; `ready` is the content of its ready file."""

    ready: Mapping[str, Any]
    sqs: "SQSClient"

    @classmethod
    def of(cls, ready: Mapping[str, Any]) -> "SampleSender":
        """The sender for a sandbox."""
        return cls(ready, local_sqs_client(ready["aws"]))

    def send(self, sample: Sample) -> list[Trace]:
        """Sends a sample and returns a trace of each of its events; raises `CliError`."""
        if sample.entry == ACCEPT:
            return list(self._send_request(sample))
        if sample.entry in (RECEIVE_PAYMENT, RECEIVE_INSTALL):
            return list(self._send_webhook(sample))
        return list(self._send_records(sample))

    def _send_webhook(self, sample: Sample) -> Iterator[Trace]:
        """Sends a webhook. Its event comes much later."""
        response = self._request(self._freshly_signed(sample))
        if not sample.expect:
            result = TraceResult(str(response.status), _detail(response))
            yield Trace(sample, 0, None, status=response.status, result=result)
        for number, expected in enumerate(sample.expect):
            submitted = _event_of_sample(sample, number)
            yield Trace(sample, number, expected, submitted, status=response.status)

    def _freshly_signed(self, sample: Sample) -> Mapping[str, Any]:
        """The request, signed for the present time if it needs a signature."""
        if sample.signed_by is None:
            return sample.event
        secret = self.ready["payment_sources"][sample.signed_by]["secret"]
        signed = sign(sample.signed_by, sample.event["body"].encode(), secret, utc_now())
        return {**sample.event, "headers": {**sample.event["headers"], **signed.headers}}

    def _send_records(self, sample: Sample) -> Iterator[Trace]:
        url = self.ready[_QUEUES[sample.entry]]
        for number, record in enumerate(sample.event["Records"]):
            body = with_age(record["body"], sample.age_seconds, utc_now())
            group = record["attributes"].get("MessageGroupId", "sample")
            with translate_errors("SQS"):
                response = self.sqs.send_message(
                    QueueUrl=url, MessageBody=body, MessageGroupId=group
                )
            submitted = _event_of_sample(sample, number) or _event_of_envelope(body)
            trace = Trace(sample, number, sample.expect[number], submitted)
            if not (sample.entry == MAP_PAYMENT and submitted):  # else its event has another
                trace.message_id = response["MessageId"]
            yield trace

    def _send_request(self, sample: Sample) -> Iterator[Trace]:
        response = self._request(sample.event)
        if not sample.expect:
            submitted = next(iter(_events_of_request(sample.event)), None)
            result = TraceResult(str(response.status), _detail(response))
            yield Trace(sample, 0, None, submitted, status=response.status, result=result)
            return
        shown = _event_results(response)
        events = list(_events_of_request(sample.event))
        queued = 0
        for number, expected in enumerate(sample.expect):
            entry = shown[number] if number < len(shown) else {}
            submitted = replace(events[number], event_id=entry.get("event_id"))
            trace = Trace(sample, number, expected, submitted, status=response.status)
            trace.place = queued
            trace.request_id = response.headers.get("apigw-requestid")
            queued += entry.get("status") == "queued"
            _add_entry_result(trace, entry, response)
            yield trace

    def _request(self, event: Mapping[str, Any]) -> Response:
        method = event["requestContext"]["http"]["method"]
        query = event.get("rawQueryString")
        url = self.ready["api"] + quote(event["rawPath"]) + (f"?{query}" if query else "")
        headers = dict(event["headers"])
        if cookies := event.get("cookies"):
            headers["cookie"] = "; ".join(cookies)
        body = event.get("body")
        return call(method, url, headers, body.encode() if body is not None else None)


def _event_of_sample(sample: Sample, number: int) -> SubmittedEvent | None:
    """The event that the sample is expected to become."""
    if not sample.becomes:
        return None
    one = sample.becomes[number]
    # Through JSON, because the relay's JSON keeps numbers exact.
    event = loads(json.dumps(one.event))
    return SubmittedEvent(Kind(one.kind), one.app_id, event, one.event_id)


def _event_of_envelope(body: str) -> SubmittedEvent | None:
    items = read_body(body, utc_now())
    if len(items) != 1 or items[0].fault is not None:
        return None
    one = items[0].envelope
    return SubmittedEvent(one.kind, one.app_id, one.event, one.event_id)


def _events_of_request(event: Mapping[str, Any]) -> Iterator[SubmittedEvent]:
    """The events of a request, as `accept` sees them; it also says which ids they get."""
    request = Request.of(event)
    kind = ROUTES.get(request.route)
    try:
        content = loads(request.body) if kind else []
    except InvalidJsonError:
        return
    for one in content if isinstance(content, list) else [content]:
        if kind is not None:
            event_with_visitor = with_visitor(kind, one, request.cookies)
            yield SubmittedEvent(kind, request.app_id, event_with_visitor, None)


def _event_results(response: Response) -> list[dict[str, Any]]:
    """The result of each event. The problem itself holds that of a single rejected event."""
    content = response.json()
    events: list[dict[str, Any]] = content.get("events") or []
    return events or [{"status": "rejected", "findings": content.get("findings", [])}]


def _add_entry_result(trace: Trace, entry: Mapping[str, Any], response: Response) -> None:
    findings = tuple(f"{one['severity']} {one['rule']}" for one in entry.get("findings", []))
    if entry.get("status") != "queued":
        trace.result = TraceResult(str(entry.get("status")), _detail(response), findings=findings)


def _detail(response: Response) -> str:
    """The response in a few words."""
    content = response.json()
    if "queued" not in content and (events := content.get("events")):  # a preview
        return ", ".join(f"would {one.get('status')}" for one in events)
    return str(content.get("detail") or content.get("message") or content.get("status") or "")
