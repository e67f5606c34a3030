"""The responses of the HTTP API: what each status means, and its body."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from relay.accept.entries import InvalidContent, PreviewsContent, QueuedContent
from relay.accept.health import HealthContent
from relay.gateway.request import JSON, PROBLEM_JSON, TEXT, ProblemContent
from relay.installs.receive import InstallContent
from relay.payments.providers.registry import PROVIDERS
from relay_cli.openapi.shapes import Components, Schema

_RETRY_AFTER: Final[Schema] = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}
}
_CHALLENGE: Final[Schema] = {
    "WWW-Authenticate": {
        "description": "`Bearer`.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    }
}


class ResponseSpec(NamedTuple):
    """A response: what it means, and its body by content type."""

    description: str
    bodies: Mapping[str, Any]
    """A type of the layer, or a schema."""
    headers: Schema = {}  # noqa: RUF012 - never modified


ResponseSpecs = Mapping[HTTPStatus, ResponseSpec]

_GATEWAY: Final[Schema] = {
    "description": "An answer of API Gateway itself, before or instead of the function's.",
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
}
_PROBLEM: Final = {PROBLEM_JSON: ProblemContent}
_GATEWAY_ONLY: Final = {JSON: _GATEWAY}
_EITHER: Final = {**_PROBLEM, **_GATEWAY_ONLY}

THROTTLED: Final = ResponseSpec(
    "More requests than the API lets through: send it again.", _GATEWAY_ONLY
)
FAILED: Final = ResponseSpec(
    "An error of the relay's, which is in its log: send it again.", _EITHER
)
NOT_NOW: Final = ResponseSpec(
    "Nothing can be taken at present, or a setting is wrong (the relay's log says which): send it "
    "again in a while.",
    _EITHER,
    _RETRY_AFTER,
)
EVERYWHERE: Final[ResponseSpecs] = {
    HTTPStatus.TOO_MANY_REQUESTS: THROTTLED,
    HTTPStatus.INTERNAL_SERVER_ERROR: FAILED,
}

HEALTH: Final[ResponseSpecs] = {
    HTTPStatus.OK: ResponseSpec(
        "It is up, and says whether a producer could be served.", {JSON: HealthContent}
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: ResponseSpec("It does not answer in time.", _GATEWAY_ONLY),
    **EVERYWHERE,
}

EVENTS: Final[ResponseSpecs] = {
    HTTPStatus.OK: ResponseSpec(
        "The preview that was asked for. Nothing was queued.", {JSON: PreviewsContent}
    ),
    HTTPStatus.ACCEPTED: ResponseSpec("All events will be sent.", {JSON: QueuedContent}),
    HTTPStatus.MULTI_STATUS: ResponseSpec(
        "Some events will be sent, some not: see the status of each. An event that is `not_queued` "
        "may be queued all the same, where the queue did not answer: send it again with the same "
        "`Idempotency-Key`, by which it counts once if it carries revenue, or goes to the web.",
        {JSON: QueuedContent},
    ),
    HTTPStatus.BAD_REQUEST: ResponseSpec(
        "No event is valid, or the request cannot be read. Nothing was queued.",
        {PROBLEM_JSON: InvalidContent},
    ),
    HTTPStatus.UNAUTHORIZED: ResponseSpec("No producer has this token.", _PROBLEM, _CHALLENGE),
    HTTPStatus.FORBIDDEN: ResponseSpec("This producer may not send for this app.", _PROBLEM),
    HTTPStatus.NOT_FOUND: ResponseSpec("No app of this id is set up.", _EITHER),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ResponseSpec(
        "The body, as it came or inflated, its number of events, or every valid event is too "
        "large. Nothing was queued.",
        _EITHER,
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ResponseSpec(
        "The body is not said to be JSON, or is neither plain nor gzip.", _PROBLEM
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: ResponseSpec(
        "This Idempotency-Key came before with another body. Nothing was queued.", _PROBLEM
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: NOT_NOW,
    **EVERYWHERE,
}

WEBHOOKS: Final[ResponseSpecs] = {
    HTTPStatus.OK: ResponseSpec(
        "It is kept, or is none of our business.",
        {
            TEXT: {
                "type": "string",
                "enum": sorted({one.ACKNOWLEDGEMENT for one in PROVIDERS.values()}),
            }
        },
    ),
    HTTPStatus.BAD_REQUEST: ResponseSpec(
        "It was signed too long ago, or in the future, or its body cannot be read.", _PROBLEM
    ),
    HTTPStatus.UNAUTHORIZED: ResponseSpec(
        "The signature is wrong, or no such source of this provider's is set up: both are answered "
        "alike.",
        _PROBLEM,
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ResponseSpec("The body is too large.", _EITHER),
    HTTPStatus.SERVICE_UNAVAILABLE: NOT_NOW,
    **EVERYWHERE,
}

INSTALLS: Final[ResponseSpecs] = {
    HTTPStatus.OK: ResponseSpec("It was understood.", {JSON: InstallContent}),
    HTTPStatus.BAD_REQUEST: ResponseSpec(
        "It cannot be read, or a field is not what it should be.", _PROBLEM
    ),
    HTTPStatus.UNAUTHORIZED: ResponseSpec("No push sender has this token.", _PROBLEM, _CHALLENGE),
    HTTPStatus.FORBIDDEN: ResponseSpec("This push sender may not send for this app.", _PROBLEM),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ResponseSpec("The body is too large.", _EITHER),
    HTTPStatus.SERVICE_UNAVAILABLE: NOT_NOW,
    **EVERYWHERE,
}

INSTALLS_IN_QUERY: Final[ResponseSpecs] = {
    status: spec
    for status, spec in INSTALLS.items()
    if status is not HTTPStatus.REQUEST_ENTITY_TOO_LARGE
}
"""A GET request has no body; API Gateway limits the rest of it."""


def responses_of(specs: ResponseSpecs, components: Components) -> Schema:
    """The responses of an operation, by status."""
    return {str(int(status)): _response(specs[status], components) for status in sorted(specs)}


def _response(spec: ResponseSpec, components: Components) -> Schema:
    content = {
        kind: {"schema": _schema(body, components)} for kind, body in sorted(spec.bodies.items())
    }
    response: Schema = {"description": spec.description, "content": content}
    return {**response, "headers": spec.headers} if spec.headers else response


def _schema(body: Any, components: Components) -> Schema:
    if body is _GATEWAY:
        return components.add("GatewayMessage", _GATEWAY)
    return body if isinstance(body, dict) else components.ref(body)
