"""Settings from environment variables: read once and checked; an error names the variable.

Secrets are never here: they stay in Parameter Store (see `relay.aws.parameter_store`).
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from relay.aws.timeouts import CLAIM_SECONDS, PUT_SECONDS, RESULT_SECONDS
from relay.domain.kinds import Surface
from relay.errors import ConfigurationError

INVOCATION_SECONDS: Final = 90
"""How long Lambda lets an invocation of a forwarder run: its `Timeout` in template.yaml."""
BASELINE_A_SECOND: Final = 10_000
"""S2: the highest rate to start with; above it, AppsFlyer expects a gradual increase."""

_TURNS_NEEDED: Final = 1.05
"""One turn; the rate limiter spaces turns a little further apart than the rate says."""
_PRIVATE: Final = tuple(
    ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
Days = Annotated[int, Field(ge=1, le=3650)]
Url = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")]


def check_encrypted(variable: str, url: str, environment: Mapping[str, str]) -> None:
    """Refuses `http://`, except to this machine: keys leave by TLS alone.

    In a container of `sam local` (which sets `AWS_SAM_LOCAL`), the machine's name is
    `host.docker.internal` or a private address. Raises `ConfigurationError` naming the variable.
    """
    address = urlsplit(url)
    is_in_container = environment.get("AWS_SAM_LOCAL") == "true"
    if address.scheme != "https" and not _is_here(address.hostname or "", is_in_container):
        raise ConfigurationError(variable, "must be https: http:// is for this machine alone")


def _is_here(host: str, is_in_container: bool) -> bool:  # noqa: FBT001 - one of two facts
    if host == "localhost" or (is_in_container and host == "host.docker.internal"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    is_private = any(address in network for network in _PRIVATE)
    return address.is_loopback or (is_in_container and is_private)


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
        values = {
            name: environment[variable]
            for name, variable in variables.items()
            if variable in environment
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_context=False, include_url=False)[0]
            raise ConfigurationError(variables[str(fault["loc"][0])], fault["msg"]) from None

    @staticmethod
    def variable(field: str) -> str:
        """The environment variable of a field."""
        return f"RELAY_{field.upper()}"


class ApiSettings(_Settings):
    """For functions behind the HTTP API."""

    processes: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """The most processes of these functions that may run at once: they share the reads of
    Parameter Store. 1,000 is Lambda's quota for an account."""


class AcceptSettings(ApiSettings):
    """What `accept` needs."""

    mobile_queue_url: Url
    web_queue_url: Url


class ReceiveInstallSettings(ApiSettings):
    """What `receive_install` needs."""

    identities_table: TableName
    identity_days: Days
    """How long an identity is kept after AppsFlyer last reported it."""


class ReceivePaymentSettings(ApiSettings):
    """What `receive_payment` needs."""

    payments_queue_url: Url


class _WaitingSettings(_Settings):
    """For functions whose records wait in their own queue. Times are in seconds."""

    queue_url: Url
    dead_letter_queue_url: Url
    retry_schedule_seconds: Annotated[
        tuple[Annotated[Seconds, Field(le=99_999)], ...],
        BeforeValidator(_split),
        Field(min_length=1, max_length=50),
    ]
    """The longest wait before each further attempt: n waits make n + 1 attempts."""
    hold_seconds: Seconds = 300
    """The longest wait between two checks of an event or notice that is held."""
    identity_limit_seconds: Seconds = 86_400
    """How long to wait for a customer's identity, or for the payment that a refund takes back."""


class MapPaymentSettings(_WaitingSettings):
    """What `map_payment` needs."""

    mobile_queue_url: Url
    web_queue_url: Url
    identities_table: TableName
    trail_table: TableName
    max_concurrency: Annotated[int, Field(ge=1, le=1000)] = 5
    """The most concurrent invocations of this function."""
    trail_days: Days = 400
    """How long the money trail is kept, which says what a refund belongs to."""

    @property
    def hold_limit_seconds(self) -> float:
        """A notice has one limit, whatever the reason for the hold."""
        return self.identity_limit_seconds


class ForwardSettings(_WaitingSettings):
    """What `forward_mobile` and `forward_web` need. Times are in seconds."""

    appsflyer_url: Url
    requests_in_flight: Annotated[int, Field(ge=1, le=1000)] = 50
    """The most requests that one invocation has under way at once."""
    requests_a_second: Annotated[float, Field(gt=0, le=BASELINE_A_SECOND)] = BASELINE_A_SECOND
    """The most that all invocations of both forwarders send together (S2)."""
    web_share_percent: Annotated[float, Field(gt=0, lt=100)] = 20
    """The share of `requests_a_second` for the web."""
    max_concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    """The most concurrent invocations of this forwarder."""
    deliveries_table: TableName
    delivery_days: Days = 35
    """How long a delivered event id is remembered; Adyen repeats webhooks for 30 days."""
    former_ids_until: date | None = None
    """The day from which no event id in the form of release 0.1 is looked up; None: for ever."""
    deduplicate: Literal["money", "all", "none"] = "money"
    """Which events are de-duplicated by their ids; those of payments always are."""
    identities_table: TableName | None = None
    """None for the web, where no identities are looked up."""
    hold_limit_seconds: Seconds = 259_200
    """How long an event is held before it goes to the dead-letter queue."""
    uncertain_money: Literal["resend", "dead_letter"] = "resend"
    """What to do with an event with revenue that AppsFlyer may have recorded."""
    connect_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 3
    read_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10

    def requests_a_second_here(self, surface: Surface) -> float:
        """The most that one invocation sends: its part of its surface's share."""
        web = self.web_share_percent
        share = web if surface is Surface.WEB else 100 - web
        return self.requests_a_second * share / 100 / self.max_concurrency

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """As above; also refuses an address of AppsFlyer's that is not encrypted."""
        settings = super().from_env(environment)
        check_encrypted(cls.variable("appsflyer_url"), settings.appsflyer_url, environment)
        return settings

    @property
    def former_until(self) -> datetime | None:
        """The moment of `former_ids_until`, in UTC."""
        day = self.former_ids_until
        return None if day is None else datetime.combine(day, time.min, UTC)

    @property
    def longest_request_seconds(self) -> float:
        """The longest that one request may take."""
        return self.connect_timeout_seconds + self.read_timeout_seconds

    @property
    def longest_rest_seconds(self) -> float:
        """The longest from the start of a request until its event is settled."""
        return self.longest_request_seconds + RESULT_SECONDS + PUT_SECONDS

    @property
    def longest_delivery_seconds(self) -> float:
        """The longest that one event takes, apart from waiting for its turn and for a token."""
        return CLAIM_SECONDS + self.longest_rest_seconds

    def check_pace(self, surface: Surface) -> None:
        """Raises `ConfigurationError` if an invocation could end before it gets a turn to send."""
        longest_wait = INVOCATION_SECONDS - self.longest_delivery_seconds
        here = self.requests_a_second_here(surface)
        if longest_wait * here >= _TURNS_NEEDED:
            return
        needed = math.ceil(self.requests_a_second * _TURNS_NEEDED / (longest_wait * here))
        raise ConfigurationError(
            self.variable("requests_a_second"),
            f"it gives each of {self.max_concurrency} invocations for {surface.value} one request "
            f"in {1 / here:,.0f} s, and one that gets no turn within {longest_wait:.0f} s cannot "
            f"send: allow {needed:,} requests a second or more, or fewer invocations at once",
        )
