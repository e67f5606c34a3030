"""The apps that events are sent for: settings and tokens, from Parameter Store.

apps/<surface>/<app_id>    JSON {"time_zone", "phone_region", "payments"}, all optional
tokens/<surface>/<app_id>  SecureString: one S2S token a line; two are valid during a rotation
"""

import math
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.aws.parameter_store import ParameterStore, WallClock
from relay.domain.kinds import App, Surface
from relay.domain.payment_rules import PaymentRules
from relay.errors import ConfigurationError, ParametersUnavailableError, UnknownAppError
from relay.instants import seconds_since
from relay.rules.web import FORBIDDEN_IN_NAME
from relay.secrets import Secret
from relay.validation import first_fault

REFUSED_SECONDS: Final = 60.0
"""A token that AppsFlyer has refused is not used for this long."""

APP_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)
"""What Parameter Store accepts in a name; no other app id can have settings."""


class _AppParameter(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    time_zone: str = "UTC"
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    payments: PaymentRules = PaymentRules()


class _Parsed(NamedTuple):
    text: str
    app: App
    payments: PaymentRules


class Apps:
    """The apps that events are sent for: their settings, and a working token."""

    def __init__(self, store: ParameterStore, clock: WallClock = time.time) -> None:
        self._store = store
        self._clock = clock
        self._parsed: dict[str, _Parsed] = {}
        self._refused: dict[tuple[Surface, str, Secret], float] = {}

    def preload(
        self, surface: Surface, app_ids: Iterable[str], may_call: Callable[[], bool] = lambda: True
    ) -> None:
        """Reads settings and tokens of many apps in as few calls as possible; blocking.

        `may_call` is asked before each call. Raises `ParametersUnavailableError`.
        """
        self._store.read(_parameters(surface, app_ids), may_call=may_call)

    def needs_preload(self, surface: Surface, app_ids: Iterable[str]) -> bool:
        """Whether `preload` would call Parameter Store."""
        return bool(self._store.stale(_parameters(surface, app_ids)))

    def is_known(self, surface: Surface, app_id: str) -> bool:
        """Whether the app was read before, however long ago."""
        return self._store.knows(_parameters(surface, [app_id]))

    def expect_settings(self, surface: Surface, app_id: str) -> None:
        """Lets a call that is made anyway read the settings of an app along."""
        if APP_ID.fullmatch(app_id):
            self._store.expect([_settings_of(surface, app_id)])

    def preload_settings(self, surface: Surface, app_id: str, *, vouched: bool = False) -> None:
        """Reads the settings of one app, without its tokens; blocking.

        `vouched`: somebody whom we trust named the app. Raises `ParametersUnavailableError`.
        """
        if APP_ID.fullmatch(app_id):
            self._store.read([_settings_of(surface, app_id)], vouched=vouched)

    def app(self, surface: Surface, app_id: str) -> App:
        """The settings of a preloaded app.

        Raises `UnknownAppError`, `ConfigurationError`, `ParametersUnavailableError`.
        """
        return self._settings(surface, app_id).app

    def payment_rules(self, surface: Surface, app_id: str) -> PaymentRules:
        """How payments are reported to a preloaded app; raises the same errors as `app`."""
        return self._settings(surface, app_id).payments

    def _settings(self, surface: Surface, app_id: str) -> _Parsed:
        name = _settings_of(surface, app_id)
        text = self._store.value(name) if APP_ID.fullmatch(app_id) else None
        if text is None:
            message = f"no {surface} app of this id is set up"
            raise UnknownAppError(message)
        if name not in self._parsed or self._parsed[name].text != text:
            self._parsed[name] = self._parse(name, surface, app_id, text)
        return self._parsed[name]

    def token(self, surface: Surface, app_id: str) -> Secret | None:
        """The app's first token that AppsFlyer did not refuse within `REFUSED_SECONDS`."""
        tokens = _tokens(self._store.value(f"tokens/{surface}/{app_id}") or "")
        if not self._refused:
            return tokens[0] if tokens else None
        now = self._clock()
        for token in tokens:
            refused_at = self._refused.get((surface, app_id, token), -math.inf)
            if seconds_since(refused_at, now) >= REFUSED_SECONDS:
                return token
        return None

    def refuse(self, surface: Surface, app_id: str, token: Secret) -> Secret | None:
        """Records that AppsFlyer refused a token (E12, E13); returns another one, if there is one.

        The parameter is read again, at most every `REREAD_SECONDS`; blocking.
        """
        self._refused[surface, app_id, token] = self._clock()
        try:
            self._store.reread(f"tokens/{surface}/{app_id}")
        except ParametersUnavailableError:
            return None
        return self.token(surface, app_id)

    def _parse(self, name: str, surface: Surface, app_id: str, text: str) -> _Parsed:
        try:
            parameter = _AppParameter.model_validate_json(text or "{}")
            app = App(app_id, parameter.time_zone, parameter.phone_region)
        except ValidationError as error:
            raise ConfigurationError(self._store.full_name(name), first_fault(error)) from None
        except ValueError as error:
            problem = f"time_zone: {error}"
            raise ConfigurationError(self._store.full_name(name), problem) from None
        wrong = _wrong_name(surface, parameter.payments)
        if wrong:
            raise ConfigurationError(self._store.full_name(name), wrong)
        return _Parsed(text, app, parameter.payments)


def _wrong_name(surface: Surface, rules: PaymentRules) -> str | None:
    """The problem with the first of an app's event names that AppsFlyer would refuse (W2)."""
    for kind, name in rules.names.items():
        if surface is Surface.WEB and name and not FORBIDDEN_IN_NAME.isdisjoint(name):
            return f"payments.names.{kind}: must not hold any of @ = + - (W2)"
    return None


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[Secret, ...]:
    """One token a line."""
    return tuple(Secret(line.strip()) for line in text.splitlines() if line.strip())


def _parameters(surface: Surface, app_ids: Iterable[str]) -> list[str]:
    return [
        name
        for app_id in app_ids
        if APP_ID.fullmatch(app_id)
        for name in (_settings_of(surface, app_id), f"tokens/{surface}/{app_id}")
    ]


def _settings_of(surface: Surface, app_id: str) -> str:
    return f"apps/{surface}/{app_id}"
