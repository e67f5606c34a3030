"""Sends one payload to AppsFlyer and returns its response."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, cast

import httpx

from relay.appsflyer.failures import failure_of
from relay.domain.kinds import Kind
from relay.domain.outcomes import AppsFlyerResponse
from relay.errors import ConfigurationError
from relay.http1.errors import ExchangeError
from relay.instants import Clock, utc_now
from relay.secrets import Secret

LONGEST_TEXT: Final = 500
_LONGEST_TEXT_BYTES: Final = 4 * LONGEST_TEXT  # UTF-8 takes at most four a character

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_SECONDS: Final = re.compile(r"-?[0-9]{1,9}")


class Client:
    """Sends to one of AppsFlyer's endpoints, or to a stand-in, at `base_url`.

    `transport` sends the requests and has the time-outs (`make_transport`). `clock` is used only
    for a `Retry-After` that is a date. Raises `ConfigurationError` for an invalid base URL.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        base_url: str,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._transport = transport
        self._base_url = _checked_base_url(base_url)
        self._clock = clock
        # Cached by app and token: building them for each event would cost more than TLS does.
        self._url = lru_cache(maxsize=1024)(self._build_url)
        self._headers = lru_cache(maxsize=1024)(self._build_headers)

    async def send(
        self, kind: Kind, app_id: str, path: str, body: bytes, token: Secret
    ) -> AppsFlyerResponse:
        """Posts `body` to `path` with the app's `token`; returns any HTTP response (E16).

        A redirect is returned too and not followed (E17). Raises `SendFailedError` if no response
        came, and `ConfigurationError` for a token that is not allowed in a header.
        """
        headers = [*self._headers(kind, app_id, token), (b"Content-Length", b"%d" % len(body))]
        stream = httpx.ByteStream(body)
        request = httpx.Request("POST", self._url(path), headers=headers, stream=stream)
        try:
            response = await self._transport.handle_async_request(request)
        except ExchangeError as error:
            raise failure_of(error) from None
        text = await _read_text(response)
        if response.is_success:  # the usual case: there is no Retry-After to parse
            return AppsFlyerResponse(response.status_code, text, None)
        retry_after = _retry_after_seconds(response.headers.get("Retry-After"), self._clock)
        return AppsFlyerResponse(response.status_code, text, retry_after)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._transport.aclose()

    def _build_url(self, path: str) -> httpx.URL:
        return httpx.URL(self._base_url + path)

    def _build_headers(self, kind: Kind, app_id: str, token: Secret) -> list[tuple[bytes, bytes]]:
        """E2, E3. AppsFlyer's responses are a line or two: compression would gain nothing."""
        secret = checked_token(f"the S2S token of app {app_id}", token)
        mobile = kind is Kind.MOBILE_EVENT
        authentication = (
            (b"authentication", secret) if mobile else (b"Authorization", b"Bearer " + secret)
        )
        return [
            (b"Host", httpx.URL(self._base_url).netloc),
            authentication,
            (b"Content-Type", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"appsflyer-relay"),
        ]


def _checked_base_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    plain = not (url.userinfo or url.query or url.fragment)
    if url.scheme not in {"http", "https"} or not url.host or not plain:
        problem = "must be an http or https URL without user, query and fragment"
        raise ConfigurationError("AppsFlyer's base URL", problem)
    return base_url.rstrip("/")


def checked_token(key: str, token: Secret) -> bytes:
    """The token's bytes. Without this check, a line break in a token could inject headers.

    Raises `ConfigurationError`, which calls the token `key`.
    """
    value = token.reveal()
    if _TOKEN.fullmatch(value) is None:
        problem = "must be visible ASCII characters, without spaces and line breaks"
        raise ConfigurationError(key, problem)
    return value.encode("ascii")


async def _read_text(response: httpx.Response) -> str:
    """The start of the body. httpx's own `aread` costs more than the rest of this module."""
    stream = cast("httpx.AsyncByteStream", response.stream)
    body = b"".join([part async for part in stream])
    return body[:_LONGEST_TEXT_BYTES].decode(errors="replace")[:LONGEST_TEXT]


def _retry_after_seconds(value: str | None, clock: Clock) -> float | None:
    """Seconds, or the time until an HTTP date; 0 for the past, `None` for anything else."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return max(0.0, float(value))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000": UTC, from an unknown local zone
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - clock()).total_seconds())
