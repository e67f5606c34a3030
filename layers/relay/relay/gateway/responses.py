"""How the functions behind the HTTP API answer, whatever goes wrong, and what they say of it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from relay import telemetry
from relay.errors import ConfigurationError
from relay.gateway.request import Problem, Request, Response


def respond(event: Mapping[str, Any], use_case: Callable[[Request], Response]) -> dict[str, Any]:
    """A use case's answer to one event (payload format 2.0), whatever goes wrong in it."""
    try:
        response = use_case(Request.of(event))
    except Problem as problem:
        response = problem.response()
    except Exception as error:  # noqa: BLE001 - its text, which may hold anything, must not be logged
        telemetry.unexpected(error)
        response = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the relay's").response()
    return response.to_lambda()


def settings_unavailable(error: Exception) -> Problem:
    """The answer when Parameter Store is silent or holds a mistake, which is said in the log."""
    if isinstance(error, ConfigurationError):
        telemetry.wrong_setting(error)
    else:
        telemetry.logger().error("parameters unavailable", extra={"problem": str(error)})
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the relay's settings cannot be read at present: send the request again in a while",
        headers={"retry-after": "5"},
    )
