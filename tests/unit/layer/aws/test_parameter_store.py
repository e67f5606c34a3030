import hmac
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import signature
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from relay import telemetry
from relay.aws import parameter_store
from relay.aws.parameter_store import (
    CACHE_SECONDS,
    KEPT_SECONDS,
    REREAD_SECONDS,
    ParameterStore,
)
from relay.config.apps import REFUSED_SECONDS, Apps
from relay.config.producers import Producer, Producers, token_digest
from relay.domain.kinds import App, Kind, Surface
from relay.errors import (
    ConfigurationError,
    EntryUnreadableError,
    ParametersUnavailableError,
    UnknownAppError,
)
from relay.messages.backoff import Jitter
from relay.secrets import Secret
from tests.support.builders import MOBILE_APP, Json
from tests.support.every import every
from tests.support.fakes import FakeClock, FakeSsm, aws_error, longest

APP_NAME = f"/relay/apps/mobile/{MOBILE_APP}"
TOKEN_NAME = f"/relay/tokens/mobile/{MOBILE_APP}"

Heard = Callable[[], str]
Lines = Callable[[], list[Json]]


class Shelf:
    """Parameter Store with a clock, and what reads from it."""

    def __init__(self, **parameters: str) -> None:
        self.clock = FakeClock()
        self.ssm = FakeSsm({f"/relay/{name}": value for name, value in parameters.items()})
        self.store = self.make_store()
        self.apps = Apps(self.store, self.clock.seconds)
        self.producers = Producers(self.store)

    def make_store(
        self, processes: int = 1, patience_seconds: float = 0.0, jitter: Jitter = longest
    ) -> ParameterStore:
        """What one process reads with; its pauses move the clock."""
        return ParameterStore(
            self.ssm.client(),
            "/relay",
            self.clock.seconds,
            processes=processes,
            patience_seconds=patience_seconds,
            pause=self.clock.advance,
            jitter=jitter,
        )

    def loaded_app(self, surface: Surface = Surface.MOBILE, app_id: str = MOBILE_APP) -> App:
        self.apps.preload(surface, [app_id])
        return self.apps.app(surface, app_id)

    def loaded_token(self) -> Secret | None:
        self.apps.preload(Surface.MOBILE, [MOBILE_APP])
        return self.apps.token(Surface.MOBILE, MOBILE_APP)

    def refuse(self, token: str) -> Secret | None:
        return self.apps.refuse(Surface.MOBILE, MOBILE_APP, Secret(token))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(
        **{f"apps/mobile/{MOBILE_APP}": "{}", f"tokens/mobile/{MOBILE_APP}": "key", "a": "1"}
    )


@every(
    "kind, surface",
    [
        (Kind.MOBILE_EVENT, Surface.MOBILE),
        (Kind.WEB_EVENT, Surface.WEB),
        (Kind.WEB_VISIT, Surface.WEB),
    ],
)
def test_surface_of_each_kind(kind: Kind, surface: Surface) -> None:
    assert Surface.of(kind) is surface


# Reading and remembering


def test_read_asks_by_exact_name_under_the_prefix(shelf: Shelf) -> None:
    shelf.store.read(["a"])

    assert shelf.ssm.calls == [["/relay/a"]]
    assert shelf.store.value("a") == "1"


def test_read_asks_for_ten_names_a_call(shelf: Shelf) -> None:
    shelf.store.read([f"n{number}" for number in range(21)])

    assert [len(names) for names in shelf.ssm.calls] == [10, 10, 1]


def test_read_asks_for_a_name_once(shelf: Shelf) -> None:
    shelf.store.read(["a", "a"])

    assert shelf.ssm.calls == [["/relay/a"]]


def test_read_by_several_threads_is_one_call(shelf: Shelf) -> None:
    """`map_payment` handles eight notices at once, and all of them need `sources`."""
    others = [threading.Thread(target=shelf.store.read, args=(["a"],)) for _ in range(7)]

    def let_the_others_begin() -> None:
        for other in others:
            other.start()

    shelf.ssm.before_answer = let_the_others_begin
    shelf.store.read(["a"])
    for other in others:
        other.join()

    assert shelf.ssm.calls == [["/relay/a"]]


def test_read_of_nothing_asks_for_nothing(shelf: Shelf) -> None:
    shelf.store.read([])

    assert shelf.ssm.calls == []


def test_read_within_five_minutes_uses_memory(shelf: Shelf) -> None:
    shelf.store.read(["a"])
    shelf.clock.advance(CACHE_SECONDS - 1)
    shelf.store.read(["a"])

    assert len(shelf.ssm.calls) == 1


def test_read_after_five_minutes_sees_a_change(shelf: Shelf) -> None:
    shelf.store.read(["a"])
    shelf.ssm.parameters["/relay/a"] = "2"
    shelf.clock.advance(CACHE_SECONDS + 1)
    shelf.store.read(["a"])

    assert shelf.store.value("a") == "2"


def test_read_remembers_what_does_not_exist(shelf: Shelf) -> None:
    shelf.store.read(["stranger"])
    shelf.store.read(["stranger"])

    assert shelf.store.value("stranger") is None
    assert len(shelf.ssm.calls) == 1


def asked_for(shelf: Shelf, name: str) -> int:
    """How often Parameter Store was asked for a name."""
    return sum(f"/relay/{name}" in names for names in shelf.ssm.calls)


# What is not there, for a while or at all


def test_read_sees_what_came_into_being_after_ten_seconds(shelf: Shelf) -> None:
    shelf.store.read(["b"])
    shelf.ssm.parameters["/relay/b"] = "new"
    shelf.clock.advance(REREAD_SECONDS - 1)
    shelf.store.read(["b"])
    assert shelf.store.value("b") is None

    shelf.clock.advance(1)
    shelf.store.read(["b"])

    assert shelf.store.value("b") == "new"


def test_read_of_what_is_gone_for_a_minute_costs_nothing(shelf: Shelf, lines: Lines) -> None:
    """Deleted and created anew, as some tools do to change a parameter."""
    shelf.store.read(["a"])
    del shelf.ssm.parameters["/relay/a"]
    shelf.clock.advance(CACHE_SECONDS + 1)
    seen = set()
    for _ in range(60):
        shelf.store.read(["a"])
        seen.add(shelf.store.value("a"))
        shelf.clock.advance(1)
    assert seen == {"1"}
    assert asked_for(shelf, "a") == 1 + 6

    shelf.ssm.parameters["/relay/a"] = "2"
    shelf.clock.advance(REREAD_SECONDS)
    shelf.store.read(["a"])

    assert shelf.store.value("a") == "2"
    assert [(line["message"], line["key"]) for line in lines()] == [
        ("parameter is gone", "/relay/a")
    ]


@pytest.mark.parametrize("reads_on", [True, False])
def test_value_of_what_stays_gone_is_kept_for_five_minutes_and_not_longer(
    shelf: Shelf,
    reads_on: bool,  # noqa: FBT001 - a column
) -> None:
    """A token that was deleted must no longer be used, whether Parameter Store answers or not."""
    shelf.store.read(["a"])
    del shelf.ssm.parameters["/relay/a"]
    shelf.clock.advance(CACHE_SECONDS + 1)
    shelf.store.read(["a"])
    shelf.clock.advance(KEPT_SECONDS - 1)
    assert shelf.store.value("a") == "1"

    if not reads_on:
        shelf.ssm.error = aws_error("ThrottlingException")
    shelf.clock.advance(1)
    shelf.store.read(["a"])

    assert shelf.store.value("a") is None


def test_value_that_came_back_and_is_gone_again_is_kept_for_five_minutes_more(
    shelf: Shelf,
) -> None:
    shelf.store.read(["a"])
    for there in (False, True, False):
        shelf.ssm.parameters.pop("/relay/a")
        if there:
            shelf.ssm.parameters["/relay/a"] = "1"
        shelf.clock.advance(CACHE_SECONDS + 1)
        shelf.store.read(["a"])
        shelf.ssm.parameters["/relay/a"] = "1"

    assert shelf.store.value("a") == "1"


@pytest.mark.untraced  # 60 rounds over them
def test_read_of_a_thousand_made_up_names_a_second_costs_one_call_in_ten_seconds_more(
    shelf: Shelf,
) -> None:
    names = [f"s{number}" for number in range(1000)]
    for _ in range(60):
        shelf.store.read(names)
        shelf.clock.advance(1)

    assert len(shelf.ssm.calls) == 100 + 5
    assert max(asked_for(shelf, name) for name in names) == 2


def test_read_of_made_up_names_one_by_one_costs_one_call_in_ten_seconds_more(
    shelf: Shelf,
) -> None:
    """As `accept` reads: one app a request."""
    for _ in range(60):
        for number in range(100):
            shelf.store.read([f"s{number}"])
        shelf.clock.advance(1)

    assert len(shelf.ssm.calls) == 100 + 5


@pytest.mark.untraced  # 300 rounds over a thousand names
def test_read_of_made_up_names_takes_turns_so_that_each_is_seen_in_five_minutes(
    shelf: Shelf,
) -> None:
    names = [f"s{number}" for number in range(1000)]
    shelf.store.read(names)
    shelf.ssm.parameters["/relay/s999"] = "new"
    for _ in range(301):
        shelf.clock.advance(1)
        shelf.store.read(names)

    assert shelf.store.value("s999") == "new"
    assert max(asked_for(shelf, name) for name in names) <= 3


@pytest.mark.untraced  # 20,000 names
def test_read_of_ever_new_names_forgets_none_that_exists(shelf: Shelf) -> None:
    shelf.store.read(["a"])
    for start in range(0, 20_000, 500):
        shelf.store.read([f"s{number}" for number in range(start, start + 500)])
    shelf.store.read(["a", "s19999"])

    assert asked_for(shelf, "a") == 1
    assert asked_for(shelf, "s19999") == 1


def test_read_of_more_than_is_remembered_keeps_what_is_being_read_and_then_the_newest(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameter_store, "_MOST_REMEMBERED", 20)
    old = [f"s{number}" for number in range(20)]
    shelf.store.read(old)
    shelf.clock.advance(REREAD_SECONDS)
    shelf.store.read(old[5:10])
    shelf.store.read([old[0], *(f"t{number}" for number in range(5))])

    kept = [name for name in old if name not in shelf.store.stale(old)]

    assert shelf.store.value(old[0]) is None
    assert kept == [old[0], *old[5:10], *old[13:]]


def test_read_of_what_was_gone_for_long_costs_as_little_as_what_was_never_there(
    shelf: Shelf,
) -> None:
    names = [f"p{number}" for number in range(20)]
    there = {f"/relay/{name}": "1" for name in names}
    shelf.ssm.parameters |= there
    shelf.store.read(names)
    for name in there:
        del shelf.ssm.parameters[name]
    for _ in range(2):
        shelf.clock.advance(CACHE_SECONDS + 1)
        shelf.store.read(names)
    before = len(shelf.ssm.calls)
    for _ in range(60):
        shelf.clock.advance(1)
        shelf.store.read(names)

    assert len(shelf.ssm.calls) - before == 6


def test_read_of_what_came_into_being_is_read_as_any_other_from_then_on(shelf: Shelf) -> None:
    shelf.store.read(["b"])
    shelf.ssm.parameters["/relay/b"] = "new"
    shelf.clock.advance(REREAD_SECONDS)
    for _ in range(30):
        shelf.store.read(["b"])
        shelf.clock.advance(REREAD_SECONDS)

    assert asked_for(shelf, "b") == 2


def test_reread_of_what_is_absent_waits_for_ten_seconds_after_any_read(shelf: Shelf) -> None:
    shelf.store.read(["b"])
    shelf.store.reread("b")
    assert asked_for(shelf, "b") == 1

    shelf.clock.advance(REREAD_SECONDS)
    shelf.store.reread("b")

    assert asked_for(shelf, "b") == 2


# A clock that runs on, and may be set back


@every("of", [ParameterStore, Apps])
def test_parameters_age_by_a_clock_that_runs_while_the_process_is_frozen(of: type) -> None:
    """`time.monotonic` may stand still in a Lambda function that waits for its next event."""
    assert signature(of).parameters["clock"].default is time.time


def test_read_after_the_clock_was_set_back_reads_again(shelf: Shelf) -> None:
    shelf.store.read(["a", "b"])
    shelf.ssm.parameters |= {"/relay/a": "2", "/relay/b": "new"}
    shelf.clock.advance(-3600)

    shelf.store.read(["a", "b"])
    assert (shelf.store.value("a"), shelf.store.value("b")) == ("2", "new")
    shelf.store.read(["a", "b"])

    assert len(shelf.ssm.calls) == 2


def test_read_after_the_clock_was_set_back_does_not_rest_for_ever(shelf: Shelf) -> None:
    shelf.ssm.error = aws_error("ThrottlingException")
    with pytest.raises(ParametersUnavailableError):
        shelf.store.read(["a"])
    shelf.ssm.error = None
    shelf.clock.advance(-3600)

    shelf.store.read(["a"])

    assert shelf.store.value("a") == "1"


def test_value_that_is_gone_is_not_kept_for_longer_because_the_clock_was_set_back(
    shelf: Shelf,
) -> None:
    shelf.store.read(["a"])
    del shelf.ssm.parameters["/relay/a"]
    shelf.clock.advance(CACHE_SECONDS + 1)
    shelf.store.read(["a"])
    shelf.clock.advance(-3600)
    shelf.store.read(["a"])
    assert shelf.store.value("a") == "1"

    shelf.clock.advance(KEPT_SECONDS)

    assert shelf.store.value("a") is None


def test_refused_token_after_the_clock_was_set_back_is_tried_again(shelf: Shelf) -> None:
    shelf.loaded_token()
    shelf.refuse("key")

    shelf.clock.advance(-3600)

    assert shelf.loaded_token() == Secret("key")


# Memory


def test_read_of_ever_new_names_keeps_those_of_this_call(shelf: Shelf) -> None:
    """Memory is bounded, and the bound never costs what is being read."""
    for start in range(0, 10_000, 500):
        shelf.store.read([f"s{number}" for number in range(start, start + 500)])
    names = ["a", *(f"t{number}" for number in range(25))]
    shelf.store.read(names)

    assert shelf.store.value("a") == "1"
    assert [shelf.store.value(name) for name in names[1:]] == [None] * 25
    with pytest.raises(ParametersUnavailableError):
        shelf.store.value("s0")


# Parameter Store down


@pytest.mark.parametrize(
    "error",
    [aws_error("ThrottlingException"), EndpointConnectionError(endpoint_url="https://example.com")],
)
def test_read_that_fails_the_first_time_says_so(shelf: Shelf, error: Exception) -> None:
    shelf.ssm.error = error

    with pytest.raises(ParametersUnavailableError):
        shelf.store.read(["a"])


def test_read_that_fails_the_first_time_tells_what_aws_said(shelf: Shelf) -> None:
    """Whoever is called out at night must know: throttled, or not allowed?"""
    shelf.ssm.error = aws_error("AccessDeniedException")

    with pytest.raises(ParametersUnavailableError, match="AccessDeniedException"):
        shelf.store.read(["a"])


def test_read_that_fails_later_serves_the_old_value(shelf: Shelf) -> None:
    shelf.store.read(["a"])
    shelf.clock.advance(100_000)
    shelf.ssm.error = aws_error("ThrottlingException")

    shelf.store.read(["a"])

    assert shelf.store.value("a") == "1"


def test_read_that_fails_later_asks_again_after_ten_seconds_and_not_before(shelf: Shelf) -> None:
    shelf.store.read(["a"])
    shelf.clock.advance(CACHE_SECONDS + 1)
    shelf.ssm.error = aws_error("ThrottlingException")
    shelf.store.read(["a"])
    shelf.clock.advance(REREAD_SECONDS - 1)
    shelf.store.read(["a"])
    assert len(shelf.ssm.calls) == 2

    shelf.clock.advance(1)
    shelf.store.read(["a"])

    assert len(shelf.ssm.calls) == 3


def test_read_that_fails_for_one_never_seen_says_so(shelf: Shelf) -> None:
    shelf.store.read(["a"])
    shelf.clock.advance(CACHE_SECONDS + 1)
    shelf.ssm.error = aws_error("ThrottlingException")

    with pytest.raises(ParametersUnavailableError):
        shelf.store.read(["a", "b"])

    assert shelf.store.value("a") == "1"


def test_value_that_was_never_read_says_so(shelf: Shelf) -> None:
    with pytest.raises(ParametersUnavailableError):
        shelf.store.value("a")


# Apps


def test_app_reads_zone_and_region(shelf: Shelf) -> None:
    shelf.ssm.parameters[APP_NAME] = '{"time_zone": "Europe/Berlin", "phone_region": "DE"}'

    assert shelf.loaded_app() == App(MOBILE_APP, "Europe/Berlin", "DE")


def test_app_without_settings_of_its_own_is_in_utc(shelf: Shelf) -> None:
    assert shelf.loaded_app() == App(MOBILE_APP, "UTC", None)


def test_app_whose_settings_change_is_the_new_one(shelf: Shelf) -> None:
    shelf.loaded_app()
    shelf.ssm.parameters[APP_NAME] = '{"phone_region": "FR"}'
    shelf.clock.advance(CACHE_SECONDS + 1)

    assert shelf.loaded_app().phone_region == "FR"


def test_app_of_one_surface_is_none_of_the_other(shelf: Shelf) -> None:
    with pytest.raises(UnknownAppError):
        shelf.loaded_app(Surface.WEB)


@pytest.mark.parametrize("app_id", ["a/b", "../x", "a b", "", "x" * 256, "ünknown", "a\n"])
def test_app_of_an_id_that_no_parameter_can_have_is_unknown_without_asking(
    shelf: Shelf, app_id: str
) -> None:
    with pytest.raises(UnknownAppError):
        shelf.loaded_app(Surface.MOBILE, app_id)

    assert shelf.ssm.calls == []


def test_app_that_is_unknown_is_not_named(shelf: Shelf) -> None:
    """The id is what a sender sent."""
    with pytest.raises(UnknownAppError) as raised:
        shelf.loaded_app(Surface.MOBILE, "jane.doe")

    assert "jane" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"time_zone": "Mars/Base"}', "time_zone"),
        ('{"time_zone": 5}', "time_zone"),
        ('{"phone_region": "usa"}', "phone_region"),
        ('{"timezone": "UTC"}', "timezone"),
        ("Mars/Base", "JSON"),
        ("[]", "object"),
    ],
)
def test_app_with_malformed_settings_names_parameter_and_field(
    shelf: Shelf, text: str, problem: str
) -> None:
    shelf.ssm.parameters[APP_NAME] = text

    with pytest.raises(ConfigurationError) as raised:
        shelf.loaded_app()

    assert raised.value.key == APP_NAME
    assert problem in str(raised.value)
    assert "Mars" not in str(raised.value)
    assert "usa" not in str(raised.value)


def test_app_with_malformed_settings_costs_its_neighbours_nothing(shelf: Shelf) -> None:
    shelf.ssm.parameters[APP_NAME] = '{"time_zone": "Mars/Base"}'
    shelf.ssm.parameters["/relay/apps/mobile/id2"] = '{"phone_region": "DE"}'
    shelf.apps.preload(Surface.MOBILE, [MOBILE_APP, "id2"])

    with pytest.raises(ConfigurationError):
        shelf.apps.app(Surface.MOBILE, MOBILE_APP)

    assert shelf.apps.app(Surface.MOBILE, "id2").phone_region == "DE"


def test_preload_reads_settings_and_tokens_together(shelf: Shelf) -> None:
    shelf.apps.preload(Surface.MOBILE, [MOBILE_APP, "id2"])

    assert shelf.ssm.calls == [
        [APP_NAME, TOKEN_NAME, "/relay/apps/mobile/id2", "/relay/tokens/mobile/id2"]
    ]


def test_needs_preload_until_it_is_done(shelf: Shelf) -> None:
    assert shelf.apps.needs_preload(Surface.MOBILE, [MOBILE_APP])

    shelf.apps.preload(Surface.MOBILE, [MOBILE_APP])

    assert not shelf.apps.needs_preload(Surface.MOBILE, [MOBILE_APP])


def test_preload_settings_leaves_the_token_alone(shelf: Shelf) -> None:
    """`accept` may not read tokens."""
    shelf.apps.preload_settings(Surface.MOBILE, MOBILE_APP)
    shelf.apps.preload_settings(Surface.MOBILE, "no/such")

    assert shelf.ssm.calls == [[APP_NAME]]
    assert shelf.apps.app(Surface.MOBILE, MOBILE_APP).id == MOBILE_APP


# Tokens


def test_token_is_the_parameters_one_line(shelf: Shelf) -> None:
    shelf.ssm.parameters[TOKEN_NAME] = "  key \r\n"

    assert shelf.loaded_token() == Secret("key")


def test_token_of_several_is_the_first(shelf: Shelf) -> None:
    shelf.ssm.parameters[TOKEN_NAME] = "\n one \n\ntwo\n"

    assert shelf.loaded_token() == Secret("one")


def test_token_that_does_not_exist_is_none(shelf: Shelf) -> None:
    del shelf.ssm.parameters[TOKEN_NAME]

    assert shelf.loaded_token() is None


def test_token_shows_itself_nowhere(shelf: Shelf) -> None:
    token = shelf.loaded_token()

    assert "key" not in f"{token} {token!r} {[token]}"


def test_refuse_reads_afresh_and_gives_the_new_token(shelf: Shelf) -> None:
    shelf.loaded_token()
    shelf.clock.advance(60)
    shelf.ssm.parameters[TOKEN_NAME] = "rotated"

    assert shelf.refuse("key") == Secret("rotated")


def test_refuse_of_the_first_token_gives_the_second(shelf: Shelf) -> None:
    shelf.ssm.parameters[TOKEN_NAME] = "one\ntwo"
    shelf.loaded_token()

    assert shelf.refuse("one") == Secret("two")


def test_refuse_of_the_only_token_gives_none(shelf: Shelf) -> None:
    shelf.loaded_token()

    assert shelf.refuse("key") is None
    assert shelf.loaded_token() is None


def test_refuse_reads_the_parameter_at_most_every_ten_seconds(shelf: Shelf) -> None:
    shelf.loaded_token()
    shelf.clock.advance(60)
    for _ in range(5):
        shelf.refuse("key")
        shelf.clock.advance(1)
    assert len(shelf.ssm.calls) == 2

    shelf.clock.advance(REREAD_SECONDS)
    shelf.refuse("key")

    assert len(shelf.ssm.calls) == 3


def test_refuse_reads_at_most_every_ten_seconds_while_parameter_store_is_down(
    shelf: Shelf,
) -> None:
    """It may be down because it is asked too often."""
    shelf.loaded_token()
    shelf.clock.advance(60)
    shelf.ssm.error = aws_error("ThrottlingException")
    for _ in range(5):
        assert shelf.refuse("key") is None

    assert len(shelf.ssm.calls) == 2


def test_refuse_while_nothing_can_be_read_gives_none(shelf: Shelf) -> None:
    shelf.ssm.error = aws_error("ThrottlingException")

    assert shelf.refuse("key") is None


def test_refused_token_comes_back_after_a_minute(shelf: Shelf) -> None:
    shelf.loaded_token()
    shelf.refuse("key")
    shelf.clock.advance(REFUSED_SECONDS - 1)
    assert shelf.loaded_token() is None

    shelf.clock.advance(1)

    assert shelf.loaded_token() == Secret("key")


def test_refused_token_of_one_app_still_serves_another(shelf: Shelf) -> None:
    shelf.ssm.parameters["/relay/tokens/mobile/id2"] = "key"
    shelf.apps.preload(Surface.MOBILE, [MOBILE_APP, "id2"])
    shelf.refuse("key")

    assert shelf.apps.token(Surface.MOBILE, "id2") == Secret("key")


# Producers


def write_producers(shelf: Shelf, *producers: object) -> None:
    shelf.ssm.parameters["/relay/producers"] = json.dumps(producers)


def producer(name: str = "shop", *tokens: str, apps: tuple[str, ...] = ("*",)) -> object:
    return {"name": name, "token_sha256": [token_digest(token) for token in tokens], "apps": apps}


def found(shelf: Shelf, token: str) -> str | None:
    match = shelf.producers.by_token(token)
    return match.name if match else None


def test_token_digest_is_sha256_in_hexadecimal() -> None:
    """The digest is that of `printf %s shop-token | sha256sum`."""
    assert token_digest("shop-token") == (
        "88cc4600551e64b7cb97dd7f63ebad405255e5d17bdd71ee9fe1ed5cc20d0b3b"
    )


@pytest.mark.parametrize(
    ("token", "name"), [("one", "shop"), ("two", "shop"), ("three", "crm"), ("four", None)]
)
def test_by_token_knows_each_producer_by_each_of_its_tokens(
    shelf: Shelf, token: str, name: str | None
) -> None:
    write_producers(shelf, producer("shop", "one", "two"), producer("crm", "three"))

    assert found(shelf, token) == name


def test_by_token_does_not_take_the_hash_for_the_token(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "one"))

    assert found(shelf, token_digest("one")) is None


def test_by_token_compares_every_hash_whichever_matches(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it takes must not tell a stranger how near he is."""
    write_producers(shelf, producer("shop", "one", "two"), producer("crm", "three"))
    compared: list[str] = []
    compare_digest = hmac.compare_digest

    def counting(known: str, digest: str) -> bool:
        compared.append(known)
        return compare_digest(known, digest)

    monkeypatch.setattr(hmac, "compare_digest", counting)

    shelf.producers.by_token("one")

    assert len(compared) == 3


def test_by_token_without_the_parameter_knows_nobody(shelf: Shelf) -> None:
    assert found(shelf, "one") is None


def test_by_token_of_a_known_producer_reads_once(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "one"))
    for _ in range(5):
        found(shelf, "one")

    assert len(shelf.ssm.calls) == 1


def test_by_token_of_a_stranger_sees_a_producer_added_just_now(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "one"))
    found(shelf, "one")
    shelf.clock.advance(60)
    write_producers(shelf, producer("shop", "one"), producer("crm", "new"))

    assert found(shelf, "new") == "crm"


def test_by_token_of_strangers_reads_at_most_every_ten_seconds(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "one"))
    found(shelf, "one")
    shelf.clock.advance(60)
    for number in range(9):
        found(shelf, f"stranger-{number}")
        shelf.clock.advance(1)
    assert len(shelf.ssm.calls) == 2

    shelf.clock.advance(REREAD_SECONDS)
    found(shelf, "stranger")

    assert len(shelf.ssm.calls) == 3


def test_by_token_of_strangers_reads_no_more_often_while_parameter_store_is_down(
    shelf: Shelf,
) -> None:
    write_producers(shelf, producer("shop", "one"))
    found(shelf, "one")
    shelf.clock.advance(60)
    shelf.ssm.error = aws_error("ThrottlingException")
    for number in range(5):
        assert found(shelf, f"stranger-{number}") is None

    assert len(shelf.ssm.calls) == 2


def test_by_token_while_parameter_store_is_down_still_knows_its_producers(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "one"))
    found(shelf, "one")
    shelf.clock.advance(100_000)
    shelf.ssm.error = aws_error("ThrottlingException")

    assert found(shelf, "one") == "shop"


@pytest.mark.parametrize("text", ["plain-token", "{}", '{"name": "plain-token"}', "null", "5"])
def test_by_token_with_a_parameter_that_is_no_list_names_it_and_shows_nothing(
    shelf: Shelf, text: str
) -> None:
    shelf.ssm.parameters["/relay/producers"] = text

    with pytest.raises(
        ConfigurationError, match=r"^/relay/producers: (not JSON|must be)"
    ) as raised:
        shelf.producers.by_token("one")

    assert raised.value.key == "/relay/producers"
    assert not isinstance(raised.value, EntryUnreadableError)
    assert "plain-token" not in str(raised.value)


HASH = token_digest("his")
NAMELESS = {"token_sha256": [HASH], "apps": ["*"]}
"""An entry whose token can be read, and nothing else be done with it."""

BROKEN: list[tuple[object, str]] = [
    ("plain-token", "0: "),
    (None, "0: "),
    ({"name": "shop"}, "0.token_sha256: "),
    ({"name": "", "token_sha256": [], "apps": []}, "0.name: "),
    ({"name": "shop", "token_sha256": ["plain-token"], "apps": []}, "0.token_sha256.0: "),
    ({"name": "shop", "token_sha256": "plain-token", "apps": []}, "0.token_sha256: "),
    ({"name": "shop", "token_sha256": [HASH, 5], "apps": []}, "0.token_sha256.1: "),
    ({"name": "shop", "token_sha256": [HASH.upper()], "apps": []}, "0.token_sha256.0: "),
    ({"name": "shop", "token_sha256": [], "apps": "plain-token"}, "0.apps: "),
    ({"name": "shop", "token_sha256": [], "apps": [], "token": "plain-token"}, "0.token: "),
]


@pytest.mark.parametrize(("entry", "place"), BROKEN)
def test_by_token_with_one_malformed_entry_knows_the_others_and_logs_it_once(
    shelf: Shelf, lines: Lines, said: Heard, entry: object, place: str
) -> None:
    write_producers(shelf, entry, producer("crm", "three"))

    for _ in range(3):
        assert found(shelf, "three") == "crm"
        shelf.clock.advance(CACHE_SECONDS + 1)

    (line,) = lines()
    assert (line["message"], line["key"]) == ("setting is wrong", "/relay/producers")
    assert line["problem"].startswith(f"/relay/producers: {place}")
    assert "plain-token" not in said()


def test_by_token_logs_each_malformed_entry_and_again_with_another_text(
    shelf: Shelf, lines: Lines
) -> None:
    write_producers(shelf, NAMELESS, producer("crm", "three"), "nonsense")
    found(shelf, "three")
    assert [line["problem"] for line in lines()] == [
        "/relay/producers: 0.name: Field required",
        "/relay/producers: 2: must be a JSON object",
    ]

    write_producers(shelf, NAMELESS)
    shelf.clock.advance(CACHE_SECONDS + 1)
    assert found(shelf, "stranger") is None

    assert len(lines()) == 3


def test_by_token_of_a_malformed_entry_is_no_stranger(shelf: Shelf) -> None:
    """He was told that his token is good: 401 would make him drop what he has."""
    write_producers(shelf, NAMELESS, producer("crm", "three"))

    with pytest.raises(EntryUnreadableError):
        shelf.producers.by_token("his")


def test_by_token_of_a_stranger_is_one_though_an_entry_is_malformed_elsewhere(
    shelf: Shelf,
) -> None:
    write_producers(shelf, NAMELESS, producer("crm", "three"))

    assert found(shelf, "four") is None


@pytest.mark.parametrize(
    "hashes", [["plain-token"], "plain-token", None, [HASH, "plain-token"]], ids=str
)
def test_by_token_that_may_be_that_of_an_unreadable_hash_is_not_judged(
    shelf: Shelf, hashes: object
) -> None:
    write_producers(shelf, {"name": "shop", "token_sha256": hashes, "apps": ["*"]})

    with pytest.raises(EntryUnreadableError) as raised:
        shelf.producers.by_token("four")

    assert "plain-token" not in str(raised.value)


def test_by_token_in_a_malformed_entry_and_in_a_good_one_is_the_good_ones(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "his"), NAMELESS)

    assert found(shelf, "his") == "shop"


def test_by_token_of_an_entry_that_was_put_right_is_known_within_ten_seconds(shelf: Shelf) -> None:
    write_producers(shelf, NAMELESS)
    with pytest.raises(EntryUnreadableError):
        shelf.producers.by_token("his")
    write_producers(shelf, producer("shop", "his"))

    shelf.clock.advance(REREAD_SECONDS)

    assert found(shelf, "his") == "shop"


def test_by_token_takes_text_that_is_no_unicode(shelf: Shelf) -> None:
    write_producers(shelf, producer("shop", "one"))

    assert found(shelf, "\ud800") is None


@every(
    "apps, allowed",
    [((MOBILE_APP,), True), (("id2",), False), (("*",), True), ((), False), (("id2", "*"), True)],
)
def test_may_send_for_the_apps_listed_or_all(apps: tuple[str, ...], allowed: bool) -> None:  # noqa: FBT001 - a column
    assert Producer(name="shop", token_sha256=(), apps=apps).may_send_for(MOBILE_APP) is allowed


# What is sick or forbidden must not spread


SICK = [
    aws_error("ThrottlingException"),
    aws_error("InternalServerError"),
    ConnectTimeoutError(endpoint_url="https://ssm.example.com"),
]


@pytest.mark.parametrize("error", SICK)
def test_read_of_what_was_never_read_rests_for_ten_seconds_after_a_failure(
    shelf: Shelf, error: Exception
) -> None:
    shelf.store.read(["a"])
    shelf.ssm.error = error
    for number in range(10):
        with pytest.raises(ParametersUnavailableError, match=telemetry.aws_code(error)):
            shelf.store.read(["a", f"s{number}"])
        shelf.clock.advance(0.9)
    tries = 2 if isinstance(error, ConnectTimeoutError) else 1
    assert (len(shelf.ssm.calls), shelf.store.value("a")) == (1 + tries, "1")

    shelf.ssm.error = None
    shelf.clock.advance(1)
    shelf.store.read(["a", "s0"])

    assert shelf.store.value("s0") is None


def test_read_of_a_name_that_may_not_be_read_rests_for_ten_seconds_and_others_do_not(
    shelf: Shelf,
) -> None:
    shelf.ssm.forbidden.add("/relay/bad")
    for number in range(10):
        with pytest.raises(ParametersUnavailableError, match="AccessDeniedException"):
            shelf.store.read(["bad", f"s{number}"])
        assert shelf.store.value(f"s{number}") is None
        shelf.clock.advance(0.9)
    assert asked_for(shelf, "bad") == 2, "with its neighbour, and alone"

    shelf.ssm.forbidden.clear()
    shelf.clock.advance(1)
    shelf.store.read(["bad"])

    assert shelf.store.value("bad") is None


def test_read_name_that_aws_takes_for_no_name_costs_its_neighbours_nothing(shelf: Shelf) -> None:
    def refuse() -> None:
        if "/relay/bad" in shelf.ssm.calls[-1]:
            raise aws_error("ValidationException")

    shelf.ssm.before_answer = refuse
    with pytest.raises(ParametersUnavailableError, match="ValidationException"):
        shelf.store.read(["bad", "a"])
    shelf.store.read(["b"])

    assert (shelf.store.value("a"), shelf.store.value("b")) == ("1", None)


def test_read_of_ever_new_names_that_may_not_be_read_forgets_them(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameter_store, "_MOST_REMEMBERED", 20)
    names = [f"bad{number}" for number in range(41)]
    shelf.ssm.forbidden |= {f"/relay/{name}" for name in names}
    for name in names:
        with pytest.raises(ParametersUnavailableError):
            shelf.store.read([name])

    with pytest.raises(ParametersUnavailableError):
        shelf.store.read(["bad0"])

    assert (asked_for(shelf, "bad0"), asked_for(shelf, "bad40")) == (2, 1)


def test_read_one_by_one_ends_when_parameter_store_begins_to_throttle(shelf: Shelf) -> None:
    shelf.ssm.forbidden.add("/relay/bad")
    shelf.ssm.fails_from_call = 3

    with pytest.raises(ParametersUnavailableError, match="ThrottlingException"):
        shelf.store.read(["bad", "a", "b", "c"])

    assert [len(names) for names in shelf.ssm.calls] == [4, 1, 1]


def test_read_name_that_may_not_be_read_costs_its_neighbours_nothing(shelf: Shelf) -> None:
    shelf.ssm.forbidden.add(shelf.store.full_name("bad"))
    shelf.ssm.parameters[shelf.store.full_name("good")] = "value"

    with pytest.raises(ParametersUnavailableError):
        shelf.store.read(["bad", "good"])

    assert shelf.store.value("good") == "value"


def test_read_group_that_fails_costs_the_other_groups_nothing(shelf: Shelf) -> None:
    names = [f"n{number}" for number in range(20)]
    shelf.ssm.forbidden.add(shelf.store.full_name("n0"))

    with pytest.raises(ParametersUnavailableError):
        shelf.store.read(names)

    assert shelf.store.stale(names) == ["n0"]


def test_read_of_a_silent_parameter_store_asks_twice_and_then_rests(shelf: Shelf) -> None:
    shelf.ssm.error = ConnectTimeoutError(endpoint_url="https://ssm.example.com")

    with pytest.raises(ParametersUnavailableError):
        shelf.store.read([f"n{number}" for number in range(30)])

    assert len(shelf.ssm.calls) == 2


def test_reread_of_a_silent_parameter_store_is_not_repeated_for_all_that_wait(shelf: Shelf) -> None:
    shelf.ssm.error = ConnectTimeoutError(endpoint_url="https://ssm.example.com")

    for name in ("tokens/a", "tokens/b", "tokens/a"):
        with suppress(ParametersUnavailableError):
            shelf.store.reread(name)

    assert len(shelf.ssm.calls) == 2


def test_read_group_that_was_refused_and_then_is_not_is_read(shelf: Shelf) -> None:
    shelf.ssm.forbidden.add("/relay/a")

    def allow_from_the_second_call() -> None:
        if len(shelf.ssm.calls) > 1:
            shelf.ssm.forbidden.clear()

    shelf.ssm.before_answer = allow_from_the_second_call

    shelf.store.read(["a", "b"])

    assert shelf.store.value("a") == "1"


# Many processes, which share nothing but Parameter Store

MANY = 1000


@pytest.fixture
def many(shelf: Shelf) -> ParameterStore:
    """One of a thousand processes."""
    return shelf.make_store(MANY)


def test_read_ages_at_random_so_that_processes_do_not_read_in_step(shelf: Shelf) -> None:
    store = shelf.make_store(jitter=lambda low, high: low)
    store.read(["a"])
    shelf.clock.advance(CACHE_SECONDS * 2 / 3 - 1)
    store.read(["a"])
    assert len(shelf.ssm.calls) == 1

    shelf.clock.advance(1)
    store.read(["a"])

    assert len(shelf.ssm.calls) == 2


def test_read_takes_along_what_is_due_soon_and_what_is_expected(
    shelf: Shelf, many: ParameterStore
) -> None:
    many.expect(["b", "c"])
    many.read(["a"])
    many.read(["b", "c"])
    shelf.clock.advance(CACHE_SECONDS / 2)
    many.read(["x"])

    assert shelf.ssm.calls == [
        ["/relay/a", "/relay/b", "/relay/c"],
        ["/relay/x", "/relay/a"],
    ]


def test_read_takes_no_more_along_than_fits_into_its_call(
    shelf: Shelf, many: ParameterStore
) -> None:
    shelf.ssm.parameters |= {f"/relay/n{number}": "1" for number in range(20)}
    many.read([f"n{number}" for number in range(20)], vouched=True)
    shelf.clock.advance(CACHE_SECONDS - 1)
    many.read(["a"])

    assert [len(names) for names in shelf.ssm.calls] == [10, 10, 10]


def test_read_at_leisure_of_what_is_due_waits_and_any_other_read_does_not(
    shelf: Shelf, many: ParameterStore
) -> None:
    many.read(["a"], at_leisure=True)
    shelf.clock.advance(CACHE_SECONDS + 1)
    many.read(["a"], at_leisure=True)
    shelf.clock.advance(CACHE_SECONDS - 1)
    many.read(["a"], at_leisure=True)
    assert len(shelf.ssm.calls) == 1

    shelf.clock.advance(1)
    many.read(["a"], at_leisure=True)
    assert len(shelf.ssm.calls) == 2

    shelf.clock.advance(CACHE_SECONDS + 1)
    many.read(["a"])
    assert len(shelf.ssm.calls) == 3


def test_reread_for_a_stranger_is_for_a_few_processes(shelf: Shelf, many: ParameterStore) -> None:
    for store in (many, shelf.make_store(30)):
        store.read(["a"])
        shelf.clock.advance(60)
        store.reread("a", for_stranger=True)

    assert len(shelf.ssm.calls) == 3


@pytest.mark.untraced  # as above
def test_read_of_made_up_names_by_many_processes_is_two_calls_and_then_one_in_a_while(
    shelf: Shelf, many: ParameterStore
) -> None:
    seen = 0
    for number in range(10_000):
        with suppress(ParametersUnavailableError):
            many.read([f"s{number}"])
            seen += 1
        shelf.clock.advance(1)

    assert seen == len(shelf.ssm.calls) == 2 + 9


def test_read_of_a_made_up_name_that_is_too_many_says_so(many: ParameterStore) -> None:
    many.read(["s1"])
    many.read(["s2"])

    with pytest.raises(ParametersUnavailableError, match="too many unknown names"):
        many.read(["s3"])


def test_read_of_what_is_vouched_for_or_exists_needs_no_allowance(
    shelf: Shelf, many: ParameterStore
) -> None:
    shelf.ssm.parameters |= {f"/relay/n{number}": "1" for number in range(20)}
    for number in range(20):
        many.read([f"n{number}"])
    for number in range(20):
        many.read([f"v{number}"], vouched=True)
    many.read(["s1"])
    many.read(["s2"])

    assert len(shelf.ssm.calls) == 42


def test_read_of_an_absent_name_by_many_processes_waits_for_a_call_with_room(
    shelf: Shelf, many: ParameterStore
) -> None:
    many.read(["a"])
    many.read(["late"])
    shelf.ssm.parameters["/relay/late"] = "1"
    shelf.clock.advance(CACHE_SECONDS)
    many.read(["late"])
    assert many.value("late") is None

    many.read(["a"])

    assert many.value("late") == "1"
    assert shelf.ssm.calls[2:] == [["/relay/a", "/relay/late"]]


def test_read_of_an_absent_name_by_many_processes_has_a_call_of_its_own_in_the_end(
    shelf: Shelf, many: ParameterStore
) -> None:
    many.read(["late"])
    shelf.ssm.parameters["/relay/late"] = "1"
    shelf.clock.advance(2 * CACHE_SECONDS)
    many.read(["late"])

    assert many.value("late") == "1"


def test_read_that_fails_by_many_processes_asks_again_in_minutes_for_what_is_known(
    shelf: Shelf, many: ParameterStore
) -> None:
    """A thousand that repeat it in ten seconds are what throttles them."""
    many.read(["a"])
    shelf.clock.advance(CACHE_SECONDS)
    shelf.ssm.error = aws_error("ThrottlingException")
    for _ in range(400):
        many.read(["a"])
        shelf.clock.advance(1)

    assert len(shelf.ssm.calls) == 1 + 2


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://ssm.example.com"),
        ClientError(cast("Any", {"ResponseMetadata": {"HTTPStatusCode": 500}}), "GetParameters"),
    ],
    ids=["no-response", "failed"],
)
def test_read_tries_once_more_where_that_may_help(shelf: Shelf, error: Exception) -> None:
    """boto3 would do it for throttling too, which only adds to the load."""

    def fail_the_first() -> None:
        if len(shelf.ssm.calls) == 1:
            raise error

    shelf.ssm.before_answer = fail_the_first
    shelf.store.read(["a"])

    assert shelf.store.value("a") == "1"
    assert len(shelf.ssm.calls) == 2


def throttle_for(shelf: Shelf, seconds: float) -> None:
    begin = shelf.clock.seconds()

    def throttle() -> None:
        if shelf.clock.seconds() < begin + seconds:
            raise aws_error("ThrottlingException")

    shelf.ssm.before_answer = throttle


def test_read_of_what_was_never_read_waits_while_it_is_throttled(
    shelf: Shelf, lines: Lines
) -> None:
    store = shelf.make_store(MANY, patience_seconds=20)
    throttle_for(shelf, 10)
    store.read(["a"], vouched=True)

    assert store.value("a") == "1"
    assert len(shelf.ssm.calls) == 1 + 4, "with pauses of three seconds at most"
    assert [line["codes"] for line in lines()] == [["ThrottlingException"]]


def test_read_waits_no_longer_than_its_patience_all_requests_together(shelf: Shelf) -> None:
    store = shelf.make_store(MANY, patience_seconds=20)
    throttle_for(shelf, 1000)
    begin = shelf.clock.seconds()
    for names in (["a"], ["b"]):
        with pytest.raises(ParametersUnavailableError, match="ThrottlingException"):
            store.read(names, vouched=True)
    assert shelf.clock.seconds() - begin == 20

    shelf.clock.advance(REREAD_SECONDS)
    with pytest.raises(ParametersUnavailableError):
        store.read(["a"], vouched=True)

    assert shelf.clock.seconds() - begin == 20 + REREAD_SECONDS + 20, "it has patience again"


def test_read_does_not_wait_for_what_it_has_nor_for_what_may_be_made_up(shelf: Shelf) -> None:
    store = shelf.make_store(MANY, patience_seconds=20)
    store.read(["a"], vouched=True)
    shelf.clock.advance(CACHE_SECONDS)
    throttle_for(shelf, 1000)
    begin = shelf.clock.seconds()
    store.read(["a"], vouched=True)
    shelf.clock.advance(REREAD_SECONDS)
    with pytest.raises(ParametersUnavailableError):
        store.read(["b"])

    assert shelf.clock.seconds() - begin == REREAD_SECONDS


def test_by_token_of_a_known_producer_is_judged_by_what_is_true_now(
    shelf: Shelf, many: ParameterStore
) -> None:
    """A stranger causes no read at once, and whose token was taken away is none any more."""
    producers = Producers(many)
    write_producers(shelf, producer("shop", "one"))
    assert producers.by_token("one")
    write_producers(shelf)
    shelf.clock.advance(CACHE_SECONDS)
    assert producers.by_token("stranger") is None
    assert len(shelf.ssm.calls) == 1

    assert producers.by_token("one") is None
    assert len(shelf.ssm.calls) == 2
