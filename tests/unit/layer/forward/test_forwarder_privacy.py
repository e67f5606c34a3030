"""Nothing raw leaves the forwarder, whatever goes wrong."""

import json
from collections.abc import Callable

import pytest

from relay.http1.errors import ExchangeTimeoutError
from tests.support.builders import MOBILE_APP, Json, make_envelope, make_event, make_web_envelope
from tests.support.every import every
from tests.support.fakes import Says, aws_error
from tests.support.harnesses import ForwarderHarness

pytestmark = pytest.mark.untraced  # thirty ways through what other tests are about

TOKEN = "s2s-Quixotic-Brambleby"
RAW = {
    "email": "zenobia.quill@example.com",
    "phone": "+1 202 555 0187",
    "first_name": "Zenobia",
    "last_name": "Quillfeather",
}
TRACES = ("zenobia", "quill", "555 0187", "5550187", "quixotic", "brambleby")
"""What of them must not occur, in any case."""

PERSON = make_event(**RAW, customer_user_id="user-Quill")

Break = Callable[[ForwarderHarness], None]


def answering(status: int) -> Break:
    def make_it(harness: ForwarderHarness) -> None:
        harness.appsflyer.says(Says(status, f"bad {RAW['email']} of {RAW['first_name']}"))

    return make_it


def raising(error: Exception) -> Break:
    return lambda harness: harness.appsflyer.says(error)


def parameter(name: str, value: str) -> Break:
    return lambda harness: harness.ssm.parameters.update({name: value})


def store_down(harness: ForwarderHarness) -> None:
    harness.ssm.error = aws_error("InternalError", f"{RAW}")


def queues_down(harness: ForwarderHarness) -> None:
    harness.appsflyer.says(Says(503))
    harness.sqs.error = aws_error("InternalError", f"{RAW}")


def entries_refused(harness: ForwarderHarness) -> None:
    harness.appsflyer.says(Says(503))
    harness.sqs.refuses = lambda entry: True


def nothing(harness: ForwarderHarness) -> None:
    """The envelope itself is what goes wrong."""


ENVELOPE = make_envelope(event=PERSON)
PATHS: dict[str, tuple[Break, Json | str]] = {
    "refused": (answering(400), ENVELOPE),
    "credentials": (answering(401), ENVELOPE),
    "blocked": (answering(403), ENVELOPE),
    "unexpected status": (answering(418), ENVELOPE),
    "deferred": (answering(500), ENVELOPE),
    "last attempt": (answering(500), {**ENVELOPE, "attempts": 3}),
    "hold limit": (answering(401), {**ENVELOPE, "held_since": "2020-01-01T00:00:00Z"}),
    "no answer": (raising(ExchangeTimeoutError(f"{RAW}")), ENVELOPE),
    "a bug": (raising(RuntimeError(f"{RAW} {TOKEN}")), ENVELOPE),
    "a bug with a cause": (raising(ValueError(json.dumps(RAW))), {**ENVELOPE, "attempts": 3}),
    "bad settings": (parameter(f"/relay/apps/mobile/{MOBILE_APP}", "Quill"), ENVELOPE),
    "bad zone": (parameter(f"/relay/apps/mobile/{MOBILE_APP}", '{"time_zone": "Quill"}'), ENVELOPE),
    "bad token": (parameter(f"/relay/tokens/mobile/{MOBILE_APP}", "Quixotic Brambleby"), ENVELOPE),
    "store down": (store_down, ENVELOPE),
    "store down to the end": (store_down, {**ENVELOPE, "attempts": 3}),
    "queues down": (queues_down, ENVELOPE),
    "entries refused": (entries_refused, ENVELOPE),
    "before its moment": (nothing, {**ENVELOPE, "not_before": "2026-03-02T13:00:00Z"}),
    "rejected": (nothing, make_envelope(event={**PERSON, "appsflyer_id": None})),
    "phone of no region": (nothing, make_envelope(event={**PERSON, "phone": "202 5550187"})),
    "e-mail that is none": (nothing, make_envelope(event={**PERSON, "email": "zenobia.quill"})),
    "raw value as a hash": (
        nothing,
        make_envelope(event={**PERSON, "email_hashed": RAW["email"]}),
    ),
    "misspelt field": (nothing, make_envelope(event={**PERSON, "e_mail": RAW["email"]})),
    "unknown app": (nothing, {**ENVELOPE, "app_id": "id404"}),
    "wrong queue": (nothing, make_web_envelope(event=PERSON)),
    "not JSON": (nothing, f'{{"email": "{RAW["email"]}"'),
    "no envelope": (nothing, json.dumps(PERSON)),
    "envelope with more": (nothing, {**ENVELOPE, RAW["email"]: RAW["phone"]}),
    "envelope of wrong types": (nothing, {**ENVELOPE, "attempts": RAW["email"]}),
    "event that is text": (nothing, {**ENVELOPE, "event": RAW["email"]}),
}


SETTINGS_UNREAD = {"bad settings", "bad zone", "store down", "store down to the end"}
"""Without its app's region an event goes back as it came, into its own queue only."""


def traces_in(text: str) -> list[str]:
    # The customer user id is AppsFlyer's to have, so it is on queues; no log has any use for it.
    return [trace for trace in TRACES if trace in text.lower()]


async def run(path: str) -> ForwarderHarness:
    make_it_fail, body = PATHS[path]
    harness = ForwarderHarness()
    harness.ssm.parameters[f"/relay/tokens/mobile/{MOBILE_APP}"] = TOKEN
    make_it_fail(harness)
    await harness.forward(body)
    return harness


@every("path", PATHS)
async def test_forward_that_fails_tells_nothing_raw(path: str, said: Callable[[], str]) -> None:
    """Not in logs and counts, on the dead-letter queue, or in what goes back to its own queue."""
    before = len(said())
    harness = await run(path)

    heard = said()[before:]
    letters = json.dumps(harness.dead).replace("user-Quill", "")
    waiting = " ".join(message.body for message in harness.waiting).replace("user-Quill", "")
    assert '"batch"' in heard
    assert traces_in(heard) == []
    # AppsFlyer's own words are kept, without addresses; a name in them cannot be known for one.
    assert traces_in(letters.replace(f"of {RAW['first_name']}", "")) == []
    assert path in SETTINGS_UNREAD or traces_in(waiting) == []
