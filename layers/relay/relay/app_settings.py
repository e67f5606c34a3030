"""Parameter Store: apps, their tokens, and the producers that may send for them.

Under one prefix, each read by its exact name:

    apps/mobile/<app_id>, apps/web/<app_id>      JSON {"time_zone", "phone_region"}, both optional
    tokens/mobile/<app_id>, tokens/web/<app_id>  SecureString: one S2S token a line, so that two
                                                 are valid while one is rotated
    producers                                    SecureString: JSON list of {"name",
                                                 "token_sha256": [...], "apps": [...]}
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from relay import telemetry
from relay.errors import ConfigurationError, ParametersUnavailableError, UnknownAppError
from relay.preparation import App, Kind
from relay.secrets import Secret

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS: Final = 300.0
REREAD_SECONDS: Final = 10.0
"""A value that is said to be stale is read again at most this often."""
REFUSED_SECONDS: Final = 60.0
"""A token that AppsFlyer has refused is left alone for this long."""

_NAMES_A_CALL: Final = 10
_OF_ONE_NAME: Final = frozenset({"AccessDeniedException", "InvalidKeyId"})
"""What refuses a whole call though it may be the fault of one name in it."""
_MOST_REMEMBERED: Final = 10_000
_APP_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)
"""What Parameter Store takes in a name; no other app id can have settings."""

Clock = Callable[[], float]
"""Seconds that only move forward."""


class Surface(StrEnum):
    """The two of AppsFlyer's APIs: each with queues, apps and tokens of its own."""

    MOBILE = "mobile"
    WEB = "web"

    @classmethod
    def of(cls, kind: Kind) -> "Surface":
        """The surface that takes a kind of event."""
        return cls.MOBILE if kind is Kind.MOBILE_EVENT else cls.WEB


class _Cached(NamedTuple):
    value: str | None
    read_at: float


class ParameterStore:
    """Reads parameters by exact name and remembers them, what does not exist included.

    A value older than `CACHE_SECONDS` is read again; if that fails, the old one still serves.
    """

    def __init__(self, ssm: "SSMClient", prefix: str, clock: Clock = time.monotonic) -> None:
        self._ssm = ssm
        self._prefix = prefix
        self._clock = clock
        self._cache: dict[str, _Cached] = {}
        self._reread_at: dict[str, float] = {}
        self._silent_at = -REREAD_SECONDS

    def read(self, names: Collection[str]) -> None:
        """Makes sure that these are in memory and not too old; blocking.

        Raises `ParametersUnavailableError` when one that was never read cannot be read.
        """
        wanted = self.stale(names)
        if len(self._cache) + len(wanted) > _MOST_REMEMBERED:
            self._forget_all_but(names)
        unread: ParametersUnavailableError | None = None
        for start in range(0, len(wanted), _NAMES_A_CALL):
            try:
                self._fetch(wanted[start : start + _NAMES_A_CALL])
            except ParametersUnavailableError as error:
                unread = error
            if self._is_down():
                break
        if unread is not None:
            raise unread

    def reread(self, name: str) -> None:
        """Reads one again that is said to be stale, at most every `REREAD_SECONDS`; blocking.

        The time runs from the end of the read, and while Parameter Store does not answer nothing is
        read again: many who wait for this one after the other must not each wait for it.
        """
        last = self._reread_at.get(name, -REREAD_SECONDS)
        if self._clock() - last < REREAD_SECONDS or self._is_down():
            return
        try:
            self._fetch([name])
        finally:
            self._reread_at[name] = self._clock()

    def _is_down(self) -> bool:
        """Whether Parameter Store gave no answer a moment ago."""
        return self._clock() - self._silent_at < REREAD_SECONDS

    def stale(self, names: Iterable[str]) -> list[str]:
        """Which of these `read` would ask Parameter Store for."""
        oldest = self._clock() - CACHE_SECONDS
        return [
            name
            for name in dict.fromkeys(names)
            if name not in self._cache or self._cache[name].read_at < oldest
        ]

    def value(self, name: str) -> str | None:
        """A parameter from memory; None when it does not exist.

        Raises `ParametersUnavailableError` when `read` has not seen it.
        """
        if name not in self._cache:
            message = "Parameter Store could not be read"
            raise ParametersUnavailableError(message)
        return self._cache[name].value

    def full_name(self, name: str) -> str:
        """The name as Parameter Store knows it."""
        return f"{self._prefix}/{name}"

    def _fetch(self, names: Sequence[str]) -> None:
        now = self._clock()
        try:
            answer = self._ssm.get_parameters(
                Names=[self.full_name(name) for name in names], WithDecryption=True
            )
        except (BotoCoreError, ClientError) as error:
            self._after_failure(names, error)
            return
        found = {item["Name"]: item["Value"] for item in answer["Parameters"]}
        for name in names:
            self._cache[name] = _Cached(found.get(self.full_name(name)), now)

    def _after_failure(self, names: Sequence[str], error: Exception) -> None:
        code = telemetry.aws_code(error)
        telemetry.aws_failed("GetParameters", [code])
        if isinstance(error, BotoCoreError):
            self._silent_at = self._clock()
        if len(names) > 1 and code in _OF_ONE_NAME:
            self._fetch_one_by_one(names)
        else:
            self._serve_stale(names, self._clock(), code)

    def _fetch_one_by_one(self, names: Sequence[str]) -> None:
        """One name that may not be read must not cost its neighbours in the call."""
        unread: ParametersUnavailableError | None = None
        for name in names:
            try:
                self._fetch([name])
            except ParametersUnavailableError as error:
                unread = error
        if unread is not None:
            raise unread

    def _forget_all_but(self, names: Iterable[str]) -> None:
        """Bounds the memory that senders of ever new app ids can fill."""
        self._cache = {name: self._cache[name] for name in names if name in self._cache}

    def _serve_stale(self, names: Sequence[str], now: float, code: str) -> None:
        if any(name not in self._cache for name in names):
            message = f"Parameter Store cannot be read: {code}"
            raise ParametersUnavailableError(message) from None
        for name in names:  # asked again in a while, not for every event
            self._cache[name] = self._cache[name]._replace(
                read_at=now - CACHE_SECONDS + REREAD_SECONDS
            )


class _AppParameter(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    time_zone: str = "UTC"
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class Apps:
    """The apps that events are sent for: their settings, and the token that works."""

    def __init__(self, store: ParameterStore, clock: Clock = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._parsed: dict[str, tuple[str, App]] = {}
        self._refused: dict[tuple[Surface, str, Secret], float] = {}

    def preload(self, surface: Surface, app_ids: Iterable[str]) -> None:
        """Reads what many apps need to be sent for, in as few calls as can be; blocking.

        Raises `ParametersUnavailableError`.
        """
        self._store.read(_parameters(surface, app_ids))

    def needs_preload(self, surface: Surface, app_ids: Iterable[str]) -> bool:
        """Whether `preload` would ask Parameter Store for anything."""
        return bool(self._store.stale(_parameters(surface, app_ids)))

    def preload_settings(self, surface: Surface, app_id: str) -> None:
        """Reads what one app needs to be checked for, its token left alone; blocking.

        Raises `ParametersUnavailableError`.
        """
        if _APP_ID.fullmatch(app_id):
            self._store.read([f"apps/{surface}/{app_id}"])

    def app(self, surface: Surface, app_id: str) -> App:
        """The settings of a preloaded app.

        Raises `UnknownAppError`, `ConfigurationError`, `ParametersUnavailableError`.
        """
        name = f"apps/{surface}/{app_id}"
        text = self._store.value(name) if _APP_ID.fullmatch(app_id) else None
        if text is None:
            message = f"no {surface} app of this id is set up"
            raise UnknownAppError(message)
        if name not in self._parsed or self._parsed[name][0] != text:
            self._parsed[name] = (text, self._parse(name, app_id, text))
        return self._parsed[name][1]

    def token(self, surface: Surface, app_id: str) -> Secret | None:
        """The first of the app's tokens that AppsFlyer has not refused a moment ago."""
        tokens = _tokens(self._store.value(f"tokens/{surface}/{app_id}") or "")
        if not self._refused:
            return tokens[0] if tokens else None
        now = self._clock()
        for token in tokens:
            if self._refused.get((surface, app_id, token), 0.0) <= now:
                return token
        return None

    def refuse(self, surface: Surface, app_id: str, token: Secret) -> Secret | None:
        """Says that AppsFlyer refused a token (E12, E13), and gives another one if there is.

        The parameter is read afresh, at most every `REREAD_SECONDS`; blocking.
        """
        self._refused[surface, app_id, token] = self._clock() + REFUSED_SECONDS
        try:
            self._store.reread(f"tokens/{surface}/{app_id}")
        except ParametersUnavailableError:
            return None
        return self.token(surface, app_id)

    def _parse(self, name: str, app_id: str, text: str) -> App:
        try:
            parameter = _AppParameter.model_validate_json(text or "{}")
            return App(app_id, parameter.time_zone, parameter.phone_region)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_context=False, include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            problem = f"{where}: {fault['msg']}" if where else fault["msg"]
            raise ConfigurationError(self._store.full_name(name), problem) from None
        except ValueError as error:
            problem = f"time_zone: {error}"
            raise ConfigurationError(self._store.full_name(name), problem) from None


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[Secret, ...]:
    """One token a line."""
    return tuple(Secret(line.strip()) for line in text.splitlines() if line.strip())


def _parameters(surface: Surface, app_ids: Iterable[str]) -> list[str]:
    return [
        name
        for app_id in app_ids
        if _APP_ID.fullmatch(app_id)
        for name in (f"apps/{surface}/{app_id}", f"tokens/{surface}/{app_id}")
    ]


class Producer(BaseModel):
    """Somebody who may send events, known by the hash of a bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    token_sha256: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(max_length=5)
    ]
    """Several at once while a token is rotated."""
    apps: tuple[str, ...]
    """App ids, or `*` for every app that is set up."""

    def may_send_for(self, app_id: str) -> bool:
        """Whether this producer may send for an app."""
        return app_id in self.apps or "*" in self.apps


_PRODUCERS: Final = TypeAdapter(tuple[Producer, ...])


class Producers:
    """Who may call the HTTP API."""

    def __init__(self, store: ParameterStore) -> None:
        self._store = store
        self._parsed: tuple[str, tuple[Producer, ...]] = ("", ())

    def by_token(self, token: str) -> Producer | None:
        """The producer of a bearer token; None when nobody has it.

        Every hash is compared, in constant time. A stranger's token makes us read the parameter
        again, at most every `REREAD_SECONDS`. Raises `ConfigurationError` and
        `ParametersUnavailableError`.
        """
        digest = token_digest(token)
        self._store.read(["producers"])
        found = self._find(digest)
        if found is None:
            self._store.reread("producers")
            found = self._find(digest)
        return found

    def _find(self, digest: str) -> Producer | None:
        found = None
        for producer in self._all():
            for known in producer.token_sha256:
                if hmac.compare_digest(known, digest):
                    found = producer
        return found

    def _all(self) -> tuple[Producer, ...]:
        text = self._store.value("producers") or "[]"
        if self._parsed[0] != text:
            try:
                self._parsed = (text, _PRODUCERS.validate_json(text))
            except ValidationError as error:
                fault = error.errors(include_input=False, include_context=False, include_url=False)[
                    0
                ]
                key = self._store.full_name("producers")
                raise ConfigurationError(key, fault["msg"]) from None
        return self._parsed[1]


def token_digest(token: str) -> str:
    """How a producer's token is kept: SHA-256, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
