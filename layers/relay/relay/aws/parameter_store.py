"""Parameter Store: every parameter under one prefix, read by its exact name and cached.

The parameters, and the module of `config` that reads each:

    apps/mobile/<app_id>, apps/web/<app_id>      an app's settings (`apps`)
    tokens/mobile/<app_id>, tokens/web/<app_id>  SecureString: its S2S tokens (`apps`)
    producers                                    SecureString: who may send events (`producers`)
    push_senders                                 SecureString: who may report installs (`producers`)
    sources                                      the payment sources' settings (`sources`)
    webhook_secrets/<source>                     SecureString: a source's secrets (`sources`)
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from relay import telemetry
from relay.errors import ParametersUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS: Final = 300.0
REREAD_SECONDS: Final = 10.0
"""A value that a caller reports as stale is read again at most this often."""

_NAMES_A_CALL: Final = 10
_MAY_BE_ONE_NAME: Final = frozenset({"AccessDeniedException", "InvalidKeyId"})
"""Errors that fail a whole call, although only one of its names may be the cause."""
_MOST_REMEMBERED: Final = 10_000

MonotonicClock = Callable[[], float]
"""Seconds that only move forward."""


class _Cached(NamedTuple):
    value: str | None
    read_at: float


class ParameterStore:
    """Reads parameters by exact name and caches them, including those that do not exist.

    A value older than `CACHE_SECONDS` is read again; if that fails, the old one stays in use.
    """

    def __init__(
        self, ssm: "SSMClient", prefix: str, clock: MonotonicClock = time.monotonic
    ) -> None:
        self._ssm = ssm
        self._prefix = prefix
        self._clock = clock
        self._cache: dict[str, _Cached] = {}
        self._reread_at: dict[str, float] = {}
        self._unreachable_at = -REREAD_SECONDS

    def read(self, names: Collection[str]) -> None:
        """Makes sure that these are cached and not too old; blocking.

        Raises `ParametersUnavailableError` if one that was never read cannot be read.
        """
        wanted = self.stale(names)
        if len(self._cache) + len(wanted) > _MOST_REMEMBERED:
            self._forget_all_but(names)
        failure: ParametersUnavailableError | None = None
        for start in range(0, len(wanted), _NAMES_A_CALL):
            try:
                self._fetch(wanted[start : start + _NAMES_A_CALL])
            except ParametersUnavailableError as error:
                failure = error
            if self._is_down():
                break
        if failure is not None:
            raise failure

    def reread(self, name: str) -> None:
        """Reads one again that a caller found stale, at most every `REREAD_SECONDS`; blocking.

        The time runs from the end of the last read, and nothing is read again while Parameter Store
        does not respond: callers that wait here in turn must not each wait for a time-out.
        """
        last = self._reread_at.get(name, -REREAD_SECONDS)
        if self._clock() - last < REREAD_SECONDS or self._is_down():
            return
        try:
            self._fetch([name])
        finally:
            self._reread_at[name] = self._clock()

    def _is_down(self) -> bool:
        """Whether Parameter Store did not respond within the last `REREAD_SECONDS`."""
        return self._clock() - self._unreachable_at < REREAD_SECONDS

    def stale(self, names: Iterable[str]) -> list[str]:
        """The names that `read` would request from Parameter Store."""
        oldest = self._clock() - CACHE_SECONDS
        return [
            name
            for name in dict.fromkeys(names)
            if name not in self._cache or self._cache[name].read_at < oldest
        ]

    def value(self, name: str) -> str | None:
        """A parameter from the cache; None if it does not exist.

        Raises `ParametersUnavailableError` if `read` has not read it.
        """
        if name not in self._cache:
            message = "Parameter Store could not be read"
            raise ParametersUnavailableError(message)
        return self._cache[name].value

    def full_name(self, name: str) -> str:
        """The name with the prefix, as in Parameter Store."""
        return f"{self._prefix}/{name}"

    def _fetch(self, names: Sequence[str]) -> None:
        now = self._clock()
        try:
            response = self._ssm.get_parameters(
                Names=[self.full_name(name) for name in names], WithDecryption=True
            )
        except (BotoCoreError, ClientError) as error:
            self._after_failure(names, error)
            return
        values = {item["Name"]: item["Value"] for item in response["Parameters"]}
        for name in names:
            self._cache[name] = _Cached(values.get(self.full_name(name)), now)

    def _after_failure(self, names: Sequence[str], error: Exception) -> None:
        code = telemetry.aws_code(error)
        telemetry.aws_failed("GetParameters", [code])
        if isinstance(error, BotoCoreError):
            self._unreachable_at = self._clock()
        if len(names) > 1 and code in _MAY_BE_ONE_NAME:
            self._fetch_one_by_one(names)
        else:
            self._serve_stale(names, self._clock(), code)

    def _fetch_one_by_one(self, names: Sequence[str]) -> None:
        """One name that may not be read must not fail the other names of the call."""
        failure: ParametersUnavailableError | None = None
        for name in names:
            try:
                self._fetch([name])
            except ParametersUnavailableError as error:
                failure = error
        if failure is not None:
            raise failure

    def _forget_all_but(self, names: Iterable[str]) -> None:
        """Bounds the memory that requests with ever new app ids can use."""
        self._cache = {name: self._cache[name] for name in names if name in self._cache}

    def _serve_stale(self, names: Sequence[str], now: float, code: str) -> None:
        if any(name not in self._cache for name in names):
            message = f"Parameter Store cannot be read: {code}"
            raise ParametersUnavailableError(message) from None
        for name in names:  # retry after `REREAD_SECONDS`, not for every event
            self._cache[name] = self._cache[name]._replace(
                read_at=now - CACHE_SECONDS + REREAD_SECONDS
            )
