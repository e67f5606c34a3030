"""The use case of `accept`: checks the events of an HTTP request, queues them, and responds.

Accepting is durable and quick: check, hash, queue, 202. Nothing is sent to AppsFlyer here.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal, TypedDict

from relay.accept.entries import Entry, EntryContent, PreviewsContent, QueuedContent, none_is_valid
from relay.aws.sqs import MAX_TAKEN_BYTES, Message, Queue
from relay.config.apps import Apps
from relay.config.producers import Producer, Producers
from relay.domain.kinds import App, Kind, Surface
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    UnknownAppError,
)
from relay.exact_json import InvalidJsonError, TooManyValuesError, loads
from relay.gateway.request import Problem, Request, Response
from relay.gateway.responses import respond, settings_unavailable
from relay.messages.envelope import Envelope, money_without_id, stamped, write_envelope
from relay.rules.fields import is_absent
from relay.rules.identity_lookup import (
    customer_to_look_up,
    prepare_with_lookup,
    will_be_looked_up,
)

MAX_BODY_BYTES: Final = 5 * 1024 * 1024
"""Lambda accepts 6 MB an invocation, and the body arrives wrapped and escaped."""
MAX_EVENTS: Final = 500
MAX_VALUES: Final = 250_000
"""Names and values in a body: 500 for each of the most events. They bound the memory it takes."""
_MOST_KEYS: Final = 10_000

ROUTES: Final[Mapping[str, Kind]] = {
    "POST /v1/mobile/{app_id}/events": Kind.MOBILE_EVENT,
    "POST /v1/web/{app_id}/events": Kind.WEB_EVENT,
    "POST /v1/web/{app_id}/visits": Kind.WEB_VISIT,
}


class HealthContent(TypedDict):
    """The API and its function are up."""

    status: Literal["ok"]


Key = tuple[str, str, str]
"""Producer, app id, and the sender's `Idempotency-Key`."""


class Accept:
    """Takes events over HTTP for a pair of queues. Lives as long as its process."""

    def __init__(self, apps: Apps, producers: Producers, queues: Mapping[Surface, Queue]) -> None:
        self._apps = apps
        self._producers = producers
        self._queues = queues
        self._keys: OrderedDict[Key, bytes] = OrderedDict()

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The response to one HTTP API event (payload format 2.0)."""
        return respond(event, self._respond)

    def _respond(self, request: Request) -> Response:
        if request.route == "GET /v1/health":
            health: HealthContent = {"status": "ok"}
            return Response(HTTPStatus.OK, health)
        kind = ROUTES.get(request.route)
        if kind is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no such route")
        producer = self._authenticate(request)
        app = self._app(request, kind, producer)
        entries = _entries(kind, app, request)
        if request.is_preview:
            previews: PreviewsContent = {"events": [entry.preview() for entry in entries]}
            return Response(HTTPStatus.OK, previews)
        if request.idempotency_key is None:
            return self._queue(kind, request.came_in, entries)
        key = (producer.name, app.id, request.idempotency_key)
        digest = hashlib.sha256(request.body).digest()
        self._check_key(key, digest)
        response = self._queue(kind, request.came_in, entries)
        self._remember_key(key, digest)
        return response

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
            self._apps.preload_settings(surface, app_id)
            return self._apps.app(surface, app_id)
        except UnknownAppError as error:
            raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
        except (ParametersUnavailableError, ConfigurationError) as error:
            raise settings_unavailable(error) from error

    def _check_key(self, key: Key, digest: bytes) -> None:
        """The same idempotency key with another body is a mistake of the sender.

        Only this process's keys are known here; the forwarder catches the others.
        """
        if self._keys.get(key, digest) != digest:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "this Idempotency-Key came before with another body: use a new key for a new event",
            )

    def _remember_key(self, key: Key, digest: bytes) -> None:
        """A key is used once something was queued under it: a refused body may be corrected."""
        self._keys[key] = digest
        self._keys.move_to_end(key)
        if len(self._keys) > _MOST_KEYS:
            self._keys.popitem(last=False)

    # Onto the queue

    def _queue(self, kind: Kind, came_in: datetime, entries: Sequence[Entry]) -> Response:
        """Queues the valid events, and responds for every event of the request."""
        messages = {
            entry.index: _message(kind, came_in, entry) for entry in entries if entry.is_valid
        }
        if not messages:
            raise _none_is_valid(entries)
        sendable = [index for index, message in messages.items() if message.fits]
        failed = self._queues[Surface.of(kind)].send([messages[index] for index in sendable])
        queued = {index for position, index in enumerate(sendable) if position not in failed}
        if not queued:
            raise _queue_unavailable() if sendable else _too_large()
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


def _events(request: Request) -> Any:
    """The body's one event, or its list of events; raises `Problem`."""
    request.check_content_type()
    if len(request.body) > MAX_BODY_BYTES:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is {len(request.body)} bytes; at most {MAX_BODY_BYTES} are taken",
        )
    try:
        events = loads(request.body, MAX_VALUES)
    except TooManyValuesError as error:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body holds more than {MAX_VALUES} names and values: send fewer events at once",
        ) from error
    except InvalidJsonError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is {error}") from error
    if not isinstance(events, list | dict) or not events:
        raise Problem(HTTPStatus.BAD_REQUEST, "send one event as an object, or an array of events")
    if len(events) > MAX_EVENTS and isinstance(events, list):
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the array holds {len(events)} events; at most {MAX_EVENTS} are taken",
        )
    return events


def _entries(kind: Kind, app: App, request: Request) -> list[Entry]:
    """Every event of the request, checked. For an array, event ids are `key:0`, `key:1` ..."""
    events, key = _events(request), request.idempotency_key
    if not isinstance(events, list):
        return [_entry(kind, app, request, events, 0, key)]
    return [
        _entry(kind, app, request, event, index, f"{key}:{index}" if key else None)
        for index, event in enumerate(events)
    ]


def _entry(
    kind: Kind, app: App, request: Request, event: object, index: int, event_id: str | None
) -> Entry:
    complete = stamped(kind, with_visitor(kind, event, request.cookies), request.came_in)
    prepared = prepare_with_lookup(kind, app, complete, request.came_in, event_id)
    findings = prepared.findings
    if customer_to_look_up(kind, complete) is not None:
        findings = (*findings, will_be_looked_up())
    if prepared.has_revenue and event_id is None:
        findings = (*findings, money_without_id())
    return Entry(index, event_id, prepared, findings)


def with_visitor(kind: Kind, event: Any, cookies: Mapping[str, str]) -> Any:
    """W14: the visitor's cookie `afUserId` fills `user_id.appsflyer_id` if that is absent."""
    visitor = cookies.get("afUserId")
    if kind is Kind.MOBILE_EVENT or not visitor or not isinstance(event, dict):
        return event
    user = {} if event.get("user_id") is None else event["user_id"]
    if not isinstance(user, dict) or not is_absent(user.get("appsflyer_id")):
        return event
    return {**event, "user_id": {**user, "appsflyer_id": visitor}}


def _message(kind: Kind, came_in: datetime, entry: Entry) -> Message:
    prepared = entry.prepared
    envelope = Envelope(
        app_id=prepared.app_id,
        kind=kind,
        event=None,
        event_id=entry.event_id,
        first_seen=came_in,
        findings=tuple(finding.as_dict() for finding in entry.findings),
    )
    return Message(write_envelope(envelope, prepared.event), prepared.app_id)


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
