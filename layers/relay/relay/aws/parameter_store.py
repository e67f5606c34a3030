"""Parameter Store: every parameter under one prefix, read by its exact name and cached.

The parameters, and the module of `config` that reads each:

    apps/mobile/<app_id>, apps/web/<app_id>      an app's settings (`apps`)
    tokens/mobile/<app_id>, tokens/web/<app_id>  SecureString: its S2S tokens (`apps`)
    producers                                    SecureString: who may send events (`producers`)
    push_senders                                 SecureString: who may report installs (`producers`)
    sources                                      the payment sources' settings (`sources`)
    webhook_secrets/<source>                     SecureString: a source's secrets (`sources`)

Parameter Store takes 40 calls a second of an account, and the processes share nothing but that.
So each keeps to its part of what all may cause together: how often it reads depends on how many
there may be (`processes`). The moments are random, so that many do not read in step.
"""

import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from relay import telemetry
from relay.errors import ParametersUnavailableError
from relay.instants import seconds_since

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS: Final = 300.0
"""The longest that a value is used before it is read again; the shortest is `_EARLIEST` of it."""
REREAD_SECONDS: Final = 10.0
"""What a caller reports as stale, what is absent and what could not be read is read again at most
this often, by a few processes; by many, less often."""
KEPT_SECONDS: Final = 300.0
"""How long a value is kept that Parameter Store begins to report as absent: long enough for who
deletes a parameter and creates it anew, or by mistake; short, because a token that was deleted must
no longer be used."""
FEW: Final = 30
"""So many processes may read again for a stranger, every `REREAD_SECONDS`: 3 calls a second."""
LONGEST_PAUSE_SECONDS: Final = 3.0
"""Between two attempts of a process that has nothing yet, while Parameter Store throttles."""

_EARLIEST: Final = 2 / 3
_REFUSED_A_SECOND: Final = 10.0
"""Calls of all processes together for keys that AppsFlyer refused."""
_AGAIN_A_SECOND: Final = 5.0
"""Calls of all processes together for what is known and could not be read again, or is gone."""
_MISSES: Final = 2000
"""Calls for what does not exist that all processes together may make at once ..."""
_MISSES_A_SECOND: Final = 1.0
"""... and in the long run."""
_NAMES_A_CALL: Final = 10
_THROTTLED: Final = frozenset(
    {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_MAY_BE_ONE_NAME: Final = frozenset(
    {"AccessDeniedException", "InvalidKeyId", "ValidationException"}
)
"""Errors that fail a whole call, although only one of its names may be the cause."""
_SERVER_ERROR: Final = 500
_MOST_REMEMBERED: Final = 10_000
"""Names that are absent. Parameter Store's 40 calls a second report 4,000 in ten seconds."""
_NEVER: Final = float("-inf")

WallClock = Callable[[], float]
"""Unix seconds. A monotonic clock may stand still while Lambda freezes the process, in which
parameters age. This one may be set back; then everything is as old as can be."""


class _Known(NamedTuple):
    value: str
    asked_at: float
    """When it was last asked for, with or without an answer."""
    keep: float
    """Seconds after which it is asked for again."""
    gone_since: float | None = None
    """Since when Parameter Store reports it as absent, if it does."""


class _Absent(NamedTuple):
    asked_at: float
    keep: float
    """Seconds after which it may be asked for again."""


class _Delay(NamedTuple):
    begun_at: float
    seconds: float


class _Allowance:
    """How many calls for what does not exist this process may make: `most`, one more a while."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._used = 0.0
        self._counted_at = _NEVER

    def is_left(self, now: float) -> bool:
        """Whether one more call may be made."""
        since = seconds_since(self._counted_at, now)
        self._used = max(0.0, self._used - since / self._seconds)
        self._counted_at = now
        return self._used <= self._most - 1

    def use(self, calls: float) -> None:
        """Counts a call; of about one, so that many processes do not regain it in step."""
        self._used += calls


class ParameterStore:
    """Reads parameters by exact name and caches them, including those that do not exist.

    A value older than `CACHE_SECONDS` is read again, or up to a third earlier; if that fails, the
    old one stays in use. If it is reported absent, it stays in use for `KEPT_SECONDS`. A call has
    room for ten names: what is left is filled with those that are due soon (`_riders`).

    *Strangers* may ask for anything, and all processes at the same moment. What they alone ask for
    (`at_leisure`) may be older by up to `CACHE_SECONDS`. Names that nobody vouches for are read as
    long as the allowance lasts, which is used up only by those that do not exist; after that, one
    that was never read cannot be read (`ParametersUnavailableError`), and an absent one stays
    absent.
    In many processes, absent names that nobody vouches for take the room that other calls leave,
    and have calls of their own only if there are none. A `FEW` read them early instead, one call of
    ten names in `REREAD_SECONDS`, and never at leisure, so that what was missed is seen soon.

    After a failure nothing is read for `REREAD_SECONDS` or half of that; after one that may be a
    name's own, that name alone is not.

    `processes` is the most that may run at once. For `patience_seconds` a process that is throttled
    tries again for what it never read, with random pauses, because its caller would only do the
    same: a thousand that start at once are served one after the other.
    """

    def __init__(
        self,
        ssm: "SSMClient",
        prefix: str,
        clock: WallClock = time.time,
        *,
        processes: int = 1,
        patience_seconds: float = 0.0,
        pause: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._ssm = ssm
        self._prefix = prefix
        self._clock = clock
        self._processes = processes
        self._patience_seconds = patience_seconds
        self._pause = pause
        self._jitter = jitter
        self._known: dict[str, _Known] = {}
        self._absent: dict[str, _Absent] = {}
        self._denied: dict[str, float] = {}
        """When each could not be read, by a failure of its own."""
        self._reread_at: dict[str, float] = {}
        self._expected: Collection[str] = ()
        self._overdue: dict[str, None] = {}
        """Absent names that were asked for and are due: as many as fit into a call."""
        self._delays: dict[str, _Delay] = {}
        """Of names that are due and read at leisure."""
        self._absences_read_at = _NEVER
        self._allowance = _Allowance(
            max(1, _MISSES // processes), self._seconds_at(_MISSES_A_SECOND)
        )
        self._waiting_since = _NEVER
        self._down_at = _NEVER
        self._rest_seconds = 0.0
        self._failure = ""
        self._reading = Lock()

    def read(
        self,
        names: Collection[str],
        *,
        vouched: bool = False,
        at_leisure: bool = False,
        may_call: Callable[[], bool] = lambda: True,
    ) -> None:
        """Makes sure that these are cached and not too old; blocking.

        `vouched`: no stranger can have made them up. `at_leisure`: they may be older, because who
        asks may be a stranger. `may_call` is asked before each call of ten names. Raises
        `ParametersUnavailableError` if one that was never read cannot be read.
        """
        if self._wanted(names, vouched=vouched, at_leisure=at_leisure):
            with self._reading:  # who waited here finds most of it read
                self._read(names, vouched=vouched, at_leisure=at_leisure, may_call=may_call)
        self._check(names)

    def expect(self, names: Collection[str]) -> None:
        """Names that will be asked for soon: read along with the next call, if there is one.

        So a process that starts needs one call, and strangers cause none by them.
        """
        self._expected = names

    def reread(self, name: str, *, for_stranger: bool = False) -> None:
        """Reads one again that a caller found stale, at most every `REREAD_SECONDS`; blocking.

        The time runs from the end of the last read, and nothing is read again while Parameter Store
        rests: callers that wait here in turn must not each wait for a time-out. `for_stranger`:
        whoever asks for it may be anybody; more than a `FEW` processes then read nothing.
        """
        if for_stranger and self._processes > FEW:
            return
        with self._reading:
            last = self._reread_at.get(name, _NEVER)
            if name in self._absent:
                last = max(last, self._absent[name].asked_at)
            if self._age(last) < self._seconds_at(_REFUSED_A_SECOND) or self._is_down():
                return
            self._fetch([name], vouched=True)
            self._reread_at[name] = self._clock()
        self._check([name])

    def stale(self, names: Iterable[str]) -> list[str]:
        """The names that `read` would request from Parameter Store, unless that rests."""
        return self._askable(self._wanted(names, vouched=False, at_leisure=False))

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

    def _seconds_at(self, calls_a_second: float) -> float:
        """How long a process waits between two calls so that all make no more than so many."""
        return max(REREAD_SECONDS, self._processes / calls_a_second)

    def _keep(self) -> float:
        return self._jitter(_EARLIEST, 1) * CACHE_SECONDS

    def _again(self) -> float:
        return self._jitter(_EARLIEST, 1) * self._seconds_at(_AGAIN_A_SECOND)

    def _is_down(self) -> bool:
        """Whether Parameter Store failed within the last seconds."""
        return self._age(self._down_at) < self._rest_seconds

    def _is_denied(self, name: str) -> bool:
        return self._age(self._denied.get(name, _NEVER)) < REREAD_SECONDS

    def _is_gone(self, known: _Known) -> bool:
        return known.gone_since is not None and self._clock() - known.gone_since >= KEPT_SECONDS

    def _is_due(self, name: str) -> bool:
        one = self._known.get(name) or self._absent.get(name)
        return one is None or self._age(one.asked_at) >= one.keep

    def _is_delayed(self, name: str) -> bool:
        """Whether a name that is due may wait longer, as a stranger asks for it."""
        if name not in self._known and name not in self._absent:
            return False
        if name not in self._delays:
            self._delays[name] = _Delay(self._clock(), self._jitter(0, 1) * CACHE_SECONDS)
        delay = self._delays[name]
        return self._age(delay.begun_at) < delay.seconds

    def _may_ride(self, name: str) -> bool:
        """Whether an absent name that is due waits for a call with room for it."""
        one = self._absent.get(name)
        return one is not None and self._age(one.asked_at) < 2 * one.keep

    def _wanted(self, names: Iterable[str], *, vouched: bool, at_leisure: bool) -> list[str]:
        """The names that are due, and then some of the absent ones that may be read early."""
        distinct = list(dict.fromkeys(names))
        due = [name for name in distinct if self._is_due(name)]
        if self._processes <= FEW:
            return due + self._absences_of(distinct)
        if at_leisure:
            due = [name for name in due if not self._is_delayed(name)]
        if vouched:
            return due
        riders = [name for name in due if self._may_ride(name)]
        self._overdue |= dict.fromkeys(riders[: _NAMES_A_CALL - len(self._overdue)])
        return [name for name in due if name not in riders]

    def _absences_of(self, names: Iterable[str]) -> list[str]:
        """The absent names to read before they are due: as many as fit into a call."""
        if self._age(self._absences_read_at) < REREAD_SECONDS:
            return []
        absent = [(one.asked_at, name) for name in names if (one := self._absent.get(name))]
        old = [
            (asked_at, name)
            for asked_at, name in absent
            if self._age(asked_at) >= REREAD_SECONDS and not self._is_due(name)
        ]
        return [name for _, name in sorted(old)[:_NAMES_A_CALL]]

    def _askable(self, names: Collection[str]) -> list[str]:
        """Without the names that nobody vouches for, if the allowance is used up."""
        is_left = self._allowance.is_left(self._clock())
        return [name for name in names if is_left or name in self._known]

    # Reading

    def _read(
        self,
        names: Collection[str],
        *,
        vouched: bool,
        at_leisure: bool,
        may_call: Callable[[], bool],
    ) -> None:
        wanted = self._wanted(names, vouched=vouched, at_leisure=at_leisure)
        wanted = [name for name in wanted if not self._is_denied(name)]
        self._make_room(names, wanted)
        if not self._absent.keys().isdisjoint(wanted):
            self._absences_read_at = self._clock()
        for start in range(0, len(wanted), _NAMES_A_CALL):
            group = wanted[start : start + _NAMES_A_CALL]
            asked = group if vouched else self._askable(group)
            if asked and not self._is_down() and may_call():
                self._fetch(asked, vouched=vouched)
                self._count_misses(asked, vouched=vouched)

    def _count_misses(self, names: Iterable[str], *, vouched: bool) -> None:
        if not vouched and any(name in self._absent for name in names):
            self._allowance.use(self._jitter(_EARLIEST, 1))

    def _fetch(self, names: Sequence[str], *, vouched: bool) -> None:
        """One call for these names, and for others that fit in; repeated while that may help."""
        asked = [*names, *self._riders(names)]
        error = self._call(asked)
        if error is not None and _may_pass_at_once(error):
            error = self._call(asked)
        while error is not None and vouched and self._is_worth_waiting(names, error):
            error = self._call(asked)
        if error is not None:
            self._after_failure(asked, error)

    def _riders(self, names: Collection[str]) -> list[str]:
        """Names that take a free seat in a call, which costs no more for them.

        What is expected, what is overdue, then known ones that are due soon, oldest first.
        """
        free = _NAMES_A_CALL - len(names)
        expected = [name for name in [*self._expected, *self._overdue] if self._is_due(name)]
        old = [
            (one.asked_at, name)
            for name, one in list(self._known.items())
            if one.gone_since is None and 2 * self._age(one.asked_at) >= one.keep
        ]
        riders = dict.fromkeys([*expected, *(name for _, name in sorted(old))])
        return [name for name in riders if name not in names and not self._is_denied(name)][:free]

    def _call(self, names: Sequence[str]) -> Exception | None:
        """Reads them, or returns why not."""
        now = self._clock()
        try:
            response = self._ssm.get_parameters(
                Names=[self.full_name(name) for name in names], WithDecryption=True
            )
        except (BotoCoreError, ClientError) as error:
            return error
        values = {item["Name"]: item["Value"] for item in response["Parameters"]}
        keep = self._keep()  # one for all of them: what was read together is read together again
        for name in names:
            self._overdue.pop(name, None)
            self._delays.pop(name, None)
            self._remember(name, values.get(self.full_name(name)), now, keep)
        return None

    def _is_worth_waiting(self, names: Iterable[str], error: Exception) -> bool:
        """Waits, if it is throttled and a caller has nothing to go on with.

        All requests of a process share one time of patience: none waits longer than that.
        """
        if telemetry.aws_code(error) not in _THROTTLED or self.knows(names):
            return False
        if self._age(self._waiting_since) >= self._patience_seconds + REREAD_SECONDS:
            self._waiting_since = self._clock()
            telemetry.aws_failed("GetParameters", [telemetry.aws_code(error)])
        left = self._patience_seconds - self._age(self._waiting_since)
        if left <= 0:
            return False
        self._pause(self._jitter(0, min(left, LONGEST_PAUSE_SECONDS)))
        return True

    def _remember(self, name: str, value: str | None, now: float, keep: float) -> None:
        """Notes what was read. Other threads may look meanwhile, and must find something."""
        known = self._known.get(name)
        if value is not None:
            self._known[name] = _Known(value, now, keep)
            self._absent.pop(name, None)
        elif known is not None and not self._is_gone(known):
            self._known[name] = self._kept(name, known, now)
        else:
            self._absent[name] = _Absent(now, keep)
            self._known.pop(name, None)

    def _kept(self, name: str, known: _Known, now: float) -> _Known:
        """A value that is reported absent; logs it the first time."""
        if known.gone_since is None:
            telemetry.logger().warning("parameter is gone", extra={"key": self.full_name(name)})
        since = now if known.gone_since is None else min(known.gone_since, now)
        return _Known(known.value, now, self._again(), since)

    def _after_failure(self, names: Sequence[str], error: Exception) -> None:
        self._failure = code = telemetry.aws_code(error)
        telemetry.aws_failed("GetParameters", [code])
        if code not in _MAY_BE_ONE_NAME:
            self._rest(names)
        elif len(names) > 1:
            self._fetch_one_by_one(names)
        else:
            self._denied[names[0]] = self._clock()

    def _rest(self, names: Iterable[str]) -> None:
        self._down_at = self._clock()
        self._rest_seconds = self._jitter(1 / 2, 1) * REREAD_SECONDS
        again = self._again()
        for name in names:
            if known := self._known.get(name):
                self._known[name] = known._replace(asked_at=self._down_at, keep=again)

    def _fetch_one_by_one(self, names: Sequence[str]) -> None:
        """One name that may not be read must not fail the other names of the call."""
        for name in names:
            error = None if self._is_down() else self._call([name])
            if error is not None:
                self._after_failure([name], error)

    def _check(self, names: Iterable[str]) -> None:
        if not self.knows(names):
            cause = self._failure or "no time is left, or too many unknown names were asked for"
            message = f"Parameter Store cannot be read: {cause}"
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
        others.sort(key=lambda one: one[1].asked_at)
        for name, _ in others[: excess + _MOST_REMEMBERED // 10]:  # not again for every request
            self._absent.pop(name, None)


def _may_pass_at_once(error: Exception) -> bool:
    """Whether one more try may help: no response came, or AWS failed at it."""
    response = getattr(error, "response", None)
    if response is None:
        return True
    return bool(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR)
