"""People go through every way that a request can fare at `accept` and `receive_install`.

Looked through: the answers, all that is logged and counted, the queues and the table. Nothing is
left out here: what comes by HTTP is hashed before it is kept anywhere.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from relay.aws.parameter_store import ParameterStore
from relay.config.producers import Producers, token_digest
from relay.errors import TableUnavailableError
from relay.installs.receive import Installs
from relay.stores.identities import Identities
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.faults.conftest import Scale
from tests.faults.listening import listening
from tests.faults.personas import Person, Places, personas
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_event,
    make_http_event,
    make_web_event,
    make_web_visit,
)
from tests.support.fakes import FakeClock, FakeSsm, aws_error
from tests.support.harnesses import MOBILE_QUEUE, WEB_QUEUE, AcceptHarness

SOMEBODY = str(Person(0).raw)
_BATCH = 100

# accept

ROUTES: dict[str, tuple[str, str, Callable[..., Json]]] = {
    "mobile event": ("POST /v1/mobile/{app_id}/events", MOBILE_APP, make_event),
    "web event": ("POST /v1/web/{app_id}/events", WEB_APP, make_web_event),
    "web visit": ("POST /v1/web/{app_id}/visits", WEB_APP, make_web_visit),
}
Event = Callable[[Person, Json], Any]


@dataclass(frozen=True)
class Request:
    """One way that a request can fare."""

    event: Event = lambda person, event: event
    breaks: Callable[[AcceptHarness], None] = lambda harness: None
    body: Callable[[list[Any]], Any] = lambda events: events
    given: dict[str, Any] = field(default_factory=dict)
    """What is said besides: headers, the query ..."""
    statuses: tuple[int, ...] = (202,)


def store_down(harness: AcceptHarness) -> None:
    harness.ssm.error = aws_error("InternalServerError", SOMEBODY)


def queue_down(harness: AcceptHarness) -> None:
    harness.sqs.error = aws_error("InternalError", SOMEBODY)


def some_refused(harness: AcceptHarness) -> None:
    harness.sqs.refuses = lambda entry: int(entry["Id"]) % 2 == 0


def bad_settings(harness: AcceptHarness) -> None:
    for app in (f"mobile/{MOBILE_APP}", f"web/{WEB_APP}"):
        harness.ssm.parameters[f"/relay/apps/{app}"] = SOMEBODY


def with_fields(**fields: Any) -> Event:
    return lambda person, event: {**event, **fields}


def moved(name: str, to: str) -> Event:
    """A raw value in another field."""
    return lambda person, event: {**event, to: person.raw[name]}


REQUESTS: dict[str, Request] = {
    "queued": Request(),
    "preview": Request(given={"query": {"preview": "true"}}, statuses=(200,)),
    "preview of what is wrong": Request(
        moved("email", "e_mail"), given={"query": {"preview": "true"}}, statuses=(200,)
    ),
    "one at a time": Request(body=lambda events: events[0]),
    "one of them wrong": Request(
        body=lambda events: [*events, {**events[0], "eventName": 9, "event_name": 9}],
        statuses=(207,),
    ),
    "no token": Request(given={"token": None}, statuses=(401,)),
    "wrong token": Request(given={"token": "Zyxaphora Quillfeather"}, statuses=(401,)),
    "not its app": Request(given={"app_id": "Quillfeather"}, statuses=(403,)),
    "no JSON": Request(body=lambda events: json.dumps(events)[:-2], statuses=(400,)),
    "a text": Request(body=lambda events: json.dumps(json.dumps(events)), statuses=(400,)),
    "too many": Request(body=lambda events: events * 501, statuses=(413,)),
    "too large": Request(with_fields(note="x" * 6_000_000), statuses=(413,),
                         body=lambda events: events[0]),
    "another content type": Request(
        given={"headers": {"content-type": "text/Quillfeather"}}, statuses=(415,)
    ),
    "bad preview": Request(given={"query": {"preview": SOMEBODY}}, statuses=(400,)),
    "Parameter Store down": Request(breaks=store_down, statuses=(503,)),
    "bad settings": Request(breaks=bad_settings, statuses=(503,)),
    "queue down": Request(breaks=queue_down, statuses=(503,)),
    "some not queued": Request(breaks=some_refused, statuses=(207,)),
    "rejected": Request(with_fields(eventName=9, event_name=9), statuses=(400,)),
    "misspelt field": Request(moved("email", "e_mail")),
    "misspelt names": Request(moved("last_name", "lastname")),
    "e-mail that is none": Request(moved("last_name", "email")),
    "phone that is none": Request(
        lambda person, event: {**event, "phone": person.phone + person.email}
    ),
    "raw value as a hash": Request(moved("email", "email_hashed")),
    "hash of somebody else": Request(with_fields(email_hashed="a" * 64)),
    "e-mail as address": Request(moved("email", "ip")),
    "values as keys": Request(
        lambda person, event: {**event, person.email: 1, f"of {person.email}": 2}
    ),
    "names that are objects": Request(
        lambda person, event: {**event, "first_name": person.raw}
    ),
    "event that is text": Request(lambda person, event: json.dumps(person.raw), statuses=(400,)),
}  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", REQUESTS)
def test_people_who_come_by_http_are_found_nowhere(route: str, name: str, scale: Scale) -> None:
    request, (template, app_id, make) = REQUESTS[name], ROUTES[route]
    harness, places, crowd = AcceptHarness(), Places(), personas(scale.personas)
    request.breaks(harness)

    with listening(keeps_text=True) as heard:
        for start in range(0, len(crowd), _BATCH):
            events = [
                request.event(person, make(**person.raw, phone_region="US"))
                for person in crowd[start : start + _BATCH]
            ]
            given = {"route": template, "app_id": app_id, **request.given}
            answer = harness.post(request.body(events), **given)
            assert answer.status in request.statuses, answer.text
            places.look("answers", f"{answer.headers} {answer.text}")

    for queue in (MOBILE_QUEUE, WEB_QUEUE):
        places.look("queues", "\n".join(message.body for message in harness.sqs.queues[queue]))
    places.look("said", "\n".join(heard.said))
    assert places.traces == {}
    assert places.size > 100


def test_somebody_whom_a_queue_holds_would_be_found_there() -> None:
    """What a sender puts into the event value is his own affair (H9)."""
    harness, places = AcceptHarness(), Places()

    harness.post(make_event(eventValue={"af_content": Person(1).email}))

    for message in harness.mobile:
        places.look("queues", message.body)
    assert list(places.traces) == ["queues"]


# receive_install

POST = "POST /v1/appsflyer/installs/{app_id}"
GET = "GET /v1/appsflyer/installs/{app_id}"
PUSH_TOKEN = "push-token"


def message_of(person: Person, **fields: Any) -> Json:
    """A message about an install, with more in it than it should have."""
    return {
        "app_id": MOBILE_APP,
        "customer_user_id": f"user-{person.number}",
        "appsflyer_id": "1415211453000-6513894",
        "install_time": "2026-03-02 11:58:03.120",
        "platform": "ios",
        "customer_name": f"{person.first_name} {person.last_name}",
        "email": person.email,
        "device_phone": person.phone,
        "event_value": json.dumps(person.raw),
        **fields,
    }


INSTALLS: dict[str, tuple[Callable[[Person], Any], int]] = {
    "remembered": (message_of, 200),
    "without a customer": (lambda person: message_of(person, customer_user_id=None), 200),
    "another app": (lambda person: message_of(person, app_id=person.last_name), 400),
    "no id": (lambda person: message_of(person, appsflyer_id=f"{person.email}\n{person.raw}"), 400),
    "a customer that is an object": (
        lambda person: message_of(person, customer_user_id=person.raw),
        400,
    ),
    "no time": (lambda person: message_of(person, install_time=person.email), 400),
    "no platform": (lambda person: message_of(person, platform=person.email), 400),
    "no JSON": (lambda person: json.dumps(person.raw)[:-1], 400),
    "a list": (lambda person: [person.raw], 400),
    "too large": (lambda person: message_of(person, note="x" * 300_000), 413),
}


@pytest.mark.parametrize("trouble", ["none", "wrong token", "table down", "Parameter Store down"])
@pytest.mark.parametrize("route", [POST, GET])
@pytest.mark.parametrize("name", INSTALLS)
def test_people_who_installed_an_app_are_known_by_their_ids_alone(
    name: str, route: str, trouble: str, scale: Scale
) -> None:
    make, status = INSTALLS[name]
    clock, table, places = FakeClock(), MemoryTable(), Places()
    sender = {"name": "push", "token_sha256": [token_digest(PUSH_TOKEN)], "apps": ["*"]}
    ssm = FakeSsm({"/relay/push_senders": json.dumps([sender])})
    store = ParameterStore(ssm.client(), "/relay", clock.seconds)
    installs = Installs(Producers(store, "push_senders"), Identities(table, clock=clock))
    if trouble == "table down":
        table.error = TableUnavailableError("DynamoDB failed: InternalServerError")
    elif trouble == "Parameter Store down":
        ssm.error = aws_error("InternalServerError", SOMEBODY)

    statuses = set()
    with listening(keeps_text=True) as heard:
        for person in personas(scale.personas):
            token = person.email if trouble == "wrong token" else PUSH_TOKEN
            event = _install_event(route, make(person), token)
            answer = installs.handle(event)
            statuses.add(answer["statusCode"])
            places.look("answers", json.dumps(answer))

    for key, item in table.everything().items():
        places.look("table", f"{key} {item}")
    places.look("said", "\n".join(heard.said))
    assert places.traces == {}
    expected = {"none": status, "wrong token": 401, "Parameter Store down": 503}.get(trouble)
    if route == POST and expected is not None:
        assert statuses == {expected}
    if (name, trouble) == ("remembered", "none"):
        assert len(table) == scale.personas


def _install_event(route: str, message: Any, token: str) -> Json:
    """In a query string there are texts only: what is none is left out."""
    if route == POST:
        return make_http_event(message, route=route, token=None, query={"token": token})
    fields = message if isinstance(message, dict) else {"message": json.dumps(message)}
    query = {name: value for name, value in fields.items() if isinstance(value, str)}
    return make_http_event("", route=route, token=None, query={**query, "token": token})
