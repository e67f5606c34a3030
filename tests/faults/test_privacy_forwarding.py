"""People go through every way that an event can fare in the forwarders, and are found nowhere.

Looked through: all that is logged and counted, the own queue, the dead-letter queue, the tables,
and what AppsFlyer gets. Left out, because it is documented (SECURITY.md): the source queue until an
event is first handled, and while its app's settings cannot be read; what SQS itself moved after
crashes.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.domain.kinds import Surface
from relay.errors import TableUnavailableError
from relay.http1.errors import ExchangeTimeoutError, NoConnectionError, NotHttpError
from relay.stores.identities import Identities, Identity
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import MAX_RECEIVES, Fleet
from tests.faults.listening import listening
from tests.faults.personas import Person, Places, personas, traces_in
from tests.faults.virtual_time import run
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
    make_web_event,
)
from tests.support.fakes import FakeClock, Says, aws_error
from tests.support.harnesses import ForwarderHarness

APP = {Surface.MOBILE: MOBILE_APP, Surface.WEB: WEB_APP}
SOMEBODY = str(Person(0).raw)
"""What an error's text may hold."""
_BATCH = 100

World = ForwarderHarness
Break = Callable[[World], None]
Hand = Callable[[Person, Json], Json | str]
"""What is handed in for somebody, made of a good envelope with all that is personal in it."""


@dataclass(frozen=True)
class Way:
    """One way that an event can fare."""

    breaks: Break = lambda harness: None
    """What goes wrong around the forwarder."""
    hand: Hand = lambda person, envelope: envelope
    """What is wrong with what is handed in."""
    settings: dict[str, Any] = field(default_factory=dict)
    rounds: int = 1
    surfaces: tuple[Surface, ...] = (Surface.MOBILE, Surface.WEB)
    waits_raw: bool = False
    """Documented: without its app's settings an event goes back into its own queue as it came."""


# What goes wrong around it


def answers(status: int, **headers: str) -> Break:
    return lambda harness: harness.appsflyer.says(Says(status, "no", headers))


def raises(error: type[Exception]) -> Break:
    def breaks(harness: World) -> None:
        harness.appsflyer.behaviour = lambda request: error(SOMEBODY)

    return breaks


def parameter(kind: str, value: str) -> Break:
    def breaks(harness: World) -> None:
        name = f"/relay/{kind}/{harness.surface}/{APP[harness.surface]}"
        harness.ssm.parameters[name] = value

    return breaks


def store(code: str) -> Break:
    def breaks(harness: World) -> None:
        harness.ssm.error = aws_error(code, SOMEBODY)

    return breaks


def table_down(harness: World) -> None:
    harness.deliveries.error = TableUnavailableError("DynamoDB failed: InternalServerError")


def identities_down(harness: World) -> None:
    harness.identities.error = TableUnavailableError("DynamoDB failed: InternalServerError")


def installed(harness: World) -> None:
    """AppsFlyer has told of everybody's install."""
    identities = Identities(harness.identities, clock=harness.clock)
    for number in range(1_000):
        install = Identity(MOBILE_APP, f"user-{number}", "1415211453000-6513894", NOW)
        identities.remember(install)
    harness.clock.advance(120)


def queues_down(harness: World) -> None:
    harness.appsflyer.says(Says(503))
    harness.sqs.error = aws_error("InternalError", SOMEBODY)


def entries_refused(harness: World) -> None:
    harness.appsflyer.says(Says(503))
    harness.sqs.refuses = lambda entry: True


def dead_letters_down(harness: World) -> None:
    harness.appsflyer.says(Says(400))
    harness.sqs.broken_queues = {harness.settings.dead_letter_queue_url}


# What is wrong with it


def event_with(**fields: Any) -> Hand:
    return lambda person, envelope: {**envelope, "event": {**envelope["event"], **fields}}


def event_of(change: Callable[[Person, Json], Any]) -> Hand:
    return lambda person, envelope: {**envelope, "event": change(person, envelope["event"])}


def envelope_with(**fields: Any) -> Hand:
    return lambda person, envelope: {**envelope, **fields}


def moved(field: str, to: str) -> Hand:
    """A raw value in another field."""
    return event_of(lambda person, event: {**event, to: person.raw[field]})


def customer_only(person: Person, event: Json) -> Json:
    return {**event, "appsflyer_id": None, "customer_user_id": f"user-{person.number}"}


def oversized(person: Person, event: Json) -> Json:
    return {**event, "eventValue": {"note": "x" * 2_000}, "event_value": {"note": "x" * 2_000}}


LAST = envelope_with(attempts=3)
PURCHASE = {"deduplicate": "money"}
MOBILE, WEB = (Surface.MOBILE,), (Surface.WEB,)

WAYS: dict[str, Way] = {
    "delivered": Way(),
    "delivered and remembered": Way(settings=PURCHASE),
    "refused": Way(answers(400)),
    "credentials": Way(answers(401), rounds=2),
    "blocked": Way(answers(403)),
    "content type": Way(answers(415)),
    "redirected": Way(answers(302, Location="https://example.com/")),
    "slowed down": Way(answers(429, **{"Retry-After": "3"}), rounds=2),
    "server error, to the last attempt": Way(answers(500), rounds=5),
    "last attempt": Way(answers(503), LAST),
    "uncertain money": Way(answers(500), settings={"uncertain_money": "dead_letter"}),
    "no answer": Way(raises(ExchangeTimeoutError), rounds=2),
    "no connection": Way(raises(NoConnectionError), rounds=5),
    "not HTTP": Way(raises(NotHttpError), rounds=5),
    "a bug": Way(raises(RuntimeError), rounds=5),
    "a bug in the last attempt": Way(raises(ValueError), LAST),
    "bad settings": Way(parameter("apps", SOMEBODY), rounds=2, waits_raw=True),
    "bad time zone": Way(
        parameter("apps", '{"time_zone": "Quillfeather/Zyxaphora"}'), rounds=2, waits_raw=True
    ),
    "bad settings for too long": Way(
        parameter("apps", "{"), envelope_with(held_since="2020-01-01T00:00:00Z")
    ),
    "bad token": Way(parameter("tokens", "Quillfeather 4711"), rounds=2),
    "no token": Way(parameter("tokens", ""), rounds=2),
    "held for too long": Way(answers(401), envelope_with(held_since="2020-01-01T00:00:00Z")),
    "Parameter Store throttled": Way(store("ThrottlingException"), rounds=2, waits_raw=True),
    "Parameter Store denied": Way(store("AccessDeniedException"), rounds=2, waits_raw=True),
    "Parameter Store down to the end": Way(store("InternalServerError"), LAST),
    "deliveries down": Way(table_down, settings=PURCHASE, rounds=5),
    "queues down": Way(queues_down),
    "entries refused": Way(entries_refused),
    "dead-letter queue down": Way(dead_letters_down),
    "before its moment": Way(hand=envelope_with(not_before="2026-03-02T13:00:00Z"), rounds=6),
    "far before its moment": Way(hand=envelope_with(not_before="2027-01-01T00:00:00Z")),
    "unknown app": Way(hand=envelope_with(app_id="id404404404")),
    "identity looked up": Way(installed, event_of(customer_only), surfaces=MOBILE),
    "identity unknown": Way(
        hand=event_of(customer_only), settings={"identity_limit_seconds": 30}, rounds=5,
        surfaces=MOBILE,
    ),
    "identities down": Way(identities_down, event_of(customer_only), rounds=5, surfaces=MOBILE),
    "rejected": Way(hand=event_with(eventName=None, event_name=None)),
    "rejected for its time": Way(hand=event_with(eventTime="yesterday", timestamp="yesterday")),
    "too large for AppsFlyer": Way(hand=event_of(oversized)),
    "phone of no region": Way(hand=event_of(lambda person, event: {**event, "phone_region": "XX"})),
    "phone that is none": Way(
        hand=event_of(lambda person, event: {**event, "phone": person.phone + person.email})
    ),
    "e-mail that is none": Way(hand=moved("last_name", "email")),
    "raw value as a hash": Way(hand=moved("email", "email_hashed")),
    "raw name as a hash": Way(hand=moved("first_name", "first_name_hashed")),
    "hash of somebody else": Way(hand=event_with(email_hashed="a" * 64)),
    "misspelt field": Way(hand=moved("email", "e_mail")),
    "misspelt names": Way(hand=moved("last_name", "surname")),
    "another field": Way(hand=moved("phone", "mobileNumber")),
    "e-mail as address": Way(hand=moved("email", "ip")),
    "user with an e-mail": Way(
        hand=event_of(lambda person, event: {**event, "user_id": person.raw}), surfaces=WEB
    ),
    "nested": Way(hand=event_of(lambda person, event: {**event, "user": {"about": [person.raw]}})),
    "names that are lists": Way(
        hand=event_of(lambda person, event: {**event, "first_name": [person.first_name]})
    ),
    "names of half characters": Way(
        hand=event_of(
            lambda person, event: {**event, "first_name": person.first_name + "\ud83d"}
        )
    ),
    "values as keys": Way(
        hand=event_of(lambda person, event: {**event, person.email: 1, person.last_name: 2})
    ),
    "values as keys of the user": Way(
        hand=event_of(lambda person, event: {**event, "user_id": {person.email: 1}, "x": 1}),
        surfaces=WEB,
    ),
    "event that is text": Way(hand=event_of(lambda person, event: json.dumps(person.raw))),
    "event that is a list": Way(hand=event_of(lambda person, event: [event, person.raw])),
    "no JSON": Way(hand=lambda person, envelope: json.dumps(envelope)[:-1]),
    "a key twice": Way(
        hand=lambda person, envelope: json.dumps(envelope)[:-1] + f', "kind": "{person.email}"}}'
    ),
    "no envelope": Way(hand=lambda person, envelope: envelope["event"]),
    "envelope with more": Way(
        hand=lambda person, envelope: {**envelope, person.last_name: person.email}
    ),
    "envelope of wrong types": Way(
        hand=lambda person, envelope: {**envelope, "attempts": person.email}
    ),
    "envelope of another kind": Way(
        hand=lambda person, envelope: {**envelope, "kind": person.first_name}
    ),
    "wrong queue": Way(
        hand=lambda person, envelope: {
            **envelope,
            "kind": "web_visit" if envelope["kind"] == "mobile_event" else "mobile_event",
        }
    ),
}  # fmt: skip

TRIALS = [(surface, name) for name, way in WAYS.items() for surface in way.surfaces]


def envelope_of(person: Person, surface: Surface) -> Json:
    """A good event of somebody's, as a producer hands it in."""
    number, region = person.number, {"phone_region": "US"}
    if surface is Surface.MOBILE:
        event = make_event(customer_user_id=f"user-{number}", **person.raw, **region)
        return make_envelope(event_id=f"e-{number}", event=event)
    user = {"customer_user_id": f"user-{number}"}
    event = make_web_event(user_id=user, **person.raw, **region)
    return make_web_envelope(event_id=f"e-{number}", event=event)


async def go(harness: World, crowd: list[Person], way: Way, places: Places) -> None:
    """Sends everybody one way, to its end."""
    for start in range(0, len(crowd), _BATCH):
        some = crowd[start : start + _BATCH]
        bodies = [way.hand(person, envelope_of(person, harness.surface)) for person in some]
        await harness.forward(*bodies)
        for _ in range(way.rounds - 1):
            look_at_waiting(harness, way, places)
            if harness.waiting:
                await harness.next_round()
        look_at_waiting(harness, way, places)
        harness.waiting.clear()


def look_at_waiting(harness: World, way: Way, places: Places) -> None:
    if not way.waits_raw:
        for message in harness.waiting:
            places.look("waiting", message.body)


def look_at(harness: World, places: Places) -> None:
    for letter in harness.sqs.queues[harness.settings.dead_letter_queue_url]:
        places.look("dead letters", letter.body)
    for table in (harness.deliveries, harness.identities):
        for key, item in table.everything().items():
            places.look("tables", f"{key} {item}")
    for request in harness.appsflyer.requests:
        places.look("AppsFlyer", f"{request.url} {request.headers} {request.content.decode()}")


@pytest.mark.parametrize(("surface", "name"), TRIALS)
async def test_people_are_found_nowhere_in_the_end(
    surface: Surface, name: str, scale: Scale
) -> None:
    way, places = WAYS[name], Places()
    harness = ForwarderHarness(surface, **way.settings)
    way.breaks(harness)

    with listening(keeps_text=True) as heard:
        await go(harness, personas(scale.personas), way, places)

    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert places.traces == {}
    assert places.size > scale.personas


@pytest.mark.parametrize("surface", list(Surface))
async def test_people_told_of_twice_are_found_nowhere(surface: Surface, scale: Scale) -> None:
    """The second time with the same content, and with other content: duplicates and conflicts."""
    places, crowd = Places(), personas(scale.personas)
    harness = ForwarderHarness(surface, **PURCHASE)
    other = event_of(lambda person, event: {**event, **Person(person.number + 3).raw})

    with listening(keeps_text=True) as heard:
        for way in (Way(), Way(), Way(hand=other)):
            await go(harness, crowd, way, places)

    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert heard.counted["Duplicate"] == len(crowd)
    assert {letter["reason"] for letter in harness.dead} == {"id_conflict"}
    assert places.traces == {}


# What is documented to be otherwise


def crashing() -> Fleet:
    """A queue whose forwarders hang for longer than Lambda lets them."""
    clock = FakeClock()

    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(10_000)
            raise AssertionError("Lambda has ended it by now")

    fleet = Fleet(Hanging(), clock, instances=1)
    fleet.add_app(MOBILE_APP, "s2s-key")
    fleet.put(envelope_of(person, Surface.MOBILE) for person in personas(5))
    return fleet


def test_source_queue_holds_what_was_put_there_until_it_is_handled() -> None:
    fleet = crashing()

    bodies = "".join(message.body for message in fleet.sqs.queue(fleet.queue))

    assert traces_in(bodies)


def test_what_sqs_moved_after_crashes_is_as_it_was_sent_and_nothing_else_is(saw: Saw) -> None:
    """By its origin, which SQS notes, what SQS itself has moved can be told from our letters."""
    fleet = crashing()

    async def story() -> None:
        async with fleet.at_work():
            await fleet.drained()

    with listening(keeps_text=True) as heard:
        run(fleet.clock, story())

    moved = list(fleet.sqs.queue(fleet.dead))
    assert MAX_RECEIVES <= fleet.timed_out <= 5 * MAX_RECEIVES
    assert [bool(message.origin) for message in moved] == [True] * 5
    assert traces_in("".join(message.body for message in moved))
    assert traces_in("\n".join(heard.said)) == []
    saw(moved=len(moved))


# The search is able to find somebody in each of these places


def plant_in_waiting(harness: World) -> Json:
    """By a documented exception, which is left out above."""
    harness.ssm.error = aws_error("ThrottlingException")
    return envelope_of(Person(1), Surface.MOBILE)


def plant_in_dead_letters(harness: World) -> Json:
    Queue(harness.sqs.client(), harness.settings.dead_letter_queue_url).send(
        [Message(Person(1).email, "app")]
    )
    return make_envelope()


def plant_in_tables(harness: World) -> Json:
    Identities(harness.identities).remember(Identity(MOBILE_APP, Person(1).email, "1-1", NOW))
    return make_envelope()


def plant_at_appsflyer(harness: World) -> Json:
    """What a sender puts into the event value is his own affair (H9)."""
    return make_envelope(event=make_event(eventValue={"af_content": Person(1).email}))


def plant_in_what_is_said(harness: World) -> Json:
    telemetry.logger().error("a slip", extra={"about": Person(1).email})
    return make_envelope()


@pytest.mark.parametrize(
    ("place", "plant"),
    [
        ("waiting", plant_in_waiting),
        ("dead letters", plant_in_dead_letters),
        ("tables", plant_in_tables),
        ("AppsFlyer", plant_at_appsflyer),
        ("said", plant_in_what_is_said),
    ],
)
async def test_somebody_who_is_in_one_of_these_places_is_found_there(
    place: str, plant: Callable[[World], Json]
) -> None:
    harness, places = ForwarderHarness(), Places()

    with listening(keeps_text=True) as heard:
        await harness.forward(plant(harness))

    look_at_waiting(harness, Way(), places)
    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert list(places.traces) == [place]
