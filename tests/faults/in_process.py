"""AppsFlyer in this process, behind httpx's transport: the stand-in's judgement without a socket.

What it is told to fail at, it fails at in the ways of E16, each before or after it has recorded.
"""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import httpx

from relay.domain.kinds import Kind
from relay.http1.errors import (
    ClosedAtOnceError,
    ConnectionLostError,
    ExchangeError,
    ExchangeTimeoutError,
    NoConnectionError,
    NoConnectionInTimeError,
    NotHttpError,
)
from relay_sandbox.http.server import Request
from relay_sandbox.stand_in import Account, Accounts
from relay_sandbox.stand_in import mobile_api as mobile
from relay_sandbox.stand_in import web_api as web
from relay_sandbox.stand_in.calls import Call, Verdict, parse_body, parse_path
from tests.support.fakes import Reaction, Says

_CLIENT: Final = ("192.0.2.1", 50_000)
_LATENCY: Final = (0.02, 0.08)
"""Seconds that AppsFlyer takes to answer."""
READ_TIMEOUT: Final = 10.0
CONNECT_TIMEOUT: Final = 3.0


class Strike(NamedTuple):
    """One way to fail."""

    name: str
    react: Callable[[], Reaction]
    uncertain: bool
    """Whether the relay cannot know if the event was recorded (E16)."""
    recorded: bool = False
    """Whether it was."""
    seconds: float = 0.0
    """How long it takes until the relay notices."""


def _error(kind: type[ExchangeError], cause: Exception | None = None) -> Callable[[], Reaction]:
    def make() -> Exception:
        error = kind("made up")
        error.__cause__ = cause
        return error

    return make


def _says(status: int, **headers: str) -> Callable[[], Reaction]:
    return lambda: Says(status, "made up", headers)


def _sure() -> Iterable[Strike]:
    yield Strike("429", _says(429, **{"Retry-After": "7"}), uncertain=False)
    yield Strike("503", _says(503), uncertain=False)
    refused = _error(NoConnectionError, ConnectionRefusedError())
    yield Strike("connect refused", refused, uncertain=False)
    late = _error(NoConnectionInTimeError)
    yield Strike("connect timed out", late, uncertain=False, seconds=CONNECT_TIMEOUT)
    yield Strike("TLS", _error(NoConnectionError, ssl.SSLError()), uncertain=False)
    yield Strike("reset before writing", _error(ClosedAtOnceError), uncertain=False)


def _uncertain(*, recorded: bool) -> Iterable[Strike]:
    for status in (500, 502, 504, 408):
        yield Strike(str(status), _says(status), uncertain=True, recorded=recorded)
    for kind in (ConnectionLostError, NotHttpError):
        yield Strike(kind.__name__, _error(kind), uncertain=True, recorded=recorded)
    slow = _error(ExchangeTimeoutError)
    yield Strike("read timed out", slow, uncertain=True, recorded=recorded, seconds=READ_TIMEOUT)


SURE: Final = tuple(_sure())
UNCERTAIN: Final = (*_uncertain(recorded=False), *_uncertain(recorded=True))
STRIKES: Final = (*SURE, *UNCERTAIN)
"""All of E16."""
REFUSAL: Final = Strike("refused", _says(400), uncertain=False)
"""E11: it says that the event is wrong."""
WRONG: Final = tuple(
    Strike(str(status), _says(status), uncertain=False) for status in (403, 404, 405, 421, 302)
)
"""What says nothing about an event when all get it (E14, E17)."""

Weather = Callable[[Call], Strike | None]
"""What happens to a call; None when all goes well."""


def calm(call: Call) -> None:
    """Nothing fails."""


class Mixed:
    """Strikes so large a part of all calls, each way as often as the others."""

    def __init__(self, part: float, seed: int, strikes: Sequence[Strike] = STRIKES) -> None:
        self.dealt: Counter[Strike] = Counter()
        self.part = part
        self._strikes = strikes
        self._chance = random.Random(seed)  # noqa: S311 - weather, not a secret

    def __call__(self, call: Call) -> Strike | None:
        if self._chance.random() >= self.part:
            return None
        strike = self._chance.choice(self._strikes)
        self.dealt[strike] += 1
        return strike

    @property
    def uncertain(self) -> int:
        """How many of them were uncertain to the relay."""
        return sum(count for strike, count in self.dealt.items() if strike.uncertain)


class Book(Protocol):
    """Who writes down what AppsFlyer gets."""

    def saw(self, call: Call) -> bool:
        """Whether an event of this `customer_dedup_id` was recorded before (W11)."""
        ...

    def write(self, call: Call, verdict: Verdict, strike: Strike | None) -> None:
        """A call, and what became of it."""
        ...


class Entry(NamedTuple):
    """One call."""

    at: datetime
    app_id: str
    token: str
    payload: dict[str, object]
    recorded: bool
    strike: Strike | None


class Entries:
    """A book that keeps every call."""

    def __init__(self) -> None:
        self.all: list[Entry] = []
        self._dedup_ids: set[tuple[str, Kind, str | None]] = set()

    def saw(self, call: Call) -> bool:
        return (call.app_id, call.kind, call.dedup_id) in self._dedup_ids

    def write(self, call: Call, verdict: Verdict, strike: Strike | None) -> None:
        payload, token = dict(call.payload or {}), token_of(call)
        entry = Entry(call.arrived, call.app_id, token, payload, verdict.recorded, strike)
        self.all.append(entry)
        if verdict.recorded and call.dedup_id is not None:
            self._dedup_ids.add((call.app_id, call.kind, call.dedup_id))

    def recorded(self, app_id: str | None = None) -> list[Entry]:
        """What was recorded, of one app or of all."""
        return [one for one in self.all if one.recorded and app_id in (None, one.app_id)]


class AppsFlyer(httpx.AsyncBaseTransport):
    """Judges each request as the stand-in does, after a while, unless the weather is bad."""

    def __init__(
        self,
        accounts: Iterable[Account],
        clock: Callable[[], datetime],
        book: Book,
        weather: Weather = calm,
        seed: int = 0,
    ) -> None:
        self.accounts = Accounts(accounts)
        self.weather = weather
        self._clock = clock
        self._book = book
        self._chance = random.Random(seed)  # noqa: S311 - weather, not a secret

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = _call_of(request, await request.aread(), self._clock())
        strike = self.weather(call)
        await asyncio.sleep(self._chance.uniform(*_LATENCY))
        verdict = self._judge(call)
        if strike is not None and not strike.recorded:
            verdict = Verdict(verdict.response, recorded=False, why=strike.name)
        self._book.write(call, verdict, strike)
        if strike is None:
            answer = verdict.response
            return httpx.Response(answer.status, headers=answer.headers, content=answer.body)
        await asyncio.sleep(strike.seconds)
        return _struck(strike.react())

    def _judge(self, call: Call) -> Verdict:
        if call.kind is Kind.MOBILE_EVENT:
            return mobile.judge(call, self.accounts)
        return web.judge(call, self.accounts, seen=self._book.saw(call))


def _call_of(request: httpx.Request, body: bytes, now: datetime) -> Call:
    target = request.url.raw_path.decode()
    headers = tuple((name.lower(), value) for name, value in request.headers.items())
    received = Request(request.method, target, headers, body, _CLIENT, now)
    where = parse_path(received.path)
    assert where is not None, "only AppsFlyer's own endpoints are asked"
    return Call(received, *where, arrived=now, payload=parse_body(body))


def _struck(reaction: Reaction) -> httpx.Response:
    if isinstance(reaction, Exception):
        raise reaction
    text = reaction.text.encode()
    return httpx.Response(reaction.status, headers=reaction.headers, content=text)


def token_of(call: Call) -> str:
    """The S2S token that a call came with."""
    bearer = (call.request.header("authorization") or "").removeprefix("Bearer ")
    return call.request.header("authentication") or bearer
