"""The apps that events are sent for: settings and tokens, from Parameter Store.

apps/<surface>/<app_id>    JSON {"time_zone", "phone_region", "payments"}, all optional
tokens/<surface>/<app_id>  SecureString: one S2S token a line; two are valid during a rotation
"""

import math
import re
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
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


MOST_SURVEYED: Final = 15
"""Apps that a survey reads, two names each: anybody may ask for one, and it is three calls."""


class AppParameter(BaseModel):
    """The content of an app's settings parameter."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    time_zone: str = "UTC"
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    payments: PaymentRules = PaymentRules()


class AppSettings(NamedTuple):
    """An app's parameter, parsed."""

    app: App
    payments: PaymentRules


class _Parsed(NamedTuple):
    text: str
    settings: AppSettings


class Survey(NamedTuple):
    """Which of some apps could be served."""

    usable: frozenset[str]
    """Ids of apps whose settings are right, on one surface at least."""
    wrong: frozenset[str]
    """Full names of parameters with a mistake."""
    unread: frozenset[str]
    """Full names of parameters that nobody knows: they could not be read."""


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

    def survey(self, app_ids: Collection[str]) -> Survey:
        """Which of the first `MOST_SURVEYED` of these apps have right settings; blocking.

        At leisure: what is known may be old.
        """
        names = [name for name, _, _ in _surveyed(app_ids)]
        with suppress(ParametersUnavailableError):
            self._store.read(names, vouched=True, at_leisure=True)
        usable, wrong, unread = set(), set(), set()
        for name, surface, app_id in _surveyed(app_ids):
            try:
                self._settings(surface, app_id)
                usable.add(app_id)
            except ConfigurationError as error:
                wrong.add(error.key)
            except ParametersUnavailableError:
                unread.add(self._store.full_name(name))
            except UnknownAppError:
                pass  # it has one surface, as a rule
        return Survey(frozenset(usable), frozenset(wrong), frozenset(unread))

    def _settings(self, surface: Surface, app_id: str) -> AppSettings:
        name = _settings_of(surface, app_id)
        text = self._store.value(name) if APP_ID.fullmatch(app_id) else None
        if text is None:
            message = f"no {surface} app of this id is set up"
            raise UnknownAppError(message)
        if name not in self._parsed or self._parsed[name].text != text:
            settings = parse_app(self._store.full_name(name), surface, app_id, text)
            self._parsed[name] = _Parsed(text, settings)
        return self._parsed[name].settings

    def token(self, surface: Surface, app_id: str) -> Secret | None:
        """The app's first token that AppsFlyer did not refuse within `REFUSED_SECONDS`."""
        tokens = parse_tokens(self._store.value(f"tokens/{surface}/{app_id}") or "")
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


def parse_app(key: str, surface: Surface, app_id: str, text: str) -> AppSettings:
    """An app's settings from the text of its parameter; empty for the defaults.

    Raises `ConfigurationError`, which names the parameter by `key` and the place in it.
    """
    try:
        parameter = AppParameter.model_validate_json(text or "{}")
        app = App(app_id, parameter.time_zone, parameter.phone_region)
    except ValidationError as error:
        raise ConfigurationError(key, first_fault(error)) from None
    except ValueError as error:
        raise ConfigurationError(key, f"time_zone: {error}") from None
    wrong = _wrong_name(surface, parameter.payments)
    if wrong:
        raise ConfigurationError(key, wrong)
    return AppSettings(app, parameter.payments)


def _wrong_name(surface: Surface, rules: PaymentRules) -> str | None:
    """The problem with the first of an app's event names that AppsFlyer would refuse (W2)."""
    for kind, name in rules.names.items():
        if surface is Surface.WEB and name and not FORBIDDEN_IN_NAME.isdisjoint(name):
            return f"payments.names.{kind}: must not hold any of @ = + - (W2)"
    return None


@lru_cache(maxsize=1024)
def parse_tokens(text: str) -> tuple[Secret, ...]:
    """The tokens in a parameter, or the secrets of a source: one a line."""
    return tuple(Secret(line.strip()) for line in text.splitlines() if line.strip())


def _parameters(surface: Surface, app_ids: Iterable[str]) -> list[str]:
    return [
        name
        for app_id in app_ids
        if APP_ID.fullmatch(app_id)
        for name in (_settings_of(surface, app_id), f"tokens/{surface}/{app_id}")
    ]


def _surveyed(app_ids: Collection[str]) -> list[tuple[str, Surface, str]]:
    """The parameters of the first apps, by name, with surface and app id."""
    ids = [app_id for app_id in app_ids if APP_ID.fullmatch(app_id)][:MOST_SURVEYED]
    return [
        (_settings_of(surface, app_id), surface, app_id) for app_id in ids for surface in Surface
    ]


def _settings_of(surface: Surface, app_id: str) -> str:
    return f"apps/{surface}/{app_id}"
