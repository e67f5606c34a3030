"""docs/openapi.json: valid, what the code gives, and nothing in it that the code does not do."""

import ast
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from relay.accept import accept
from relay.accept.bodies import MAX_BODY_BYTES
from relay.aws.sqs import MAX_TAKEN_BYTES
from relay.domain.kinds import App, Kind
from relay.errors import TableUnavailableError
from relay.gateway import request, responses
from relay.installs import receive as receive_install
from relay.payments import receive as receive_payment
from relay.rules import mobile, web
from relay.rules.prepare import prepare
from relay_cli.openapi import run
from relay_cli.openapi.document import document_of
from relay_cli.openapi.run import written
from relay_cli.terminal.errors import CliError
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    WEB_APP,
    Json,
    make_event,
    make_http_event,
    make_install,
    make_web_event,
    make_web_visit,
)
from tests.support.fakes import aws_error
from tests.support.harnesses import (
    INSTALL_GET,
    INSTALL_POST,
    PUSH_TOKEN,
    AcceptHarness,
    InstallsHarness,
)
from tests.support.openapi import (
    DOCUMENT,
    EVENT_SCHEMAS,
    FILE,
    ROUTES,
    check_answer,
    event_validator,
    properties_of,
)
from tests.support.payments_harness import PaymentsHarness, billing_webhook
from tests.support.webhooks import Posted

ROOT = FILE.parents[1]


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")


HEALTH = "GET /v1/health"
BY_THE_GATEWAY_ALONE = {(route, 429) for route in ROUTES} | {(HEALTH, 500), (HEALTH, 503)}
"""What API Gateway answers without its function, or for it."""

NO_BODY = {(INSTALL_GET, 413)}

Scenario = Callable[[str], Json]


def test_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


# What each route can answer: a scenario for each status, told the route.

EVENTS = {kind: route for route, kind in accept.ROUTES.items()}
MADE = {
    EVENTS[Kind.MOBILE_EVENT]: (MOBILE_APP, make_event),
    EVENTS[Kind.WEB_EVENT]: (WEB_APP, make_web_event),
    EVENTS[Kind.WEB_VISIT]: (WEB_APP, make_web_visit),
}
BROKEN = {"email": 5}


def post_event(
    route: str, body: Any, harness: AcceptHarness | None = None, /, **request: Any
) -> Json:
    given = {"route": route, "app_id": MADE[route][0], **request}
    return (harness or AcceptHarness()).accept.handle(make_http_event(body, **given))


def event(route: str, **fields: Any) -> Json:
    made: Json = MADE[route][1](**fields)
    return made


def large(route: str) -> Json:
    """A valid event that no queue takes, where its kind has one; mobile events are small."""
    return event(route, http_referrer="x" * MAX_TAKEN_BYTES)


def over_the_limit(route: str) -> Json:
    return post_event(route, "[" + " " * MAX_BODY_BYTES + "]")


def too_large_among_others(route: str) -> Json:
    events = [event(route), *([] if "mobile" in route else [large(route)]), BROKEN]
    return post_event(route, events, headers={"idempotency-key": "key"})


def queued_in_part(route: str) -> Json:
    harness = AcceptHarness()
    harness.sqs.refuses = lambda entry: entry["Id"] == "1"
    return post_event(route, [event(route), event(route)], harness)


def same_key_other_body(route: str) -> Json:
    harness = AcceptHarness()
    post_event(route, event(route), harness, headers={"idempotency-key": "key"})
    return post_event(route, [event(route)], harness, headers={"idempotency-key": "key"})


def accept_when(error: Exception) -> Scenario:
    def scenario(route: str) -> Json:
        harness = AcceptHarness()
        harness.sqs.error = error
        return post_event(route, event(route), harness)

    return scenario


def preview(route: str) -> Json:
    return post_event(route, [event(route), BROKEN], query={"preview": "true"})


EVENT_SCENARIOS: list[tuple[int, Scenario]] = [
    (200, preview),
    (202, lambda route: post_event(route, event(route))),
    (207, too_large_among_others),
    (207, queued_in_part),
    (400, lambda route: post_event(route, "no JSON")),
    (400, lambda route: post_event(route, BROKEN)),
    (400, lambda route: post_event(route, [BROKEN, BROKEN])),
    (401, lambda route: post_event(route, event(route), token="guessed")),
    (403, lambda route: post_event(route, event(route), app_id="com.example.other")),
    (404, lambda route: post_event(route, event(route), unknown_app())),
    (413, over_the_limit),
    (415, lambda route: post_event(route, event(route), headers={"content-type": "text/plain"})),
    (422, same_key_other_body),
    (500, accept_when(RuntimeError("a bug of ours"))),
    (503, accept_when(aws_error("Throttling"))),
]


def unknown_app() -> AcceptHarness:
    harness = AcceptHarness()
    harness.ssm.parameters = {
        name: value for name, value in harness.ssm.parameters.items() if "producers" in name
    }
    return harness


def tell(route: str, harness: InstallsHarness | None = None, **message: Any) -> Json:
    harness = harness or InstallsHarness()
    fields = make_install(**message)
    if route == INSTALL_POST:
        return harness.installs.handle(tell_event(route, json.dumps(fields), {"token": PUSH_TOKEN}))
    query = {name: value for name, value in fields.items() if value is not None}
    return harness.installs.handle(tell_event(route, "", {"token": PUSH_TOKEN, **query}))


def tell_event(route: str, body: str, query: Json, app_id: str = MOBILE_APP) -> Json:
    return make_http_event(body, route=route, token=None, query=query, app_id=app_id)


def older(route: str) -> Json:
    harness = InstallsHarness()
    tell(route, harness)
    return tell(route, harness, install_time="2026-01-01 00:00:00")


def told_too_much(route: str) -> Json:
    return tell(route, more="x" * receive_payment.MAX_BODY_BYTES)


def tell_when(error: Any) -> Scenario:
    def scenario(route: str) -> Json:
        harness = InstallsHarness()
        harness.table.error = error
        return tell(route, harness)

    return scenario


INSTALL_SCENARIOS: list[tuple[int, Scenario]] = [
    (200, tell),
    (200, older),
    (200, lambda route: tell(route, customer_user_id=None)),
    (400, lambda route: tell(route, install_time="yesterday")),
    (401, lambda route: InstallsHarness().installs.handle(tell_event(route, "", {}))),
    (
        403,
        lambda route: InstallsHarness().installs.handle(
            tell_event(route, "", {"token": PUSH_TOKEN}, "com.example.other")
        ),
    ),
    (413, told_too_much),
    (500, tell_when(RuntimeError("a bug of ours"))),
    (503, tell_when(TableUnavailableError("down"))),
]


def webhook(
    harness: PaymentsHarness | None = None, source: str | None = None, **headers: str
) -> Json:
    harness = harness or PaymentsHarness()
    signed = billing_webhook("trial", harness.clock, id="t-1")
    given = {**signed.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return harness.post("standard_webhooks", Posted(given, signed.body), source)


def stale() -> Json:
    harness = PaymentsHarness()
    signed = billing_webhook("trial", harness.clock, id="t-1")
    harness.clock.advance(timedelta(days=1).total_seconds())
    return harness.post("standard_webhooks", signed)


def webhook_when(error: Exception) -> Json:
    harness = PaymentsHarness()
    harness.sqs.error = error
    return webhook(harness)


WEBHOOK_SCENARIOS: list[tuple[int, Scenario]] = [
    (200, lambda _: webhook()),
    (400, lambda _: stale()),
    (401, lambda _: webhook(webhook_signature="v1,guessed")),
    (
        413,
        lambda _: PaymentsHarness().post(
            "stripe", Posted({}, b" " * (receive_payment.MAX_BODY_BYTES + 1))
        ),
    ),
    (500, lambda _: webhook_when(RuntimeError("a bug of ours"))),
    (503, lambda _: webhook_when(aws_error("Throttling"))),
]


def _without_producers() -> AcceptHarness:
    """An API that can serve nobody."""
    harness = AcceptHarness()
    harness.ssm.parameters.clear()
    return harness


SCENARIOS: list[tuple[str, int, Scenario]] = [
    *((route, status, scenario) for route in MADE for status, scenario in EVENT_SCENARIOS),
    *(
        (route, status, scenario)
        for route in (INSTALL_POST, INSTALL_GET)
        for status, scenario in INSTALL_SCENARIOS
        if (route, status) not in NO_BODY
    ),
    *((receive_payment.ROUTE, status, scenario) for status, scenario in WEBHOOK_SCENARIOS),
    (HEALTH, 200, lambda route: AcceptHarness().accept.handle(make_http_event(route=route))),
    (HEALTH, 200, lambda route: _without_producers().accept.handle(make_http_event(route=route))),
]


@pytest.mark.parametrize(
    ("route", "status", "scenario"),
    SCENARIOS,
    ids=[f"{route} {status} {number}" for number, (route, status, _) in enumerate(SCENARIOS)],
)
def test_every_answer_is_as_the_document_says(route: str, status: int, scenario: Scenario) -> None:
    answer = scenario(route)

    assert answer["statusCode"] == status, answer["body"]
    check_answer(route, answer)


def test_document_has_the_answers_that_can_be_had_and_no_others() -> None:
    documented = {
        (route, int(status))
        for route, operation in ROUTES.items()
        for status in operation["responses"]
    }

    assert documented - BY_THE_GATEWAY_ALONE == {(route, status) for route, status, _ in SCENARIOS}


def test_document_has_no_property_of_an_answer_that_never_comes() -> None:
    shapes = {"Queued", "Previews", "Invalid", "Install", "Health", "Problem"}
    documented = {name for shape in shapes for name in properties_of(shape)}
    bodies = [
        json.loads(answer["body"])
        for route, _, scenario in SCENARIOS
        if "json" in (answer := scenario(route))["headers"]["content-type"]
    ]

    seen = set().union(*(seen_in(body) for body in bodies))

    assert {name.partition(".")[2] for name in documented} == seen


def seen_in(content: Any) -> Iterator[str]:
    """The names of all that is in an answer."""
    for inner in content if isinstance(content, list) else content.values():
        if isinstance(inner, dict | list):
            yield from seen_in(inner)
    if isinstance(content, dict):
        yield from content


# The same, as the code says it

NO_SUCH_ROUTE = "no such route"
"""API Gateway hands over no others."""


def raised_in(*modules: Any) -> set[int]:
    """The statuses that modules name, but for the one that needs a route of nobody's."""
    found = set()
    for module in modules:
        tree = ast.parse(Path(module.__file__).read_text("utf-8"))
        unreachable = {
            id(call.args[0])
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and [ast.unparse(one) for one in call.args[1:]] == [repr(NO_SUCH_ROUTE)]
        }
        found |= {
            HTTPStatus[node.attr].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and ast.unparse(node.value) == "HTTPStatus"
            and id(node) not in unreachable
        }
    return found


@pytest.mark.parametrize(
    ("routes", "modules"),
    [
        (tuple(MADE), (accept, responses, request)),
        ((INSTALL_POST, INSTALL_GET), (receive_install, responses)),
        ((receive_payment.ROUTE,), (receive_payment, responses)),
    ],
)
def test_document_has_every_status_that_the_code_names(
    routes: tuple[str, ...], modules: tuple[Any, ...]
) -> None:
    for route in routes:
        documented = {int(status) for status in ROUTES[route]["responses"]}
        raised = {status for status in raised_in(*modules) if (route, status) not in NO_BODY}

        assert documented - {429} == raised


# What is sent in


def fields() -> Iterator[Any]:
    """Each example of each field of each kind of event."""
    for kind, name in EVENT_SCHEMAS.items():
        for field, form in DOCUMENT["components"]["schemas"][name]["properties"].items():
            for number, example in enumerate(form["examples"]):
                yield pytest.param(kind, field, example, id=f"{kind} {field} {number}")


@pytest.mark.parametrize(("kind", "field", "example"), list(fields()))
def test_example_of_a_field_is_taken(kind: Kind, field: str, example: Any) -> None:
    given = event(EVENTS[kind], **{field: example})

    prepared = prepare(kind, App(MADE[EVENTS[kind]][0]), given, NOW)

    assert [finding for finding in prepared.findings if finding.severity == "reject"] == []
    assert event_validator(kind).is_valid(given)


@pytest.mark.parametrize("kind", list(Kind))
def test_document_has_every_field_that_a_kind_takes_and_no_other(kind: Kind) -> None:
    known = mobile.KNOWN_FIELDS if kind is Kind.MOBILE_EVENT else web.KNOWN_FIELDS
    not_on_a_visit = {"event_name", "event_revenue", "event_revenue_currency"}
    documented = DOCUMENT["components"]["schemas"][EVENT_SCHEMAS[kind]]["properties"].keys()

    assert documented == known - (not_on_a_visit if kind is Kind.WEB_VISIT else set())


BOUNDED = [
    (Kind.WEB_EVENT, "event_name", "x"),
    (Kind.WEB_EVENT, "user_agent", "x"),
    (Kind.WEB_VISIT, "event_url", "https://example.com/x"),
]


@pytest.mark.parametrize(("kind", "field", "start"), BOUNDED)
@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False)])
def test_longest_text_of_the_document_is_taken_and_no_longer_one(
    kind: Kind,
    field: str,
    start: str,
    more: int,
    is_taken: bool,  # noqa: FBT001 - a column
) -> None:
    properties = DOCUMENT["components"]["schemas"][EVENT_SCHEMAS[kind]]["properties"]
    given = event(EVENTS[kind], **{field: start.ljust(properties[field]["maxLength"] + more, "x")})

    prepared = prepare(kind, App(WEB_APP), given, NOW)

    assert (not prepared.findings) == is_taken
    assert event_validator(kind).is_valid(given) == is_taken


def samples() -> Iterator[Any]:
    for route in MADE:
        content = ROUTES[route]["requestBody"]["content"]["application/json"]
        for name, example in content["examples"].items():
            yield pytest.param(route, example["value"], id=name)


@pytest.mark.parametrize(("route", "body"), list(samples()))
def test_sample_in_the_document_is_taken(route: str, body: Any) -> None:
    harness = AcceptHarness()
    app_id = MADE[route][0]
    harness.ssm.parameters[f"/relay/apps/mobile/{app_id}"] = "{}"

    assert post_event(route, body, harness)["statusCode"] in {202, 207}


# The file


def test_file_is_what_the_code_gives() -> None:
    assert FILE.read_text("utf-8") == written(document_of(ROOT))


def test_check_of_a_file_that_is_not_says_what_to_run(tmp_path: Path) -> None:
    stale = tmp_path / "openapi.json"
    stale.write_text(FILE.read_text("utf-8").replace("3.1.1", "3.1.0"))

    with pytest.raises(CliError, match=r"does not say what the code says. Run: make openapi"):
        run.check(stale)


def test_document_of_a_template_with_another_route_says_where_to_describe_it(
    tmp_path: Path,
) -> None:
    for name in ("docs", "events", "functions", "layers"):
        (tmp_path / name).symlink_to(ROOT / name)
    template = (ROOT / "template.yaml").read_text("utf-8")
    (tmp_path / "template.yaml").write_text(template.replace("/v1/health", "/v1/healthy"))

    with pytest.raises(CliError, match=r"operations.py .* GET /v1/health, GET /v1/healthy"):
        document_of(tmp_path)


def test_show_prints_the_document_for_a_server_of_ones_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run.show("https://relay.example.com")

    assert json.loads(capsys.readouterr().out) == {
        **DOCUMENT,
        "servers": [{"url": "https://relay.example.com"}],
    }
