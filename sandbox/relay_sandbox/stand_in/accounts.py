"""The apps that the stand-in knows: their tokens, time zones and states."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from relay.domain.kinds import Kind
from relay.instants import time_zone


def _known_zone(name: str) -> str:
    time_zone(name)  # raises ValueError for an unknown zone
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Tokens = tuple[Annotated[SecretStr, Field(min_length=1)], ...]
AppId = Annotated[str, Field(min_length=1)]


class Account(BaseModel):
    """An app. `tokens` are its current S2S keys; none means that all are revoked.

    `time_zone` is a tz database name; `currency` is assumed for revenue without one (M5); in
    `state` "blocked" every event gets a 403 (E14).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    app_id: AppId
    kind: Literal["mobile", "web"] = "mobile"
    tokens: Tokens = ()
    time_zone: TimeZone = "UTC"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    state: Literal["open", "blocked"] = "open"

    @property
    def blocked(self) -> bool:
        """Whether AppsFlyer accepts no traffic for this app."""
        return self.state == "blocked"

    def has_token(self, token: str) -> bool:
        """Whether `token` is one of the app's current tokens."""
        return any(
            hmac.compare_digest(token.encode(), known.get_secret_value().encode())
            for known in self.tokens
        )

    def takes_kind(self, kind: Kind) -> bool:
        """Whether events of this kind belong to an app of this kind."""
        return (kind is Kind.MOBILE_EVENT) == (self.kind == "mobile")

    def as_json(self) -> dict[str, object]:
        """The account for the control API: with the number of tokens, never the tokens."""
        return {**self.model_dump(exclude={"tokens"}), "tokens": len(self.tokens)}


class Accounts:
    """The accounts, keyed by app id; they can change while the stand-in runs."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self._by_id = {account.app_id: account for account in accounts}

    def find(self, app_id: str, kind: Kind) -> Account | None:
        """The account of an app, if the app takes events of this kind."""
        account = self._by_id.get(app_id)
        return account if account is not None and account.takes_kind(kind) else None

    def owner_exists(self, token: str, kind: Kind) -> bool:
        """Whether the token belongs to any app of this kind."""
        return any(
            account.takes_kind(kind) and account.has_token(token)
            for account in self._by_id.values()
        )

    def zone(self, app_id: str) -> str:
        """The time zone of an app; UTC for an unknown app."""
        account = self._by_id.get(app_id)
        return account.time_zone if account else "UTC"

    def with_change(self, change: dict[str, object]) -> Account:
        """Return an account with some fields replaced, or a new account for an unknown app.

        It is not stored. Raises pydantic's `ValidationError`.
        """
        before = self._by_id.get(str(change.get("app_id")))
        kept = before.model_dump() if before else {}
        return Account.model_validate({**kept, **change})

    def put(self, accounts: Iterable[Account]) -> None:
        """Store these accounts, replacing those with the same app ids."""
        self._by_id.update({account.app_id: account for account in accounts})

    def as_json(self) -> list[dict[str, object]]:
        """All accounts for the control API."""
        return [account.as_json() for account in self._by_id.values()]
