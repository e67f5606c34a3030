"""HTTP requests become the events of an HTTP API; functions' results become its responses.

The expected values come from AWS's documentation of payload format 2.0, and from captured events of
a real HTTP API.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from relay_sandbox.gateway.events import http_event, http_response
from relay_sandbox.http.server import Request

ROUTE = "POST /v1/mobile/{app_id}/events"
ARRIVED = datetime(2020, 3, 12, 19, 3, 58, 390_000, tzinfo=UTC)


def request(
    target: str = "/v1/mobile/id123456789/events",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Request:
    peer = ("192.0.2.1", 4711)
    return Request("POST", target, (("host", "localhost:8787"), *headers), body, peer, ARRIVED)


def event(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return http_event(request(*args, **kwargs), ROUTE, {"app_id": "id123456789"})


def test_event_carries_route_path_and_path_parameters() -> None:
    made = event()

    assert made["version"] == "2.0"
    assert made["routeKey"] == made["requestContext"]["routeKey"] == ROUTE
    assert made["rawPath"] == made["requestContext"]["http"]["path"]
    assert made["rawPath"] == "/v1/mobile/id123456789/events"
    assert made["pathParameters"] == {"app_id": "id123456789"}


def test_event_raw_path_is_percent_decoded() -> None:
    assert event("/v1/mobile/com.example%2Eshop/events")["rawPath"] == (
        "/v1/mobile/com.example.shop/events"
    )


def test_event_request_context_has_caller_and_time_as_the_gateway_does() -> None:
    context = event(headers=(("user-agent", "agent/1.0"),))["requestContext"]

    assert context["time"] == "12/Mar/2020:19:03:58 +0000"
    assert context["timeEpoch"] == 1584039838390
    assert context["stage"] == "$default"
    assert context["domainName"] == "localhost"
    assert context["http"] == {
        "method": "POST",
        "path": "/v1/mobile/id123456789/events",
        "protocol": "HTTP/1.1",
        "sourceIp": "192.0.2.1",
        "userAgent": "agent/1.0",
    }


def test_event_repeated_headers_are_joined_with_a_comma() -> None:
    made = event(headers=(("x-tag", "a"), ("x-tag", "b")))

    assert made["headers"]["x-tag"] == "a,b"


def test_event_cookies_are_a_list_of_their_own_and_not_among_the_headers() -> None:
    made = event(headers=(("cookie", "a=1; afUserId=7"), ("cookie", "b=2")))

    assert made["cookies"] == ["a=1", "afUserId=7", "b=2"]
    assert "cookie" not in made["headers"]


def test_event_query_is_kept_raw_and_given_decoded_with_repeats_joined() -> None:
    made = event("/v1?preview=true&x=a%20b&x=c")

    assert made["rawQueryString"] == "preview=true&x=a%20b&x=c"
    assert made["queryStringParameters"] == {"preview": "true", "x": "a b,c"}


def test_event_without_cookies_query_and_body_leaves_them_out() -> None:
    made = event()

    assert made.keys().isdisjoint({"cookies", "queryStringParameters", "body"})
    assert made["rawQueryString"] == ""
    assert made["isBase64Encoded"] is False


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/plain", "application/xml"],
)
def test_event_body_of_a_text_type_is_text(content_type: str) -> None:
    made = event(headers=(("content-type", content_type),), body='{"ä": 1}'.encode())

    assert (made["body"], made["isBase64Encoded"]) == ('{"ä": 1}', False)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("content-type", "application/octet-stream"),),
        (("content-type", "application/x-www-form-urlencoded"),),
    ],
)
def test_event_body_of_any_other_type_is_base64(headers: tuple[tuple[str, str], ...]) -> None:
    made = event(headers=headers, body=b"hello world")

    assert (made["body"], made["isBase64Encoded"]) == ("aGVsbG8gd29ybGQ=", True)


def test_event_body_that_is_no_utf8_is_base64_whatever_its_type() -> None:
    made = event(headers=(("content-type", "application/json"),), body=b"\xff\xfe")

    assert (made["body"], made["isBase64Encoded"]) == ("//4=", True)


def test_response_with_a_status_code_is_passed_on_unchanged() -> None:
    result = {
        "statusCode": 202,
        "headers": {"Content-Type": "application/json", "X-Number": 7},
        "cookies": ["a=1", "b=2; Secure"],
        "body": "aGk=",
        "isBase64Encoded": True,
    }

    response = http_response(result, "request-1")

    assert response is not None
    assert (response.status, response.body) == (202, b"hi")
    assert response.headers == (
        ("content-type", "application/json"),
        ("x-number", "7"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2; Secure"),
        ("apigw-requestid", "request-1"),
    )


def test_response_without_a_content_type_is_plain_text() -> None:
    response = http_response({"statusCode": 200, "body": "hi"}, "request-1")

    assert response is not None
    assert dict(response.headers)["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("result", "body"), [({"ok": True}, b'{"ok": true}'), ("hi", b"hi"), ([1], b"[1]")]
)
def test_response_that_is_a_bare_value_becomes_the_body_of_a_200(
    result: object, body: bytes
) -> None:
    response = http_response(result, "request-1")

    assert response is not None
    assert (response.status, response.body) == (200, body)
    assert dict(response.headers)["content-type"] == "application/json"


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "headers": "none"},
        {"statusCode": 200, "body": "!", "isBase64Encoded": True},
    ],
)
def test_response_that_is_invalid_is_none(result: object) -> None:
    assert http_response(result, "request-1") is None
