import io
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Event

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from relay import telemetry
from relay.errors import ConfigurationError
from tests.support.builders import Json
from tests.support.fakes import aws_error

Lines = Callable[[], list[Json]]
Counted = Callable[[], dict[str, float]]


def blobs(said: str) -> list[Json]:
    return [json.loads(line) for line in said.splitlines() if '"_aws"' in line]


def test_count_without_more_has_no_dimension_but_the_service(said: Callable[[], str]) -> None:
    telemetry.count({"Unexpected": 1})

    [blob] = blobs(said())
    assert blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_logger_that_two_threads_want_first_is_configured_by_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both, met = Barrier(2), list[int]()

    def configure() -> str:
        with suppress(BrokenBarrierError):
            met.append(both.wait(0.2))
        return "made"

    monkeypatch.setattr(telemetry, "Logger", configure)
    telemetry.logger.cache_clear()
    with ThreadPoolExecutor(2) as threads:
        made = [str(one) for one in threads.map(lambda _: telemetry.logger(), range(2))]
    telemetry.logger.cache_clear()

    assert (made, met) == (["made", "made"], [])


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - to have it with its traceback
        return caught


def test_silence_nothing_is_logged_or_counted_however_much(
    said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_silent", Event())

    telemetry.silence()

    for _ in range(101):  # Powertools would write the first hundred of them
        telemetry.count({"Delivered": 1})
    telemetry.logger().error("nobody hears")
    assert said() == ""


def test_unexpected_tells_type_and_place_and_never_the_text(
    lines: Lines, said: Callable[[], str]
) -> None:
    telemetry.unexpected(raised(ValueError("jane@example.com")), message_id="m-1")

    line = lines()[0]
    assert line["error"] == "ValueError"
    assert line["place"].startswith("raised:")
    assert line["message_id"] == "m-1"
    assert "jane" not in said()


def test_unexpected_without_a_traceback_is_logged_all_the_same(lines: Lines) -> None:
    telemetry.unexpected(ValueError("never raised"))

    assert lines()[0]["place"] == ""


def test_unexpected_is_counted(counted: Counted) -> None:
    telemetry.unexpected(ValueError())

    assert counted() == {"Unexpected": 1}


def test_wrong_setting_names_its_key(lines: Lines) -> None:
    telemetry.wrong_setting(ConfigurationError("/relay/producers", "not JSON"))

    line = lines()[0]
    assert line["level"] == "ERROR"
    assert line["key"] == "/relay/producers"
    assert line["problem"] == "/relay/producers: not JSON"


def test_aws_failed_tells_each_code_once(lines: Lines) -> None:
    telemetry.aws_failed("SendMessageBatch", ["Throttled", "AccessDenied", "Throttled"])

    line = lines()[0]
    assert line["level"] == "ERROR"
    assert line["operation"] == "SendMessageBatch"
    assert line["codes"] == ["AccessDenied", "Throttled"]


def test_aws_code_of_a_refusal_is_awss_own() -> None:
    assert telemetry.aws_code(aws_error("AccessDenied", "jane@example.com")) == "AccessDenied"


def test_aws_code_of_what_never_got_there_is_the_errors_type() -> None:
    error = EndpointConnectionError(endpoint_url="https://sqs.example.com")

    assert telemetry.aws_code(error) == "EndpointConnectionError"


def test_aws_code_of_a_call_that_timed_out_is_its_kind() -> None:
    """Botocore gives that error a `response` which is None."""
    error = ReadTimeoutError(endpoint_url="https://sqs.example.com", error=None)

    assert telemetry.aws_code(error) == "ReadTimeoutError"


# What libraries log

LIBRARIES = [
    *("asyncio", "aws_lambda_powertools", "boto3", "botocore.endpoint", "botocore.parsers"),
    *("httpcore.http11", "httpx", "root", "urllib3.connectionpool", "one.that.is.to.come"),
]
KEY = "planted-key"


def logged_by(name: str, level: int) -> str:
    """What is heard of a library that logs a key in each way there is."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    library = logging.getLogger(name)
    before = library.level
    library.addHandler(handler)
    library.setLevel(logging.DEBUG)
    try:
        library.log(level, "token: " + KEY)
        library.log(level, "header %s", KEY)
        library.log(level, "body %(body)s", {"body": KEY}, stack_info=True)
        try:
            raise ValueError(KEY)
        except ValueError:
            library.log(level, "failed", exc_info=True)
    finally:
        library.removeHandler(handler)
        library.setLevel(before)
    return heard.getvalue()


def test_library_is_heard_without_what_it_says_at_any_level() -> None:
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert all(KEY in logged_by(name, level) for name in LIBRARIES for level in levels), "planted"

    telemetry.silence_libraries()

    violations = [
        (name, level) for name in LIBRARIES for level in levels if KEY in logged_by(name, level)
    ]
    assert violations == []
    assert "left out" in logged_by("botocore", logging.WARNING)


def test_library_is_silent_below_warnings_whatever_lambdas_own_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)

    telemetry.silence_libraries()

    assert not logging.getLogger("botocore.one.that.is.new").isEnabledFor(logging.INFO)


def test_relay_is_heard_as_before_when_libraries_are_silent(said: Callable[[], str]) -> None:
    telemetry.silence_libraries()
    telemetry.logger().warning("parameter is gone", extra={"key": "/relay/a"})

    text = said()
    assert "parameter is gone" in text
    assert "/relay/a" in text


def test_unexpected_that_cannot_be_counted_is_logged_and_raises_nothing(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called by the nets: a net must hold."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(telemetry, "count", fail)

    telemetry.unexpected(KeyError("user-1"))

    assert [line["error"] for line in lines()] == ["KeyError"]
