import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.config.producers import token_digest
from relay.errors import TableUnavailableError
from relay.installs.receive import MAX_BODY_BYTES
from relay.stores.identities import Identity
from tests.support.builders import MOBILE_APP, Json, make_http_event, make_install
from tests.support.fakes import aws_error
from tests.support.harnesses import INSTALL_POST, PUSH_TOKEN, HttpResponse, InstallsHarness

REMEMBERED = Identity(
    app_id=MOBILE_APP,
    customer_user_id="user-1",
    appsflyer_id="1415211453000-6513894",
    installed_at=datetime(2026, 3, 2, 11, 58, 3, 120_000, tzinfo=UTC),
    platform="ios",
)


@pytest.fixture
def harness() -> InstallsHarness:
    return InstallsHarness()


def assert_problem(answer: HttpResponse, status: int, says: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.content["detail"]


# Taken


def test_handle_post_is_remembered(
    harness: InstallsHarness, counted: Callable[[], dict[str, float]]
) -> None:
    answer = harness.post(make_install())

    assert (answer.status, answer.content["status"]) == (200, "remembered")
    assert answer.headers["content-type"] == "application/json"
    assert harness.known == [REMEMBERED]
    assert counted() == {"InstallRemembered": 1}


def test_handle_get_is_remembered(harness: InstallsHarness) -> None:
    answer = harness.get(make_install())

    assert (answer.status, answer.content["status"]) == (200, "remembered")
    assert harness.known == [REMEMBERED]


def test_handle_body_in_base64_is_remembered(harness: InstallsHarness) -> None:
    body = base64.b64encode(json.dumps(make_install()).encode()).decode()
    event = make_http_event(body, route=INSTALL_POST, token=PUSH_TOKEN) | {"isBase64Encoded": True}

    assert harness.handle(event).status == 200
    assert harness.known == [REMEMBERED]


def test_handle_post_is_read_whatever_its_content_type(harness: InstallsHarness) -> None:
    assert harness.post(make_install(), headers={"content-type": "text/plain"}).status == 200


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02 11:58:03.120",
        "2026-03-02T11:58:03.120Z",
        "2026-03-02T12:58:03.120+01:00",
        "2026-03-02 12:58:03.120+0100",
        " 2026-03-02 11:58:03.12 ",
    ],
)
def test_handle_install_time_is_read_in_its_documented_form_and_as_iso_8601(
    harness: InstallsHarness, text: str
) -> None:
    harness.post(make_install(install_time=text))

    assert harness.known == [REMEMBERED]


def test_handle_install_time_without_a_fraction_is_that_second(harness: InstallsHarness) -> None:
    harness.post(make_install(install_time="2026-03-02 11:58:03"))

    assert harness.known[0].installed_at == datetime(2026, 3, 2, 11, 58, 3, tzinfo=UTC)


@pytest.mark.parametrize("absent", [None, "", " "])
def test_handle_app_and_platform_may_be_left_out(harness: InstallsHarness, absent: Any) -> None:
    harness.post(make_install(app_id=absent, platform=absent))

    assert harness.known[0].app_id == MOBILE_APP
    assert harness.known[0].platform is None


def test_handle_platform_is_kept_in_lower_case(harness: InstallsHarness) -> None:
    harness.post(make_install(platform="Android"))

    assert harness.known[0].platform == "android"


@pytest.mark.parametrize("number", ["84213", "84213.0"])
def test_handle_customer_as_a_number_is_its_digits_as_in_events(
    harness: InstallsHarness, number: str
) -> None:
    """M19: an event that carries the number is looked up by its digits."""
    body = json.dumps(make_install(customer_user_id="NUMBER")).replace('"NUMBER"', number)
    harness.post(body)

    assert len(harness.identities.of_customer("84213")) == 1


# Older, newer


def test_handle_reinstall_replaces_the_install(harness: InstallsHarness) -> None:
    harness.post(make_install(install_time="2026-01-01 00:00:00.000", appsflyer_id="1-1"))

    assert harness.post(make_install()).content["status"] == "remembered"

    assert harness.known == [REMEMBERED]


def test_handle_older_message_changes_nothing_and_is_acknowledged(
    harness: InstallsHarness, counted: Callable[[], dict[str, float]]
) -> None:
    harness.post(make_install())

    answer = harness.post(make_install(install_time="2026-01-01 00:00:00", appsflyer_id="1-1"))

    assert (answer.status, answer.content["status"]) == (200, "older")
    assert harness.known == [REMEMBERED]
    assert counted() == {"InstallRemembered": 1, "InstallOlder": 1}


# Without a customer


@pytest.mark.parametrize("absent", [None, "", "  "])
def test_handle_message_without_a_customer_is_counted_and_explained(
    harness: InstallsHarness, counted: Callable[[], dict[str, float]], absent: Any
) -> None:
    answer = harness.post(make_install(customer_user_id=absent))

    assert (answer.status, answer.content["status"]) == (200, "without_customer")
    assert "customer user id before it starts the SDK" in answer.content["detail"]
    assert counted() == {"InstallWithoutCustomer": 1}
    assert len(harness.table) == 0


@pytest.mark.parametrize("text", ["", "null"])
def test_handle_get_can_only_write_null_out(harness: InstallsHarness, text: str) -> None:
    answer = harness.get(make_install(customer_user_id=text))

    assert answer.content["status"] == "without_customer"


# Who is calling


def test_handle_token_as_a_bearer_is_taken(harness: InstallsHarness) -> None:
    assert harness.post(make_install(), token=PUSH_TOKEN, query=None).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"query": None},
        {"query": {"token": ""}},
        {"query": {"token": "guess"}},
        {"query": None, "token": "guess"},
        {"query": {"token": "guess"}, "token": PUSH_TOKEN},
    ],
    ids=["none", "blank", "wrong", "wrong bearer", "wrong in the query"],
)
@pytest.mark.parametrize("method", ["post", "get"])
def test_handle_unknown_sender_is_a_401(
    harness: InstallsHarness, method: str, request_: Json
) -> None:
    answer = getattr(harness, method)(make_install(), **request_)

    assert_problem(answer, 401, "token")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert len(harness.table) == 0


def test_handle_malformed_sender_is_that_senders_503_alone(harness: InstallsHarness) -> None:
    senders = json.loads(harness.ssm.parameters["/relay/push_senders"])
    senders.append({"token_sha256": [token_digest("other-token")], "apps": ["*"]})
    harness.ssm.parameters["/relay/push_senders"] = json.dumps(senders)

    assert harness.post(make_install(), query={"token": "other-token"}).status == 503
    assert harness.post(make_install()).status == 200
    assert harness.post(make_install(), query={"token": "stranger"}).status == 401


def test_handle_producer_is_no_push_sender(harness: InstallsHarness) -> None:
    senders = [{"name": "shop", "token_sha256": [token_digest("shop-token")], "apps": ["*"]}]
    harness.ssm.parameters["/relay/producers"] = json.dumps(senders)

    assert harness.post(make_install(), query={"token": "shop-token"}).status == 401


def test_handle_app_that_the_sender_may_not_feed_is_a_403(harness: InstallsHarness) -> None:
    answer = harness.post(make_install(app_id=None), app_id="com.example.other")

    assert_problem(answer, 403, "may not send for this app")
    assert len(harness.table) == 0


def test_handle_sender_of_every_app_may_feed_any(harness: InstallsHarness) -> None:
    message = make_install(app_id="com.example.other")

    answer = harness.post(message, app_id="com.example.other", query={"token": "every-token"})

    assert answer.status == 200


def test_handle_other_route_is_a_404(harness: InstallsHarness) -> None:
    assert_problem(harness.post(make_install(), route="PUT /v1/other"), 404, "no such route")


# Malformed


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"app_id": "com.example.other"}, "app_id: is another app"),
        ({"app_id": 123456789}, "app_id: is another app"),
        ({"customer_user_id": ["v-secret"]}, "customer_user_id: must be a string"),
        ({"customer_user_id": True}, "customer_user_id: must be a string"),
        ({"customer_user_id": "v-secret" * 300}, "customer_user_id: must be Unicode text of 1"),
        ({"appsflyer_id": None}, "appsflyer_id: must be a string of 1 to 255"),
        ({"appsflyer_id": " "}, "appsflyer_id: "),
        ({"appsflyer_id": 1415211453000}, "appsflyer_id: "),
        ({"appsflyer_id": "v-secret" * 40}, "appsflyer_id: "),
        ({"appsflyer_id": "v-secret\n1"}, "appsflyer_id: "),
        ({"install_time": None}, "install_time: must be a time in UTC"),
        ({"install_time": "v-secret"}, "install_time: must be a time in UTC"),
        ({"install_time": 1772452740000}, "install_time: must be a time in UTC"),
        ({"install_time": "2026-02-30 11:58:03"}, "install_time: must be a time in UTC"),
        ({"install_time": "2026-03-03 12:00:00.001"}, "install_time: is more than a day in the"),
        ({"platform": 7}, "platform: must be the name of a platform"),
        ({"platform": "<v-secret>"}, "platform: must be the name of a platform"),
    ],
)
def test_handle_malformed_field_is_a_400_that_names_it_and_never_its_value(
    harness: InstallsHarness,
    counted: Callable[[], dict[str, float]],
    said: Callable[[], str],
    overrides: Json,
    says: str,
) -> None:
    answer = harness.post(make_install(**overrides))

    assert_problem(answer, 400, says)
    assert counted() == {"InstallRejected": 1}
    assert "v-secret" not in answer.text + said()
    assert len(harness.table) == 0


def test_handle_install_time_a_little_ahead_is_taken(harness: InstallsHarness) -> None:
    """Clocks differ, and some send the time of a zone."""
    assert harness.post(make_install(install_time="2026-03-03 12:00:00")).status == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "the body is not JSON"),
        ("user-1,1-1", "the body is not JSON"),
        ("[]", "must be a JSON object"),
        ('"user-1"', "must be a JSON object"),
    ],
)
def test_handle_body_that_is_no_json_object_is_a_400(
    harness: InstallsHarness, counted: Callable[[], dict[str, float]], body: str, says: str
) -> None:
    answer = harness.post(body)

    assert_problem(answer, 400, says)
    assert "user-1" not in answer.text
    assert counted() == {"InstallRejected": 1}


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
def test_handle_body_is_bounded(harness: InstallsHarness, size: int, status: int) -> None:
    bare = len(json.dumps(make_install(more="")))

    answer = harness.post(make_install(more="x" * (size - bare)))

    assert answer.status == status


# What is down


def test_handle_table_down_is_a_503_that_says_when_to_come_back(harness: InstallsHarness) -> None:
    harness.table.error = TableUnavailableError("DynamoDB failed: ThrottlingException")

    answer = harness.post(make_install())

    assert_problem(answer, 503, "send the request again")
    assert answer.headers["retry-after"] == "5"


def test_handle_parameter_store_down_is_a_503(
    harness: InstallsHarness, lines: Callable[[], list[Json]]
) -> None:
    harness.ssm.error = aws_error("ThrottlingException", f"about {PUSH_TOKEN}")

    answer = harness.post(make_install())

    assert_problem(answer, 503, "send the request again")
    assert answer.headers["retry-after"] == "5"
    assert "parameters unavailable" in [line["message"] for line in lines()]


def test_handle_wrong_parameter_is_a_503_and_named_in_the_log(
    harness: InstallsHarness, lines: Callable[[], list[Json]]
) -> None:
    harness.ssm.parameters["/relay/push_senders"] = '[{"name": "v-secret"}]'

    answer = harness.post(make_install())

    assert answer.status == 503
    assert [line["key"] for line in lines()] == ["/relay/push_senders"]
    assert "v-secret" not in json.dumps(lines())


def test_handle_bug_is_a_500_that_tells_nothing(
    harness: InstallsHarness, monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    def fail(_identity: Identity) -> bool:
        raise RuntimeError("about user-1")

    monkeypatch.setattr(harness.identities, "remember", fail)

    answer = harness.post(make_install())

    assert_problem(answer, 500, "an error of the relay's")
    assert "user-1" not in answer.text + said()


# Privacy


@pytest.mark.parametrize("method", ["post", "get"])
def test_handle_nothing_of_a_message_or_a_token_is_logged(
    harness: InstallsHarness, said: Callable[[], str], method: str
) -> None:
    send = getattr(harness, method)
    send(make_install())
    send(make_install(install_time="nonsense"))
    send(make_install(), query={"token": "guessed-token"})
    harness.table.error = TableUnavailableError("DynamoDB failed: ThrottlingException")
    send(make_install())

    for value in (
        PUSH_TOKEN,
        "guessed-token",
        "user-1",
        "1415211453000",
        "203.0.113.9",
        "9D5C1A9C",
    ):
        assert value not in said()


def test_handle_only_five_fields_of_a_message_are_kept(harness: InstallsHarness) -> None:
    harness.post(make_install())

    [item] = harness.table.under("user-1").values()
    assert item.keys() == {"appsflyer_id", "installed_at", "platform", "expires_at"}
