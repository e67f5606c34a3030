"""What the answers of the HTTP API say of the events, webhooks and installs in its requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from relay.domain.kinds import Kind
from relay.instants import from_milliseconds, iso_form
from relay.messages.envelope import Envelope
from relay_sandbox.http.messages import Request, Response
from relay_sandbox.journal import words
from relay_sandbox.journal.facts import events_of, findings_of, kind_word, text_of
from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.reading import payload_object, shown
from relay_sandbox.journal.trace import Fate, Step, Trace

_ROUTES: Final[Mapping[str, Kind]] = {
    "POST /v1/mobile/{app_id}/events": Kind.MOBILE_EVENT,
    "POST /v1/web/{app_id}/events": Kind.WEB_EVENT,
    "POST /v1/web/{app_id}/visits": Kind.WEB_VISIT,
}
_WEBHOOKS: Final = "POST /v1/payments/{provider}/{source}"
_INSTALLS: Final = "/v1/appsflyer/installs/{app_id}"


@dataclass(slots=True)
class HttpApi:
    """Writes what the HTTP API answers. `read` puts what an envelope holds into a trace.

    `entered`: what a function of it has put on a queue, by when it came in.
    """

    journal: Journal
    clock: Callable[[], datetime]
    read: Callable[[Trace, Envelope, datetime], None]
    entered: dict[str, list[Trace]] = field(default_factory=dict)

    def answered(
        self, route: str, parameters: Mapping[str, str], request: Request, response: Response
    ) -> None:
        """The HTTP API answers a request."""
        arrived = from_milliseconds(int(request.arrived.timestamp() * 1000))
        entered = self.entered.pop(iso_form(arrived), [])
        before = self.journal.handed_in
        if (kind := _ROUTES.get(route)) is not None:
            self._answered_events(kind, parameters, request, response, entered)
        elif route == _WEBHOOKS:
            self._answered_webhook(parameters, request, response, entered)
        elif route.endswith(_INSTALLS):
            self._answered_install(parameters, request, response)
        request_id = dict(response.headers).get("apigw-requestid")
        for trace in (*entered, *self.journal.newest(self.journal.handed_in - before)):
            trace.request_id = request_id

    def _answered_events(
        self,
        kind: Kind,
        parameters: Mapping[str, str],
        request: Request,
        response: Response,
        entered: list[Trace],
    ) -> None:
        content = payload_object(response.body)
        if response.status == HTTPStatus.OK:
            return  # a preview: nothing was handed in
        app_id = parameters.get("app_id", "")
        results = content.get("events") or (
            [{"index": 0, "status": "rejected", "findings": content["findings"]}]
            if content.get("findings")
            else []
        )
        if not results:
            trace = self.journal.begin(kind.value, "http", request.arrived)
            trace.app_id = shown(app_id)
            self._not_taken(trace, response, content)
        waiting = list(entered)
        for result in results:
            if result.get("status") == "queued" and waiting:
                trace = waiting.pop(0)
                trace.came_in = request.arrived
                trace.findings = findings_of(result.get("findings"))
                self.journal.changed(trace)
            else:
                self._entered_not(kind, app_id, request, result)

    def _entered_not(
        self, kind: Kind, app_id: str, request: Request, result: Mapping[str, Any]
    ) -> None:
        """An event of a request that was not put on a queue."""
        trace = self.journal.begin(kind.value, "http", request.arrived)
        events = events_of(request.body)
        index = result.get("index", 0)
        event = events[index] if isinstance(index, int) and index < len(events) else None
        try:
            envelope = Envelope(
                app_id=app_id, kind=kind, event=event, event_id=result.get("event_id")
            )
        except ValueError:
            trace.app_id = shown(app_id)
        else:
            now = request.arrived
            self.read(trace, envelope, now)
        trace.findings = findings_of(result.get("findings")) or trace.findings
        status = str(result.get("status"))
        is_known = status == "queued"
        trace.reason = "told_before" if is_known else status
        self.journal.note(
            trace,
            Step(request.arrived, "handed_in", words.handed_in("http", kind_word(trace))),
        )
        self.journal.note(
            trace,
            Step(self.clock(), "checked", words.not_queued(status)),
            Fate.DUPLICATE if is_known else Fate.REJECTED,
        )

    def _not_taken(self, trace: Trace, response: Response, content: Mapping[str, Any]) -> None:
        detail = text_of(content.get("detail")) or text_of(content.get("message"))
        trace.reason = f"http_{response.status}"
        step = Step(trace.came_in, "handed_in", words.handed_in(trace.source, kind_word(trace)))
        self.journal.note(trace, step)
        self.journal.note(
            trace,
            Step(self.clock(), "rejected", words.not_taken(response.status, detail),
                 status=response.status),
            Fate.REJECTED,
        )  # fmt: skip

    def _answered_webhook(
        self,
        parameters: Mapping[str, str],
        request: Request,
        response: Response,
        entered: list[Trace],
    ) -> None:
        for trace in entered:
            trace.came_in = request.arrived
            self.journal.changed(trace)
        if entered:
            return
        provider = shown(parameters.get("provider", ""))
        trace = self.journal.begin("webhook", f"payments:{provider}", request.arrived)
        trace.app_id = shown(parameters.get("source", ""))
        if not 200 <= response.status < 300:  # noqa: PLR2004
            self._not_taken(trace, response, payload_object(response.body))
            return
        trace.reason = "ignored"
        step = Step(request.arrived, "ignored", words.IGNORED_WEBHOOK, status=response.status)
        self.journal.note(trace, step, Fate.DELIVERED)

    def _answered_install(
        self, parameters: Mapping[str, str], request: Request, response: Response
    ) -> None:
        content = payload_object(response.body)
        trace = self.journal.begin("install", "push", request.arrived)
        trace.app_id = shown(parameters.get("app_id", ""))
        if response.status != HTTPStatus.OK:
            self._not_taken(trace, response, content)
            return
        trace.reason = text_of(content.get("status"))
        text = words.install(text_of(content.get("detail")))
        step = Step(request.arrived, "kept", text, status=response.status)
        self.journal.note(trace, step, Fate.DELIVERED)
