"""What a function is told by its environment: read once, checked, and named when it is wrong.

Secrets are never here: they stay in Parameter Store (see `parameters`).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from relay.errors import ConfigurationError

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Url = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")]


def _split(schedule: object) -> object:
    return schedule.split(",") if isinstance(schedule, str) else schedule


class _Settings(BaseModel):
    """Each field is read from the variable `RELAY_` plus its name in upper case."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    parameter_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)+$")]

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads the settings; raises `ConfigurationError` naming the first variable at fault."""
        variables = {name: cls.variable(name) for name in cls.model_fields}
        given = {
            name: environment[variable]
            for name, variable in variables.items()
            if variable in environment
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_context=False, include_url=False)[0]
            raise ConfigurationError(variables[str(fault["loc"][0])], fault["msg"]) from None

    @staticmethod
    def variable(field: str) -> str:
        """The environment variable of a field."""
        return f"RELAY_{field.upper()}"


class AcceptSettings(_Settings):
    """What `accept` needs."""

    mobile_queue_url: Url
    web_queue_url: Url


class ForwardSettings(_Settings):
    """What `forward_mobile` and `forward_web` need. Times are in seconds."""

    queue_url: Url
    dead_letter_queue_url: Url
    appsflyer_url: Url
    requests_in_flight: Annotated[int, Field(ge=1, le=1000)] = 50
    """Requests that one invocation keeps under way at once."""
    retry_schedule_seconds: Annotated[
        tuple[Annotated[Seconds, Field(le=99_999)], ...],
        BeforeValidator(_split),
        Field(min_length=1, max_length=50),
    ]
    """The longest wait before each further attempt: n waits make n + 1 attempts."""
    hold_seconds: Seconds = 300
    """The longest wait between two looks at a held event."""
    hold_limit_seconds: Seconds = 259_200
    """How long an event is held before it goes to the dead-letter queue."""
    uncertain_money: Literal["resend", "dead_letter"] = "resend"
    """What to do with an event with revenue that AppsFlyer may or may not have recorded."""
    connect_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 3
    read_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10

    @property
    def longest_request_seconds(self) -> float:
        """How long one request may take at most."""
        return self.connect_timeout_seconds + self.read_timeout_seconds
