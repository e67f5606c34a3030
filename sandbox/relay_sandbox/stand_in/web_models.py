"""The bodies of web events and visits as AppsFlyer documents them (W1-W13), with types."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from relay.rules.money import WEB_CURRENCIES
from relay_sandbox.stand_in.mobile_money import KNOWN_CURRENCIES

_YEAR_9999 = 253_370_764_800_000  # Unix ms; earlier moments have a local time in every zone
_FORBIDDEN_IN_NAME = frozenset("@=+-")


def _web_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = "must be an http or https URL"
        raise ValueError(message)
    return url


def _address(ip: str) -> str:
    ip_address(ip)
    return ip


def _plain_name(name: str) -> str:
    if _FORBIDDEN_IN_NAME & set(name):
        message = "must not contain @ = + -"
        raise ValueError(message)
    return name


def _listed(currency: str) -> str:
    if currency not in KNOWN_CURRENCIES | WEB_CURRENCIES:
        message = "must be an ISO 4217 code"
        raise ValueError(message)
    return currency


WebUrl = Annotated[str, Field(max_length=4_096), AfterValidator(_web_url)]
Address = Annotated[str, Field(max_length=46), AfterValidator(_address)]
Digest = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
EventName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain_name)]


class _Strict(BaseModel):
    # A field may be missing but not null, and nothing is converted: AppsFlyer responds 400.
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, data: Any) -> Any:
        fields = data if isinstance(data, dict) else {}
        nulls = sorted(name for name, value in fields.items() if value is None)
        if nulls:
            message = f"must not be null: {', '.join(nulls)}"
            raise ValueError(message)
        return data


class UserId(_Strict):
    """W1: the user; at least one of the two ids is required."""

    customer_user_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    appsflyer_id: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> UserId:
        if self.customer_user_id is None and self.appsflyer_id is None:
            message = "needs customer_user_id or appsflyer_id"
            raise ValueError(message)
        return self


class _EventValue(BaseModel):
    # Senders may put anything beside the custom parameters (W5).
    model_config = ConfigDict(strict=True, extra="allow", hide_input_in_errors=True)

    custom_parameters: dict[str, Any] | None = None


class _Base(_Strict):
    user_id: UserId
    event_value: _EventValue | None = None
    timestamp: Annotated[int, Field(ge=0, lt=_YEAR_9999)] | None = None
    ip: Address | None = None
    user_agent: Annotated[str, Field(max_length=1_024)] | None = None
    http_referrer: str | None = None
    customer_dedup_id: str | None = None
    email_hashed: Digest | None = None
    phone_number_hashed: Digest | None = None
    phone_number_e164_hashed: Digest | None = None
    first_name_hashed: Digest | None = None
    last_name_hashed: Digest | None = None


class WebEvent(_Base):
    """A web event (W1-W12)."""

    event_name: EventName
    event_revenue: int | Decimal | None = None
    event_revenue_currency: Annotated[str, AfterValidator(_listed)] | None = None
    event_url: WebUrl | None = None


class WebVisit(_Base):
    """A web visit: the URL is required; it has no name and no revenue (W2-W4, W6)."""

    event_url: WebUrl
