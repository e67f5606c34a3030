"""Mutated messages to `receive_install`: an answer of the document's, and an identity or none."""

import base64
import json
from collections import Counter

from tests.faults.conftest import Saw, Scale
from tests.faults.heard import Heard, assert_discreet
from tests.faults.mutations import CANARY, Mutator, fuzz
from tests.support.builders import NOW, Json, make_http_event, make_install
from tests.support.harnesses import INSTALL_GET, INSTALL_POST, PUSH_TOKEN, InstallsHarness
from tests.support.openapi import check_answer

GOOD: list[Json] = [
    make_install(),
    make_install(customer_user_id=CANARY, media_source=CANARY),
    make_install(customer_user_id=84213, platform="Android", app_id=None),
    make_install(customer_user_id=None),
    make_install(install_time="2026-03-02T12:58:03+01:00"),
]
BODIES = [json.dumps(one).encode() for one in GOOD]
TEXTS = [str(value) for one in GOOD for value in one.values()]


def make(mutator: Mutator) -> Json:
    random = mutator.random
    if random.random() < 0.5:
        event = make_http_event("", route=INSTALL_POST, token=None, query={"token": PUSH_TOKEN})
        event["body"] = base64.b64encode(mutator.body(BODIES)).decode()
        event["isBase64Encoded"] = True
    else:
        fields = {name: str(value) for name, value in random.choice(GOOD).items()}
        fields[random.choice(list(fields))] = mutator.text(TEXTS)
        event = make_http_event("", route=INSTALL_GET, token=None)
        event["queryStringParameters"] = {**fields, "token": PUSH_TOKEN}
    match random.randrange(12):
        case 0:
            event["queryStringParameters"] = {"token": mutator.text([PUSH_TOKEN])}
        case 1:
            event["pathParameters"]["app_id"] = mutator.text([event["pathParameters"]["app_id"]])
        case 2:
            event["body"] = mutator.text([event["body"]])
        case 3:
            event["headers"]["authorization"] = mutator.text([f"Bearer {PUSH_TOKEN}"])
    return event


def test_receive_install_under_mutated_messages_answers_by_the_document(
    scale: Scale, saw: Saw
) -> None:
    harness = InstallsHarness()
    harness.clock.now = NOW
    statuses: Counter[str] = Counter()

    def promise(event: Json, heard: Heard) -> None:
        known = len(harness.table)
        response = harness.installs.handle(event)
        content = json.loads(response["body"])
        status = content["status"]
        harness.ssm.calls.clear()
        statuses[f"answers_{status}"] += 1

        assert response["statusCode"] < 500
        check_answer(event["routeKey"], response)
        assert len(harness.table) == known or status == "remembered"
        assert_discreet(heard.take(), CANARY)
        assert CANARY not in response["body"]

    fuzz("installs", scale.mutations, make, promise)

    saw(messages=scale.mutations, identities=len(harness.table), **statuses)
    assert {"answers_remembered", "answers_without_customer", "answers_400"} <= statuses.keys()
