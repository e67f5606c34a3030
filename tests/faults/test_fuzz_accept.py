"""Mutated requests to `accept`: an answer of the document's, and each event queued or refused."""

import base64
import json
from collections import Counter
from typing import Any, NamedTuple

from hypothesis import strategies as st

from relay.accept.accept import ROUTES
from relay.domain.kinds import Kind
from relay.messages.reader import parse_envelope
from tests.faults.conftest import Saw, Scale
from tests.faults.drawing import draw
from tests.faults.heard import Heard, assert_discreet
from tests.faults.mutations import CANARY, Mutator, fuzz
from tests.property.strategies import json_values, near_valid_events
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_event,
    make_http_event,
    make_web_event,
    make_web_visit,
)
from tests.support.harnesses import AcceptHarness
from tests.support.openapi import check_answer

PERSON = {"email": CANARY, "phone": "+1 202 555 0142", "first_name": "Ada", "last_name": "Quill"}
GOOD = {
    Kind.MOBILE_EVENT: [
        make_event(**PERSON),
        make_event(appsflyer_id=None),
        [make_event(), make_event(eventName=CANARY)],
        make_event(
            eventValue=f'{{"af_revenue":1.5,"note":"{CANARY}"}}',
            consent_data={"manual": {"gdpr_applies": True}},
            sharing_filter=["twitter_int"],
            custom_data={"note": CANARY},
            att=3,
        ),
        make_event(app_set_id={"scope": 1, "id": "9D5C1A9C-1B1A-4B1E-9C1A-1B1A4B1E9C1A"}),
    ],
    Kind.WEB_EVENT: [
        make_web_event(**PERSON),
        make_web_event(user_id={"customer_user_id": CANARY}, event_value={"note": CANARY}),
        [make_web_event(), make_web_event(customer_dedup_id=CANARY)],
        make_web_event(timestamp="2026-03-02T11:59:00Z", ip="2001:db8::1", event_url=CANARY),
    ],
    Kind.WEB_VISIT: [
        make_web_visit(**PERSON),
        make_web_visit(event_url=f"https://example.com/?m={CANARY}", http_referrer=CANARY),
        [make_web_visit(), make_web_visit(user_agent=CANARY)],
    ],
}
BODIES = {kind: [json.dumps(one).encode() for one in good] for kind, good in GOOD.items()}


class Request(NamedTuple):
    route: str
    event: Json


def make(mutator: Mutator) -> Request:
    """Most often the body is odd, sometimes what is around it."""
    random = mutator.random
    route, kind = random.choice(list(ROUTES.items()))
    app_id = MOBILE_APP if kind is Kind.MOBILE_EVENT else WEB_APP
    event = make_http_event("", route=route, app_id=app_id)
    event["body"] = base64.b64encode(mutator.body(BODIES[kind])).decode()
    event["isBase64Encoded"] = True
    match random.randrange(12):
        case 0:
            event["pathParameters"]["app_id"] = mutator.text([app_id])
        case 1:
            event["headers"]["authorization"] = mutator.text(["Bearer shop-token"])
        case 2:
            event["headers"]["content-type"] = mutator.text(["application/json; charset=utf-8"])
        case 3:
            event["headers"]["idempotency-key"] = mutator.text(["order-1", "o" * 199])
        case 4:
            event["queryStringParameters"] = {"preview": mutator.text(["true", "0"])}
        case 5:
            event["cookies"] = [mutator.text(["afUserId=1-1", 'afUserId="%zz"', "a=b"])]
        case 6:
            event["body"] = mutator.text([event["body"]])
        case 7:
            event["body"] = mutator.body(BODIES[kind]).decode("utf-8", "replace")
            event["isBase64Encoded"] = False
        case 8:
            event["headers"] = {mutator.text(["authorization", "x"]): mutator.text(["Bearer x"])}
        case _:
            event["headers"]["idempotency-key"] = str(random.random())
    return Request(route, event)


def hold(harness: AcceptHarness, request: Request, heard: Heard) -> int:
    """What is promised of every request; gives the status of the answer."""
    response = harness.accept.handle(request.event)
    queued = [*harness.mobile, *harness.web]
    harness.sqs.queues.clear()
    harness.sqs.calls.clear()
    harness.ssm.calls.clear()
    status: int = response["statusCode"]

    assert status < 500
    check_answer(request.route, response)
    assert len(queued) == json.loads(response["body"]).get("queued", 0)
    assert {parse_envelope(message.body).kind for message in queued} <= {ROUTES[request.route]}
    assert_discreet(heard.take(), CANARY)
    assert status == 200 or CANARY not in response["body"]
    return status


def test_accept_under_mutated_requests_answers_by_the_document_and_queues_what_it_says(
    scale: Scale, saw: Saw
) -> None:
    harness = AcceptHarness()
    statuses: Counter[str] = Counter()

    def promise(request: Request, heard: Heard) -> None:
        statuses[f"answers_{hold(harness, request, heard)}"] += 1

    fuzz("accept", scale.mutations, make, promise)

    saw(requests=scale.mutations, **statuses)
    assert {"answers_202", "answers_400", "answers_401"} <= statuses.keys()


@st.composite
def drawn(draw_: st.DrawFn) -> Request:
    """Events with some of their fields anything, alone or several at once."""
    kind = draw_(st.sampled_from(list(Kind)))
    route = next(route for route, taken in ROUTES.items() if taken is kind)
    event = near_valid_events(kind)
    body = draw_(st.one_of(event, st.lists(event, max_size=3), json_values))
    app_id = MOBILE_APP if kind is Kind.MOBILE_EVENT else WEB_APP
    return Request(route, make_http_event(as_text(body), route=route, app_id=app_id))


def test_accept_under_drawn_events_answers_by_the_document_and_queues_what_it_says(
    scale: Scale, saw: Saw
) -> None:
    harness = AcceptHarness()
    statuses: Counter[str] = Counter()

    def promise(request: Request, heard: Heard) -> None:
        statuses[f"answers_{hold(harness, request, heard)}"] += 1

    draw(drawn(), scale.drawn, promise)

    saw(requests=sum(statuses.values()), **statuses)
    assert "answers_400" in statuses


def as_text(value: Any) -> str:
    """JSON with every digit, and halves of surrogate pairs as JSON can say them."""
    numbers: list[str] = []

    def kept(number: object) -> str:
        numbers.append(str(number))
        return f"\0{len(numbers) - 1}\0"

    text = json.dumps(value, default=kept)
    for place, number in enumerate(numbers):
        text = text.replace(f'"\\u0000{place}\\u0000"', number, 1)
    return text
