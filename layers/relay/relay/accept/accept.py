"""The use case of `accept`: checks the events of an HTTP request, queues them, and responds.

Accepting is durable and quick: check, hash, queue, 202. Nothing is sent to AppsFlyer here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from relay.accept.bodies import envelope_finding, is_envelope, read_events
from relay.accept.entries import Entry, EntryContent, PreviewsContent, QueuedContent, none_is_valid
from relay.accept.health import health_of
from relay.accept.requests import RequestName, Requests, digest_of
from relay.aws.sqs import MAX_TAKEN_BYTES, Message, Queue
from relay.config.apps import Apps
from relay.config.producers import Producer, Producers
from relay.consumer.deadline import Remaining
from relay.domain.findings import Finding, Severity
from relay.domain.kinds import App, Kind, Surface
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    UnknownAppError,
)
from relay.gateway.request import LONGEST_SECONDS, Problem, Request, Response
from relay.gateway.responses import respond, settings_unavailable
from relay.messages.arrival import former_digest, prepare_arrival
from relay.messages.envelope import (
    KEY_OVER_HTTP,
    Envelope,
    money_without_id,
    write_envelope,
)
from relay.messages.event_ids import http_event_id
from relay.rules.identity_lookup import (
    customer_to_look_up,
    prepare_with_lookup,
    will_be_looked_up,
)
from relay.rules.leniency import is_absent

MAX_CONTENT_BYTES: Final = 5_500_000
"""Of what a response tells. Lambda takes 6 MB, the headers and the form included."""

ROUTES: Final[Mapping[str, Kind]] = {
    "POST /v1/mobile/{app_id}/events": Kind.MOBILE_EVENT,
    "POST /v1/web/{app_id}/events": Kind.WEB_EVENT,
    "POST /v1/web/{app_id}/visits": Kind.WEB_VISIT,
}


PLACEHOLDER_KEY: Final = Finding(
    "X6",
    Severity.WARN,
    KEY_OVER_HTTP,
    "stands for nothing, so the request has none: send an id of your own, or leave it out",
)


class Accept:
    """Takes events over HTTP for a pair of queues. Lives as long as its process."""

    def __init__(self, apps: Apps, producers: Producers, queues: Mapping[Surface, Queue]) -> None:
        self._apps = apps
        self._producers = producers
        self._queues = queues
        self._requests = Requests()

    def handle(
        self, event: Mapping[str, Any], remaining: Remaining = lambda: LONGEST_SECONDS
    ) -> dict[str, Any]:
        """The response to one HTTP API event (payload format 2.0).

        It is there before the invocation ends, whatever SQS does; `remaining`: see `Remaining`.
        """
        return respond(event, lambda request: self._respond(request, remaining))

    def _respond(self, request: Request, remaining: Remaining) -> Response:
        if request.route == "GET /v1/health":
            return Response(HTTPStatus.OK, health_of(self._producers, self._apps))
        kind = ROUTES.get(request.route)
        if kind is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no such route")
        self._apps.expect_settings(Surface.of(kind), request.app_id)
        producer = self._authenticate(request)
        app = self._app(request, kind, producer)
        entries = _entries(kind, app, producer, request)
        _check_response(entries, is_preview=request.is_preview)
        if request.is_preview:
            previews: PreviewsContent = {"events": [entry.preview() for entry in entries]}
            return Response(HTTPStatus.OK, previews)
        key = request.idempotency_key
        name = (app.id, http_event_id(producer.name, key)) if key else None
        if not self._requests.agree(name, entries):
            raise _another_body()
        return self._queue(name, kind, request.came_in, entries, remaining)

    # The producer, and the app

    def _authenticate(self, request: Request) -> Producer:
        token = request.bearer_token
        try:
            producer = self._producers.by_token(token) if token else None
        except (ParametersUnavailableError, ConfigurationError) as error:
            raise settings_unavailable(error) from error
        if producer is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "send the bearer token of a producer: Authorization: Bearer <token>",
                headers={"www-authenticate": "Bearer"},
            )
        return producer

    def _app(self, request: Request, kind: Kind, producer: Producer) -> App:
        app_id = request.app_id
        if not producer.may_send_for(app_id):
            raise Problem(HTTPStatus.FORBIDDEN, "this producer may not send for this app")
        surface = Surface.of(kind)
        try:
            # An id that is listed by name is known to exist; one that `*` allows may be made up.
            self._apps.preload_settings(surface, app_id, vouched=app_id in producer.apps)
            return self._apps.app(surface, app_id)
        except UnknownAppError as error:
            raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
        except (ParametersUnavailableError, ConfigurationError) as error:
            raise settings_unavailable(error) from error

    # Onto the queue

    def _queue(
        self,
        name: RequestName | None,
        kind: Kind,
        came_in: datetime,
        entries: Sequence[Entry],
        remaining: Remaining,
    ) -> Response:
        """Queues the valid events, and responds for every event of the request."""
        messages = {
            entry.index: _message(kind, came_in, entry) for entry in entries if entry.is_valid
        }
        if not messages:
            raise _none_is_valid(entries)
        fitting = [entry for entry in entries if entry.is_valid and messages[entry.index].fits]
        if not fitting:
            raise _too_large()
        missing = self._requests.missing(name, fitting)
        failed = self._queues[Surface.of(kind)].send_in_time(
            [messages[entry.index] for entry in missing], remaining
        )
        not_queued = {missing[position].index for position in failed}
        queued = {entry.index for entry in fitting} - not_queued
        self._requests.remember(name, fitting, queued)
        if not queued:
            raise _queue_unavailable()
        status = HTTPStatus.ACCEPTED if len(queued) == len(entries) else HTTPStatus.MULTI_STATUS
        described: list[EntryContent] = [
            entry.describe(
                "queued" if entry.index in queued
                else "rejected" if entry.index not in messages
                else "not_queued" if messages[entry.index].fits
                else "too_large"
            )
            for entry in entries
        ]  # fmt: skip
        content: QueuedContent = {"queued": len(queued), "events": described}
        return Response(status, content)


def _entries(kind: Kind, app: App, producer: Producer, request: Request) -> list[Entry]:
    """Every event of the request, checked; raises `Problem`."""
    events = read_events(request)
    identified = list(with_ids(events, producer.name, request.idempotency_key))
    if not identified:
        raise Problem(HTTPStatus.BAD_REQUEST, "the array holds no event: each is null")
    return [
        _entry(kind, app, request, event, index, event_id) for index, event, event_id in identified
    ]


def with_ids(events: Any, producer: str, key: str | None) -> Iterator[tuple[int, Any, str]]:
    """The events of a body, each with its place and its event id: a fresh one without a key (X6).

    With a key, `null` in an array is no event: it stands where one was queued before, so that those
    which were not keep their places and with them their ids.
    """
    name = key or uuid4().hex
    if not isinstance(events, list):
        yield 0, events, http_event_id(producer, name)
        return
    for index, event in enumerate(events):
        if key is None or event is not None:
            yield index, event, http_event_id(producer, name, index)


def _entry(
    kind: Kind, app: App, request: Request, event: object, index: int, event_id: str
) -> Entry:
    came_in, key = request.came_in, request.idempotency_key
    if is_envelope(event):
        nothing = prepare_with_lookup(kind, app, None, came_in, event_id)
        return Entry(index, event_id, b"", nothing, (envelope_finding(),))
    given = with_visitor(kind, event, request.cookies)
    prepared = prepare_arrival(kind, app, given, came_in, came_in, event_id)
    findings = prepared.findings
    if request.has_placeholder_key:
        findings = (PLACEHOLDER_KEY, *findings)
    if customer_to_look_up(kind, given) is not None:
        findings = (*findings, will_be_looked_up())
    if prepared.has_revenue and key is None:
        findings = (*findings, money_without_id(KEY_OVER_HTTP))
    if key is None:
        return Entry(index, event_id, b"", prepared, findings)
    former = None
    if isinstance(given, dict) and prepared.body is not None:
        envelope = Envelope(app_id=app.id, kind=kind, event=None)
        former = former_digest(envelope, given, prepared, came_in)
    return Entry(index, event_id, digest_of(event), prepared, findings, former)


def with_visitor(kind: Kind, event: Any, cookies: Mapping[str, str]) -> Any:
    """W14: the visitor's cookie `afUserId` fills `user_id.appsflyer_id` if that is absent."""
    visitor = cookies.get("afUserId")
    if kind is Kind.MOBILE_EVENT or not visitor or not isinstance(event, dict):
        return event
    user = {} if event.get("user_id") is None else event["user_id"]
    if not isinstance(user, dict) or not is_absent(user.get("appsflyer_id")):
        return event
    return {**event, "user_id": {**user, "appsflyer_id": visitor}}


def _check_response(entries: Sequence[Entry], *, is_preview: bool) -> None:
    """Raises `Problem` (413) if the response would be larger than Lambda takes.

    Asked before anything is queued: a response that is lost tells nobody what was.
    """
    if sum(entry.longest_content(is_preview=is_preview) for entry in entries) <= MAX_CONTENT_BYTES:
        return
    raise Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "the response would be too large; nothing was queued: send fewer events at once",
    )


def _message(kind: Kind, came_in: datetime, entry: Entry) -> Message:
    prepared = entry.prepared
    envelope = Envelope(
        app_id=prepared.app_id,
        kind=kind,
        event=None,
        event_id=entry.event_id,
        first_seen=came_in,
        content_sha256=entry.former_digest,
        findings=tuple(finding.as_dict() for finding in entry.findings),
    )
    return Message(write_envelope(envelope, prepared.event), prepared.app_id)


def _another_body() -> Problem:
    """422: the same key with another body is a mistake of the sender."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "this Idempotency-Key came before with another body: use a new key for a new event. To "
        "send only some events of an array again, put null in the places of the others",
    )


def _queue_unavailable() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the queue takes no messages at present: send the request again in a while",
        headers={"retry-after": "5"},
    )


def _too_large() -> Problem:
    """413: every valid event is too large for SQS."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "no valid event is small enough; nothing was queued: an event with all that is kept of it "
        f"may be {MAX_TAKEN_BYTES} bytes",
    )


def _none_is_valid(entries: Sequence[Entry]) -> Problem:
    """400: nothing was queued; the response has all findings."""
    several = len(entries) > 1
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "no event is valid; nothing was queued"
        if several
        else "the event breaks a rule; nothing was queued",
        members=none_is_valid(entries),
    )
