"""The use case of `receive_install`: stores the identity of each install that AppsFlyer reports.

Push API messages come as a JSON object (POST) or in the query string (GET). Five fields of a
message are used: `customer_user_id`, `appsflyer_id`, `app_id`, `install_time` and `platform`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypedDict

from relay import telemetry
from relay.config.producers import Producer, Producers
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    TableUnavailableError,
)
from relay.exact_json import InvalidJsonError, loads
from relay.gateway.request import Problem, Request, Response
from relay.gateway.responses import respond, settings_unavailable
from relay.instants import parse_iso, whole_number
from relay.rules.leniency import is_absent
from relay.stores.identities import Identities, Identity, UnusableIdError

MAX_BODY_BYTES: Final = 256 * 1024
"""A message has about a hundred fields."""

_POST: Final = "POST /v1/appsflyer/installs/{app_id}"
_GET: Final = "GET /v1/appsflyer/installs/{app_id}"
_NULL: Final = "null"

LONGEST_APPSFLYER_ID: Final = 255
PLATFORM: Final = re.compile(r"[a-z0-9_ -]{1,32}", re.ASCII)
_FARTHEST_AHEAD: Final = timedelta(days=1)
"""A later install time is a mistake, and would take precedence over every real install."""

Status = Literal["remembered", "older", "without_customer"]

_ANSWERS: Final[Mapping[Status, str]] = {
    "remembered": "the customer's events find this install from now on",
    "older": "a newer install of this customer is known: nothing was changed",
    "without_customer": (
        "the message has no customer_user_id: nothing was kept. The app has to set the customer "
        "user id before it starts the SDK"
    ),
}
_COUNTERS: Final[Mapping[Status, str]] = {
    "remembered": "InstallRemembered",
    "older": "InstallOlder",
    "without_customer": "InstallWithoutCustomer",
}


class InstallContent(TypedDict):
    """What became of a message about an install."""

    status: Annotated[Status, "; ".join(f"`{status}`: {says}" for status, says in _ANSWERS.items())]
    detail: Annotated[str, "The status in a sentence"]


class Installs:
    """Takes AppsFlyer's messages about installs. Lives as long as its process.

    `senders`: who may report installs, `Producers(store, "push_senders")`.
    """

    def __init__(self, senders: Producers, identities: Identities) -> None:
        self._senders = senders
        self._identities = identities

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The response to one HTTP API event (payload format 2.0)."""
        return respond(event, self._respond)

    def _respond(self, request: Request) -> Response:
        if request.route not in (_POST, _GET):
            raise Problem(HTTPStatus.NOT_FOUND, "no such route")
        self._check_sender(request)
        identity = _identity(_message(request), request.app_id, request.came_in)
        status: Status = "without_customer" if identity is None else self._remember(identity)
        telemetry.count({_COUNTERS[status]: 1})
        content: InstallContent = {"status": status, "detail": _ANSWERS[status]}
        return Response(HTTPStatus.OK, content)

    def _check_sender(self, request: Request) -> None:
        sender = self._sender(request.query.get("token") or request.bearer_token)
        if sender is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "send the token of a push sender: ?token=<token>, or Authorization: Bearer <token>",
                headers={"www-authenticate": "Bearer"},
            )
        if not sender.may_send_for(request.app_id):
            raise Problem(HTTPStatus.FORBIDDEN, "this push sender may not send for this app")

    def _sender(self, token: str | None) -> Producer | None:
        try:
            return self._senders.by_token(token) if token else None
        except (ParametersUnavailableError, ConfigurationError) as error:
            raise settings_unavailable(error) from error

    def _remember(self, identity: Identity) -> Status:
        try:
            return "remembered" if self._identities.remember(identity) else "older"
        except UnusableIdError as error:
            raise _malformed(str(error)) from None
        except TableUnavailableError:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "nothing can be kept at present: send the request again in a while",
                headers={"retry-after": "5"},
            ) from None


def _message(request: Request) -> Mapping[str, Any]:
    """The fields of a message, by AppsFlyer's names; raises `Problem`."""
    if request.route == _GET:  # a query string can express null only as text
        return {name: value for name, value in request.query.items() if value != _NULL}
    if len(request.body) > MAX_BODY_BYTES:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is {len(request.body)} bytes; at most {MAX_BODY_BYTES} are taken",
        )
    try:
        message = loads(request.body)
    except InvalidJsonError as error:
        raise _malformed(f"the body is {error}") from None
    if not isinstance(message, dict):
        raise _malformed("the body must be a JSON object")
    return message


def _identity(message: Mapping[str, Any], app_id: str, now: datetime) -> Identity | None:
    """The identity in a message; None without a customer. Raises `Problem` naming the field."""
    if not is_absent(message.get("app_id")) and message["app_id"] != app_id:
        raise _wrong("app_id", "is another app than that of the path")
    customer = _customer_user_id(message.get("customer_user_id"))
    if customer is None:
        return None
    return Identity(
        app_id=app_id,
        customer_user_id=customer,
        appsflyer_id=_appsflyer_id(message.get("appsflyer_id")),
        installed_at=_installed_at(message.get("install_time"), now),
        platform=_platform(message.get("platform")),
    )


def _customer_user_id(value: object) -> str | None:
    """The same form as in an event, including digits for a number (M19), so that both match."""
    if is_absent(value):
        return None
    if isinstance(value, str):
        return value
    number = whole_number(value)
    if number is None:
        raise _wrong("customer_user_id", "must be a string")
    return str(number)


def _appsflyer_id(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= LONGEST_APPSFLYER_ID or not text.isprintable():
        raise _wrong(
            "appsflyer_id", f"must be a string of 1 to {LONGEST_APPSFLYER_ID} printable characters"
        )
    return text


def _installed_at(value: object, now: datetime) -> datetime:
    moment = parse_iso(value, needs_offset=False) if isinstance(value, str) else None
    if moment is None:
        raise _wrong("install_time", "must be a time in UTC, yyyy-mm-dd hh:mm:ss.sss")
    if moment > now + _FARTHEST_AHEAD:
        raise _wrong("install_time", "is more than a day in the future")
    return moment


def _platform(value: object) -> str | None:
    if is_absent(value):
        return None
    platform = value.strip().lower() if isinstance(value, str) else ""
    if not PLATFORM.fullmatch(platform):
        raise _wrong("platform", "must be the name of a platform, as ios or android")
    return platform


def _wrong(field: str, problem: str) -> Problem:
    return _malformed(f"{field}: {problem}")


def _malformed(detail: str) -> Problem:
    telemetry.count({"InstallRejected": 1})
    return Problem(HTTPStatus.BAD_REQUEST, detail)
