"""Parameter Store: every parameter under one prefix, read by its exact name and remembered.

What stands where:

    apps/mobile/<app_id>, apps/web/<app_id>      an app's settings (`apps`)
    tokens/mobile/<app_id>, tokens/web/<app_id>  SecureString: its S2S tokens (`apps`)
    producers                                    SecureString: who may send events (`producers`)
    push_senders                                 SecureString: who may tell of installs (likewise)
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
"""A value that is said to be stale is read again at most this often."""

_NAMES_A_CALL: Final = 10
_OF_ONE_NAME: Final = frozenset({"AccessDeniedException", "InvalidKeyId"})
"""What refuses a whole call though it may be the fault of one name in it."""
_MOST_REMEMBERED: Final = 10_000

MonotonicClock = Callable[[], float]
"""Seconds that only move forward."""


class _Cached(NamedTuple):
    value: str | None
    read_at: float


class ParameterStore:
    """Reads parameters by exact name and remembers them, what does not exist included.

    A value older than `CACHE_SECONDS` is read again; if that fails, the old one still serves.
    """

    def __init__(
        self, ssm: "SSMClient", prefix: str, clock: MonotonicClock = time.monotonic
    ) -> None:
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
