"""How the functions behind the HTTP API answer, whatever goes wrong, and what they say of it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from relay import telemetry
from relay.errors import ConfigurationError
from relay.gateway.request import Answer, Problem, Request


def answered(event: Mapping[str, Any], use_case: Callable[[Request], Answer]) -> dict[str, Any]:
    """A use case's answer to one event (payload format 2.0), whatever goes wrong in it."""
    try:
        answer = use_case(Request.of(event))
    except Problem as problem:
        answer = problem.answer()
    except Exception as error:  # noqa: BLE001 - its text, which may hold anything, must not be logged
        telemetry.unexpected(error)
        answer = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the relay's").answer()
    return answer.as_response()


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
