import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from relay.appsflyer import Client, transport
from relay.appsflyer.failures import MEANINGS, failure_of
from relay.domain.kinds import Kind
from relay.domain.outcomes import AppsFlyerResponse
from relay.errors import ConfigurationError, SendFailedError
from relay.http1 import errors
from relay.http1.pool import Pool
from relay.secrets import Secret
from tests.support.every import every

KEY = "0123456789abcdef-example"
BODY = b'{"eventName":"af_purchase","eventValue":""}'
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

Handler = Callable[[httpx.Request], httpx.Response]


def make_client(handler: Handler, base_url: str = "https://appsflyer.example.com") -> Client:
    return Client(httpx.MockTransport(handler), base_url, clock=lambda: NOW)


async def send(client: Client, kind: Kind = Kind.MOBILE_EVENT, key: str = KEY) -> AppsFlyerResponse:
    return await client.send(kind, "id123456789", "/inappevent/id123456789", BODY, Secret(key))


async def request_for(kind: Kind) -> httpx.Request:
    """The request that a send of this kind hands to the transport."""
    requests: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200)

    await send(make_client(keep), kind)
    return requests[0]


def answering(status: int, content: bytes = b"", **headers: str) -> Client:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_client(lambda _: httpx.Response(status, content=content, headers=given))


def raising(error: Exception) -> Client:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return make_client(fail)


# What is sent


async def test_send_mobile_event_authenticates_with_the_bare_key() -> None:
    """E2."""
    request = await request_for(Kind.MOBILE_EVENT)

    assert request.headers["authentication"] == KEY
    assert "authorization" not in request.headers


@every("kind", [Kind.WEB_EVENT, Kind.WEB_VISIT])
async def test_send_web_kind_authenticates_with_a_bearer_token(kind: Kind) -> None:
    """E2."""
    request = await request_for(kind)

    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "authentication" not in request.headers


@every("kind", list(Kind))
async def test_send_posts_the_body_as_json_of_known_length(kind: Kind) -> None:
    """E3."""
    request = await request_for(kind)

    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(BODY))
    assert request.content == BODY


@every("base_url", ["http://localhost:8080/mobile", "http://localhost:8080/mobile/"])
async def test_send_keeps_the_base_urls_host_and_path(base_url: str) -> None:
    requests: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200)

    await send(make_client(keep, base_url))

    assert str(requests[0].url) == "http://localhost:8080/mobile/inappevent/id123456789"
    assert requests[0].headers["host"] == "localhost:8080"


async def test_send_leaves_a_percent_encoded_path_as_it_is() -> None:
    """E8."""
    paths: list[bytes] = []

    def keep(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200)

    path = "/inappevent/a%20b%2Fc%3Fd"
    await make_client(keep).send(Kind.MOBILE_EVENT, "a b/c?d", path, BODY, Secret(KEY))

    assert paths == [path.encode()]


async def test_send_with_a_rotated_token_uses_the_new_one() -> None:
    keys: list[str] = []

    def keep(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["authentication"])
        return httpx.Response(200)

    client = make_client(keep)
    await send(client, key="old-key")
    await send(client, key="new-key")

    assert keys == ["old-key", "new-key"]


@every(
    "key", ["", "two words", "line\nbreak", "line\r\nX-Injected: 1", "tab\t", "schlüssel", "\x00"]
)
async def test_send_token_unfit_for_a_header_is_refused_without_showing_it(key: str) -> None:
    client = make_client(lambda _: httpx.Response(200))

    with pytest.raises(ConfigurationError) as caught:
        await send(client, key=key)

    assert str(caught.value) == (
        "the S2S token of app id123456789: "
        "must be visible ASCII characters, without spaces and line breaks"
    )


@every(
    "base_url",
    [
        "",
        "api3.appsflyer.com",
        "ftp://api3.appsflyer.com",
        "https://",
        "https://user:word@appsflyer.example.com",
        "https://appsflyer.example.com?key=word",
        "https://appsflyer.example.com#word",
        "https://appsflyer.example.com:port",
    ],
)
def test_client_base_url_that_is_none_is_refused_without_showing_it(base_url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_client(lambda _: httpx.Response(200), base_url)

    assert str(caught.value) == (
        "AppsFlyer's base URL: must be an http or https URL without user, query and fragment"
    )


# What comes back


@every("status", [200, 202, 400, 401, 403, 404, 408, 415, 429, 500, 503])
async def test_send_any_status_is_an_answer(status: int) -> None:
    assert await send(answering(status, b"text")) == AppsFlyerResponse(status, "text", None)


@every("status", [301, 302, 303, 307, 308])
async def test_send_redirect_is_an_answer_and_not_followed(status: int) -> None:
    """E17."""
    urls: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(status, headers={"Location": "https://elsewhere.example.com/"})

    answer = await send(make_client(redirect))

    assert answer.status == status
    assert urls == ["https://appsflyer.example.com/inappevent/id123456789"]


async def test_send_long_answer_is_cut_at_500_characters() -> None:
    answer = await send(answering(400, "é".encode() * 2000))

    assert answer.text == "é" * 500


async def test_send_answer_that_is_no_utf8_is_decoded_leniently() -> None:
    answer = await send(answering(400, b"caf\xe9"))

    assert answer.text == "caf\ufffd"


@every(
    "value, seconds",
    [
        ("0", 0.0),
        ("7", 7.0),
        ("120", 120.0),
        ("-5", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 14:00:30 +0200", 30.0),
        ("Sun, 01 Mar 2026 11:59:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("\u0663", None),
        ("9" * 5000, None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("Sun, 01 Mar 99999 12:00:30 GMT", None),
    ],
)
async def test_send_retry_after_is_seconds_or_a_date_else_nothing(
    value: str, seconds: float | None
) -> None:
    """E18."""
    headers = [(b"Retry-After", value.encode())]
    client = make_client(lambda _: httpx.Response(503, headers=headers))

    assert (await send(client)).retry_after_seconds == seconds


async def test_send_accepted_event_asks_for_no_waiting() -> None:
    assert await send(answering(200, b"OK", Retry_After="7")) == AppsFlyerResponse(200, "OK", None)


async def test_send_retry_after_date_is_compared_with_the_present_by_default() -> None:
    moment = (datetime.now(UTC) + timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    handler = httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": moment}))

    answer = await send(Client(handler, "https://appsflyer.example.com"))

    assert answer.retry_after_seconds is not None
    assert 0 < answer.retry_after_seconds <= 86_400


async def test_client_closing_closes_the_transport() -> None:
    closed: list[bool] = []

    class Transport(httpx.AsyncBaseTransport):
        async def aclose(self) -> None:
            closed.append(True)

    await Client(Transport(), "https://appsflyer.example.com").aclose()

    assert closed == [True]


# What fails


def errors_of_an_exchange() -> set[type[errors.ExchangeError]]:
    """What an exchange can end with: the leaves of the tree."""
    found = (kind for _, kind in inspect.getmembers(errors, inspect.isclass))
    tree = {kind for kind in found if issubclass(kind, errors.ExchangeError)}
    return {kind for kind in tree if not kind.__subclasses__()}


def test_meanings_are_those_of_every_error_that_can_be_raised_and_of_no_other() -> None:
    assert MEANINGS.keys() == errors_of_an_exchange()


@every("kind", sorted(errors_of_an_exchange(), key=str))
async def test_send_every_error_of_an_exchange_has_a_meaning_and_shows_nothing(
    kind: type[errors.ExchangeError],
) -> None:
    client = raising(kind("+1 202 555 0100 " + KEY))

    with pytest.raises(SendFailedError) as caught:
        await send(client)

    assert (caught.value.reason, caught.value.sure) == MEANINGS[kind]
    assert str(caught.value) == f"AppsFlyer gave no answer: {caught.value.reason}"
    assert caught.value.__suppress_context__


def test_meanings_are_sure_only_where_nothing_was_written() -> None:
    """E16: uncertain are all others."""
    sure = {kind for kind, meaning in MEANINGS.items() if meaning.sure}

    assert sure == {kind for kind in MEANINGS if issubclass(kind, errors.NotWrittenError)}


async def test_send_our_own_mistake_is_not_taken_for_a_failed_request() -> None:
    with pytest.raises(ZeroDivisionError):
        await send(raising(ZeroDivisionError()))


def test_failure_looks_for_the_reason_under_what_was_raised() -> None:
    """The operating system's error may lie two levels down."""
    error = errors.NoConnectionError("wrapped")
    error.__cause__ = RuntimeError("in between")
    error.__cause__.__context__ = ConnectionRefusedError()

    assert failure_of(error).reason == "connect_refused"


async def test_transport_lets_the_errors_of_an_exchange_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are translated once, by the client."""

    async def fail(*_: object) -> None:
        raise errors.ConnectionLostError

    monkeypatch.setattr(Pool, "exchange", fail)
    request = httpx.Request("POST", "http://127.0.0.1:1/")

    with pytest.raises(errors.ConnectionLostError):
        await transport.KeepAliveTransport(1, 1, 1).handle_async_request(request)
