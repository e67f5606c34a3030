"""What a function is told by its environment: read once, checked, and named when it is wrong.

Secrets are never here: they stay in Parameter Store (see `parameters`).
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from relay.domain.kinds import Surface
from relay.errors import ConfigurationError

BASELINE_A_SECOND: Final = 10_000
"""S2: where to start; from there AppsFlyer wants to see a ramp."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
Days = Annotated[int, Field(ge=1, le=3650)]
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


class ReceiveInstallSettings(_Settings):
    """What `receive_install` needs."""

    identities_table: TableName
    identity_days: Days
    """How long an identity is known after AppsFlyer last told of it."""


class ReceivePaymentSettings(_Settings):
    """What `receive_payment` needs."""

    payments_queue_url: Url


class _WaitingSettings(_Settings):
    """What those need who let things wait in the queue they came from. Times are in seconds."""

    queue_url: Url
    dead_letter_queue_url: Url
    retry_schedule_seconds: Annotated[
        tuple[Annotated[Seconds, Field(le=99_999)], ...],
        BeforeValidator(_split),
        Field(min_length=1, max_length=50),
    ]
    """The longest wait before each further attempt: n waits make n + 1 attempts."""
    hold_seconds: Seconds = 300
    """The longest wait between two looks at what is held."""
    identity_limit_seconds: Seconds = 86_400
    """How long something waits for its customer's identity, or a refund for its purchase."""


class MapPaymentSettings(_WaitingSettings):
    """What `map_payment` needs."""

    mobile_queue_url: Url
    web_queue_url: Url
    identities_table: TableName
    trail_table: TableName
    trail_days: Days = 400
    """How long it is known what a refund belongs to."""

    @property
    def hold_limit_seconds(self) -> float:
        """A notice has one limit, whatever it is held for."""
        return self.identity_limit_seconds


class ForwardSettings(_WaitingSettings):
    """What `forward_mobile` and `forward_web` need. Times are in seconds."""

    appsflyer_url: Url
    requests_in_flight: Annotated[int, Field(ge=1, le=1000)] = 50
    """Requests that one invocation keeps under way at once."""
    requests_a_second: Annotated[float, Field(gt=0, le=BASELINE_A_SECOND)] = BASELINE_A_SECOND
    """What all invocations of both forwarders send together, at most (S2)."""
    web_share_percent: Annotated[float, Field(gt=0, lt=100)] = 20
    """The part of it that is for the web."""
    max_concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many invocations of this forwarder there can be at once."""
    deliveries_table: TableName
    delivery_days: Days = 35
    """How long a delivered event id is remembered; Adyen repeats webhooks for 30 days."""
    deduplicate: Literal["money", "all", "none"] = "money"
    """Which events are told apart by their ids; those of payments always are."""
    identities_table: TableName | None = None
    """None for the web, where nothing is looked up."""
    hold_limit_seconds: Seconds = 259_200
    """How long an event is held before it goes to the dead-letter queue."""
    uncertain_money: Literal["resend", "dead_letter"] = "resend"
    """What to do with an event with revenue that AppsFlyer may or may not have recorded."""
    connect_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 3
    read_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10

    def requests_a_second_here(self, surface: Surface) -> float:
        """What one invocation sends at most: its part of its surface's part."""
        web = self.web_share_percent
        share = web if surface is Surface.WEB else 100 - web
        return self.requests_a_second * share / 100 / self.max_concurrency

    @property
    def longest_request_seconds(self) -> float:
        """How long one request may take at most."""
        return self.connect_timeout_seconds + self.read_timeout_seconds
