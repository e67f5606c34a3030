"""Responses of the functions behind the HTTP API, also for errors, and what is logged of those."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from relay import telemetry
from relay.errors import ConfigurationError, EntryUnreadableError
from relay.gateway.request import Problem, Request, Response


def respond(event: Mapping[str, Any], use_case: Callable[[Request], Response]) -> dict[str, Any]:
    """A use case's response to one event (payload format 2.0); every error becomes a response."""
    try:
        response = use_case(Request.of(event))
    except Problem as problem:
        response = problem.response()
    except Exception as error:  # noqa: BLE001 - its text, which may hold anything, must not be logged
        telemetry.unexpected(error)
        response = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the relay's").response()
    return response.to_lambda()


def settings_unavailable(error: Exception) -> Problem:
    """503, when Parameter Store does not respond or has a mistake; the log says which."""
    if isinstance(error, EntryUnreadableError):
        pass  # logged when the parameter was read
    elif isinstance(error, ConfigurationError):
        telemetry.wrong_setting(error)
    else:
        telemetry.logger().error("parameters unavailable", extra={"problem": str(error)})
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the relay's settings cannot be read at present: send the request again in a while",
        headers={"retry-after": "5"},
    )
