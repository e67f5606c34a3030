"""The operations of the HTTP API: who may call them, parameters, bodies and responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.accept.bodies import MAX_BODY_BYTES, MAX_EVENTS, MAX_VALUES
from relay.config.apps import APP_ID
from relay.config.sources import NAME
from relay.domain.kinds import Kind
from relay.gateway.request import LONGEST_KEY
from relay.payments.providers.registry import PROVIDERS
from relay_cli.openapi import responses
from relay_cli.openapi.fields import text, whole_pattern
from relay_cli.openapi.messages import INSTALL
from relay_cli.openapi.responses import ResponseSpecs
from relay_cli.openapi.shapes import Schema

Security = Sequence[Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    tag: str
    summary: str
    description: str
    responses: ResponseSpecs
    parameters: tuple[Schema, ...] = ()
    security: Security = ()
    """Any one of these suffices. Empty: none is needed."""
    body: Kind | str | None = None
    """A kind of event, `install` or `webhook`."""


def _parameter(
    name: str, location: str, description: str, schema: Schema, **more: object
) -> Schema:
    needed = {"required": True} if location == "path" else {}
    told = {"description": description, "schema": schema}
    return {"name": name, "in": location, **needed, **more, **told}


def _in_query(form: Schema) -> Schema:
    """The schema of a field in a query string: a string, with its description outside."""
    return {**{key: form[key] for key in form if key != "description"}, "type": "string"}


_APP: Final = _parameter(
    "app_id",
    "path",
    "The app's id as AppsFlyer's dashboard shows it.",
    text("id123456789", minLength=1, pattern=whole_pattern(APP_ID.pattern)),
)
_KEY: Final = _parameter(
    "Idempotency-Key",
    "header",
    "Your own id of what you send, by which it counts once. Ids of other producers never meet it: "
    "the answer tells the `event_id` that is made of your producer's name, the key and, in an "
    "array, the event's place. Web events carry it on as `customer_dedup_id`. To send some events "
    "of an array again, those that were `not_queued`, send the array with the same key, and with "
    "`null` in the places of the others, so that each keeps its id. A pair of double quotes around "
    "it is no part of it. Without a key, and with a placeholder like `null`, each event gets a "
    "fresh id, with a warning where it carries revenue.",
    text("order-1001", maxLength=LONGEST_KEY),
)
_PREVIEW: Final = _parameter(
    "preview",
    "query",
    "Show what would be sent, and queue nothing. `?preview` alone asks for it too.",
    {"type": "boolean", "default": False},
    allowEmptyValue=True,
)
_VISITOR: Final = _parameter(
    "afUserId",
    "cookie",
    "The visitor's cookie of AppsFlyer's Web SDK, handed on: `user_id.appsflyer_id` of events "
    "that have none (W14).",
    {"type": "string"},
)

_BEARER: Final = ({"producer": ()},)
_PUSH: Final = ({"pushSender": ()}, {"pushSenderInQuery": ()})

SECURITY: Final[Mapping[str, Schema]] = {
    "producer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a producer: Parameter Store holds its SHA-256.",
    },
    "pushSender": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a push sender.",
    },
    "pushSenderInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The same in the query string, for AppsFlyer's Push API sends no header.",
    },
    **{
        name: {
            "type": "apiKey",
            "in": "header",
            "name": provider.SIGNATURE_HEADER,
            "description": " ".join((provider.verify.__doc__ or "").split()),
        }
        for name, provider in PROVIDERS.items()
    },
}
"""The last ones are signatures over the body, which OpenAPI cannot describe."""

_EVENTS_DESCRIPTION: Final = (
    f"One event, or an array of up to {MAX_EVENTS}, of {MAX_BODY_BYTES // 1024**2} MiB and "
    f"{MAX_VALUES:,} names and values at most, as JSON in UTF-8, plain or gzip. The event alone: "
    "its app and kind are in the path. "
    "Each is checked against AppsFlyer's rules, its personal data hashed, and queued. Every answer "
    "has the findings: which rule, which field, what to do."
)


def _events(name: str, what: str, kind: Kind, *more: Schema) -> Operation:
    return Operation(
        id=f"send{name}",
        tag="events",
        summary=f"Send {what}",
        description=_EVENTS_DESCRIPTION,
        responses=responses.EVENTS,
        parameters=(_APP, _PREVIEW, _KEY, *more),
        security=_BEARER,
        body=kind,
    )


OPERATIONS: Final[Mapping[str, Operation]] = {
    "POST /v1/mobile/{app_id}/events": _events(
        "MobileEvents", "mobile in-app events", Kind.MOBILE_EVENT
    ),
    "POST /v1/web/{app_id}/events": _events("WebEvents", "web events", Kind.WEB_EVENT, _VISITOR),
    "POST /v1/web/{app_id}/visits": _events("WebVisits", "web visits", Kind.WEB_VISIT, _VISITOR),
    "POST /v1/payments/{provider}/{source}": Operation(
        id="receivePayment",
        tag="payments",
        summary="Tell of a payment",
        description="The address to give to a payment provider, or to your own billing. It is "
        "signed as the provider signs.",
        responses=responses.WEBHOOKS,
        parameters=(
            _parameter(
                "provider", "path", "The provider.", {"type": "string", "enum": list(PROVIDERS)}
            ),
            _parameter(
                "source",
                "path",
                "The name under which the account at the provider is set up.",
                text("stripe-main", pattern=whole_pattern(NAME.pattern)),
            ),
        ),
        security=tuple({name: ()} for name in PROVIDERS),
        body="webhook",
    ),
    "POST /v1/appsflyer/installs/{app_id}": Operation(
        id="tellInstall",
        tag="installs",
        summary="Tell of an install",
        description="The address to give to AppsFlyer's Push API: by it the events of a customer "
        "find the AppsFlyer id.",
        responses=responses.INSTALLS,
        parameters=(_APP,),
        security=_PUSH,
        body="install",
    ),
    "GET /v1/appsflyer/installs/{app_id}": Operation(
        id="tellInstallInQuery",
        tag="installs",
        summary="Tell of an install, in the query string",
        description="As by POST. A field that is `null` counts as absent.",
        responses=responses.INSTALLS_IN_QUERY,
        parameters=(
            _APP,
            *(
                _parameter(name, "query", form["description"], _in_query(form))
                for name, form in INSTALL.items()
            ),
        ),
        security=_PUSH,
    ),
    "GET /v1/health": Operation(
        id="health",
        tag="health",
        summary="Is it up?",
        description="Asks for nothing and reads no setting.",
        responses=responses.HEALTH,
    ),
}
"""By route key, as in API Gateway."""
