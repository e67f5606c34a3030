import base64
import json
from datetime import UTC, datetime
from http import HTTPStatus

import pytest

from relay.gateway.request import PROBLEM_JSON, Problem, Request, Response
from tests.support.builders import MOBILE_APP, make_http_event
from tests.support.every import every


def request_with(**headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request.of(make_http_event({}, token=None, headers=given))


# Reading


def test_of_reads_route_app_and_moment() -> None:
    request = Request.of(make_http_event({}))

    assert request.route == "POST /v1/mobile/{app_id}/events"
    assert request.app_id == MOBILE_APP
    assert request.came_in == datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


def test_of_a_request_of_sam_local_reads_its_seconds() -> None:
    event = make_http_event({}) | {"requestContext": {"timeEpoch": 1772452800}}

    assert Request.of(event).came_in == datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


def test_of_a_request_with_nothing_in_it_is_empty() -> None:
    """API Gateway leaves out what is not there, or says null."""
    request = Request.of(
        {
            "routeKey": "GET /v1/health",
            "requestContext": {"timeEpoch": 0},
            "headers": None,
            "pathParameters": None,
            "queryStringParameters": None,
            "cookies": None,
            "body": None,
        }
    )

    assert (request.app_id, request.body, request.bearer_token) == ("", b"", None)
    assert request.cookies == {}
    assert not request.is_preview


def test_of_a_body_as_text_is_its_utf8() -> None:
    assert Request.of(make_http_event('{"a": "é"}')).body == '{"a": "é"}'.encode()


def test_of_a_body_as_base64_is_decoded() -> None:
    event = make_http_event(base64.b64encode(b"\xff\x00").decode()) | {"isBase64Encoded": True}

    assert Request.of(event).body == b"\xff\x00"


@every("body, encoded", [("a", True), ("a!==", True), ("é", True), ("\ud800", False)])
def test_of_a_body_that_cannot_be_read_is_a_400(body: str, encoded: bool) -> None:  # noqa: FBT001 - a column
    event = make_http_event(body) | {"isBase64Encoded": encoded}

    with pytest.raises(Problem) as raised:
        Request.of(event)

    assert raised.value.status == HTTPStatus.BAD_REQUEST


@every(
    "value, token",
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("Bearer   abc ", "abc"),
        ("Bearer ", None),
        ("Bearer", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
    ],
)
def test_bearer_token_is_what_follows_the_scheme(value: str, token: str | None) -> None:
    assert request_with(Authorization=value).bearer_token == token


@every(
    "value, key",
    [("order-1", "order-1"), ("  a b ", "a b"), ("", None), ("x" * 200, "x" * 200)],
)
def test_idempotency_key_is_trimmed(value: str, key: str | None) -> None:
    assert request_with(Idempotency_Key=value).idempotency_key == key


@every("value", ["x" * 257, "a\x00b", "a\nb", "\ud800", "a\u200bb"])
def test_idempotency_key_too_long_or_unprintable_is_a_400(value: str) -> None:
    with pytest.raises(Problem) as raised:
        _ = request_with(Idempotency_Key=value).idempotency_key

    assert raised.value.status == HTTPStatus.BAD_REQUEST
    assert value not in raised.value.detail


@every(
    "value, is_preview",
    [("true", True), ("TRUE", True), ("1", True), ("yes", True), ("false", False), ("0", False),
     ("no", False), ("", True)],
)  # fmt: skip
def test_is_preview_reads_yes_and_no(value: str, is_preview: bool) -> None:  # noqa: FBT001 - a column
    assert Request.of(make_http_event({}, query={"preview": value})).is_preview is is_preview


def test_is_preview_of_anything_else_is_a_400() -> None:
    """A slip here would queue what was only to be looked at."""
    with pytest.raises(Problem) as raised:
        _ = Request.of(make_http_event({}, query={"preview": "ture"})).is_preview

    assert raised.value.status == HTTPStatus.BAD_REQUEST


@every("value", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_check_content_type_takes_json(value: str) -> None:
    request_with(Content_Type=value).check_content_type()


@every("value", ["", "text/plain", "application/jsonp", "application/problem+json"])
def test_check_content_type_of_anything_else_is_a_415(value: str) -> None:
    with pytest.raises(Problem) as raised:
        request_with(content_type=value).check_content_type()

    assert raised.value.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


@every(
    "cookie, value",
    [
        ("afUserId=abc-p", "abc-p"),
        (" afUserId = abc-p ", "abc-p"),
        ('afUserId="abc-p"', "abc-p"),
        ("afUserId=a%20b", "a b"),
        ("afUserId=a=b", "a=b"),
        ("afUserId", ""),
    ],
)
def test_of_cookies_are_read_by_name(cookie: str, value: str) -> None:
    request = Request.of(make_http_event({}, cookies=["session=1", cookie]))

    assert request.cookies == {"session": "1", "afUserId": value}


# Answering


def test_as_response_is_what_api_gateway_takes() -> None:
    answer = Response(HTTPStatus.ACCEPTED, {"queued": 1}, {"x-a": "b"})

    assert answer.to_lambda() == {
        "statusCode": 202,
        "headers": {"content-type": "application/json", "x-a": "b"},
        "body": '{"queued":1}',
        "isBase64Encoded": False,
    }


def test_problem_has_the_shape_of_rfc_9457() -> None:
    problem = Problem(HTTPStatus.NOT_FOUND, "no such route", members={"findings": []})

    answer = problem.response().to_lambda()

    assert answer["headers"] == {"content-type": PROBLEM_JSON}
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no such route",
        "findings": [],
    }


def test_problem_keeps_its_headers() -> None:
    problem = Problem(HTTPStatus.UNAUTHORIZED, "who?", headers={"www-authenticate": "Bearer"})

    assert problem.response().to_lambda()["headers"]["www-authenticate"] == "Bearer"
