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
from relay.instants import seconds_since

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS: Final = 300.0
REREAD_SECONDS: Final = 10.0
"""What a caller reports as stale, what is absent and what could not be read is read again at most
this often."""
KEPT_SECONDS: Final = 300.0
"""How long a value is kept that Parameter Store begins to report as absent: long enough for who
deletes a parameter and creates it anew, or by mistake; short, because a token that was deleted must
no longer be used."""

_NAMES_A_CALL: Final = 10
_MAY_BE_ONE_NAME: Final = frozenset(
    {"AccessDeniedException", "InvalidKeyId", "ValidationException"}
)
"""Errors that fail a whole call, although only one of its names may be the cause."""
_MOST_REMEMBERED: Final = 10_000
"""Names that are absent. Parameter Store's 40 calls a second report 4,000 in ten seconds."""
_NEVER: Final = float("-inf")

WallClock = Callable[[], float]
"""Unix seconds. A monotonic clock may stand still while Lambda freezes the process, in which
parameters age. This one may be set back; then everything is as old as can be."""


class _Known(NamedTuple):
    value: str
    read_at: float
    gone_since: float | None = None
    """Since when Parameter Store reports it as absent, if it does."""


class ParameterStore:
    """Reads parameters by exact name and caches them, including those that do not exist.

    A value older than `CACHE_SECONDS` is read again; if that fails, the old one stays in use. If it
    is reported absent, it stays in use for `KEPT_SECONDS`. What is absent is remembered for
    `CACHE_SECONDS` too; before that, one call of ten names is made for such names in
    `REREAD_SECONDS`, so that made-up names cost no more, and one that was missed is seen soon.

    After a failure nothing is read for `REREAD_SECONDS`; after one that may be a name's own, that
    name alone is not.
    """

    def __init__(self, ssm: "SSMClient", prefix: str, clock: WallClock = time.time) -> None:
        self._ssm = ssm
        self._prefix = prefix
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._absent: dict[str, float] = {}
        """When each was last read."""
        self._denied: dict[str, float] = {}
        """When each could not be read, by a failure of its own."""
        self._reread_at: dict[str, float] = {}
        self._absences_read_at = _NEVER
        self._down_at = _NEVER
        self._failure = ""

    def read(self, names: Collection[str], may_call: Callable[[], bool] = lambda: True) -> None:
        """Makes sure that these are cached and not too old; blocking.

        `may_call` is asked before each call of ten names. Raises `ParametersUnavailableError` if
        one that was never read cannot be read.
        """
        wanted = [name for name in self.stale(names) if not self._is_denied(name)]
        self._make_room(names, wanted)
        if not self._absent.keys().isdisjoint(wanted):
            self._absences_read_at = self._clock()
        for start in range(0, len(wanted), _NAMES_A_CALL):
            if self._is_down() or not may_call():
                break
            self._fetch(wanted[start : start + _NAMES_A_CALL])
        self._check(names)

    def reread(self, name: str) -> None:
        """Reads one again that a caller found stale, at most every `REREAD_SECONDS`; blocking.

        The time runs from the end of the last read, and nothing is read again while Parameter Store
        rests: callers that wait here in turn must not each wait for a time-out.
        """
        last = max(self._reread_at.get(name, _NEVER), self._absent.get(name, _NEVER))
        if self._age(last) < REREAD_SECONDS or self._is_down():
            return
        self._fetch([name])
        self._reread_at[name] = self._clock()
        self._check([name])

    def stale(self, names: Iterable[str]) -> list[str]:
        """The names that `read` would request from Parameter Store, unless that rests."""
        distinct = list(dict.fromkeys(names))
        return [name for name in distinct if self._is_due(name)] + self._absences_of(distinct)

    def value(self, name: str) -> str | None:
        """A parameter from the cache; None if it does not exist.

        Raises `ParametersUnavailableError` if `read` has not read it.
        """
        known = self._known.get(name)
        if known is not None:
            return None if self._is_gone(known) else known.value
        if name not in self._absent:
            message = "Parameter Store could not be read"
            raise ParametersUnavailableError(message)
        return None

    def knows(self, names: Iterable[str]) -> bool:
        """Whether `value` knows all of these: they were read before, however long ago."""
        return all(name in self._known or name in self._absent for name in names)

    def full_name(self, name: str) -> str:
        """The name with the prefix, as in Parameter Store."""
        return f"{self._prefix}/{name}"

    # Age

    def _age(self, moment: float) -> float:
        return seconds_since(moment, self._clock())

    def _is_down(self) -> bool:
        """Whether Parameter Store failed within the last `REREAD_SECONDS`."""
        return self._age(self._down_at) < REREAD_SECONDS

    def _is_denied(self, name: str) -> bool:
        return self._age(self._denied.get(name, _NEVER)) < REREAD_SECONDS

    def _is_gone(self, known: _Known) -> bool:
        return known.gone_since is not None and self._clock() - known.gone_since >= KEPT_SECONDS

    def _is_due(self, name: str) -> bool:
        known = self._known.get(name)
        if known is not None and known.gone_since is not None:
            return self._age(known.read_at) >= REREAD_SECONDS
        read_at = self._absent.get(name, _NEVER) if known is None else known.read_at
        return self._age(read_at) > CACHE_SECONDS

    def _absences_of(self, names: Iterable[str]) -> list[str]:
        """The absent names to read before they are due: as many as fit into a call."""
        if self._age(self._absences_read_at) < REREAD_SECONDS:
            return []
        read_at = {name: self._absent.get(name, _NEVER) for name in names}
        old = [
            name for name in read_at if REREAD_SECONDS <= self._age(read_at[name]) <= CACHE_SECONDS
        ]
        return sorted(old, key=read_at.__getitem__)[:_NAMES_A_CALL]

    # Reading

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
            self._remember(name, values.get(self.full_name(name)), now)

    def _remember(self, name: str, value: str | None, now: float) -> None:
        """Notes what was read. Other threads may look meanwhile, and must find something."""
        known = self._known.get(name)
        if value is not None:
            self._known[name] = _Known(value, now)
            self._absent.pop(name, None)
        elif known is not None and not self._is_gone(known):
            self._known[name] = self._kept(name, known, now)
        else:
            self._absent[name] = now
            self._known.pop(name, None)

    def _kept(self, name: str, known: _Known, now: float) -> _Known:
        """A value that is reported absent; logs it the first time."""
        if known.gone_since is None:
            telemetry.logger().warning("parameter is gone", extra={"key": self.full_name(name)})
            return known._replace(read_at=now, gone_since=now)
        return known._replace(read_at=now, gone_since=min(known.gone_since, now))

    def _after_failure(self, names: Sequence[str], error: Exception) -> None:
        self._failure = code = telemetry.aws_code(error)
        telemetry.aws_failed("GetParameters", [code])
        if code not in _MAY_BE_ONE_NAME:
            self._down_at = self._clock()
        elif len(names) > 1:
            self._fetch_one_by_one(names)
        else:
            self._denied[names[0]] = self._clock()

    def _fetch_one_by_one(self, names: Sequence[str]) -> None:
        """One name that may not be read must not fail the other names of the call."""
        for name in names:
            if not self._is_down():
                self._fetch([name])

    def _check(self, names: Iterable[str]) -> None:
        if not self.knows(names):
            message = f"Parameter Store cannot be read: {self._failure or 'no time is left'}"
            raise ParametersUnavailableError(message)

    def _make_room(self, names: Collection[str], wanted: Collection[str]) -> None:
        """Bounds the memory that requests with ever new app ids can use; forgets the oldest.

        Parameters that exist are not forgotten: nobody can make them up.
        """
        if len(self._denied) > _MOST_REMEMBERED:
            self._denied = {}
        if len(self._absent) + len(wanted) <= _MOST_REMEMBERED:
            return
        excess = len(self._absent.keys() | wanted) - _MOST_REMEMBERED
        if excess <= 0:
            return
        needed = set(names)
        others = [one for one in list(self._absent.items()) if one[0] not in needed]
        others.sort(key=lambda one: one[1])
        for name, _ in others[: excess + _MOST_REMEMBERED // 10]:  # not again for every request
            self._absent.pop(name, None)
