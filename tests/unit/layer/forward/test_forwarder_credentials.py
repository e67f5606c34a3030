"""Apps and tokens as the forwarder meets them: refused, rotated, missing, malformed, unreadable."""

import json
import threading
from collections.abc import Callable

import httpx
import pytest

from relay.domain.kinds import Surface
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
)
from tests.support.every import every
from tests.support.fakes import OK, Says, aws_error
from tests.support.harnesses import TOKEN, ForwarderHarness

TOKEN_NAME = f"/relay/tokens/mobile/{MOBILE_APP}"
APP_NAME = f"/relay/apps/mobile/{MOBILE_APP}"

CREDENTIALS = [
    Says(401),
    Says(400, "Failed to Authenticate"),
    Says(400, "wrong key for app_id"),
]


def token_reads(harness: ForwarderHarness) -> int:
    """How many times Parameter Store was asked for the token alone."""
    return harness.ssm.calls.count([TOKEN_NAME])


async def warmed(harness: ForwarderHarness) -> ForwarderHarness:
    """A process that has read settings and token a minute ago."""
    await harness.forward(make_envelope())
    harness.appsflyer.requests.clear()
    harness.clock.advance(60)
    return harness


# Refused


@every("answer", CREDENTIALS)
async def test_forward_refused_token_holds_the_event_without_an_attempt(answer: Says) -> None:
    """E12, E13."""
    harness = ForwarderHarness()
    harness.appsflyer.says(answer)

    assert await harness.forward(make_envelope(attempts=2)) == []

    [message] = harness.waiting
    assert message.content["attempts"] == 2
    assert message.content["held_since"] == "2026-03-02T12:00:00.000Z"
    assert message.delay_seconds == 300
    assert harness.dead == []


@every("answer", CREDENTIALS[1:])
async def test_forward_same_text_on_the_web_is_a_wrong_event(answer: Says) -> None:
    """E12 is about mobile."""
    harness = ForwarderHarness(Surface.WEB)
    harness.appsflyer.says(answer)

    await harness.forward(make_web_envelope())

    assert [letter["outcome"] for letter in harness.dead] == ["refused"]


@every("answer", CREDENTIALS)
async def test_forward_refused_token_is_read_afresh_and_the_event_resent(answer: Says) -> None:
    harness = await warmed(ForwarderHarness())
    harness.ssm.parameters[TOKEN_NAME] = "rotated"
    harness.appsflyer.takes_only("rotated", otherwise=answer)

    assert await harness.forward(make_envelope()) == []

    assert harness.appsflyer.tokens == [TOKEN, "rotated"]
    assert harness.waiting == []
    assert harness.dead == []


async def test_forward_refused_token_is_sent_with_once_and_its_successor_once() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = "one\ntwo\nthree"
    harness.appsflyer.says(Says(401))

    await harness.forward(make_envelope())

    assert harness.appsflyer.tokens == ["one", "two"]


async def test_forward_token_that_stays_the_same_is_not_sent_with_again() -> None:
    harness = await warmed(ForwarderHarness())
    harness.appsflyer.says(Says(401))

    await harness.forward(make_envelope())

    assert harness.appsflyer.tokens == [TOKEN]
    assert len(harness.waiting) == 1


async def test_forward_answer_to_the_second_token_decides() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = "old\nnew"
    harness.appsflyer.says(Says(401), Says(400, "Bad request"))

    await harness.forward(make_envelope())

    assert [letter["outcome"] for letter in harness.dead] == ["refused"]


async def test_forward_many_refusals_in_one_batch_make_one_fresh_read() -> None:
    harness = await warmed(ForwarderHarness())
    harness.ssm.parameters[TOKEN_NAME] = "rotated"
    harness.appsflyer.takes_only("rotated")

    assert await harness.forward(*(make_envelope() for _ in range(10))) == []

    assert token_reads(harness) == 1
    assert harness.waiting == []
    assert harness.appsflyer.tokens.count("rotated") == 10


async def test_forward_refusals_while_the_fresh_read_is_under_way_wait_for_it() -> None:
    """The read answers when all ten events have been refused, or wait for it without a token."""
    harness = await warmed(ForwarderHarness(requests_in_flight=10))
    harness.ssm.parameters[TOKEN_NAME] = "rotated"
    all_refused = threading.Event()
    harness.ssm.before_answer = lambda: all_refused.wait(timeout=1)

    def answer(request: httpx.Request) -> Says:
        if len(harness.appsflyer.requests) == 10:
            all_refused.set()
        return OK if request.headers["authentication"] == "rotated" else Says(401)

    harness.appsflyer.behaviour = answer

    await harness.forward(*(make_envelope() for _ in range(10)))

    assert harness.waiting == []
    assert token_reads(harness) == 1


async def test_forward_event_that_begins_while_the_fresh_read_is_under_way_waits_for_it() -> None:
    """It would be held for minutes by a token that is known to be wrong."""
    harness = await warmed(ForwarderHarness(requests_in_flight=2))
    harness.ssm.parameters[TOKEN_NAME] = "rotated"
    a_third_looks = threading.Event()
    harness.ssm.before_answer = lambda: a_third_looks.wait(timeout=1)
    harness.appsflyer.takes_only("rotated")

    await harness.forward(make_envelope(), make_envelope(event={}), make_envelope())

    assert harness.waiting == []
    assert token_reads(harness) == 1


async def test_forward_refused_token_is_left_alone_for_the_rest_of_the_batch() -> None:
    harness = ForwarderHarness(requests_in_flight=1)
    harness.appsflyer.says(Says(401))

    await harness.forward(*(make_envelope() for _ in range(5)))

    assert len(harness.appsflyer.requests) == 1
    assert len(harness.waiting) == 5


async def test_forward_refused_token_is_tried_again_after_a_minute() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(401), OK)
    await harness.forward(make_envelope())
    harness.clock.advance(60)

    await harness.forward(make_envelope())

    assert harness.appsflyer.tokens == [TOKEN, TOKEN]
    assert len(harness.waiting) == 1


async def test_forward_two_tokens_during_rotation_the_second_is_tried() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = "old\n  new  \n"
    harness.appsflyer.takes_only("new")

    assert await harness.forward(make_envelope()) == []

    assert harness.waiting == []
    assert harness.appsflyer.tokens == ["old", "new"]


async def test_forward_refusal_of_one_app_is_no_matter_of_anothers() -> None:
    harness = ForwarderHarness(requests_in_flight=1)
    harness.ssm.parameters["/relay/apps/mobile/com.example.other"] = "{}"
    harness.ssm.parameters["/relay/tokens/mobile/com.example.other"] = "other-key"
    harness.appsflyer.takes_only("other-key")
    other = make_envelope(app_id="com.example.other", event=make_event(idfv=None))

    await harness.forward(make_envelope(), other)

    assert [message.group for message in harness.waiting] == [MOBILE_APP]


async def test_forward_while_parameter_store_is_down_still_tries_the_second_token() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = "old\nnew"
    harness = await warmed(harness)
    harness.ssm.error = aws_error("InternalServerError")
    harness.appsflyer.takes_only("new")

    assert await harness.forward(make_envelope()) == []

    assert harness.waiting == []


# Missing and malformed


@every("parameter", [None, "", " \n "])
async def test_forward_without_a_token_holds_the_event_and_sends_nothing(
    parameter: str | None,
) -> None:
    harness = ForwarderHarness()
    del harness.ssm.parameters[TOKEN_NAME]
    if parameter is not None:
        harness.ssm.parameters[TOKEN_NAME] = parameter

    assert await harness.forward(make_envelope()) == []

    assert "held_since" in harness.waiting[0].content
    assert harness.appsflyer.requests == []


async def test_forward_held_until_the_limit_is_a_dead_letter() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(401, "no"))

    await harness.forward(make_envelope(held_since="2026-02-20T12:00:00Z"))

    [letter] = harness.dead
    assert (letter["outcome"], letter["reason"]) == ("held", "hold_limit: credentials")
    assert letter["status"] == 401


@every("token", ["two words", "tök€n"])
async def test_forward_token_that_no_header_can_carry_holds_the_event(token: str) -> None:
    """Our set-up is wrong, not the event: no attempt is used up."""
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = token

    assert await harness.forward(make_envelope()) == []

    [message] = harness.waiting
    assert "held_since" in message.content
    assert "attempts" not in message.content


async def test_forward_token_that_no_header_can_carry_gives_way_to_the_next() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = "two words\ngood"
    harness.appsflyer.takes_only("good")

    await harness.forward(make_envelope())

    assert harness.waiting == []


async def test_forward_token_that_no_header_can_carry_is_named_and_not_shown(
    lines: Callable[[], list[Json]],
) -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[TOKEN_NAME] = "two words"

    await harness.forward(make_envelope())

    logged = lines()
    assert any(MOBILE_APP in line.get("key", "") for line in logged)
    assert "two words" not in json.dumps(logged)


MALFORMED = [
    '{"time_zone": "Europe/Atlantis"}',
    '{"phone_region": "us"}',
    '{"phone_region": 7}',
    '{"zone": "UTC"}',
    "{",
    "[]",
]


@every("parameter", MALFORMED)
async def test_forward_malformed_app_settings_hold_the_event(parameter: str) -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[APP_NAME] = parameter

    assert await harness.forward(make_envelope()) == []

    assert "held_since" in harness.waiting[0].content
    assert "attempts" not in harness.waiting[0].content
    assert harness.appsflyer.requests == []


async def test_forward_malformed_app_settings_cost_the_other_apps_nothing() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[APP_NAME] = "{"
    harness.ssm.parameters |= {"/relay/apps/mobile/id2": "{}", "/relay/tokens/mobile/id2": "key"}

    await harness.forward(make_envelope(), make_envelope(app_id="id2"))

    assert [request.url.path for request in harness.appsflyer.requests] == ["/inappevent/id2"]


@pytest.mark.parametrize("parameter", MALFORMED)
async def test_forward_malformed_app_settings_are_named_and_not_shown(
    parameter: str, lines: Callable[[], list[Json]]
) -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[APP_NAME] = parameter

    await harness.forward(make_envelope())

    logged = lines()
    assert any(line.get("key") == APP_NAME for line in logged)
    for value in ("Atlantis", '"us"', "7}"):
        assert value not in json.dumps([line.get("problem") for line in logged])


async def test_forward_malformed_app_settings_put_right_are_used_within_five_minutes() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[APP_NAME] = "{"
    await harness.forward(make_envelope())
    harness.ssm.parameters[APP_NAME] = "{}"
    harness.clock.advance(1)

    await harness.next_round()

    assert len(harness.appsflyer.requests) == 1


# Parameter Store down


async def test_forward_while_parameter_store_is_down_defers_the_event() -> None:
    harness = ForwarderHarness()
    harness.ssm.error = aws_error("ThrottlingException")

    assert await harness.forward(make_envelope()) == []

    assert [message.content["attempts"] for message in harness.waiting] == [1]
    assert harness.appsflyer.requests == []


async def test_forward_while_parameter_store_is_down_keeps_a_national_phone_as_it_came() -> None:
    """Without the app's region it cannot be hashed, and must not be lost."""
    harness = ForwarderHarness()
    harness.ssm.error = aws_error("ThrottlingException")

    await harness.forward(make_envelope(event=make_event(phone="(202) 555-0123")))

    assert harness.waiting[0].content["event"]["phone"] == "(202) 555-0123"


async def test_forward_phone_that_had_to_wait_is_hashed_with_its_apps_region() -> None:
    """The digest is that of `printf %s 12025550123 | sha256sum`."""
    harness = ForwarderHarness()
    harness.ssm.parameters[APP_NAME] = '{"phone_region": "US"}'
    harness.ssm.error = aws_error("ThrottlingException")
    await harness.forward(make_envelope(event=make_event(phone="(202) 555-0123")))
    harness.ssm.error = None

    await harness.next_round()

    assert harness.appsflyer.bodies[0]["phone_number_hashed"] == (
        "980239b79aee5c456445907b92af495ac97767f6d9ac081ad3a564344ae7fb9a"
    )


async def test_forward_while_parameter_store_is_down_never_buries_a_raw_phone() -> None:
    harness = ForwarderHarness()
    harness.ssm.error = aws_error("ThrottlingException")

    await harness.forward(make_envelope(attempts=3, event=make_event(phone="(202) 555-0123")))

    [letter] = harness.dead
    assert letter["reason"] == "attempts_used_up: parameters_unavailable"
    assert "555" not in json.dumps(letter)


async def test_forward_while_parameter_store_is_down_uses_what_it_read_before() -> None:
    harness = await warmed(ForwarderHarness())
    harness.clock.advance(3600)
    harness.ssm.error = aws_error("InternalServerError")

    assert await harness.forward(make_envelope()) == []

    assert len(harness.appsflyer.requests) == 1
    assert harness.waiting == []


async def test_forward_when_only_a_token_cannot_be_read_defers_for_that_reason(
    lines: Callable[[], list[Json]],
) -> None:
    """Settings read before, the token never: it is no bug of ours."""
    harness = await warmed(ForwarderHarness())
    forget_tokens(harness)

    await harness.forward(make_envelope())

    assert [message.content["attempts"] for message in harness.waiting] == [1]
    assert [line["reason"] for line in lines() if "reason" in line] == ["parameters_unavailable"]


def forget_tokens(harness: ForwarderHarness) -> None:
    """As after a call that failed between the one for settings and the one for tokens."""
    harness.ssm.error = aws_error("ThrottlingException")
    known = harness.forwarder._apps._store._known  # noqa: SLF001 - no call of ours can be told to
    del known[f"tokens/mobile/{MOBILE_APP}"]


async def test_forward_apps_that_could_be_read_are_sent_for_when_others_could_not() -> None:
    """Ten names a call: five apps are read, the sixth is not."""
    harness = ForwarderHarness()
    app_ids = [f"com.example.app{n}" for n in range(6)]
    for app_id in app_ids:
        harness.ssm.parameters[f"/relay/apps/mobile/{app_id}"] = "{}"
        harness.ssm.parameters[f"/relay/tokens/mobile/{app_id}"] = TOKEN
    harness.ssm.fails_from_call = 2

    event = make_event(idfv=None)
    await harness.forward(*(make_envelope(app_id=app_id, event=event) for app_id in app_ids))

    assert len(harness.appsflyer.requests) == 5
    assert len(harness.waiting) == 1


async def test_forward_web_uses_the_web_apps_settings_and_token() -> None:
    harness = ForwarderHarness(Surface.WEB)

    await harness.forward(make_web_envelope())

    assert harness.ssm.calls == [[f"/relay/apps/web/{WEB_APP}", f"/relay/tokens/web/{WEB_APP}"]]
